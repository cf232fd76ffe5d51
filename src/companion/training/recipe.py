"""How a model is trained, in one frozen value, and the rates that follow from the step."""

from __future__ import annotations

import itertools
import math
from dataclasses import MISSING, asdict, dataclass, fields

from companion.errors import DataError

__all__ = ["Recipe", "average_decay", "differences", "learning_rate"]

CHOICES = {"decay": ("constant", "linear", "cosine", "piecewise"), "precision": ("float32", "bf16")}
FREE = ("log_every", "save_every", "keep", "workers")  # they change no weight


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model is trained: everything that ``fit`` needs besides model, loss and data.

    Args:
        steps: optimiser steps, counted 1…steps.
        batch: samples per optimiser step, over all processes and micro-batches together.
        rate: learning rate at its height.
        warmup: steps over which the rate rises linearly to ``rate``.
        decay: what follows: "constant"; "linear" or "cosine", down to 0; or "piecewise".
        milestones: of "piecewise": steps, in order, between which the rate falls along a line.
        factors: of "piecewise": the rate there, as a share of ``rate``. It is 1 before the first
            step, and stays the last behind the last.
        weight_decay: of AdamW, the default optimiser.
        clip: longest gradient; a longer one is scaled down to it. None leaves it as it is.
        average: decay of the moving average of the weights; None keeps no average.
        accumulate: micro-batches per process and step, for memory: the numbers stay.
        precision: "float32" (the model's own precision) or "bf16" (autocast to bfloat16).
        compile: whether ``torch.compile`` makes the model faster.
        channels_last: whether images and weights lie in memory with the channels innermost. On a
            CPU the weights of convolutions do in any case.
        seed: of the order of the samples, of ``Draws`` and of dropout.
        save_every: steps between checkpoints; None saves at the end only.
        log_every: steps between rows of the log; a row holds the mean over them.
        keep: how many checkpoints stay in the folder, the newest ones.
        workers: processes that load data ahead; 0 loads in the training process itself.

    Raises:
        DataError: if a value is out of its range.

    >>> Recipe(steps=1000, batch=64, rate=2e-4, warmup=100).average
    0.999
    """

    steps: int
    batch: int
    rate: float = 1e-3
    warmup: int = 0
    decay: str = "constant"
    milestones: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()
    weight_decay: float = 0.0
    clip: float | None = 1.0
    average: float | None = 0.999
    accumulate: int = 1
    precision: str = "float32"
    compile: bool = False
    channels_last: bool = False
    seed: int = 0
    save_every: int | None = None
    log_every: int = 10
    keep: int = 2
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "save_every", "log_every", "keep"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise DataError(f"{name} is {value}; expected at least 1")
        for name in ("rate", "warmup", "weight_decay", "seed", "workers"):
            if not 0 <= getattr(self, name) < math.inf:
                raise DataError(f"{name} is {getattr(self, name)}; expected 0 or more, and finite")
        if self.clip is not None and not self.clip > 0:
            raise DataError(f"clip is {self.clip}; expected a number above 0, or None")
        if self.average is not None and not 0 <= self.average < 1:
            raise DataError(f"average is {self.average}; expected 0 <= average < 1, or None")
        if self.decay in ("linear", "cosine") and self.warmup >= self.steps:
            raise DataError(f"warmup is {self.warmup}; expected less than steps, {self.steps}")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                expected = ", ".join(repr(choice) for choice in allowed)
                raise DataError(f"{name} is {getattr(self, name)!r}; expected one of {expected}")
        self._check_pieces()

    def _check_pieces(self) -> None:
        """Refuse milestones and factors that make no line, or belong to no decay."""
        rising = all(a < b for a, b in itertools.pairwise((0, *self.milestones)))
        if not rising:
            found = f"milestones are {[*self.milestones]}"
            raise DataError(f"{found}; expected steps above 0, each later than the one before")
        if not all(0 <= factor < math.inf for factor in self.factors):
            raise DataError(f"factors are {[*self.factors]}; expected 0 or more, and finite")
        if len(self.milestones) != len(self.factors):
            found = f"{len(self.milestones)} milestones and {len(self.factors)} factors"
            raise DataError(f"{found}; expected a factor for each milestone")
        if (self.decay == "piecewise") != bool(self.milestones):
            found = f"decay is {self.decay!r} with {len(self.milestones)} milestones"
            raise DataError(f"{found}; expected milestones with 'piecewise', and with it alone")


def learning_rate(recipe: Recipe, step: int) -> float:
    r"""Return the learning rate of a step: rate × warm-up × decay.

    Warm-up is :math:`\min(1, s/w)`. With :math:`p = (s - 1 - w)/(S - w)`, not below 0, the decay
    is 1, :math:`1 - p` or :math:`(1 + \cos \pi p)/2`; it would reach 0 right after the last step.
    "piecewise": at :math:`s - 1` on the lines through (0, 1) and (milestone, factor).

    Args:
        recipe: S is its ``steps``, w its ``warmup``.
        step: s, from 1.

    >>> from dataclasses import replace
    >>> recipe = Recipe(steps=10, batch=1, rate=1.0, warmup=2, decay="linear")
    >>> [learning_rate(recipe, step) for step in (1, 2, 3, 7, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.125]
    >>> pieces = replace(recipe, warmup=0, decay="piecewise", milestones=(4,), factors=(0.5,))
    >>> [learning_rate(pieces, step) for step in (1, 2, 3, 5, 9)]
    [1.0, 0.875, 0.75, 0.5, 0.5]
    """
    warm = min(1.0, step / recipe.warmup) if recipe.warmup else 1.0
    if recipe.decay == "constant":
        return recipe.rate * warm
    if recipe.decay == "piecewise":
        return recipe.rate * warm * _on_lines(recipe, step - 1)
    p = max(0.0, (step - 1 - recipe.warmup) / (recipe.steps - recipe.warmup))
    fall = 1 - p if recipe.decay == "linear" else (1 + math.cos(math.pi * p)) / 2
    return recipe.rate * warm * fall


def _on_lines(recipe: Recipe, done: int) -> float:
    """The factor after so many steps."""
    corners = [(0, 1.0), *zip(recipe.milestones, recipe.factors, strict=True)]
    for (left, high), (right, low) in itertools.pairwise(corners):
        if done < right:
            return high + (low - high) * (done - left) / (right - left)
    return corners[-1][1]


def average_decay(limit: float, step: int) -> float:
    r"""Return the decay of the moving average in a step: :math:`\min(d, (1 + s)/(10 + s))`.

    A short run is not held back by its random start: early on the average forgets faster.

    >>> average_decay(0.999, 1) == 2 / 11, average_decay(0.999, 10**6)
    (True, 0.999)
    """
    return min(limit, (1 + step) / (10 + step))


def differences(saved: dict, asked: Recipe) -> list[str]:
    """Return what forbids to go on from a run with the recipe ``saved``, key by key.

    How often to log and save, how much to keep and how to load may change; a run whose rate does
    not depend on its length ("constant", "piecewise") may also become longer. What a checkpoint
    of an earlier version does not say had its default.

    >>> differences(asdict(Recipe(steps=9, batch=4, rate=0.002)), Recipe(steps=9, batch=4))
    ['rate: 0.002 in the checkpoint, 0.001 asked']
    """
    usual = {field.name: field.default for field in fields(asked) if field.default is not MISSING}
    wanted, found = asdict(asked), []
    for key in sorted(wanted.keys() | saved.keys()):
        default = usual.get(key, "nothing")
        old, new = saved.get(key, default), wanted.get(key, default)
        longer = key == "steps" and asked.decay in ("constant", "piecewise") and new > old
        if old != new and key not in FREE and not longer:
            found.append(f"{key}: {old} in the checkpoint, {new} asked")
    return found
