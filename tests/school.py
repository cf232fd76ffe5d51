"""A class for the tests of grading: one assignment, its solutions, what students hand in."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from companion.grading import Assignment
from companion.grading.assignment import grade_id

NAME = "primary-tasks-exercises"
HIDDEN = 1_234_567


@dataclass(frozen=True)
class Class:
    """What ``make class`` has made of one assignment, and its solutions."""

    folder: Path
    assignment: Assignment
    solutions: dict[str, str]

    @property
    def course(self) -> Path:
        return self.folder / "course"

    def notebook(
        self, *, solved: bool | list[str] = True, changed: Mapping[str, str] | None = None
    ) -> NotebookNode:
        """The notebook handed out, some of its cells solved, some with another source."""
        notebook = deepcopy(self.assignment.release)
        for cell in notebook.cells:
            name = grade_id(cell)
            if name in self.solutions and (solved is True or (solved and name in solved)):
                cell.source = self.solutions[name]
            short = name.removeprefix("ex-primary-")
            cell.source = (changed or {}).get(short, cell.source)
        return notebook

    def hand_in(
        self, folder: Path, notebooks: Mapping[str, NotebookNode], file: str = f"{NAME}.ipynb"
    ) -> Path:
        for student, notebook in notebooks.items():
            path = folder / student / file
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, path)
        return folder
