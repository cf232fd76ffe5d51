"""The book to take along: _build/html -> _build/formats, with the sums of what is there.

formats.py [NAME ...]   site, notebooks, epub, pdf; all of them when none is named
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

from formats_zips import write_notebooks, write_site

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "site": "taken-apart-site.zip",
    "notebooks": "taken-apart-notebooks.zip",
}


class FormatsError(Exception):
    """A format cannot be written: one line says why and what to do."""


def write(name: str, root: Path, target: Path) -> None:
    """Write one format of the book at `root`, whose site was built."""
    site = root / "_build" / "html"
    if not (site / "index.html").is_file():
        raise FormatsError("there is no site in _build/html; run `make book SERVE=0`")
    if name == "site":
        write_site(site, root, target)
    else:
        write_notebooks(root, target)


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS of the formats in `folder`; `sha256sum -c SHA256SUMS` reads it."""
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in sorted(FILES.values())
        if (folder / name).is_file()
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*FILES, []])
    names: list[str] = parser.parse_args(arguments).names or list(FILES)
    folder = root / "_build" / "formats"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        started, target = time.perf_counter(), folder / FILES[name]
        try:
            write(name, root, target)
        except FormatsError as error:
            print(f"formats: {error}", file=sys.stderr)
            return 1
        size, seconds = target.stat().st_size / 1e6, time.perf_counter() - started
        print(f"{seconds:6.1f} s  {target.relative_to(root)}   {size:.1f} MB", flush=True)
    write_sums(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
