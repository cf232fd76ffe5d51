"""An assignment: the solved notebook of a course, and what of it belongs to the learner."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from companion.errors import DataError
from companion.exercises import Exercise

__all__ = ["EXPECTED", "Assignment", "Question", "grade_id", "read_assignments"]

EXPECTED = "expected"  # the tag of a cell that draws what an answer gives


@dataclass(frozen=True)
class Question:
    """One graded cell: which exercise judges which name, for how many points.

    The exercise is ``attribute`` of ``module``.
    """

    cell: str
    module: str
    attribute: str
    name: str
    points: float


@dataclass(frozen=True)
class Assignment:
    """A notebook that is handed out: `release`, with stubs in place of solutions."""

    name: str
    release: NotebookNode

    @cached_property
    def cells(self) -> dict[str, NotebookNode]:
        """The cells that nbgrader knows, by their grade_id, in order."""
        return {name: cell for cell in self.release.cells if (name := grade_id(cell))}

    @cached_property
    def questions(self) -> dict[str, Question]:
        """The graded cells, by their grade_id."""
        imported = _imports(self.release)
        found = {}
        for name, cell in self.cells.items():
            if cell.metadata.nbgrader.grade:
                where = _checked(cell.source, imported, f"{self.name}: {name}")
                found[name] = Question(name, *where, float(cell.metadata.nbgrader.points))
        return found

    @property
    def points(self) -> float:
        """The most that can be had."""
        return sum(question.points for question in self.questions.values())


def grade_id(cell: NotebookNode) -> str:
    """Return nbgrader's name of a cell, empty if it has none.

    >>> grade_id(nbformat.v4.new_code_cell("1", metadata={"nbgrader": {"grade_id": "ex"}}))
    'ex'
    """
    metadata = cell.get("metadata", {}).get("nbgrader", {})
    name = metadata.get("grade_id", "") if isinstance(metadata, dict) else ""
    return name if isinstance(name, str) else ""


def read_assignments(course: Path) -> dict[str, Assignment]:
    """Return the assignments that a course folder hands out, ``release/<name>/<name>.ipynb``.

    Raises:
        DataError: if there are none.
    """
    found = {}
    for path in sorted((course / "release").glob("*/*.ipynb")):
        if path.stem == path.parent.name:
            found[path.stem] = Assignment(path.stem, nbformat.read(path, as_version=4))
    if not found:
        raise DataError(
            f"{course} hands out no assignment; expected release/<name>/<name>.ipynb in it "
            "(`make class` writes a course to _build/class/course)"
        )
    return found


def _checked(source: str, imported: dict[str, str], place: str) -> tuple[str, str, str]:
    """Return module, exercise and answer in the one line ``check(exercises.NAME, answer)``."""
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "check"
    ]
    if len(calls) != 1 or len(calls[0].args) != 2 or not isinstance(calls[0].args[1], ast.Name):
        raise DataError(f"{place}: expected one call check(exercises.NAME, answer)")
    module, _, name = ast.unparse(calls[0].args[0]).rpartition(".")
    if module not in imported:
        raise DataError(f"{place}: nothing is imported as {module!r}")
    if not isinstance(getattr(import_module(imported[module]), name, None), Exercise):
        raise DataError(f"{place}: {imported[module]} has no exercise {name}")
    return imported[module], name, calls[0].args[1].id


def _imports(notebook: NotebookNode) -> dict[str, str]:
    """The modules of `companion` that a notebook imports, by the name they have in it."""
    return dict(
        pair
        for cell in notebook.cells
        if cell.cell_type == "code"
        for pair in _modules(cell.source)
    )


def _modules(source: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("companion."):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"
