"""What can be counted in the text of a chapter: words, formulas, exercises, other chapters."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from equations import LITERAL, MARKDOWN
from exercises import PROMPT
from markdown_it.token import Token

WORDS = 200  # read in a minute
SECONDS = 30  # for a formula on a line of its own
DIRECTIVE = re.compile(r"\{([\w:.-]+)\}")
OPTION = re.compile(r"^(?::[\w-]+:.*|---)$", re.MULTILINE)
SPOKEN = re.compile(r"\b[Cc]hapter\s(\d)\b")
LINKED = re.compile(r"\{doc\}`(?:[^`<]*<)?([\w./-]+)>?`")


@dataclass(frozen=True)
class Chapter:
    """A chapter as the table of contents has it; `number` counts from 1."""

    number: int
    document: str
    title: str

    @property
    def exercises(self) -> str:
        """The document with the exercises of the chapter."""
        return f"{self.document}-exercises"


@dataclass(frozen=True)
class Reading:
    """Words of prose, and formulas on lines of their own. Code and output are not counted."""

    words: int
    formulas: int

    @property
    def minutes(self) -> int:
        """Minutes at the stated speed, to the next five."""
        return 5 * max(1, round((self.words / WORDS + self.formulas * SECONDS / 60) / 5))


def chapters(root: Path) -> list[Chapter]:
    """The chapters in the order of book/_toc.yml, whose titles begin with their numbers."""
    toc = yaml.safe_load((root / "book" / "_toc.yml").read_text("utf-8"))
    entries = [entry for entry in toc["parts"][0]["chapters"] if "title" in entry]
    split = [(entry["file"], *entry["title"].split(" · ", 1)) for entry in entries]
    return [Chapter(int(number), name, title) for name, number, title in split]


def text_of(root: Path, document: str) -> str:
    """The source of a document."""
    return (root / "text" / f"{document}.md").read_text("utf-8")


def reading(root: Path, document: str) -> Reading:
    """Count the words and formulas of a document."""
    tokens = list(_tokens(text_of(root, document)))
    formulas = sum(token.type in {"math_block", "math_block_label"} for token in tokens)
    words = sum(_words(child) for token in tokens for child in token.children or ())
    return Reading(words, formulas)


def _tokens(text: str) -> Iterator[Token]:
    """The tokens of a text and of the boxes in it, without code."""
    for token in MARKDOWN.parse(text):
        directive = DIRECTIVE.match(token.info.strip())
        if token.type in {"fence", "colon_fence"}:
            if directive and directive[1] not in {*LITERAL, "code-cell"}:
                yield from _tokens(OPTION.sub("", token.content))
        else:
            yield token


def _words(token: Token) -> int:
    if token.type in {"text", "code_inline"}:
        return len(token.content.split())
    return int(token.type in {"math_inline", "math_single"})


def exercise_count(root: Path, document: str) -> int:
    """How many exercises a document has."""
    return len(PROMPT.findall(text_of(root, document)))


def mentions(root: Path) -> dict[int, list[int]]:
    """For each chapter the numbers of the others that its text names or links to."""
    known = chapters(root)
    numbers = {chapter.document: chapter.number for chapter in known}
    found = {}
    for chapter in known:
        text = text_of(root, chapter.document)
        named = {int(number) for number in SPOKEN.findall(text)}
        folder = posixpath.dirname(chapter.document)
        targets = {posixpath.normpath(f"{folder}/{name}") for name in LINKED.findall(text)}
        named |= {numbers[target] for target in targets if target in numbers}
        found[chapter.number] = sorted(named - {chapter.number})
    return found
