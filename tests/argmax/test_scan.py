"""A scan that is stopped anywhere goes on, loses no finished block, and ends in the same report."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from companion.argmax import ArgmaxReport, Scanner, argmaxable, scan_to_file
from companion.argmax.scan import parts_folder
from companion.errors import CheckpointError, DataError, NumericsError

TESTS = Path(__file__).parents[1]
WEIGHT = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))


def scan(out: Path, **changes) -> ArgmaxReport:
    return scan_to_file(**{"weight": WEIGHT, "out": out, "block": 20, "progress": False} | changes)


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a scan was stopped by Ctrl-C in its second block."""
    decide, calls = Scanner.decide, []

    def interrupted(self, classes):
        calls.append(classes)
        if len(calls) == 2:
            raise KeyboardInterrupt  # as Ctrl-C does; a job in the background ignores the signal
        return decide(self, classes)

    out = tmp_path / "report.npz"
    with monkeypatch.context() as patch:
        patch.setattr(Scanner, "decide", interrupted)
        with pytest.raises(KeyboardInterrupt):
            scan(out)
    assert [path.name for path in parts_folder(out).glob("*.npz")] == ["block-000000.npz"]
    assert not out.exists()
    return out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_killed_at_any_stage_it_goes_on_to_the_same_report(tmp_path):
    command = [sys.executable, "-m", "argmax.killed", str(tmp_path)]
    done = subprocess.run(
        command, cwd=TESTS, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {"faults": [], "stages": 6, "verified": True}


def test_in_blocks_it_finds_what_argmaxable_finds(tmp_path):
    out = tmp_path / "new" / "report.npz"
    found = scan(out, radius=3)
    whole = argmaxable(WEIGHT, radius=3, progress=False)
    for report in (found, ArgmaxReport.load(out)):
        assert torch.equal(report.verdict, whole.verdict)
        assert report.verify(WEIGHT)
    assert [path.name for path in out.parent.iterdir()] == ["report.npz"]
    assert scan(tmp_path / "some.npz", classes=[3, 59, 17]).classes.tolist() == [3, 17, 59]


def test_interrupted_it_goes_on_from_the_last_block(stopped, monkeypatch):
    decide, calls = Scanner.decide, []
    monkeypatch.setattr(
        Scanner, "decide", lambda self, classes: (calls.append(classes), decide(self, classes))[1]
    )
    assert scan(stopped).verify(WEIGHT)
    assert [part[0] for part in calls] == [20, 40]
    assert not parts_folder(stopped).exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"weight": WEIGHT + 1}, "its weight is [0-9a-f]{32}, here [0-9a-f]{32}; remove it"),
        ({"weight": WEIGHT.double()}, "its weight is"),
        ({"bias": torch.ones(60)}, "its bias is none, here"),
        ({"radius": 2.0}, "its radius is None, here 2.0"),
        ({"classes": range(40)}, "its classes is all, here"),
        ({"block": 30}, "its block is 20, here 30"),
    ],
    ids=["weight", "precision", "bias", "radius", "classes", "block"],
)
def test_another_scan_does_not_go_on(stopped, changes, complaint):
    with pytest.raises(CheckpointError, match=complaint):
        scan(stopped, **changes)
    assert scan(stopped, memory=10**8).verify(WEIGHT)  # nothing was lost, memory is no matter


def test_what_is_damaged_is_named(stopped):
    block = parts_folder(stopped) / "block-000000.npz"
    whole = block.read_bytes()
    block.write_bytes(whole[:-40])
    with pytest.raises(CheckpointError, match=r"block-000000.npz is damaged; remove it, and"):
        scan(stopped)
    block.write_bytes(whole)
    (parts_folder(stopped) / "scan.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"scan.json is damaged; remove"):
        scan(stopped)


def test_a_report_is_not_lost_by_mistake(tmp_path):
    out = tmp_path / "report.npz"
    scan(out)
    with pytest.raises(DataError, match=r"report.npz is there already"):
        scan(out, radius=1.0)
    assert scan(out, radius=1.0, overwrite=True).radius == 1.0


def test_a_refused_layer_leaves_nothing_behind(tmp_path):
    bad = WEIGHT.clone()
    bad[4, 1] = torch.nan
    with pytest.raises(NumericsError, match="4"):
        scan(tmp_path / "report.npz", weight=bad)
    with pytest.raises(DataError, match="block is 0"):
        scan(tmp_path / "report.npz", block=0)
    assert not [*tmp_path.iterdir()]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be used"):
        scan(tmp_path / "file" / "report.npz")
