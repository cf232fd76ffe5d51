"""A table of cases, raced one after the other and written into a file of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.attention import _rivals as rivals
from benchmarks.harness import Contestant, matmul_ceiling, race, write

COMPILED = (2048, 8192)  # the lengths at which torch.compile takes part, on CUDA: it takes
# longer to compile than to measure


def record(
    table: str,
    cases: Sequence[rivals.Case],
    builds: Mapping[str, rivals.Build],
    options: argparse.Namespace,
) -> Path:
    """Race the cases of a table and write ``attention-<table>-<device>.json``."""
    precision = "fp32" if cases[0].precision == "fp32" else "bf16"
    ceiling = matmul_ceiling(precision, options.device)
    results = [compete(case, builds, options) for case in cases]
    more = options.device.type == "cpu" and options.threads > 1
    name = f"attention-{table}" + f"-{options.threads}-threads" * more
    facts = {"table": table, "matmul": ceiling, "cases": results}
    return write(name, options, rivals.PEERS, facts)


def compete(
    case: rivals.Case, builds: Mapping[str, rivals.Build], options: argparse.Namespace
) -> dict[str, Any]:
    """Race all contestants of one case."""
    device = options.device
    torch.compiler.reset()  # what was compiled for another length counts against a limit
    dtype = torch.bfloat16 if case.precision == "bf16" else torch.float32
    generator = torch.Generator(device).manual_seed(options.seed)
    shape = (case.batch, case.n, case.dim)
    x, towards = (
        torch.randn(shape, generator=generator, device=device, dtype=dtype) for _ in range(2)
    )
    entered = [case]
    if device.type == "cuda" and case.n in COMPILED:
        entered.append(replace(case, compiled=True))
    runners = [
        rivals.Runner(name + one.compiled * ", compiled", build, one, x, towards)
        for one in entered
        for name, build in builds.items()
    ]
    entries = [Contestant(one.name, one, one.error, allowed=1.0) for one in runners]
    if options.quick:
        rounds, budget = 5, 0.5
    else:
        rounds, budget = (30, 3.0) if device.type == "cuda" else (15, 20.0)
    results = race(entries, device, rounds=rounds, budget=budget)
    for one in runners:
        if results[one.name]["passed"]:
            results[one.name] |= one.facts(results[one.name]["median_s"])
        show(case, one.name, results[one.name])
    return case.about() | {"results": results}


def show(case: rivals.Case, name: str, result: dict[str, Any]) -> None:
    """Print a line while the others are still to come."""
    wanted = ("median_s", "peak_bytes", "error", "raised")
    found = {key: result[key] for key in wanted if key in result}
    print(case.n, case.about()["mode"], f"causal={case.causal}", name, found, flush=True)
