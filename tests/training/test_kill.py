"""A trainer that is killed with SIGKILL, often and anywhere, ends where it would have ended."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_killed_and_resumed_is_uninterrupted(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "training.killed", str(tmp_path), "20"],
        cwd=TESTS,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["faults"] == []
    assert len(told["inside"]) + told["outside"] >= 20
    assert len(told["inside"]) >= 8
    assert len({*told["inside"]}) >= 4  # different stages of a write
    assert told["outside"] >= 4
    assert told["finished"] >= 1
