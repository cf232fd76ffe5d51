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
# 1.5 MB of script to draw a dozen icons; the theme's style sheet has them as a font of 0.2 MB.
ICON_SCRIPT = re.compile(
    r'\s*<script [^>]*src="[^"]*_static/scripts/fontawesome\.js[^"]*"></script>'
)
UNUSED = (
    "*.map",
    "fontawesome.js",
    "*.ttf",
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
    """Remove what no page loads: source maps, the icon script, fonts that have a smaller twin."""
    for pattern in UNUSED:
        for path in static.rglob(pattern):
            path.unlink()


def drop_icon_script(site: Path) -> None:
    """Take the icon script out of every page; fail if the theme no longer writes it this way."""
    for page in site.rglob("*.html"):
        if "_static" in page.relative_to(site).parts:
            continue
        text, found = ICON_SCRIPT.subn("", page.read_text(encoding="utf-8"))
        if "fontawesome.js" in text:
            raise ExtensionError(
                f"{page.name}: the icon script of the theme was not found and removed"
            )
        if found:
            page.write_text(text, encoding="utf-8")


def finish(app: Sphinx, error: Exception | None) -> None:
    """Complete the built site."""
    if error is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    copy_mathjax(site / "_static")
    drop_unused(site / "_static")
    drop_icon_script(site)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
