"""A thousand layers with two rules, each at a rate that suits it, three seeds. No timings.

Run: ``python benchmarks/depth/thousand.py`` (``--quick``: ten layers, few steps).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from benchmarks.depth.training import DIM, HIDDEN, Run, train
from benchmarks.harness import arguments, write

RATES = {"deepnet": 1e-3, "adam": 5e-3}


def main() -> None:
    options = arguments(__doc__)
    options.device = torch.device("cpu")  # digits of record are those of a CPU
    layers, steps, seeds = (10, 4, [0]) if options.quick else (1000, 36, [0, 1, 2])
    runs = [
        Run("spirals", layers, rule, rate, steps, seed)
        for rule, rate in RATES.items()
        for seed in seeds
    ]
    record = {"dim": DIM, "hidden": HIDDEN, "cases": [train(run) for run in runs]}
    print(write("depth-thousand", options, ["accelerate"], record))


if __name__ == "__main__":
    main()
