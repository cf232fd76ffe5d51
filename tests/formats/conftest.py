"""The formats of the book, each written once from the site that `make test` has built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from loading import load_tool
from playwright.sync_api import Browser, Page, Route

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def site() -> Path:
    """The built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail("there is no site to test; run `make book SERVE=0` first", pytrace=False)
    return SITE


@pytest.fixture(scope="session")
def unpacked_site(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the zip of the site holds, in a folder whose name needs quoting."""
    folder = tmp_path_factory.mktemp("taken along") / "a folder, elsewhere"
    for name, content in load_tool("formats_zips").site_files(site, ROOT).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return folder / "taken-apart-site"


@dataclass
class Reading:
    """A browser that may read one folder and nothing else, and what went wrong in it."""

    folder: Path
    page: Page
    refused: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, name: str) -> None:
        """Open a file of the folder, as a double click does, and wait until it is complete."""
        path, mark, query = name.partition("?")
        self.page.goto((self.folder / path).as_uri() + mark + query, wait_until="load")
        self.page.evaluate(
            """async () => {
                if (window.MathJax?.startup?.promise) await MathJax.startup.promise;
                if (typeof Explore !== "undefined") await Explore.ready;
                await document.fonts.ready;
            }"""
        )


@pytest.fixture
def reading(browser: Browser, unpacked_site: Path) -> Iterator[Reading]:
    """The unpacked site in a browser, from file://, with every other address refused."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    reader = Reading(unpacked_site, context.new_page())
    allowed = (unpacked_site.as_uri() + "/", "data:", "blob:")

    def judge(route: Route) -> None:
        if route.request.url.startswith(allowed):
            route.continue_()
        else:
            reader.refused.append(route.request.url)
            route.abort()

    context.route("**/*", judge)
    page = reader.page
    page.on("requestfailed", lambda request: reader.errors.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: reader.errors.append(str(error)))
    page.on("console", lambda m: reader.errors.append(m.text) if m.type == "error" else None)
    yield reader
    context.close()
