"""The zip of the site: unpacked anywhere, opened from file://, everything in it works."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from loading import load_tool

ROOT = Path(__file__).resolve().parents[2]
HREF = re.compile(r'<a\b[^>]*?\shref="([^"]*)"')
UNDRAWN = """() => [...document.querySelectorAll("span.math, div.math")]
    .filter(box => !box.querySelector("mjx-container")).length"""
FONTS = """() => [...document.fonts].filter(font => font.status === "error")
    .map(font => font.family)"""


def pages(folder: Path) -> list[str]:
    """The pages of the unpacked site."""
    return load_tool("formats_zips").page_names(folder / "pages")


def test_every_chapter_opens_from_a_folder(reading):
    for chapter in load_tool("formats_book").chapters(ROOT / "book" / "_toc.yml"):
        if chapter.depth > 0:
            continue  # the pages below a chapter load what chapters load, or less
        name = f"{chapter.name}.html"
        reading.open(f"pages/{name}")
        assert reading.page.evaluate(UNDRAWN) == 0, name
        assert reading.page.evaluate(FONTS) == [], name
        assert (reading.refused, reading.errors) == ([], []), name


def test_start_leads_to_the_book(reading):
    reading.page.goto((reading.folder / "start.html").as_uri())
    reading.page.wait_for_url("**/pages/intro.html")
    assert reading.page.locator("article h1").is_visible()


@pytest.mark.parametrize("kind", ["plane", "frames"])
def test_figures_react(reading, kind):
    of_kind = f'data-explorable="{kind}"'
    name = next(
        name
        for name in pages(reading.folder)
        if of_kind in (reading.folder / "pages" / name).read_text(encoding="utf-8")
    )
    reading.open(f"pages/{name}")
    figure = reading.page.locator(f"figure[{of_kind}]").first
    before = figure.locator("svg").first.inner_html()
    figure.locator("input[type=range]").first.focus()
    reading.page.keyboard.press("ArrowRight")
    assert figure.locator("svg").first.inner_html() != before


def test_the_theme_is_kept_from_page_to_page(reading):
    reading.open("pages/notation.html")
    mode = "document.documentElement.dataset.mode"
    reading.page.locator(".theme-switch-button:visible").first.click()
    chosen = reading.page.evaluate(mode)
    assert chosen != "auto"
    reading.open("pages/multitask/api.html")
    assert reading.page.evaluate(mode) == chosen


def test_search_finds_pages_and_shows_their_words(reading):
    reading.open("pages/search.html?q=complementary+slackness")
    found = reading.page.locator("#search-results li", has=reading.page.locator("p.context"))
    found.first.wait_for()
    summaries = " ".join(found.locator("p.context").all_inner_texts())
    assert "slackness" in summaries
    assert (reading.refused, reading.errors) == ([], [])
    link = reading.page.locator('#search-results li a[href*="primary-tasks"]').first
    link.click()
    reading.page.wait_for_url("**/pages/multitask/primary-tasks*")
    assert reading.page.locator("article h1").is_visible()


def test_no_link_leads_to_a_folder_or_nowhere(unpacked_site):
    wrong = []
    for page in unpacked_site.rglob("*.html"):
        if "_static" in page.parts:
            continue
        for link in set(HREF.findall(page.read_text(encoding="utf-8"))):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not parts.path:
                continue
            if not (page.parent / unquote(parts.path)).is_file():
                wrong.append(f"{page.name}: {link}")
    assert wrong == []


def test_the_bytes_depend_on_the_content_alone(site, tmp_path):
    few = tmp_path / "site"
    (few / "_static").mkdir(parents=True)
    for name in ("index.html", "search.html", "notation.html"):
        shutil.copy(site / name, few / name)
    archives = []
    for second in (1_000_000_000, 1_500_000_000):
        for path in few.rglob("*"):
            os.utime(path, (second, second))
        archives.append(tmp_path / f"{second}.zip")
        load_tool("formats_zips").write_site(few, ROOT, archives[-1])
    first, again = (path.read_bytes() for path in archives)
    assert first == again


def test_a_page_that_the_site_has_not_is_not_answered(reading):
    reading.open("pages/search.html")
    for name, expected in (("notation.html", "a text"), ("none.html", "TypeError")):
        answer = f"fetch('{name}').then(r => r.text()).then(() => 'a text', e => e.name)"
        assert reading.page.evaluate(answer) == expected
