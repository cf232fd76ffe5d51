"""A zip whose bytes depend on nothing but what is in it: sorted names, one date, one mode."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

DATE = (1980, 1, 1, 0, 0, 0)  # the first one that a zip can hold
LEFT_OUT = frozenset({"__pycache__", ".ipynb_checkpoints", ".DS_Store"})


def folder_files(folder: Path, prefix: str) -> dict[str, bytes]:
    """Return the files below `folder` by their names in an archive: `prefix`, "/", the path."""
    return {
        f"{prefix}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not LEFT_OUT.intersection(path.parts)
    }


def write_zip(
    target: Path, files: Mapping[str, str | bytes], *, stored_first: Mapping[str, str] | None = None
) -> None:
    """Write `files` (name to content) in the order of their names, compressed.

    Args:
        target: the archive; what was there before is replaced when the new one is complete.
        files: text is written as UTF-8.
        stored_first: entries before all others, not compressed (an EPUB begins with its type).
    """
    fresh = target.with_name(target.name + ".new")
    with zipfile.ZipFile(fresh, "w") as archive:
        for name, content in (stored_first or {}).items():
            archive.writestr(entry(name, zipfile.ZIP_STORED), content)
        for name in sorted(files):
            archive.writestr(entry(name, zipfile.ZIP_DEFLATED), files[name], compresslevel=9)
    fresh.replace(target)


def entry(name: str, compression: int) -> zipfile.ZipInfo:
    """Return what the archive says about one file: readable by all, the same everywhere."""
    info = zipfile.ZipInfo(name, DATE)
    info.create_system = 3  # Unix, wherever it is written
    info.external_attr = 0o644 << 16
    info.compress_type = compression
    return info
