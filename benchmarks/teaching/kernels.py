"""What one student's kernel takes: processor time and memory for the exercises of a chapter.

Each solved notebook of exercises runs from the first cell to the last in a Jupyter kernel of its
own, as a student's would who makes no mistake: the package is imported, every function written and
checked. Recorded are the kernel's processor seconds, user and system, and its peak resident set.

Run: ``python benchmarks/teaching/kernels.py`` (``--quick``: the first notebook alone). Linux only.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness import ROOT, arguments, write


def peak_resident(pid: int) -> int:
    """Return the largest resident set that a process has had, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return 1024 * int(line.split()[1])
    raise LookupError("VmHWM")


def measure(path: Path) -> dict[str, Any]:
    """Run a notebook and return what its kernel took."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {}})
    with client.setup_kernel(cwd=str(path.parent)):
        for place, cell in enumerate(notebook.cells):
            client.execute_cell(cell, place)
        manager: Any = client.km
        kernel = psutil.Process(manager.provisioner.pid)
        times = kernel.cpu_times()
        return {
            "notebook": path.stem,
            "processor_s": times.user + times.system,
            "peak_bytes": peak_resident(kernel.pid),
        }


def main(options: argparse.Namespace) -> None:
    paths = sorted((ROOT / "book").glob("*/*-exercises.ipynb"))
    found = []
    for path in paths[:1] if options.quick else paths:
        found.append(measure(path))
        print(f"{path.stem:32s} {found[-1]['processor_s']:6.1f} s "
              f"{found[-1]['peak_bytes'] / 2**20:6.0f} MiB", flush=True)  # fmt: skip
    print(write("teaching-kernels", options, ["jupyterlab", "nbclient"], {"kernels": found}))


if __name__ == "__main__":
    main(arguments(__doc__))
