"""A browser for every test that needs one; the root has the hook, the options and the seeds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

# Notebooks below tests/ are broken on purpose: only the tests that name them may run them.
collect_ignore_glob = ["*.ipynb"]

NO_BROWSER = (
    "no browser found: `sudo apt install chromium` (Debian, Ubuntu), an installed Google Chrome "
    "(macOS), or `.venv/bin/playwright install chromium`"
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_BROWSERS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


# Playwright keeps an event loop running for as long as it lives; the notebook tests, which may
# come next in the same process, start loops of their own. So a browser lives for one file only.
@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = [shutil.which(name) for name in BROWSERS]
        found += [path for path in (*MAC_BROWSERS, own) if Path(path).is_file()]
        program = next((path for path in found if path), None)
        if program is None:
            give_up = pytest.fail if request.config.getoption("--browser") == "required" else None
            (give_up or pytest.skip)(NO_BROWSER)
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield chromium
        chromium.close()
