"""An experiment: rivals with as many parameters each learn a small text, letter by letter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import process_time

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from companion.attention.architecture import Architecture
from companion.attention.models import LanguageModel
from companion.attention.variants import build_variant
from companion.text import CharacterTokenizer, Windows, small_text, split_tokens
from companion.training import Recipe, fit

__all__ = ["RIVALS", "Comparison", "Learned", "learn", "operations"]

RIVALS = ("Transformer", "GAU", "FLASH")
SMALL = Architecture(dim=48, depth=2, key_dim=24, chunk=32, heads=4)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What all rivals have in common: the measures of the model, the text, and the training.

    Args:
        model: dim, depth and so on; in place of a Transformer layer stand two units.
        length: tokens that the model sees.
        batch, steps, rate, warmup: as in ``Recipe``; after warm-up the rate stays constant.
        every: steps between two measurements on the text held out.
        held_out: its share, at the end of ``small_text``.
    """

    model: Architecture = SMALL
    length: int = 128
    batch: int = 8
    steps: int = 200
    rate: float = 4e-3
    warmup: int = 20
    every: int = 20
    held_out: float = 0.15

    def recipe(self, seed: int) -> Recipe:
        """Return how the rivals are trained."""
        return Recipe(
            steps=self.steps,
            batch=self.batch,
            rate=self.rate,
            warmup=self.warmup,
            average=None,
            seed=seed,
            log_every=self.every,
        )

    def tokens(self) -> tuple[int, Int64[Tensor, " train"], Int64[Tensor, " held_out"]]:
        """Return the size of the vocabulary, the text to learn from, and the text held out."""
        text = small_text()
        tokenizer = CharacterTokenizer.of(text)
        return len(tokenizer), *split_tokens(tokenizer.encode(text), held_out=self.held_out)


@dataclass(frozen=True, kw_only=True)
class Learned:
    """How one run went.

    Args:
        steps: when it was measured.
        losses: nats for each character of the text held out, at these steps.
        training: the same of the text learnt from, a mean over the batches since the step before.
        seconds_per_step: of processor time on this machine, measurements left out. With one thread
            and nothing else to do it is what a clock shows.
        parameters: how many numbers were learnt.
    """

    steps: list[int]
    losses: list[float]
    training: list[float]
    seconds_per_step: float
    parameters: int


def learn(name: str, setting: Comparison, *, seed: int = 0) -> Learned:
    """Train one rival, or another of ``VARIANTS``, and measure it on the way.

    The seed sets the weights at the start and the order of the windows, which is the same for all.

    Args:
        name: of ``VARIANTS``, such as those in ``RIVALS``.
        setting: what all have in common.
        seed: of the run.
    """
    vocabulary, learnt_from, held_out = setting.tokens()
    torch.manual_seed(seed)
    model = build_variant(name, setting.model, vocabulary=vocabulary)
    unseen = Windows(held_out, setting.length + 1)
    unseen = unseen[torch.arange(len(unseen))]
    measuring = 0.0

    def measure(model: LanguageModel) -> dict[str, Tensor]:
        nonlocal measuring
        began = process_time()
        found = {"held_out": model.loss(unseen)}
        measuring += process_time() - began
        return found

    began = process_time()
    run = fit(
        model,
        lambda model, batch, draws: model.loss(batch),
        Windows(learnt_from, setting.length + 1, stride=1),
        setting.recipe(seed),
        measure=measure,
        measure_every=setting.every,
        progress=False,
    )
    seconds = process_time() - began - measuring
    return Learned(
        steps=[int(row["step"]) for row in run.history],
        losses=[float(row["held_out"]) for row in run.history],
        training=[float(row["loss"]) for row in run.history],
        seconds_per_step=seconds / setting.steps,
        parameters=sum(p.numel() for p in model.parameters()),
    )


def operations(name: str, setting: Comparison) -> int:
    """Count the operations of the matrix products in one step, forward and backward.

    Softmax attention is written out for it: torch does not count what its fused function does.

    >>> small = Comparison(model=Architecture(dim=16, depth=1, key_dim=8, chunk=8), length=32)
    >>> operations("GAU", small) > operations("FLASH", small) > operations("Transformer", small)
    True
    """
    vocabulary, learnt_from, _ = setting.tokens()
    explicit = replace(setting.model, fused=False)
    model: LanguageModel = build_variant(name, explicit, vocabulary=vocabulary)
    batch = Windows(learnt_from, setting.length + 1)[torch.arange(setting.batch)]
    with FlopCounterMode(display=False) as counter:
        model.loss(batch).backward()
    return counter.get_total_flops()
