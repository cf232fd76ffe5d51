"""Changed prose goes into the notebook without executing it, to the bytes that executing writes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def tree(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "tree"))


def edit(root: Path, *changes: tuple[str, str]) -> None:
    path = root / "text" / "attic" / "good.md"
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


# from here on other cells have other numbers: one is new, one is gone, one has other words
OTHER_PROSE = [
    ("# A notebook with nothing wrong\n", "# Another title\n\n+++\n\nA second cell of prose.\n"),
    ("A line that is printed, in the folder of the notebook:\n", ""),
    ("Two writes that make one output:", "Two writes make *one* output, é:"),
]


def test_prose_gives_the_bytes_of_an_execution(
    tree: Path,
    tool: ModuleType,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book = tree / "book" / "attic" / "good.ipynb"
    before = book.read_bytes()
    edit(tree, *OTHER_PROSE)
    assert tool.main(["check"], tree) == 1
    assert tool.main(["run"], tree) == 0
    executed = book.read_bytes()
    assert executed != before
    book.write_bytes(before)

    monkeypatch.setattr(tool, "NotebookClient", None)  # nothing is executed
    assert tool.main(["prose", "good"], tree) == 0
    assert book.read_bytes() == executed
    assert tool.main(["check"], tree) == 0
    capsys.readouterr()
    assert tool.main(["prose"], tree) == 0
    assert capsys.readouterr().out.endswith("book/attic/good.ipynb  unchanged\n")


def change(old: str, new: str) -> Callable[[Path], None]:
    return lambda root: edit(root, (old, new))


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a cell of code": (
        change("x = x + 1", "x = x + 2"),
        "text/attic/good.md:59: this cell of code differs from book/attic/good.ipynb",
    ),
    "the options of a cell": (
        change("caption: A line.", "caption: The line."),
        "text/attic/good.md:52: this cell of code differs from book/attic/good.ipynb",
    ),
    "one cell less": (
        change("```{code-cell} python3\nprint(x)\n```\n", ""),
        "text/attic/good.md: has 7 cells of code, book/attic/good.ipynb has 8",
    ),
    "one cell more": (
        change("print(x)\n```\n", "print(x)\n```\n\n```{code-cell} python3\nx\n```\n"),
        "text/attic/good.md: has 9 cells of code, book/attic/good.ipynb has 8",
    ),
    "a missing notebook": (
        lambda root: (root / "book" / "attic" / "good.ipynb").unlink(),
        "book/attic/good.ipynb: is missing, so there is no output to keep",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_prose_refuses(
    name: str, tree: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    apply, complaint = CHANGES[name]
    apply(tree)
    edit(tree, ("# A notebook", "# Another notebook"))
    book = tree / "book" / "attic" / "good.ipynb"
    before = book.read_bytes() if book.exists() else None
    assert tool.main(["prose"], tree) == 1
    expected = f"notebooks: {complaint}; run `make notebooks ONLY=good`\n"
    assert capsys.readouterr().err == expected
    assert (book.read_bytes() if book.exists() else None) == before


def test_a_notebook_that_was_never_executed_is_a_complaint(
    tree: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    book = tree / "book" / "attic" / "good.ipynb"
    notebook = tool.read_notebook(book)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    tool.replace(book, tool.nbformat.writes(notebook) + "\n")
    assert tool.main(["prose"], tree) == 1
    assert "has no outputs: it was never executed" in capsys.readouterr().err
