"""Texts become notebooks: the same bytes twice, in one step, or not at all."""

import json
import shutil
from pathlib import Path
from types import ModuleType

import nbformat
import pytest


@pytest.fixture
def tree(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "tree"))


def write(root: Path, *cells: str) -> None:
    """Replace the good text by code cells; the first one stands on line 3."""
    body = "\n\n".join(f"```{{code-cell}} python3\n{cell}\n```" for cell in cells)
    (root / "text" / "attic" / "good.md").write_text(f"# A title\n{body}\n", "utf-8")


def test_executing_again_gives_the_same_bytes(
    tree: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    book = tree / "book" / "attic" / "good.ipynb"
    stored = book.read_bytes()
    assert tool.main(["run"], tree) == 0
    assert capsys.readouterr().out.endswith(" s  book/attic/good.ipynb  unchanged\n")
    assert book.read_bytes() == stored
    recorded = json.loads((tree / "book" / "status.json").read_text("utf-8"))
    assert 0.1 < recorded["notebooks"]["attic/good"]["processor_s"] < 60

    book.unlink()
    assert tool.main(["run", "attic"], tree) == 0
    assert book.read_bytes() == stored


def test_nothing_of_this_run_is_stored(good: Path) -> None:
    notebook = nbformat.read(good / "book" / "attic" / "good.ipynb", as_version=4)
    assert [cell.id for cell in notebook.cells] == [f"cell-{n:03d}" for n in range(1, 13)]
    assert "version" not in notebook.metadata.language_info
    assert "jupytext" not in notebook.metadata
    assert "widgets" not in notebook.metadata
    assert not any("execution" in cell.metadata for cell in notebook.cells)


def test_the_kernel_works_beside_its_notebook(good: Path) -> None:
    notebook = nbformat.read(good / "book" / "attic" / "good.ipynb", as_version=4)
    assert notebook.cells[3].outputs[0].text == "3 attic\n"


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        ("x = 1\nx / 0", "text/attic/good.md:4: ZeroDivisionError: division by zero"),
        ("import os\nos._exit(1)", "text/attic/good.md:3: the kernel died in this cell"),
    ],
    ids=["exception", "dead kernel"],
)
def test_a_failing_cell_leaves_the_old_notebook(
    tree: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str], cell: str, complaint: str
) -> None:
    folder = tree / "book" / "attic"
    stored = (folder / "good.ipynb").read_bytes()
    write(tree, cell, "print('never')")
    assert tool.main(["run", "good"], tree) == 1
    assert capsys.readouterr().err == f"notebooks: {complaint}\n"
    assert [path.name for path in folder.iterdir()] == ["good.ipynb"]
    assert (folder / "good.ipynb").read_bytes() == stored


def test_a_cell_that_runs_too_long_is_named(
    tree: Path,
    tool: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tool, "CELL_TIMEOUT", 1)
    write(tree, "print(1)", "import time\ntime.sleep(60)")
    assert tool.main(["run"], tree) == 1
    expected = "notebooks: text/attic/good.md:7: the cell ran longer than 1 s\n"
    assert capsys.readouterr().err == expected


def test_a_warning_is_a_complaint(
    tree: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree, "import sys\nprint('careful', file=sys.stderr)")
    assert tool.main(["run"], tree) == 1
    assert capsys.readouterr().err == "book/attic/good.ipynb: cell 2: warns: careful\n"


def test_an_unreadable_text_is_named(
    tree: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "text" / "attic" / "good.md").write_text("---\nkernelspec:\n  name: python3\n---\n")
    for command in ("run", "check"):
        assert tool.main([command], tree) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "text/attic/good.md: is no MyST text of a notebook: 'display_name'" in line


def test_an_unknown_name_is_one_line(
    good: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["run", "cellar"], good) == 1
    expected = "notebooks: no text is called cellar; there are: attic/good\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([], ["attic/one", "attic/two", "cellar/one"]),
        (["attic"], ["attic/one", "attic/two"]),
        (["two"], ["attic/two"]),
        (["text/attic/one.md"], ["attic/one"]),
        (["book/cellar/one.ipynb", "attic/two"], ["attic/two", "cellar/one"]),
    ],
)
def test_a_name_is_a_room_a_chapter_or_a_path(
    tmp_path: Path, tool: ModuleType, names: list[str], chosen: list[str]
) -> None:
    for name in ("attic/one", "attic/two", "cellar/one", "attic/.ipynb_checkpoints/one"):
        path = tmp_path / "text" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert tool.select(names, tmp_path) == chosen
