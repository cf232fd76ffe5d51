"""A Sphinx extension: without a repository no page offers to open its notebook elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def drop_buttons(app: Sphinx) -> None:
    """Take the launch buttons out of the theme's options, which fail without an address."""
    if not app.config.html_theme_options.get("repository_url"):
        app.config.html_theme_options.pop("launch_buttons", None)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", drop_buttons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
