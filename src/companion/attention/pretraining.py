"""GAU-α from the start: whole words hidden, LAMB, no warm-up."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from companion import pick_device
from companion.attention.gau_alpha import GAUAlpha
from companion.attention.pretraining_config import CorpusConfig, PretrainingConfig
from companion.attention.published import VOCAB
from companion.attention.train import SETTINGS, digest_of, is_main_process
from companion.errors import CheckpointError
from companion.text import (
    WordPieceTokenizer,
    WordWindows,
    encode_words,
    hide_words,
    load_vocab,
    read_text,
    read_words,
    small_text,
    split_tokens,
)
from companion.training import Draws, Run, fit, newest_checkpoint
from companion.training.checkpoint import write_whole
from companion.training.lamb import Lamb

__all__ = ["MODEL", "Pretrained", "masked_words_loss", "pretrain"]

MODEL = "model"  # in the folder of a run: what ``GAUAlpha.from_pretrained`` reads
BATCH = 32  # windows that are judged together


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A trained GAU-α and its tokenizer.

    Args:
        model: in evaluation mode.
        tokenizer: from text to tokens.
        config: how it was made.
        run: history and folder of the training.
    """

    model: GAUAlpha
    tokenizer: WordPieceTokenizer
    config: PretrainingConfig
    run: Run


def pretrain(
    config: PretrainingConfig,
    *,
    folder: Path | str | None = None,
    text: str | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> Pretrained:
    r"""Train a GAU-α to tell hidden words of a text.

    The recipe of kexue.fm/archives/9052 and its published script: weights that begin after
    ``initialise``, LAMB with uncorrected moments, no warm-up, a rate that falls along lines. The
    loss is the mean over the texts of the mean over their hidden tokens, so that every text counts
    alike and parts of a batch add up to it; the script takes the mean over all tokens at once.

    What is hidden in a step follows from seed and step alone, as in ``train_language``.

    Args:
        config: text, measures and recipe.
        folder: for checkpoints, log, configuration and vocabulary; a run found there goes on. At
            the end ``folder/model`` holds what ``GAUAlpha.from_pretrained`` and ``load_vocab``
            read. None writes nothing.
        text: your own, in place of the one that ``config.text`` names.
        device: where one process trains; None picks it. Several are placed by Accelerate.
        progress: whether there is a bar.

    Raises:
        DataError: for a text, vocabulary or list of words that cannot be read, or a text that is
            too short; before any training.
        NumericsError: if the loss stops being finite, naming the step.
        CheckpointError: if the folder holds another run, or cannot be written.

    >>> config = PretrainingConfig().amended(["recipe.steps=2", "net.dim=16", "net.layers=1"])
    >>> trained = pretrain(config, device="cpu", progress=False)
    >>> len(trained.tokenizer)
    1000
    """
    folder = None if folder is None else Path(folder)
    if text is not None:
        config = replace(config, text=replace(config.text, path=None))
    else:
        text = small_text() if config.text.path is None else read_text(config.text.path)
    tokenizer = _tokenizer(config.text, text, folder)
    config = replace(config, net=replace(config.net, vocabulary=len(tokenizer)))
    learned, held_out = _windows(config.text, text, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.recipe.seed)
        model = GAUAlpha(config.net)
    if os.environ.get("WORLD_SIZE", "1") == "1":  # of several processes, Accelerate places each
        model.to(pick_device() if device is None else device)
    if folder is not None and newest_checkpoint(folder) is None:
        _note(config, tokenizer, folder)

    def loss(
        model: nn.Module,
        batch: tuple[Int64[Tensor, "row seq"], Bool[Tensor, "row seq"]],
        draws: Draws,
    ) -> Float[Tensor, ""]:
        return masked_words_loss(model, *batch, draws, tokenizer=tokenizer, share=config.hidden)

    def measure(model: GAUAlpha) -> dict[str, float]:
        return {"held_out": _held_out_loss(model, held_out, tokenizer, share=config.hidden)}

    def lamb(parameters: list[Tensor]) -> Lamb:
        rate, decay = config.recipe.rate, config.recipe.weight_decay
        return Lamb(parameters, lr=rate, weight_decay=decay, bias_correction=False)

    run = fit(
        model,
        loss,
        learned,
        config.recipe,
        folder=folder,
        optimizer=lamb,
        measure=measure,
        measure_every=config.measure_every,
        about=_about(config, tokenizer, text),
        progress=progress,
    )
    trained = run.average
    assert isinstance(trained, GAUAlpha)
    if folder is not None:
        _note(config, tokenizer, folder)  # a resumed run may have become longer
        if is_main_process():
            trained.save_pretrained(folder / MODEL, tokenizer)
    return Pretrained(model=trained, tokenizer=tokenizer, config=config, run=run)


def masked_words_loss(
    model: nn.Module,
    tokens: Int64[Tensor, "row seq"],
    begins: Bool[Tensor, "row seq"],
    draws: Draws,
    *,
    tokenizer: WordPieceTokenizer,
    share: float,
) -> Float[Tensor, ""]:
    """Hide words and return what telling them costs: nats a token, the mean over the texts.

    Args:
        model: a ``GAUAlpha``, perhaps wrapped.
        tokens, begins: as ``WordWindows`` has them.
        draws: what is hidden.
        tokenizer: which tokens are ordinary, and what hides them.
        share: of the tokens.
    """
    shown, chosen = hide_words(
        tokens, begins, draws, ordinary=tokenizer.ordinary, hidden=tokenizer.hidden, share=share
    )
    logits = model(shown, at=chosen)
    each = functional.cross_entropy(logits.float(), tokens[chosen], reduction="none")
    weight = chosen / chosen.sum(dim=1, keepdim=True).clamp_min(1)
    return (each * weight[chosen]).sum() / len(tokens)


@torch.no_grad()
def _held_out_loss(
    model: GAUAlpha, windows: WordWindows, tokenizer: WordPieceTokenizer, *, share: float
) -> float:
    """The loss over a text, window by window, always with the same words hidden."""
    device, total = next(model.parameters()).device, 0.0
    for first in range(0, len(windows), BATCH):
        rows = torch.arange(first, min(first + BATCH, len(windows)))
        tokens, begins = (part.to(device) for part in windows[rows])
        draws = Draws(len(rows), step=first, device=device)
        loss = masked_words_loss(model, tokens, begins, draws, tokenizer=tokenizer, share=share)
        total += loss.item() * len(rows)
    return total / len(windows)


def _tokenizer(config: CorpusConfig, text: str, folder: Path | None) -> WordPieceTokenizer:
    """The tokenizer of the run in the folder, else of the file, else one made from the text."""
    if folder is not None and newest_checkpoint(folder) and (folder / VOCAB).is_file():
        return load_vocab(folder / VOCAB)
    if config.vocab is not None:
        return load_vocab(config.vocab)
    return WordPieceTokenizer.of(text, vocabulary=config.vocabulary)


def _windows(
    config: CorpusConfig, text: str, tokenizer: WordPieceTokenizer
) -> tuple[WordWindows, WordWindows]:
    """Windows to learn from, and others to judge by."""
    words = () if config.words is None else read_words(config.words)
    tokens, begins = encode_words(text, tokenizer, words=words)
    learned, held_out = split_tokens(tokens, held_out=config.held_out)
    at, size = len(learned), config.length
    short = min(size, len(held_out) + 2)  # a held-out text may be shorter than a window
    return (
        WordWindows(learned, begins[:at], size, tokenizer, stride=config.stride),
        WordWindows(held_out, begins[at:], short, tokenizer),
    )


def _about(config: PretrainingConfig, tokenizer: WordPieceTokenizer, text: str) -> dict[str, Any]:
    """What a checkpoint says of its run, besides the recipe; a file may have moved."""
    values = config.to_plain()
    del values["recipe"], values["measure_every"]
    words = values["text"].pop("words")
    for name in ("path", "vocab", "vocabulary"):
        del values["text"][name]
    digests = {"text": digest_of(text), "vocab": digest_of(tokenizer.to_lines())}
    listed = [] if words is None else sorted(read_words(words))
    return {"pretraining": values, "digests": digests | {"words": digest_of("\n".join(listed))}}


def _note(config: PretrainingConfig, tokenizer: WordPieceTokenizer, folder: Path) -> None:
    """Write configuration and vocabulary beside the checkpoints."""
    if not is_main_process():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config.to_yaml(folder / SETTINGS)
        write_whole(folder / VOCAB, tokenizer.to_lines().encode())
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be used: {error.strerror or error}") from error
