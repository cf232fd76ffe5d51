"""Train, be killed with SIGKILL, go on: what test_kill.py runs, and prints about it as JSON.

Usage: python -m training.killed FOLDER KILLS, from the folder of the tests. One process imports
everything once; each attempt is a fork of it. Half of the kills come from outside at a random
moment; the others strike inside the writing of a checkpoint, at a random stage of it.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
import torch.utils.tensorboard
from training.small_run import RECIPE, timeless, train

from companion.errors import CheckpointError
from companion.training import checkpoint, read_checkpoint, read_log
from companion.training.checkpoint import checkpoints

torch.set_num_threads(1)
STAGES = ["before", "opened", "half", "written", "synced", "renamed", "after"]
CHANGES = {"save_every": 4, "steps": 40}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(stage: str, nth: int) -> None:
    """Kill this process at a stage of the nth checkpoint that it writes."""
    originals = {name: getattr(os, name) for name in ("open", "write", "fsync", "replace")}
    whole, count, inside = checkpoint.write_whole, 0, False

    def write_whole(path, content):
        nonlocal count, inside
        if path.suffix != ".safetensors":
            whole(path, content)
            return
        count += 1
        inside = count == nth
        if inside and stage == "before":
            die()
        whole(path, content)
        if inside and stage == "after":
            die()
        inside = False

    def opened(*arguments):
        result = originals["open"](*arguments)
        if inside and stage == "opened":
            die()
        return result

    def write(descriptor, content):
        if inside and stage == "half":
            originals["write"](descriptor, content[: len(content) // 2])
            die()
        result = originals["write"](descriptor, content)
        if inside and stage == "written":
            die()
        return result

    def fsync(descriptor):
        originals["fsync"](descriptor)
        if inside and stage == "synced":
            die()

    def replace(old, new):
        originals["replace"](old, new)
        if inside and stage == "renamed":
            die()

    checkpoint.write_whole = write_whole
    for name, wrapper in {
        "open": opened,
        "write": write,
        "fsync": fsync,
        "replace": replace,
    }.items():
        setattr(os, name, wrapper)


def attempt(folder: Path, *, stage: str | None, nth: int = 1, wait: float | None = None) -> bool:
    """Train in a fork of this process; return whether it was killed."""
    child = os.fork()
    if child == 0:
        try:
            if stage is not None:
                arm(stage, nth)
            train(folder, changes=CHANGES)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    if wait is not None:
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)  # not yet waited for: the number is still the child's
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) == signal.SIGKILL
    if os.WEXITSTATUS(status):
        raise SystemExit(f"a run failed in {folder}")
    return False


def broken(folder: Path) -> list[str]:
    """The checkpoints that cannot be read."""
    found = []
    for path in checkpoints(folder) if folder.is_dir() else []:
        try:
            read_checkpoint(path)
        except CheckpointError as error:
            found.append(str(error))
    return found


def outcome(folder: Path) -> str:
    """Weights, average, optimiser and log of a finished run, without what the clock says."""
    last = read_checkpoint(folder)
    torch.set_printoptions(profile="full", precision=17)
    rows = timeless(read_log(folder / "log.csv"))
    return repr((last.step, last.model, last.average, last.optimizer, rows))


def main(root: Path, kills: int) -> None:
    rng, told = random.Random(0), {"inside": [], "outside": 0, "finished": 0, "faults": []}
    train()  # in no folder: imports everything, before the forks
    start = time.perf_counter()
    attempt(root / "whole", stage=None)
    duration = time.perf_counter() - start
    expected = outcome(root / "whole")
    number = 0
    while len(told["inside"]) + told["outside"] < kills or number == 0:
        folder, number = root / f"run-{number}", number + 1
        finished = False
        while not finished:
            if len(told["inside"]) <= told["outside"]:
                stage, nth = rng.choice(STAGES), rng.randint(1, 3)
                killed = attempt(folder, stage=stage, nth=nth)
                told["inside"] += [stage] * killed
            else:
                killed = attempt(folder, stage=None, wait=rng.uniform(0, duration))
                told["outside"] += killed
            told["faults"] += broken(folder)
            finished = bool(folder.is_dir() and checkpoints(folder)) and not killed
        told["finished"] += 1
        if outcome(folder) != expected:
            told["faults"].append(f"{folder.name} ends with other numbers")
        if [*folder.glob("*.writing")]:
            told["faults"].append(f"{folder.name} holds leftovers")
    told["steps"] = RECIPE.steps
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
