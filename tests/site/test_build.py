"""tools/site.py: a book with a fault is refused in one clear line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SITE = Path(__file__).resolve().parents[2] / "tools" / "site.py"
CONFIG = "title: A\nauthor: B\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"


def write_book(root: Path, pages: dict[str, str]) -> Path:
    """A small book at `root`; the first page is its front page."""
    (root / "book").mkdir()
    (root / "_config.yml").write_text(CONFIG)
    first, *others = (name.rsplit(".", 1)[0] for name in pages)
    chapters = "".join(f"- file: {name}\n" for name in others)
    toc = f"format: jb-book\nroot: {first}\n" + (f"chapters:\n{chapters}" if others else "")
    (root / "book" / "_toc.yml").write_text(toc)
    for name, text in pages.items():
        (root / "book" / name).write_text(text)
    return root


def notebook(*cells: dict[str, object]) -> str:
    """The text of a notebook with these cells."""
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def code(source: str, count: int | None) -> dict[str, object]:
    """One code cell."""
    cell = {"cell_type": "code", "id": f"c{count}", "metadata": {}, "outputs": []}
    return {**cell, "source": source, "execution_count": count}


def run(root: Path) -> subprocess.CompletedProcess[str]:
    """Build the book at `root`."""
    command = [sys.executable, str(SITE), "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_builds_and_prints_one_line(tmp_path):
    root = write_book(tmp_path, {"a.md": "# A\n", "b.md": "# B\n"})
    stale = root / "_build" / "html" / "old.html"
    stale.parent.mkdir(parents=True)
    stale.write_text("an old page")
    done = run(root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("site: _build/html/index.html   5 pages   ")
    assert done.stdout.count("\n") == 1
    assert not stale.exists()


def test_notebook_without_outputs(tmp_path):
    cells = code("1 + 1", 1), code("", None), code("2 + 2", None)
    done = run(write_book(tmp_path, {"a.md": "# A\n", "x.ipynb": notebook(*cells)}))
    line = "site: book/x.ipynb: code cell 3 was never executed; run `make notebooks`\n"
    assert (done.returncode, done.stderr) == (1, line)


def test_file_that_is_no_notebook(tmp_path):
    done = run(write_book(tmp_path, {"a.md": "# A\n", "x.ipynb": "# a text"}))
    assert done.returncode == 1
    assert done.stderr.startswith("site: book/x.ipynb: this is no notebook (")
    assert done.stderr.count("\n") == 1


def test_faults_of_the_text_are_a_line_each(tmp_path):
    formula = "$$\na\n$$ (eq-a)\n"
    pages = {"a.md": f"# A\n{formula}", "b.md": f"# B\n\n\n{formula}\nsee {{eq}}`eq-none`\n"}
    done = run(write_book(tmp_path, pages))
    assert done.returncode == 1
    twice, nothing, last = done.stderr.splitlines()
    assert twice.startswith("site: book/b.md:")
    assert twice.endswith(": equation label eq-a is used twice; the other is in a")
    assert nothing.startswith("book/b.md:")
    assert "eq-none" in nothing
    assert last == "the site was not built (2 to mend)"
    assert not (tmp_path / "_build" / "html").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_to_write(tmp_path):
    root = write_book(tmp_path, {"a.md": "# A\n"})
    (root / "_build").mkdir(mode=0o555)
    done = run(root)
    assert done.returncode == 1
    assert done.stderr.startswith("site: cannot write ")
    assert done.stderr.endswith("Permission denied\n")


def test_writing_that_fails_is_one_clear_line(tmp_path):
    root = write_book(tmp_path, {"a.md": "# A\n"})
    (root / "_build").write_text("a file where the folder should be")
    done = run(root)
    assert done.returncode == 1
    assert done.stderr == f"site: cannot write {root / '_build'}: File exists\n"


def test_folder_without_a_book(tmp_path):
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (1, f"site: _config.yml: no such file in {tmp_path}\n")
