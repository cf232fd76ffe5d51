"""The browser on this machine: Chromium or Chrome, wherever it was installed."""

from __future__ import annotations

import shutil
from pathlib import Path

NO_BROWSER = (
    "no browser found: `sudo apt install chromium-headless-shell` (Debian), an installed Google "
    "Chrome (macOS), or `.venv/bin/playwright install chromium`"
)
# The shell is the same engine without windows: a page takes it half the processor time.
NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# Nothing but the machine itself can be reached.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def find_browser(own: str) -> str | None:
    """Return the path of a browser, or None; `own` is where Playwright would keep its own."""
    found = [shutil.which(name) for name in NAMES]
    found += [path for path in (*MAC, own) if Path(path).is_file()]
    return next((path for path in found if path), None)
