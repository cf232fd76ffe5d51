"""The page "Notation" in the hands of the other pages: which symbols they have, what these mean.

The tables of notation.md are read when every page has been read: one below "Everywhere", and one
below "Chapter <title>" for each chapter of _toc.yml, which its exercises share.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from docutils import nodes
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.errors import ExtensionError
from symbols import Symbol, mark

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

PAGE = "notation"
EVERYWHERE = "Everywhere"
FOLDER = "symbols"  # below _static: a script for each chapter
CLASS = re.compile(r"\\class\{sym-(\d+)\}")
LINK = re.compile(r"</?a\b[^>]*>")


def body_rows(doctree: nodes.document) -> dict[str, list[list[nodes.entry]]]:
    """The cells of every row of a table, below the title of its section."""
    found: dict[str, list[list[nodes.entry]]] = {}
    for body in doctree.findall(nodes.tbody):
        section = body.parent
        while not isinstance(section, nodes.section):
            section = section.parent
        rows = [[*row.findall(nodes.entry)] for row in body.findall(nodes.row)]
        found[section[0].astext()] = rows
    return found


@dataclass(frozen=True)
class Chapter:
    """The symbols that a chapter may use, and those that it does."""

    script: str  # the name of its script
    symbols: list[Symbol]
    used: set[int]


class Notation:
    """The tables of the page "Notation", and the pages that they explain."""

    def __init__(self) -> None:
        self.pages: dict[str, Chapter] = {}

    def load(self, app: Sphinx, env: BuildEnvironment) -> None:
        """Read the tables; a book without the page has no symbols."""
        if PAGE not in env.all_docs:
            return
        tables: dict[str, list[Symbol]] = {}
        number = 0
        for heading, rows in body_rows(env.get_doctree(PAGE)).items():
            tables[heading] = []
            for cells in rows:
                for formula in cells[0].findall(nodes.math):
                    number += 1
                    tables[heading].append(Symbol(number, formula.astext()))
        contents = yaml.safe_load((Path(app.srcdir) / "_toc.yml").read_text(encoding="utf-8"))
        listed = [chapter for part in contents["parts"] for chapter in part["chapters"]]
        for entry in listed:
            heading = f"Chapter {entry.get('title')}"
            if heading not in tables:
                continue
            script = f"{FOLDER}/{Path(entry['file']).name}.js"
            chapter = Chapter(script, tables.pop(heading) + tables[EVERYWHERE], set())
            for page in [entry, *entry.get("sections", [])]:
                self.pages[page["file"]] = chapter
        if set(tables) != {EVERYWHERE}:
            raise ExtensionError(f"{PAGE}: no chapter of _toc.yml has the title of {set(tables)}")

    def mark(self, page: str, tex: str) -> str:
        """The formula as a page shows it, with a class for each symbol."""
        if page not in self.pages:
            return tex
        marked = mark(tex, self.pages[page].symbols)
        self.pages[page].used.update(int(number) for number in CLASS.findall(marked))
        return marked

    def ask(self, app: Sphinx, page: str, *_: object) -> None:
        """Let a page of a chapter load what its symbols mean."""
        if page in self.pages:
            app.add_js_file(self.pages[page].script, defer="defer", priority=920)
            app.add_js_file("symbols.js", defer="defer", priority=921)

    def write(self, app: Sphinx) -> list[str]:
        """Write the scripts, and return their names below _static."""
        builder = app.builder
        if not isinstance(builder, StandaloneHTMLBuilder) or not self.pages:
            return []
        builder.current_docname = PAGE  # formulas of the table itself are drawn plain
        meanings: dict[int, tuple[str, str]] = {}
        for rows in body_rows(app.env.get_and_resolve_doctree(PAGE, builder)).values():
            for cells in rows:
                name, meaning = (rendered(builder, cell) for cell in cells[:2])
                for _formula in cells[0].findall(nodes.math):
                    meanings[len(meanings) + 1] = name, meaning
        (Path(app.outdir) / "_static" / FOLDER).mkdir(parents=True, exist_ok=True)
        scripts = {chapter.script: chapter for chapter in self.pages.values()}
        for script, chapter in scripts.items():
            known = {number: meanings[number] for number in sorted(chapter.used)}
            text = json.dumps(known, ensure_ascii=False, separators=(",", ":"))
            path = Path(app.outdir) / "_static" / script
            path.write_text(f"var symbolMeanings = {text};\n", encoding="utf-8")
        return [*scripts]


def rendered(builder: StandaloneHTMLBuilder, cell: nodes.entry) -> str:
    """The HTML of a cell without links: a reader cannot get into what is shown beside a symbol."""
    words = [child.deepcopy() for paragraph in cell for child in paragraph.children]
    fragment = builder.render_partial(nodes.paragraph("", "", *words))["fragment"]
    return LINK.sub("", fragment.strip().removeprefix("<p>").removesuffix("</p>"))
