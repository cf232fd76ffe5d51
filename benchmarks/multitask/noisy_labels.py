"""Accuracy with noisy labels: sixteen settings, six rules, eight seeds. No timings.

Run: ``python benchmarks/multitask/noisy_labels.py`` (``--quick``: two settings, few steps).
"""

import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from benchmarks.harness import arguments, write
from companion.multitask.noisy_labels import RULES, NoisyLabels, train_replicas

CLEAN, RATES = (10, 30, 100, 300), (0.2, 0.4, 0.6, 0.8)


def main() -> None:
    options = arguments(__doc__)
    options.device = torch.device("cpu")  # digits of record are those of a CPU
    settings = [NoisyLabels(clean=clean, rate=rate) for clean in CLEAN for rate in RATES]
    settings = settings[:2] if options.quick else settings
    steps = 20 if options.quick else 600
    cases = [asdict(setting) | {"accuracy": {}, "conflict": {}} for setting in settings]
    for name, rule in RULES.items():
        outcome = train_replicas(rule, settings, steps=steps)
        print(name, outcome.accuracy.mean(dim=1))
        for case, accuracy, conflict in zip(
            cases, outcome.accuracy.tolist(), outcome.conflict.tolist(), strict=True
        ):
            case["accuracy"][name] = [round(value, 4) for value in accuracy]
            case["conflict"][name] = [round(value, 4) for value in conflict]
    record = {"steps": steps, "cases": cases}
    print(write("noisy-labels", options, ["scikit-learn"], record))


if __name__ == "__main__":
    main()
