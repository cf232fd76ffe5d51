"""Models trained at one length, tested at others; and deep networks that start without warm-up.

Accuracies and losses, no timings. Rules that are the same function at the training length share
their weights. ``softmax_plus`` has the logarithm of the training length for its base, not of 512.

Run: ``python benchmarks/attention/length_transfer.py`` (``--quick``: one seed, few steps).
"""

import sys
from dataclasses import asdict, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from benchmarks.harness import arguments, write
from companion.attention.cold_start import NETS, ColdStart, start_cold
from companion.attention.length_tasks import RecallTask, TextTask
from companion.attention.length_transfer import (
    TRAINED,
    Transfer,
    accuracies,
    row_sums,
    rules_for,
    train_at,
)
from companion.training.lamb import Lamb

LENGTHS = (32, 64, 128, 256, 512)
TASKS = {
    "text": (TextTask(), Transfer(steps=800, rate=6e-3, warmup=100)),
    "recall": (RecallTask(), Transfer()),
}
PATIENCE = {"relu²": 2}  # times as many steps on the text, for a rule that learns more slowly
STARTS = ((0.01, 0), (0.05, 0), (0.05, 25))  # learning rate, and steps of warm-up


def rounded(values) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def transfer(task_name: str, seeds: list[int], *, quick: bool) -> list[dict]:
    """Train every rule with every seed, and test it and its kin at every length."""
    task, setting = TASKS[task_name]
    setting = replace(setting, steps=6, warmup=1) if quick else setting
    rows = []
    for seed in seeds:
        for trained in TRAINED:
            longer = PATIENCE.get(trained, 1) if task_name == "text" else 1
            setting_here = replace(setting, steps=longer * setting.steps)
            model, losses = train_at(task, trained, setting_here, seed=seed)
            sums, entropies = row_sums(task, model, LENGTHS)
            row = {"task": task_name, "trained": trained, "seed": seed, "losses": rounded(losses)}
            row["steps"] = setting_here.steps
            row |= {"row_sums": [rounded(one) for one in sums.tolist()]}
            row |= {"entropies": [rounded(one) for one in entropies.tolist()]}
            row["accuracy"] = {
                name: rounded(accuracies(task, model, rule, fixed, LENGTHS))
                for name, (rule, fixed) in rules_for(trained, setting.length).items()
                if task_name == "text" or "near" not in name  # facts stand in no order
            }
            rows.append(row)
            print(task_name, trained, seed, row["losses"][-1], row["accuracy"], flush=True)
    return rows


def lamb(parameters) -> torch.optim.Optimizer:
    return Lamb(parameters, weight_decay=0.01)


def cold(seeds: list[int], *, quick: bool) -> list[dict]:
    """Train every net at every rate, with and without warm-up."""
    setting = ColdStart(layers=1, steps=4) if quick else ColdStart()
    rows = []
    for name in NETS:
        for rate, warmup in STARTS:
            for seed in seeds:
                losses = start_cold(
                    name, setting, rate=rate, warmup=0 if quick else warmup,
                    optimizer=lamb, seed=seed,
                )  # fmt: skip
                kept = losses if isinstance(losses, str) else rounded(losses)
                row = {"net": name, "rate": rate, "warmup": warmup, "seed": seed, "losses": kept}
                rows.append(row)
                print(name, rate, warmup, seed, kept[-1:], flush=True)
    return rows


def main() -> None:
    options = arguments(__doc__)
    options.device = torch.device("cpu")  # digits of record are those of a CPU
    quick = options.quick
    record = {
        "lengths": LENGTHS,
        "settings": {
            name: {"model": asdict(task), "training": asdict(setting)}
            for name, (task, setting) in TASKS.items()
        },
        "text": transfer("text", [0] if quick else [0, 1, 2], quick=quick),
        "recall": transfer("recall", [0] if quick else [0, 1, 2, 3, 4], quick=quick),
        "cold_start": {"setting": asdict(ColdStart())},
    }
    record["cold_start"]["runs"] = cold([0] if quick else [0, 1], quick=quick)
    print(write("attention-length-transfer", options, ["scikit-learn"], record))


if __name__ == "__main__":
    main()
