"""tools/formulas.py and tools/sphinx_formulas.py: formulas drawn without a browser."""

from __future__ import annotations

import io
import re
import sys

import pytest
from fontTools.ttLib import TTFont
from loading import TOOLS, load_tool
from sphinx.application import Sphinx

PAGE = r"""A title with :math:`x_0`
========================

.. math:: a &= b \\
          c &= d
   :label: two

see :eq:`two`, and what

is wrong: :math:`\lamda`
"""


@pytest.fixture(scope="module")
def formulas():
    return load_tool("formulas")


@pytest.fixture(scope="module")
def typesetter(formulas):
    with formulas.Typesetter() as typesetter:
        yield typesetter


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of a small book with one wrong formula, and Sphinx's warnings."""
    root = tmp_path_factory.mktemp("book")
    (root / "index.rst").write_text(PAGE, encoding="utf-8")
    (root / "conf.py").write_text("extensions = ['sphinx_formulas']\n")
    said = io.StringIO()
    html, trees = root / "html", root / "trees"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOLS)
        Sphinx(root, root, html, trees, "html", status=None, warning=said).build()
    return html, said.getvalue()


def test_formula_holds_its_mathml_for_screen_readers(typesetter):
    drawn = typesetter.chtml(r"\lambda_i \ge 0", display=False)
    assert drawn.startswith("<mjx-container")
    assert 'aria-hidden="true"' in drawn
    assert "<msub><mi>λ</mi><mi>i</mi></msub><mo>≥</mo><mn>0</mn></math>" in drawn


def test_mathml_alone(typesetter):
    one, many = (typesetter.mathml(r"x^2", display=display) for display in (False, True))
    assert "".join(one.split()).endswith("><msup><mi>x</mi><mn>2</mn></msup></math>")
    assert 'display="block"' in many
    assert 'display="block"' not in one


@pytest.mark.parametrize(
    ("tex", "message"),
    [
        (r"a \lamda b", r"Undefined control sequence \lamda: a \lamda b"),
        (r"\frac{a", r"Missing close brace: \frac{a"),
        ("a_b_c", "Double subscripts: use braces to clarify: a_b_c"),
        (r"\newcommand{\a}{b}", r"Undefined control sequence \newcommand: \newcommand{\a}{b}"),
    ],
    ids=["unknown", "open", "twice", "definition"],
)
def test_mistakes_are_told(formulas, typesetter, tex, message):
    with pytest.raises(formulas.FormulaError) as caught:
        typesetter.chtml(tex, display=True)
    assert str(caught.value) == message


def families(style: str) -> set[str]:
    return set(re.findall(r"@font-face[^{]*\{\s*font-family: ([\w-]+);", style))


def test_style_holds_what_was_drawn_and_no_more(formulas):
    with formulas.Typesetter() as typesetter:
        typesetter.chtml("x", display=False)
        before = typesetter.style()
        typesetter.chtml(r"\mathbb R", display=False)
        after = typesetter.style()
    assert families(before) == {"MJXZERO", "MJXTEX", "MJXTEX-I"}
    assert families(after) == {"MJXZERO", "MJXTEX", "MJXTEX-I", "MJXTEX-A"}
    assert "mjx-c211D" not in before
    assert "mjx-c211D" in after
    assert set(re.findall(r"url\(\"([^,]*),", after)) == {"data:font/woff;base64"}


def test_fonts_are_cut_to_the_glyphs_that_are_shown(formulas):
    shown = formulas.shown('a { content: "\\3BB"; } b { content: "x"; } c { content: "\\""; }')
    assert shown == {0x3BB, ord("x"), ord('"')}
    path = formulas.mathjax_folder() / "output/chtml/fonts/woff-v2/MathJax_Math-Italic.woff"
    cut = TTFont(io.BytesIO(formulas.cut_font(path, shown)))
    assert set(cut.getBestCmap() or ()) == {0x3BB, ord("x")}
    whole = TTFont(path)
    assert cut["hhea"].ascent == whole["hhea"].ascent
    assert vars(cut["head"])["unitsPerEm"] == vars(whole["head"])["unitsPerEm"]


def test_missing_packages_are_told_in_one_line(formulas, monkeypatch):
    monkeypatch.setitem(sys.modules, "py_mini_racer", None)
    with pytest.raises(formulas.FormulaError, match=r"^V8 is missing; run `make setup`"):
        formulas.Typesetter()
    monkeypatch.setattr(formulas.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(formulas.FormulaError, match=r"^MathJax is missing; run `make setup`"):
        formulas.Typesetter()


def test_a_mistake_is_one_warning_with_its_line(built):
    _, said = built
    lines = said.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].split("index.rst:")[1].startswith("10: WARNING: formula: Undefined control")


def test_numbers_and_references_stay(built):
    text = (built[0] / "index.html").read_text(encoding="utf-8")
    assert '<div class="math notranslate nohighlight" id="equation-two">' in text
    assert '<span class="eqno">(1)<a class="headerlink" href="#equation-two"' in text
    assert 'href="#equation-two">(1)</a>' in text
    assert "<mtable" in text  # the two lines are aligned


def test_page_asks_for_the_style_sheet_of_this_build(built):
    folder, _ = built
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "_static/formulas.css?v=" in text
    assert "athjax.js" not in text
    assert "tex-" not in text
    assert "<title>A title with x0" in text
