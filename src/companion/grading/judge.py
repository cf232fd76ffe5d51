"""A notebook judged: trials are held, one after another, until every answer has a verdict."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from nbformat import NotebookNode

from companion.errors import CompanionError
from companion.grading.assignment import EXPECTED, Assignment, grade_id
from companion.grading.court import START, Court, Trial
from companion.grading.sandbox import Limits

__all__ = ["Judged", "Verdict", "judge_notebook"]

GRACE = 5.0  # seconds for a judge to notice by itself that time is up


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
    notebook: NotebookNode, assignment: Assignment, *, limits: Limits, hidden: int, court: Court
) -> Judged:
    """Run the cells of `notebook` and judge its answers, on the inputs of the page and on others.

    A cell that stops its process (its time is up, it exits, it takes too much), or whose answer
    stops the judge, is left out, and the others run again in a new trial: an endless loop costs
    the answer that it is in.

    Args:
        notebook: cells as ``rebuild`` leaves them.
        hidden: the number that the hidden checks draw their inputs by.

    Raises:
        CompanionError: if a process does not start, tried twice, or for a fault of a judge.
    """
    work = _Work(notebook, assignment, limits, hidden)
    while not work.finished:
        work.go_on(court)
    return work.judged


class _Work:
    """The state of judging one notebook, from one trial to the next."""

    def __init__(
        self, notebook: NotebookNode, assignment: Assignment, limits: Limits, hidden: int
    ) -> None:
        self.cells = list(notebook.cells)
        self.questions = assignment.questions
        self.limits, self.hidden = limits, hidden
        self.deadline = time.monotonic() + limits.seconds
        self.judged = Judged()
        self.harmful: set[int] = set()
        self.place: int | None = None  # of the cell that has its turn
        self.started = self.finished = False
        self.failures = 0

    def go_on(self, court: Court) -> None:
        """Hold a trial of what is left, until the end or until a cell stops it."""
        if (left := self.deadline - time.monotonic()) <= 0 and self.started:
            self._give_up()
            return
        self.place = None
        try:
            with court.trial(self._request(left)) as trial:
                reason = self._follow(trial)
        except CompanionError:
            self.failures += 1
            if self.started and time.monotonic() >= self.deadline:
                return  # too late for another process: what is left is not judged
            if self.place is not None or self.failures > 1:
                raise
            return
        if reason is None:
            self.finished = True
        elif self.place is not None:
            self._blame(self.place, reason)

    def _request(self, left: float) -> dict[str, Any]:
        """What a trial has to know: the cells that count, without those that did harm."""
        cells = []
        for place, cell in enumerate(self.cells):
            question = self.questions.get(grade_id(cell))
            if not _counts(cell) or place in self.harmful:
                continue
            if question is None:
                cells.append((place, cell.source, None))
            elif question.cell not in self.judged.verdicts:
                where = (question.module, question.attribute, question.name)
                cells.append((place, cell.source, where))
        limits = asdict(self.limits)
        return {"limits": limits, "left": left, "hidden": self.hidden, "cells": cells}

    def _follow(self, trial: Trial) -> str | None:
        """Take what a trial says as it comes; return why it broke off, ``None`` at its end."""
        wait = START
        while (told := self._hear(trial, wait)) is not None:
            if "at" in told:
                self.place, self.started, self.failures = told["at"], True, 0
                wait = 2 * self.limits.cell_seconds  # an answer is tried twice
            elif "worker" in told:
                trial.watch(told["worker"])
            elif "failed" in told:
                raise CompanionError(told["failed"])
            elif "done" in told or "ended" in told:
                return told.get("ended")
            else:
                self._take(told)
        if self.place is None:
            raise CompanionError("a process for grading does not start: its judge ended")
        return "what came back ended its judge"

    def _hear(self, trial: Trial, wait: int | float) -> dict[str, Any] | None:
        try:
            return trial.hear(min(time.monotonic() + wait, self.deadline) + GRACE)
        except TimeoutError:
            if self.place is None:
                raise CompanionError("a process for grading does not start: no word") from None
            return {"ended": "what came back kept its judge busy until time was up"}

    def _take(self, told: dict[str, Any]) -> None:
        """Enter what came of the cell that has its turn."""
        place = self.place
        if place is None:
            raise CompanionError(f"a trial of no cell says {told}")
        if "right" in told:
            name = grade_id(self.cells[place])
            self.judged.verdicts[name] = Verdict(told["right"], told["words"])
            return
        self.judged.printed[place] = told["printed"]
        if told["error"] is not None:
            self.judged.errors[place] = told["error"]

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
