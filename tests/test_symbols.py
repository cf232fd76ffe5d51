"""tools/symbols.py: symbols are found in formulas, all that have a meaning, and nothing moves."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from loading import load_tool
from notation import inline, read_equations, read_tables

ROOT = Path(__file__).parents[1]
TABLES = read_tables((ROOT / "book" / "notation.md").read_text("utf-8"))
PARTS = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text("utf-8"))["parts"]
CHAPTERS = {chapter["file"]: chapter["title"] for chapter in PARTS[0]["chapters"]}
CLASS = re.compile(r" ?\bsym-\d+")


@cache
def symbols():
    return load_tool("symbols")


def table(*texs: str):
    """Symbols with the numbers 1, 2, ..."""
    return [symbols().Symbol(number, tex) for number, tex in enumerate(texs, start=1)]


def chapter_table(name: str):
    """The symbols of a chapter, its own first."""
    rows = [*TABLES[f"Chapter {CHAPTERS[name]}"], *TABLES["Everywhere"]]
    return table(*(symbol for row in rows for symbol in row.symbols))


def texts(name: str) -> str:
    paths = (ROOT / "text" / f"{name}{ending}.md" for ending in ("", "-exercises"))
    return "\n".join(path.read_text("utf-8") for path in paths)


@pytest.mark.parametrize(
    ("tex", "known", "marks"),
    [
        ("g_0", ("g_i",), "<1:g>_<1:0>"),
        (r"g_\tau+g", ("g_i",), r"<1:g>_<1:\tau>+<1:g>"),
        ("L_0L_j", ("L_i", "L_0"), "<2:L>_<2:0><1:L>_<1:j>"),
        ("W_vW", ("W_u", "W"), "<2:W>_v<2:W>"),
        (r"x_{t-1}^2", ("x_t", "t"), "<1:x>_{<1:t>-1}^2"),
        (r"x_t^n", ("x", "t", "n"), "<1:x>_<2:t>^<3:n>"),
        (r"\bar x_t x_t", ("x_t", r"\bar x_t"), r"<2:\bar x>_<2:t> <1:x>_<1:t>"),
        (r"\hat x", ("x",), r"\hat x"),
        ("u^*+u^2", ("u", "u^*"), "<2:u>^<2:*>+<1:u>^2"),
        (r"k_i", ("k", r"k_{j,\alpha}"), "<2:k>_<2:i>"),
        (r"W_{k,\alpha}", (r"W_{q,\alpha}",), r"<1:W>_{<1:k>,<1:\alpha>}"),
        (r"g_{\text{noisy}}", ("g_i", r"g_{\text{noisy}}"), r"<2:g>_{<2:\text{noisy}>}"),
        (r"\text{n of }n", ("n",), r"\text{n of }<1:n>"),
        (r"\operatorname{relu}(r)", ("r",), r"\operatorname{relu}(<1:r>)"),
        (r"\operatorname*{relu}", (r"\operatorname{relu}",), r"<1:\operatorname*{relu}>"),
        (r"\frac1n+\sqrt d", ("n", "d"), r"\frac{1}{<1:n>}+\sqrt {<2:d>}"),
        (r"\sqrt[n]{n}", ("n",), r"\sqrt[n]{<1:n>}"),
        (r"\begin{array}{lc}l\\[2pt]c\end{array}", ("l", "c", "p"),
         r"\begin{array}{lc}<1:l>\\[2pt]<2:c>\end{array}"),
        (r"\lVert a\rVert", (r"\lVert\cdot\rVert_F", "a"), r"\lVert <2:a>\rVert"),
    ],
    ids=range(19),
)  # fmt: skip
def test_symbols_are_found(tex, known, marks):
    marked = symbols().mark(tex, table(*known))
    expected = re.sub(r"<(\d):(.*?)>", r"\\class{sym-\1}{\2}", marks)
    assert marked == expected


def test_letters_without_a_meaning_are_named():
    marked = symbols().mark(r"x_i+\alpha_{y}\text{no}", table("x_i"))
    assert symbols().unmarked(marked) == [r"\alpha", "y"]


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_letter_of_a_numbered_equation_has_a_meaning(name):
    known = chapter_table(name)
    for equation in read_equations(texts(name)):
        assert symbols().unmarked(symbols().mark(equation.tex, known)) == [], equation.label


def test_marks_move_nothing():
    """The drawing of every formula, classes taken out, is that of the formula without marks."""
    with load_tool("formulas").Typesetter() as typesetter:
        drawn = 0
        for name in CHAPTERS:
            known, text = chapter_table(name), texts(name)
            display = {(equation.tex, True) for equation in read_equations(text) if equation.tex}
            for tex, shown in sorted(display | {(tex, False) for tex in inline(text)}):
                marked = symbols().mark(tex, known)
                if marked != tex:
                    plain = typesetter.chtml(tex, display=shown)
                    with_marks = CLASS.sub("", typesetter.chtml(marked, display=shown))
                    assert with_marks.replace(' class=""', "") == plain, tex
                    drawn += 1
    assert drawn > 500
