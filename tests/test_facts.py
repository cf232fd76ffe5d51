"""What the book says about itself is counted: words, formulas, mentions, changes, runs."""

import json
import re
from pathlib import Path

import pytest
from loading import load_tool

ROOT = Path(__file__).parents[1]
TEXT = """\
---
kernelspec: {name: python3}
---
# One two

Three $x = 1$ five `six`, [seven](https://example.org). See chapter 2.

$$
a
$$ (eq-sum-a)

```{code-cell} ipython3
not = "counted at all"
```

:::{admonition} Title
:class: tip
eleven twelve {doc}`../cellar/wine`
:::
"""
TOC = """\
parts:
- chapters:
  - {file: attic/sums, title: 1 · Sums}
  - {file: attic/more, title: 2 · More}
  - {file: cellar/wine, title: 3 · Wine}
- chapters: [{file: notation}]
"""
CHANGELOG = """\
# Changelog

## [Unreleased]

### Added

- Chapter 2 has a figure,
  in two lines.
- A new tool.

## [1.0.0] - 2026-01-02

### Fixed

- A sign in chapter 2 and chapter 1.
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "_toc.yml").write_text(TOC, "utf-8")
    texts = {
        "attic/sums": TEXT,
        "attic/more": "# More\n",
        "cellar/wine": "# {doc}`../attic/sums`\n",
    }
    for name, text in texts.items():
        path = tmp_path / "text" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path


def test_words_and_formulas_are_counted_without_code(tree):
    tool = load_tool("reading")
    found = tool.reading(tree, "attic/sums")
    # One two | Three x=1 five six , seven . See chapter 2. | eleven twelve
    assert (found.words, found.formulas) == (14, 1)
    assert tool.Reading(words=4000, formulas=20).minutes == 30
    assert tool.Reading(words=0, formulas=0).minutes == 5


def test_mentions_are_numbers_and_links(tree):
    assert load_tool("reading").mentions(tree) == {1: [2, 3], 2: [], 3: [1]}


def test_the_map_says_what_it_draws(tree):
    reading, drawn = load_tool("reading"), load_tool("chapter_map")
    chapters, mentions = reading.chapters(tree), reading.mentions(tree)
    picture = drawn.drawing(chapters, mentions)
    assert drawn.pairs(mentions) == {(1, 2): [2], (1, 3): [3, 1]}
    assert (picture.count("<path "), picture.count("<circle ")) == (2, 3)
    assert re.findall(r'href="([^"]+)"', picture) == [f"{c.document}.html" for c in chapters]
    first, second, _ = drawn.sentences(chapters, mentions).splitlines()
    assert first.endswith("refers to {doc}`2 <attic/more>` and {doc}`3 <cellar/wine>`.")
    assert second.endswith(" stands alone.")


def test_changes_stand_under_the_chapters_that_they_name(tree):
    (tree / "CHANGELOG.md").write_text(CHANGELOG, "utf-8")
    page = load_tool("changes").page(tree / "CHANGELOG.md", load_tool("reading").chapters(tree))
    one, two, three, whole = page.split("## ")[1:]
    assert one.endswith("*1.0.0, fixed.* A sign in chapter 2 and chapter 1.\n\n")
    assert "*Unreleased, added.* Chapter 2 has a figure, in two lines." in two
    assert two.count("\n- ") == 2
    assert "No change is recorded." in three
    assert whole.endswith("*Unreleased, added.* A new tool.")


def test_no_entry_of_the_changelog_is_lost():
    changes = load_tool("changes")
    listed = re.findall(r"^- ", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert len(changes.entries(ROOT / "CHANGELOG.md")) == len(listed)


def test_tests_are_counted_by_tree():
    listing = "tests/a.py::x\ntests/a.py::y\nsrc/b.py::b\nbook/c.ipynb::Cell 0\n\n4 tests\n"
    assert load_tool("status").count(listing) == {
        "tests": 2, "examples in docstrings": 1, "cells of notebooks": 1,
    }  # fmt: skip


def test_symbols_in_plain_text_and_as_words():
    tex = r"\bar\beta_t, \operatorname{relu}^2(x) \in \mathbb R^d"
    assert load_tool("plain_tex").plain(tex) == "β̄ₜ, relu²(x) ∈ R^d"
    words = load_tool("search_words")
    assert words.split(tex)[:3] == ["bar", "beta", "t"]
    assert words.split("GAU-α, Désidéri") == ["GAU", "alpha", "Desideri"]
    assert words.findable("β̄ₜ") == "β̄ₜ (beta bar)"


def test_every_text_has_a_recorded_run():
    recorded = json.loads((ROOT / "book" / "status.json").read_text("utf-8"))
    texts = {
        p.relative_to(ROOT / "text").with_suffix("").as_posix() for p in ROOT.glob("text/**/*.md")
    }
    assert texts - {*recorded["notebooks"]} == set()
    assert all(run["processor_s"] > 0 for run in recorded["notebooks"].values())
    assert {"torch", "numpy", "jupyter-book"} <= {*recorded["environment"]["packages"]}
    assert recorded["tests"]["tests"] > 1000


def test_the_cards_of_the_landing_page_are_the_chapters_in_their_order():
    text = (ROOT / "text" / "intro.md").read_text("utf-8")
    cards = re.findall(r"\{grid-item-card\} (\d) · (.+)\n(?::.*\n)*:link: (\S+)\n", text)
    expected = [
        (str(chapter.number), chapter.title, chapter.document)
        for chapter in load_tool("reading").chapters(ROOT)
    ]
    assert cards == expected
    assert re.findall(r"\{effort\}`(.+?)`", text) == [document for *_, document in expected]
