"""What is meant for the judge, or for whoever opens a page of feedback."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from school import HIDDEN, NAME, Class

from companion.grading import Court, Limits, Submission, judge_notebook
from companion.grading.feedback import drawn
from companion.grading.gradebook import Gradebook
from companion.grading.judge import Judged
from companion.grading.submission import rebuild

SCRIPT = "<script>alert(1)</script>"
MARKDOWN = f"""{SCRIPT} <img src="http://192.0.2.1/x.png" onerror="alert(2)">
[x](javascript:alert(3))
```
</pre>{SCRIPT}
"""
PRINTED = f"print('\\x1b]0;x\\x07\\x1b[31m</pre>{SCRIPT}', '\\ud800', '$x$')"
ANSWERS = {
    "descent": "def descent_gap(weights, products):\n    return 10**400",
    "single": (
        "class Equal:\n"
        "    __eq__ = __lt__ = __le__ = lambda self, other: True\n"
        "    shape, dtype, ndim = (2,), torch.float64, 1\n"
        "def single_auxiliary(primary, auxiliary):\n    return Equal()"
    ),
    "pair": (
        "class Mine(torch.Tensor):\n"
        "    @classmethod\n"
        "    def __torch_function__(cls, function, types, args=(), kwargs=None):\n"
        "        return True\n"
        "def two_multipliers(primary, auxiliary):\n    return primary.as_subclass(Mine)"
    ),
    "pcgrad": f"def spoiled_primary():\n    raise ValueError('''{SCRIPT}''' * 10**6)",
    "orthogonal": ("def greedy_pass(primary, auxiliary):\n    return type('x' * 10**6, (), {})()"),
    "oblique": (  # a shape of 64 TiB, and no numbers
        "import companion.grading.message as message\n"
        "message._write_array = lambda value: [[2**43], '']\n"
        "def looks_finished():\n    return torch.zeros(3, 2)"
    ),
}
HEARD = {
    "descent": "NaN or infinity came back: inf",
    "single": "the function returned a Equal, expected a torch.Tensor",
    "pair": "The process was stopped here: it ended by itself",
    "pcgrad": "the function raised ValueError: <script>",
    "orthogonal": "the function returned a xxxx",
    "oblique": "The process was stopped here: it wrote to the judge's pipe",
}


@pytest.fixture(scope="module")
def attack(school: Class) -> tuple[Submission, Judged]:
    notebook = school.notebook(changed=ANSWERS)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(MARKDOWN))
    notebook.cells.insert(1, nbformat.v4.new_code_cell(PRINTED))
    found, _ = rebuild(notebook, school.assignment)
    modules = {question.module for question in school.assignment.questions.values()}
    with Court(modules) as court:
        judged = judge_notebook(
            found, school.assignment, limits=Limits(), hidden=HIDDEN, court=court
        )
    notes = [f"the file is called \n\n{SCRIPT}`{SCRIPT}.ipynb"]
    return Submission("ada", school.assignment, Path("x"), found, notes), judged


def test_no_answer_fools_its_judge(attack: tuple[Submission, Judged]) -> None:
    verdicts = {
        name.removeprefix("ex-primary-").removesuffix("-check"): verdict
        for name, verdict in attack[1].verdicts.items()
    }
    assert not [name for name, verdict in verdicts.items() if verdict.right]
    assert [name for name, words in HEARD.items() if words not in verdicts[name].words] == []
    assert max(len(verdict.words) for verdict in verdicts.values()) < 20_000


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_nothing_in_a_page_of_feedback_runs(
    attack: tuple[Submission, Judged], school: Class, tmp_path: Path
) -> None:
    submission, judged = attack
    scores = Gradebook(school.course).enter(submission, judged, tmp_path / f"{NAME}.html")
    assert set(scores.values()) == {0.0}
    page = (tmp_path / f"{NAME}.html").read_text("utf-8")
    elements = Elements(page).found
    links = [value or "" for _, held in elements for key, value in held.items() if key in LINKS]
    assert "script" not in [tag for tag, _ in elements]
    assert not [key for _, held in elements for key in held if key.startswith("on")]
    assert not [link for link in links if not link.startswith(("#", "data:image/png;"))]
    first = next(held for tag, held in elements if tag == "meta")
    assert "default-src 'none'" in (first["content"] or "")
    assert page.count("alert(1)") >= 4, "what was written is not shown"


LINKS = ("href", "src", "action", "data")


def test_formulas_are_drawn_in_sentences_only() -> None:
    page = "<p>a $x$ <code>$x$</code> $y$</p><pre>$x$</pre> $x$"
    wanted = "<p>a <math> <code>$x$</code> $y$</p><pre>$x$</pre> <math>"
    assert drawn(page, {"$x$": "<math>"}) == wanted
