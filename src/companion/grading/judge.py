"""A notebook judged: its cells run in a learner's process, its answers tried from this one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from nbformat import NotebookNode

from companion.exercises import Exercise, other_draws
from companion.grading.assignment import EXPECTED, Assignment, Question, grade_id
from companion.grading.sandbox import Limits
from companion.grading.session import Ended, Session, legible

__all__ = ["Judged", "Verdict", "judge_notebook"]


@dataclass(frozen=True)
class Verdict:
    """Whether one answer is right, and what its author is told."""

    right: bool
    words: str


@dataclass
class Judged:
    """What came of a notebook: by the place of a cell, and by the grade_id of a question."""

    printed: dict[int, str] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)


def judge_notebook(
    notebook: NotebookNode, assignment: Assignment, *, limits: Limits, hidden: int
) -> Judged:
    """Run the cells of `notebook` and judge its answers, on the inputs of the page and on others.

    A cell that stops the process (its time is up, it exits, it takes too much) is left out, and the
    others run again in a new one, so that an endless loop costs the answer that it is in.

    Args:
        notebook: cells as ``rebuild`` leaves them.
        hidden: the number that the hidden checks draw their inputs by.
    """
    work = _Work(notebook, assignment, limits, hidden)
    while not work.finished:
        work.go_on()
    return work.judged


class _Work:
    """The state of judging one notebook, from one process to the next."""

    def __init__(
        self, notebook: NotebookNode, assignment: Assignment, limits: Limits, hidden: int
    ) -> None:
        self.cells = list(notebook.cells)
        self.questions = assignment.questions
        self.limits, self.hidden = limits, hidden
        self.deadline = time.monotonic() + limits.seconds
        self.judged = Judged()
        self.harmful: set[int] = set()
        self.finished = False

    def go_on(self) -> None:
        """Run what is left in a new process, until the end or until a cell stops it."""
        if time.monotonic() >= self.deadline:
            self._give_up()
            return
        place = 0
        with Session(self.limits, self.deadline) as session:
            try:
                for place, cell in enumerate(self.cells):
                    if _counts(cell) and place not in self.harmful:
                        self._take(place, cell, session)
            except Ended as ended:
                self._blame(place, str(ended))
                return
        self.finished = True

    def _take(self, place: int, cell: NotebookNode, session: Session) -> None:
        question = self.questions.get(grade_id(cell))
        if question is None:
            printed, error = session.run(cell.source)
            self.judged.printed[place] = printed
            if error is not None:
                self.judged.errors[place] = error
        elif question.cell not in self.judged.verdicts:
            self.judged.verdicts[question.cell] = _judge(question, session, self.hidden)

    def _blame(self, place: int, reason: str) -> None:
        self.harmful.add(place)
        words = f"The process was stopped here: {reason}."
        question = self.questions.get(grade_id(self.cells[place]))
        if question is None:
            self.judged.errors[place] = words
        else:
            self.judged.verdicts[question.cell] = Verdict(False, f"✗ {words}")

    def _give_up(self) -> None:
        self.finished = True
        words = f"✗ Not judged: the {self.limits.seconds:.0f} seconds of the submission were up."
        for name in self.questions:
            self.judged.verdicts.setdefault(name, Verdict(False, words))


def _counts(cell: NotebookNode) -> bool:
    """Whether a cell is run: drawings are for the student, and cost a second each."""
    return cell.cell_type == "code" and EXPECTED not in cell.metadata.get("tags", [])


def _judge(question: Question, session: Session, hidden: int) -> Verdict:
    session.allow()
    answer = session.function(question.name)
    exercise = question.exercise
    if (message := _message(exercise, answer)) is not None:
        return Verdict(False, f"✗ {exercise.label}\n{message}")
    session.allow()
    with other_draws(hidden):
        message = _message(exercise, answer)
    if message is not None:
        words = "Right on the inputs of the page, wrong on others of the same kind."
        return Verdict(False, f"✗ {exercise.label}\n{words}\n{message}")
    return Verdict(True, f"✓ {exercise.label}   {exercise.scope()}")


def _message(exercise: Exercise, answer: object) -> str | None:
    """What is wrong with an answer. One that its judge cannot take is wrong, and stops no other."""
    try:
        message = exercise.judge(answer)
    except Exception as error:
        return f"what came back cannot be judged: {type(error).__name__}: {legible(error)[:160]}"
    return message if message is None else legible(message)
