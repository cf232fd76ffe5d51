"""A Sphinx extension: pages travel light. Icons nobody draws and pixels saved twice stay at home.

The theme brings two thousand icons, the book draws two dozen: the font is cut down to these, and
its names in the style sheet as well. Pictures become lossless WebP, half of PNG, pixel for pixel.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pydata_sphinx_theme
from fontTools import subset
from PIL import Image
from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FONTS = "vendor/fontawesome/webfonts"
THEME = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
STYLE = "styles/pydata-sphinx-theme.css"
# .fa-name:before{content:"\f000"}, and the same with several names
RULE = re.compile(r'((?:\.fa-[\w-]+:{1,2}before,?)+)\{content:"[^"]+"\}')
FACE = re.compile(r"@font-face\{[^}]*\bfa-(solid-900|regular-400|brands-400)\.woff2[^}]*\}")
SOLID = (
    r"@font-face{font-display:block;font-family:Font Awesome\ 6 Free;font-style:normal;"
    r'font-weight:900;src:url(../vendor/fontawesome/webfonts/fa-solid-900.woff) format("woff")}'
)
OTHER_FACES = re.compile(r'class="[^"]*\b(fa-regular|fa-brands|far|fab)\b')
PICTURE = re.compile(r"(_images/[\w-]+)\.png")


def page_files(site: Path) -> list[Path]:
    """The pages of a site."""
    return [p for p in site.rglob("*.html") if "_static" not in p.relative_to(site).parts]


def icon_names(site: Path) -> set[str]:
    """The names of icons that a page or a script mentions; raise for one of another face."""
    names: set[str] = set()
    for path in [*page_files(site), *site.rglob("*.js")]:
        text = path.read_text(encoding="utf-8")
        names.update(re.findall(r"\bfa-[a-z][\w-]*", text))
        if path.suffix == ".html" and (other := OTHER_FACES.search(text)):
            raise ExtensionError(f"{path.name}: an icon of {other[1]}; only fa-solid is shipped")
    return names


def lean_style(style: str, names: set[str]) -> str:
    """The theme's style sheet with the rules of the icons in `names`, and one face for them."""

    def keep(rule: re.Match[str]) -> str:
        return rule[0] if names & set(re.findall(r"fa-[\w-]+", rule[1])) else ""

    lean, rules = RULE.subn(keep, style)
    lean, faces = FACE.subn(lambda face: SOLID if face[1] == "solid-900" else "", lean)
    if rules < 100 or faces != 3:
        raise ExtensionError(f"{STYLE}: {rules} icons and {faces} icon fonts, expected >100 and 3")
    return lean


def icon_characters(styles: list[str]) -> set[int]:
    """The code points of icons in style sheets: escaped, or the characters themselves."""
    text = "".join(styles)
    escaped = {int(code, 16) for code in re.findall(r"\\([ef][0-9a-f]{3})\b", text)}
    return escaped | {ord(character) for character in text if "\ue000" <= character <= "\uf8ff"}


def cut_icons(site: Path) -> None:
    """Leave in the static files of `site` the icons that its pages show."""
    static = site / "_static"
    sheet = static / STYLE
    style = lean_style(sheet.read_text(encoding="utf-8"), icon_names(site))
    sheet.write_text(style, encoding="utf-8")
    styles = [path.read_text(encoding="utf-8") for path in static.rglob("*.css")]
    options = subset.Options(flavor="woff", layout_features=[], hinting=False)
    font = subset.load_font(str(THEME / FONTS / "fa-solid-900.ttf"), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=icon_characters(styles))
    cutter.subset(font)
    for path in (static / FONTS).iterdir():
        path.unlink()
    subset.save_font(font, str(static / FONTS / "fa-solid-900.woff"), options)


def shrink_pictures(site: Path) -> None:
    """Write the pictures that notebooks drew as lossless WebP, and let the pages show these."""
    for path in (site / "_images").glob("*.png"):
        with Image.open(path) as picture:
            opaque = picture.convert("RGB") if picture.getextrema()[-1] == (255, 255) else picture
            opaque.save(path.with_suffix(".webp"), lossless=True)
        path.unlink()
    for page in page_files(site):
        text = page.read_text(encoding="utf-8")
        page.write_text(PICTURE.sub(r"\1.webp", text), encoding="utf-8")


def finish(app: Sphinx, error: Exception | None) -> None:
    """Make the built site lighter."""
    if error is not None or app.builder.format != "html":
        return
    cut_icons(Path(app.outdir))
    shrink_pictures(Path(app.outdir))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
