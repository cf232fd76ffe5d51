"""The course: submissions judged, entered into nbgrader's gradebook, answered with feedback."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from companion.errors import CompanionError, DataError
from companion.grading.assignment import read_assignments
from companion.grading.court import Court
from companion.grading.gradebook import Gradebook
from companion.grading.judge import Judged, judge_notebook
from companion.grading.sandbox import Limits
from companion.grading.submission import Submission, collect

__all__ = ["Grade", "grade_course", "hidden_number"]

HIDDEN = "hidden-checks.txt"


@dataclass(frozen=True)
class Grade:
    """One line of the table of grades: the scores are those of nbgrader's gradebook.

    Attributes:
        failed: why there is no grade, for a fault that is not the student's; empty if there is one.
    """

    submission: Submission
    scores: dict[str, float]
    failed: str = ""

    @property
    def score(self) -> float:
        return sum(self.scores.values())

    @property
    def status(self) -> str:
        return "failed" if self.failed else "refused" if self.submission.refused else "graded"

    @property
    def notes(self) -> list[str]:
        one = self.submission
        return [note for note in (self.failed, one.refused) if note] or one.notes


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
        out: the table. The page of feedback that its column `feedback` names lies beside it.
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
    with closing(_judge(found, limits or Limits(), hidden, workers or os.cpu_count() or 1)) as done:
        for one, judged in done:
            grades.append(_enter(gradebook, one, judged, out.parent))
            report(one)
    grades.sort(key=lambda grade: (grade.submission.student, grade.submission.assignment.name))
    _write_table(grades, out)
    return grades


def _judge(
    found: Sequence[Submission], limits: Limits, hidden: int, workers: int
) -> Generator[tuple[Submission, Judged | CompanionError], None, None]:
    """Yield each submission as soon as it is judged, or cannot be; meanwhile the next ones are."""
    court = Court(q.module for one in found for q in one.assignment.questions.values())

    def work(one: Submission) -> Judged | CompanionError:
        about = one.notebook, one.assignment
        try:
            return judge_notebook(*about, limits=limits, hidden=hidden, court=court)
        except CompanionError as error:
            return error

    pool = ThreadPoolExecutor(workers)
    try:
        running = {pool.submit(work, one): one for one in found if not one.refused}
        yield from ((one, Judged()) for one in found if one.refused)
        for done in as_completed(running):
            yield running[done], done.result()
    finally:
        court.close()  # and whoever is being judged, if this ends before its time
        pool.shutdown(cancel_futures=True)


def _enter(
    gradebook: Gradebook, one: Submission, judged: Judged | CompanionError, beside: Path
) -> Grade:
    """Return the grade of one submission; what stops it stops no other."""
    if isinstance(judged, CompanionError):
        return Grade(one, {}, str(judged))
    try:
        return Grade(one, gradebook.enter(one, judged, beside / feedback_path(one)))
    except CompanionError as error:
        return Grade(one, {}, str(error))


def feedback_path(one: Submission) -> Path:
    """Where the feedback of a submission lies, as seen from the table's folder."""
    return Path("feedback") / one.folder / f"{one.assignment.name}.html"


def _write_table(grades: Sequence[Grade], out: Path) -> None:
    """Write one row for each submission, and one column for each question, whole or not at all."""
    questions = [name for grade in grades for name in grade.submission.assignment.questions]
    columns = [name.removesuffix("-check") for name in dict.fromkeys(questions)]
    first = ["student", "assignment", "score", "points", "status", "notes", "feedback"]
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
        "score": "" if grade.failed else grade.score,
        "points": one.assignment.points,
        "status": grade.status,
        "notes": "; ".join(grade.notes),
        "feedback": "" if grade.failed else feedback_path(one).as_posix(),
        **{name.removesuffix("-check"): score for name, score in grade.scores.items()},
    }
