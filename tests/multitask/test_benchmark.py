"""The benchmark runs, and what it writes can be repeated and compared."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from loading import run_benchmark

from companion.multitask.noisy_labels import RULES


def quick(name: str, folder: Path) -> dict[str, Any]:
    """Run a benchmark on small cases and return what it wrote."""
    run_benchmark(f"multitask/{name}", "--quick", "--out", folder)
    (written,) = folder.glob("*-cpu.json")
    record = json.loads(written.read_text())
    assert record["versions"]["torch"] == torch.__version__
    assert {"device", "commit", "clean", "seed", "threads", "command", "memory"} <= set(record)
    return record


def test_directions_are_timed_and_judged(tmp_path):
    pytest.importorskip("torchjd", reason="pip install torchjd")
    record = quick("directions", tmp_path)
    for row in record["directions"]:
        ours = row["results"]["companion primary"]
        assert ours["passed"]
        assert ours["error"] <= 1e-8
        assert ours["q20_s"] <= ours["median_s"] <= ours["q80_s"]
        assert len(ours["raw_s"]) == 5
    for case, outcome in record["degenerate"].items():
        assert outcome["companion"] <= 1e-8, case
        assert outcome["companion common"] <= 1e-8, case
    assert record["degenerate"]["all times 1e-3"]["DualProj"] > 0.1


def test_steps_lead_where_the_exact_rule_leads(tmp_path):
    pytest.importorskip("torchjd", reason="pip install torchjd")
    (case,) = quick("steps", tmp_path)["cases"]
    assert set(case["results"]) == {"plain", "primary", "representation", "torchjd"}
    assert all(result["passed"] for result in case["results"].values())
    assert case["results"]["primary"]["error"] <= 1e-3


def test_noisy_labels_records_every_rule_and_seed(tmp_path):
    for case in quick("noisy_labels", tmp_path)["cases"]:
        assert set(case["accuracy"]) == set(case["conflict"]) == set(RULES)
        assert {len(scores) for scores in case["accuracy"].values()} == {8}


def test_a_device_that_is_not_there_is_one_clear_line(capsys):
    with pytest.raises(SystemExit) as stopped:
        run_benchmark("multitask/noisy_labels", "--device", "tpu")
    assert stopped.value.code == 2
    assert "no device 'tpu' here; there is: cpu" in capsys.readouterr().err
