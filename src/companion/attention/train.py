"""One run of training, from a configuration to a model that writes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from companion import pick_device
from companion.attention.config import LanguageConfig, TextConfig
from companion.attention.language import Language, held_out_loss
from companion.attention.models import LanguageModel, MaskedLanguageModel, cross_entropy
from companion.errors import CheckpointError
from companion.text import (
    BytePairTokenizer,
    CharacterTokenizer,
    Tokenizer,
    Windows,
    hide_tokens,
    load_tokenizer,
    read_text,
    small_text,
    split_tokens,
)
from companion.training import Draws, fit, newest_checkpoint
from companion.training.checkpoint import write_whole

__all__ = ["SETTINGS", "VOCABULARY", "digest_of", "is_main_process", "source", "train_language"]

SETTINGS = "config.yaml"  # beside the checkpoints: the whole configuration, for people and resumes
VOCABULARY = "tokenizer.json"


def train_language(
    config: LanguageConfig,
    *,
    folder: Path | str | None = None,
    text: str | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> Language:
    r"""Train a model to tell the next token of a text, or hidden ones, and return it averaged.

    What is hidden in a step follows from seed and step alone: a run that was interrupted, or that
    several processes share (``accelerate launch -m companion``), sees the same as one that was not.

    Args:
        config: text, net, objective and recipe.
        folder: for checkpoints, log, configuration and tokenizer; a run found there goes on. None
            writes nothing.
        text: your own, in place of the one that ``config.text`` names.
        device: where one process trains; None picks it. Several are placed by Accelerate.
        progress: whether there is a bar.

    Returns:
        A ``Language``.

    Raises:
        DataError: for a text that cannot be read or is too short, and for measures that make no
            model; before any training.
        NumericsError: if the loss stops being finite, naming the step.
        CheckpointError: if the folder holds another run, or cannot be written.

    >>> config = LanguageConfig().amended(["recipe.steps=2", "recipe.warmup=0", "net.dim=16"])
    >>> trained = train_language(config, device="cpu", progress=False)
    >>> trained.sample("The ", count=3).startswith("The ")
    True
    """
    folder = None if folder is None else Path(folder)
    if text is not None:
        config = replace(config, text=replace(config.text, path=None))
    words = source(config.text) if text is None else text
    tokenizer = _tokenizer(config.text, words, folder)
    tokens, held_out = split_tokens(tokenizer.encode(words), held_out=config.text.held_out)
    data = Windows(tokens, config.text.length + (config.objective == "causal"), stride=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.recipe.seed)
        model = config.build_model(len(tokenizer))
    if os.environ.get("WORLD_SIZE", "1") == "1":  # of several processes, Accelerate places each
        model.to(pick_device() if device is None else device)
    if folder is not None and newest_checkpoint(folder) is None:
        _note(config, tokenizer, folder)

    def measure(model: LanguageModel | MaskedLanguageModel) -> dict[str, float]:
        return {"held_out": held_out_loss(model, held_out, config)}

    run = fit(
        model,
        _loss(config, len(tokenizer)),
        data,
        config.recipe,
        folder=folder,
        measure=measure,
        measure_every=config.measure_every,
        about=_about(config, tokenizer, words),
        progress=progress,
    )
    if folder is not None:
        _note(config, tokenizer, folder)  # a resumed run may have become longer
    trained = run.average
    assert isinstance(trained, LanguageModel | MaskedLanguageModel)
    return Language(model=trained, tokenizer=tokenizer, config=config, held_out=held_out, run=run)


def is_main_process() -> bool:
    """Tell whether this process speaks for a run; the launcher numbers the processes in RANK."""
    return os.environ.get("RANK", "0") == "0"


def digest_of(text: str) -> str:
    """Return a short name of a text, or of a tokenizer, that another does not have."""
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()


def source(config: TextConfig) -> str:
    """Return the text that a run learns from."""
    return small_text() if config.path is None else read_text(config.path)


def _tokenizer(config: TextConfig, text: str, folder: Path | None) -> Tokenizer:
    """The tokenizer of the run in the folder, if there is one, else one made from the text."""
    if folder is not None and newest_checkpoint(folder) and (folder / VOCABULARY).is_file():
        return load_tokenizer(folder / VOCABULARY)
    if config.tokenizer == "character":
        return CharacterTokenizer.of(text)
    return BytePairTokenizer.of(text, vocabulary=config.vocabulary)


def _about(config: LanguageConfig, tokenizer: Tokenizer, text: str) -> dict[str, Any]:
    """What a checkpoint says of its run, besides the recipe; a file may have moved."""
    values = config.to_plain()
    del values["recipe"], values["text"]["path"], values["measure_every"]
    digests = {"text": digest_of(text), "tokenizer": digest_of(tokenizer.to_json())}
    return {"language": values, "digests": digests}


def _loss(
    config: LanguageConfig, vocabulary: int
) -> Callable[[nn.Module, Int64[Tensor, "row seq"], Draws], Tensor]:
    def causal(model: nn.Module, tokens: Int64[Tensor, "row seq"], draws: Draws) -> Tensor:
        return cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])

    def masked(model: nn.Module, tokens: Int64[Tensor, "row seq"], draws: Draws) -> Tensor:
        shown, hidden = hide_tokens(tokens, draws, vocabulary=vocabulary, share=config.hidden)
        return cross_entropy(model(shown), tokens, hidden)

    return causal if config.objective == "causal" else masked


def _note(config: LanguageConfig, tokenizer: Tokenizer, folder: Path) -> None:
    """Write configuration and tokenizer beside the checkpoints."""
    if not is_main_process():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config.to_yaml(folder / SETTINGS)
        write_whole(folder / VOCABULARY, tokenizer.to_json().encode())
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be used: {error.strerror or error}") from error
