"""Pictures sampled a second: this package, diffusers, denoising-diffusion-pytorch.

Ancestral sampling with predictions clipped to [−1, 1] and Ho et al.'s linear schedule in 100 steps
(``calls_timed``). Every step costs the same, so 1000 take ten times as long: ``pictures_per_s`` is
for ``calls_stated`` = 1000. Each sampler must first make finite pictures of the right shape with
exactly so many calls of a net with the right number of parameters.

Run: ``python benchmarks/diffusion/sampling.py`` (``--quick``: the smallest net, four pictures).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.diffusion import _rivals as rivals
from benchmarks.harness import Contestant, arguments, matmul_ceiling, race, write

Case = tuple[rivals.Size, str, int, bool]  # size, precision, batch, also compiled
STATED = 1000  # calls of the net for a picture; the time of fewer is scaled


def cases(device: torch.device, *, quick: bool) -> Iterator[Case]:
    """Yield the cases: digits on a CPU, CIFAR-10's size on a GPU."""
    small, large = rivals.SIZES[:2], rivals.SIZES[2]
    if quick:
        yield small[0], "fp32", 4, False
    elif device.type == "cuda":
        for precision in ("bf16", "fp32"):
            for batch in (16, 64, 256):
                yield large, precision, batch, True
    else:
        for size in small:
            yield size, "fp32", 64, False


class Sampler:
    """A contestant: built at its first call, so that a package that is missing is recorded."""

    def __init__(
        self, name: str, build: rivals.Build, case: Case, device: torch.device, *, calls: int
    ) -> None:
        self.name, self.build, self.device, self.calls = name, build, device, calls
        self.size, self.precision, self.batch, self.compiled = case
        self.rival: rivals.Rival | None = None
        self.counted = 0

    def __call__(self) -> Tensor:
        if self.rival is None:
            self.rival, self.net = rivals.ready(
                self.build, self.size, self.device, compiled=self.compiled
            )
            self.rival.net.eval()
            counter = self.rival.net.register_forward_pre_hook(self._count)
            with rivals.precise(self.precision, self.device):
                self.rival.sample(self.rival.net, 1, self.calls)
            counter.remove()
            self.net.eval()
        with rivals.precise(self.precision, self.device):
            return self.rival.sample(self.net, self.batch, self.calls)

    def _count(self, *_: Any) -> None:
        self.counted += 1

    def error(self, found: Tensor) -> float:
        """At most 1: parameters within 3 %, the right shape, finite, as many calls as asked for."""
        assert self.rival is not None
        channels, height = self.size.picture
        right = found.shape == (self.batch, channels, height, height) and found.isfinite().all()
        if not right or (self.counted != self.calls and not self.rival.graphs):
            return float("nan")
        return rivals.mismatch(self.rival.net, self.size) / 0.03

    def facts(self, seconds: float, ceiling: float) -> dict[str, Any]:
        """Return what the time means: pictures a second, operations, share of the ceiling."""
        assert self.rival is not None
        channels, height = self.size.picture
        picture = torch.zeros(1, channels, height, height, device=self.device)
        work = rivals.flop_per_picture(self.rival, picture, backward=False)
        rate = work * self.calls * self.batch / seconds
        return {
            "parameters": rivals.count(self.rival.net),
            "calls": self.counted,
            "flop_per_call": work,
            "pictures_per_s": self.batch / seconds * self.calls / STATED,
            "flop_per_s": rate,
            "share_of_matmul": rate / ceiling,
        }


def compete(case: Case, device: torch.device, *, calls: int, quick: bool) -> dict[str, Any]:
    """Race all contestants of one case."""
    size, precision, batch, also_compiled = case
    ceiling = matmul_ceiling(precision, device)
    samplers = [
        Sampler(
            name + compiled * ", compiled",
            build,
            (size, precision, batch, compiled),
            device,
            calls=calls,
        )
        for compiled in (False, True)[: 1 + also_compiled]
        for name, build in rivals.builders(device).items()
    ]
    entries = [Contestant(one.name, one, one.error, allowed=1.0) for one in samplers]
    rounds, budget = (5, 1.0) if quick else (10, 60.0)
    results = race(entries, device, warmup=1, rounds=rounds, budget=budget)
    for one in samplers:
        if results[one.name]["passed"]:
            results[one.name] |= one.facts(results[one.name]["median_s"], ceiling["flop_per_s"])
        shown = ("pictures_per_s", "share_of_matmul", "error", "raised")
        shown = {key: results[one.name][key] for key in shown if key in results[one.name]}
        print(size.name, precision, batch, one.name, shown, flush=True)
    about = {"size": size.name, "precision": precision, "batch": batch, "matmul": ceiling}
    return about | {"results": results}


def main() -> None:
    options = arguments(__doc__)
    calls = 25 if options.quick else 100
    record = [
        compete(case, options.device, calls=calls, quick=options.quick)
        for case in cases(options.device, quick=options.quick)
    ]
    about = {"calls_timed": calls, "calls_stated": STATED, "cases": record}
    print(write("diffusion-sampling", options, rivals.PEERS, about))


if __name__ == "__main__":
    main()
