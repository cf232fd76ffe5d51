"""The book to take along: _build/html -> _build/formats, with the sums of what is there.

formats.py [NAME ...]   site, notebooks, epub, pdf; all of them when none is named
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

from formats_article import ArticleError
from formats_epub import write_epub
from formats_pdf import write_pdf
from formats_zips import write_notebooks, write_site

ROOT = Path(__file__).resolve().parents[1]
FORMATS = {
    "site": ("taken-apart-site.zip", write_site),
    "notebooks": ("taken-apart-notebooks.zip", write_notebooks),
    "epub": ("taken-apart.epub", write_epub),
    "pdf": ("taken-apart.pdf", write_pdf),
}


class FormatsError(Exception):
    """A format cannot be written: one line says why and what to do."""


def write(name: str, root: Path, folder: Path) -> Path:
    """Write one format of the book at `root`, whose site was built, and return its file."""
    if name not in FORMATS:
        raise FormatsError(f"no format is called {name}; there are: {', '.join(FORMATS)}")
    site = root / "_build" / "html"
    if not (site / "index.html").is_file():
        raise FormatsError("there is no site in _build/html; run `make book SERVE=0`")
    file, make = FORMATS[name]
    folder.mkdir(parents=True, exist_ok=True)
    make(site, root, folder / file)
    return folder / file


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS of the formats in `folder`; `sha256sum -c SHA256SUMS` reads it."""
    lines = [
        f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()}  {file}\n"
        for file, _ in FORMATS.values()
        if (folder / file).is_file()
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    names: list[str] = parser.parse_args(arguments).names or list(FORMATS)
    folder = root / "_build" / "formats"
    for name in names:
        started = time.perf_counter()
        try:
            file = write(name, root, folder)
        except (FormatsError, ArticleError) as error:
            print(f"formats: {error}", file=sys.stderr)
            return 1
        size, seconds = file.stat().st_size / 1e6, time.perf_counter() - started
        print(f"{seconds:6.1f} s  {file.relative_to(root)}   {size:.1f} MB", flush=True)
    write_sums(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
