"""The cover: a stack of layers taken apart on the left, the same one built up on the right."""

from __future__ import annotations

import io
import textwrap

from formats_book import Book
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.transforms import Affine2D

PAPER, INK, MUTED = "#fdfcf9", "#1f2328", "#545b64"
COLORS = ("#2f86c1", "#1f9a78", "#d9670a", "#8a63b5")
# Of each block its middle and its angle in degrees: lying about, and in its place.
APART = ((1.15, 1.0, -14), (2.75, 1.75, 21), (1.3, 2.6, 9), (2.6, 3.35, -27))
BUILT = ((5.7, 1.0, 0), (5.7, 1.8, 0), (5.7, 2.6, 0), (5.7, 3.4, 0))


def draw_cover(book: Book) -> bytes:
    """Return the cover as PNG, 1200 by 1600 pixels."""
    figure = Figure(figsize=(7.5, 10), dpi=160, facecolor=PAPER)
    canvas = FigureCanvasAgg(figure)
    title = textwrap.fill(book.title, 13)
    subtitle = "Eight essays on deep learning,\nderived from zero and run"
    for x, y, text, size, color in (
        (0.1, 0.9, title, 44, INK), (0.1, 0.67, subtitle, 17, MUTED),
        (0.1, 0.1, book.author, 14, MUTED),
    ):  # fmt: skip
        figure.text(x, y, text, size=size, color=color, family="DejaVu Serif", va="top")
    axes = figure.add_axes((0.08, 0.13, 0.84, 0.42))
    axes.set(xlim=(0, 7.2), ylim=(0.3, 4.1), aspect="equal")
    axes.axis("off")
    placed = [*zip(APART, COLORS, strict=True), *zip(BUILT, COLORS, strict=True)]
    for (x, y, angle), color in placed:
        block = FancyBboxPatch(
            (x - 0.85, y - 0.22), 1.7, 0.44, boxstyle="round,pad=0.05,rounding_size=0.12",
            facecolor=f"{color}40", edgecolor=color, linewidth=3,
        )  # fmt: skip
        block.set_transform(Affine2D().rotate_deg_around(x, y, angle) + axes.transData)
        axes.add_patch(block)
    axes.annotate(
        "", (4.5, 2.2), (3.7, 2.2), arrowprops={"arrowstyle": "->", "color": MUTED, "lw": 2.5}
    )
    picture = io.BytesIO()
    canvas.print_png(picture, metadata={"Software": None})
    return picture.getvalue()
