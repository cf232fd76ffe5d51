"""A Sphinx extension: the search of the site finds symbols, labels of equations, and authors.

Text and query are split by the rule of search_words.py, so that λ, lambda and TeX's lambda are one
word. Every row of the notation, every numbered equation and every source is an object of the index
with a place of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from docutils import nodes
from plain_tex import plain
from search_words import findable, split, splitter
from sphinx.domains import Domain, ObjType
from sphinx.search.en import SearchEnglish

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SYMBOLS = "notation"  # the page whose tables have a row for each symbol
LONGEST = 90  # characters of an entry
Found = tuple[str, str, str, str, str, int]


class Search(SearchEnglish):
    """English, with the words of formulas."""

    js_splitter_code = splitter()

    def split(self, input: str) -> list[str]:
        """Return the words of a text."""
        return split(input)


class Places(Domain):
    """Symbols, equations and sources as the search shows them."""

    name = "book"
    label = "Places of the book"
    object_types: dict[str, ObjType] = {  # noqa: RUF012  (as Sphinx declares it)
        "symbol": ObjType("symbol"),
        "equation": ObjType("equation"),
        "source": ObjType("source"),
    }
    initial_data: dict = {"symbols": {}}  # noqa: RUF012

    def clear_doc(self, docname: str) -> None:
        """Forget the symbols of a page."""
        self.data["symbols"].pop(docname, None)

    def merge_domaindata(self, docnames: list[str], otherdata: dict) -> None:
        """Take over what another process has read."""
        for docname in docnames:
            if docname in otherdata["symbols"]:
                self.data["symbols"][docname] = otherdata["symbols"][docname]

    def get_objects(self) -> Iterator[Found]:
        """Yield name, name as shown, type, page, anchor and rank of each object."""
        for docname, symbols in self.data["symbols"].items():
            for anchor, name in symbols:
                yield f"book.{anchor}", name, "symbol", docname, anchor, 0
        for label, (docname, _) in self.env.get_domain("math").data["objects"].items():
            yield f"book.{label}", label, "equation", docname, f"equation-{label}", 0
        for citation in getattr(self.env.domains.get("cite"), "citations", ()):
            docname, anchor = citation.bibliography_key.docname, citation.citation_id
            yield f"book.{anchor}", source(citation.entry), "source", docname, anchor, 0


def source(entry) -> str:
    """Authors, title and year of an entry of the bibliography."""
    people = entry.persons.get("author", ())
    names = [" ".join(person.prelast_names + person.last_names) for person in people]
    title = entry.fields.get("title", "")
    written = f"{', '.join(names)}: {title}, {entry.fields.get('year', '')}"
    return findable(re.sub(r"[{}]", "", written))


def said(node: nodes.Node) -> str:
    """The text of a cell, its formulas in plain text."""
    if isinstance(node, nodes.math):
        return plain(node.astext())
    if isinstance(node, nodes.Text):
        return node.astext()
    return "".join(said(child) for child in node.children)


def collect_symbols(app: Sphinx, doctree: nodes.document) -> None:
    """Give every row of the notation an anchor, and its symbols to the index."""
    if app.env.docname != SYMBOLS:
        return
    rows = [row for body in doctree.findall(nodes.tbody) for row in body.findall(nodes.row)]
    found = []
    for number, row in enumerate(rows, start=1):
        symbol, meaning = (" ".join(said(cell).split()) for cell in row.children[:2])
        anchor = f"symbol-{number}"
        row["ids"].append(anchor)
        found.append((anchor, shorten(f"{findable(symbol)}: {meaning}")))
    app.env.get_domain("book").data["symbols"][SYMBOLS] = found


def shorten(text: str) -> str:
    """Cut a text between words."""
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"


def setup(app: Sphinx) -> dict[str, object]:
    """Register with Sphinx."""
    app.add_search_language(Search)
    app.add_domain(Places)
    app.connect("doctree-read", collect_symbols)
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
