"""A Sphinx extension: formulas are drawn when the book is built, and no page needs a script.

The pages share one style sheet, `_static/formulas.css`, with the glyphs in it, so that a formula is
there with the first paint, and from a folder as well. It is complete only when the last page is
written, so it is made at the end.
"""

from __future__ import annotations

import hashlib
import html
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from docutils import nodes
from formulas import FormulaError, Typesetter
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx_symbols import Notation

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

SHEET = "formulas.css"
# Readers of a screen need no classes, and what they do not need does not travel.
HIDDEN = re.compile(r"<mjx-assistive-mml.*</mjx-assistive-mml>", re.DOTALL)
SYMBOL = re.compile(r' class="sym-\d+"')
log = logging.getLogger(__name__)


def place(node: nodes.Node) -> nodes.Node | None:
    """The node, or the nearest one around it, that knows its line."""
    while node is not None and node.line is None:
        node = node.parent
    return node


def display_tex(node: nodes.math_block) -> str:
    """The TeX of a display formula, its paragraphs aligned below each other as Sphinx does."""
    parts = [part for part in node.astext().split("\n\n") if part.strip()]
    if node["nowrap"]:
        return node.astext()
    parts = [rf"\begin{{split}}{part}\end{{split}}" if r"\\" in part else part for part in parts]
    if len(parts) < 2:
        return "".join(parts)
    return r"\begin{align}\begin{aligned}" + r"\\".join(parts) + r"\end{aligned}\end{align}"


class Formulas:
    """What draws the formulas of one build."""

    def __init__(self) -> None:
        self.notation = Notation()

    @cached_property
    def typesetter(self) -> Typesetter:
        """MathJax, started by the first formula."""
        try:
            return Typesetter()
        except FormulaError as error:
            raise ExtensionError(str(error)) from None

    def draw(self, page: str, node: nodes.Element, tex: str, *, display: bool) -> str:
        """The HTML of a formula; where TeX finds a mistake, a warning with page and line."""
        try:
            drawn = self.typesetter.chtml(self.notation.mark(page, tex.strip()), display=display)
        except FormulaError as error:
            # A title is drawn again in tables of contents, where nothing knows its line.
            if (known := place(node)) is not None:
                log.warning("formula: %s", error, location=known)
            return f"<code>{html.escape(tex)}</code>"
        return HIDDEN.sub(lambda mathml: SYMBOL.sub("", mathml[0]), drawn)

    def visit_inline(self, translator: HTML5Translator, node: nodes.math) -> NoReturn:
        """Write a formula within a line."""
        start = translator.starttag(node, "span", "", CLASS="math notranslate nohighlight")
        page = translator.builder.current_docname
        drawn = self.draw(page, node, node.astext(), display=False)
        translator.body.append(f"{start}{drawn}</span>")
        raise nodes.SkipNode

    def visit_display(self, translator: HTML5Translator, node: nodes.math_block) -> NoReturn:
        """Write a formula on lines of its own, with its number."""
        start = translator.starttag(node, "div", "", CLASS="math notranslate nohighlight")
        translator.body.append(start)
        if node["number"]:
            number = get_node_equation_number(translator, node)
            translator.body.append(f'<span class="eqno">({number})')
            translator.add_permalink_ref(node, "Link to this equation")
            translator.body.append("</span>")
        page = translator.builder.current_docname
        translator.body.append(self.draw(page, node, display_tex(node), display=True) + "</div>\n")
        raise nodes.SkipNode

    def finish(self, app: Sphinx, error: Exception | None) -> None:
        """Write the style sheet and its fonts, and tell the pages."""
        if "typesetter" not in vars(self):
            return
        with self.typesetter:
            if error is None and app.builder.format == "html":
                names = self.notation.write(app)  # draws formulas, so before the style sheet
                static = Path(app.outdir) / "_static"
                (static / SHEET).write_text(self.typesetter.style(), encoding="utf-8")
                stamp(Path(app.outdir), [SHEET, *names])


def stamp(site: Path, names: list[str]) -> None:
    """Give the addresses of files below _static a mark of what is in them.

    So no reader sees a new page with an old style sheet. Sphinx does it for files that are there
    before the pages.
    """
    marks = {
        name: hashlib.sha256((site / "_static" / name).read_bytes()).hexdigest()[:8]
        for name in names
    }
    address = re.compile(rf'_static/({"|".join(map(re.escape, names))})(?=")')
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        stamped = address.sub(lambda found: f"{found[0]}?v={marks[found[1]]}", text)
        if "<mjx-container" in text and f"{SHEET}?v=" not in stamped:
            raise ExtensionError(f"{page.name}: {SHEET} is asked for in a way that is not known")
        page.write_text(stamped, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    formulas = Formulas()
    app.add_html_math_renderer(
        "drawn", (formulas.visit_inline, None), (formulas.visit_display, None)
    )
    app.add_css_file(SHEET)
    app.connect("env-check-consistency", formulas.notation.load)
    app.connect("html-page-context", formulas.notation.ask)
    app.connect("build-finished", formulas.finish)
    # Pages written by other processes would be missing in the style sheet.
    return {"parallel_read_safe": True, "parallel_write_safe": False}
