"""The files of the built site, read without a browser: links, addresses, pictures, size."""

from __future__ import annotations

import re
import shutil
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

LOADED = {  # tag -> attributes that make a browser fetch something
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
OUTSIDE = re.compile(r"^\s*(?:[a-z]+:)?//", re.IGNORECASE)
STYLE_OUTSIDE = re.compile(
    r"""(?:url\(\s*['"]?|@import\s+['"])((?:https?:)?//[^'")\s]+)""", re.IGNORECASE
)


class Reader(HTMLParser):
    """Collects from one page what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.pictures: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())
        self.outside = [where for where in self.loaded if OUTSIDE.match(where)]
        self.outside += STYLE_OUTSIDE.findall(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Sort one tag."""
        values = dict(attrs)
        self.anchors.update(v for k in ("id", "name") if (v := values.get(k)))
        if tag == "a" and values.get("href") is not None:
            self.links.append(values["href"] or "")
        self.loaded += [v for name in LOADED.get(tag, ()) if (v := values.get(name))]
        if tag == "img":
            self.pictures.append((values.get("src") or "", values.get("alt")))

    def handle_data(self, data: str) -> None:
        """Keep the text of the page."""
        self.words.append(data)


@cache
def read(path: Path) -> Reader:
    """The parsed page."""
    return Reader(path.read_text(encoding="utf-8"))


def dead_links(folder: Path, name: str) -> list[str]:
    """The internal links of a page that lead nowhere."""
    page, dead = folder / name, []
    for link in dict.fromkeys(read(page).links):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if target.is_dir():
            target /= "index.html"
        fragment = unquote(parts.fragment) if target.suffix == ".html" else ""
        if not target.is_file() or (fragment and fragment not in read(target).anchors):
            dead.append(link)
    return dead


def test_internal_links_resolve(site, page_name):
    assert dead_links(site.folder, page_name) == []


def test_a_dead_link_is_found(site, tmp_path):
    shutil.copy(site.folder / "notation.html", tmp_path / "notation.html")
    (tmp_path / "a.html").write_text('<a href="b.html">b</a> <a href="notation.html#none">n</a>')
    assert dead_links(tmp_path, "a.html") == ["b.html", "notation.html#none"]


def test_page_names_no_outside_file(site, page_name):
    assert read(site.folder / page_name).outside == []


def test_style_sheets_name_no_outside_file(site):
    found = {
        f"{path.name}: {address}"
        for path in site.folder.rglob("*.css")
        for address in STYLE_OUTSIDE.findall(path.read_text(encoding="utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="https://example.org/a.png" alt="a">',
        '<script src="//example.org/a.js"></script>',
        '<link rel="stylesheet" href="http://example.org/a.css">',
        "<style>body { background: url('https://example.org/a.png') }</style>",
        '<style>@import "https://example.org/a.css";</style>',
    ],
)
def test_an_outside_file_is_found(markup):
    assert len(Reader(markup).outside) == 1
    assert Reader('<a href="https://example.org">a link is for the reader</a>').outside == []


def poor(text: str | None) -> bool:
    """Whether words beside a picture are no sentence that says what is seen."""
    if text is None or re.search(r"\.(png|svg|jpe?g|gif|webp)\b|[0-9a-f]{16}", text):
        return True
    return len(text.split()) < 8 or not text[0].isupper() or not text.endswith(".")


def pictures(site) -> list[tuple[str, str, str | None]]:
    """Page, address and alternative text of each picture in the book, the logo left out."""
    return [
        (name, source, text)
        for name in site.pages()
        for source, text in read(site.folder / name).pictures
        if not source.endswith("logo.svg")
    ]


def test_every_picture_says_what_it_shows(site):
    assert pictures(site)
    assert [found for found in pictures(site) if poor(found[2])] == []


def test_no_two_pictures_say_the_same(site):
    said: dict[str, set[str]] = {}
    for _, source, text in pictures(site):
        said.setdefault(text or "", set()).add(Path(source).name)
    assert {text: sources for text, sources in said.items() if len(sources) > 1} == {}


def test_no_picture_repeats_its_caption(site, page_name):
    page = read(site.folder / page_name)
    assert [text for _, text in page.pictures if text and " ".join(text.split()) in page.text] == []


@pytest.mark.parametrize(
    "text", [None, "", "figure.png", "Three words only.", "a curve that falls from one to a half."]
)
def test_a_poor_text_is_found(text):
    assert poor(text)
    assert not poor("Two curves that fall from one to a half, and then stay level.")


def test_front_page_leads_to_the_landing_page(site):
    assert "url=intro.html" in (site.folder / "index.html").read_text(encoding="utf-8")


def test_site_is_smaller_than_20_megabytes(site):
    """Two thirds of it are texts, which a server compresses; drawn formulas are 3 MB of them."""
    files = [path for path in site.folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 20_000_000


def test_nothing_unused_is_shipped(site):
    names = {path.name for path in site.folder.rglob("*") if path.is_file()}
    assert not {name for name in names if name.endswith((".map", ".ttf")) or "thebe" in name}
    assert not {name for name in names if name.startswith("tex-")}  # no script of MathJax
    assert {"formulas.css", "explore.js", "explore.css", "book.css", "a11y.js"} <= names
