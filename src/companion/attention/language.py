"""A trained language model, with what it takes to use it and to judge it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from companion.attention.config import LanguageConfig
from companion.attention.models import LanguageModel, MaskedLanguageModel, cross_entropy
from companion.errors import DataError
from companion.text import Tokenizer, Windows, hide_tokens
from companion.text.tokenizer import SPECIAL
from companion.training import Draws, Run

__all__ = ["Judgement", "Language", "held_out_loss"]

BATCH = 32  # windows that are judged together


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How well a model tells the tokens of a text.

    Args:
        loss: the mean of −log p over the tokens that were to be told, in nats.
        bits: per character of the text; None for "masked", which tells no whole text.
        tokens: how many tokens were in the windows.
        characters: how many characters those were.
    """

    loss: float
    bits: float | None
    tokens: int
    characters: int


@dataclass(frozen=True, kw_only=True)
class Language:
    """A trained model and its tokenizer.

    Args:
        model: with its averaged weights, if there are any, in evaluation mode.
        tokenizer: from text to tokens.
        config: how it was made.
        held_out: tokens that were not learned from; None if it was read from a file.
        run: history and folder of the training; None if it was read from a file.
    """

    model: LanguageModel | MaskedLanguageModel
    tokenizer: Tokenizer
    config: LanguageConfig
    held_out: Int64[Tensor, " token"] | None = None
    run: Run | None = None

    def sample(
        self,
        prompt: str,
        *,
        count: int = 200,
        temperature: int | float = 1.0,
        top_k: int | None = None,
        seed: int = 0,
    ) -> str:
        """Go on with a text.

        Args:
            prompt: one token at least.
            count: how many tokens are added.
            temperature, top_k: as in ``companion.attention.draw``.
            seed: the same seed goes on in the same way.

        Raises:
            DataError: if the run is not causal, the prompt is empty or holds characters that are
                unknown, and for numbers that ``draw`` refuses.
        """
        if not isinstance(self.model, LanguageModel):
            raise DataError("this run learned to tell hidden tokens; expected a causal one")
        tokens = self.tokenizer.encode(prompt)
        if not tokens:
            raise DataError("the prompt is empty; expected at least one character")
        if self.tokenizer.unknown in tokens:
            at = tokens.index(self.tokenizer.unknown)  # one character a token, or none unknown
            raise DataError(f"the prompt holds {prompt[at]!r}, which the run has never seen")
        start = torch.tensor([tokens], device=next(self.model.parameters()).device)
        text = self.model.generate(
            start,
            count=count,
            temperature=temperature,
            top_k=top_k,
            without=range(len(SPECIAL)),
            generator=torch.Generator().manual_seed(seed),
        )
        return prompt + self.tokenizer.decode(text[0, len(tokens) :].tolist())

    def judge(self, text: str | None = None) -> Judgement:
        """Say how well the model tells a text, or the end of its own that it has not learned from.

        Every token but the first is told once, from those before it in its window. "masked": in
        each window a share of the tokens is hidden, always the same.

        Raises:
            DataError: if the text has fewer than two tokens, or there is none.
        """
        tokens = self.held_out
        if text is not None:
            tokens = torch.tensor(self.tokenizer.encode(text), dtype=torch.int64)
        if tokens is None:
            raise DataError("a model from a file brings no text; expected one to judge by: --text")
        windows = _windows(tokens, self.config)
        loss = held_out_loss(self.model, tokens, self.config)
        causal = self.config.objective == "causal"
        used = tokens[: len(windows) * windows.stride + causal]
        told = used[int(causal) :]
        characters = len(self.tokenizer.decode(told.tolist()))
        bits = loss * len(told) / max(characters, 1) / math.log(2) if causal else None
        return Judgement(loss=loss, bits=bits, tokens=len(told), characters=characters)


@torch.no_grad()
def held_out_loss(
    model: LanguageModel | MaskedLanguageModel,
    tokens: Int64[Tensor, " token"],
    config: LanguageConfig,
) -> float:
    """Return the mean of −log p in nats over a text, window by window.

    Args:
        model: in evaluation mode.
        tokens: of the text; what does not fill a last window is left out.
        config: objective, length of the windows and share of hidden tokens.

    Raises:
        DataError: for fewer than two tokens.
    """
    windows, total = _windows(tokens, config), 0.0
    device = next(model.parameters()).device
    vocabulary = model.encoder.vocabulary
    for first in range(0, len(windows), BATCH):
        rows = torch.arange(first, min(first + BATCH, len(windows)))
        batch = windows[rows].to(device)
        if config.objective == "causal":
            loss = cross_entropy(model(batch[:, :-1]), batch[:, 1:])
        else:
            draws = Draws(len(rows), seed=0, step=first, device=device)
            share = config.hidden
            shown, hidden = hide_tokens(batch, draws, vocabulary=vocabulary, share=share)
            loss = cross_entropy(model(shown), batch, hidden)
        total += loss.item() * len(rows)
    return total / len(windows)


def _windows(tokens: Int64[Tensor, " token"], config: LanguageConfig) -> Windows:
    """Windows side by side: of "causal", the first token of one is the last of the one before."""
    if len(tokens) < 2:
        raise DataError(f"the text to judge by has {len(tokens)} tokens; expected 2 at least")
    causal = int(config.objective == "causal")
    length = min(config.text.length, len(tokens) - causal)
    return Windows(tokens, length + causal, stride=length)
