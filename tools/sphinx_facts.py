"""A Sphinx extension: what the pages say about the book itself is counted when they are built.

``{effort}`multitask/primary-tasks` `` says how long a chapter takes to read and to run,
``{chapter-map}`` draws which chapter refers to which, ``{status}`` and ``{changes}`` hold what the
pages book/status.md and book/changes.md are about.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import changes
import chapter_map
import reading
import status
from docutils import nodes
from docutils.statemachine import StringList
from equations import read_chapters
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole
from status_page import page

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]


def effort(root: Path, document: str) -> str:
    """How long it takes to read the chapter, and to run its notebook."""
    notebooks = status.read(root).get("notebooks", {})
    if document not in notebooks:
        raise ExtensionError(f"{status.FILE}: no run of {document}; say `make notebooks`")
    minutes = reading.reading(root, document).minutes
    return f"{minutes} minutes to read, {notebooks[document]['processor_s']:.0f} s to run"


class Effort(SphinxRole):
    """The role ``effort``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the two times as text."""
        return [nodes.inline("", effort(ROOT, self.text), classes=["effort"])], []


class Markdown(SphinxDirective):
    """A directive whose content is Markdown that is made here."""

    def parsed(self, text: str) -> list[nodes.Node]:
        """Parse Markdown as if it stood in the page."""
        box = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), str(status.FILE)), 0, box)
        return box.children


class ChapterMap(Markdown):
    """The directive ``chapter-map``."""

    def run(self) -> list[nodes.Node]:
        """Return the drawing, and the sentences that say the same."""
        known, mentions = reading.chapters(ROOT), reading.mentions(ROOT)
        drawing = nodes.raw("", chapter_map.drawing(known, mentions), format="html")
        return [drawing, *self.parsed(chapter_map.sentences(known, mentions))]


class Status(Markdown):
    """The directive ``status``."""

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        return self.parsed(status_text())


class Changes(Markdown):
    """The directive ``changes``."""

    def run(self) -> list[nodes.Node]:
        """Return the changelog by chapter."""
        return self.parsed(changes.page(ROOT / "CHANGELOG.md", reading.chapters(ROOT)))


@cache
def status_text() -> str:
    """The tables of the page, in Markdown."""
    counts = {one.document: one for one in read_chapters(ROOT)}
    return page(ROOT, counts)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_role("effort", Effort())
    app.add_directive("chapter-map", ChapterMap)
    app.add_directive("changes", Changes)
    app.add_directive("status", Status)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
