"""Submitted notebooks: found, read with suspicion, put back into the form handed out."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from companion.errors import DataError
from companion.grading.assignment import Assignment, grade_id

__all__ = ["Submission", "collect", "rebuild"]

LARGEST = 10 * 2**20  # bytes of a notebook; ours, pictures included, have less than 1 MB
MOST_CELLS = 500
MOST_CHARACTERS = 2**20  # of all cells together; ours have some 20,000
PLAIN = re.compile(r"(?!.*-[0-9a-f]{8}$)[\w@+-][\w.@+-]{,59}")  # what every tool takes as a folder


@dataclass
class Submission:
    """What one student handed in for one assignment.

    Attributes:
        student: the name, as the folder or the file bears it.
        notebook: the form handed out with the student's cells in it; as handed out if refused.
        notes: what was put right, for teacher and student.
        refused: why nothing could be graded; empty if something could.
    """

    student: str
    assignment: Assignment
    path: Path
    notebook: NotebookNode
    notes: list[str] = field(default_factory=list)
    refused: str = ""

    @property
    def folder(self) -> str:
        """The student's name in the gradebook, and of the folder of feedback."""
        return folder_name(self.student)


def folder_name(student: str) -> str:
    """Return a student's name if every tool takes it for a folder; else one made from it.

    That one ends in eight digits which keep names apart that are alike but for signs. It depends
    on the name alone, so a student has the same one whoever else hands in.

    >>> folder_name("zoë@school"), folder_name("O'Neil, Zoë"), folder_name("O Neil (Zoë)")
    ('zoë@school', 'O-Neil-Zoë-560d163f', 'O-Neil-Zoë-bcca6b18')
    """
    if PLAIN.fullmatch(student):
        return student
    plain = re.sub(r"[^\w@+-]+", "-", unicodedata.normalize("NFC", student)).strip("-")[:40]
    return f"{plain or 'nameless'}-{hashlib.sha256(student.encode()).hexdigest()[:8]}"


def collect(
    folder: Path, assignments: Mapping[str, Assignment], *, only: str | None = None
) -> list[Submission]:
    """Return what lies in `folder`, one submission for each student and assignment.

    ``folder/<student>/…/*.ipynb`` is a student's folder, ``folder/<student>.ipynb`` a single
    notebook. Which assignment a notebook belongs to is read from its cells, not its name; one that
    cannot be read counts for the assignment of its name, or else of most of the others. What cannot
    be graded is returned as refused: one student's file never stops the others.

    Args:
        only: the one assignment that is wanted; what belongs to others is left out.

    Raises:
        DataError: if the folder does not exist, or holds no notebook.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; expected one with a notebook or folder a student")
    if only is not None and only not in assignments:
        raise DataError(f"there is no assignment {only!r}; there are: {', '.join(assignments)}")
    read = [(student, path, _read(path, folder)) for student, path in _notebooks(folder)]
    known = [_belongs(one, path, assignments) for _, path, one in read]
    usual = Counter(name for name in known if name).most_common(1)
    fallback = only or (usual[0][0] if usual else next(iter(assignments)))
    found: dict[tuple[str, str], Submission] = {}
    for (student, path, one), name in zip(read, known, strict=True):
        if only in (None, name or fallback):
            submission = _submission(student, path, one, assignments[name or fallback])
            _add(found, submission)
    if not found:
        wanted = f"{folder}/<student>/{only or '<name>'}.ipynb"
        raise DataError(f"{folder} holds no notebook to grade; expected {wanted}")
    return [found[key] for key in sorted(found)]


def _add(found: dict[tuple[str, str], Submission], one: Submission) -> None:
    """Keep the first that can be graded of a student's notebooks for an assignment."""
    first = found.setdefault((one.student, one.assignment.name), one)
    if first is not one:
        if first.refused and not one.refused:
            found[one.student, one.assignment.name], first, one = one, one, first
        first.notes.append(f"{_name(one.path)} is a second notebook of this assignment: not graded")


def _notebooks(folder: Path) -> Iterator[tuple[str, Path]]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            paths = sorted(entry.rglob("*.ipynb"))
            inner = [path for path in paths if ".ipynb_checkpoints" not in path.parts]
            yield from ((_name(entry), path) for path in inner or [entry])
        elif entry.suffix in (".ipynb", ".zip") or entry.is_symlink():
            yield _name(entry.with_suffix("")), entry


def _name(path: Path) -> str:
    """A name as text that can be written: bytes that are none stand in it as numbers."""
    return path.name.encode("utf-8", "backslashreplace").decode("utf-8")


def _read(path: Path, folder: Path) -> NotebookNode | str:
    """Return the notebook, or why it is refused. A link is never followed out of the folder."""
    inner = path.relative_to(folder)
    if any((folder / part).is_symlink() for part in (inner, *inner.parents)):
        return f"{_name(path)} is a link; expected a file"
    if path.is_dir():
        held = ", ".join(sorted(_name(one) for one in path.iterdir())[:5]) or "nothing"
        return f"{_name(path)} holds no notebook, but {held}"
    if not path.is_file() or path.suffix != ".ipynb":
        return f"{_name(path)} is no notebook; expected a file *.ipynb"
    try:
        if (size := path.stat().st_size) > LARGEST:
            return f"{_name(path)} has {size / 2**20:.0f} MiB; at most {LARGEST // 2**20} are read"
        text = path.read_text("utf-8")
        if (count := len(json.loads(text)["cells"])) > MOST_CELLS:
            return f"{_name(path)} has {count} cells; at most {MOST_CELLS} are run"
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
        nbformat.writes(notebook).encode("utf-8")  # fails for half a character, as \ud800
    except Exception as error:  # nbformat, JSON and the file system each have their own
        reason = " ".join(str(error).split())[:120]
        return f"{_name(path)} is no notebook: {type(error).__name__}: {reason}"
    if (length := sum(len(cell.source) for cell in notebook.cells)) > MOST_CHARACTERS:
        return f"{_name(path)} has {length} characters in its cells; at most {MOST_CHARACTERS}"
    return notebook


def _belongs(
    one: NotebookNode | str, path: Path, assignments: Mapping[str, Assignment]
) -> str | None:
    """Return the name of the assignment that most cells are of, or else the file's."""
    if isinstance(one, str):
        return path.stem if path.stem in assignments else None
    names = {grade_id(cell) for cell in one.cells}
    shared = {name: len(names & set(each.cells)) for name, each in assignments.items()}
    best = max(shared, key=lambda name: (shared[name], name == path.stem))
    return best if shared[best] or best == path.stem else None


def _submission(
    student: str, path: Path, one: NotebookNode | str, assignment: Assignment
) -> Submission:
    refused = one if isinstance(one, str) else ""
    if refused or isinstance(one, str):
        return Submission(student, assignment, path, deepcopy(assignment.release), [], refused)
    notebook, notes = rebuild(one, assignment)
    if not {grade_id(cell) for cell in one.cells} & set(assignment.cells):
        refused = f"{_name(path)} holds no cell of {assignment.name}"
    elif path.stem != assignment.name:
        notes.insert(0, f"the file is called {_name(path)}, expected {assignment.name}.ipynb")
    return Submission(student, assignment, path, notebook, notes, refused)


def rebuild(submitted: NotebookNode, assignment: Assignment) -> tuple[NotebookNode, list[str]]:
    """Return the notebook handed out with the student's work in it, and what was put right.

    Locked cells are those handed out, whatever the student made of them; of a cell to be solved the
    source is taken; other cells stay between them where they were, without their metadata.
    """
    notes = []
    cells: list[NotebookNode] = []
    seen: set[str] = set()
    for cell in submitted.cells:
        name = grade_id(cell)
        original = assignment.cells.get(name)
        if original is None or name in seen:
            if name in seen:
                notes.append(f"a second cell {name} counts as one of the student's own")
            cells.append(_own(cell))
            continue
        seen.add(name)
        cells.append(deepcopy(original))
        if original.metadata.nbgrader.solution:
            cells[-1].source = cell.source
        elif cell.source.strip() != original.source.strip():
            notes.append(f"{name} had been changed: it is as it was handed out again")
    for name, original in assignment.cells.items():
        if name not in seen:
            notes.append(f"{name} had been deleted: it is back, as it was handed out")
            cells.insert(_place(name, assignment, cells), deepcopy(original))
    notebook = deepcopy(assignment.release)
    notebook.cells = cells
    return notebook, notes


def _own(cell: NotebookNode) -> NotebookNode:
    make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    return make(cell.source)


def _place(name: str, assignment: Assignment, cells: list[NotebookNode]) -> int:
    """Behind the cell that precedes `name` in the notebook handed out, else at the start."""
    order = list(assignment.cells)
    before = order[: order.index(name)]
    here = {grade_id(cell): place for place, cell in enumerate(cells)}
    return max((here[one] + 1 for one in before if one in here), default=0)
