"""The course: submissions judged, entered into nbgrader's gradebook, answered with feedback."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from companion.errors import DataError
from companion.grading.assignment import read_assignments
from companion.grading.gradebook import Gradebook
from companion.grading.judge import Judged, judge_notebook
from companion.grading.sandbox import Limits
from companion.grading.submission import Submission, collect

__all__ = ["Grade", "grade_course", "hidden_number"]

HIDDEN = "hidden-checks.txt"


@dataclass(frozen=True)
class Grade:
    """One line of the table of grades: the scores are those of nbgrader's gradebook."""

    submission: Submission
    scores: dict[str, float]

    @property
    def score(self) -> float:
        return sum(self.scores.values())


def hidden_number(course: Path) -> int:
    """Return the number that the hidden checks of a course draw their inputs by.

    Raises:
        DataError: if the course has none.
    """
    path = course / HIDDEN
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a whole number, as `make class` writes it") from error


def grade_course(
    submissions: Path,
    *,
    course: Path,
    out: Path,
    only: str | None = None,
    limits: Limits | None = None,
    workers: int | None = None,
    report: Callable[[Submission], None] = lambda submission: None,
) -> list[Grade]:
    """Grade a folder of submissions; write `out` (CSV) and feedback for each student beside it.

    Args:
        submissions: as ``collect`` takes them; nothing in it is changed.
        course: what ``make class`` wrote to ``_build/class/course``; its gradebook is filled.
        out: the table. Feedback goes to ``<out's folder>/feedback/<student>/<assignment>.html``.
        only: one assignment.
        limits: what a submission may use.
        workers: submissions judged at a time; the number of cores if ``None``.
        report: called after each submission.

    Raises:
        DataError: if there is nothing to grade, or no course.
    """
    assignments = read_assignments(course)
    hidden = hidden_number(course)
    found = collect(submissions, assignments, only=only)
    gradebook = Gradebook(course)
    grades = []
    for one, judged in _judge(found, limits or Limits(), hidden, workers or os.cpu_count() or 1):
        page = out.parent / "feedback" / one.student / f"{one.assignment.name}.html"
        grades.append(Grade(one, gradebook.enter(one, judged, page)))
        report(one)
    grades.sort(key=lambda grade: (grade.submission.student, grade.submission.assignment.name))
    _write_table(grades, out)
    return grades


def _judge(
    found: Sequence[Submission], limits: Limits, hidden: int, workers: int
) -> Iterator[tuple[Submission, Judged]]:
    """Yield each submission as soon as it is judged; meanwhile the next ones are."""

    def work(one: Submission) -> Judged:
        return judge_notebook(one.notebook, one.assignment, limits=limits, hidden=hidden)

    yield from ((one, Judged()) for one in found if one.refused)
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(work, one): one for one in found if not one.refused}
        for done in as_completed(running):
            yield running[done], done.result()


def _write_table(grades: Sequence[Grade], out: Path) -> None:
    """Write one row for each submission, and one column for each question, whole or not at all."""
    questions = [name for grade in grades for name in grade.submission.assignment.questions]
    columns = [name.removesuffix("-check") for name in dict.fromkeys(questions)]
    first = ["student", "assignment", "score", "points", "status", "notes"]
    partial = out.with_suffix(out.suffix + ".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*first, *columns])
        table.writeheader()
        table.writerows(map(_row, grades))
    os.replace(partial, out)


def _row(grade: Grade) -> dict[str, object]:
    one = grade.submission
    return {
        "student": one.student,
        "assignment": one.assignment.name,
        "score": grade.score,
        "points": one.assignment.points,
        "status": "refused" if one.refused else "graded",
        "notes": "; ".join([one.refused] if one.refused else one.notes),
        **{name.removesuffix("-check"): score for name, score in grade.scores.items()},
    }
