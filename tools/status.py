"""What runs have said about the book: processor time of each notebook, versions, tests.

status.py tests    collect the tests and count them, into book/status.json

`tools/notebooks.py run` records a notebook there whenever it wrote it anew. The page book/status.md
is drawn from this file, from the ledger and from the texts when the site is built.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FILE = Path("book") / "status.json"
KINDS = {"book": "cells of notebooks", "src": "examples in docstrings", "tests": "tests"}


def read(root: Path) -> dict[str, Any]:
    """Everything recorded so far; nothing, where nothing was."""
    path = root / FILE
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def record(root: Path, entry: dict[str, Any]) -> None:
    """Merge an entry into the file, in one step: a table into its table, all else in its place."""
    known = read(root)
    for key, value in entry.items():
        both = {**known.get(key, {}), **value} if key == "notebooks" else value
        known[key] = dict(sorted(both.items()))
    path = root / FILE
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(known, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    os.replace(draft, path)


def record_notebook(root: Path, name: str, processor_s: float) -> None:
    """Record the processor seconds of a run, and where it took place."""
    entry = {"processor_s": round(processor_s, 1), "date": today()}
    record(root, {"notebooks": {name: entry}, "environment": environment()})


def today() -> str:
    """The date, in UTC."""
    return datetime.now(UTC).date().isoformat()


def environment() -> dict[str, Any]:
    """Machine, system, Python, and what is installed of requirements.txt."""
    names = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text("utf-8"), re.M)
    return {
        "machine": machine(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: found for name in sorted(names) if (found := installed(name))},
    }


def installed(name: str) -> str | None:
    """The version of a package, or None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def machine() -> str:
    """The processor, as Linux names it, else as Python does."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.M) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def count(listing: str) -> dict[str, int]:
    """Count the lines of `pytest --collect-only -q` by the tree that a test stands in."""
    trees = re.findall(r"^(book|src|tests)/\S*::", listing, re.M)
    return {KINDS[tree]: number for tree, number in sorted(Counter(trees).items())}


def collect(root: Path) -> dict[str, Any]:
    """Let pytest collect all tests, as `make test` does; raise SystemExit if it cannot."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--nbval"]
    command += ["--nbval-current-env", "tests", "src", "book"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"status: pytest collects no tests:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return {**count(done.stdout), "date": today()}


def main() -> None:
    """Count the tests and record them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("action", choices=["tests"])
    parser.parse_args()
    found = collect(ROOT)
    record(ROOT, {"tests": found})
    print(", ".join(f"{name}: {number}" for name, number in found.items()))


if __name__ == "__main__":
    main()
