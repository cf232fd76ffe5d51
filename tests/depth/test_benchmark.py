"""The benchmarks of depth run on their smallest cases, and write what the page reads."""

import json
from pathlib import Path
from typing import Any

import pytest
from loading import run_benchmark


def quick(script: str, folder: Path) -> dict[str, Any]:
    run_benchmark(f"depth/{script}", "--quick", "--out", folder)
    record = json.loads((folder / f"depth-{script}-cpu.json").read_text())
    assert record["quick"] is True
    return record


def test_increments_hold_every_rule_and_norm(tmp_path):
    record = quick("increments", tmp_path)
    assert record["depths"] == [10, 30]
    kept = {(case["norm"], case["rule"]) for case in record["cases"]}
    assert len(kept) == len(record["cases"]) == 9
    for case in record["cases"]:
        rows = [row[0]["first_step"] for row in case["rows"]]
        if case["rule"] in ("sgd", "adam", "lamb"):  # level under its own optimiser
            ratio = rows[1][case["rule"]] / rows[0][case["rule"]]
            assert ratio == pytest.approx(1, abs=0.25), case["rule"]


@pytest.mark.parametrize("script", ["training", "thousand"])
def test_training_records_losses_and_accuracies(script, tmp_path):
    for case in quick(script, tmp_path)["cases"]:
        assert len(case["losses"]) == 4
        assert 0 <= case["accuracy"] <= 1


def test_wide_records_memory_and_runs(tmp_path):
    record = quick("wide", tmp_path)
    assert [case["rule"] for case in record["cases"]] == ["deepnet", "adam", "post"]
    assert [row["layers"] for row in record["memory_of_a_step"]] == [2, 2, 5, 5, 10, 10]
