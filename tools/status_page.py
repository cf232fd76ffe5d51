"""The tables of the page book/status.md, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import equations
import reading
import status

Row = tuple[Any, ...]


def page(root: Path, found: dict[str, equations.Chapter]) -> str:
    """Return totals, a row for every notebook, and the versions; `found` holds what was checked."""
    recorded = status.read(root)
    rows = [_chapter(root, one, found[one.document], recorded) for one in reading.chapters(root)]
    sums = [sum(int(row[at]) for row in rows) for at in range(1, 5)]
    heads = ("chapter", "equations", "wrong variants", "exercises", "minutes to read",
             "s to run", "s, exercises", "executed")  # fmt: skip
    parts = [
        f"**{sums[0]} equations · {sums[1]} wrong variants refused · {sums[2]} exercises · "
        f"{_tests(recorded)}**",
        _table(heads, [*rows, ("all", *sums, *_sums(rows), "")]),
        _where(recorded["environment"]),
    ]
    return "\n\n".join(parts)


def _chapter(
    root: Path, one: reading.Chapter, found: equations.Chapter, recorded: dict[str, Any]
) -> Row:
    runs = [recorded["notebooks"][name] for name in (one.document, one.exercises)]
    return (
        f"[{one.number} · {one.title}]({one.document}.ipynb)",
        len(found.checks),
        sum(len(check.wrong or ()) for check in found.checks),
        reading.exercise_count(root, one.exercises),
        reading.reading(root, one.document).minutes,
        *(f"{run['processor_s']:.1f}" for run in runs),
        min(run["date"] for run in runs).replace("-", "\u2011"),  # not broken between lines
    )


def _sums(rows: list[Row]) -> list[str]:
    return [f"{sum(float(row[at]) for row in rows):.1f}" for at in (5, 6)]


def _tests(recorded: dict[str, Any]) -> str:
    """What pytest has collected: tests, examples, cells."""
    if "tests" not in recorded:
        return "tests not yet counted"
    counts = {name: number for name, number in recorded["tests"].items() if name != "date"}
    told = [f"{number} {name}" for name, number in sorted(counts.items(), reverse=True)]
    return f"{' · '.join(told)}, counted on {recorded['tests']['date']}"


def _where(environment: dict[str, Any]) -> str:
    rows = [(f"`{name}`", found) for name, found in environment["packages"].items()]
    machine = f"{environment['machine']}, {environment['system']}, Python {environment['python']}"
    return (
        f"## With what\n\n{machine}, and these packages:\n\n{_table(('package', 'version'), rows)}"
    )


def _table(heads: Row, rows: Sequence[Row]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
