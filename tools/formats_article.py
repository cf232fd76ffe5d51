"""What a page of the built site says, without what only a screen can do: for EPUB and PDF.

What is folded on the page goes to its end, under a heading, with a link in each direction, and a
figure with knobs becomes its picture. Formulas are left to the format: MathML, or as drawn.
"""

from __future__ import annotations

import copy
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
from formats_book import Chapter

ARTICLE = re.compile(r"<article\b.*</article>", re.DOTALL)
# A drawn formula, with its MathML in it, and code with its colours: most of a page, and nothing in
# them changes, so they are kept aside while the rest is parsed.
FORMULA = re.compile(r"<mjx-container\b.*?(<math\b.*?</math>).*?</mjx-container>", re.DOTALL)
PLACE = re.compile(r"<mjx-container>(\d+)</mjx-container>")
CODE = re.compile(r"<pre>(.*?)</pre>", re.DOTALL)
TAG = re.compile(r"<[^>]*>")
BREAK = re.compile(r"(?<=[/._,(=\[])(?=\w)")
# Nobody can press, type or unfold on paper.
SCREEN = ["script", "button", "input"]
SCREEN_CLASSES = ["headerlink", "explorable-knobs", "explorable-kernel"]
VARIABLE = re.compile(r"var\(--[\w-]+,\s*([^()]*)\)")
SHOWN = {  # how the summary of folded code begins, and what it is called on paper
    "Show code cell source": "Code",
    "Show code cell output": "Output",
    "Show the solution": "Solution in code",
}
# A parser of HTML writes every name small; in XML these of SVG have capitals.
CAPITALS = {
    name.lower(): name
    for name in (
        *("viewBox", "preserveAspectRatio", "gradientUnits", "gradientTransform", "clipPathUnits"),
        *("markerWidth", "markerHeight", "markerUnits", "refX", "refY", "patternUnits"),
        *("textLength", "lengthAdjust", "startOffset", "pathLength", "spreadMethod"),
        *("clipPath", "linearGradient", "radialGradient", "textPath"),
    )
}


class ArticleError(Exception):
    """A page is not what a page of the book looks like: one line says which and why."""


@dataclass(frozen=True)
class Article:
    """One page of the book. Addresses in `body` are paths below the site."""

    chapter: Chapter
    title: str
    body: Tag
    formulas: Sequence[re.Match[str]]  # of FORMULA; `body` holds their numbers in PLACE
    code: Sequence[str]  # what stands in each <pre>; `body` holds their numbers

    def text(self, formula: Callable[[re.Match[str]], str]) -> str:
        """Return the content as XHTML, each formula as `formula` writes what the site drew."""
        content = self.body.decode_contents(formatter="minimal")
        content = CODE.sub(lambda place: f"<pre>{self.code[int(place[1])]}</pre>", content)
        return PLACE.sub(lambda place: formula(self.formulas[int(place[1])]), content)


def read_article(site: Path, chapter: Chapter) -> Article:
    """Read one page of the built site."""
    page = site / f"{chapter.name}.html"
    if not page.is_file():
        raise ArticleError(
            f"{chapter.name}.html: is not in the built site; run `make book SERVE=0`"
        )
    found = ARTICLE.search(page.read_text(encoding="utf-8"))
    formulas: list[re.Match[str]] = []
    code: list[str] = []

    def keep_formula(formula: re.Match[str]) -> str:
        formulas.append(formula)
        return f"<mjx-container>{len(formulas) - 1}</mjx-container>"

    def keep_code(block: re.Match[str]) -> str:
        code.append(block[1])
        return f"<pre>{len(code) - 1}</pre>"

    text = CODE.sub(keep_code, FORMULA.sub(keep_formula, found[0] if found else ""))
    soup = BeautifulSoup(text, "html.parser")
    body, heading = soup.article, soup.h1
    if body is None or heading is None:
        raise ArticleError(f"{chapter.name}.html: has no article with a heading")
    for box in body.find_all(["span", "div"], class_="math"):
        if PLACE.search(str(box)) is None:
            raise ArticleError(f"{chapter.name}.html: a formula is not drawn: {box.get_text()}")
    drop_screen(body)
    set_pictures(soup, body)
    set_cards(soup, body)
    set_breaks(soup, body)
    move_folds(soup, body)
    make_ids_unique(body)
    set_addresses(body, chapter.name)
    if chapter.title is not None:
        heading.string = chapter.title  # with its number
    title = PLACE.sub(lambda place: TAG.sub("", formulas[int(place[1])][1]), str(heading))
    return Article(chapter, unescape(" ".join(TAG.sub("", title).split())), body, formulas, code)


def drop_screen(body: Tag) -> None:
    """Take out what only a screen can do, and what is not shown on it."""
    hidden = [svg.find_all(display="none") for svg in body.find_all("svg")]
    for part in chain(body.find_all(SCREEN), body.find_all(class_=SCREEN_CLASSES), *hidden):
        part.decompose()
    for part in body.find_all(class_="toctree-wrapper"):
        if part.find("a") is None:
            part.decompose()


def set_pictures(soup: BeautifulSoup, body: Tag) -> None:
    """Write names of SVG as XML has them, and the colours that the theme would have set."""
    for svg in body.find_all("svg"):
        svg["xmlns"] = "http://www.w3.org/2000/svg"
        if svg.get("role") not in {None, "img"}:
            del svg["role"]  # EPUB knows no other
        for link in [link for link in svg.find_all("a") if link.find("title") is None]:
            link.insert(0, soup.new_tag("title", string=link.get_text(" ", strip=True)))
        for part in (svg, *svg.find_all(True)):
            part.name = CAPITALS.get(part.name, part.name)
            part.attrs = {CAPITALS.get(key, key): value for key, value in part.attrs.items()}
    for part in body.find_all(style=VARIABLE):
        style = str(part["style"])
        while VARIABLE.search(style):
            style = VARIABLE.sub(r"\1", style)
        part["style"] = style


def set_cards(soup: BeautifulSoup, body: Tag) -> None:
    """Let the title of a card lead where the whole card does on a screen."""
    for link in body.find_all("a", class_="sd-stretched-link"):
        card = link.find_parent(class_="sd-card")
        title = card.select_one(".sd-card-title") if card is not None else None
        if title is not None:
            title.wrap(soup.new_tag("a", href=str(link["href"])))
        link.decompose()


def set_breaks(soup: BeautifulSoup, body: Tag) -> None:
    """Let a name of code in a table break behind its dots, slashes and the like, and only there."""
    names = [code for code in body.find_all("code") if code.find_parent("td") is not None]
    for text in [text for code in names for text in code.find_all(string=True)]:
        first, *others = BREAK.split(text)
        for part in others:
            text.insert_before(first, soup.new_tag("wbr"))
            first = part
        text.replace_with(first)


def move_folds(soup: BeautifulSoup, body: Tag) -> None:
    """Move what is folded to the end; leave a link to it, and give it one back.

    `data-of` names the place that a link leads to: where there are pages, its number is added.
    """
    folds = [fold for fold in body.find_all(["details", "div"]) if is_fold(fold)]
    if not folds:
        return
    solutions = any("solution" in fold.get_attribute_list("class") for fold in folds)
    end = soup.new_tag("section", id="folded")
    counts: Counter[str] = Counter()
    for number, fold in enumerate(folds, start=1):
        title = take_title(soup, fold, counts)
        here, there = f"folded-{number}", str(fold.get("id") or f"unfolded-{number}")
        forth = soup.new_tag("p", attrs={"class": "folded"}, id=here)
        forth.extend([copy.copy(title), ": at the end of this text"])
        forth.append(soup.new_tag("span", attrs={"data-of": there}))
        back = soup.new_tag("p", attrs={"class": "unfolded-title"})
        back.append(title)
        for line, goal in ((forth, there), (back, here)):
            line.contents[0].wrap(soup.new_tag("a", href=f"#{goal}"))
        fold.replace_with(forth)
        entry = soup.new_tag("div", attrs={"class": "unfolded"}, id=there)
        entry.extend([back, *list(fold.children)])
        end.append(entry)
    code = bool(counts) and not solutions
    end.insert(0, soup.new_tag("h2", string="Code of this chapter" if code else "Solutions"))
    (body.section or body).append(end)


def is_fold(part: Tag) -> bool:
    """Is this an element that a reader unfolds?"""
    return part.name == "details" or "dropdown" in part.get_attribute_list("class")


def take_title(soup: BeautifulSoup, fold: Tag, counts: Counter[str]) -> Tag:
    """Take the title out of a fold, and return it in words for paper; code is counted."""
    title = fold.summary or fold.select_one(".admonition-title")
    if title is None:
        raise ArticleError(f"a fold without a title: {fold.get_text()[:60]}")
    title.extract()
    words = soup.new_tag("span")
    shown = title.get_text(" ", strip=True)
    kind = next((kind for start, kind in SHOWN.items() if shown.startswith(start)), None)
    if kind is not None:
        counts[kind] += 1
        words.string = f"{kind} {counts[kind]}"
        return words
    for link in title.select("a"):
        link.unwrap()
    words.extend(list(title.children))
    return words


def make_ids_unique(body: Tag) -> None:
    """Drop an id that stood on the page before: an address leads to the first."""
    known: set[str] = set()
    for part in body.find_all(id=True):
        if part["id"] in known:
            del part["id"]
        else:
            known.add(str(part["id"]))


def set_addresses(body: Tag, name: str) -> None:
    """Rewrite addresses within the book as paths below the site."""
    for part in body.find_all(["a", "img"]):
        key = "href" if part.name == "a" else "src"
        if key not in part.attrs:
            continue
        address = urlsplit(str(part[key]))
        if address.scheme or address.netloc or (not address.path and key == "src"):
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), address.path))
        path = path if address.path else f"{name}.html"
        part[key] = path + (f"#{address.fragment}" if address.fragment else "")
