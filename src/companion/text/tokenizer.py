"""From text to whole numbers and back: character by character, or by byte pairs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from companion.errors import DataError

__all__ = ["SPECIAL", "BytePairTokenizer", "CharacterTokenizer", "Tokenizer", "load_tokenizer"]

# The first numbers in every tokenizer here: padding, the unknown, what hides a token, and the end
SPECIAL = ("[PAD]", "[UNK]", "[MASK]", "[END]")
FORMAT = "companion.text characters 1"


class CharacterTokenizer:
    """One token for each character that occurs in a text; others are unknown.

    Args:
        characters: in the order of their numbers, which begin at 4.

    Raises:
        DataError: if there are none, one stands twice, or one is no single character.

    >>> tokenizer = CharacterTokenizer.of("abba")
    >>> tokenizer.encode("bad"), len(tokenizer)
    ([5, 4, 1], 6)
    >>> tokenizer.decode([5, 4, 1, 2, 3, 0])
    'ba�[MASK]'
    """

    padding, unknown, hidden, end = range(4)

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = tuple(characters)
        if not self.characters:
            raise DataError("the vocabulary is empty; expected at least one character")
        for number, character in enumerate(self.characters):
            if not isinstance(character, str) or len(character) != 1:
                raise DataError(f"characters[{number}] is {character!r}; expected one character")
        self._numbers = {c: n for n, c in enumerate(self.characters, start=len(SPECIAL))}
        if len(self._numbers) < len(self.characters):
            twice = next(c for c in self.characters if self.characters.count(c) > 1)
            raise DataError(f"{twice!r} stands twice in the vocabulary")

    @classmethod
    def of(cls, text: str) -> CharacterTokenizer:
        """Return the tokenizer with the characters of a text, in their Unicode order."""
        return cls(sorted(set(text)))

    def __len__(self) -> int:
        return len(SPECIAL) + len(self.characters)

    def encode(self, text: str) -> list[int]:
        """Return one number for each character."""
        return [self._numbers.get(character, self.unknown) for character in text]

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text; the unknown becomes �, a hidden token [MASK], padding and end nothing.

        Raises:
            DataError: for a number that is no token.
        """
        shown = ["", "\N{REPLACEMENT CHARACTER}", SPECIAL[self.hidden], "", *self.characters]
        return "".join(shown[_checked(token, len(self))] for token in tokens)

    def to_json(self) -> str:
        """Return the vocabulary, for ``load_tokenizer``."""
        return json.dumps({"format": FORMAT, "characters": "".join(self.characters)})


class BytePairTokenizer:
    """Byte-pair encoding: what often stands together becomes one token, and nothing is unknown.

    Sennrich, Haddow and Birch, *Neural Machine Translation of Rare Words with Subword Units*, 2015,
    over the bytes of UTF-8, by the package ``tokenizers``.

    Args:
        inner: a ``tokenizers.Tokenizer`` whose first tokens are ``SPECIAL``.

    >>> tokenizer = BytePairTokenizer.of("low lower lowest " * 9, vocabulary=265)
    >>> tokenizer.decode(tokenizer.encode("lowly ☃"))
    'lowly ☃'
    """

    padding, unknown, hidden, end = range(4)

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        found = [inner.id_to_token(number) for number in range(len(SPECIAL))]
        if found != [*SPECIAL]:
            raise DataError(f"the first tokens are {found}; expected {[*SPECIAL]}")

    @classmethod
    def of(cls, text: str, *, vocabulary: int = 512) -> BytePairTokenizer:
        """Return the tokenizer with the most frequent pairs of a text.

        Args:
            text: what to count in.
            vocabulary: how many tokens at most; 256 bytes and 4 special ones are always there.

        Raises:
            DataError: for a vocabulary of fewer than 260, or without the package ``tokenizers``.
        """
        library = tokenizers_library()
        if vocabulary < 256 + len(SPECIAL):
            raise DataError(f"vocabulary is {vocabulary}; expected at least 260: bytes and marks")
        inner = library.Tokenizer(library.models.BPE())
        byte_level = library.pre_tokenizers.ByteLevel
        inner.pre_tokenizer = byte_level(add_prefix_space=False)
        inner.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[*SPECIAL],
            initial_alphabet=sorted(byte_level.alphabet()),
            show_progress=False,
        )
        inner.train_from_iterator([text], trainer)
        return cls(inner)

    def __len__(self) -> int:
        return self.inner.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return self.inner.encode(text, add_special_tokens=False).ids

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text, without special tokens; bytes that are no UTF-8 become �.

        Raises:
            DataError: for a number that is no token.
        """
        return self.inner.decode([_checked(token, len(self)) for token in tokens])

    def to_json(self) -> str:
        """Return vocabulary and pairs in the format of ``tokenizers``."""
        return self.inner.to_str()


Tokenizer = CharacterTokenizer | BytePairTokenizer
"""What the models of the book take: the numbers 0 to 3 are padding, the unknown, what hides a
token, and the end of a text; ``encode`` and ``decode`` go between text and tokens."""


def load_tokenizer(source: Path | str) -> Tokenizer:
    """Return the tokenizer that ``to_json`` wrote.

    Args:
        source: the JSON itself, or the path of a file that holds it.

    Raises:
        DataError: if it cannot be read, or is of another kind.

    >>> load_tokenizer(CharacterTokenizer("ab").to_json()).encode("b")
    [5]
    """
    inline = isinstance(source, str) and "{" in source
    where = "the tokenizer" if inline else str(source)
    try:
        text = str(source) if inline else Path(source).read_text("utf-8")
        values = json.loads(text)
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{where} is no JSON: {error}") from error
    if isinstance(values, dict) and values.get("format") == FORMAT:
        return CharacterTokenizer(str(values.get("characters", "")))
    if not isinstance(values, dict) or "model" not in values:
        raise DataError(f"{where} is no tokenizer; expected characters, or one of `tokenizers`")
    try:
        inner = tokenizers_library().Tokenizer.from_str(text)
    except Exception as error:  # the package raises the bare class
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where} is no tokenizer: {error}") from error
    return BytePairTokenizer(inner)


def tokenizers_library(what: str = "byte pairs") -> Any:
    """Return the package ``tokenizers``; ``what`` needs it."""
    try:
        import tokenizers
    except ImportError as error:
        remedy = "run `make setup`, or pip install tokenizers"
        raise DataError(f"{what} need the package tokenizers: {remedy}") from error
    return tokenizers


def _checked(token: int, size: int) -> int:
    if not 0 <= int(token) < size:
        raise DataError(f"{int(token)} is no token; expected 0 to {size - 1}")
    return int(token)
