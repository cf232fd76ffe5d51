"""Training steps a second: this package, diffusers, denoising-diffusion-pytorch, nets of one size.

A step is the package's own loss of a batch, its gradient, clipping to length 1, and AdamW as users
of the package run it: on the CPU fused for ours, as in ``companion.training.fit``, and not for the
others. There ``diffusers`` runs with the fused one too, under a name of its own; on CUDA all are
fused. No averages are kept. Each net must first have the right number of parameters and learn:
thirty steps on one batch have to lower its loss.

Run: ``python benchmarks/diffusion/training.py`` (``--quick``: the smallest net, a small batch).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.diffusion import _rivals as rivals
from benchmarks.harness import Contestant, arguments, matmul_ceiling, race, write
from companion.diffusion import digits

Case = tuple[rivals.Size, str, int, bool]  # size, precision, batch, also compiled


def cases(device: torch.device, *, quick: bool) -> Iterator[Case]:
    """Yield the cases: digits on a CPU, CIFAR-10's size on a GPU."""
    small, large = rivals.SIZES[:2], rivals.SIZES[2]
    if quick:
        yield small[0], "fp32", 8, False
    elif device.type == "cuda":
        for precision in ("bf16", "fp32"):
            for batch in (16, 32, 64, 128, 256):
                yield large, precision, batch, True
    else:
        for size in small:
            yield size, "fp32", 128, False


def pictures(size: rivals.Size, batch: int, device: torch.device) -> Tensor:
    """Return digits, or noise in [−1, 1] of the size of CIFAR-10: the numbers cost no time."""
    if size.picture == (1, 8):
        return digits().images[:batch].to(device)
    channels, height = size.picture
    return torch.rand(batch, channels, height, height, device=device) * 2 - 1


def entrants(device: torch.device) -> Iterator[tuple[str, rivals.Build, bool]]:
    """Yield name, net and whether AdamW is fused."""
    on_cuda = device.type == "cuda"
    for name, build in rivals.builders(device).items():
        yield name, build, on_cuda or name.startswith("companion")
    if not on_cuda:
        yield "diffusers with fused AdamW", rivals.diffusers, True


def step(
    rival: rivals.Rival, net: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, precision: str
) -> Tensor:
    """Take one step and return the loss."""
    optimizer.zero_grad()
    with rivals.precise(precision, x.device):
        loss = rival.loss(net, x)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    return loss.detach()


def learns(rival: rivals.Rival, x: Tensor, precision: str, *, fused: bool) -> float:
    """Return the loss after thirty steps over the loss before, on a copy of the net."""
    net = deepcopy(rival.net)
    rate = 2e-3 if x.shape[-1] == 8 else 2e-4
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, fused=fused)
    losses = torch.stack([step(rival, net, optimizer, x, precision) for _ in range(30)])
    return float(losses[-5:].mean() / losses[:5].mean())


class Trainer:
    """A contestant: built at its first step, so that a package that is missing is recorded."""

    def __init__(
        self, name: str, build: rivals.Build, case: Case, device: torch.device, *, fused: bool
    ) -> None:
        self.name, self.build, self.device, self.fused = name, build, device, fused
        self.size, self.precision, batch, self.compiled = case
        self.x = pictures(self.size, batch, device)
        self.rival: rivals.Rival | None = None

    def __call__(self) -> Tensor:
        if self.rival is None:
            self.rival, self.net = rivals.ready(
                self.build, self.size, self.device, compiled=self.compiled
            )
            self.x = self.x.contiguous(memory_format=self.rival.layout)
            weights = self.net.parameters()
            self.optimizer = torch.optim.AdamW(weights, lr=2e-4, fused=self.fused)
        return step(self.rival, self.net, self.optimizer, self.x, self.precision)

    def error(self, loss: Tensor) -> float:
        """At most 1: parameters within 3 %, a finite loss, and one that training lowers."""
        if self.rival is None or not loss.isfinite():
            return float("nan")
        learned = learns(self.rival, self.x[:128], self.precision, fused=self.fused)
        return max(rivals.mismatch(self.rival.net, self.size) / 0.03, learned / 0.9)

    def facts(self, seconds: float, ceiling: float) -> dict[str, Any]:
        """Return what the time means: steps a second, operations a second, share of the ceiling."""
        assert self.rival is not None
        work = rivals.flop_per_picture(self.rival, self.x[:1], backward=True)
        rate = work * len(self.x) / seconds
        return {
            "parameters": rivals.count(self.rival.net),
            "flop_per_picture": work,
            "steps_per_s": 1 / seconds,
            "flop_per_s": rate,
            "share_of_matmul": rate / ceiling,
        }


def compete(case: Case, device: torch.device, *, quick: bool) -> dict[str, Any]:
    """Race all contestants of one case."""
    size, precision, batch, also_compiled = case
    ceiling = matmul_ceiling(precision, device)
    trainers = [
        Trainer(
            name + compiled * ", compiled",
            build,
            (size, precision, batch, compiled),
            device,
            fused=fused,
        )
        for compiled in (False, True)[: 1 + also_compiled]
        for name, build, fused in entrants(device)
    ]
    entries = [Contestant(one.name, one, one.error, allowed=1.0) for one in trainers]
    rounds, budget = (5, 1.0) if quick else (40, 60.0)
    results = race(entries, device, warmup=3, rounds=rounds, budget=budget)
    for one in trainers:
        if results[one.name]["passed"]:
            results[one.name] |= one.facts(results[one.name]["median_s"], ceiling["flop_per_s"])
        shown = ("steps_per_s", "share_of_matmul", "error", "raised")
        shown = {key: results[one.name][key] for key in shown if key in results[one.name]}
        print(size.name, precision, batch, one.name, shown, flush=True)
    about = {"size": size.name, "precision": precision, "batch": batch, "matmul": ceiling}
    return about | {"results": results}


def main() -> None:
    options = arguments(__doc__)
    chosen = cases(options.device, quick=options.quick)
    record = [compete(case, options.device, quick=options.quick) for case in chosen]
    print(write("diffusion-training", options, rivals.PEERS, {"cases": record}))


if __name__ == "__main__":
    main()
