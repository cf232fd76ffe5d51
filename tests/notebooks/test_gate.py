"""The gate is closed: whatever is wrong with a notebook, one of its two halves turns red.

`make test` executes every cell again and compares (nbval); `make check` judges what is stored.
Each break below is applied to a copy of a notebook with nothing wrong.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
Break = Callable[[NotebookNode], object]
"""Changes one cell, or one notebook, for the worse."""


def printed(text: str) -> list[NotebookNode]:
    return [nbformat.v4.new_output("stream", name="stdout", text=text)]


# number of the code cell of good.md (from 0), and what is done to it
BROKEN_CELLS: dict[str, tuple[int, Break]] = {
    "an output that should not be there": (0, lambda c: c.update(outputs=printed("3\n"))),
    "a wrong printed line": (1, lambda c: c.outputs[0].update(text="4 attic\n")),
    "a wrong value": (2, lambda c: c.outputs[0].data.update({"text/plain": "5"})),
    "a stale page": (3, lambda c: c.outputs[0].data.update({"text/html": "<b>4</b>"})),
    "half an output": (4, lambda c: c.outputs[0].update(text="one\n")),
    "a missing output": (5, lambda c: c.update(outputs=[])),
    "an exception": (6, lambda c: c.update(source="raise ValueError(x)")),
    "a dead kernel": (7, lambda c: c.update(source="import os\nos._exit(1)")),
}


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def break_copy(good: Path, root: Path, breaks: list[Break]) -> Path:
    """Copy the good tree to `root` and apply `breaks` to its notebook; return the notebook."""
    shutil.copytree(good, root, dirs_exist_ok=True)
    book = root / "book" / "attic" / "good.ipynb"
    notebook = nbformat.read(book, as_version=4)
    for change in breaks:
        change(notebook)
    nbformat.write(notebook, book)
    return book


def at(number: int, change: Break) -> Break:
    return lambda notebook: change(code_cells(notebook)[number])


def recipe_of_make_test() -> str:
    lines = (ROOT / "Makefile").read_text("utf-8").splitlines()
    (line,) = [line for line in lines if "pytest" in line and "--nbval" in line]
    return line


def nbval(root: Path, *, wait: int = 12) -> tuple[int, dict[int, str]]:
    """Test the notebooks below `root` with the options of `make test`.

    No cell gets more than `wait` seconds. Returns pytest's exit status, and what it said of each
    cell: "" for one that passed.
    """
    options = " ".join(re.findall(r"--nbval\S*(?: \d+)?", recipe_of_make_test())).split()
    report = root / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "book", *options, "--nbval-cell-timeout", str(wait), "-q",
         "-c", os.devnull, "--rootdir", str(root), "--junit-xml", str(report)],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert report.exists(), done.stdout + done.stderr
    said = {}
    for case in ElementTree.parse(report).iter("testcase"):
        number = int(case.attrib["name"].split()[-1])
        said[number] = " ".join(part.attrib.get("message", "") for part in case)
    return done.returncode, said


@pytest.fixture(scope="module")
def verdicts(good: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[int, str]]:
    root = tmp_path_factory.mktemp("broken")
    break_copy(good, root, [at(number, change) for number, change in BROKEN_CELLS.values()])
    return nbval(root, wait=5)  # for the answer of a kernel that is dead by then


def test_make_test_compares_every_notebook() -> None:
    line = recipe_of_make_test()
    assert re.search(r"--nbval(\s|$)", line)
    assert "--nbval-lax" not in line
    assert re.search(r"\sbook(\s|$)", line)


def test_a_good_notebook_is_green(good: Path, tool: ModuleType, tmp_path: Path) -> None:
    break_copy(good, tmp_path, [])
    status, said = nbval(tmp_path)
    assert (status, set(said.values())) == (0, {""})
    assert len(said) == len(BROKEN_CELLS)
    assert tool.main(["check"], tmp_path) == 0


@pytest.mark.parametrize("name", BROKEN_CELLS)
def test_executing_again_turns_red_on(name: str, verdicts: tuple[int, dict[int, str]]) -> None:
    status, said = verdicts
    assert status == 1
    assert said[BROKEN_CELLS[name][0]] != ""


def swap(notebook: NotebookNode) -> None:
    first, *_, last = code_cells(notebook)
    first.execution_count, last.execution_count = last.execution_count, first.execution_count


def add_tag(tag: str) -> Break:
    return at(1, lambda cell: cell.metadata.update(tags=[tag]))


def store(output: NotebookNode) -> Break:
    return at(0, lambda cell: cell.outputs.append(output))


new_output = nbformat.v4.new_output
BROKEN_NOTEBOOKS: dict[str, tuple[str, Break]] = {
    "executed out of order": (r"cell 2: was executed as 8, expected 1", swap),
    "a cell never executed": (
        r"cell 4: was never executed",
        at(1, lambda c: c.update(execution_count=None)),
    ),
    "never executed at all": (
        r"has no outputs",
        lambda n: [c.update(outputs=[], execution_count=None) for c in code_cells(n)],
    ),
    "edited code": (
        r"cell 2: source differs from text/attic/good\.md:14",
        at(0, lambda c: c.update(source="x = 4")),
    ),
    "edited prose": (
        r"cell 1: source differs from text/attic/good\.md:11",
        lambda n: n.cells[0].update(source="# Another title"),
    ),
    "another kind of cell": (
        r"cell 1: cell_type differs",
        lambda n: n.cells.__setitem__(0, nbformat.v4.new_raw_cell(n.cells[0].source)),
    ),
    "one cell too many": (
        r"has 13 cells, text/attic/good\.md has 12",
        lambda n: n.cells.append(nbformat.v4.new_markdown_cell("More.")),
    ),
    "another kernel": (
        r"its metadata \(kernelspec\) differs",
        lambda n: n.metadata.kernelspec.update(name="julia"),
    ),
    "an error": (
        r"cell 2: stores an error: ValueError: 3",
        store(new_output("error", ename="ValueError", evalue="3", traceback=[])),
    ),
    "a warning": (
        r"cell 2: warns: careful",
        store(new_output("stream", name="stderr", text="careful\n")),
    ),
    "an address": (
        r"cell 2: shows an address in memory: at 0x7f40d4fa72f0",
        store(new_output("stream", name="stdout", text="<object object at 0x7f40d4fa72f0>\n")),
    ),
    "a path": (
        r"cell 2: shows a machine's own path: /home/ada",
        store(new_output("display_data", {"text/html": "<i>saved to /home/ada/a.pt</i>"})),
    ),
    "a live widget": (
        r"cell 2: stores a live widget",
        store(new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"a": "b"}})),
    ),
    "a picture nobody can hear": (
        r"cell 10: a picture without alt text",
        at(5, lambda c: c.metadata.mystnb.pop("image")),
    ),
    "a picture without caption": (
        r"cell 10: a picture without caption",
        at(5, lambda c: c.metadata.mystnb.figure.update(caption=" ")),
    ),
    "a trailing semicolon": (r"cell 2: ends with `;`", at(0, lambda c: c.update(source="x = 3;"))),
    "a long cell": (
        r"cell 2: has 21 lines, at most 20",
        at(0, lambda c: c.update(source="\n".join(["x = 3"] * 21))),
    ),
    "a long line": (
        r"cell 2: line 2 has 85 characters, at most 84 are allowed",
        at(0, lambda c: c.update(source="x = 3\n# " + "x" * 83)),
    ),
    "an empty cell": (r"cell 2: is empty", at(0, lambda c: c.update(source=" "))),
    **{
        f"the tag {tag}": (rf"cell 4: tag {tag}: its output would not be compared", add_tag(tag))
        for tag in ("nbval-ignore-output", "nbval-skip", "raises-exception", "skip-execution")
    },
    "a comment to nbval": (
        r"cell 4: a comment asks the notebook test not to compare",
        at(1, lambda c: c.update(source="# NBVAL_IGNORE_OUTPUT\nprint(7)")),
    ),
}


@pytest.mark.parametrize("name", BROKEN_NOTEBOOKS)
def test_make_check_turns_red_on(
    name: str, good: Path, tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, change = BROKEN_NOTEBOOKS[name]
    break_copy(good, tmp_path, [change])
    assert tool.main(["check"], tmp_path) == 1
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("book/attic/good.ipynb: ") for line in lines)
    assert any(re.search(words, line) for line in lines), lines


def test_make_check_turns_red_on_an_unpaired_file(
    good: Path, tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = break_copy(good, tmp_path, [])
    shutil.copy(book, book.with_name("orphan.ipynb"))
    text = tmp_path / "text" / "attic" / "good.md"
    shutil.copy(text, text.with_name("new.md"))
    assert tool.main(["check"], tmp_path) == 1
    assert capsys.readouterr().err.splitlines() == [
        "book/attic/new.ipynb: is missing; make it from its text "
        "with `make notebooks ONLY=attic/new`",
        "book/attic/orphan.ipynb: has no text; expected text/attic/orphan.md",
    ]


def test_make_check_turns_red_on_half_a_file(
    good: Path, tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = break_copy(good, tmp_path, [])
    book.write_text(book.read_text("utf-8")[:100], "utf-8")
    assert tool.main(["check"], tmp_path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("book/attic/good.ipynb: is no notebook: ")
