"""Plain and residual networks of 64 layers learn to read digits: losses and accuracies, no timings.

Every network is trained at every learning rate with five seeds. Broken runs are kept as such.

Run: ``python benchmarks/depth/residual_digits.py`` (``--quick``: one seed, few steps).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from benchmarks.harness import arguments, write
from companion.depth import Wiring
from companion.depth.digit_runs import train_digits

NORMED = Wiring(branch="relu", skip=False, norm="post")
NETS = {  # wiring, and steps of warm-up
    "plain, relu": (Wiring(branch="relu", skip=False), 0),
    "plain, LayerNorm": (NORMED, 0),
    "plain, LN, warm-up": (NORMED, 100),
    "Post-LN": (Wiring(norm="post"), 0),
    "Pre-LN": (Wiring(norm="pre"), 0),
    "ε = 1": (Wiring(), 0),
    "ε = 1/√N": (Wiring(power=0.5), 0),
    "ε = 1/N": (Wiring(power=1), 0),
}
RATES = [0.001, 0.01, 0.03, 0.1, 0.3, 1.0]


def main() -> None:
    options = arguments(__doc__)
    options.device = torch.device("cpu")  # digits of record are those of a CPU
    seeds, steps, depth = ([0], 20, 8) if options.quick else (range(5), 200, 64)
    runs = []
    for net, (wiring, warmup) in NETS.items():
        for rate in RATES:
            for seed in seeds:
                warm = min(warmup, steps - 1)
                run = train_digits(wiring, depth, rate=rate, steps=steps, warmup=warm, seed=seed)
                row = {"net": net, "rate": rate, "seed": seed, "broken": run.broken}
                row["accuracy"] = round(run.accuracy, 4)
                row["losses"] = [float(f"{loss:.4g}") for loss in run.losses]
                runs.append(row)
            print(net, rate, [row["accuracy"] for row in runs[-len(seeds) :]], flush=True)
    record = {"depth": depth, "steps": steps, "batch": 64, "rates": RATES, "runs": runs}
    print(write("depth-residual-digits", options, ["scikit-learn"], record))


if __name__ == "__main__":
    main()
