"""Whoever is named is cited, whatever is listed is used, and chapters lead to one another."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from pybtex.database import parse_string

ROOT = Path(__file__).parents[1]
PARTS = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text("utf-8"))["parts"]
CHAPTERS = [chapter["file"] for chapter in PARTS[0]["chapters"]]
TEXTS = {path.stem: path.read_text("utf-8") for path in sorted(ROOT.glob("text/*/*.md"))}
BIB = (ROOT / "book" / "references.bib").read_text("utf-8")
CITE = re.compile(r"\{cite(?::\w+)?\}`([^`]*)`")
DOC = re.compile(r"\{doc\}`(?:[^`<]*<)?([^`>]*)>?`")
HEAD = re.compile(
    r"\*After Su Jianlin, \[(?P<title>[^\]]*)\]\((?P<url>[^)]*)\), (?P<date>[^{]*)"
    r" \{cite\}`(?P<key>\w+)`"
)
CODE = re.compile(r"^```\{code-cell\}.*?^```$|^```python.*?^```$", re.MULTILINE | re.DOTALL)
WORDS = {"Price"}  # names that are words as well

# who leans on whom: the text on the left links to the chapters on the right
LEANS = {
    "primary-tasks": [6],
    "event-linking": [3, 7],
    "flash": [4, 7],
    "thousand-layers": [5],
    "why-residuals": [4],
    "unpredictable-words": [1, 7],
    "gau-alpha": [2, 3, 4, 5],
    "ddpm": [5, 6, 7],
}
# where a formula of the other chapter is what is used
FORMULAS = {
    ("primary-tasks", "eq-argmax-farkas"),
    ("unpredictable-words", "eq-primary-parallel"),
    ("unpredictable-words", "eq-primary-hybrid"),
    ("thousand-layers", "eq-residual-rezero"),
    ("why-residuals", "eq-depth-prenorm"),
    ("flash", "eq-alpha-start"),
    ("gau-alpha", "eq-flash-relu2"),
    ("gau-alpha", "eq-depth-lamb"),
    ("event-linking", "eq-alpha-rope"),
    ("gau-alpha", "eq-events-rope"),
    ("ddpm", "eq-alpha-entropy"),
}


class Entry(NamedTuple):
    authors: frozenset[str]  # last names, without "van den"
    fields: dict[str, str]


def read_entries(bib: str) -> dict[str, Entry]:
    found = {}
    for key, entry in parse_string(bib, "bibtex").entries.items():
        authors = frozenset(person.last_names[-1] for person in (entry.persons or {})["author"])
        found[key] = Entry(authors, {name: str(value) for name, value in entry.fields.items()})
    return found


def cited(text: str) -> list[str]:
    return [key.strip() for keys in CITE.findall(text) for key in keys.split(",")]


def linked(text: str) -> set[int]:
    """Numbers of the chapters that a text links to."""
    names = [name.rsplit("/", 1)[-1] for name in DOC.findall(text)]
    stems = [name.rsplit("/", 1)[1] for name in CHAPTERS]
    return {stems.index(name) + 1 for name in names if name in stems}


def uncited_people(text: str, entries: dict[str, Entry]) -> Iterator[str]:
    """Yield who is named in a text that cites nothing of theirs."""
    everybody = set().union(*(entry.authors for entry in entries.values()))
    present = set().union(*(entries[key].authors for key in cited(text)))
    plain = re.sub(r"\]\([^)]*\)|`[^`]*`", " ", CODE.sub(" ", text))
    named = {name for name in re.findall(r"\b[A-Z][\w'-]{3,}\b", plain) if name not in WORDS}
    yield from sorted(named & everybody - present)


def head_faults(text: str, number: int, entries: dict[str, Entry]) -> Iterator[str]:
    """Compare the first line of a chapter with what the bibliography has of its essay."""
    head = HEAD.search(text)
    if head is None:
        yield "credits no essay"
        return
    fields = entries[head["key"]].fields
    if f"[{head['title']}]" not in fields["title"]:
        yield f"calls the essay {head['title']!r}, the bibliography {fields['title']!r}"
    if fields["url"] != head["url"]:
        yield f"links {head['url']}, the bibliography {fields['url']}"
    if fields["note"] != f"{head['date']}. Chapter {number}":
        yield f"is of {head['date']}, the bibliography says {fields['note']!r}"


ENTRIES = read_entries(BIB)


def test_every_entry_is_cited_and_every_citation_is_an_entry() -> None:
    pages = [path.read_text("utf-8") for path in ROOT.glob("book/**/*.md")]
    keys = {key for text in [*TEXTS.values(), *pages] for key in cited(text)}
    assert keys == set(ENTRIES)


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_says_who_what_when_and_where(key: str) -> None:
    fields = ENTRIES[key].fields
    assert ENTRIES[key].authors
    assert {"title", "year"} <= set(fields)
    assert {"url", "doi", "journal", "publisher", "institution"} & set(fields)
    assert re.findall(r"(?:19|20)\d\d", key) in ([], [fields["year"]])
    if match := re.fullmatch(r"https://arxiv\.org/abs/(\d\d)\d\d\.\d{4,5}", fields.get("url", "")):
        assert int(fields["year"]) >= 2000 + int(match[1])  # no paper before its preprint


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_credits_its_essay_as_the_bibliography_has_it(name: str) -> None:
    text, number = TEXTS[name.split("/")[1]], CHAPTERS.index(name) + 1
    assert list(head_faults(text, number, ENTRIES)) == []


@pytest.mark.parametrize("name", TEXTS)
def test_people_who_are_named_are_cited(name: str) -> None:
    text = TEXTS[name] + TEXTS[name.removesuffix("-exercises")]
    assert list(uncited_people(text, ENTRIES)) == []


@pytest.mark.parametrize("name", TEXTS)
def test_a_chapter_that_is_mentioned_is_linked(name: str) -> None:
    mentioned = {int(number) for number in re.findall(r"\b[Cc]hapter (\d)\b", TEXTS[name])}
    assert mentioned - linked(TEXTS[name]) == set()
    assert "{ref}`chapter" not in TEXTS[name]  # one way to link a chapter: {doc}
    assert not re.search(r"\(\{eq\}`[^`]*`\)", TEXTS[name])  # a number has brackets of its own


@pytest.mark.parametrize("name", LEANS)
def test_chapters_link_those_on_which_they_lean(name: str) -> None:
    assert set(LEANS[name]) - linked(TEXTS[name]) == set()
    formulas = {label for other, label in FORMULAS if other == name}
    assert {label for label in formulas if f"{{eq}}`{label}`" not in TEXTS[name]} == set()


# ---------------------------------------------------------------------------------------
# each guard is seen to fail

SMALL = """\
@misc{su2022, author = {Su, Jianlin}, title = {{题 [A title]}}, year = {2022},
  note = {1 May 2022. Chapter 1}, url = {https://kexue.fm/archives/1}}
@misc{farkas1902, author = {Farkas, Julius}, title = {{Lemma}}, year = {1902}}
"""
GOOD = "*After Su Jianlin, [A title](https://kexue.fm/archives/1), 1 May 2022 {cite}`su2022`*"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("A title", "Another", "calls the essay 'Another'"),
        ("archives/1", "archives/2", "links https://kexue.fm/archives/2"),
        ("1 May", "2 May", "is of 2 May 2022"),
        ("*After", "*Before", "credits no essay"),
    ],
)
def test_a_wrong_credit_is_named(old: str, new: str, complaint: str) -> None:
    assert list(head_faults(GOOD, 1, read_entries(SMALL))) == []
    (found,) = head_faults(GOOD.replace(old, new), 1, read_entries(SMALL))
    assert found.startswith(complaint)


def test_a_person_without_a_citation_is_named() -> None:
    entries = read_entries(SMALL)
    assert list(uncited_people("Farkas has a lemma {cite}`su2022`.", entries)) == ["Farkas"]
    assert list(uncited_people("Farkas has a lemma {cite}`farkas1902`, `Farkas`.", entries)) == []
    assert linked("{doc}`chapter 7 <../attention/gau-alpha>`, {doc}`flash-exercises`") == {7}
