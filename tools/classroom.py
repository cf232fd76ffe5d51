"""The book for a class: exercises without solutions, and a course folder for nbgrader.

classroom.py [--out FOLDER] [--no-pages] [--hidden NUMBER]

FOLDER (_build/class) gets
    student/      what a class may have: notebooks with stubs, the package, the pages; no solution
    student.zip   the same in one file, for a lab without network
    course/       the teacher's: nbgrader's folder with the solved notebooks, ready to grade
"""

import argparse
import importlib.metadata
import json
import secrets
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import nbformat
import yaml
from exercises import BEGIN, stub
from formulas import FormulaError, Typesetter
from leaks import SOLUTION, leaks
from nbformat import NotebookNode
from notebooks import ROOT, Stop

from companion.grading.feedback import FORMULAS, formulas
from companion.grading.gradebook import Gradebook

OWN = (
    "book",
    "_build",
    ".venv",
    ".git",
)  # of a checkout: changed for a class, or no source of pages
CONFIG = '''"""nbgrader's settings for this course; every `nbgrader` command reads them here."""

from pathlib import Path

from companion.grading.gradebook import course_config

c = get_config()  # noqa: F821  (nbgrader hands it in)
c.merge(course_config(Path(__file__).parent))
'''
NO_GUIDE = """# Teaching with this book

The guide for teachers is not among the pages of a class.
"""
GUIDE = """Exercises of the book Taken Apart, Rebuilt, for a class

Open a notebook of this folder in JupyterLab: `jupyter lab`. The package `companion`, which checks
the answers, lies beside them; what it needs is in requirements.txt. No network is needed.

pages/index.html is the book. Hand in the notebook, under the name that it has.
"""


def solved_notebooks(root: Path) -> list[Path]:
    """The executed notebooks with exercises, in the order of their paths."""
    found = sorted((root / "book").glob("*/*-exercises.ipynb"))
    if not found:
        raise Stop(f"{root}/book holds no notebook with exercises; run `make notebooks`")
    return found


def without_solutions(solved: NotebookNode) -> NotebookNode:
    """Return a notebook with stubs for solutions, no explanations, and no output of a check."""
    student = deepcopy(solved)
    student.cells = [
        cell for cell in student.cells if SOLUTION not in cell.metadata.get("tags", [])
    ]
    for cell in student.cells:
        if BEGIN in cell.source:
            cell.source = stub(cell.source)
            for key in ("jupyter", "mystnb", "tags"):  # nothing to fold
                cell.metadata.pop(key, None)
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.outputs = []
    return student


def write_course(root: Path, folder: Path, hidden: int) -> None:
    """Write nbgrader's folder: sources, what is handed out, the gradebook, the hidden number."""
    folder.mkdir(parents=True)
    (folder / "nbgrader_config.py").write_text(CONFIG, "utf-8")
    (folder / "hidden-checks.txt").write_text(f"{hidden}\n", "ascii")
    gradebook = Gradebook(folder)
    for path in solved_notebooks(root):
        source = folder / "source" / path.stem / path.name
        source.parent.mkdir(parents=True)
        shutil.copyfile(path, source)
        gradebook.release(path.stem)
    write_formulas(folder)


def write_formulas(course: Path) -> None:
    """Draw the formulas of what is handed out, for the feedback pages."""
    cells = [
        cell
        for path in sorted((course / "release").glob("*/*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
    ]
    found = sorted({one for cell in cells for one in formulas(cell.source)})
    try:
        with Typesetter() as typesetter:
            drawn = {
                one: typesetter.mathml(one.strip("$"), display=one.startswith("$$"))
                for one in found
            }
    except FormulaError as error:
        raise Stop(str(error)) from None
    (course / FORMULAS).write_text(json.dumps(drawn, ensure_ascii=False, indent=1), "utf-8")


def leave_out_guide(book: Path) -> None:
    """Take the teacher's guide out of a copy of the book, but for the page that others link to."""
    if not (book / "teaching").is_dir():
        return
    shutil.rmtree(book / "teaching")
    (book / "teaching").mkdir()
    (book / "teaching" / "index.md").write_text(NO_GUIDE, "utf-8")
    toc = yaml.safe_load((book / "_toc.yml").read_text("utf-8"))
    for entry in (entry for part in toc["parts"] for entry in part["chapters"]):
        if entry["file"] == "teaching/index":
            del entry["sections"]
    (book / "_toc.yml").write_text(
        yaml.safe_dump(toc, sort_keys=False, allow_unicode=True), "utf-8"
    )


def write_pages(root: Path, folder: Path, work: Path) -> None:
    """Build the site from notebooks without solutions."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shutil.copytree(root / "book", work / "book")
    for entry in root.iterdir():
        if entry.name not in OWN:
            (work / entry.name).symlink_to(entry)
    leave_out_guide(work / "book")
    for path in solved_notebooks(work):
        nbformat.write(without_solutions(nbformat.read(path, as_version=4)), path)
    site = [sys.executable, str(root / "tools" / "site.py"), "--root", str(work)]
    if subprocess.run(site, check=False).returncode:
        raise Stop("the pages for the class were not built")
    shutil.move(work / "_build" / "html", folder)
    shutil.rmtree(work)


def write_student(root: Path, course: Path, folder: Path) -> None:
    """Write what a class may have, but for the pages."""
    folder.mkdir(parents=True)
    for path in sorted((course / "release").glob("*/*.ipynb")):
        shutil.copyfile(path, folder / path.name)
    package = root / "src" / "companion"
    shutil.copytree(package, folder / "companion", ignore=shutil.ignore_patterns("__pycache__"))
    write_metadata(folder)
    for name in ("requirements.txt", "LICENSE", "LICENSE-TEXT"):
        shutil.copyfile(root / name, folder / name)
    (folder / "README.txt").write_text(GUIDE, "utf-8")


def write_metadata(folder: Path) -> None:
    """Let Python know the version of the package in `folder`, where nothing has installed it."""
    version = importlib.metadata.version("companion")
    needed = importlib.metadata.requires("companion") or []
    lines = ["Metadata-Version: 2.1", "Name: companion", f"Version: {version}"]
    lines += [f"Requires-Dist: {one}" for one in needed if "extra ==" not in one]
    place = folder / f"companion-{version}.dist-info"
    place.mkdir()
    (place / "METADATA").write_text("\n".join(lines) + "\n", "utf-8")


def build(root: Path, out: Path, *, pages: bool, hidden: int) -> None:
    """Write everything into `out`, which is replaced when all of it is there."""
    fresh = out.with_name(out.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    write_course(root, fresh / "course", hidden)
    write_student(root, fresh / "course", fresh / "student")
    if pages:
        write_pages(root, fresh / "student" / "pages", fresh / "work")
    if found := leaks(fresh / "student", root / "book"):
        shown = "\n  ".join(found[:20])
        raise Stop(f"solutions in what students get, {len(found)} lines:\n  {shown}")
    shutil.make_archive(str(fresh / "student"), "zip", fresh, "student")
    if out.exists() and any(
        (out / "course" / name).exists() for name in ("submitted", "autograded")
    ):
        kept = out.with_name(f"{out.name}.graded-{secrets.token_hex(3)}")
        out.rename(kept)
        print(f"class: the course that was graded before lies in {kept.name}")
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=root / "_build" / "class")
    parser.add_argument("--no-pages", action="store_true", help="leave the pages out")
    parser.add_argument("--hidden", type=int, help="the number hidden checks draw by; else random")
    given = parser.parse_args(arguments)
    hidden = secrets.randbelow(10**9) + 10**6 if given.hidden is None else given.hidden
    try:
        build(root, given.out.resolve(), pages=not given.no_pages, hidden=hidden)
    except Stop as stop:
        print(f"class: {stop}", file=sys.stderr)
        return 1
    print(f"class: {given.out}   student/, student.zip, course/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
