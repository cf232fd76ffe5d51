"""The book as PDF: all pages in one document, which Chromium prints, with bookmarks and links."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

from browser import ARGUMENTS, NO_BROWSER, find_browser
from formats_article import Article, ArticleError, read_article
from formats_book import Book, chapters, read_book
from formats_compact import compact, read_objects
from formats_cover import draw_cover
from formats_epub import style
from playwright.sync_api import Browser, sync_playwright

ASSISTIVE = re.compile(r"<mjx-assistive-mml\b.*?</mjx-assistive-mml>", re.DOTALL)
DATE = re.compile(rb"\(D:\d{14}[^)]*\)")
INFORMATION = re.compile(rb"/Info (\d+) 0 R")
PROGRAM = re.compile(rb"/Creator \((?:[^()\\]|\\.)*\)")
# Chromium compresses the streams of a PDF only: its pages, in their order, and what leads to them.
PAGE = re.compile(rb"^(\d+) 0 obj\n<</Type /Page\n", re.MULTILINE)
GOAL = re.compile(rb"/([\w.-]+) \[(\d+) 0 R /XYZ ")
WIDTH, HEIGHT = 643, 965  # of the printed area in CSS pixels: A4 without the margins
# What is wider than the page is made smaller until it fits; what is longer than a page may break.
FIT = """({ width, height }) => {
  for (const box of document.querySelectorAll("div.math > mjx-container, table, span.math")) {
    const room = Math.min(box.parentElement.clientWidth || width, width);
    const inner = box.matches("div.math > *") ? box.firstElementChild : box;
    const wide = Math.max(inner.getBoundingClientRect().width, inner.scrollWidth);
    if (wide > room) box.style.zoom = room / wide * 0.98;
  }
  for (const long of document.querySelectorAll("pre, table, .cell_output, .admonition"))
    // the head of a table is printed again on the next page, and no row breaks
    if (long.offsetHeight > height / (long.matches("table") ? 3 : 2))
      long.style.breakInside = "auto";
}"""
NUMBER = """(numbers) => {
  for (const page of document.querySelectorAll("[data-of]"))
    page.textContent = numbers[page.dataset.of];
}"""


def place(name: str, fragment: str = "") -> str:
    """Return the id of a place in the one document: of a page, or of something on it."""
    page = name.replace("/", "-")
    return f"{page}--{fragment}" if fragment else page


def set_places(article: Article, names: set[str], site: Path) -> None:
    """Make ids unique in the whole book, and lead addresses to them; pictures lie in `site`."""
    name = article.chapter.name
    for part in article.body.find_all(id=True):
        if part.find_parent("svg") is None:  # drawings refer to theirs within themselves
            part["id"] = place(name, str(part["id"]))
    for key in ("aria-labelledby", "aria-describedby", "for", "data-of"):
        for part in article.body.select(f"[{key}]"):
            part[key] = place(name, str(part[key]))
    for picture in article.body.find_all("img", src=True):
        picture["src"] = (site / str(picture["src"])).as_uri()
    for link in article.body.find_all("a", href=True):
        address, _, fragment = str(link["href"]).partition("#")
        if address.removesuffix(".html") in names:
            link["href"] = "#" + place(address.removesuffix(".html"), fragment)
        elif "://" not in address and not address.startswith("mailto:"):
            link.unwrap()  # a file that only the site has


def contents(articles: Sequence[Article]) -> str:
    """Return the table of contents, which NUMBER fills with the numbers of pages."""
    lines, part = ['<nav class="contents"><h1>Contents</h1><ol>'], None
    for article in articles:
        chapter = article.chapter
        if chapter.part != part:
            lines.append(f'<li class="part">{escape(chapter.part or "")}</li>')
            part = chapter.part
        goal = place(chapter.name)
        link = f'<a href="#{goal}">{escape(article.title)}</a>'
        lines.append(f'<li class="depth-{chapter.depth}">{link}<span data-of="{goal}"></span></li>')
    return "\n".join([*lines, "</ol></nav>"])


def quoted(text: str) -> str:
    """Return a text as a string of CSS."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def heads(book: Book, articles: Sequence[Article]) -> str:
    """Return the rules for the head of each sheet: the book on the left, the page on the right."""
    rules = []
    for number, article in enumerate(articles):
        right = "" if article.title == book.title else article.title
        left = f"@top-left {{ content: {quoted(book.title)} }}"
        rules.append(
            f"@page sheet-{number} {{ {left} @top-right {{ content: {quoted(right)} }} }}\n"
        )
    return "".join(rules)


def document(book: Book, articles: Sequence[Article], site: Path, cover: str) -> str:
    """Return the whole book as one page of HTML."""
    sheet = style() + Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    sheet += heads(book, articles)
    pages = [
        f'<section class="chapter" id="{place(article.chapter.name)}" style="page: sheet-{number}">'
        + article.text(lambda formula: ASSISTIVE.sub("", formula[0]))
        + "</section>"
        for number, article in enumerate(articles)
    ]
    return f"""<!DOCTYPE html>
<html lang="{book.language}">
<head>
<meta charset="utf-8">
<title>{escape(book.title)}</title>
<meta name="author" content="{escape(book.author)}">
<link rel="stylesheet" href="{(site / "_static" / "formulas.css").as_uri()}">
<style>{sheet}</style>
</head>
<body>
<section class="title-page"><img src="{cover}" alt="{escape(book.title)}">
<p>{book.licence} State of {book.changed:%-d %B %Y}.</p></section>
{contents(articles)}
{"".join(pages)}
</body>
</html>
"""


def page_numbers(printed: bytes) -> dict[str, int]:
    """Return of each place that a link leads to the page on which it was printed."""
    pages = {number: count for count, number in enumerate(PAGE.findall(printed), start=1)}
    goals = GOAL.findall(printed)
    return {name.decode(): pages[number] for name, number in goals if number in pages}


def print_in(browser: Browser, page: Path) -> bytes:
    """Return a page of HTML as PDF; printed twice, as the first print numbers the pages."""
    tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    tab.set_default_timeout(300_000)
    tab.emulate_media(media="print")
    tab.goto(page.as_uri())
    tab.evaluate("document.fonts.ready.then(() => null)")
    tab.evaluate(FIT, {"width": WIDTH, "height": HEIGHT})

    def printed() -> bytes:
        return tab.pdf(prefer_css_page_size=True, print_background=True, outline=True, tagged=True)

    tab.evaluate(NUMBER, page_numbers(printed()))
    finished = printed()
    tab.close()
    return finished


def set_facts(objects: dict[int, bytes], trailer: bytes, book: Book) -> None:
    """Put author and dates of the book into the objects of a PDF, in place of the browser's."""
    date = f"(D:{book.changed:%Y%m%d%H%M%S}+00'00')".encode("ascii")
    author = f"/Author ({book.author})".encode("ascii")
    found = INFORMATION.search(trailer)
    if found is None:
        raise ArticleError("the browser printed a PDF that says nothing of itself")
    number = int(found[1])
    objects[number] = PROGRAM.sub(lambda _: author, DATE.sub(date, objects[number]), count=1)


def read_articles(site: Path, root: Path) -> list[Article]:
    """Return all pages of the book, ready to stand in one document."""
    articles = [read_article(site, chapter) for chapter in chapters(root / "book" / "_toc.yml")]
    for article in articles:
        set_places(article, {other.chapter.name for other in articles}, site)
    return articles


def write_pdf(site: Path, root: Path, target: Path) -> None:
    """Print the built `site` as PDF."""
    book = read_book(root, site)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        (Path(folder) / "cover.png").write_bytes(draw_cover(book))
        page = Path(folder) / "book.html"
        text = document(book, read_articles(site, root), site, "cover.png")
        page.write_text(text, encoding="utf-8")
        program = find_browser(playwright.chromium.executable_path)
        if program is None:
            raise ArticleError(NO_BROWSER)
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        objects, trailer = read_objects(print_in(browser, page))
        set_facts(objects, trailer, book)
        target.write_bytes(compact(objects, trailer))
        browser.close()
