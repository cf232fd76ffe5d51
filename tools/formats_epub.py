"""The book as EPUB 3: one file of XHTML for each page, formulas as MathML, no script."""

from __future__ import annotations

import io
import re
import unicodedata
import uuid
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from formats_archive import write_zip
from formats_article import Article, read_article
from formats_book import Book, chapters, read_book
from formats_cover import draw_cover
from formats_width import formula_width, narrowed, table_width
from PIL import Image
from pygments.formatters import HtmlFormatter

CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/>
</rootfiles>
</container>
"""
PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
 lang="{language}" xml:lang="{language}">
<head>
<meta charset="utf-8"/>
<title>{title}</title>
<link rel="stylesheet" type="text/css" href="style.css"/>
</head>
<body>
{body}
</body>
</html>
"""
TITLE = """<section class="title-page">
<h1>{title}</h1>
<p>{author}</p>
<p>Each chapter follows an essay by Su Jianlin, which it credits and links.</p>
<p>{licence}</p>
<p>State of {day}.</p>
</section>"""
PACKAGE = """<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="{0}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
{1}
</metadata>
<manifest>
{2}
</manifest>
<spine>
{3}
</spine>
</package>
"""
ACCESS = {
    "accessMode": ("textual", "visual"),
    "accessModeSufficient": ("textual",),
    "accessibilityFeature": ("MathML", "alternativeText", "structuralNavigation"),
    "accessibilityHazard": ("none",),
    "accessibilitySummary": (
        "Formulas are MathML, every picture has a text that says what it shows.",
    ),
}
TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
DATA = re.compile(r'\sdata-[\w-]+="[^"]*"')
# Readers that follow MathML Core know of variants only "normal": a letter is another character.
VARIANT = re.compile(r' mathvariant="(double-struck|script)">([A-Z])<')
BESIDE = 4.0  # em of a line that a formula may not have: the number of an equation, or a margin
TABLE_SIZE = 0.85  # em, as in formats.css


def file_name(name: str) -> str:
    """Return the file of a page in the EPUB."""
    return name.replace("/", "-") + ".xhtml"


def page(book: Book, title: str, body: str) -> str:
    """Return one file of XHTML."""
    return PAGE.format(language=book.language, title=escape(title), body=body)


def set_links(articles: Sequence[Article]) -> dict[str, str]:
    """Point addresses into the EPUB; return its pictures, by their paths below the site."""
    known = {
        f"{article.chapter.name}.html": file_name(article.chapter.name) for article in articles
    }
    pictures: dict[str, str] = {}
    for article in articles:
        for picture in article.body.find_all("img", src=True):
            source = str(picture["src"])
            # EPUB 3.2 has no WebP
            pictures[source] = "pictures/" + source.rsplit("/", 1)[-1].replace(".webp", ".png")
            picture["src"] = pictures[source]
        for link in article.body.find_all("a", href=True):
            address, mark, fragment = str(link["href"]).partition("#")
            if address in known:
                link["href"] = known[address] + mark + fragment
            elif "://" not in address and not address.startswith("mailto:"):
                link.unwrap()  # a file that only the site has
    return pictures


def contents(book: Book, articles: Sequence[Article]) -> str:
    """Return the table of contents: parts, chapters, pages below a chapter."""
    lines, part, depth = ['<nav epub:type="toc" id="toc"><h1>Contents</h1><ol>'], None, 0
    for number, article in enumerate(articles):
        chapter = article.chapter
        if chapter.part != part:
            lines += ["</li></ol>" * depth, "</li>" if number else "", "</ol></li>" if part else ""]
            lines.append(f"<li><span>{escape(chapter.part or '')}</span><ol>")
            part, depth = chapter.part, 0
        elif chapter.depth > depth:
            lines.append("<ol>")
            depth = chapter.depth
        elif number:
            lines.append("</li>" + "</ol></li>" * (depth - chapter.depth))
            depth = chapter.depth
        lines.append(f'<li><a href="{file_name(chapter.name)}">{escape(article.title)}</a>')
    lines.append("</li>" + "</ol></li>" * depth + ("</ol></li>" if part else "") + "</ol></nav>")
    return page(book, "Contents", "\n".join(line for line in lines if line))


def metadata(book: Book) -> str:
    """Return what the package says about the book."""
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"{book.title}, {book.author}").urn
    lines = [f'<dc:identifier id="id">{identifier}</dc:identifier>']
    named = {"title": book.title, "creator": book.author, "language": book.language}
    named["rights"] = book.licence
    named["date"] = book.changed.strftime("%Y-%m-%d")
    lines += [f"<dc:{key}>{escape(value)}</dc:{key}>" for key, value in named.items()]
    changed = book.changed.strftime("%Y-%m-%dT%H:%M:%SZ")
    lines.append(f'<meta property="dcterms:modified">{changed}</meta>')
    for key, values in ACCESS.items():
        lines += [f'<meta property="schema:{key}">{value}</meta>' for value in values]
    return "\n".join(lines)


def package(book: Book, articles: Sequence[Article], pictures: Sequence[str]) -> str:
    """Return the list of all files, and the order of reading."""
    items = [
        ("style", "style.css", "text/css", ""),
        ("cover-picture", "cover.png", "image/png", "cover-image"),
        ("cover", "cover.xhtml", "application/xhtml+xml", ""),
        ("title", "title.xhtml", "application/xhtml+xml", ""),
        ("contents", "contents.xhtml", "application/xhtml+xml", "nav"),
    ]
    for number, article in enumerate(articles, start=1):
        properties = "svg " * bool(article.body.find("svg")) + "mathml" * bool(article.formulas)
        file = file_name(article.chapter.name)
        items.append((f"page-{number}", file, "application/xhtml+xml", properties))
    for number, name in enumerate(pictures, start=1):
        items.append((f"picture-{number}", quote(name), TYPES[Path(name).suffix], ""))
    manifest = [
        f'<item id="{key}" href="{file}" media-type="{kind}"'
        + (f' properties="{properties.strip()}"/>' if properties else "/>")
        for key, file, kind, properties in items
    ]
    read = [key for key, _, kind, _ in items if kind == "application/xhtml+xml"]
    spine = [f'<itemref idref="{key}"/>' for key in read]
    listed = (metadata(book), "\n".join(manifest), "\n".join(spine))
    return PACKAGE.format(book.language, *listed)


def style() -> str:
    """Return the style sheet: the book's, and the colours of code."""
    code = HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".highlight")
    sheet = Path(__file__).with_name("formats.css").read_text(encoding="utf-8")
    return f"{sheet}\n{code}\n"


def letter(variant: re.Match[str]) -> str:
    """Return the rest of a tag and a capital of a variant, as the character that Unicode has."""
    name = f"{variant[1]} capital {variant[2]}"
    try:  # Unicode had some of them before it had them all
        known = unicodedata.lookup(name)
    except KeyError:
        known = unicodedata.lookup(f"mathematical {name}")
    return f">{known}<"


def mathml(formula: re.Match[str]) -> str:
    """Return the MathML of a formula without what only MathJax understands."""
    text = VARIANT.sub(letter, DATA.sub("", formula[1]))
    start, mark, rest = text.partition(">")
    style = narrowed(formula_width(ElementTree.fromstring(text)), size=1, beside=BESIDE)
    name = "" if " xmlns=" in start else ' xmlns="http://www.w3.org/1998/Math/MathML"'
    return start + name + (f' style="{style}"' if style else "") + mark + rest


def set_tables(article: Article) -> None:
    """Make a table smaller where its words would not fit beside each other."""
    for table in article.body.find_all("table"):
        style = narrowed(table_width(table), size=TABLE_SIZE, beside=0)
        if style:
            table["style"] = style


def read_picture(path: Path) -> bytes:
    """Return a picture of the site, one in WebP as PNG with the same pixels."""
    if path.suffix != ".webp":
        return path.read_bytes()
    written = io.BytesIO()
    with Image.open(path) as picture:
        picture.save(written, "PNG")
    return written.getvalue()


def write_epub(site: Path, root: Path, target: Path) -> None:
    """Write the built `site` as EPUB; the same site gives the same bytes."""
    book = read_book(root, site)
    articles = [read_article(site, chapter) for chapter in chapters(root / "book" / "_toc.yml")]
    pictures = set_links(articles)
    for article in articles:
        set_tables(article)
    day = f"{book.changed:%-d %B %Y}"
    title = TITLE.format(title=book.title, author=book.author, licence=book.licence, day=day)
    cover = (
        f'<section epub:type="cover"><img src="cover.png" alt="{escape(book.title)}"/></section>'
    )
    files: dict[str, str | bytes] = {
        "META-INF/container.xml": CONTAINER,
        "EPUB/package.opf": package(book, articles, sorted(pictures.values())),
        "EPUB/style.css": style(),
        "EPUB/cover.png": draw_cover(book),
        "EPUB/cover.xhtml": page(book, book.title, cover),
        "EPUB/title.xhtml": page(book, book.title, title),
        "EPUB/contents.xhtml": contents(book, articles),
    }
    for source, name in pictures.items():
        files[f"EPUB/{name}"] = read_picture(site / source)
    for article in articles:
        text = page(book, article.title, article.text(mathml))
        files[f"EPUB/{file_name(article.chapter.name)}"] = text
    write_zip(target, files, stored_first={"mimetype": "application/epub+zip"})
