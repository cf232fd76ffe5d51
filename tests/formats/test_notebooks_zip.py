"""The zip of the notebooks: they run in the unpacked folder, with the package that lies in it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from loading import load_tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    load_tool("formats_zips").write_notebooks(ROOT, ROOT, folder / "all.zip")
    with zipfile.ZipFile(folder / "all.zip") as opened:
        opened.extractall(folder)
    return folder / "taken-apart-notebooks"


def test_every_notebook_is_there_with_its_outputs(unpacked):
    names = {path.relative_to(ROOT).as_posix() for path in (ROOT / "book").rglob("[!.]*.ipynb")}
    found = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*.ipynb")}
    assert found == names
    for name in found:
        cells = nbformat.read(unpacked / name, as_version=4).cells
        assert any(cell.get("outputs") for cell in cells), name


def test_the_package_and_the_records_lie_beside_them(unpacked):
    for part in ("src/companion", "benchmarks/results"):
        theirs = {
            path.relative_to(ROOT).as_posix(): path.read_bytes()
            for path in (ROOT / part).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert theirs == {name: (unpacked / name).read_bytes() for name in theirs}
    for name in ("README.md", "pyproject.toml", "requirements.txt", "constraints.txt", "LICENSE"):
        assert (unpacked / name).read_text("utf-8").strip(), name


def test_a_notebook_runs_there_and_gives_its_outputs_again(unpacked):
    code = """if True:
        import sys, nbformat, companion
        from nbclient import NotebookClient
        path = sys.argv[1]
        stored = nbformat.read(path, as_version=4)
        run = NotebookClient(nbformat.read(path, as_version=4), kernel_name="python3",
            coalesce_streams=True, resources={"metadata": {"path": "book/multitask"}}).execute()
        texts = lambda book: [o.get("text") for c in book.cells for o in c.get("outputs", [])]
        assert texts(run) == texts(stored)
        print(companion.__file__)
    """
    name = "book/multitask/primary-tasks-exercises.ipynb"
    environment = {**os.environ, "PYTHONPATH": str(unpacked / "src")}
    command = [sys.executable, "-c", code, name]
    done = subprocess.run(
        command, cwd=unpacked, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(unpacked))
