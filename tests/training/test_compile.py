"""``torch.compile`` makes the same numbers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_model_trains_alike():
    done = subprocess.run(
        [sys.executable, "-m", "training.compiled"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["compiled"] == 2
    assert told["float32"] < 1e-5
    assert told["bf16"] < 0.05
