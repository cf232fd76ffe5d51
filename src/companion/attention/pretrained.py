"""Trained language models in files: those of a run, and exported ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from companion.attention.config import LanguageConfig
from companion.attention.language import Language
from companion.attention.train import SETTINGS, VOCABULARY, digest_of, source
from companion.errors import CheckpointError, DataError
from companion.text import load_tokenizer, split_tokens
from companion.training import read_checkpoint
from companion.training.checkpoint import write_whole

__all__ = ["export_language", "held_out_tokens", "is_export", "load_language"]

FORMAT = "companion.attention 1"
HEAD, EMBEDDING = "head.weight", "encoder.embedding.weight"  # one tensor, if tied


def load_language(path: Path | str, *, device: torch.device | str = "cpu") -> Language:
    """Return the model of a run, with its averaged weights if there are any, and its tokenizer.

    Args:
        path: the folder of a run (its newest checkpoint counts), one checkpoint in it, or a file
            written by ``export_language``.
        device: where the model shall lie.

    Raises:
        CheckpointError: if there is none, it is damaged, or it is of another kind.
    """
    path = Path(path)
    metadata = _metadata(path) if path.is_file() else {}
    if metadata.get("format") == FORMAT:
        import safetensors.torch

        values, vocabulary = _json(metadata, path), metadata.get("tokenizer", "")
        weights = safetensors.torch.load_file(path)
    else:
        checkpoint = read_checkpoint(path)
        path, weights, found = checkpoint.path, checkpoint.weights, checkpoint.about
        if not isinstance(found, dict) or not isinstance(found.get("language"), dict):
            raise CheckpointError(f"{path} is of another kind of run; expected a language model")
        values = {**found["language"], "recipe": checkpoint.recipe}
        vocabulary = _vocabulary(path.parent / VOCABULARY, found["digests"]["tokenizer"])
    try:
        tokenizer = load_tokenizer(vocabulary)
        config = LanguageConfig.from_plain(values, name=str(path))
        model = config.build_model(len(tokenizer))
    except DataError as error:
        raise CheckpointError(f"{error} (is it of another version of companion?)") from error
    if config.tied and EMBEDDING in weights:
        weights = {HEAD: weights[EMBEDDING], **weights}
    _check(path, weights, model.state_dict())
    model.load_state_dict(weights)
    return Language(model=model.to(device).eval(), tokenizer=tokenizer, config=config)


def held_out_tokens(path: Path | str) -> Int64[Tensor, " token"]:
    """Return the tokens that a run has not learned from, the end of its text.

    Args:
        path: the folder of the run, or a checkpoint in it.

    Raises:
        DataError: if the text cannot be read, or is another than it was.
        CheckpointError: if there is no run.
    """
    checkpoint = read_checkpoint(path)
    folder = checkpoint.path.parent
    config = LanguageConfig.from_yaml(folder / SETTINGS)
    text, digests = source(config.text), checkpoint.about["digests"]
    if digest_of(text) != digests["text"]:
        where = config.text.path or "the small text of the package"
        raise DataError(f"{where} is another text than the run in {folder} learned from")
    tokenizer = load_tokenizer(_vocabulary(folder / VOCABULARY, digests["tokenizer"]))
    return split_tokens(tokenizer.encode(text), held_out=config.text.held_out)[1]


def export_language(trained: Language, path: Path | str) -> None:
    """Write weights, tokenizer and configuration, and nothing else of a run, into one file.

    Raises:
        CheckpointError: if it cannot be written.
    """
    import safetensors.torch

    values = trained.config.to_plain()
    values["text"]["path"] = None  # a file of this machine
    weights = {
        name: value.detach().to("cpu", torch.float32).contiguous()
        for name, value in trained.model.state_dict().items()
        if not (trained.config.tied and name == HEAD)
    }
    metadata = {
        "format": FORMAT,
        "config": json.dumps(values),
        "tokenizer": trained.tokenizer.to_json(),
    }
    try:
        write_whole(Path(path), safetensors.torch.save(weights, metadata))
    except OSError as error:
        raise CheckpointError(f"{path} could not be written: {error.strerror}") from error


def is_export(path: Path | str) -> bool:
    """Tell whether a file was written by ``export_language``; a run was not."""
    return Path(path).is_file() and _metadata(Path(path)).get("format") == FORMAT


def _metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, {} if there is none to read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError):
        return {}


def _json(metadata: dict[str, str], path: Path) -> dict[str, Any]:
    try:
        return json.loads(metadata["config"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path} does not say of which configuration it is") from error


def _vocabulary(path: Path, digest: str) -> str:
    """The tokenizer beside a checkpoint, if it is the one that the run had."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path} cannot be read; expected the tokenizer of the run"
        ) from error
    if digest_of(text) != digest:
        raise CheckpointError(f"{path} is another tokenizer than that of the run")
    return text


def _check(path: Path, weights: dict[str, Tensor], model: dict[str, Tensor]) -> None:
    wanted = {name: tuple(value.shape) for name, value in model.items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            shapes = found.get(name, "nothing"), wanted.get(name, "nothing")
            raise CheckpointError(f"{path}: {name} has shape {shapes[0]}; expected {shapes[1]}")
