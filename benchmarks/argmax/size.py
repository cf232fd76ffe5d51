"""Time and peak memory of a scan, against the size of the output layer.

Rows are normal with norms that spread by 0.25, in bfloat16 or float32. A layer that would take too
long is scanned in part: ``decided`` of its ``words`` classes, drawn at random, each against all the
others. The record says how many.

Run: ``python benchmarks/argmax/size.py --threads 2`` (``--device cuda`` where there is one;
``--tables`` picks a size by name).
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor

from benchmarks.harness import arguments, peak_bytes, write
from companion.argmax import ArgmaxReport, argmaxable

SPREAD = 0.25


@dataclass(frozen=True)
class Size:
    """A layer: classes, dimensions, type, and how many classes are decided on a CPU (None: all)."""

    words: int
    dim: int
    dtype: torch.dtype
    decided: int | None = None
    memory: int = 1 << 30


SIZES = {
    "30k-384": Size(30_000, 384, torch.float32),
    "50k-768": Size(50_257, 768, torch.float32),
    "50k-768-bf16": Size(50_257, 768, torch.bfloat16),
    "128k-2048": Size(128_000, 2048, torch.bfloat16, 4096),
    "250k-4096": Size(250_000, 4096, torch.bfloat16, 1024),
    "250k-4096-fp32": Size(250_000, 4096, torch.float32, 1024),
}
QUICK = {"2k-64": Size(2000, 64, torch.float32), "4k-96": Size(4000, 96, torch.bfloat16, 256)}


def layer(size: Size, seed: int, device: torch.device) -> Tensor:
    """Return the weight, made a piece at a time in the precision it has."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.empty(size.words, size.dim, dtype=size.dtype, device=device)
    for start in range(0, size.words, 4096):
        rows = torch.randn(min(4096, size.words - start), size.dim, generator=generator)
        rows *= torch.exp(SPREAD * torch.randn(len(rows), 1, generator=generator))
        weight[start : start + len(rows)] = rows.to(size.dtype)
    return weight


def measure(name: str, size: Size, options: Namespace) -> dict[str, Any]:
    """Decide once, with the peak of the memory that comes on top of the weight."""
    weight = layer(size, options.seed, options.device)
    partial = size.decided if options.device.type == "cpu" else None
    chosen = None
    if partial is not None:
        generator = torch.Generator().manual_seed(options.seed)
        chosen = torch.randperm(size.words, generator=generator)[:partial].sort().values.tolist()
    runs: list[tuple[ArgmaxReport, float]] = []

    def solve() -> None:
        start = time.perf_counter()
        report = argmaxable(
            weight, classes=chosen, device=options.device, memory=size.memory, progress=False
        )
        runs.append((report, time.perf_counter() - start))

    peak = peak_bytes(solve, options.device)
    report, seconds = runs[0]
    return {
        "name": name,
        "words": size.words,
        "dim": size.dim,
        "dtype": str(size.dtype).removeprefix("torch."),
        "weight_bytes": weight.numel() * weight.element_size(),
        "memory_setting": size.memory,
        "decided": len(report),
        "argmaxable": int((report.verdict == 1).sum()),
        "never": int((report.verdict == 0).sum()),
        "undecided": int((report.verdict == -1).sum()),
        "seconds": seconds,
        "classes_per_s": len(report) / seconds,
        "peak_bytes": peak,
        "passed": report.verify(weight, device=options.device, memory=size.memory),
    }


def main() -> None:
    options = arguments(__doc__, tables=[*SIZES])
    chosen = QUICK if options.quick else {name: SIZES[name] for name in options.tables}
    rows = []
    for name, size in chosen.items():
        rows.append(measure(name, size, options))
        print(rows[-1], flush=True)
    print(write("argmax-size", options, [], {"spread": SPREAD, "sizes": rows}))


if __name__ == "__main__":
    main()
