"""How long `companion grade` takes for a class, and whether every score is the one it should be.

The class hands in notebooks of one assignment: of every twenty eight are solved, four half solved,
two not at all; one overwrites the checks, one loops without end, one exits, one asks for 30 GB, one
forks without end, one is no notebook. Judging, the gradebook and the feedback are all in the time.

Run: ``python benchmarks/grading/class.py --threads 1`` (``--tables 100`` for the smaller class).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import nbformat

from benchmarks.harness import ROOT, arguments, write
from companion.grading import Assignment, Grade, grade_course, isolation, read_assignments
from companion.grading.assignment import grade_id

NAME = "primary-tasks-exercises"
HIDDEN = 1_234_567
WORKERS = 2
HARM = {
    "loops": "while True:\n    pass",
    "exits": "import os\nos._exit(0)",
    "30 GB": "import numpy\nnumpy.ones(30 * 2**30 // 8)",
    "forks": "import os\nwhile True:\n    os.fork()",
}
CHEAT = (
    "import companion.exercises as checks\nchecks.check = print\n"
    "for name in exercises.__all__:\n"
    "    setattr(exercises, name, checks.Exercise('x', lambda answer: None, (), lambda: 'all'))"
)
KINDS = (
    *(*["solved"] * 8, *["half"] * 4, *["empty"] * 2),
    *("cheats", *HARM, "no notebook"),
)


def handed_in(kind: str, assignment: Assignment, solutions: Mapping[str, str]) -> tuple[str, float]:
    """Return the text of a submission of a kind, and the score that it should get."""
    points = {name: question.points for name, question in assignment.questions.items()}
    sources = dict(solutions)
    names = list(sources)
    if kind == "no notebook":
        return "{", 0.0
    if kind in ("empty", "cheats"):
        sources = {names[0]: CHEAT} if kind == "cheats" else {}
    elif kind == "half":
        sources = {name: sources[name] for name in names[: len(names) // 2]}
    elif kind in HARM:
        sources[names[1]] = HARM[kind]
    notebook = deepcopy(assignment.release)
    for cell in notebook.cells:
        cell.source = sources.get(grade_id(cell), cell.source)
    right = [name for name, source in sources.items() if source == solutions[name]]
    return nbformat.writes(notebook), sum(points[f"{name}-check"] for name in right)


def solutions_of(course: Path) -> dict[str, str]:
    source = nbformat.read(course / "source" / NAME / f"{NAME}.ipynb", as_version=4)
    solved = [cell for cell in source.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    return {grade_id(cell): cell.source for cell in solved}


def measure(count: int, folder: Path) -> dict[str, Any]:
    """Hand in `count` notebooks, grade them, compare every score."""
    make = [sys.executable, str(ROOT / "tools" / "classroom.py"), "--no-pages"]
    subprocess.run([*make, "--hidden", str(HIDDEN), "--out", str(folder / "class")], check=True)
    course = folder / "class" / "course"
    assignment, solutions = read_assignments(course)[NAME], solutions_of(course)
    kinds = {f"s{n:03d}": KINDS[n % len(KINDS)] for n in range(count)}
    expected = {}
    for student, kind in kinds.items():
        text, expected[student] = handed_in(kind, assignment, solutions)
        path = folder / "in" / student / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(text, "utf-8")
    ends: list[float] = []
    began = time.perf_counter()
    grades = grade_course(
        folder / "in",
        course=course,
        out=folder / "grades.csv",
        workers=WORKERS,
        report=lambda one: ends.append(round(time.perf_counter() - began, 2)),
    )
    seconds = time.perf_counter() - began
    return {
        "submissions": count,
        "kinds": Counter(kinds.values()),
        "seconds": seconds,
        "seconds_each": seconds / count,
        "entered_after_s": ends,
        "wrong_scores": wrong(grades, expected),
        "feedback_pages": len(list((folder / "feedback").rglob("*.html"))),
    }


def wrong(grades: list[Grade], expected: Mapping[str, float]) -> dict[str, list[float]]:
    """The scores that are not as they should be: what came out, and what was expected."""
    found = {grade.submission.student: grade.score for grade in grades}
    pairs = {student: [found.get(student, -1.0), score] for student, score in expected.items()}
    return {student: pair for student, pair in pairs.items() if pair[0] != pair[1]}


def main() -> None:
    options: Namespace = arguments(__doc__, tables=["100", "300"])
    rows = []
    for count in [20] if options.quick else map(int, options.tables):
        with tempfile.TemporaryDirectory(prefix="class-") as folder:
            rows.append(measure(count, Path(folder)))
        print(
            f"{count}: {rows[-1]['seconds']:.1f} s, wrong: {rows[-1]['wrong_scores']}", flush=True
        )
    about = {"assignment": NAME, "workers": WORKERS, "shut_in": isolation().words, "classes": rows}
    print(write("grading-class", options, ["nbgrader", "psutil"], about))


if __name__ == "__main__":
    main()
