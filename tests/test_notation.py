"""Every letter of a numbered equation is explained, once, and every macro is one of MathJax's."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from loading import load_tool
from notation import complaints, inline, read_equations, read_tables, tokens

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "notation.md").read_text("utf-8")
PARTS = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text("utf-8"))["parts"]
CHAPTERS = {chapter["file"]: chapter["title"] for chapter in PARTS[0]["chapters"]}
TABLES = read_tables(PAGE)
MAP = re.compile(r'new \w\.(?:Command|Macro|Delimiter|Character)Map\("[\w-]+",(?:[\w.]+,)?(?=\{)')
LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"')
KEY = re.compile(r'(?:^|[{,])(?:"(?:\\\\)?([^"]+)"|([A-Za-z]+)):')
UNDELIMITED = {"left", "right", "middle"}  # these read their argument themselves


def chapter_text(name: str) -> str:
    return (ROOT / "text" / f"{name}.md").read_text("utf-8")


@cache
def macros() -> set[str]:
    """What MathJax's tables of macros, letters and delimiters have, from its own source."""
    folder = load_tool("formulas").mathjax_folder()
    source = (folder / "input/tex-full.js").read_text("utf-8")
    return {name for match in MAP.finditer(source) for name in keys(source, match.end())}


def keys(source: str, start: int) -> Iterator[str]:
    """The keys of the object that begins at `start`: of itself, not of what it holds."""
    depth, position, outer = 0, start, ""
    while True:
        character = source[position]
        if literal := LITERAL.match(source, position):
            outer += literal[0] if depth == 1 else ""
            position = literal.end()
            continue
        depth += (character in "{[(") - (character in "}])")
        if depth == 0:
            break
        outer += character if depth == 1 and character not in "{[(}])" else ""
        position += 1
    for match in KEY.finditer("," + outer):
        yield match[1] or match[2]


def unknown(formula: str) -> list[str]:
    names = [found[1] for token in tokens(formula) if (found := re.match(r"\\([A-Za-z]+)", token))]
    return [name for name in names if name not in macros() and name not in UNDELIMITED]


def test_the_page_has_a_table_for_every_chapter() -> None:
    expected = [f"Chapter {title}" for title in CHAPTERS.values()]
    assert list(TABLES) == ["Everywhere", *expected]
    assert PAGE.count("\n| $") == sum(len(rows) for rows in TABLES.values())
    assert all(row.meaning for rows in TABLES.values() for row in rows)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_symbol_is_in_the_table(name: str) -> None:
    rows = TABLES[f"Chapter {CHAPTERS[name]}"]
    assert list(complaints(rows, TABLES["Everywhere"], chapter_text(name))) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("text/*/*.md")), ids=lambda path: path.stem)
def test_every_macro_is_one_that_mathjax_knows(path: Path) -> None:
    text = path.read_text("utf-8")
    formulas = [*inline(text), *(equation.tex for equation in read_equations(text))]
    assert {macro for formula in formulas for macro in unknown(formula)} == set()


def test_the_macros_of_the_table_are_known_too() -> None:
    assert {macro for formula in inline(PAGE) for macro in unknown(formula)} == set()


# ---------------------------------------------------------------------------------------
# each guard is seen to fail

GOOD = """\
## Everywhere
| $e$ | base |
## One
| $x$, $y$ | two numbers; in {eq}`eq-b`, others | {eq}`eq-a` |
| $n$ | how many | above {eq}`eq-a` |
| $\\bar x_t$ | a mean | below {eq}`eq-a` |
| $\\operatorname{f}$ | a function | {eq}`eq-b` |
"""
TEXT = """\
Take $n$ of them, `$m$`.

$$
x^2 = \\begin{cases}y&\\text{or not}\\\\e\\end{cases}
$$ (eq-a)

The mean of $x$ and $y$ is $\\bar x_t$.

$$
\\operatorname{f}(\\bar x_t)_i
$$ (eq-b)
"""


def found(page: str, text: str) -> list[str]:
    tables = read_tables(page)
    return list(complaints(tables["One"], tables["Everywhere"], text))


def test_a_good_table_has_no_complaint() -> None:
    assert found(GOOD.replace("base |", "base |\n| $i$ | an index |"), TEXT) == []


def test_a_symbol_of_which_no_sentence_speaks_is_named() -> None:
    lines = found(GOOD.replace("| $e$ | base |", "| $i$, $e$ | one |"), TEXT.replace("$y$", "more"))
    assert lines == ["line 4: no sentence around eq-a speaks of y"]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("| $e$ | base |", "| $i$ | index |", r"eq-a: e is in no row"),
        ("$x$, $y$", "$y$", r"eq-a: x is in no row"),
        ("\\bar x_t", "x_t", r"eq-b: \\bar x is in no row"),
        ("operatorname{f}", "operatorname{g}", r"eq-b: \\operatorname\{f\} is in no row"),
        ("$n$", "$m$", r"line 5: m is not above eq-a"),
        ("| above", "| below", r"line 5: n is not below eq-a"),
        ("| below {eq}`eq-a`", "| {eq}`eq-a`", r"line 6: \\bar x_t is not in eq-a"),
        ("$n$ | how many | above {eq}`eq-a`", "$x$ | a number | {eq}`eq-a`",
         r"line 5: x has a row already, line 4"),
        ("$x$, $y$", "$x + y$, $x$", r"line 4: \$x \+ y\$ is more than one symbol"),
        ("| {eq}`eq-b` |", "| {eq}`eq-c` |", r"line 7: .* needs an equation .* found 'eq-c'"),
        ("| {eq}`eq-b` |", "|", r"line 7: .* needs an equation of this chapter, found ''"),
        ("| {eq}`eq-a` |", "| {eq}`eq-b` |", r"line 4: x is in eq-a already"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(old: str, new: str, complaint: str) -> None:
    assert old in GOOD
    lines = found(GOOD.replace(old, new, 1), TEXT)
    assert any(re.fullmatch(complaint, line) for line in lines), lines


@pytest.mark.parametrize("macro", ["operatornam{f}", "alpah", "Hat x", "newcomand", "prototype"])
def test_a_macro_that_mathjax_does_not_know_is_named(macro: str) -> None:
    assert unknown(f"x + \\{macro}") == re.findall(r"^[A-Za-z]+", macro)
    assert unknown(r"\langle\lVert\Big(\frac12\mathbb R\hat x\begin{cases}1\\O\end{cases}") == []
