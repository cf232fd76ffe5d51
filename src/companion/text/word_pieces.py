"""Word pieces: the tokens of BERT and of the models after it, from a vocabulary, one a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from companion.errors import DataError
from companion.text.tokenizer import tokenizers_library

__all__ = ["WordPieceTokenizer", "load_vocab"]

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST = 100  # letters of a word; a longer one is unknown


class WordPieceTokenizer:
    """Cut a text into words, and words into the longest pieces of a vocabulary.

    Schuster and Nakajima, *Japanese and Korean Voice Search*, 2012, with the rules of Devlin et
    al., *BERT*, 2018: capitals and accents are dropped, every Chinese character and every mark of
    punctuation is a word, a piece that continues a word begins with ``##``. By the package
    ``tokenizers``.

    Args:
        pieces: in the order of their numbers; [PAD], [UNK], [CLS], [SEP] and [MASK] among them.
        lowercase: whether capitals and accents are dropped.

    Raises:
        DataError: if a mark is missing, or a piece is empty or stands twice.

    >>> tokenizer = WordPieceTokenizer([*MARKS, "low", "##er", "天"])
    >>> tokenizer.encode("Lower 天!"), tokenizer.encode("[MASK]天", framed=True)
    ([5, 6, 7, 1], [2, 4, 7, 3])
    >>> tokenizer.decode([5, 6, 7])
    'lower天'
    """

    def __init__(self, pieces: Iterable[str], *, lowercase: bool = True) -> None:
        self.pieces, self.lowercase = tuple(pieces), lowercase
        numbers: dict[str, int] = {}
        for number, piece in enumerate(self.pieces):
            if not isinstance(piece, str) or not piece:
                raise DataError(f"pieces[{number}] is {piece!r}; expected a word or a part of one")
            if piece in numbers:
                found = f"{piece!r} has the numbers {numbers[piece]} and {number}"
                raise DataError(f"{found}; expected every piece once")
            numbers[piece] = number
        missing = [mark for mark in MARKS if mark not in numbers]
        if missing:
            raise DataError(
                f"{missing[0]} is missing; expected {', '.join(MARKS)} among the pieces"
            )
        self.padding, self.unknown, self.start, self.end, self.hidden = (
            numbers[mark] for mark in MARKS
        )
        self.inner = _inner(numbers, lowercase=lowercase)

    @classmethod
    def of(cls, text: str, *, vocabulary: int = 2000) -> WordPieceTokenizer:
        """Return a tokenizer with the letters of a text, and with its most frequent words.

        The package's own trainer gives other pieces in another process; these are always the same.

        Args:
            text: what to count in.
            vocabulary: how many pieces at most; marks and letters are always there, every letter
                also as one that continues a word.

        Raises:
            DataError: for a text without words.
        """
        inner = _inner({mark: number for number, mark in enumerate(MARKS)}, lowercase=True)
        words = inner.pre_tokenizer.pre_tokenize_str(inner.normalizer.normalize_str(text))
        counts = Counter(word for word, _ in words)
        if not counts:
            raise DataError("the text holds no word; expected one at least")
        letters = sorted({letter for word in counts for letter in word})
        continued = sorted({letter for word in counts for letter in word[1:]})
        pieces = [*MARKS, *letters, *(f"##{letter}" for letter in continued)]
        frequent = sorted(
            (word for word in counts if len(word) > 1), key=lambda word: (-counts[word], word)
        )
        return cls(pieces + frequent[: max(vocabulary - len(pieces), 0)])

    def __len__(self) -> int:
        return len(self.pieces)

    @cached_property
    def ordinary(self) -> Bool[Tensor, " token"]:
        """True for the tokens of texts: no mark, and none that a vocabulary keeps unused."""
        return torch.tensor(
            [piece not in MARKS and not piece.startswith("[unused") for piece in self.pieces]
        )

    def encode(self, text: str, *, framed: bool = False) -> list[int]:
        """Return the tokens of a text; marks in it, such as [MASK], are tokens.

        Args:
            framed: whether [CLS] comes before them and [SEP] after.
        """
        tokens = self.inner.encode(text, add_special_tokens=False).ids
        return [self.start, *tokens, self.end] if framed else tokens

    def spans(self, text: str) -> tuple[list[int], list[tuple[int, int]], list[int | None]]:
        """Return the tokens of a text, from where to where each stands, and its word's number."""
        found = self.inner.encode(text, add_special_tokens=False)
        return found.ids, found.offsets, found.word_ids

    def batch(
        self, texts: Sequence[str]
    ) -> tuple[Int64[Tensor, "batch seq"], Bool[Tensor, "batch seq"]]:
        """Return texts in their frames, padded to one length, and True where there is a token.

        Raises:
            DataError: for no texts, or one text in place of several.

        >>> tokens, mask = WordPieceTokenizer([*MARKS, "a"]).batch(["a a", "a"])
        >>> tokens.tolist(), mask.sum(dim=1).tolist()
        ([[2, 5, 5, 3], [2, 5, 3, 0]], [4, 3])
        """
        if isinstance(texts, str) or not texts:
            raise DataError(f"texts are {texts!r}; expected one text at least, in a list")
        rows = [self.encode(text, framed=True) for text in texts]
        longest = max(map(len, rows))
        tokens = torch.full((len(rows), longest), self.padding, dtype=torch.int64)
        for row, found in zip(tokens, rows, strict=True):
            row[: len(found)] = torch.tensor(found)
        lengths = torch.tensor([[len(row)] for row in rows])
        return tokens, torch.arange(longest) < lengths

    def decode(self, tokens: Iterable[int]) -> str:
        """Return a text: pieces joined into words, a space before a word of Latin letters.

        Raises:
            DataError: for a number that is no token.
        """
        text = ""
        for number in tokens:
            piece = self.token(number)
            apart = text and text[-1].isascii() and text[-1] not in "(["
            if piece.startswith("##"):
                text += piece[2:]
            else:
                text += (
                    f" {piece}" if apart and piece[0].isascii() and piece[0].isalnum() else piece
                )
        return text

    def token(self, number: int) -> str:
        """Return the piece of a number."""
        if not 0 <= int(number) < len(self):
            raise DataError(f"{int(number)} is no token; expected 0 to {len(self) - 1}")
        return self.pieces[int(number)]

    def to_lines(self) -> str:
        """Return the vocabulary, for ``load_vocab``."""
        return "".join(f"{piece}\n" for piece in self.pieces)


def load_vocab(path: Path | str, *, lowercase: bool = True) -> WordPieceTokenizer:
    """Return the tokenizer of a ``vocab.txt``: one piece a line, its number the line's from 0.

    Args:
        path: the file, or a folder with a ``vocab.txt``.
        lowercase: as in ``WordPieceTokenizer``; True is what GAU-α was trained with.

    Raises:
        DataError: naming the file, and the line if a piece stands twice.
    """
    path = Path(path)
    path = path / "vocab.txt" if path.is_dir() else path
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DataError(f"{path} cannot be read: {reason}") from error
    pieces = [line.strip("\r") for line in lines]
    while pieces and not pieces[-1]:
        pieces.pop()
    seen: dict[str, int] = {}
    for number, piece in enumerate(pieces, start=1):
        if piece in seen:
            raise DataError(f"{path}:{number}: {piece!r} stands in line {seen[piece]} already")
        seen[piece] = number
    try:
        return WordPieceTokenizer(pieces, lowercase=lowercase)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _inner(numbers: dict[str, int], *, lowercase: bool) -> Any:
    library = tokenizers_library("word pieces")
    model = library.models.WordPiece(numbers, unk_token="[UNK]", max_input_chars_per_word=LONGEST)
    inner = library.Tokenizer(model)
    inner.normalizer = library.normalizers.BertNormalizer(lowercase=lowercase)
    inner.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    inner.add_special_tokens([*MARKS])
    return inner
