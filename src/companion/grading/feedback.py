"""The page that a student gets back: nothing in it runs or asks for anything, formulas are drawn.

A student's own words go into it as they were written, as text: what Markdown would make of them is
HTML, which runs in the browser of whoever opens the page, and in nbgrader's at the teacher's.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from companion.errors import DataError

__all__ = ["FORMULAS", "closed", "drawn", "formulas", "named", "prompt", "quoted", "read_formulas"]

FORMULAS = "formulas.json"  # in the course folder: MathML of each formula, by its TeX with dollars
TEX = re.compile(r"\$\$[^$]+\$\$|\$[^$]+\$")
ROLE = re.compile(r"\{[\w:]+\}(?=`)")
EXERCISE = re.compile(
    r"^(`{3,})\{exercise\}[ \t]*([^\n]*)\n(?::[\w-]+:[^\n]*\n)*(.*?)^\1[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
CODE = re.compile(r"(<(pre|code|style)\b.*?</\2>)", re.DOTALL)
SCRIPT = re.compile(r"<script\b.*?</script>\s*", re.DOTALL)
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">"
)
STYLE = "<style>.prompt, .anchor-link { display: none }</style>"  # nothing was counted; "¶" no text


def prompt(source: str) -> str:
    """Return a Markdown cell of the book without what only the book's pages understand.

    >>> prompt("See {doc}`flash`.\\n````{exercise} Two\\n:label: ex-two\\nAdd.\\n````")
    'See `flash`.\\n**Exercise. Two**\\nAdd.\\n'
    """
    return ROLE.sub("", EXERCISE.sub(r"**Exercise. \2**\n\3", source))


def quoted(source: str) -> str:
    """Return Markdown that shows `source` as it is.

    >>> print(quoted("<b> `x`"))
    ```text
    <b> `x`
    ```
    """
    longest = max([2, *map(len, re.findall("`+", source))])
    fence = "`" * (longest + 1)
    return f"{fence}text\n{source}\n{fence}"


def formulas(source: str) -> Iterator[str]:
    """The formulas of a Markdown cell, dollars included.

    >>> list(formulas("Let $x<1$, as in `$HOME` and\\n```python\\n'$y$'\\n```"))
    ['$x<1$']
    """
    text = re.sub(r"^(`{3,})python\n.*?^\1$|`[^`\n]+`", "", source, flags=re.DOTALL | re.MULTILINE)
    yield from TEX.findall(text)


def read_formulas(course: Path) -> dict[str, str]:
    """Return what ``make class`` has drawn for the pages of a course.

    Raises:
        DataError: if the course has none.
    """
    path = course / FORMULAS
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected formulas, as `make class` writes them") from error


def drawn(page: str, known: Mapping[str, str]) -> str:
    """Return `page` with the formulas that are known as MathML; others stay as they were written.

    >>> drawn("<p>$x&lt;1$ <code>$x&lt;1$</code> $y$</p>", {"$x<1$": "<math/>"})
    '<p><math/> <code>$x&lt;1$</code> $y$</p>'
    """

    def draw(found: re.Match[str]) -> str:
        return known.get(html.unescape(found[0]), found[0])

    kept = [match.span(1) for match in CODE.finditer(page)]
    ends = [0, *(end for _, end in kept)]
    starts = [*(start for start, _ in kept), len(page)]
    parts = [TEX.sub(draw, page[a:b]) for a, b in zip(ends, starts, strict=True)]
    codes = [page[a:b] for a, b in kept]
    return "".join(part for pair in zip(parts, [*codes, ""], strict=True) for part in pair)


def closed(page: str) -> str:
    """Return `page` without scripts, and with the order to the browser to run and fetch none.

    >>> "script" in closed("<head></head><script>x</script>").replace("Security-Policy", "")
    False
    """
    return SCRIPT.sub("", page).replace("<head>", f"<head>{POLICY}", 1)


def named(page: str) -> str:
    """Return `page` with the exercises named in its list, and without prompts and marks of links.

    >>> named('<a href="#ex-two-check">Test cell</a> <a href="#comment-ex-two">Comment</a>')
    '<a href="#ex-two-check">ex-two</a> <a href="#comment-ex-two">Comment on ex-two</a>'
    """
    page = re.sub(r'(<a href="#([\w-]+)-check">)Test cell</a>', r"\1\2</a>", page)
    page = re.sub(r'(<a href="#comment-([\w-]+)">Comment)</a>', r"\1 on \2</a>", page)
    return page.replace("</head>", f"{STYLE}</head>", 1)
