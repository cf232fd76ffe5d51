"""Verdicts on all classes beside one linear program a class, which is timed on a sample.

Ours decides every class, and its report is verified. On a sample the rivals must give the same
verdicts before they are timed. The sample is stratified: classes that win and classes that never do
cost a rival differently, so each kind is drawn by itself, and its mean is taken times its number of
classes. Ours has ``--threads`` threads, a rival as many processes of one thread.

Run: ``python benchmarks/argmax/verdicts.py --threads 2`` (``--quick``: small cases).
"""

from __future__ import annotations

import sys
import tempfile
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from torch import Tensor

from benchmarks.argmax._clouds import gaussian
from benchmarks.argmax._rivals import BOX, PATIENCE, SOLVERS, Workers, workers
from benchmarks.harness import arguments, summary, write
from companion.argmax import ArgmaxReport, argmaxable


@dataclass(frozen=True)
class Case:
    """A layer, how often ours decides all of it, and how many classes a rival gets."""

    words: int
    dim: int
    spread: float = 0.0
    runs: int = 3
    program: int = 12
    published: int = 120


CASES = [
    Case(20_000, 8, program=60),
    Case(20_000, 16, program=30),
    Case(20_000, 32, program=18, published=900),  # its first reflection settles nearly all
    Case(20_000, 64, published=900),
    Case(30_000, 384, spread=0.5, program=6, published=240),
]
QUICK = [Case(300, 10, spread=0.5, runs=2, published=60)]
LEAST = 3  # classes of a kind in a sample


def decide(weight: Tensor, device: torch.device) -> tuple[ArgmaxReport, float]:
    """Return the report on all classes and the seconds it took."""
    start = time.perf_counter()
    report = argmaxable(weight, device=device, progress=False)
    return report, time.perf_counter() - start


def ours(weight: Tensor, runs: int, device: torch.device) -> tuple[ArgmaxReport, dict[str, Any]]:
    """Decide all classes some times; the verdicts are verified once."""
    decide(weight[: max(64, len(weight) // 50)], device)  # warm
    done = [decide(weight, device) for _ in range(runs)]
    report = done[0][0]
    start = time.perf_counter()
    passed = report.verify(weight, device=device)
    result = {"passed": passed, "verify_s": time.perf_counter() - start, "classes": len(report)}
    result |= counts(report) | summary([seconds for _, seconds in done])
    return report, result | {"per_class_s": result["median_s"] / len(report)}


def counts(report: ArgmaxReport) -> dict[str, int]:
    names = {"argmaxable": 1, "never": 0, "undecided": -1}
    return {name: int((report.verdict == value).sum()) for name, value in names.items()}


def draw(report: ArgmaxReport, size: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw classes of each verdict, as many as its share of all, and ``LEAST`` where there are."""
    drawn = {}
    for kind, value in (("argmaxable", 1), ("never", 0)):
        classes = report.classes[report.verdict == value].numpy()
        wanted = max(LEAST, round(size * len(classes) / len(report)))
        drawn[kind] = rng.choice(classes, size=min(wanted, len(classes)), replace=False)
    return {kind: classes for kind, classes in drawn.items() if len(classes)}


def rival(
    name: str, pool: Workers, report: ArgmaxReport, sample: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Let a rival decide the sample; where it differs it is not timed."""
    solved = {kind: pool.solve(name, classes.tolist()) for kind, classes in sample.items()}
    differs = [
        k
        for kind, one in solved.items()
        for k, found in zip(sample[kind].tolist(), one.verdicts, strict=True)
        if found != (kind == "argmaxable")
    ]
    result: dict[str, Any] = {
        "passed": not differs,
        "differs": differs,
        "sampled": sum(len(classes) for classes in sample.values()),
    }
    if differs:
        return result
    total, variance, kinds = 0.0, 0.0, {}
    for kind, one in solved.items():
        number, each = counts(report)[kind], np.array(one.each)
        total += number * one.seconds / len(each)
        spread = each.std(ddof=1) / each.mean() if len(each) > 1 else 0.0
        variance += (number * one.seconds / len(each) * spread) ** 2 / len(each)
        kinds[kind] = {
            "classes": number,
            "sampled": len(each),
            "wall_s": one.seconds,
            "per_class_s": one.seconds / len(each),
            "raw_class_s": [float(f"{seconds:.3g}") for seconds in each],
        }
    return result | {
        "kinds": kinds,
        "per_class_s": total / len(report),
        "relative_error": float(variance**0.5 / total),
        "extrapolated_s": total,
    }


def race(case: Case, options: Namespace) -> dict[str, Any]:
    """Return the row of a case: ours on all classes, the rivals on their samples."""
    weight = gaussian(case.words, case.dim, seed=options.seed, spread=case.spread)
    report, mine = ours(weight, case.runs, options.device)
    rng = np.random.default_rng(options.seed)
    sizes = zip(SOLVERS, (case.program, case.published), strict=True)
    results: dict[str, Any] = {"companion": mine}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weight.npy"
        np.save(file, weight.double().numpy())
        with workers(file, options.threads) as pool:
            for name, size in sizes:
                results[name] = rival(name, pool, report, draw(report, size, rng))
                if results[name]["passed"]:
                    ratio = results[name]["extrapolated_s"] / mine["median_s"]
                    results[name]["times_ours"] = ratio
    row = {"words": case.words, "dim": case.dim, "spread": case.spread, "results": results}
    print(f"n={case.words} d={case.dim} spread={case.spread}: {in_words(results)}", flush=True)
    return row


def in_words(results: dict[str, Any]) -> str:
    mine = results["companion"]
    words = [f"ours {mine['median_s']:.3g} s, {mine['never']} never, {mine['undecided']} undecided"]
    for name in SOLVERS:
        one = results[name]
        words.append(f"{name} x{one['times_ours']:.0f}" if one["passed"] else f"{name} differs")
    return "; ".join(words)


def main() -> None:
    options = arguments(__doc__)
    rows = [race(case, options) for case in (QUICK if options.quick else CASES)]
    record = {
        "rivals": {
            "processes": options.threads,
            "threads_each": 1,
            "solver": "HiGHS through scipy.optimize.linprog",
            "patience": PATIENCE,
            "box": BOX,
            "time_for_all_classes": "for each kind, the mean of its sample times its classes",
        },
        "cases": rows,
    }
    print(write("argmax-verdicts", options, [], record))


if __name__ == "__main__":
    main()
