"""The loss of several right answers, dense and sparse: time and memory as sentences grow.

One sentence of n tokens, 282 labels (those of DuEE), n² candidates for each, twelve right in all.
Given are the scores and the right pairs (label, first token, last token); a call is the loss and
the gradient of the scores. "dense" first builds the target of n² truth values for each label.
Before it is timed, each has to give the value and the gradient that the formula gives in float64.

Run: ``python benchmarks/events/losses.py`` (``--quick``: two short sentences).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness import Contestant, arguments, race, write
from companion.events import multilabel_cross_entropy, sparse_multilabel_cross_entropy
from companion.events.published_loss import published_sparse_loss

LABELS, RIGHT = 282, 12
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Sentence:
    """Scores [label, n²], the right candidates [label, k] filled up with −1, and the truth."""

    scores: Tensor
    positives: Tensor
    value: float
    gradient: Tensor


def sentence(n: int, seed: int, device: torch.device) -> Sentence:
    """Return random scores, right candidates, and the loss and gradient in float64."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(LABELS, n * n, generator=generator)
    positives = torch.full((LABELS, 2), -1)
    for label in torch.randperm(LABELS, generator=generator)[: RIGHT // 2].tolist():
        positives[label] = torch.randperm(n * n, generator=generator)[:2]
    value, gradient = 0.0, torch.empty_like(scores)
    for row, chosen in enumerate(positives):  # one label at a time: float64 needs the room
        s = scores[row].double().requires_grad_()
        right = torch.zeros(n * n, dtype=torch.bool)
        right[chosen[chosen >= 0]] = True
        loss = (1 + (-s[right]).exp().sum()).log() + (1 + s[~right].exp().sum()).log()
        (own,) = torch.autograd.grad(loss, s)
        value, gradient[row] = value + loss.item(), own.float()
    return Sentence(scores.to(device), positives.to(device), value, gradient.to(device))


def dense(scores: Tensor, positives: Tensor) -> Tensor:
    """Build the target, then take the dense loss."""
    row, at = (positives >= 0).nonzero(as_tuple=True)
    targets = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
    targets[row, positives[row, at]] = True
    return multilabel_cross_entropy(scores, targets)


LOSSES: dict[str, Loss] = {
    "dense": dense,
    "sparse": sparse_multilabel_cross_entropy,
    "published sparse": partial(published_sparse_loss, floor=1e-7),
}


def call(loss: Loss, case: Sentence) -> tuple[Tensor, Tensor]:
    """Return value and gradient."""
    scores = case.scores.detach().requires_grad_()
    value = loss(scores, case.positives).sum()
    return value.detach(), torch.autograd.grad(value, scores)[0]


def error(found: tuple[Tensor, Tensor], case: Sentence) -> float:
    """Return how far value (relative) and gradient lie from float64; the gradient is at most 1."""
    value, gradient = found
    return max(abs(value.item() / case.value - 1), (gradient - case.gradient).abs().max().item())


def lengths(*, quick: bool) -> Iterator[int]:
    yield from (8, 16) if quick else (64, 128, 192, 256, 384, 512)


def main() -> None:
    options = arguments(__doc__)
    cases: list[dict[str, Any]] = []
    for n in lengths(quick=options.quick):
        case = sentence(n, options.seed, options.device)
        contestants = [
            Contestant(name, partial(call, loss, case), partial(error, case=case), 1e-4)
            for name, loss in LOSSES.items()
        ]
        results = race(contestants, options.device, budget=0.5 if options.quick else 6.0)
        scores = 4 * case.scores.numel()
        cases.append({"n": n, "labels": LABELS, "score_bytes": scores, "results": results})
        medians = {name: result.get("median_s") for name, result in results.items()}
        print(n, medians, flush=True)
    print(write("events-losses", options, [], {"right": RIGHT, "cases": cases}))


if __name__ == "__main__":
    main()
