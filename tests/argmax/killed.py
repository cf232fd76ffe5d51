"""Scan, be killed with SIGKILL at every stage, go on: what test_scan.py runs, and prints as JSON.

Usage: python -m argmax.killed FOLDER, from the folder of the tests. One process imports everything
once; each attempt is a fork of it, which dies at one stage of one block.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import torch

from companion.argmax import scan
from companion.argmax.report import ArgmaxReport
from companion.argmax.scan import parts_folder, scan_to_file
from companion.argmax.scanner import Scanner

torch.set_num_threads(1)
BLOCK = 40
STAGES = ["block", "draft", "synced", "renamed", "report", "removal"]


def weight() -> torch.Tensor:
    rows = torch.randn(200, 6, generator=torch.Generator().manual_seed(3))
    rows[7] = rows[90]
    return rows


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(stage: str, log: Path) -> None:
    """Kill this process at a stage of the second block that it decides, or at the end."""
    decide, fsync, replace, remove = Scanner.decide, os.fsync, os.replace, shutil.rmtree
    count = 0

    def decided(self, classes):
        nonlocal count
        count += 1
        found = decide(self, classes)
        if stage == "block" and count == 2:
            die()
        with log.open("a") as file:
            file.write(f"{int(classes[0])} {stage}\n")
        return found

    def synced(descriptor):
        if stage == "draft" and count == 2:
            os.ftruncate(descriptor, 100)
            die()
        fsync(descriptor)
        if stage == "synced" and count == 2:
            die()

    def replaced(source, target):
        if stage == "report" and Path(target).name == "report.npz":
            die()
        replace(source, target)
        if stage == "renamed" and count == 2:
            die()

    def removed(path):
        if stage == "removal":
            (Path(path) / scan.SETTINGS).unlink()
            die()
        remove(path)

    Scanner.decide = decided
    os.fsync, os.replace, shutil.rmtree = synced, replaced, removed


def attempt(stage: str, out: Path) -> int:
    """Scan in a fork that dies at a stage; return the signal that ended it, 0 for none."""
    child = os.fork()
    if child == 0:
        arm(stage, out.with_suffix(".log"))
        again = stage == "again"
        scan_to_file(weight(), out=out, block=BLOCK, progress=False, overwrite=again)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def trial(stage: str, folder: Path, expected: bytes) -> list[str]:
    """Be killed at a stage, then finish; return what is wrong."""
    out = folder / stage / "report.npz"
    faults = []
    if attempt(stage, out) != signal.SIGKILL:
        faults.append(f"{stage}: was not killed")
    finished = {path.name for path in parts_folder(out).glob("block-*.npz")}
    if stage == "removal":  # the report was written before
        if out.read_bytes() != expected:
            faults.append(f"{stage}: another report before")
        finished.clear()
    before = out.with_suffix(".log").read_text().splitlines()
    if attempt("again", out) != 0:
        faults.append(f"{stage}: could not go on")
    anew = out.with_suffix(".log").read_text().splitlines()[len(before) :]
    if len(anew) != 5 - len(finished):
        faults.append(f"{stage}: {len(finished)} blocks were finished, {len(anew)} decided after")
    if out.read_bytes() != expected:
        faults.append(f"{stage}: another report")
    left = sorted(path.name for path in out.parent.iterdir())
    if left != ["report.log", "report.npz"]:
        faults.append(f"{stage}: {left} are left")
    return faults


def main() -> None:
    folder = Path(sys.argv[1])
    whole = folder / "whole" / "report.npz"
    scan_to_file(weight(), out=whole, block=BLOCK, progress=False)
    expected = whole.read_bytes()
    faults = [fault for stage in STAGES for fault in trial(stage, folder, expected)]
    verified = ArgmaxReport.load(whole).verify(weight())
    print(json.dumps({"faults": faults, "stages": len(STAGES), "verified": verified}))


if __name__ == "__main__":
    main()
