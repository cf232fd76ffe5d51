"""Formulas, drawn when the book is built: MathJax of sphinx-mathjax-offline, run in V8.

>>> with Typesetter() as typesetter:
...     drawn = typesetter.chtml(r"\\lambda_i \\ge 0", display=False)
>>> drawn.startswith('<mjx-container class="MathJax"')
True
"""

from __future__ import annotations

import base64
import importlib
import importlib.util
import io
import json
import re
from pathlib import Path
from typing import Any, Literal

from fontTools import subset

PARTS = (
    "loader.js",
    "core.js",
    "adaptors/liteDOM.js",
    "input/tex-full.js",
    "output/chtml.js",
    "output/chtml/fonts/tex.js",
    "a11y/assistive-mml.js",
)
# What MathJax expects to find where there is no browser.
GLOBALS = """
var global = globalThis, window = undefined;
var console = {log() {}, warn() {}, error() {}, info() {}};
var MathJax = {loader: {load: []}, startup: {typeset: false, ready() {}, pageReady() {}}};
"""
# MathJax in a browser measures the type around a formula and scales the formula to the same height
# of small letters (0.442 em in its fonts). An ex in `font-size` is that of the type around.
SCALE = "\nmjx-container[jax] {\n  font-size: calc(1ex / 0.442);\n}\n"
FACE = re.compile(
    r"@font-face /\* \d+ \*/ \{\s*font-family: ([\w-]+);\s*src: url\(\"([^\"]+)\"\)[^}]*\}\s*"
)
FAMILY = re.compile(r"\.(TEX-[\w-]+) \{\s*font-family: MJXZERO, ([\w-]+);")
ALWAYS = {"MJXZERO", "MJXTEX"}  # the families of every formula: .MJX-TEX
STRETCHED = {"MJXTEX-S1", "MJXTEX-S4", "MJXTEX-A"}  # those of brackets and arrows made of pieces


class FormulaError(Exception):
    """A formula cannot be drawn: what TeX says of it, or what is missing to draw any."""


def mathjax_folder() -> Path:
    """The folder of MathJax inside the package sphinx-mathjax-offline, which is not imported."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise FormulaError("MathJax is missing; run `make setup` (package sphinx-mathjax-offline)")
    return Path(spec.origin).parent / "static" / "mathjax"


def open_v8() -> Any:
    """An empty V8, or FormulaError where the package is missing."""
    try:
        return importlib.import_module("py_mini_racer").MiniRacer()
    except ImportError:
        raise FormulaError("V8 is missing; run `make setup` (package mini-racer)") from None


def shown(sheet: str) -> set[int]:
    """The code points that a style sheet puts on the page."""
    texts = re.findall(r'content: "((?:[^"\\]|\\.)*)"', sheet)
    escaped = {int(code, 16) for text in texts for code in re.findall(r"\\([0-9A-F]{2,5})", text)}
    return escaped | {ord(text[-1]) for text in texts if len(text.lstrip("\\")) == 1}


def cut_font(path: Path, characters: set[int]) -> bytes:
    """A font of MathJax with the glyphs of these characters only, as WOFF."""
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    options.drop_tables += ["FFTM"]  # when FontForge saved it
    font = subset.load_font(str(path), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters)
    cutter.subset(font)
    file = io.BytesIO()
    subset.save_font(font, file, options)
    return file.getvalue()


class Typesetter:
    """MathJax in V8. What was drawn once is kept; close it, or Python does not end."""

    def __init__(self) -> None:
        folder = mathjax_folder()
        self._v8 = open_v8()
        self._fonts = folder / "output/chtml/fonts/woff-v2"
        self._drawn: dict[tuple[str, str, bool], str] = {}
        self._v8.eval(GLOBALS)
        for part in PARTS:
            self._v8.eval((folder / part).read_text(encoding="utf-8"))
        self._v8.eval(Path(__file__).with_suffix(".js").read_text(encoding="utf-8"))

    def __enter__(self) -> Typesetter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End V8 and its threads."""
        self._v8.close()

    def _draw(self, kind: Literal["chtml", "mathml"], tex: str, display: bool) -> str:
        key = kind, tex, display
        if key not in self._drawn:
            call = f"draw({json.dumps(kind)}, {json.dumps(tex)}, {json.dumps(display)})"
            answer = json.loads(self._v8.eval(call))
            if "error" in answer:
                raise FormulaError(f"{answer['error']}: {' '.join(tex.split())}")
            self._drawn[key] = answer["drawn"]
        return self._drawn[key]

    def chtml(self, tex: str, *, display: bool) -> str:
        """HTML of a formula, with MathML for screen readers in it; it needs `style` on the page.

        Raises FormulaError where TeX finds a mistake, such as a macro that is not defined.
        """
        return self._draw("chtml", tex, display)

    def mathml(self, tex: str, *, display: bool) -> str:
        """A formula as the element <math>. Raises FormulaError as `chtml` does."""
        return self._draw("mathml", tex, display)

    def style(self) -> str:
        """The style sheet of everything drawn so far, with the glyphs that it shows in it."""
        sheet = self._v8.eval("style()")
        drawn = "".join(html for (kind, *_), html in self._drawn.items() if kind == "chtml")
        classes = set(re.findall(r"\bTEX-[\w-]+", drawn))
        used = ALWAYS | {family for name, family in FAMILY.findall(sheet) if name in classes}
        if "<mjx-stretchy-" in drawn:
            used |= STRETCHED
        characters = shown(sheet)

        def embed(face: re.Match[str]) -> str:
            family, name = face[1], Path(face[2]).name
            if family not in used:
                return ""
            font = self._fonts / name
            # The font of no height has no glyphs to lose; without its one, browsers refuse it.
            cut = font.read_bytes() if family == "MJXZERO" else cut_font(font, characters)
            data = base64.b64encode(cut).decode()
            return face[0].replace(face[2], f"data:font/woff;base64,{data}")

        return FACE.sub(embed, sheet) + SCALE
