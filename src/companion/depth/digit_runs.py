"""An experiment: a deep chain learns to read scikit-learn's digits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, layer_norm
from torch.utils.data import TensorDataset

from companion.depth.chains import Chain, Wiring
from companion.errors import NumericsError
from companion.training import Recipe, fit

__all__ = ["Classifier", "DigitRun", "train_digits"]

Number = float | int
SEEN = 1437  # of 1797 images; the rest judges


@dataclass(frozen=True)
class DigitRun:
    """What came of one training.

    Args:
        losses: mean cross-entropy over every ten steps, up to where the run broke.
        accuracy: on the 360 images held out; 0.1 is chance, and what a broken run gets.
        broken: what stopped it (a loss or weight that is not finite), or "".
    """

    losses: list[float]
    accuracy: float
    broken: str


class Classifier(nn.Module):
    """A `Chain` of width 64 on the pixels, and ten linear scores of what comes out.

    With a norm before each branch, one more stands behind the last layer, as usual.

    >>> net = Classifier(Wiring(power=0.5), depth=3)
    >>> net(torch.randn(2, 64)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, wiring: Wiring, depth: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.chain = Chain(wiring, 64, depth, generator=generator)
        self.head = nn.Parameter(torch.randn(64, 10, generator=generator) / 8)

    def forward(self, x: Float[Tensor, "row 64"]) -> Float[Tensor, "row 10"]:
        x = self.chain(x)
        return (layer_norm(x, (64,)) if self.chain.wiring.norm == "pre" else x) @ self.head


def load_pixels() -> TensorDataset:
    """Return scikit-learn's 1797 digits, always in the same random order, and their labels.

    Each pixel has mean 0 and variance 1, or is 0 where all images agree; then the mean square
    over all pixels is set to 1.

    >>> x, y = load_pixels()[:100]
    >>> x.shape, int(y.max())
    (torch.Size([100, 64]), 9)
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    x = torch.from_numpy(pixels).to(torch.get_default_dtype())
    x = (x - x.mean(0)) / x.std(0).clamp_min(1e-6)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return TensorDataset((x / x.square().mean().sqrt())[order], torch.from_numpy(labels)[order])


def train_digits(
    wiring: Wiring,
    depth: int,
    *,
    rate: Number,
    steps: int = 300,
    warmup: int = 0,
    seed: int = 0,
) -> DigitRun:
    """Train one chain by plain gradient descent (no momentum, no clipping), batches of 64.

    A run whose loss stops being finite is a result: what was seen until then comes back.

    Args:
        wiring: of the chain.
        depth: its layers.
        rate: learning rate.
        steps: of the optimiser.
        warmup: steps over which the rate rises.
        seed: of weights and batches.

    Raises:
        DataError: a number out of its range.
    """
    data = load_pixels()
    net = Classifier(wiring, depth, generator=torch.Generator().manual_seed(seed))
    recipe = Recipe(
        steps=steps, batch=64, rate=float(rate), warmup=warmup, clip=None, average=None, seed=seed
    )
    losses: list[float] = []

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor], draws: object) -> Tensor:
        found = cross_entropy(model(batch[0]), batch[1])
        losses.append(float(found.detach()))
        return found

    broken = ""
    try:
        fit(net, loss, TensorDataset(*data[:SEEN]), recipe, optimizer=descent, progress=False)
    except NumericsError as error:
        broken = str(error)
    tens = [losses[start : start + 10] for start in range(0, len(losses), 10)]
    means = [sum(ten) / len(ten) for ten in tens]
    return DigitRun(means, 0.1 if broken else accuracy(net, data), broken)


def descent(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Plain gradient descent; the recipe sets the rate."""
    return torch.optim.SGD(parameters, lr=1.0)


@torch.no_grad()
def accuracy(net: nn.Module, data: TensorDataset) -> float:
    """Return the share of right answers on the images held out."""
    x, y = data[SEEN:]
    return float((net(x).argmax(1) == y).double().mean())
