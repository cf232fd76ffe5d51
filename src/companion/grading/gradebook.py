"""nbgrader's gradebook and feedback, filled with what the judge has found."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
import nbgrader.api
from nbconvert.preprocessors import TagRemovePreprocessor
from nbformat import NotebookNode
from nbgrader.apps.api import NbGraderAPI
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    NbGraderPreprocessor,
    SaveAutoGrades,
    SaveCells,
)
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from traitlets.config import Config

from companion.errors import CompanionError
from companion.grading.assignment import EXPECTED, grade_id
from companion.grading.feedback import closed, drawn, named, prompt, quoted, read_formulas
from companion.grading.judge import Judged
from companion.grading.submission import Submission

__all__ = ["Gradebook", "ShowJudged", "course_config"]

FOUND = "companion"  # the key in a cell's metadata under which it carries what came of it


class Unfold(NbGraderPreprocessor):
    """Opens the cells that were folded because they held a solution."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, index: int
    ) -> tuple[NotebookNode, Any]:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            for key in ("jupyter", "mystnb", "tags"):
                cell.metadata.pop(key, None)
        return cell, resources


class ShowExpected(NbGraderPreprocessor):
    """Puts before a cell that draws the picture that it should draw, in a cell that stays.

    The cell has the tag `expected`, and the picture is what the solution has drawn.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        nb.cells = [part for cell in nb.cells for part in (*_picture(cell), cell)]
        return nb, resources


class ShowJudged(NbGraderPreprocessor):
    """Turns what the judge found into outputs of the cells, in place of running them."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, index: int
    ) -> tuple[NotebookNode, Any]:
        found = cell.metadata.pop(FOUND, None)
        if found is not None and cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [nbformat.from_dict(output) for output in found]
        return cell, resources


def course_config(course: Path) -> Config:
    """Return nbgrader's settings for a course folder; its pages name no outside address."""
    config = Config()
    config.CourseDirectory.root = str(course.resolve())
    config.Exchange.root = str(course.resolve() / "exchange")  # asked for, though not used here
    config.CourseDirectory.course_id = "taken-apart"
    config.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_cell_tags = {"solution"}
    config.GenerateAssignment.preprocessors = [
        TagRemovePreprocessor,
        ShowExpected,
        LockCells,
        ClearSolutions,
        ClearOutput,
        Unfold,
        CheckCellMetadata,
        ComputeChecksums,
        SaveCells,
    ]
    config.Autograde.autograde_preprocessors = [
        ShowJudged,
        SaveAutoGrades,
        AssignLatePenalties,
        CheckCellMetadata,
    ]
    config.HTMLExporter.mathjax_url = ""
    config.HTMLExporter.require_js_url = ""
    config.HTMLExporter.jquery_url = ""
    return config


class Gradebook:
    """The gradebook of a course folder, ``gradebook.db``, as nbgrader's own tools read it."""

    def __init__(self, course: Path) -> None:
        self.course = course
        self._api = NbGraderAPI(config=course_config(course))
        self._api.log.setLevel(logging.WARNING)
        _create(course / "gradebook.db")

    def release(self, name: str) -> None:
        """Make ``release/<name>`` from ``source/<name>``: stubs for solutions, no outputs.

        Raises:
            CompanionError: if nbgrader refuses.
        """
        _succeed(self._api.generate_assignment(name), f"to release {name}")

    def enter(self, submission: Submission, judged: Judged, page: Path) -> dict[str, float]:
        """Enter a submission, write its feedback to `page`, and return the score of each question.

        Raises:
            CompanionError: if nbgrader refuses, or a file cannot be written.
        """
        try:
            return self._enter(submission, judged, page)
        except (OSError, SQLAlchemyError, nbgrader.api.MissingEntry) as error:
            raise CompanionError(f"not entered: {type(error).__name__}: {error}") from error

    def _enter(self, submission: Submission, judged: Judged, page: Path) -> dict[str, float]:
        name, student = submission.assignment.name, submission.folder
        folder = self.course / "submitted" / student / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        nbformat.write(told(submission, judged), folder / f"{name}.ipynb")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # nbgrader's own queries cause some
            for step in (self._api.autograde, self._api.generate_feedback):
                _succeed(step(name, student), f"{name} of {student}")
        made = self.course / "feedback" / student / name / f"{name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        text = drawn(named(closed(made.read_text("utf-8"))), read_formulas(self.course))
        page.write_text(text, "utf-8")
        with self._api.gradebook as book:
            grades = book.find_submission_notebook(name, name, student).grades
            return {grade.name: float(grade.score) for grade in grades}


def _create(database: Path) -> None:
    """Make the database if it is not there. nbgrader runs `alembic`, which lies beside Python."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        nbgrader.api.Gradebook(f"sqlite:///{database.resolve()}").close()
    finally:
        os.environ["PATH"] = before


def _succeed(result: dict[str, Any], what: str) -> None:
    if result["success"]:
        return
    if result["error"].rstrip().endswith("KeyboardInterrupt"):
        raise KeyboardInterrupt  # nbgrader takes it for a mishap of this one notebook
    log = result.get("log", "")
    raised = re.findall(r"^[\w.]+(?:Error|Exception|Entry|Interrupt)\b.*", log, re.MULTILINE)
    reason = raised[-1] if raised else result["error"].strip().splitlines()[-1]
    raise CompanionError(f"nbgrader refuses {what}: {reason}") from RuntimeError(log)


def _picture(cell: NotebookNode) -> list[NotebookNode]:
    """Return a locked cell with what a drawing cell has drawn and its caption, or none."""
    if EXPECTED not in cell.metadata.get("tags", []):
        return []
    name, told = grade_id(cell), cell.metadata["mystnb"]
    data = next(output.data["image/png"] for output in cell.outputs if "data" in output)
    alt, caption = told["image"]["alt"].strip(), told["figure"]["caption"].strip()
    source = f"**What should come out.** {caption}\n\n![{alt}](attachment:expected.png)"
    metadata = {**cell.metadata["nbgrader"], "grade_id": f"{name}-expected"}
    return [
        nbformat.v4.new_markdown_cell(
            source,
            id=f"{cell.id}-expected",
            attachments={"expected.png": {"image/png": data}},
            metadata={"nbgrader": metadata},
        )
    ]


def told(submission: Submission, judged: Judged) -> NotebookNode:
    """Return the notebook of a submission, each cell with its outputs in its metadata."""
    notebook = deepcopy(submission.notebook)
    ours = {cell.source for cell in submission.assignment.release.cells}
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            cell.metadata[FOUND] = _outputs(place, cell, submission, judged)
        else:
            cell.source = (prompt if cell.source in ours else quoted)(cell.source)
    if words := [submission.refused] if submission.refused else submission.notes:
        heading = "Refused" if submission.refused else "Put right before grading"
        lines = "\n".join(f"- {_plain(line)}" for line in words)
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"**{heading}**\n\n{lines}"))
    return notebook


def _outputs(
    place: int, cell: NotebookNode, submission: Submission, judged: Judged
) -> list[dict[str, Any]]:
    name = grade_id(cell)
    if name in submission.assignment.questions:
        verdict = judged.verdicts.get(name)
        if verdict is None:
            return [_error("not judged")]
        return [_text(verdict.words + "\n")] if verdict.right else [_error(verdict.words)]
    found = [_text(judged.printed[place])] if judged.printed.get(place) else []
    return [*found, _error(judged.errors[place])] if place in judged.errors else found


def _text(words: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": words}


def _error(words: str) -> dict[str, Any]:
    lines = words.splitlines()
    return {"output_type": "error", "ename": "", "evalue": lines[0], "traceback": lines}


def _plain(line: str) -> str:
    """A line as Markdown that shows it as it is."""
    return f"`{' '.join(line.replace('`', chr(39)).split())}`"
