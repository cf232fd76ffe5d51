"""Attention alone beside the floor: what the arithmetic, or the memory, takes at the least.

From queries, keys and values to what is mixed, and back. The floor is the larger of operations over
the measured rate of a large matrix product, and bytes over the measured rate of a large copy; the
operations are those that are needed (causal: half of the scores; there and back: scores are
computed twice, for none is kept), the bytes those of inputs, outputs and their gradients, each
once. Two tables, each in a file of its own: ``attention-<table>-<device>.json``.

Run: ``python benchmarks/attention/floor.py`` (``--quick``: one small size; ``--tables floor-gau``:
one of the two).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.attention import _rivals as rivals
from benchmarks.attention._tables import COMPILED
from benchmarks.harness import (
    Contestant,
    arguments,
    copy_ceiling,
    matmul_ceiling,
    race,
    write,
)
from companion.attention import fastest

TABLES = ("floor-gau", "floor-flash")
TOKENS = 16_384  # in a batch on CUDA
KEY = 128


@dataclass(frozen=True)
class Core:
    """Attention alone, of sequences of n tokens with queries of 128 numbers, values of e."""

    kind: str  # "quad" or "mixed_chunk"
    causal: bool
    backward: bool
    n: int
    batch: int
    e: int
    chunk: int = 256

    def operations(self) -> float:
        """Multiplications and additions that are needed, over the batch."""
        s, e, n, c = KEY, self.e, self.n, min(self.chunk, self.n)
        there, back = s + e, 2 * e + 3 * s  # for each pair of query and key
        pairs = there + back * self.backward
        if self.kind == "quad":
            return self.batch * 2 * pairs * n * ((n + 1) / 2 if self.causal else n)
        near = 2 * pairs * n * ((c + 1) / 2 if self.causal else c)
        far = 4 * s * e * n * (3 if self.backward else 1)  # Kᵀ V, Q times it, and two each back
        return self.batch * (near + far)

    def numbers(self) -> int:
        """Inputs and outputs; there and back again inputs, and gradients of all."""
        heads = 2 if self.kind == "quad" else 4
        there = heads * KEY + 2 * self.e
        back = 2 * heads * KEY + 3 * self.e
        return self.batch * self.n * (there + back * self.backward)

    def about(self) -> dict[str, Any]:
        names = ("kind", "causal", "n", "batch", "e")
        mode = "forward and backward" if self.backward else "forward"
        return {name: getattr(self, name) for name in names} | {"key_dim": KEY, "mode": mode}


def cores(table: str, device: torch.device, *, quick: bool) -> Iterator[Core]:
    """Yield what is timed: causal and not, there, and there and back."""
    if quick:
        lengths, e = (96,), 32
    elif device.type == "cuda":
        lengths, e = (512, 2048, 4096, 8192, 16_384), 1536
    else:
        lengths, e = (512, 2048), 1024
    kind = {"floor-gau": "quad", "floor-flash": "mixed_chunk"}[table]
    for causal in (False, True):
        for backward in (False, True):
            for n in lengths:
                batch = max(1, TOKENS // n) if device.type == "cuda" else 1
                yield Core(kind, causal, backward, n, batch, e)


class Attention:
    """A contestant: a function of queries, keys and values, and their gradients if asked for."""

    def __init__(self, attend: Callable[..., Tensor], core: Core, tensors: list[Tensor]) -> None:
        self.attend, self.core, self.tensors = attend, core, tensors

    def __call__(self) -> list[Tensor]:
        *inputs, towards = self.tensors
        return self._passes(self.attend, inputs, towards)

    def _passes(
        self, attend: Callable[..., Tensor], inputs: list[Tensor], towards: Tensor
    ) -> list[Tensor]:
        inputs = [tensor.detach().requires_grad_(self.core.backward) for tensor in inputs]
        with torch.set_grad_enabled(self.core.backward):
            out = attend(*inputs, causal=self.core.causal)
        gradients = torch.autograd.grad(out, inputs, towards) if self.core.backward else ()
        return [out.detach(), *gradients]

    def error(self, found: list[Tensor]) -> float:
        """At most 1: the first sequence's numbers against the definition in float64."""
        *inputs, towards = (tensor[:1].double() for tensor in self.tensors)
        wanted = self._passes(rivals.REFERENCES[self.core.kind], inputs, towards)
        precision = "fp32" if self.tensors[0].dtype == torch.float32 else "bf16"
        errors = [rivals.relative(a[:1], b) for a, b in zip(found, wanted, strict=True)]
        return max(errors, key=lambda x: x if x == x else float("inf")) / rivals.ALLOWED[precision]


def compete(core: Core, rates: tuple[float, float], options: argparse.Namespace) -> dict[str, Any]:
    """Race kernel, definition and compiled definition of one core against its floor."""
    device = options.device
    torch.compiler.reset()
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    generator = torch.Generator(device).manual_seed(options.seed)
    widths = [KEY] * (2 if core.kind == "quad" else 4) + [core.e] * 2
    tensors = [
        torch.randn(core.batch, core.n, w, generator=generator, device=device).to(dtype)
        for w in widths
    ]
    definition = rivals.REFERENCES[core.kind]
    attends: dict[str, Callable[..., Tensor]] = {"companion": definition}
    if device.type == "cuda":
        attends = {"companion": fastest, "companion reference": definition}
        if core.n in COMPILED:
            attends["companion reference, compiled"] = torch.compile(definition, dynamic=False)
    runners = {name: Attention(attend, core, tensors) for name, attend in attends.items()}
    entries = [Contestant(name, one, one.error, allowed=1.0) for name, one in runners.items()]
    rounds, budget = (5, 0.5) if options.quick else (30, 2.0)
    results = race(entries, device, rounds=rounds, budget=budget)
    size = tensors[0].element_size()
    operations, memory = core.operations(), size * core.numbers()
    floor = max(operations / rates[0], memory / rates[1])
    for name, result in results.items():
        if result["passed"]:
            result["share_of_floor"] = floor / result["median_s"]
        shown = {key: result[key] for key in ("share_of_floor", "error", "raised") if key in result}
        print(*core.about().values(), name, shown, flush=True)
    facts = {"operations": operations, "bytes": memory, "floor_s": floor}
    return core.about() | facts | {"results": results}


def main() -> None:
    options = arguments(__doc__, tables=TABLES)
    rivals.precise("fp32", options.device)
    precision = "bf16" if options.device.type == "cuda" else "fp32"
    for table in options.tables:
        matmul, copy = matmul_ceiling(precision, options.device), copy_ceiling(options.device)
        rates = (matmul["flop_per_s"], copy["bytes_per_s"])
        chosen = cores(table, options.device, quick=options.quick)
        cases = [compete(core, rates, options) for core in chosen]
        facts = {"table": table, "precision": precision, "matmul": matmul, "copy": copy}
        path = write(f"attention-{table}", options, ["triton"], facts | {"cases": cases})
        print(path, flush=True)


if __name__ == "__main__":
    main()
