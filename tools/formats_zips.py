"""Two zips: the site, to be read from a folder without a server, and the notebooks, to be run."""

from __future__ import annotations

import json
import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path

from formats_archive import folder_files, write_zip

SITE = "taken-apart-site"
NOTEBOOKS = "taken-apart-notebooks"
SECTIONS = frozenset({"section", "dt"})  # what an address may lead to
SILENT = frozenset({"script", "style", "svg", "button"})
EMPTY = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
LICENCES = ("LICENSE", "LICENSE-TEXT")
# What the notebooks need: the package, what it is installed with, and the recorded runs they read.
PARTS = ("src/companion", "benchmarks/results")
PAPERS = ("pyproject.toml", "requirements.txt", "constraints.txt", "CITATION.cff", *LICENCES)
START = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Taken Apart, Rebuilt</title>
<meta http-equiv="refresh" content="0; url=pages/intro.html">
</head>
<body><p><a href="pages/intro.html">Open the book Taken Apart, Rebuilt</a></p></body>
</html>
"""
SITE_README = """Taken Apart, Rebuilt

Unpack the whole archive and open start.html in a browser. No server and no network are needed:
formulas, figures, search and the light and dark theme all work from this folder. A browser shows
the text of a notebook where the site would download it; the files lie in pages/_sources.

The code is under the MIT licence (LICENSE), text and figures under CC BY 4.0 (LICENSE-TEXT).
"""
NOTEBOOKS_README = """Taken Apart, Rebuilt: the notebooks

Every notebook in book/ is executed and holds its outputs. With Python 3.11 to 3.14, in this folder:

    python3 -m venv .venv
    .venv/bin/pip install -r requirements.txt -c constraints.txt
    .venv/bin/pip install --no-deps -e .
    .venv/bin/jupyter lab --notebook-dir book

On Linux this downloads PyTorch for NVIDIA GPUs, several gigabytes; it also runs without one. For
the much smaller build for the CPU add to the second line

    --extra-index-url https://download.pytorch.org/whl/cpu

The package companion, which the notebooks import, lies in src/companion; the recorded runs that
their tables are drawn from lie in benchmarks/results. The code is under the MIT licence (LICENSE),
text and figures under CC BY 4.0 (LICENSE-TEXT).
"""
# A browser refuses to fetch a font ahead of its style sheet from a folder.
FONT_AHEAD = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')
# The search shows a few words of each page that it finds, and fetches the page for them; from a
# folder a browser refuses that. So the pages' texts come with the search, as a script.
ANSWER = """(() => {
  "use strict";
  const texts = %s;
  const here = new URL(".", document.baseURI).href;
  window.fetch = async (address) => {
    const path = new URL(address, here).href.slice(here.length).split(/[?#]/)[0];
    if (!(path in texts)) throw new TypeError(`no text of ${path} comes with the search`);
    return new Response(texts[path]);
  };
})();
"""


def page_names(site: Path) -> list[str]:
    """Return the pages of a built site that have a text, as paths relative to it."""
    found = (path.relative_to(site) for path in site.rglob("*.html"))
    return sorted(
        path.as_posix()
        for path in found
        if path.parts[0] not in {"_static", "_sources"}
        and path.as_posix() not in {"index.html", "search.html", "genindex.html"}
    )


class SearchText(HTMLParser):
    """Of one page, what the search shows: its sections and their words, no other markup."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.open: list[bool] = []  # of each open element inside the article: is it kept as a tag
        self.silent = 0  # how deep inside something that is not shown
        self.feed(page)
        words = re.sub(r"[ \t\n]+", " ", "".join(self.parts))
        self.text = f'<div role="main">{words}</div>'

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in EMPTY or (tag != "article" and not self.open):
            return
        values = dict(attrs)
        if self.silent or tag in SILENT or "headerlink" in (values.get("class") or "").split():
            self.silent += 1
        kept = not self.silent and tag in SECTIONS and bool(values.get("id"))
        self.open.append(kept)
        if kept:
            self.parts.append(f'<{tag} id="{escape(values["id"] or "")}">')

    def handle_endtag(self, tag: str) -> None:
        if not self.open or tag in EMPTY:
            return
        if self.open.pop():
            self.parts.append(f"</{tag}>")
        self.silent = max(0, self.silent - 1)

    def handle_data(self, data: str) -> None:
        if self.open and not self.silent:
            self.parts.append(escape(data, quote=False))


def site_files(site: Path, root: Path) -> dict[str, str | bytes]:
    """Return what the zip of the built `site` holds, by names: start.html opens it."""
    files: dict[str, str | bytes] = {**folder_files(site, f"{SITE}/pages")}
    texts: dict[str, str] = {}
    for name in page_names(site):
        page = (site / name).read_text(encoding="utf-8")
        files[f"{SITE}/pages/{name}"] = FONT_AHEAD.sub("", page)
        texts[name] = SearchText(page).text
    search = (site / "search.html").read_text(encoding="utf-8")
    script = '<script src="_static/texts.js"></script>'
    files[f"{SITE}/pages/search.html"] = search.replace("<head>", f"<head>\n{script}", 1)
    files[f"{SITE}/pages/_static/texts.js"] = ANSWER % json.dumps(texts, ensure_ascii=False)
    files[f"{SITE}/start.html"] = START
    files[f"{SITE}/README.txt"] = SITE_README
    files.update({f"{SITE}/{name}": (root / name).read_bytes() for name in LICENCES})
    return files


def write_site(site: Path, root: Path, target: Path) -> None:
    """Write the zip of the built `site`, which opens by a double click on start.html."""
    write_zip(target, site_files(site, root))


def write_notebooks(_site: Path, root: Path, target: Path) -> None:
    """Write the zip of the executed notebooks, the package, and what installs both."""
    files: dict[str, str | bytes] = {}
    for part in PARTS:
        files.update(folder_files(root / part, f"{NOTEBOOKS}/{part}"))
    for path in (root / "book").rglob("*.ipynb"):
        if ".ipynb_checkpoints" not in path.parts:
            name = path.relative_to(root).as_posix()
            files[f"{NOTEBOOKS}/{name}"] = path.read_bytes()
    for name in PAPERS:
        files[f"{NOTEBOOKS}/{name}"] = (root / name).read_bytes()
    # pyproject.toml names README.md, so that `pip install -e .` needs it
    files[f"{NOTEBOOKS}/README.md"] = NOTEBOOKS_README
    write_zip(target, files)
