"""Lesson plans: one for each chapter, of one form, and true of the page that they teach."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from companion.exercises import Exercise

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
SECTIONS = [
    "Aims",
    "What it builds on",
    "Minute by minute",
    "On the board",
    "Knobs to turn",
    "Exercises",
    "Misconceptions",
    "Stuck in the code",
    "Five-minute quiz",
    "When time runs short",
]
LESSON = 90
QUOTE = re.compile(r"“(.+?)”")
SETTING = re.compile(r"^\*\*(.+?)\*\* (.+)$")
ROLE = re.compile(r"\{(eq|ref|numref|doc)\}`(?:[^`<]+<)?([^`>]+)>?`")


def squeezed(text: str) -> str:
    return " ".join(text.split())


def labels(pattern: str, folder: str) -> set[str]:
    """What the texts of a folder define by a pattern with one group."""
    found = set()
    for path in sorted((ROOT / folder).rglob("*.md")):
        found |= set(re.findall(pattern, path.read_text("utf-8"), flags=re.MULTILINE))
    return found


@pytest.fixture(scope="module")
def defined() -> dict[str, set[str]]:
    """Labels of equations, of exercises and of figures."""
    named = r"^(?::label: (?:ex|sol)-[\w-]+|\(([\w-]+)\)=)$"
    return {
        "eq": labels(r"^\$\$ \((eq-[\w-]+)\)$", "text"),
        "ref": labels(r"^:label: (ex-[\w-]+)$", "text") | labels(named, "text"),
        "numref": labels(r"^    name: (fig-[\w-]+)$", "text"),
    }


def outputs(path: Path) -> str:
    """What a page shows: prose, code, what the code printed, and the words around its figures."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        parts.append(cell.source)
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            parts += [output.get("text", ""), BeautifulSoup(html, "html.parser").get_text(" ")]
    return squeezed(" ".join(parts))


def messages(room: str, prefix: str) -> str:
    """All that the checks of a chapter's exercises can say about a mistake."""
    module = import_module(f"companion.{room}.exercises")
    found = [one for one in vars(module).values() if isinstance(one, Exercise)]
    return " ".join(
        squeezed(mistake.message)
        for one in found
        if one.label.startswith(prefix)
        for mistake in one.mistakes
    )


def exercises_of(chapter: str) -> list[tuple[str, str]]:
    """The label and the title of each exercise of a chapter."""
    text = (ROOT / "text" / f"{chapter}-exercises.md").read_text("utf-8")
    found = re.findall(r"^`{3,}\{exercise\} (.+)\n:label: (ex-[\w-]+)$", text, flags=re.MULTILINE)
    return [(label, title) for title, label in found]


def test_a_plan_has_its_sections_in_order(plan) -> None:
    assert list(plan.sections) == SECTIONS
    assert "TODO" not in plan.text


def test_its_minutes_make_a_lesson(plan) -> None:
    now = 0
    for start, minutes, *_ in plan.rows("Minute by minute"):
        assert int(start) == now
        now += int(minutes)
    assert now == LESSON


def test_its_exercises_are_those_of_the_chapter(plan) -> None:
    rows = plan.rows("Exercises")
    named = [one for row in rows for one in re.findall(r"^\{ref\}`(ex-[\w-]+)`: (.+)$", row[0])]
    assert sorted(named) == sorted(exercises_of(plan.chapter))
    assert {row[1] for row in rows} == {"in class", "at home"}
    planned = [int(row[1]) for row in plan.rows("Minute by minute") if row[2].startswith("Exerc")]
    assert sum(int(row[2]) for row in rows if row[1] == "in class") == sum(planned)


def test_what_it_refers_to_exists(plan, defined) -> None:
    for role, target in ROLE.findall(plan.text):
        if role == "doc":
            place = (BOOK / "teaching" / target).resolve()
            assert place.with_suffix(".md").is_file() or place.with_suffix(".ipynb").is_file()
        else:
            assert target in defined[role], (role, target)


def test_its_knobs_say_what_it_quotes(plan, figures) -> None:
    for title, settings, _, sees in plan.rows("Knobs to turn"):
        parts = [] if settings == "nothing" else settings.split("; ")
        chosen = dict(pair for one in parts for pair in SETTING.findall(one))
        assert len(chosen) == len(parts)
        said = figures[title].says(chosen)
        assert QUOTE.findall(sees)
        for quote in QUOTE.findall(sees):
            assert quote in said, (title, chosen, said)


def test_a_figure_is_called_by_its_title(plan, figures) -> None:
    lesson = plan.sections["Minute by minute"]
    for title in re.findall(r"figure \*(.+?)\*", lesson):
        assert title in figures
    assert {row[0] for row in plan.rows("Knobs to turn")} <= figures.keys()


def test_a_quotation_stands_on_the_page(plan) -> None:
    room = plan.chapter.split("/")[0]
    prefix = exercises_of(plan.chapter)[0][0].rsplit("-", 1)[0]
    page = outputs(BOOK / f"{plan.chapter}.ipynb") + messages(room, prefix)
    for heading, text in plan.sections.items():
        if heading != "Knobs to turn":
            for quote in QUOTE.findall(text):
                assert quote in page, (heading, quote)
