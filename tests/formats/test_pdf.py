"""The PDF of a small book, printed by the browser, and the script that writes all formats."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from loading import load_tool

ROOT = Path(__file__).resolve().parents[2]
TOC = """format: jb-book
root: notation
parts:
- caption: Chapters
  chapters:
  - file: multitask/primary-tasks-exercises
    title: 1 · Exercises alone
"""


@pytest.fixture(scope="module")
def printed(site: Path, browser, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two pages of the book as PDF. The browser is asked for so that one is known to be there."""
    root = tmp_path_factory.mktemp("pdf")
    (root / "book").mkdir()
    shutil.copy(ROOT / "_config.yml", root)
    (root / "book" / "_toc.yml").write_text(TOC, "utf-8")
    tool = load_tool("formats_pdf")
    book = load_tool("formats_book").read_book(root, site)
    articles = tool.read_articles(site, root)
    page = root / "book.html"
    page.write_text(tool.document(book, articles, site, ""), "utf-8")
    return tool.print_in(browser, page)


def test_pages_are_a4_and_numbered_in_the_contents(printed):
    pages = len(re.findall(rb"/Type /Page\n", printed))
    assert pages > 4
    assert set(re.findall(rb"/MediaBox \[([^\]]*)\]", printed)) == {b"0 0 594.95996 841.91998"}
    numbers = load_tool("formats_pdf").page_numbers(printed)
    assert numbers["notation"] == 3  # behind the title and the contents
    assert 3 < numbers["multitask-primary-tasks-exercises"] <= pages
    assert numbers["multitask-primary-tasks-exercises--ex-primary-descent"] >= numbers["notation"]


def test_it_has_bookmarks_and_tags(printed):
    assert b"/Outlines " in printed
    assert b"/Marked true" in printed
    assert b"/Lang (en)" in printed


def test_no_link_within_the_book_leads_nowhere(printed):
    goals = set(load_tool("formats_pdf").page_numbers(printed))
    links = {name.decode() for name in re.findall(rb"/Dest /([\w.-]+)", printed)}
    assert links
    assert links <= goals
    assert b"file://" not in printed


def test_the_date_is_that_of_the_book(site):
    tool, book = load_tool("formats_pdf"), load_tool("formats_book").read_book(ROOT, site)
    old = b"<</CreationDate (D:20200101000000+00'00')>>"
    dated = tool.set_date(old, book)
    assert f"(D:{book.changed:%Y%m%d%H%M%S}+00'00')".encode() in dated
    assert len(dated) == len(old)


def test_what_is_too_wide_is_made_to_fit(browser, tmp_path):
    tool, page = load_tool("formats_pdf"), browser.new_page(viewport={"width": 643, "height": 965})
    wide = '<div class="math"><mjx-container style="display: block"><mjx-math style="display: '
    wide += 'inline-block; width: 900px">a</mjx-math></mjx-container></div>'
    page.set_content(f"<style>body {{ margin: 0 }}</style>{wide}")
    page.evaluate(tool.FIT, {"width": 643, "height": 965})
    box = page.locator("mjx-math").bounding_box()
    assert 600 < box["width"] < 643
    page.close()


def test_formats_says_in_one_line_what_is_missing(tmp_path, capsys):
    tool = load_tool("formats")
    assert tool.main(["epub"], tmp_path) == 1
    line = "formats: there is no site in _build/html; run `make book SERVE=0`\n"
    assert capsys.readouterr().err == line
    assert tool.main(["djvu"], tmp_path) == 1
    line = "formats: no format is called djvu; there are: site, notebooks, epub, pdf\n"
    assert capsys.readouterr().err == line


def test_sums_are_those_of_the_files(tmp_path):
    (tmp_path / "taken-apart.epub").write_bytes(b"abc")
    load_tool("formats").write_sums(tmp_path)
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (tmp_path / "SHA256SUMS").read_text() == f"{known}  taken-apart.epub\n"
