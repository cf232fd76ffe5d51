"""The benchmark runs, and what it writes can be repeated and compared."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def test_quick_run_writes_a_complete_record(tmp_path):
    pytest.importorskip("torchjd", reason="pip install torchjd")
    command = [sys.executable, "benchmarks/multitask/directions.py", "--quick", "--out", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "directions-cpu.json").read_text())
    assert record["versions"]["torch"] == torch.__version__
    assert {"device", "commit", "clean", "seed", "threads", "command", "memory"} <= set(record)
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
