"""Two processes on the CPU train as one does, and leave one set of files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from training.two_processes import curve

from companion.training import read_checkpoint

TESTS = Path(__file__).parents[1]
LAUNCH = [
    "accelerate.commands.launch",
    *("--multi_gpu", "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no"),
    *("--num_processes=2", "--main_process_port=0", "--module", "training.two_processes"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where two processes, started by ``accelerate launch``, have trained: curve/ and stopped/."""
    folder = tmp_path_factory.mktemp("two")
    done = subprocess.run(
        [sys.executable, "-m", *LAUNCH, str(folder)],
        cwd=TESTS,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def told(folder: Path, name: str) -> list:
    """What each process tells of a run."""
    return [json.loads((folder / f"{name}.{rank}").read_text()) for rank in (0, 1)]


def test_two_processes_have_the_curve_of_one(folder):
    [first, second] = told(folder, "curve")
    assert first == second
    alone = curve(None)
    assert [row["step"] for row in first["history"]] == [*range(5, 41, 5)]
    for row, expected in zip(first["history"], alone["history"], strict=True):
        for name in ("loss", "norm", "rate"):
            assert row[name] == pytest.approx(expected[name], abs=1e-5)
    assert first["history"][-1]["rank"] == 0.5  # both measured, and the mean counts
    assert first["sum"] == pytest.approx(alone["sum"], abs=1e-5)


def test_two_processes_leave_one_set_of_files(folder):
    files = sorted(path.name.partition(".")[0] for path in (folder / "curve").iterdir())
    assert files == ["events", "log", "step-00000035", "step-00000040"]
    assert read_checkpoint(folder / "curve").step == 40


def test_one_process_goes_on_where_two_were_stopped(folder):
    """A signal to one of them stopped both after the same step."""
    texts = [text.partition(";")[0] for text in told(folder, "stopped")]
    assert texts == ["stopped after step 9"] * 2
    assert read_checkpoint(folder / "stopped").step == 9
    assert curve(folder / "stopped")["sum"] == pytest.approx(curve(None)["sum"], abs=1e-5)
