"""The built site, served below a sub-path, and a browser that can reach nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from loading import load_tool
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Request,
    Response,
    Route,
)

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
PREFIX = "/some/where/"
MISSING = "there is no site to test; run `make book SERVE=0` first"


@dataclass(frozen=True)
class Site:
    """A folder of pages and the address it is served at."""

    folder: Path
    address: str

    def pages(self) -> list[str]:
        """The pages, as paths relative to the folder."""
        return page_names(self.folder)


@dataclass
class Visit:
    """One page in the browser, and everything it asked for since it was opened."""

    name: str
    page: Page
    outside: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    transferred: int = 0

    def watch(self, context: BrowserContext, address: str) -> None:
        """Record requests and errors of the page; refuse what does not begin with `address`."""

        def judge(route: Route) -> None:
            if route.request.url.startswith((address, "data:", "blob:")):
                route.continue_()
            else:
                self.outside.append(route.request.url)
                route.abort()

        def receive(response: Response) -> None:
            self.transferred += int(response.headers.get("content-length", 0))
            if response.status >= 400:
                self.failed.append(f"{response.status} {response.url}")

        def fail(request: Request) -> None:
            self.failed.append(f"{request.failure} {request.url}")

        context.route("**/*", judge)
        self.page.on("response", receive)
        self.page.on("requestfailed", fail)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def settle(self) -> None:
        """Wait until fonts are there and explorables react."""
        self.page.evaluate(
            """async () => {
                if (typeof Explore !== "undefined") await Explore.ready;
                await document.fonts.ready;
            }"""
        )


def page_names(folder: Path) -> list[str]:
    """The pages below `folder` that a reader can open."""
    found = (path.relative_to(folder) for path in folder.rglob("*.html"))
    return sorted(path.as_posix() for path in found if path.parts[0] not in {"_static", "_sources"})


def has_explorable(page: Path) -> bool:
    """Whether a figure of the page has knobs."""
    return page.is_file() and 'class="explorable' in page.read_text(encoding="utf-8")


@contextmanager
def serve(folder: Path) -> Iterator[Site]:
    """Serve `folder` on 127.0.0.1 below PREFIX, from a thread."""
    server = load_tool("serve").open_server(folder, 0, prefix=PREFIX)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Site(folder, f"http://127.0.0.1:{server.server_port}{PREFIX}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def open_page(browser: Browser, site: Site, name: str, *, scripts: bool = True) -> Iterator[Visit]:
    """Open a page of the site with an empty cache, and wait until it is complete."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        color_scheme="light",
        reduced_motion="reduce",
        java_script_enabled=scripts,
    )
    visit = Visit(name, context.new_page())
    visit.watch(context, site.address)
    try:
        visit.page.goto(site.address + name, wait_until="load")
        if scripts:
            visit.settle()
        yield visit
    finally:
        context.close()


# Test files cannot import this one, so what they call is handed to them.
@pytest.fixture(name="serve_folder", scope="session")
def _serve_folder():
    return serve


@pytest.fixture(name="open_page", scope="session")
def _open_page():
    return open_page


@pytest.fixture(name="tool", scope="session")
def _tool():
    return load_tool


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    if not (SITE / "index.html").is_file():
        pytest.fail(MISSING, pytrace=False)
    with serve(SITE) as served:
        yield served


@pytest.fixture(scope="module")
def visit(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[Visit]:
    """The page that the parameter names, opened once for all the tests of a file."""
    with open_page(browser, site, cast("str", request.param)) as opened:
        yield opened


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that takes `visit` or `page_name` once for each page of the built site."""
    names = [name for name in page_names(SITE) if name != "index.html"] or ["no site"]
    if "figures" in metafunc.fixturenames:
        names = [name for name in names if has_explorable(SITE / name)]
    if "visit" in metafunc.fixturenames:
        metafunc.parametrize("visit", names, indirect=True, scope="module")
    elif "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", names)
