"""The chapters and what they refer to, as a drawing with links and as sentences."""

from __future__ import annotations

from html import escape

from reading import Chapter

ROW, WIDTH, LEFT, FIRST = 40, 460, 118, 26  # units of the drawing, about a pixel each
ABOUT = (
    "The eight chapters one below the other. An arc joins two chapters of which one refers to the "
    "other; a dot marks the one that is referred to. The sentences below say the same."
)


def sentence(chapter: Chapter, targets: list[int], known: dict[int, Chapter]) -> str:
    """One line of Markdown: the chapter, and what it refers to."""
    links = [f"{{doc}}`{number} <{known[number].document}>`" for number in targets]
    listed = " and ".join(filter(None, [", ".join(links[:-1]), *links[-1:]]))
    what = f"refers to {listed}" if links else "stands alone"
    return f"- {{doc}}`{chapter.number} · {chapter.title} <{chapter.document}>` {what}."


def sentences(chapters: list[Chapter], mentions: dict[int, list[int]]) -> str:
    """The map as a list in Markdown."""
    known = {chapter.number: chapter for chapter in chapters}
    return "\n".join(sentence(one, mentions[one.number], known) for one in chapters)


def _height(number: int) -> int:
    return FIRST + ROW * (number - 1)


def _arc(one: int, other: int, referred: list[int]) -> str:
    """An arc on the left side, with a dot at the end of each chapter that is referred to."""
    top, bottom = _height(one), _height(other)
    reach = LEFT - 16 - 13 * (other - one)
    path = f"M {LEFT} {top} C {reach} {top} {reach} {bottom} {LEFT} {bottom}"
    dots = [f'<circle cx="{LEFT}" cy="{_height(end)}" r="4"></circle>' for end in referred]
    return f'<path d="{path}" fill="none"></path>{"".join(dots)}'


def pairs(mentions: dict[int, list[int]]) -> dict[tuple[int, int], list[int]]:
    """Each pair of chapters that is joined, and those of the two that are referred to."""
    found: dict[tuple[int, int], list[int]] = {}
    for start, targets in mentions.items():
        for end in targets:
            found.setdefault((min(start, end), max(start, end)), []).append(end)
    return found


def _title(chapter: Chapter) -> str:
    place = f'x="{LEFT + 14}" y="{_height(chapter.number) + 5}"'
    words = f"{chapter.number} · {escape(chapter.title)}"
    return f'<a href="{escape(chapter.document)}.html"><text {place}>{words}</text></a>'


def drawing(chapters: list[Chapter], mentions: dict[int, list[int]]) -> str:
    """The map as SVG for a page at the top of the book; colours come from book.css."""
    arcs = [_arc(*pair, referred) for pair, referred in pairs(mentions).items()]
    titles = [_title(one) for one in chapters]
    size = f'viewBox="0 0 {WIDTH} {_height(len(chapters)) + FIRST}"'
    return (
        f'<svg class="chapter-map" {size} role="group" aria-label="{ABOUT}">'
        f"{''.join(arcs)}{''.join(titles)}</svg>"
    )
