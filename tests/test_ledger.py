"""The gate between equations and checks: every defect turns it red, and names its line."""

from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from loading import load_tool
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).parents[1]
TEXT = """\
---
kernelspec: {name: python3}
---
# Sums of $n$ terms

The sum, in words.

$$
s_n = \\sum_{i=1}^n i
$$ (eq-sum-objective)

```{code-cell} python3
verify.definition("eq-sum-objective")
```

:::{admonition} Closed form
:class: tip

- A list that holds an equation:

  $$ s_n = n(n+1)/2 $$ (eq-sum-closed)
:::

```{code-cell} python3
:tags: [hide-input]

%matplotlib inline
verify("eq-sum-closed", sum(terms), n * (n + 1) / 2, tol=1e-8,
       wrong={"n²/2": n**2 / 2, "|n|": n})
```

$$
s_n = \\Theta(n^2)
$$ (eq-sum-rate)

```{code-cell} python3
verify_slope("eq-sum-rate", n, s, 2, tol=0.05, wrong={"linear": 1})
```

$$
n \\le s_n
$$ (eq-sum-bound)

```{code-cell} python3
verify_bound("eq-sum-bound", smaller=n, larger=s, wrong={"half": n / 2})
```

```python
verify("eq-nowhere", "this is no cell: $$ x $$")
```
"""
PRINTED = [
    "≡ eq-sum-objective   definition",
    "✓ eq-sum-closed   |Δ| ≤ 1e-08   rejects: n²/2, |n|",
    "✓ eq-sum-rate   slope 2 ± 0.05   rejects: linear (1)",
    "✓ eq-sum-bound   holds in 9 of 9 cases   rejects: half",
]
LEDGER = """\

**4 equations · 3 checks run · 4 wrong variants refused · 1 definition counted separately**

## [Sums of $n$ terms](attic/sums.ipynb)

| Equation | Kind | What was compared | Tolerance | Wrong variants refused |
| --- | --- | --- | --- | --- |
| {eq}`eq-sum-objective` `eq-sum-objective` | definition | – | – | – |
| {eq}`eq-sum-closed` `eq-sum-closed` | equation | `sum(terms)` = `n * (n + 1) / 2` | \\|Δ\\| ≤ 1e-08 | n²/2, \\|n\\| |
| {eq}`eq-sum-rate` `eq-sum-rate` | rate | `s` against `n`, exponent `2` | slope 2 ± 0.05 | linear (1) |
| {eq}`eq-sum-bound` `eq-sum-bound` | bound | `n` ≤ `s` | holds in 9 of 9 cases | half |
"""  # noqa: E501
EQUATION = "\n$$ a = b $$ (eq-more)\n"
CHECK = '\n```{code-cell} python3\nverify("eq-more", a, b, tol=1, wrong={"c": c})\n```\n'
LINE = "✓ eq-more   |Δ| ≤ 1e+00   rejects: c"


@pytest.fixture(scope="session")
def ledger() -> ModuleType:
    return load_tool("ledger")


@pytest.fixture
def tree(tmp_path: Path, ledger: ModuleType) -> Path:
    """A small book without defects, its ledger written."""
    write(tmp_path, "attic/sums", TEXT, PRINTED)
    (tmp_path / "book" / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nparts:\n- chapters:\n  - file: attic/sums\n", "utf-8"
    )
    assert ledger.main(["write"], tmp_path) == 0
    return tmp_path


def write(root: Path, document: str, text: str, printed: list[str]) -> None:
    """Write a text, and a notebook with one output that holds the printed lines."""
    source, notebook = root / "text" / f"{document}.md", root / "book" / f"{document}.ipynb"
    source.parent.mkdir(parents=True, exist_ok=True)
    notebook.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(text, "utf-8")
    output = new_output("stream", name="stdout", text="".join(f"{line}\n" for line in printed))
    nbformat.write(new_notebook(cells=[new_code_cell(outputs=[output])]), notebook)


def complaints(ledger: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    status = ledger.main(["check"], root)
    lines = capsys.readouterr().err.splitlines()
    assert status == (1 if lines else 0)
    return lines


def test_sound_tree_is_green(tree, ledger, capsys):
    assert complaints(ledger, tree, capsys) == []


def test_page_lists_every_check(tree):
    page = (tree / "book" / "equations.md").read_text("utf-8")
    assert page.startswith("# ")
    assert page.endswith(LEDGER)


def test_writing_again_changes_nothing(tree, ledger):
    page = tree / "book" / "equations.md"
    before = page.stat().st_mtime_ns
    assert ledger.main(["write"], tree) == 0
    assert page.stat().st_mtime_ns == before


def line_of(part: str, text: str) -> int:
    return text[: text.index(part)].count("\n") + 1


DEFECTS = {
    "equation without a check": (TEXT + EQUATION, PRINTED, "$$ a", "eq-more has no check"),
    "check without an equation": (
        TEXT + CHECK, [*PRINTED, LINE], 'verify("eq-more"', "labels no equation"),
    "unlabelled equation": (TEXT + "\n$$\na\n$$\n", PRINTED, "$$\na", "without a label"),
    "unlabelled equation in an admonition": (
        TEXT + "\n:::{note}\n:class: tip\n$$\na\n$$\n:::\n", PRINTED, "$$\na", "without a label"),
    "unlabelled equation in nested fences": (
        TEXT + "\n````{note}\n```{tip}\n\n$$\na\n$$\n```\n````\n", PRINTED, "$$\na",
        "without a label"),
    "amsmath outside dollars": (
        TEXT + "\n\\begin{align}\na\n\\end{align}\n", PRINTED, "\\begin", "outside $$"),
    "math directive": (
        TEXT + "\n```{math}\n:label: eq-more\na\n```\n", PRINTED, "```{math}", "math directive"),
    "dollars in a paragraph": (
        TEXT + "\nthe text `$$`\n$$\na\n$$ (eq-more)\n", PRINTED, "$$\na", "inside a paragraph"),
    "label used twice": (
        TEXT + "\n$$ a $$ (eq-sum-rate)\n", PRINTED, "$$ a", "used twice, first in text/attic"),
    "label that does not start with eq-": (
        TEXT.replace("eq-sum-rate", "sum-rate"),
        [line.replace("eq-sum-rate", "sum-rate") for line in PRINTED],
        "$$\ns_n = \\Theta", "label 'sum-rate': expected 'eq-'"),
    "label with capitals": (
        TEXT.replace("eq-sum-rate", "eq-Rate"),
        [line.replace("eq-sum-rate", "eq-Rate") for line in PRINTED],
        "$$\ns_n = \\Theta", "label 'eq-Rate': expected"),
    "two checks for one label": (
        TEXT + EQUATION + CHECK + CHECK, [*PRINTED, LINE],
        None, "a second check for eq-more"),
    "no wrong variant": (
        TEXT.replace(', wrong={"linear": 1}', ""), PRINTED, "verify_slope(", "cannot fail"),
    "empty wrong variants": (
        TEXT.replace('{"linear": 1}', "{}"), PRINTED, "verify_slope(", "cannot fail"),
    "wrong variants that cannot be read": (
        TEXT.replace('{"linear": 1}', "variants"), PRINTED, "verify_slope(", "literal dict"),
    "label that is no literal": (
        TEXT.replace('verify_slope("eq-sum-rate"', "verify_slope(name"), PRINTED,
        "verify_slope(", "literal string"),
    "check that has printed nothing": (
        TEXT, PRINTED[:-1], "verify_bound(", "is not in the outputs"),
    "check that has printed twice": (
        TEXT, [*PRINTED, PRINTED[1]], 'verify("eq-sum-closed"', "is 2 times in the outputs"),
    "wrong variants other than those printed": (
        TEXT.replace('"linear"', '"cubic"'), PRINTED, "verify_slope(", "has refused linear (1)"),
    "definition where a check was printed": (
        TEXT, ["✓ eq-sum-objective   |Δ| ≤ 1e+00   rejects: x", *PRINTED[1:]],
        "verify.definition", "expected a definition"),
    "code that is no Python": (
        TEXT + "\n```{code-cell} python3\nx = 1\nx =\n```\n", PRINTED, "x =\n", "no Python"),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_defect_turns_the_gate_red(defect, tree, ledger, capsys):
    text, printed, place, message = DEFECTS[defect]
    write(tree, "attic/sums", text, printed)
    found = complaints(ledger, tree, capsys)
    assert any(message in line for line in found), found
    if place is not None:
        start = f"text/attic/sums.md:{line_of(place, text)}: "
        assert any(line.startswith(start) and message in line for line in found), found


@pytest.mark.parametrize("defect", DEFECTS)
def test_defect_is_not_written(defect, tree, ledger):
    text, printed, *_ = DEFECTS[defect]
    before = (tree / "book" / "equations.md").read_text("utf-8")
    write(tree, "attic/sums", text, printed)
    assert ledger.main(["write"], tree) == 1
    assert (tree / "book" / "equations.md").read_text("utf-8") == before


def test_each_line_of_a_defect_is_one_line(tree, ledger, capsys):
    write(tree, "attic/sums", TEXT + EQUATION, PRINTED)
    assert complaints(ledger, tree, capsys) == [
        f"text/attic/sums.md:{line_of('$$ a', TEXT + EQUATION)}: eq-more has no check"
    ]


def test_label_used_in_two_files(tree, ledger, capsys):
    write(tree, "cellar/more", "# More\n\n$$ a $$ (eq-sum-rate)\n", [])
    found = complaints(ledger, tree, capsys)
    assert found == [
        "text/cellar/more.md:3: eq-sum-rate is used twice, first in text/attic/sums.md:"
        f"{line_of('$$' + chr(10) + 's_n = ' + chr(92) + 'Theta', TEXT)}"
    ]


def test_check_repeated_in_another_file(tree, ledger, capsys):
    cell = TEXT[TEXT.index("```{code-cell} python3\nverify_slope") :].split("```\n")[0] + "```\n"
    write(tree, "cellar/more", "# More\n\n" + cell, [PRINTED[2]])
    found = complaints(ledger, tree, capsys)
    assert len(found) == 1
    assert found[0].startswith("text/cellar/more.md:4: a second check for eq-sum-rate")


def test_method_called_verify_is_no_check(tree, ledger, capsys):
    text = TEXT.replace("%matplotlib inline", "report.verify(weight, bias)")
    write(tree, "attic/sums", text, PRINTED)
    assert complaints(ledger, tree, capsys) == []
    text = TEXT.replace("%matplotlib inline", "verify.verify(label, 1, 2)")
    write(tree, "attic/sums", text, PRINTED)
    assert len(complaints(ledger, tree, capsys)) == 1


def test_exercises_may_leave_equations_unlabelled(tree, ledger, capsys):
    write(tree, "attic/sums-exercises", "# Exercises\n\n$$\na\n$$\n", [])
    assert complaints(ledger, tree, capsys) == []
    write(tree, "attic/sums-exercises", "# Exercises\n\n$$\na\n$$ (eq-more)\n", [])
    assert "eq-more has no check" in complaints(ledger, tree, capsys)[0]


def test_ledger_out_of_date(tree, ledger, capsys):
    page = tree / "book" / "equations.md"
    page.write_text(page.read_text("utf-8").replace("linear", "cubic"), "utf-8")
    assert complaints(ledger, tree, capsys) == [
        "book/equations.md:1: out of date: run `make notebooks`"
    ]
    page.unlink()
    assert len(complaints(ledger, tree, capsys)) == 1


def test_missing_notebook(tree, ledger, capsys):
    (tree / "book" / "attic" / "sums.ipynb").unlink()
    assert complaints(ledger, tree, capsys) == [
        "text/attic/sums.md:1: book/attic/sums.ipynb is missing: run `make notebooks`"
    ]


def test_broken_notebook(tree, ledger, capsys):
    (tree / "book" / "attic" / "sums.ipynb").write_text("{", "utf-8")
    assert "book/attic/sums.ipynb:1: is no notebook" in complaints(ledger, tree, capsys)[0]


def test_chapters_follow_the_table_of_contents(tree, ledger):
    more = EQUATION + CHECK
    write(tree, "aaa/first", "# First by name\n" + more, [LINE])
    toc = tree / "book" / "_toc.yml"
    toc.write_text(toc.read_text("utf-8") + "  - file: aaa/first\n", "utf-8")
    assert ledger.main(["write"], tree) == 0
    page = (tree / "book" / "equations.md").read_text("utf-8")
    assert page.index("Sums of") < page.index("First by name")


def test_long_sides_are_shortened_and_names_escaped(tree, ledger):
    sides = " + ".join(f"term_{i}" for i in range(40))
    check = CHECK.replace("a, b", f"{sides}, b").replace('"c"', '"a_b* <c>"')
    write(
        tree, "attic/sums", TEXT + EQUATION + check, [*PRINTED, LINE.replace("s: c", "s: a_b* <c>")]
    )
    assert ledger.main(["write"], tree) == 0
    row = (tree / "book" / "equations.md").read_text("utf-8").splitlines()[-1]
    assert "…` = `b`" in row
    assert "a\\_b\\* \\<c\\>" in row
    assert len(row) < 200


def test_unknown_action_is_refused(ledger, capsys):
    with pytest.raises(SystemExit) as stop:
        ledger.main(["mend"])
    assert stop.value.code == 2
    assert "invalid choice: 'mend'" in capsys.readouterr().err


def test_this_book_is_green(ledger, capsys):
    assert complaints(ledger, ROOT, capsys) == []


def test_this_book_has_its_chapters_in_the_ledger():
    """Guards the test above against finding nothing to look at."""
    texts = [p for p in ROOT.glob("text/*/*.md") if not p.stem.endswith("-exercises")]
    page = (ROOT / "book" / "equations.md").read_text("utf-8")
    assert texts
    for text in texts:
        assert f"]({text.parent.name}/{text.stem}.ipynb)" in page
