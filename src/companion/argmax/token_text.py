"""The text of tokens, for people: from the tokenizer.json that lies beside a model's weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from companion.errors import DataError

__all__ = ["TokenText", "tokens_beside"]

LONGEST = 40  # characters shown


@dataclass(frozen=True)
class TokenText:
    """What the tokens of a vocabulary stand for; ``inner`` is a ``tokenizers.Tokenizer``.

    >>> from tokenizers import Tokenizer, decoders, models
    >>> inner = Tokenizer(models.BPE({"Ġthe": 0, "Ċ": 1, "low": 2}, []))
    >>> inner.decoder = decoders.ByteLevel()
    >>> [TokenText(inner)[number] for number in range(4)]
    ["'Ġthe' = ' the'", "'Ċ' = '\\\\n'", "'low'", 'no token']
    """

    inner: Any

    def __getitem__(self, number: int) -> str:
        """Return the token in quotes, what it becomes in a text if that differs, all printable."""
        piece = self.inner.id_to_token(number)
        if piece is None:  # a matrix may have more rows than the vocabulary has tokens
            return "no token"
        text = self.inner.decode([number], skip_special_tokens=False)
        if text in ("", piece) or "\N{REPLACEMENT CHARACTER}" in text:  # a part of a character
            return _quoted(piece)
        return f"{_quoted(piece)} = {_quoted(text)}"


def tokens_beside(path: Path) -> TokenText | None:
    """Return the tokens of the ``tokenizer.json`` in the folder of a file, None without one.

    Raises:
        DataError: if it is there and cannot be read, or the package ``tokenizers`` is missing.

    >>> tokens_beside(Path("no/model.safetensors")) is None
    True
    """
    file = path.parent / "tokenizer.json"
    if not file.is_file():
        return None
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise DataError(f"{file} needs the package tokenizers: pip install tokenizers") from error
    try:
        return TokenText(Tokenizer.from_file(str(file)))
    except Exception as error:  # the package raises the bare class
        raise DataError(f"{file} is no tokenizer: {error}") from error


def _quoted(text: str) -> str:
    """Return the text as Python writes it, which leaves nothing unprintable, and cut if long."""
    return repr(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")
