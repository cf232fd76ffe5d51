"""What both calls return, and the id that it has on the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import DataError
from .page import Page

__all__ = ["Explorable", "ident"]


@dataclass(frozen=True)
class Explorable:
    """A figure with knobs: HTML for the page, `live` for a notebook with a kernel."""

    page: Page
    html: str
    draw: Callable[[dict[str, Any]], tuple[str, str]]
    """From the values of the knobs to the picture and the readouts, both HTML."""

    def __repr__(self) -> str:
        return f"Explorable {self.page.ident}: {self.page.title} Knobs: {self._knobs()}."

    def _knobs(self) -> str:
        return ", ".join(self.page.start())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html}

    def live(self) -> Any:
        """Return the same figure as an ipywidget: the knobs work, and Python recomputes.

        Show it in JupyterLab only; the page has the figure itself.
        """
        from .live import widget

        return widget(self.page, self.draw)


def ident(name: str, title: str) -> str:
    """Return the id of an explorable, or raise DataError for a name no id can be made of."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise DataError(f"name {name!r}: expected small letters, digits and single hyphens")
    if not title.strip():
        raise DataError(f"explorable {name!r}: no title; it names the figure for a screen reader")
    return f"explorable-{name}"
