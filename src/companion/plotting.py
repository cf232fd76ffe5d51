"""One look for every figure of the book."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLORS", "new_figure", "use_style"]

COLORS = {
    "blue": "#0072b2",
    "orange": "#d55e00",
    "green": "#00795a",
    "red": "#b3262d",
    "purple": "#9e4a86",
    "sky": "#3f97cc",
    "yellow": "#b88a00",
    "gray": "#666666",
}
"""Colour names and their hex values: told apart with the usual colour blindnesses,
contrast at least 3:1 on the paper of the figures (after Okabe and Ito, 2008)."""

PAPER, INK, FRAME = "#fdfcf9", "#1f2328", "#8a8f98"

STYLE = {
    "figure.figsize": (7.0, 3.6),
    "figure.dpi": 110,
    "figure.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "savefig.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": FRAME,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "svg.hashsalt": "companion",
}


def use_style() -> None:
    """Set matplotlib's defaults to the book's look: paper ground, quiet axes, COLORS in order.

    >>> use_style()
    """
    from cycler import cycler
    from matplotlib import style

    style.use(STYLE | {"axes.prop_cycle": cycler(color=list(COLORS.values()))})


def new_figure(
    columns: int = 1, *, height: float = 3.6, share: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure of the book's width with `columns` panels side by side, and its axes.

    Args:
        columns: number of panels, at least 1.
        height: inches; the width is always 7 inches, the width of a page's text.
        share: whether the panels share both axes.

    >>> figure, axes = new_figure(2)
    >>> len(axes)
    2
    """
    import matplotlib.pyplot as plt

    use_style()
    figure, axes = plt.subplots(
        1, columns, figsize=(7.0, height), sharex=share, sharey=share, squeeze=False
    )
    return figure, list(axes[0])
