"""The benchmarks of the book, run in turn. Each script writes its own file of results."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from companion.errors import CompanionError

__all__ = ["checkout", "run"]


def checkout() -> Path | None:
    """Return the folder of the checkout this package is installed from, None if from elsewhere.

    >>> checkout() is None or (checkout() / "requirements.txt").is_file()
    True
    """
    root = Path(__file__).resolve().parents[3]
    return (
        root if (root / "requirements.txt").is_file() and (root / "benchmarks").is_dir() else None
    )


def run(room: str | None, *, options: Sequence[str] = (), root: Path | None = None) -> None:
    """Run ``benchmarks/<room>/*.py`` one after the other; every room if `room` is None.

    Args:
        room: name of a folder of ``benchmarks/``.
        options: handed to every script, such as ``--quick``.
        root: the checkout; found from this package if None.

    Raises:
        CompanionError: outside a checkout, for an unknown room, without any benchmark,
            or when a script fails.
    """
    root = root or checkout()
    if root is None:
        raise CompanionError(
            "the benchmarks belong to a checkout of the book; clone it and run `make bench` there"
        )
    rooms = {
        folder.name: scripts
        for folder in sorted((root / "benchmarks").iterdir())
        if (scripts := sorted(folder.glob("[!_]*.py")))
    }
    if not rooms:
        raise CompanionError(f"no benchmark is written yet: {root}/benchmarks holds no <room>/*.py")
    if room is not None and room not in rooms:
        raise CompanionError(f"no benchmarks for {room!r}; there are: {', '.join(rooms)}")
    chosen = [room] if room else list(rooms)
    for script in (script for name in chosen for script in rooms[name]):
        name = script.relative_to(root)
        print(f"-- {name}", flush=True)
        status = subprocess.run(
            [sys.executable, script, *options], cwd=root, check=False
        ).returncode
        if status:
            raise CompanionError(f"{name} ended with status {status}")
