"""The PDF of a small book, printed by the browser, and the script that writes all formats."""

from __future__ import annotations

import re
import shutil
import struct
import zlib
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
def text(site: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two pages of the book as one document."""
    root = tmp_path_factory.mktemp("pdf")
    (root / "book").mkdir()
    shutil.copy(ROOT / "_config.yml", root)
    (root / "book" / "_toc.yml").write_text(TOC, "utf-8")
    tool = load_tool("formats_pdf")
    book = load_tool("formats_book").read_book(root, site)
    return tool.document(book, tool.read_articles(site, root), site, "")


@pytest.fixture(scope="module")
def printed(text: str, browser, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The document as PDF. The browser is asked for so that one is known to be there."""
    page = tmp_path_factory.mktemp("printed") / "book.html"
    page.write_text(text, "utf-8")
    return load_tool("formats_pdf").print_in(browser, page)


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


def test_every_place_whose_page_is_named_was_printed(text, printed):
    named = set(re.findall(r'data-of="([^"]+)"', text))
    assert "multitask-primary-tasks-exercises--folded-1" not in named  # that is where it was
    assert any("--unfolded-" in name for name in named)
    assert named <= set(load_tool("formats_pdf").page_numbers(printed))


def test_a_sheet_says_at_its_head_what_it_belongs_to(text):
    rule = '@page sheet-1 { @top-left { content: "Taken Apart, Rebuilt" } '
    assert rule + '@top-right { content: "1 · Exercises alone" } }' in text
    assert 'id="multitask-primary-tasks-exercises" style="page: sheet-1"' in text
    assert load_tool("formats_pdf").quoted('a "b" \\c') == r'"a \"b\" \\c"'


def test_author_and_dates_are_those_of_the_book(site, printed):
    tool, book = load_tool("formats_pdf"), load_tool("formats_book").read_book(ROOT, site)
    objects, trailer = load_tool("formats_compact").read_objects(printed)
    before = dict(objects)
    tool.set_facts(objects, trailer, book)
    [number] = [number for number in objects if objects[number] != before[number]]
    date = f"(D:{book.changed:%Y%m%d%H%M%S}+00'00')".encode()
    assert objects[number].count(date) == 2
    assert b"/Author (the contributors)" in objects[number]
    assert b"/Creator" not in objects[number]


def find(pattern: bytes, where: bytes) -> tuple[bytes, ...]:
    """The groups of the first place where a pattern stands."""
    found = re.search(pattern, where, re.DOTALL)
    assert found is not None, pattern
    return found.groups()


def contained(holder: bytes, number: int, at: int) -> bytes:
    """The object that stands at a place in a stream of objects."""
    first, length = map(int, find(rb"/First (\d+) .*?/Length (\d+)", holder))
    begin = holder.index(b"stream\n") + 7
    content = zlib.decompress(holder[begin : begin + length])
    numbers = [int(part) for part in content[:first].split()]
    assert numbers[2 * at] == number
    end = numbers[2 * at + 3] - 1 if 2 * at + 3 < len(numbers) else None
    return content[first:][numbers[2 * at + 1] : end]


def test_compressed_it_has_the_same_objects(printed):
    tool = load_tool("formats_compact")
    objects, trailer = tool.read_objects(printed)
    small = tool.compact(objects, trailer)
    assert len(small) < len(printed) / 2
    start = int(find(rb"startxref\n(\d+)\n%%EOF\n$", small)[0])
    head, packed = find(rb" obj\n(.*?)\nstream\n(.*)\nendstream", small[start:])
    assert trailer in head
    table = list(struct.iter_unpack(">BIH", zlib.decompress(packed)))
    found = {}
    for number, (kind, place, at) in enumerate(table):
        if kind == 1:
            assert small[place:].startswith(b"%d 0 obj\n" % number)
            found[number] = find(rb"\A\d+ 0 obj\n(.*?)\nendobj\n", small[place:])[0]
        elif kind == 2:
            found[number] = contained(small[table[place][1] :], number, at)
    assert {number: found[number] for number in objects} == objects


def test_what_is_no_pdf_is_refused():
    with pytest.raises(Exception, match="no PDF with a table of addresses at its end"):
        load_tool("formats_compact").read_objects(b"%PDF-1.4 and nothing")


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
