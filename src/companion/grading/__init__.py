"""Grading: submitted notebooks run shut in, judged from outside, and entered into nbgrader.

The learner's cells run in a process of their own that holds no solution and, where the system
allows it, sees no network and no file of anybody. The judges of the exercises run in another: they
call the learner's functions through a pipe, so nothing that a submission does to its own copy of
the checks has an effect, and a judge that is kept busy by what comes back is killed as a cell is.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from companion.grading.assignment import Assignment, read_assignments
    from companion.grading.course import Grade, grade_course
    from companion.grading.court import Court
    from companion.grading.judge import Judged, Verdict, judge_notebook
    from companion.grading.sandbox import Isolation, Limits, isolation
    from companion.grading.submission import Submission, collect

__all__ = [
    "Assignment",
    "Court",
    "Grade",
    "Isolation",
    "Judged",
    "Limits",
    "Submission",
    "Verdict",
    "collect",
    "grade_course",
    "isolation",
    "judge_notebook",
    "read_assignments",
]

# Looked up when they are asked for: every submission starts a process from this package that must
# not wait for nbgrader, which takes longer to import than torch.
HOMES = {
    "assignment": ("Assignment", "read_assignments"),
    "course": ("Grade", "grade_course"),
    "court": ("Court",),
    "judge": ("Judged", "Verdict", "judge_notebook"),
    "sandbox": ("Isolation", "Limits", "isolation"),
    "submission": ("Submission", "collect"),
}


def __getattr__(name: str) -> object:
    for home, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"companion.grading.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
