"""The checks of the site can fail; and what is left of a page without scripts."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def spoiled(site, tmp_path):
    """A copy of the site whose notation page shows a picture from another host."""
    shutil.copytree(site.folder, tmp_path / "html")
    page = tmp_path / "html" / "notation.html"
    text = page.read_text(encoding="utf-8")
    picture = '<img src="https://example.org/a.png" alt="A picture from outside">'
    page.write_text(text.replace("</article>", f"{picture}</article>"), encoding="utf-8")
    return tmp_path / "html"


def test_a_picture_from_outside_turns_the_check_red(browser, spoiled, serve_folder, open_page):
    with serve_folder(spoiled) as served, open_page(browser, served, "notation.html") as visit:
        assert visit.outside == ["https://example.org/a.png"]
        assert visit.errors


def test_a_missing_file_turns_the_check_red(browser, spoiled, serve_folder, open_page):
    (spoiled / "_static" / "book.css").unlink()
    with serve_folder(spoiled) as served, open_page(browser, served, "notation.html") as visit:
        assert any("book.css" in line for line in visit.failed)


def test_an_explorable_shows_its_picture_without_scripts(browser, site, open_page):
    seen = 0
    for name in site.pages():
        if 'class="explorable' not in (site.folder / name).read_text(encoding="utf-8"):
            continue
        with open_page(browser, site, name, scripts=False) as visit:
            for figure in visit.page.locator("figure.explorable").all():
                box = figure.locator("svg").first.bounding_box()
                assert box is not None
                assert box["width"] > 200
                assert box["height"] > 100
                assert not figure.locator("input[type=range]").first.is_visible()
                seen += 1
    assert seen


def test_search_works_without_a_network(browser, site, open_page):
    with open_page(browser, site, "search.html?q=projection") as visit:
        visit.page.wait_for_selector('#search-results li a[href*="notation.html"]')
        assert (visit.outside, visit.failed, visit.errors) == ([], [], [])
