"""Judges that what comes back keeps busy, fills or kills: each loses its own answer, and no other.

The exercises are made for this: their judge does what the answer says.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import psutil
import pytest

from companion.errors import CompanionError
from companion.grading import Assignment, Court, Judged, Limits, judge_notebook
from companion.grading.assignment import Question
from companion.grading.court import Trial

EXERCISE = """
import os, time
from companion.exercises import Exercise

def judge(answer):
    told = answer()
    while told == "busy":
        time.sleep(1)
    if told == "killed":
        os.abort()
    return None if told == "right" else f"{told}: {len(bytearray(2**31))}"

OBEYS = Exercise("ex-obeys", judge, (), lambda: "one call")
"""
SECONDS = 7321  # marks what these tests start
COURT, WORKER, OTHER = "obedient", f'"seconds": {SECONDS + 1}', f"sleep {SECONDS}"
START = f"import subprocess; subprocess.Popen(['/bin/sleep', '{SECONDS}'])"


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    folder = tmp_path_factory.mktemp("exercises")
    (folder / "obedient.py").write_text(EXERCISE)
    with pytest.MonkeyPatch.context() as patch, Court(["obedient"]) as opened:
        patch.setenv("PYTHONPATH", str(folder))
        patch.setenv("PATH", str(folder))  # no bubblewrap, which would kill the rest by itself
        patch.setattr("companion.grading.judge.GRACE", 2.0)
        yield opened


def judged(court: Court, *answers: str, source: str = "", patience: int = 2) -> Judged:
    """Judge a notebook whose answers return these words, each with its check."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    questions = {}
    for name in answers:
        told = {"grade_id": name, "solution": False, "grade": True, "points": 1}
        notebook.cells += [
            nbformat.v4.new_code_cell(f"def {name}():\n    return '{name}'"),
            nbformat.v4.new_code_cell("check", metadata={"nbgrader": told}),
        ]
        questions[name] = Question(name, "obedient", "OBEYS", name, 1.0)
    assignment = Assignment("obedient", notebook)
    vars(assignment)["questions"] = questions
    limits = Limits(cell_seconds=patience, seconds=SECONDS)
    return judge_notebook(notebook, assignment, limits=limits, hidden=1, court=court)


def left(mark: str) -> list[psutil.Process]:
    """The processes of this file: the court and its judges, or what learners have started."""
    found = []
    for one in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(one.info["cmdline"] or [])
        if mark in words and one.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(one)
    return found


def eventually(holds: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_an_answer_that_stops_its_judge_costs_no_other(court: Court) -> None:
    answers = ["busy", "killed", "right"]
    if sys.platform == "linux":  # elsewhere the system counts no data
        answers.insert(2, "filled")
    verdicts = judged(court, *answers, source=START).verdicts
    assert {name: verdict.right for name, verdict in verdicts.items()} == {
        name: name == "right" for name in answers
    }
    assert "kept its judge busy until time was up" in verdicts["busy"].words
    assert "ended its judge" in verdicts["killed"].words
    if "filled" in verdicts:
        assert "cannot be judged: MemoryError" in verdicts["filled"].words
    assert left(WORKER) + left(OTHER) == [], "a process has outlived its judge"
    assert len(left(COURT)) == 1, "a judge has outlived its trial"


def test_a_court_that_was_killed_begins_again_and_its_end_ends_all(court: Court) -> None:
    before = left(COURT)
    assert before
    for process in before:
        process.kill()
        process.wait()
    heard: list[BaseException] = []

    def work() -> None:
        try:
            judged(court, source=f"{START}.wait()", patience=SECONDS)
        except CompanionError as error:
            heard.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    eventually(lambda: left(OTHER))
    court.close()
    thread.join(30)
    assert heard
    assert left(COURT) + left(WORKER) + left(OTHER) == []


class Barred(Court):
    """A court in which the first trials do not begin."""

    def __init__(self, times: int) -> None:
        super().__init__([])
        self.times, self.asked = times, 0

    def trial(self, request: dict[str, Any]) -> Trial:
        self.asked += 1
        if self.asked <= self.times:
            raise CompanionError(f"try {self.asked}")
        raise ZeroDivisionError


@pytest.mark.parametrize(("times", "error"), [(1, ZeroDivisionError), (2, CompanionError)])
def test_a_process_that_does_not_start_is_tried_once_more(
    times: int, error: type[Exception]
) -> None:
    court = Barred(times)
    with pytest.raises(error):
        judged(court, "right")
    assert court.asked == 2
