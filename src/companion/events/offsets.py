"""Where each token stands in its text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from companion.errors import DataError
from companion.events.documents import Argument, Document

__all__ = ["Offsets", "character_offsets", "check_offsets", "off_borders", "word_offsets"]

Offsets = Sequence[tuple[int, int]]
"""For each token its first character and the one after its last; equal for a token without text,
such as a mark at the end of a sentence."""


def character_offsets(text: str) -> list[tuple[int, int]]:
    """Return the offsets when each character is a token.

    >>> character_offsets("夺冠")
    [(0, 1), (1, 2)]
    """
    return [(at, at + 1) for at in range(len(text))]


def word_offsets(text: str) -> list[tuple[int, int]]:
    """Return the offsets of words, and of signs that are neither letters nor digits.

    >>> word_offsets("Li won 6-0.")
    [(0, 2), (3, 6), (7, 8), (8, 9), (9, 10), (10, 11)]
    """
    return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def check_offsets(offsets: Offsets, text: str) -> None:
    """Refuse offsets that do not lie in the text in ascending order.

    Tokens may share a character, as the bytes of one do.

    Raises:
        DataError: names the token.
    """
    before = (0, 0)
    for token, (start, end) in enumerate(offsets):
        if not 0 <= start <= end <= len(text):
            expected = f"0 ≤ start ≤ end ≤ {len(text)}, the length of the text"
            raise DataError(f"offsets[{token}] is ({start}, {end}); expected {expected}")
        if start == end:
            continue
        if start < before[0] or end < before[1]:
            found = f"offsets[{token}] is ({start}, {end}), after {before}"
            raise DataError(f"{found}; expected tokens in the order of the text")
        before = (start, end)


def off_borders(document: Document, offsets: Offsets) -> frozenset[Argument]:
    """Return the arguments that do not begin where a token begins and end where one ends.

    No model that reads these tokens can find them.

    >>> from companion.events import Event
    >>> half = Event("m", frozenset({Argument("winner", 0, 1, "L")}))
    >>> [one.text for one in off_borders(Document("1", "Li won", (half,)), word_offsets("Li won"))]
    ['L']
    """
    starts = {start for start, end in offsets if start < end}
    ends = {end for start, end in offsets if start < end}
    return frozenset(
        one
        for event in document.events
        for one in event.arguments
        if one.start not in starts or one.end not in ends or one.end <= one.start
    )
