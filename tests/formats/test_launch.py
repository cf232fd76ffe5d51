"""One address in _config.yml: with it every notebook has buttons and a start-up cell, else none."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from loading import load_tool

ROOT = Path(__file__).resolve().parents[2]
URL = "https://github.com/somebody/taken-apart"
CELL = {"cell_type": "code", "id": "c", "metadata": {}, "outputs": [], "source": "1 + 1"}
NOTEBOOK = {
    "cells": [{"cell_type": "markdown", "id": "t", "metadata": {}, "source": "# A page"},
              {**CELL, "execution_count": 1}],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"},
                 "language_info": {"name": "python", "pygments_lexer": "ipython3"}},
    "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip
BUTTONS = "dropdown-launch-buttons"
HREF = re.compile(r'href="([^"]+)"')


def build(root: Path, url: str) -> str:
    """Build a small book with the real settings of launching; return its page with a notebook."""
    real = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    config = {
        **{key: real[key] for key in ("title", "author", "execute", "launch_buttons")},
        "only_build_toc_files": True,
        "repository": {**real["repository"], "url": url},
        "sphinx": {"local_extensions": {"sphinx_launch": str(ROOT / "tools")}},
    }
    (root / "book" / "room").mkdir(parents=True)
    (root / "_config.yml").write_text(yaml.safe_dump(config), "utf-8")
    toc = "format: jb-book\nroot: intro\nchapters:\n- file: room/page\n"
    (root / "book" / "_toc.yml").write_text(toc, "utf-8")
    (root / "book" / "intro.md").write_text("# A\n", "utf-8")
    (root / "book" / "room" / "page.ipynb").write_text(json.dumps(NOTEBOOK), "utf-8")
    site = load_tool("site").build(root)
    return (site / "room" / "page.html").read_text("utf-8")


@pytest.fixture(scope="module", params=[URL, ""], ids=["address", "none"])
def launched(request: pytest.FixtureRequest, site: Path, tmp_path_factory) -> tuple[str, str]:
    """The address of a repository, or none, and a page of a book that has it.

    The book itself is one of the two, and the other is built.
    """
    if not request.param and load_tool("launch").read_repository(ROOT) is None:
        return "", (site / "multitask" / "primary-tasks.html").read_text("utf-8")
    root = tmp_path_factory.mktemp("book")
    return request.param, build(root, request.param)


def test_an_address_gives_buttons_and_without_one_there_is_none(launched):
    url, page = launched
    links = HREF.findall(page)
    assert any(link.startswith("../_sources/") and link.endswith(".ipynb") for link in links)
    if not url:
        assert BUTTONS not in page
        assert not re.search(r"colab|binder", " ".join(links))
        return
    assert BUTTONS in page
    path = "book/room/page.ipynb"
    colab = f"https://colab.research.google.com/github/somebody/taken-apart/blob/main/{path}"
    binder = f"https://mybinder.org/v2/gh/somebody/taken-apart/main?urlpath=lab/tree/{path}"
    assert links.count(colab) == 1
    assert links.count(binder) == 1


def test_the_book_has_no_address_and_no_start_up_cell(site):
    if load_tool("launch").read_repository(ROOT) is not None:
        pytest.skip("an address is set: the tests of notebooks compare the start-up cells")
    for path in (ROOT / "book").rglob("[!.]*.ipynb"):
        assert "google.colab" not in path.read_text("utf-8"), path.name
    for page in site.rglob("*.html"):
        assert BUTTONS not in page.read_text("utf-8"), page.name


def test_every_notebook_can_be_downloaded_from_its_page(site):
    for path in sorted((ROOT / "book").rglob("[!.]*.ipynb")):
        name = path.relative_to(ROOT / "book")
        page = (site / name).with_suffix(".html").read_text("utf-8")
        up = "../" * (len(name.parts) - 1)
        assert f"{up}_sources/{name.as_posix()}" in HREF.findall(page), name
        assert (site / "_sources" / name).read_bytes() == path.read_bytes(), name


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with an address and one text, executed."""
    root = tmp_path_factory.mktemp("tree")
    (root / "_config.yml").write_text(f"repository: {{url: '{URL}/', branch: stable}}\n")
    (root / "text" / "room").mkdir(parents=True)
    text = "# A page\n\n```{code-cell} python3\nprint(1 + 1)\n```\n"
    (root / "text" / "room" / "page.md").write_text(text, "utf-8")
    assert load_tool("notebooks").main(["run"], root) == 0
    return root


def test_the_start_up_cell_comes_first_and_prints_nothing(tree):
    first, title, code = nbformat.read(tree / "book" / "room" / "page.ipynb", as_version=4).cells
    assert first.outputs == []
    assert first.metadata.tags == ["remove-cell"]
    assert f'url = "{URL}"\n' in first.source
    assert '"--branch", "stable"]' in first.source
    assert (title.source, code.outputs[0].text) == ("# A page", "2\n")
    assert load_tool("notebooks").main(["check"], tree) == 0


def test_an_address_that_changes_asks_for_the_notebooks_again(tree, tmp_path, capsys):
    root = Path(shutil.copytree(tree, tmp_path / "tree"))
    (root / "_config.yml").write_text("repository: {url: 'https://github.com/another/one'}\n")
    assert load_tool("notebooks").main(["check"], root) == 1
    assert "run `make notebooks ONLY=room/page`" in capsys.readouterr().err


def test_a_mistake_is_still_reported_with_its_line(tree, tmp_path, capsys):
    root = Path(shutil.copytree(tree, tmp_path / "tree"))
    text = root / "text" / "room" / "page.md"
    text.write_text(text.read_text("utf-8").replace("1 + 1", "1 / 0"), "utf-8")
    assert load_tool("notebooks").main(["run"], root) == 1
    assert "text/room/page.md:4: ZeroDivisionError" in capsys.readouterr().err


def test_on_colab_the_cell_fetches_and_installs_once(tree, tmp_path, monkeypatch):
    repository, place = tmp_path / "repository", tmp_path / "content"
    for name in ("room/page.md", "README.md"):
        path = repository / "book" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a file", "utf-8")
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q", "-b", "stable"], ["add", "."], ["commit", "-q", "-m", "a"]):
        subprocess.run([*git, *arguments], check=True)
    source = nbformat.read(tree / "book" / "room" / "page.ipynb", as_version=4).cells[0].source
    source = source.replace(URL, repository.as_uri()).replace("/content/book", str(place))
    commands, real = [], subprocess.run

    def record(command: list[str], check: bool) -> None:
        commands.append(command)
        if command[0] == "git":
            real(command, check=check)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", record)
    exec(source, {})
    assert (commands, Path.cwd()) == ([], tmp_path)
    monkeypatch.setitem(sys.modules, "google.colab", object())
    for _ in range(2):  # a kernel that is started again finds the folder there
        exec(source, {})
        assert Path.cwd() == place / "book" / "room"
    assert commands[1:] == [[sys.executable, "-m", "pip", "install", "--quiet", f"{place}[peers]"]]
