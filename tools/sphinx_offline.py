"""A Sphinx extension: what no page loads is left out of the site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# 1.5 MB of script to draw a dozen icons, which the theme's style sheet has as a font of 0.2 MB; and
# the index of the search, which grows with the book and is needed only to search as you type.
ICONS = ("fontawesome.js",)
SEARCH = ("searchtools.js", "language_data.js", "searchindex.js")
UNUSED = (
    "*.map",
    "fontawesome.js",
    "*.ttf",
    "*.po",
    "*.mo",
    "sphinx-thebe.*",
    "*webpack-macros.html",
    ".gitignore",
)


def drop_unused(static: Path) -> None:
    """Remove what no page loads: source maps, translations, what has a smaller twin."""
    for pattern in UNUSED:
        for path in static.rglob(pattern):
            path.unlink()


def drop_scripts(site: Path) -> None:
    """Take out of each page what it does not use; fail if the theme writes it otherwise."""
    for page in site.rglob("*.html"):
        if "_static" in page.relative_to(site).parts:
            continue
        names = ICONS if page.name == "search.html" else ICONS + SEARCH
        text = before = page.read_text(encoding="utf-8")
        for name in names:
            script = rf'\s*<script [^>]*src="[^"]*\b{re.escape(name)}[^"]*"></script>'
            text = re.sub(script, "", text)
            if name in text:
                raise ExtensionError(f"{page.name}: {name} is loaded in a way that is not known")
        if text != before:
            page.write_text(text, encoding="utf-8")


def finish(app: Sphinx, error: Exception | None) -> None:
    """Complete the built site."""
    if error is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    drop_unused(site / "_static")
    drop_scripts(site)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
