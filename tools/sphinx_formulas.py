"""A Sphinx extension: formulas are drawn when the book is built, and no page needs a script.

The pages share one style sheet, `_static/formulas.css`, and the fonts below `_static/mathjax/`.
Both are complete only when the last page is written, so they are made at the end.
"""

from __future__ import annotations

import hashlib
import html
import re
import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from docutils import nodes
from formulas import FormulaError, Typesetter, mathjax_folder
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

SHEET = "formulas.css"
LINK = re.compile(rf'<link [^>]*href="(?P<static>[^"]*){re.escape(SHEET)}(?:\?v=\w+)?"[^>]*>')
PRELOADED = ("MJXTEX", "MJXTEX-I", "MJXZERO")  # the families that nearly every formula needs
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

    @cached_property
    def typesetter(self) -> Typesetter:
        """MathJax, started by the first formula."""
        try:
            return Typesetter()
        except FormulaError as error:
            raise ExtensionError(str(error)) from None

    def draw(self, node: nodes.Element, tex: str, *, display: bool) -> str:
        """The HTML of a formula; where TeX finds a mistake, a warning with page and line."""
        try:
            return self.typesetter.chtml(tex.strip(), display=display)
        except FormulaError as error:
            # A title is drawn again in tables of contents, where nothing knows its line.
            if (known := place(node)) is not None:
                log.warning("formula: %s", error, location=known)
            return f"<code>{html.escape(tex)}</code>"

    def visit_inline(self, translator: HTML5Translator, node: nodes.math) -> NoReturn:
        """Write a formula within a line."""
        start = translator.starttag(node, "span", "", CLASS="math notranslate nohighlight")
        translator.body.append(start + self.draw(node, node.astext(), display=False) + "</span>")
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
        translator.body.append(self.draw(node, display_tex(node), display=True) + "</div>\n")
        raise nodes.SkipNode

    def finish(self, app: Sphinx, error: Exception | None) -> None:
        """Write the style sheet and its fonts, and tell the pages."""
        if "typesetter" not in vars(self):
            return
        with self.typesetter:
            if error is None and app.builder.format == "html":
                write_style(Path(app.outdir), self.typesetter)


def write_style(site: Path, typesetter: Typesetter) -> None:
    """Write the style sheet of all formulas and its fonts, and make the pages ask for them.

    The address of the style sheet changes with what is in it, so that no reader sees a new page
    with an old one; the fonts of nearly every formula are asked for before it has come.
    """
    static, fonts = site / "_static", typesetter.fonts()
    (static / "mathjax").mkdir(parents=True, exist_ok=True)
    for name in fonts.values():
        source = mathjax_folder() / "output/chtml/fonts/woff-v2" / name
        shutil.copyfile(source, static / "mathjax" / name)
    style = typesetter.style()
    (static / SHEET).write_text(style, encoding="utf-8")
    version = hashlib.sha256(style.encode()).hexdigest()[:8]

    def link(match: re.Match[str]) -> str:
        folder = match["static"]
        font = '<link rel="preload" as="font" type="font/woff" crossorigin href="{}mathjax/{}" />'
        early = [font.format(folder, fonts[family]) for family in PRELOADED if family in fonts]
        sheet = f'<link rel="stylesheet" type="text/css" href="{folder}{SHEET}?v={version}" />'
        return "\n    ".join([*early, sheet])

    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        if "<mjx-container" in text:
            linked, count = LINK.subn(link, text)
            if count != 1:
                raise ExtensionError(f"{page.name}: {count} links to {SHEET}, expected 1")
            page.write_text(linked, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    formulas = Formulas()
    app.add_html_math_renderer(
        "drawn", (formulas.visit_inline, None), (formulas.visit_display, None)
    )
    app.add_css_file(SHEET)
    app.connect("build-finished", formulas.finish)
    # Pages written by other processes would be missing in the style sheet.
    return {"parallel_read_safe": True, "parallel_write_safe": False}
