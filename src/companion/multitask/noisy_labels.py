"""An experiment: many noisy labels, few clean ones, and six ways to combine their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from companion.multitask.digits import load_images

__all__ = ["RULES", "NoisyLabels", "Outcome", "protect", "shortest", "train_replicas"]

WIDTHS = (64, 64, 64, 10)
Rule = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class NoisyLabels:
    """How many labels are clean, how many noisy, and which share of the noisy ones is redrawn."""

    clean: int = 100
    noisy: int = 900
    rate: float = 0.4


@dataclass(frozen=True)
class Outcome:
    """Accuracy on the images left over, and the share of steps at which the gradients conflict."""

    accuracy: Float[Tensor, "setting seed"]
    conflict: Float[Tensor, "setting seed"]


def inner(a: Float[Tensor, "replica dim"], b: Float[Tensor, "replica dim"]) -> Tensor:
    """Return the inner product of each pair of rows, as a column."""
    return (a * b).sum(dim=1, keepdim=True)


def protect(primary: Tensor, guarded: Tensor) -> Tensor:
    """Follow ``primary`` but let no ``guarded`` loss go up: equation ``eq-primary-single``."""
    excess = torch.relu(-inner(primary, guarded))
    return primary + excess / inner(guarded, guarded).clamp_min(1e-300) * guarded


def shortest(a: Tensor, b: Tensor) -> Tensor:
    """Return the point of the segment from ``a`` to ``b`` nearest to 0: MGDA for two losses."""
    share = inner(a, a - b) / inner(a - b, a - b).clamp_min(1e-300)
    return a + share.clamp(0, 1) * (b - a)


RULES: dict[str, Rule] = {
    "clean labels alone": lambda noisy, clean: clean,
    "noisy labels alone": lambda noisy, clean: noisy,
    "mean of both": lambda noisy, clean: (noisy + clean) / 2,
    "MGDA": shortest,
    "noisy primary, clean guarded": protect,
    "clean primary, noisy guarded": lambda noisy, clean: protect(clean, noisy),
}
"""Direction from the gradients of the noisy and of the clean loss, one pair per row."""


def train_replicas(
    rule: Rule,
    settings: Sequence[NoisyLabels],
    *,
    seeds: int = 8,
    steps: int = 600,
    batch: int = 64,
    rate: float = 0.05,
) -> Outcome:
    """Train one small network per setting and seed, all of them side by side.

    The network is 64-64-64-10 with ReLU on scikit-learn's digits; SGD with momentum 0.9. Replicas
    are an extra axis of every tensor, so that a hundred of them cost one large matrix product.

    Args:
        rule: one of ``RULES``.
        settings: every one is run with seeds 0 ... ``seeds - 1``.
        rate: the learning rate.
    """
    images, labels = load_images()
    draws = torch.Generator().manual_seed(0)
    splits = [_split(labels, setting, seed) for setting in settings for seed in range(seeds)]
    clean, noisy, targets, rest = zip(*splits, strict=True)
    layers = _initial_layers(len(splits), draws)
    velocity = torch.zeros(len(splits), sum(layer[0].numel() for layer in layers)).double()
    conflict = torch.zeros(len(splits), 1)
    for _ in range(steps):
        rows = [torch.randint(len(part), (batch,), generator=draws) for part in clean]
        chosen = torch.stack([part[row] for part, row in zip(clean, rows, strict=True)])
        clean_gradient = _gradients(layers, images[chosen], labels[chosen])
        rows = [torch.randint(len(part), (batch,), generator=draws) for part in noisy]
        chosen = torch.stack([part[row] for part, row in zip(noisy, rows, strict=True)])
        wrong = torch.stack([part[row] for part, row in zip(targets, rows, strict=True)])
        noisy_gradient = _gradients(layers, images[chosen], wrong)
        conflict += inner(noisy_gradient, clean_gradient) < 0
        velocity = 0.9 * velocity + rule(noisy_gradient, clean_gradient)
        _step(layers, rate * velocity)
    with torch.no_grad():
        guesses = _logits(layers, images.expand(len(splits), -1, -1)).argmax(dim=2)
    right = [
        (guess[r] == labels[r]).double().mean() for guess, r in zip(guesses, rest, strict=True)
    ]
    shape = (len(settings), seeds)
    return Outcome(torch.stack(right).view(shape), (conflict / steps).view(shape))


def _split(labels: Int[Tensor, " image"], setting: NoisyLabels, seed: int) -> tuple[Tensor, ...]:
    """Return clean images, noisy images with their labels, and the images left for the test."""
    draws = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=draws)
    clean, noisy, rest = order.tensor_split([setting.clean, setting.clean + setting.noisy])
    redrawn = torch.rand(len(noisy), generator=draws) < setting.rate
    chance = torch.randint(10, (len(noisy),), generator=draws)
    return clean, noisy, torch.where(redrawn, chance, labels[noisy]), rest


def _initial_layers(replicas: int, draws: torch.Generator) -> list[Tensor]:
    """Return weight and bias of every layer, uniform in ±1/√(inputs) as in ``torch.nn.Linear``."""
    layers = []
    for inputs, outputs in pairwise(WIDTHS):
        for rows in (inputs, 1):
            uniform = torch.rand(replicas, rows, outputs, generator=draws).double()
            layers.append(((2 * uniform - 1) / inputs**0.5).requires_grad_())
    return layers


def _logits(
    layers: list[Tensor], x: Float[Tensor, "replica image 64"]
) -> Float[Tensor, "replica image 10"]:
    for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        x = torch.relu(torch.baddbmm(bias, x, weight))
    return torch.baddbmm(layers[-1], x, layers[-2])


def _gradients(
    layers: list[Tensor], x: Float[Tensor, "replica image 64"], y: Int[Tensor, "replica image"]
) -> Float[Tensor, "replica dim"]:
    logits = _logits(layers, x).flatten(0, 1)
    loss = cross_entropy(logits, y.flatten(), reduction="sum") / y.shape[1]
    return torch.cat([part.flatten(1) for part in torch.autograd.grad(loss, layers)], dim=1)


@torch.no_grad()
def _step(layers: list[Tensor], change: Float[Tensor, "replica dim"]) -> None:
    parts = change.split([layer[0].numel() for layer in layers], dim=1)
    for layer, part in zip(layers, parts, strict=True):
        layer -= part.view_as(layer)
