"""The repository of the book, from the one place that names it, and what a notebook needs of it.

While `repository: url:` in _config.yml is empty there is none: no launch button, no start-up cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

COLAB = """# On Colab: fetch the book, install its package, work in the folder of this page.
import sys

if "google.colab" in sys.modules:
    import os
    import subprocess

    url = "{url}"
    place = "/content/book"
    clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", "{branch}"]
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    if not os.path.isdir(place):
        subprocess.run([*clone, url, place], check=True)
        subprocess.run([*install, f"{{place}}[peers]"], check=True)
    os.chdir(f"{{place}}/{folder}")"""


@dataclass(frozen=True)
class Repository:
    """Where the book can be cloned from."""

    url: str
    branch: str


def read_repository(root: Path) -> Repository | None:
    """Return what `_config.yml` says, or None where there is no such file or its url is empty."""
    config = root / "_config.yml"
    if not config.is_file():
        return None
    repository = (yaml.safe_load(config.read_text("utf-8")) or {}).get("repository", {})
    if not repository.get("url"):
        return None
    return Repository(repository["url"].rstrip("/"), repository.get("branch", "main"))


def start_cells(text: Path) -> list[NotebookNode]:
    """Return what comes before the first cell of a text below root/text: one cell, or none.

    The cell prints nothing anywhere, and does nothing where there is no Colab. Pages leave it out.
    """
    texts = next(folder for folder in text.parents if folder.name == "text")
    repository = read_repository(texts.parent)
    if repository is None:
        return []
    folder = ("book" / text.parent.relative_to(texts)).as_posix()
    source = COLAB.format(url=repository.url, branch=repository.branch, folder=folder)
    metadata = {"jupyter": {"source_hidden": True}, "tags": ["remove-cell"]}
    return [nbformat.v4.new_code_cell(source, metadata=metadata, id="cell-000")]
