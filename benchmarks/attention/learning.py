"""Who learns a small text faster: three rivals and their variants, three seeds each.

Losses by step, operations and processor time of a step. The learning rate is chosen first, for
each rival, with a seed of its own; all are then trained with one rate.

Run: ``python benchmarks/attention/learning.py`` (``--quick``: one seed, few steps).
"""

import sys
from dataclasses import asdict, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from benchmarks.harness import arguments, write
from companion.attention.comparison import RIVALS, Comparison, Learned, learn, operations
from companion.attention.variants import VARIANTS

RATES = (2e-3, 4e-3, 8e-3)


def row(name: str, setting: Comparison, seed: int) -> dict:
    """Train once, and return what goes into the record."""
    learned: Learned = learn(name, setting, seed=seed)
    found = asdict(learned) | {"name": name, "seed": seed, "rate": setting.rate}
    for key in ("losses", "training"):
        found[key] = [round(value, 4) for value in found[key]]
    found["seconds_per_step"] = round(learned.seconds_per_step, 5)
    print(name, seed, setting.rate, found["losses"][-1], found["seconds_per_step"], flush=True)
    return found


def main() -> None:
    options = arguments(__doc__)
    options.device = torch.device("cpu")  # digits of record are those of a CPU
    seeds = [0] if options.quick else [0, 1, 2]
    steps = {"rates": 20, "rivals": 40, "variants": 20}
    if not options.quick:
        steps = {"rates": 120, "rivals": 500, "variants": 240}
    setting = Comparison()
    brief = replace(setting, steps=steps["rates"], every=steps["rates"])
    rates = [row(name, replace(brief, rate=rate), 9) for rate in RATES for name in RIVALS]
    long = replace(setting, steps=steps["rivals"])
    rivals = [row(name, long, seed) for seed in seeds for name in RIVALS]
    short = replace(setting, steps=steps["variants"])
    others = [name for name in VARIANTS if name not in RIVALS]
    variants = [row(name, short, seed) for seed in seeds for name in others]
    record = {
        "setting": asdict(setting),
        "operations_per_step": {name: operations(name, setting) for name in VARIANTS},
        "rates": rates,
        "rivals": rivals,
        "variants": variants,
    }
    print(write("attention-learning", options, ["scikit-learn"], record))


if __name__ == "__main__":
    main()
