"""How wide formulas and tables are, estimated, so that a narrow reader of EPUB makes them smaller.

Nothing measures text here: a character counts for its average width. Where a reader does not know
`vw`, a wide formula is as wide as it was.
"""

from __future__ import annotations

from xml.etree import ElementTree

from bs4 import Tag

NARROW = 24.0  # em: what fits on every reader, and is left alone
SMALL = 0.72  # of an index or an exponent, beside its letter
# Of these the widest child counts, and each child has its size.
STACKED = {
    "mfrac": (0.95, 0.95), "mover": (1.0, SMALL), "munder": (1.0, SMALL),
    "munderover": (1.0, SMALL, SMALL),
}  # fmt: skip
LEAVES = {"mi": 0.64, "mn": 0.68, "mtext": 0.64, "mo": 0.68}  # em for each character
SPACED = frozenset("=+−<>≤≥≈∼∝∈←→⟹⟺⟵⟶∪∩⊂⊆×·⊙∣:")  # an operator with space on both sides
MONOSPACE, SERIF, PADDING = 0.62, 0.6, 1.0  # em for each character of a word; of a cell


def formula_width(node: ElementTree.Element) -> float:
    """Return the width in em of a formula in MathML, or of a part of one."""
    name, text = node.tag.rpartition("}")[2], (node.text or "").strip()
    if name in LEAVES:
        return LEAVES[name] * len(text) + (0.7 if name == "mo" and text in SPACED else 0.0)
    if name == "mspace":
        return float(node.get("width", "0em").removesuffix("em"))
    if name == "mtable":
        rows = [[formula_width(cell) for cell in row] for row in node]
        columns = max(map(len, rows))
        widths = (max(row[at] for row in rows if at < len(row)) for at in range(columns))
        return sum(widths) + 0.6 * columns
    widths = [formula_width(child) for child in node]
    if name in STACKED:
        return max(width * size for width, size in zip(widths, STACKED[name], strict=True))
    if name in {"msub", "msup", "msubsup"}:
        return widths[0] + SMALL * max(widths[1:])
    return sum(widths) + (0.9 if name in {"msqrt", "mroot"} else 0.0)


def table_width(table: Tag) -> float:
    """Return the width in em that the longest words of a table need, formulas left out."""
    columns: dict[int, float] = {}
    for row in table.select("tr"):
        for at, cell in enumerate(row.find_all(["td", "th"], recursive=False)):
            size = MONOSPACE if cell.find("code") is not None else SERIF
            words = cell.get_text(" ").split() or [""]
            columns[at] = max(columns.get(at, 0.0), size * max(map(len, words)))
    return sum(columns.values()) + PADDING * len(columns)


def narrowed(width: float, *, size: float, beside: float) -> str:
    """Return the style of what is `width` em wide, written at `size` em, or "" where it fits.

    `beside` em of the line are taken, by the number of an equation for example.
    """
    if (width + beside) * size <= NARROW:
        return ""
    return f"font-size: min({size}em, calc(94vw / {width + beside:.1f}))"
