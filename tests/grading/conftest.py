"""A small course, made once: one assignment of the book, released."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from loading import load_tool
from school import HIDDEN, NAME, Class

from companion.grading import isolation, read_assignments
from companion.grading.assignment import grade_id

ROOT = Path(__file__).parents[2]


def make_class(root: Path) -> Path:
    """Make the class of one assignment, without pages."""
    room = root / "book" / "multitask"
    room.mkdir(parents=True)
    source = ROOT / "book" / "multitask" / f"{NAME}.ipynb"
    (room / source.name).write_bytes(source.read_bytes())
    for name in ("src", "requirements.txt", "LICENSE", "LICENSE-TEXT"):
        (root / name).symlink_to(ROOT / name)
    out = root / "_build" / "class"
    words = ["--no-pages", "--hidden", str(HIDDEN), "--out", str(out)]
    assert load_tool("classroom").main(words, root) == 0
    return out


@pytest.fixture(scope="session")
def school(tmp_path_factory: pytest.TempPathFactory) -> Class:
    folder = make_class(tmp_path_factory.mktemp("book"))
    source = folder / "course" / "source" / NAME / f"{NAME}.ipynb"
    solved = nbformat.read(source, as_version=4)
    solutions = {
        grade_id(cell): cell.source
        for cell in solved.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    return Class(folder, read_assignments(folder / "course")[NAME], solutions)


@pytest.fixture(scope="session")
def _shut_in() -> None:
    """For tests of what bubblewrap keeps out."""
    if (found := isolation()).program is None:
        pytest.skip(found.words)
