"""Trained language models in files: those of a run, and exported ones."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from companion.attention.config import LanguageConfig
from companion.attention.language import Language
from companion.attention.train import SETTINGS, VOCABULARY, digest_of, source
from companion.errors import CheckpointError, DataError
from companion.text import load_tokenizer, split_tokens
from companion.training import read_checkpoint
from companion.training.export import (
    check_weights,
    configuration_of,
    metadata_of,
    write_export,
)

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
    metadata = metadata_of(path) if path.is_file() else {}
    if metadata.get("format") == FORMAT:
        import safetensors.torch

        values, vocabulary = configuration_of(metadata, path), metadata.get("tokenizer", "")
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
    check_weights(path, weights, model)
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
    values = trained.config.to_plain()
    values["text"]["path"] = None  # a file of this machine
    weights = trained.model.state_dict()
    if trained.config.tied:
        del weights[HEAD]
    metadata = {"format": FORMAT, "tokenizer": trained.tokenizer.to_json()}
    write_export(Path(path), weights, metadata, config=values)


def is_export(path: Path | str) -> bool:
    """Tell whether a file was written by ``export_language``; a run was not."""
    return Path(path).is_file() and metadata_of(Path(path)).get("format") == FORMAT


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
