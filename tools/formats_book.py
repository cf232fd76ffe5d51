"""What the formats ask of the book as a whole: its names, its date, the order of its pages."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

LICENCE = "Text and figures: CC BY 4.0. Code: MIT."


@dataclass(frozen=True)
class Book:
    """The book, as its settings and its repository describe it."""

    title: str
    author: str
    language: str
    licence: str
    changed: datetime  # in UTC


@dataclass(frozen=True)
class Chapter:
    """One page in the order of the book."""

    name: str  # path of the page below the site, without suffix: "multitask/primary-tasks"
    title: str | None  # as _toc.yml has it; where it has none, the heading of the page counts
    depth: int  # 0 for a chapter, 1 for a page below one
    part: str | None  # caption of the part it stands in


def read_book(root: Path, site: Path) -> Book:
    """Read `_config.yml`; the date is that of the commit or, outside a repository, of the site."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    command = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    log = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    seconds = int(log) if log else int((site / "index.html").stat().st_mtime)
    language = config.get("sphinx", {}).get("config", {}).get("language", "en")
    changed = datetime.fromtimestamp(seconds, UTC)
    return Book(config["title"], config["author"], language, LICENCE, changed)


def chapters(toc: Path) -> list[Chapter]:
    """Return the pages in the order of `_toc.yml`."""
    content = yaml.safe_load(toc.read_text(encoding="utf-8"))
    found = [Chapter(content["root"], content.get("title"), 0, None)]

    def walk(entries: list[dict], depth: int, part: str | None) -> None:
        for entry in entries:
            found.append(Chapter(entry["file"], entry.get("title"), depth, part))
            walk(entry.get("sections", []), depth + 1, part)

    for part in content.get("parts") or [content]:
        walk(part.get("chapters", []), 0, part.get("caption"))
    return found
