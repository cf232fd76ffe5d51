"""How many words of a random output layer can never be the best one. No timings.

``gaussian``: normal rows, no bias, beside the exact mean (Affentranger and Schneider, 1992).
``wendel``: a word whose row is 0 among normal ones, beside Wendel's probability (1962).
``spread``: norms that differ, on a sample of the words.

Run: ``python benchmarks/argmax/clouds.py`` (``--quick``: few and small clouds).
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from benchmarks.argmax._clouds import gaussian
from benchmarks.harness import arguments, write
from companion.argmax import ArgmaxReport, argmaxable
from companion.argmax.gaussian import expected_vertices

DIMS = {1000: (2, 3, 4, 6, 8, 10, 12, 16, 20, 24), 5000: (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32),
        20_000: (4, 8, 12, 16, 20, 24, 32)}  # fmt: skip
SEEDS = {1000: 5, 5000: 2, 20_000: 1}
SPREADS = (0.0, 0.125, 0.25, 0.5, 1.0)


def fractions(report: ArgmaxReport) -> dict[str, Any]:
    """Return the share of words that never win, and how many were left undecided."""
    return {
        "decided": len(report),
        "never": float((report.verdict == 0).double().mean()),
        "undecided": int((report.verdict == -1).sum()),
    }


def clouds(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for words, dims in ({200: (2, 4, 8)} if quick else DIMS).items():
        for dim in dims:
            seeds = range(2 if quick else SEEDS[words])
            found = [
                fractions(argmaxable(gaussian(words, dim, seed=seed), progress=False))
                for seed in seeds
            ]
            row = {"words": words, "dim": dim, "seeds": len(seeds)}
            row |= {"never": [one["never"] for one in found]}
            row |= {"undecided": sum(one["undecided"] for one in found)}
            rows.append(row | {"expected": 1 - expected_vertices(words, dim) / words})
            print(rows[-1], flush=True)
    return rows


def wendel(points: int, dim: int) -> float:
    """Return the probability that 0 is outside the hull of points, symmetric and independent.

    2^(1-n) times the sum of the binomials C(n-1, k) with k < d.
    """
    ways = sum(math.comb(points - 1, k) for k in range(dim))
    return ways / 2 ** (points - 1)


def words_at_zero(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for points, dims in {16: (4, 6, 8, 10, 12), 64: (24, 28, 32, 36, 40)}.items():
        for dim in dims[::2] if quick else dims:
            draws = 12 if quick else 400
            won = open_ = 0
            for seed in range(draws):
                rows_ = gaussian(points, dim, seed=seed)
                weight = torch.cat([torch.zeros(1, dim), rows_])
                verdict = int(argmaxable(weight, classes=[0], progress=False).verdict[0])
                won, open_ = won + (verdict == 1), open_ + (verdict == -1)
            row = {"points": points, "dim": dim, "draws": draws, "argmaxable": won / draws}
            rows.append(row | {"undecided": open_, "expected": wendel(points, dim)})
            print(rows[-1], flush=True)
    return rows


def spreads(quick: bool) -> list[dict[str, Any]]:
    rows = []
    words, sample = (300, 100) if quick else (20_000, 500)
    for dim in (8, 16) if quick else (32, 64, 128, 256):
        for spread in SPREADS[::2] if quick else SPREADS:
            weight = gaussian(words, dim, seed=0, spread=spread)
            if spread == 0:  # directions alone: all norms are equal
                weight /= weight.norm(dim=1, keepdim=True)
            generator = torch.Generator().manual_seed(1)
            chosen = torch.randperm(words, generator=generator)[:sample].sort().values.tolist()
            found = fractions(argmaxable(weight, classes=chosen, progress=False))
            rows.append({"words": words, "dim": dim, "spread": spread} | found)
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    options = arguments(__doc__)
    options.device = torch.device("cpu")
    record = {
        "gaussian": clouds(options.quick),
        "wendel": words_at_zero(options.quick),
        "spread": spreads(options.quick),
    }
    print(write("argmax-clouds", options, [], record))


if __name__ == "__main__":
    main()
