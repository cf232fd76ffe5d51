"""How good generated digits are, in numbers that are honest for pictures of 8×8 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from companion.diffusion.frechet import frechet_distance
from companion.diffusion.images import digits
from companion.errors import DataError, NumericsError, ShapeError

__all__ = ["DigitQuality", "digit_quality"]

SMALLEST = 200  # samples; below, the Fréchet distance of 64 features is mostly its own bias
LARGEST = 898  # as many as there are real digits to compare with
PAIRS = 20  # of real samples, for the floor
NEIGHBOURS = 3  # whose distance is the radius of precision and recall


@dataclass(frozen=True, kw_only=True)
class DigitQuality:
    """What ``digit_quality`` measured; distances of features unless pixels are named.

    Attributes:
        samples: how many were judged. Distances compare only at equal numbers.
        distance: Fréchet distance to as many held-out real digits. It sees means and covariances
            only, and rewards copies of the real digits: read it with the numbers below.
        floor, floor_low, floor_high: the same between pairs of disjoint sets of real digits: mean,
            least and greatest of 20.
        confidence: mean largest probability the classifier gives a sample. It says legible, not
            true to life: a Gaussian fitted to each class scores as well as real digits.
        classes: how many samples the classifier takes for each digit 0 to 9.
        precision: share of samples within the reach of a real digit.
        recall: share of real digits within the reach of a sample.
        copied: median distance, in pixels, of a sample to its nearest training digit.
        apart: the same for real digits the model has not seen. ``copied`` far below: it memorises.
    """

    samples: int
    distance: float
    floor: float
    floor_low: float
    floor_high: float
    confidence: float
    classes: tuple[int, ...]
    precision: float
    recall: float
    copied: float
    apart: float

    def __str__(self) -> str:
        floor = f"{self.floor:.2f} ({self.floor_low:.2f} to {self.floor_high:.2f})"
        return "\n".join(
            [
                f"Fréchet distance     {self.distance:.2f}   real against real: {floor}",
                f"confidence           {self.confidence:.2f}",
                f"precision, recall    {self.precision:.2f}, {self.recall:.2f}",
                f"nearest training     {self.copied:.2f}   of unseen digits: {self.apart:.2f}",
                f"digits 0 to 9        {' '.join(map(str, self.classes))}   of {self.samples}",
            ]
        )


def digit_quality(
    images: Float[Tensor, "batch 1 8 8"],
    *,
    training: Float[Tensor, "sample 1 8 8"] | None = None,
) -> DigitQuality:
    """Judge generated digits by the features of a classifier trained on half of the real ones.

    The classifier learns from the digits of even index; those of odd index are the real ones that
    samples are compared with. It is trained once in a process, in about a second, from a fixed
    seed. The floor is drawn from all real digits, since two disjoint sets are needed.

    Args:
        images: in [−1, 1], 200 to 898 of them; some hundreds give a steady number.
        training: what the model learned from, to look for copies; the digits of even index if
            None. A model that learned from all digits has seen those compared with as well.

    Raises:
        ShapeError: for other shapes.
        DataError: for too few or too many samples.
        NumericsError: for NaN or infinity.
    """
    _check(images)
    real, count = _real(), len(images)
    images = images.detach().cpu().float()
    seen = real.even if training is None else training.detach().cpu().float()
    if seen.ndim != 4 or seen.shape[1:] != (1, 8, 8) or not len(seen):
        raise ShapeError(f"training has shape {tuple(seen.shape)}; expected [sample, 1, 8, 8]")
    features, probabilities = _look(images)
    generator = torch.Generator().manual_seed(count)
    chosen = torch.randperm(len(real.odd), generator=generator)[:count]
    held_out = _look(real.odd[chosen])[0]
    floors = _floors(count)
    # The training set may hold the held-out digits; then how far unseen ones lie is known only
    # from the halves.
    apart = _nearest(real.odd, real.even)
    return DigitQuality(
        samples=count,
        distance=frechet_distance(features, held_out),
        floor=sum(floors) / len(floors),
        floor_low=min(floors),
        floor_high=max(floors),
        confidence=float(probabilities.amax(1).mean()),
        classes=tuple(probabilities.argmax(1).bincount(minlength=10).tolist()),
        precision=_covered(features, held_out),
        recall=_covered(held_out, features),
        copied=_nearest(images, seen),
        apart=apart,
    )


def _check(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1:] != (1, 8, 8):
        raise ShapeError(f"images have shape {tuple(images.shape)}; expected [batch, 1, 8, 8]")
    if not SMALLEST <= len(images) <= LARGEST:
        reason = "fewer say little, and there are no more real ones to compare with"
        raise DataError(f"{len(images)} samples; expected {SMALLEST} to {LARGEST}: {reason}")
    if not images.isfinite().all():
        at = (~images.isfinite()).nonzero()[0].tolist()
        raise NumericsError(f"images{at} is {images[tuple(at)].item()}; expected finite numbers")


class _Halves(NamedTuple):
    even: Tensor
    odd: Tensor


@cache
def _real() -> _Halves:
    images = digits().images
    return _Halves(images[::2], images[1::2])


@cache
def _classifier() -> nn.Sequential:
    """Train the judge: 64 pixels → 64 features → 10 digits; noise in training keeps it humble."""
    images, labels = digits()
    images, labels = images[::2].flatten(1), labels[::2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)
        with torch.enable_grad():
            for _ in range(400):
                rows = torch.randint(len(images), (128,))
                noisy = images[rows] + 0.1 * torch.randn(128, 64)
                optimizer.zero_grad()
                functional.cross_entropy(net(noisy), labels[rows]).backward()
                optimizer.step()
    return net.requires_grad_(False)


def _look(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the features of the classifier, and its probabilities."""
    net = _classifier()
    features = net[:2](images.flatten(1))
    return features, net[2](features).softmax(1)


@cache
def _floors(count: int) -> tuple[float, ...]:
    """Return the Fréchet distances of pairs of disjoint sets of real digits."""
    features = _look(torch.cat(_real()))[0]
    generator = torch.Generator().manual_seed(1)
    orders = (torch.randperm(len(features), generator=generator) for _ in range(PAIRS))
    pairs = ((order[:count], order[count : 2 * count]) for order in orders)
    return tuple(frechet_distance(features[a], features[b]) for a, b in pairs)


def _covered(points: Tensor, others: Tensor) -> float:
    """Return the share of points nearer to some other than that other's third neighbour."""
    between = torch.cdist(others, others).fill_diagonal_(torch.inf)
    radius = between.kthvalue(NEIGHBOURS, dim=1).values
    return float((torch.cdist(points, others) <= radius).any(1).float().mean())


def _nearest(images: Tensor, seen: Tensor) -> float:
    """Return the median distance of a picture to the nearest one seen."""
    exact = "donot_use_mm_for_euclid_dist"  # a product of matrices would not find copies at 0
    distances = torch.cdist(images.flatten(1), seen.flatten(1), compute_mode=exact)
    return float(distances.amin(1).median())
