"""The EPUB: well-formed, whole, and a book: nothing in it needs a screen, a script or a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from loading import load_tool

ROOT = Path(__file__).resolve().parents[2]
CHECKER = Path("/usr/share/java/epubcheck.jar")
XHTML = "{http://www.w3.org/1999/xhtml}"
OPF = "{http://www.idpf.org/2007/opf}"
DC = "{http://purl.org/dc/elements/1.1/}"
MATHML = "{http://www.w3.org/1998/Math/MathML}"
SAMPLE = """format: jb-book
root: intro
parts:
- caption: Chapters
  chapters:
  - file: multitask/primary-tasks
    sections:
    - file: multitask/primary-tasks-exercises
- caption: Others
  chapters:
  - file: teaching/flash
  - file: status
  - file: multitask/api
  - file: bibliography
"""
FAST = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]  # a short run of Java compiles little
Parts = dict[str, ElementTree.Element]


@pytest.fixture(scope="module")
def epub(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole book, written once."""
    target = tmp_path_factory.mktemp("epub") / "book.epub"
    load_tool("formats_epub").write_epub(site, ROOT, target)
    return target


@pytest.fixture(scope="module")
def parts(epub: Path) -> Parts:
    """Every file of XML in it, parsed: a file that is not well-formed fails here."""
    with zipfile.ZipFile(epub) as archive:
        names = [name for name in archive.namelist() if name.endswith((".xhtml", ".opf", ".xml"))]
        return {name: ElementTree.fromstring(archive.read(name)) for name in names}


def faults(parts: Parts, names: set[str]) -> list[str]:
    """Addresses that lead nowhere or outside, and pictures without a text."""
    ids = {name: {part.get("id") for part in root.iter()} - {None} for name, root in parts.items()}
    found = []
    for name, root in parts.items():
        for part in root.iter():
            address = part.get("href") or part.get("src")
            if part.tag == f"{XHTML}img" and not (part.get("alt") or "").strip():
                found.append(f"{name}: {address} has no alt")
            outside = part.tag == f"{XHTML}a" and "://" in (address or "")
            if address is None or outside or address.startswith("mailto:"):
                continue
            path, _, fragment = unquote(address).partition("#")
            target = f"EPUB/{path}" if path else name
            if target not in names or (fragment and fragment not in ids[target]):
                found.append(f"{name}: {address}")
    return found


def test_the_type_comes_first_and_is_stored(epub):
    with zipfile.ZipFile(epub) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype") == b"application/epub+zip"


def test_every_address_resolves_and_every_picture_has_a_text(epub, parts):
    names = set(zipfile.ZipFile(epub).namelist())
    assert faults(parts, names) == []
    page = f"<html xmlns='{XHTML[1:-1]}'><img src='a.png'/><a href='b.xhtml#c'/></html>"
    bad = {"EPUB/a.xhtml": ElementTree.fromstring(page)}
    assert len(faults(bad, {"EPUB/a.xhtml"})) == 3


def test_the_package_lists_every_file_and_reads_in_the_order_of_the_book(epub, parts):
    package = parts["EPUB/package.opf"]
    items = {item.get("id"): item for item in package.iter(f"{OPF}item")}
    listed = sorted(f"EPUB/{unquote(item.get('href') or '')}" for item in items.values())
    outside = {"mimetype", "META-INF/container.xml", "EPUB/package.opf"}
    assert listed == sorted(set(zipfile.ZipFile(epub).namelist()) - outside)
    spine = [items[part.get("idref")].get("href") for part in package.iter(f"{OPF}itemref")]
    tool, book = load_tool("formats_epub"), load_tool("formats_book")
    order = [tool.file_name(chapter.name) for chapter in book.chapters(ROOT / "book" / "_toc.yml")]
    assert spine == ["cover.xhtml", "title.xhtml", "contents.xhtml", *order]
    contents = [link.get("href") for link in parts["EPUB/contents.xhtml"].iter(f"{XHTML}a")]
    assert contents == order


def test_the_package_says_what_the_book_is(parts):
    package = parts["EPUB/package.opf"]
    names = ("title", "creator", "language")
    texts = {name: package.findtext(f".//{DC}{name}") for name in names}
    assert texts == {
        "title": "Taken Apart, Rebuilt", "creator": "the contributors", "language": "en",
    }  # fmt: skip
    assert "CC BY 4.0" in (package.findtext(f".//{DC}rights") or "")
    assert (package.findtext(f".//{DC}identifier") or "").startswith("urn:uuid:")


def test_formulas_are_mathml_and_none_is_lost(site, parts):
    for chapter in load_tool("formats_book").chapters(ROOT / "book" / "_toc.yml"):
        page = (site / f"{chapter.name}.html").read_text("utf-8")
        page = page[page.index("<article") : page.index("</article>")]
        boxes = len(re.findall(r'<(?:span|div) class="math\b', page))
        root = parts[f"EPUB/{load_tool('formats_epub').file_name(chapter.name)}"]
        assert sum(1 for _ in root.iter(f"{MATHML}math")) == boxes, chapter.name
        assert not any("mjx" in part.tag for part in root.iter())


def test_nothing_in_it_needs_a_screen_or_a_script(epub, parts):
    for name, root in parts.items():
        tags = {part.tag.rpartition("}")[2] for part in root.iter()}
        assert not tags & {"script", "input", "button", "details", "form", "output"}, name
        for part in root.iter():
            assert "var(" not in (part.get("style") or ""), name
    archive = zipfile.ZipFile(epub)
    assert "url(" not in archive.read("EPUB/style.css").decode()


def test_solutions_stand_at_the_end_of_their_page(parts):
    exercises = [name for name in parts if name.endswith("-exercises.xhtml")]
    assert exercises
    for name in exercises:
        end = parts[name].find(f".//{XHTML}section[@id='folded']")
        assert end is not None, name
        whole, folded = ("".join(part.itertext()) for part in (parts[name], end))
        assert whole.count("END SOLUTION") == folded.count("END SOLUTION") > 0, name


def test_the_same_site_gives_the_same_bytes(site, tmp_path):
    small = tmp_path / "root"
    (small / "book").mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", small)
    (small / "book" / "_toc.yml").write_text("format: jb-book\nroot: notation\n")
    pages = tmp_path / "site"
    pages.mkdir()
    for name in ("index.html", "notation.html"):
        shutil.copy(site / name, pages / name)
    written = []
    for number in (1, 2):
        written.append(tmp_path / f"{number}.epub")
        load_tool("formats_epub").write_epub(pages, small, written[-1])
        os.utime(pages / "notation.html", (number, number))
    assert written[0].read_bytes() == written[1].read_bytes()


def test_a_page_with_a_formula_that_is_not_drawn_is_refused(site, tmp_path):
    article, book = load_tool("formats_article"), load_tool("formats_book")
    page = '<article><h1>A</h1><p><span class="math">\\(a\\)</span></p></article>'
    (tmp_path / "a.html").write_text(page)
    with pytest.raises(Exception, match=r"a\.html: a formula is not drawn"):
        article.read_article(tmp_path, book.Chapter("a", None, 0, None))


def test_no_heading_stands_alone(parts):
    alone = [
        f"{name}: {''.join(section.itertext()).strip()}"
        for name, root in parts.items()
        for section in root.iter(f"{XHTML}section")
        if [part.tag for part in section] in [[f"{XHTML}h{level}"] for level in range(1, 7)]
    ]
    assert alone == []


def test_letters_of_a_variant_are_characters(parts):
    for name, root in parts.items():
        kinds = {part.get("mathvariant") for part in root.iter(f"{MATHML}mi")}
        assert kinds <= {None, "normal"}, name
    letters = "".join(parts["EPUB/diffusion-ddpm.xhtml"].itertext())
    for letter in "ℝ𝔼𝒩":
        assert letter in letters


def test_what_is_wide_is_written_smaller_where_the_page_is_narrow(parts):
    width = load_tool("formats_width")
    short, long = (f"<math><mi>{'a' * count}</mi></math>" for count in (5, 50))
    assert (
        width.narrowed(width.formula_width(ElementTree.fromstring(short)), size=1, beside=4) == ""
    )
    style = width.narrowed(width.formula_width(ElementTree.fromstring(long)), size=1, beside=4)
    assert style == "font-size: min(1em, calc(94vw / 36.0))"
    styled = [
        part for part in parts["EPUB/status.xhtml"].iter(f"{XHTML}table") if part.get("style")
    ]
    assert len(styled) == 1  # the chapters, not the packages
    assert "vw" in (styled[0].get("style") or "")


@pytest.mark.skipif(not CHECKER.exists(), reason="epubcheck is not installed")
def test_epubcheck_finds_nothing_in_pages_of_every_kind(site, tmp_path):
    (tmp_path / "book").mkdir()
    shutil.copy(ROOT / "_config.yml", tmp_path)
    (tmp_path / "book" / "_toc.yml").write_text(SAMPLE)
    target = tmp_path / "sample.epub"
    load_tool("formats_epub").write_epub(site, tmp_path, target)
    command = ["java", *FAST, "-jar", str(CHECKER), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "No errors or warnings detected." in done.stdout, done.stderr
