"""A browser for every test that needs one; the root has the hook, the options and the seeds."""

from collections.abc import Iterator

import pytest
from loading import load_tool
from playwright.sync_api import Browser, sync_playwright

# Notebooks below tests/ are broken on purpose: only the tests that name them may run them.
collect_ignore_glob = ["*.ipynb"]


# Playwright keeps an event loop running for as long as it lives; the notebook tests, which may
# come next in the same process, start loops of their own. So a browser lives for one file only.
@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        tool = load_tool("browser")
        program = tool.find_browser(playwright.chromium.executable_path)
        if program is None:
            give_up = pytest.fail if request.config.getoption("--browser") == "required" else None
            (give_up or pytest.skip)(tool.NO_BROWSER)
        chromium = playwright.chromium.launch(executable_path=program, args=tool.ARGUMENTS)
        yield chromium
        chromium.close()
