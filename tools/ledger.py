"""Every numbered equation is run: equations and checks, one to one.

ledger.py write    write book/equations.md from text/ and the outputs stored in book/
ledger.py check    fail on an equation without a check, a check without an equation, a check that
                   cannot fail, a label used twice, or a ledger that is out of date
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from equations import Chapter, Check, Record, read_chapters

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path("book") / "equations.md"
LABEL = re.compile(r"eq-[a-z0-9-]+")
SPECIAL = re.compile(r"[\\`*_$<>\[\]{}~]")  # what Markdown would read as more than itself
INTRODUCTION = """\
# Ledger of equations

% Made by tools/ledger.py from the chapters and their outputs. Do not edit: run `make notebooks`.

Every numbered equation of this book is run. The table says for each one what was compared, how
closely, and which wrong variants the same check has refused: a check that cannot fail is no check.
"""


def problems(chapters: list[Chapter]) -> Iterator[str]:
    """Yield one line for every equation, check or record that is not as it should be."""
    equations: dict[str, str] = {}
    checks: dict[str, str] = {}
    for chapter in chapters:
        yield from chapter.faults
        yield from _equation_problems(chapter, equations)
    for chapter in chapters:
        for check in chapter.checks:
            if check.label in checks:
                complaint = f"a second check for {check.label}, the first is in"
                yield chapter.at(check.line, f"{complaint} {checks[check.label]}")
            elif check.label not in equations:
                yield chapter.at(check.line, f"a check of {check.label}, which labels no equation")
            checks.setdefault(check.label, chapter.place(check.line))
            yield from _check_problems(chapter, check)
    for label, place in equations.items():
        if label not in checks:
            yield f"{place}: {label} has no check"


def _equation_problems(chapter: Chapter, seen: dict[str, str]) -> Iterator[str]:
    """Faults of the equations of one chapter; `seen` collects where each label stands."""
    for equation in chapter.equations:
        if equation.fault:
            if not chapter.source.stem.endswith("-exercises"):
                yield chapter.at(equation.line, equation.fault)
            continue
        if not LABEL.fullmatch(equation.label):
            expected = "expected 'eq-' and then a-z, 0-9, '-'"
            yield chapter.at(equation.line, f"label {equation.label!r}: {expected}")
        if equation.label in seen:
            complaint = f"{equation.label} is used twice, first in {seen[equation.label]}"
            yield chapter.at(equation.line, complaint)
        seen.setdefault(equation.label, chapter.place(equation.line))


def _check_problems(chapter: Chapter, check: Check) -> Iterator[str]:
    if check.kind != "definition":
        if check.wrong is None:
            complaint = "wrong variants have to be named in a literal dict"
            yield chapter.at(check.line, f"{check.label}: {complaint}")
            return
        if not check.wrong:
            complaint = "no wrong variant: a check that cannot fail is no check"
            yield chapter.at(check.line, f"{check.label}: {complaint}")
            return
    if chapter.executed and (complaint := _record_problem(chapter, check)):
        yield chapter.at(check.line, f"{check.label}: {complaint}")


def _record_problem(chapter: Chapter, check: Check) -> str:
    records, notebook = chapter.records.get(check.label, []), chapter.notebook.as_posix()
    if not records:
        return f"its line is not in the outputs of {notebook}: run `make notebooks`"
    if len(records) > 1:
        return f"its line is {len(records)} times in the outputs of {notebook}, expected once"
    if not _matches(check, records[0]):
        expected = ", ".join(check.wrong or ()) or "a definition"
        return f"{notebook} has refused {records[0].rejected or 'nothing'}, expected {expected}"
    return ""


def _matches(check: Check, record: Record) -> bool:
    """Whether the line that was printed belongs to the check as it stands in the text."""
    value = r" \(\S+\)" if check.kind == "rate" else ""
    names = ", ".join(re.escape(name) + value for name in check.wrong or ())
    return re.fullmatch(names, record.rejected) is not None


def page(chapters: list[Chapter]) -> str:
    """Return the ledger as a page of the book. The chapters are free of problems."""
    checks = [check for chapter in chapters for check in chapter.checks]
    definitions = sum(check.kind == "definition" for check in checks)
    totals = [
        _count(len(checks), "equation"),
        f"{_count(len(checks) - definitions, 'check')} run",
        f"{_count(sum(len(check.wrong or ()) for check in checks), 'wrong variant')} refused",
        f"{_count(definitions, 'definition')} counted separately",
    ]
    tables = [_table(chapter) for chapter in chapters if chapter.checks]
    return "\n".join([INTRODUCTION, f"**{' · '.join(totals)}**", *tables, ""])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _table(chapter: Chapter) -> str:
    at = {equation.label: equation.line for equation in chapter.equations}
    rows = [
        ("Equation", "Kind", "What was compared", "Tolerance", "Wrong variants refused"),
        ("---",) * 5,
    ]
    for check in sorted(chapter.checks, key=lambda check: at.get(check.label, check.line)):
        record = chapter.records[check.label][0]
        link = f"{{eq}}`{check.label}` `{check.label}`"
        cells = (check.compared, record.tolerance, SPECIAL.sub(r"\\\g<0>", record.rejected))
        rows.append((link, check.kind, *(cell.replace("|", "\\|") or "–" for cell in cells)))
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    heading = f"## [{chapter.title or chapter.document}]({chapter.document}.ipynb)"
    return "\n".join(["", heading, "", *lines])


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check the ledger of the tree at `root`; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("action", choices=["write", "check"])
    action = parser.parse_args(arguments).action
    chapters = read_chapters(root)
    found = list(problems(chapters))
    if not found:
        text = page(chapters)
        path = root / PAGE
        current = path.read_text("utf-8") if path.is_file() else None
        if action == "write" and current != text:
            path.write_text(text, "utf-8")
        elif current != text:
            found.append(f"{PAGE.as_posix()}:1: out of date: run `make notebooks`")
    for line in found:
        print(line, file=sys.stderr)
    if not found:
        print(f"{PAGE.as_posix()}: {_count(sum(len(c.checks) for c in chapters), 'equation')}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
