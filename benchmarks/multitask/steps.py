"""Cost of one training step: plain, with the primary rule, and with the rule on the representation.

A network 256-512-512-512 with one linear head per task, batches of 64, two, five and seventeen
losses in all. ``plain`` is one backward pass of the summed losses; ``primary`` is
``backward_primary`` over all parameters; ``representation`` finds the multipliers from the
gradients with respect to the shared representation and then needs one backward pass;
``torchjd`` is its ``mtl_backward`` and ``jac_to_grad`` with ``DualProj``.

Run: ``python benchmarks/multitask/steps.py`` (``--quick``: the smallest case, five rounds).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torchjd.aggregation import DualProj
from torchjd.autojac import jac_to_grad, mtl_backward

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness import Contestant, arguments, race, write
from companion.multitask import backward_primary, primary_descent, task_gradients


class Shared(nn.Module):
    """A trunk and one head for each loss; the losses push the heads' outputs to random targets."""

    x: Tensor
    targets: Tensor

    def __init__(self, tasks: int) -> None:
        super().__init__()
        sizes = (256, 512, 512, 512)
        layers = [(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(sizes)]
        self.trunk = nn.Sequential(*(part for pair in layers for part in pair))
        self.heads = nn.ModuleList([nn.Linear(512, 10) for _ in range(tasks)])
        self.register_buffer("x", torch.randn(64, 256))
        self.register_buffer("targets", torch.randn(tasks, 64, 10))

    def forward(self) -> tuple[Tensor, list[Tensor]]:
        shared = self.trunk(self.x)
        pairs = zip(self.heads, self.targets, strict=True)
        return shared, [(head(shared) - target).square().mean() for head, target in pairs]


def plain(model: Shared) -> None:
    torch.stack(model()[1]).sum().backward()


def primary(model: Shared) -> None:
    losses = model()[1]
    backward_primary(losses[0], losses[1:], model.parameters())


def representation(model: Shared) -> None:
    shared, losses = model()
    short = task_gradients(losses, shared, retain_graph=True).flatten(1)
    weights = primary_descent(short[0], short[1:]).weights.to(shared)
    (losses[0] + weights @ torch.stack(losses[1:])).backward()


def torchjd(model: Shared) -> None:
    shared, losses = model()
    mtl_backward(losses, features=shared)
    first = torch.eye(len(losses), device=shared.device)[0]
    jac_to_grad(model.trunk.parameters(), DualProj(pref_vector=first))


def contestant(name: str, step: Callable[[Shared], None], model: Shared) -> Contestant:
    """``error`` is 1 - cosine between the trunk's gradient and the exact rule's, or finiteness."""

    def solve() -> Tensor:
        model.zero_grad()
        step(model)
        return torch.cat([p.grad.flatten() for p in model.trunk.parameters() if p.grad is not None])

    def error(found: Tensor) -> float:
        if step is plain:
            return 0.0 if bool(found.isfinite().all()) else 1.0
        gradients = task_gradients(model()[1], model.trunk.parameters())
        exact = primary_descent(gradients[0], gradients[1:]).update
        return 1 - float(cosine_similarity(found, exact, dim=0))

    return Contestant(name, solve, error, allowed=0.05)


def main() -> None:
    options = arguments(__doc__)
    cases = []
    for tasks in (2,) if options.quick else (2, 5, 17):
        model = Shared(tasks).to(options.device)
        rivals = [
            contestant(f.__name__, f, model) for f in (plain, primary, representation, torchjd)
        ]
        rounds, budget = (5, 1.0) if options.quick else (40, 10.0)
        results = race(rivals, options.device, rounds=rounds, budget=budget)
        cases.append({"tasks": tasks, "results": results})
        for name, result in results.items():
            print(
                tasks, name, result.get("median_s"), result.get("error"), result.get("raised", "")
            )
    print(write("steps", options, ["torchjd"], {"cases": cases}))


if __name__ == "__main__":
    main()
