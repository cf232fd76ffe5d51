"""From a sentence to whole numbers: characters, or words with a shape for those that are rare."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from companion.errors import DataError
from companion.events.offsets import Offsets, character_offsets, word_offsets

__all__ = ["Encoded", "Vocabulary", "shape_of"]

FORMAT = "companion.events vocabulary 1"
SHAPE = "\N{INFORMATION SEPARATOR ONE}"  # before a shape, so that it is no word


class Encoded(NamedTuple):
    """A sentence in numbers, and where each stands in its text."""

    tokens: list[int]
    offsets: Offsets


@dataclass(frozen=True)
class Vocabulary:
    """The pieces of a sentence that have numbers of their own; 0 is padding, 1 the unknown.

    A word that has none gets the number of its shape (``shape_of``), if the shape has one.

    Attributes:
        kind: "character" or "word".
        pieces: in the order of their numbers, which begin at 2.

    Raises:
        DataError: for another kind, no pieces, or one that stands twice.

    >>> words = Vocabulary.of(["Li beat Bo", "Li beat Al"], kind="word")
    >>> words.encode("Li beat Xu")  # Xu has the shape of Al and Bo
    Encoded(tokens=[3, 4, 2], offsets=[(0, 2), (3, 7), (8, 10)])
    """

    kind: Literal["character", "word"]
    pieces: tuple[str, ...]

    padding, unknown = 0, 1

    def __post_init__(self) -> None:
        if self.kind not in ("character", "word"):
            raise DataError(f"kind is {self.kind!r}; expected 'character' or 'word'")
        if not self.pieces:
            raise DataError("the vocabulary is empty; expected at least one piece")
        if len(self._numbers) < len(self.pieces):
            twice = next(piece for piece, count in Counter(self.pieces).items() if count > 1)
            raise DataError(f"{twice!r} stands twice in the vocabulary")

    @classmethod
    def of(
        cls, texts: Iterable[str], *, kind: Literal["character", "word"], least: int = 2
    ) -> Vocabulary:
        """Return the vocabulary of some texts, in the order of Unicode.

        Args:
            texts: to count in.
            kind: what a piece is.
            least: how often a piece must occur; rarer ones are taken for unknown, so that the
                unknown and the shapes are learned.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text[start:end] for start, end in _offsets(kind, text))
        kept = {piece for piece, count in counts.items() if count >= least}
        if kind == "word":
            kept |= {SHAPE + shape_of(piece) for piece in counts.keys() - kept}
        return cls(kind, tuple(sorted(kept)) or tuple(sorted(counts)))

    def __len__(self) -> int:
        return 2 + len(self.pieces)

    def encode(self, text: str) -> Encoded:
        """Return a number for each character or word, and its offsets."""
        offsets = _offsets(self.kind, text)
        return Encoded([self._number(text[start:end]) for start, end in offsets], offsets)

    def to_json(self) -> str:
        """Return the vocabulary, for ``from_json``."""
        return json.dumps({"format": FORMAT, "kind": self.kind, "pieces": self.pieces})

    @classmethod
    def from_json(cls, text: str, *, name: str = "the vocabulary") -> Vocabulary:
        """Return the vocabulary that ``to_json`` wrote.

        Raises:
            DataError: if it is none; `name` says which.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise DataError(f"{name} is no JSON: {error}") from error
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise DataError(f"{name} is no vocabulary of this version")
        pieces = values.get("pieces")
        if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
            raise DataError(f"{name} has no list of pieces")
        return cls(values.get("kind", ""), tuple(pieces))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {piece: number for number, piece in enumerate(self.pieces, start=2)}

    def _number(self, piece: str) -> int:
        number = self._numbers.get(piece)
        if number is None and self.kind == "word":
            number = self._numbers.get(SHAPE + shape_of(piece))
        return self.unknown if number is None else number


def shape_of(word: str) -> str:
    """Return what a word looks like: runs of capitals, small letters and digits.

    >>> shape_of("Novak"), shape_of("USA"), shape_of("2023"), shape_of("McX9")
    ('Xx', 'X', '0', 'XxX0')
    """
    marks = (
        "0" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word
    )
    return re.sub(r"(.)\1+", r"\1", "".join(marks))


def _offsets(kind: str, text: str) -> Offsets:
    return character_offsets(text) if kind == "character" else word_offsets(text)
