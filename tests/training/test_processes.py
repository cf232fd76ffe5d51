"""Two processes on the CPU train as one does, and leave one set of files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from companion.training import read_checkpoint

TESTS = Path(__file__).parents[1]
LAUNCHERS = {
    "accelerate": [
        "accelerate.commands.launch",
        *("--multi_gpu", "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no"),
        *("--num_processes=2", "--main_process_port=0", "--module"),
    ],
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"],
    "alone": [],
}


def launch(launcher: str, folder: Path, *options: str) -> list:
    """Run training.two_processes; return what each process tells."""
    result = folder.with_suffix(".result")
    words = [*LAUNCHERS[launcher], "training.two_processes", str(folder), str(result), *options]
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=TESTS,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = [json.loads(path.read_text()) for path in sorted(folder.parent.glob("*.result.*"))]
    for path in folder.parent.glob("*.result.*"):
        path.unlink()
    return told


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    [told] = launch("alone", tmp_path_factory.mktemp("alone") / "run")
    return told


@pytest.mark.parametrize("launcher", ["accelerate", "torchrun"])
def test_two_processes_have_the_curve_of_one(launcher, alone, tmp_path):
    told = launch(launcher, tmp_path / "run")
    assert len(told) == 2
    assert told[0] == told[1]
    assert [row["step"] for row in told[0]["history"]] == [*range(5, 41, 5)]
    for row, expected in zip(told[0]["history"], alone["history"], strict=True):
        for name in ("loss", "norm", "rate"):
            assert row[name] == pytest.approx(expected[name], abs=1e-5)
    assert told[0]["history"][-1]["rank"] == 0.5  # both measured, and the mean counts
    assert told[0]["sum"] == pytest.approx(alone["sum"], abs=1e-5)
    files = sorted(path.name.partition(".")[0] for path in (tmp_path / "run").iterdir())
    assert files == ["events", "log", "step-00000035", "step-00000040"]


def test_a_signal_to_one_stops_both_after_the_same_step(tmp_path):
    told = launch("torchrun", tmp_path / "run", "9")
    assert [text.partition(";")[0] for text in told] == ["stopped after step 9"] * 2
    assert read_checkpoint(tmp_path / "run").step == 9
    assert [path.name for path in (tmp_path / "run").glob("step-*9*")] != []
