"""What a student unpacks: it runs where nothing is installed, and gives no solution away."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
import zlib
from pathlib import Path

import nbformat
import pytest
from loading import load_tool
from school import NAME, Class

from companion.grading import isolation

ROOT = Path(__file__).parents[2]
FIRST = "ex-primary-descent"
RUN = """
import json, sys
from pathlib import Path
sys.path.insert(0, "")
import companion
print(Path(companion.__file__).resolve())
space = {}
for source in json.loads(sys.stdin.read()):
    try:
        exec(source, space)
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
"""


def bare_packages(folder: Path) -> Path:
    """The packages of this environment without `companion`, which lies beside the notebooks."""
    folder.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "companion" not in entry.name:
            (folder / entry.name).symlink_to(entry)
    return folder


def test_a_notebook_runs_with_the_package_beside_it(school: Class, tmp_path: Path) -> None:
    """From the zip, in a folder of any name, without network, and with nothing installed."""
    place = tmp_path / "my folder é"
    with zipfile.ZipFile(school.folder / "student.zip") as packed:
        packed.extractall(place)
    notebook = nbformat.read(place / "student" / f"{NAME}.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    check = cells.index("check(exercises.DESCENT, descent_gap)")
    wrong = school.solutions[FIRST].replace("-(weights", "(weights")
    told = [*cells[: check + 1], wrong, cells[check], school.solutions[FIRST], cells[check]]
    bwrap = isolation().program
    closed = [bwrap, "--dev-bind", "/", "/", "--unshare-net"] if bwrap else []
    done = subprocess.run(
        [*closed, getattr(sys, "_base_executable", sys.executable), "-c", RUN],
        input=json.dumps(told),
        cwd=place / "student",
        env={"PYTHONPATH": str(bare_packages(tmp_path / "packages"))},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = done.stdout.splitlines()
    assert said[0] == str(place / "student" / "companion" / "__init__.py")
    verdicts = [line for line in said if FIRST in line]
    assert [line.split(" ")[-2:] for line in verdicts[:2]] == [["✗", FIRST]] * 2
    assert "not solved yet" in done.stdout
    assert "The sign is turned." in done.stdout
    assert verdicts[2].startswith(f"✓ {FIRST}")


SOLVED = "    difference = torch.sin(angle) - angle"
PRINTED = "-0.9511740911526210"
REASON = "The sine of a small angle falls short by a sixth of its cube."


def write_book(root: Path) -> None:
    """A book of one page and one notebook with an exercise."""
    nbgrader = {"grade_id": "ex-sine", "schema_version": 3, "task": False}
    answer = {**nbgrader, "grade": False, "locked": False, "solution": True}
    check = {**nbgrader, "grade": True, "locked": True, "solution": False, "points": 1}
    code, words = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [
        words("# Exercises\n\n```{exercise} Sine\n:label: ex-sine\nHow much is missing?\n```"),
        code(
            f"def f(angle):\n    ### BEGIN SOLUTION\n{SOLVED}\n    return difference\n"
            "    ### END SOLUTION",
            metadata={"nbgrader": answer, "tags": ["hide-input"]},
        ),
        code("check(f)", metadata={"nbgrader": {**check, "grade_id": "ex-sine-check"}}),
        words(
            f"```{{solution}} ex-sine\n:label: sol-ex-sine\n{REASON}\n```",
            metadata={"tags": ["solution"]},
        ),
        code("print(f(1) * 6)", metadata={"tags": ["solution"]}),
    ]
    for number, cell in enumerate(cells):
        cell.id = f"c{number}"
        if cell.cell_type == "code":
            cell.execution_count = 1
    cells[-1].outputs = [nbformat.v4.new_output("stream", text=f"{PRINTED}\n")]
    (root / "book" / "room").mkdir(parents=True)
    language = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=language)
    nbformat.write(notebook, root / "book" / "room" / "x-exercises.ipynb")
    (root / "book" / "index.md").write_text("# A\n")
    (root / "book" / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n- file: room/x-exercises\n"
    )
    (root / "_config.yml").write_text(
        "title: A\nauthor: B\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"
        "sphinx: {extra_extensions: [sphinx_exercise]}\n"
    )
    (root / "tools").symlink_to(ROOT / "tools")
    (root / "src" / "companion").mkdir(parents=True)
    for name in ("requirements.txt", "LICENSE", "LICENSE-TEXT"):
        (root / name).symlink_to(ROOT / name)


def test_no_page_holds_a_solution_and_a_leak_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_book(tmp_path)
    make, leaks = load_tool("classroom").main, load_tool("leaks").leaks
    assert make([], tmp_path) == 0, capsys.readouterr().err
    book, student = tmp_path / "book", tmp_path / "_build" / "class" / "student"
    page = student / "pages" / "room" / "x-exercises.html"
    assert "How much is missing?" in page.read_text("utf-8")
    assert (student / "pages" / "_sources" / "room" / "x-exercises.ipynb").is_file()
    assert leaks(student, book) == []
    planted = plant(student)
    assert [line.partition(": ")[0] for line in leaks(student, book)] == sorted(planted)

    (tmp_path / "src" / "companion" / "answers.py").write_text(f"def f(angle):\n{SOLVED}\n")
    assert make(["--no-pages"], tmp_path) == 1
    assert f"companion/answers.py: {SOLVED.strip()}" in capsys.readouterr().err
    assert not (student / "companion" / "answers.py").exists(), "what leaks was handed out"


def plant(folder: Path) -> list[str]:
    """Write the solution in the ways in which files of a site hold text; return their names."""
    spans = SOLVED.replace("difference", '<span class="n">difference</span>')
    told = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"x = '\\n'\n{SOLVED}")])
    files = {
        "escaped.html": f"<pre>{spans}</pre>".replace("- angle", "&#45; angle"),
        "broken.html": REASON.replace(" small ", "\n<em>small</em> "),
        "notebook.ipynb": nbformat.writes(told),
        "printed.txt": PRINTED,
        "index.js": "Search.setIndex({titles: ['sol-ex-sine']})",
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    (folder / "objects.inv").write_bytes(b"# zlib.\n" + zlib.compress(b"sol-ex-sine std:label"))
    with zipfile.ZipFile(folder / "inner.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("deep.txt", REASON)
    (folder / "old.pyc").write_bytes(b"anything")
    return [*files, "objects.inv", "inner.zip", "old.pyc"]
