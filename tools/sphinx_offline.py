"""A Sphinx extension: every file a page needs is served by the book itself, and nothing else is.

MathJax comes out of the installed package sphinx-mathjax-offline (only the parts the book uses);
what no page loads is left out.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")
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


def mathjax_folder() -> Path:
    """The folder of MathJax inside the package sphinx-mathjax-offline, which is not imported."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise ExtensionError(
            "MathJax is missing; run `make setup` (package sphinx-mathjax-offline)"
        )
    return Path(spec.origin).parent / "static" / "mathjax"


def copy_mathjax(static: Path) -> None:
    """Copy the parts of MathJax that the book uses below `static`."""
    source = mathjax_folder()
    for part in MATHJAX_PARTS:
        target = static / "mathjax" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / part, target)


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
    copy_mathjax(site / "_static")
    drop_unused(site / "_static")
    drop_scripts(site)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
