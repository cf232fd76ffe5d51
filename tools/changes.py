"""CHANGELOG.md, told by chapter: each entry stands under the chapters that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from reading import Chapter

VERSION = re.compile(r"^## \[?([^\]\s]+)\]?(?: - (\S+))?", re.MULTILINE)
KIND = re.compile(r"^### (\w+)", re.MULTILINE)
ENTRY = re.compile(r"^- (.+(?:\n  .*|\n(?=\n  ))*)", re.MULTILINE)
NAMED = re.compile(r"\b[Cc]hapters?\s(\d)\b")


@dataclass(frozen=True)
class Entry:
    """One entry of the changelog, in Markdown, with its version and its kind (Added, Fixed …)."""

    version: str
    kind: str
    text: str

    @property
    def chapters(self) -> set[int]:
        """The chapters that the entry names."""
        return {int(number) for number in NAMED.findall(self.text)}


def _sections(pattern: re.Pattern[str], text: str) -> list[tuple[str, str]]:
    """What follows each heading, with the name in it."""
    found = list(pattern.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [(match[1], text[match.end() : end]) for match, end in zip(found, ends, strict=True)]


def entries(path: Path) -> list[Entry]:
    """The entries of a changelog, in its order, newest version first."""
    text = path.read_text("utf-8")
    return [
        Entry(version, kind, " ".join(entry.split()))
        for version, released in _sections(VERSION, text)
        for kind, listed in _sections(KIND, released)
        for entry in ENTRY.findall(listed)
    ]


def page(path: Path, chapters: list[Chapter]) -> str:
    """Return Markdown: the entries under each chapter, and what concerns the book as a whole."""
    known = entries(path)
    parts = []
    for chapter in chapters:
        link = f"[{chapter.number} · {chapter.title}]({chapter.document}.ipynb)"
        mine = [entry for entry in known if chapter.number in entry.chapters]
        parts += [f"## {link}", _listed(mine) or "No change is recorded."]
    return "\n\n".join([*parts, "## The book, the package and the tools",
                        _listed([entry for entry in known if not entry.chapters])])  # fmt: skip


def _listed(found: list[Entry]) -> str:
    return "\n".join(f"- *{one.version}, {one.kind.lower()}.* {one.text}" for one in found)
