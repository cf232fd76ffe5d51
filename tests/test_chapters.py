"""One voice: chapters open and end alike, figures are talked about, a thing has one name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from notation import CODE, DISPLAY, INLINE

ROOT = Path(__file__).parents[1]
PARTS = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text("utf-8"))["parts"]
CHAPTERS = [chapter["file"] for chapter in PARTS[0]["chapters"]]
TEXTS = sorted(ROOT.glob("text/*/*.md"))
PAGES = [*TEXTS, *sorted(set(ROOT.glob("book/**/*.md")) - {ROOT / "book" / "equations.md"})]

CELL = re.compile(r"^```\{code-cell\}.*?^```$", re.MULTILINE | re.DOTALL)
EXPLORABLE = re.compile(r"^explore\.\w+\($", re.MULTILINE)
OPENING = re.compile(
    r"\n\(chapter-[a-z]+\)=\n# [^\n]+\n"
    r"\n\*After Su Jianlin, [^\n]+ Module: \{py:mod\}`companion\.\w+`\.\*\n"
    r"\n(?P<question>[^\n]+)\n"
    r"\nAfter this chapter you can\n\n(?:- [^\n]+\n)+"
    r"\n(?P<picture>[^\n]+)\n\n```\{code-cell\}"
)
ENDING = re.compile(
    r"\n## What to remember\n"
    r"\n:::\{admonition\} What to take along\n:class: tip\n(?:- [^\n]+\n)+:::\n"
    r"\nStill open: [^\n]+\n"
    r"\n## Exercises\n\n[A-Z][a-z]+ exercises [^\n]*\{doc\}`(?P<exercises>[a-z-]+)`: [^\n]+\n"
    r"\n## Sources\n\nThe essay is [^\n]+\n$"
)
EXERCISES = re.compile(
    r"\n# Exercises: [^\n]+\n"
    r"\nReplace a stub by your own function and run the cell below it: `check` [^\n]+\n"
    r"\nThe notation is that of the chapter \{doc\}`(?P<chapter>[a-z-]+)`[^\n]+\n"
    r"\n\+\+\+ \{\"tags\": \[\"solution\"\]\}\n"  # what only a reader of the solved version is told
    r"\nA solution is folded below each exercise; it is more use to you after a first attempt of "
    r"your own.\n\n```"
)
NUMBERS = dict(enumerate(["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight"]))

# what a reader is told to find easy, and what stands here by another name or spelling
BANNED = {
    r"clearly|simply|obvious(?:ly)?|of course|trivial(?:ly)?|needless to say|everyone knows": "",
    r"it is (?:well known|easy|clear)|(?:easy|clear) to see|as we all know": "",
    r"colors?|gray|behavior|center(?:ed|s)?|modeling|favor|neighbors?|labor|analyze": "grey, our",
    r"(?:normal|optim|organ|general|initial|regular|real)iz(?:e|ed|es|er|ing|ation)": "-ise",
    r"learnt|per cent|warmup|datasets?|mini-batch(?:es)?|step size|Gramian": (
        "learned, warm-up, data set"
    ),
    r"step length|lean (?:version|pointer)|skip connections?": "learning rate, efficient, path",
}
QUOTED = re.compile(
    r"\*After Su[^\n]*|\{\w+(?::\w+)?\}`[^`]*`|\]\([^)]*\)|^    alt: .*$", re.MULTILINE
)


def prose(text: str) -> str:
    """Return a text without code, formulas, and what others wrote."""
    plain = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    for pattern in (QUOTED, DISPLAY, CODE, INLINE):
        plain = pattern.sub("§", plain)
    return plain


def sentences(paragraph: str) -> int:
    return len(re.findall(r"[.?](?= [A-Z]|$)", paragraph))


def form_faults(text: str, name: str) -> Iterator[str]:
    opening, ending = OPENING.search(text), ENDING.search(text)
    if opening is None:
        yield "opens otherwise: question, what you can do, picture"
    elif (asked := sentences(opening["question"])) != 2 or opening["question"][-1] != "?":
        yield f"asks in {asked} sentences, expected two: {opening['question']}"
    if ending is None:
        yield "ends otherwise: what to remember, still open, exercises, sources"
    elif ending["exercises"] != f"{name}-exercises":
        yield f"links the exercises {ending['exercises']}"
    if not re.search(r"^By the end of the chapter [^\n]+\n\n## ", text, re.MULTILINE):
        yield "does not say behind the picture what the chapter will make of it"


def figure_faults(text: str) -> Iterator[str]:
    """Every figure has a caption and alt text, and prose behind it before the next heading."""
    for match in CELL.finditer(text):
        figure = "\n  figure:\n" in match[0]
        if not figure and not EXPLORABLE.search(match[0]):
            continue
        line = text.count("\n", 0, match.start()) + 1
        if figure and not re.search(r"\n    caption: (?:\|\n      )?\S", match[0]):
            yield f"line {line}: a figure without a caption"
        if figure and not re.search(r"\n    alt: \S", match[0]):
            yield f"line {line}: a figure without alt text"
        behind = CELL.sub("", text[match.end() :]).lstrip()
        if not re.match(r"[A-Z*{`$\\]", behind) or sentences(behind.split("\n")[0]) < 1:
            yield f"line {line}: a figure with no sentence behind it"


def word_faults(text: str) -> Iterator[str]:
    for pattern, better in BANNED.items():
        for match in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", prose(text), re.IGNORECASE):
            yield f"{match[0]!r}{better and f' (here: {better})'}"


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_opens_and_ends_like_the_others(name: str) -> None:
    text = (ROOT / "text" / f"{name}.md").read_text("utf-8")
    assert list(form_faults(text, name.split("/")[1])) == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_exercises_begin_alike_and_are_as_many_as_announced(name: str) -> None:
    text = (ROOT / "text" / f"{name}-exercises.md").read_text("utf-8")
    opening = EXERCISES.search(text)
    assert opening is not None
    assert opening["chapter"] == name.split("/")[1]
    many = NUMBERS[len(re.findall(r"^`+\{exercise\} ", text, re.MULTILINE))]
    chapter = (ROOT / "text" / f"{name}.md").read_text("utf-8")
    assert f"\n## Exercises\n\n{many} exercises" in chapter


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_figures_are_talked_about(path: Path) -> None:
    assert list(figure_faults(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_words_are_plain_and_the_same_everywhere(path: Path) -> None:
    assert list(word_faults(path.read_text("utf-8"))) == []


# ---------------------------------------------------------------------------------------
# each guard is seen to fail

GOOD = (ROOT / "text" / f"{CHAPTERS[0]}.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("After this chapter you can", "You can", "opens otherwise"),
        ("In which direction should you", "You ask. In which direction should you", "asks in 3"),
        ("By the end of the chapter", "Soon", "does not say"),
        ("\nStill open: ", "\nWe do not know: ", "ends otherwise"),
        ("## Sources\n", "## Literature\n", "ends otherwise"),
        ("{doc}`primary-tasks-exercises`", "{doc}`flash-exercises`", "links the exercises flash"),
    ],
)
def test_another_form_is_refused(old: str, new: str, complaint: str) -> None:
    assert GOOD.count(old) == 1
    assert list(form_faults(GOOD, "primary-tasks")) == []
    (found,) = form_faults(GOOD.replace(old, new), "primary-tasks")
    assert found.startswith(complaint)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "    caption: |\n      A line.",
            "    name: fig-line",
            "line 1: a figure without a caption",
        ),
        ("    alt: A line", "    name: A line", "line 1: a figure without alt text"),
        ("It rises.", "## A heading.", "line 1: a figure with no sentence behind it"),
        ("It rises.", "$$\ny\n$$ (eq-a)", "line 1: a figure with no sentence behind it"),
        ("It rises.", "", "line 1: a figure with no sentence behind it"),
    ],
)
def test_a_figure_without_words_is_named(old: str, new: str, complaint: str) -> None:
    cell = (
        "---\nmystnb:\n  figure:\n    caption: |\n      A line.\n"
        "  image:\n    alt: A line\n---\nplt.show()"
    )
    text = f"```{{code-cell}} python3\n{cell}\n```\n\n```{{code-cell}}\nx = 1\n```\n\nIt rises.\n"
    assert list(figure_faults(text)) == []
    assert list(figure_faults(text.replace(old, new))) == [complaint]


def test_words_are_found_in_prose_alone() -> None:
    assert list(word_faults("This is clearly so, in grey.")) == ["'clearly'"]
    loud = "It is easy to see: of course the Color is normalized, learnt."
    assert len(list(word_faults(loud))) == 5
    quiet = "`color=gray`, $\\text{color}$, [x](color), {cite}`a`, recolor, size\n"
    assert list(word_faults(quiet + "\n```python\ncolor\n```\n")) == []
