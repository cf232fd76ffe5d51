"""A Sphinx extension: the pages are valid HTML, and say to a screen reader what they show.

Each `Mend` undoes one fault of the theme or of a directive, in the finished pages. One that finds
nothing to mend in the whole book fails the build, so that it goes when the fault does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FRONT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Taken Apart, Rebuilt</title>
<meta http-equiv="Refresh" content="0; url=intro.html">
</head>
<body><p><a href="intro.html">Taken Apart, Rebuilt</a></p></body>
</html>
"""


# What is no text of the page; then a run of Chinese, with the signs that stand between.
NO_TEXT = re.compile(r"(<(script|style|title|svg)\b.*?</\2>|<[^>]*>)", re.DOTALL)
CHINESE = re.compile(r"[\u4e00-\u9fff](?:[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]*)")


@dataclass(frozen=True, kw_only=True)
class Mend:
    """What is wrong, why that matters, and what stands there instead."""

    reason: str
    pattern: str
    instead: str | Callable[[re.Match[str]], str]


def lines(signature: re.Match[str]) -> str:
    """The parameters of a signature as lines, without a list of definitions that has no terms."""
    rows = re.findall(r"<dd>(.*?)</dd>", signature[1], re.DOTALL)
    return f'<span class="sig-lines">{"".join(f"<span>{row}</span>" for row in rows)}</span>'


def named(entry: re.Match[str]) -> str:
    """A chapter in the sidebar, and the triangle beside it with a name."""
    title = re.sub(r"<[^>]*>", "", entry[2])
    return f'{entry[1]} aria-label="Pages of {title}">'


MENDS = (
    Mend(
        reason="a page has one viewport; the theme and docutils add theirs",
        pattern=r'<meta name="viewport" content="width=device-width, initial-scale=1" ?/>',
        instead="",
    ),
    Mend(
        reason="the front page is named like the book, and once is enough",
        pattern=r"<title>([^<]+) &#8212; \1</title>",
        instead=r"<title>\1</title>",
    ),
    Mend(
        reason="an id stands on a page once, and nothing refers to these",
        pattern=r'<section id="(?:exercise|solution)-content">',
        instead="<section>",
    ),
    Mend(
        reason="a summary holds phrases, and its name is the text that is seen",
        pattern=r'<summary aria-label="Toggle hidden content">\s*<p class="collapsed [^"]*">'
        r'(.*?)</p>\s*<p class="expanded [^"]*">(.*?)</p>\s*</summary>',
        instead=r'<summary><span class="collapsed">\1</span><span class="expanded">\2</span>'
        "</summary>",
    ),
    Mend(
        reason="a list of definitions without terms is no list",
        pattern=r"<dl>\s*((?:<dd>(?:(?!</dd>).)*</dd>\s*)+)</dl>",
        instead=lines,
    ),
    Mend(
        reason="the name and the tip of the button contradict its text, and the shortcut",
        pattern=r'(<button class="btn search-button-field[^"]*") title="Search" '
        r'aria-label="Search" data-bs-placement="bottom" data-bs-toggle="tooltip"',
        instead=r"\1",
    ),
    Mend(
        reason="an icon is a character of no language, and would be read as one",
        pattern=r'<i class="(fa-[^"]*)">',
        instead=r'<i class="\1" aria-hidden="true">',
    ),
    Mend(
        reason="the sidebar stands outside any landmark",
        pattern=r'<div id="pst-primary-sidebar"',
        instead=r'<div id="pst-primary-sidebar" role="complementary" aria-label="Book navigation"',
    ),
    Mend(
        reason="the role has been taken out of the standard",
        pattern=r'role="doc-biblioentry"',
        instead=r'role="listitem"',
    ),
    Mend(
        reason="the triangle beside a chapter, which folds its sub-pages, has no name",
        pattern=r'(<a class="[^"]*reference internal" href="[^"]*">((?:(?!</a>).)*)</a>'
        r"<details[^>]*><summary)>",
        instead=named,
    ),
)


def mended(page: str, counts: list[int]) -> str:
    """The page without the faults; `counts` says how often each was found so far."""
    for number, mend in enumerate(MENDS):
        page, found = re.subn(mend.pattern, mend.instead, page, flags=re.DOTALL)
        counts[number] += found
    return page


def spoken(page: str) -> str:
    """The page with its Chinese words marked, so that a screen reader says them in Chinese.

    >>> print(spoken("<p title='事件'>事件 is <b>event</b></p>"))
    <p title='事件'><span lang="zh">事件</span> is <b>event</b></p>
    """
    if not CHINESE.search(page):
        return page
    parts = NO_TEXT.split(page)  # text, markup, the name of its element or None, text, ...
    parts[::3] = [CHINESE.sub(r'<span lang="zh">\g<0></span>', text) for text in parts[::3]]
    parts[2::3] = [""] * len(parts[2::3])
    return "".join(parts)


def finish(app: Sphinx, error: Exception | None) -> None:
    """Mend every page of the built site."""
    if error is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    (site / "index.html").write_text(FRONT, encoding="utf-8")
    counts = [0] * len(MENDS)
    for path in sorted(site.rglob("*.html")):
        if "_static" not in path.relative_to(site).parts:
            page = mended(path.read_text(encoding="utf-8"), counts)
            path.write_text(spoken(page), encoding="utf-8")
    for mend, count in zip(MENDS, counts, strict=True):
        if count == 0:
            raise ExtensionError(f"nothing to mend any more, take it out: {mend.reason}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
