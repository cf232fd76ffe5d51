"""The zip of the site: unpacked anywhere, opened from file://, everything in it works."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from loading import load_tool

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = re.compile(r'<(?:a|link|script|img)\b[^>]*?\s(?:href|src)="([^"]*)"')
# What a page needs of a browser: its scripts, its styles, and the kinds of its figures. The tables
# of symbols, one for each chapter, count as one.
NEED = re.compile(r'<(?:script|link)\b[^>]*?="([^"?#]+\.(?:js|css))|data-explorable="(\w+)"')
ONE_OF_MANY = re.compile(r"symbols/[\w-]+\.js")
UNDRAWN = """() => [...document.querySelectorAll("span.math, div.math")]
    .filter(box => !box.querySelector("mjx-container")).length"""
FONTS = """() => [...document.fonts].filter(font => font.status === "error")
    .map(font => font.family)"""


def pages(folder: Path) -> list[str]:
    """The pages of the unpacked site."""
    return load_tool("formats_zips").page_names(folder / "pages")


def needs(page: Path) -> set[str]:
    """What a page asks of a browser."""
    found = ("".join(need.groups("")) for need in NEED.finditer(page.read_text("utf-8")))
    return {ONE_OF_MANY.sub("symbols/.js", need.replace("../", "")) for need in found}


def few_pages(folder: Path) -> list[str]:
    """Few pages that need together what all of them need, the landing page first."""
    asked = {name: needs(folder / "pages" / name) for name in pages(folder)}
    chosen, left = ["intro.html"], set().union(*asked.values()) - asked["intro.html"]
    while left:
        chosen.append(max(sorted(asked), key=lambda name: len(asked[name] & left)))
        left -= asked[chosen[-1]]
    return chosen


def test_pages_of_every_kind_open_from_a_folder_and_their_figures_react(reading):
    names = few_pages(reading.folder)
    kinds: set[str] = set()
    for name in names:
        reading.open(f"pages/{name}")
        assert reading.page.evaluate(UNDRAWN) == 0, name
        assert reading.page.evaluate(FONTS) == [], name
        for figure in reading.page.locator("figure[data-explorable]").all():
            before = figure.locator("svg").first.inner_html()
            figure.locator("input[type=range]").first.focus()
            reading.page.keyboard.press("ArrowRight")
            assert figure.locator("svg").first.inner_html() != before, name
            kinds.add(figure.get_attribute("data-explorable"))
        assert (reading.refused, reading.errors) == ([], []), name
    assert kinds == {"plane", "frames"}


def test_start_leads_to_the_book(reading):
    reading.page.goto((reading.folder / "start.html").as_uri())
    reading.page.wait_for_url("**/pages/intro.html")
    assert reading.page.locator("article h1").is_visible()


def test_the_theme_is_kept_from_page_to_page(reading):
    reading.open("pages/how-to.html")
    mode = "document.documentElement.dataset.mode"
    reading.page.locator(".theme-switch-button:visible").first.click()
    chosen = reading.page.evaluate(mode)
    assert chosen != "auto"
    reading.open("pages/teaching/index.html")
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


def test_no_address_leads_to_a_folder_or_nowhere(unpacked_site):
    wrong = []
    for page in unpacked_site.rglob("*.html"):
        if "_static" in page.parts:
            continue
        for link in set(ADDRESS.findall(page.read_text(encoding="utf-8"))):
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
    files = load_tool("formats_zips").site_files(few, ROOT)
    with zipfile.ZipFile(archives[0]) as archive:
        assert archive.namelist() == sorted(files)
        for name, content in files.items():
            assert archive.read(name) == (content.encode() if isinstance(content, str) else content)


def test_a_page_that_the_site_has_not_is_not_answered(reading):
    reading.open("pages/search.html")
    for name, expected in (("notation.html", "a text"), ("none.html", "TypeError")):
        answer = f"fetch('{name}').then(r => r.text()).then(() => 'a text', e => e.name)"
        assert reading.page.evaluate(answer) == expected
