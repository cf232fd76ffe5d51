"""Whole words: where they begin among the tokens, windows that know it, and words that are hidden.

A word is what the tokenizer never cuts apart: letters between spaces and punctuation, one mark of
punctuation, one Chinese character. A list of words joins characters: from left to right, where
several fit, the longest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from companion.errors import DataError, ShapeError
from companion.text.corpora import read_text
from companion.text.word_pieces import WordPieceTokenizer
from companion.training import Draws

__all__ = ["WordWindows", "encode_words", "hide_words", "read_words"]


def read_words(path: Path | str) -> frozenset[str]:
    """Return the words of a file, one a line; empty lines are none.

    Raises:
        DataError: if it cannot be read, or is empty.
    """
    return frozenset(filter(None, (line.strip() for line in read_text(path).split("\n"))))


def encode_words(
    text: str, tokenizer: WordPieceTokenizer, *, words: Iterable[str] = ()
) -> tuple[Int64[Tensor, " token"], Bool[Tensor, " token"]]:
    """Return the tokens of a text, and True where a word begins.

    Args:
        text: of any length.
        tokenizer: which says what is never cut apart.
        words: words of several characters or parts, which the tokenizer does not know as such.

    >>> marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    >>> tokenizer = WordPieceTokenizer([*marks, *"今天很好", "a", "##b"])
    >>> tokens, begins = encode_words("今天很好 ab", tokenizer, words=["今天"])
    >>> tokens.tolist(), begins.long().tolist()
    ([5, 6, 7, 8, 9, 10], [1, 0, 1, 1, 1, 0])
    """
    ids, spans, numbers = tokenizer.spans(text)
    within = {place for start, end in _matches(text, words) for place in range(start + 1, end)}
    begins = [
        number is None or number != before
        for number, before in zip(numbers, [None, *numbers], strict=False)
    ]
    kept = [new and start not in within for new, (start, _) in zip(begins, spans, strict=True)]
    return torch.tensor(ids, dtype=torch.int64), torch.tensor(kept, dtype=torch.bool)


def _matches(text: str, words: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield from where to where words stand in a text: from the left, the longest first."""
    known = {word for word in words if len(word) > 1}
    lengths = sorted({len(word) for word in known}, reverse=True)
    place = 0
    while lengths and place < len(text):
        fits = (size for size in lengths if text[place : place + size] in known)
        size = next(fits, 1)
        if size > 1:
            yield place, place + size
        place += size


class WordWindows:
    """Windows of a text in their frames, for ``fit``: tokens, and where words begin.

    ``windows[indices]`` is a pair [row, length]: [CLS], tokens of the text, [SEP]; and True where a
    word begins, which the first token of a window always does.

    Args:
        tokens, begins: of the text, as ``encode_words`` returns them.
        length: of a window, its two marks included.
        tokenizer: whose marks they are.
        stride: how far one window stands from the next; None: side by side. What is left over at
            the end is left out.

    Raises:
        DataError: if the text is shorter than a window, or a number makes no sense.

    >>> tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abc"])
    >>> windows = WordWindows(*encode_words("a b c a b", tokenizer), 4, tokenizer)
    >>> len(windows), windows[torch.tensor([1])][0].tolist()
    (2, [[2, 7, 5, 3]])
    """

    def __init__(
        self,
        tokens: Int64[Tensor, " token"],
        begins: Bool[Tensor, " token"],
        length: int,
        tokenizer: WordPieceTokenizer,
        *,
        stride: int | None = None,
    ) -> None:
        inner = length - 2
        stride = inner if stride is None else stride
        if inner < 1 or stride < 1:
            found = f"length is {length}, stride is {stride}"
            raise DataError(f"{found}; expected a length of 3 or more, and a stride of 1 or more")
        if len(tokens) < inner:
            raise DataError(f"the text has {len(tokens)} tokens; expected {inner}, a window")
        self.tokens, self.begins, self.length, self.stride = tokens, begins, length, stride
        self.start, self.end = tokenizer.start, tokenizer.end

    def __len__(self) -> int:
        return (len(self.tokens) - (self.length - 2)) // self.stride + 1

    def __getitem__(
        self, indices: Int64[Tensor, " row"]
    ) -> tuple[Int64[Tensor, "row seq"], Bool[Tensor, "row seq"]]:
        places = (indices * self.stride)[:, None] + torch.arange(self.length - 2)
        column = torch.ones(len(indices), 1, dtype=torch.int64)
        framed = [self.start * column, self.tokens[places], self.end * column]
        begins = self.begins[places]
        begins[:, 0] = True
        edge = column.bool()
        return torch.cat(framed, dim=1), torch.cat([edge, begins, edge], dim=1)


def hide_words(
    tokens: Int64[Tensor, "batch seq"],
    begins: Bool[Tensor, "batch seq"],
    draws: Draws,
    *,
    ordinary: Bool[Tensor, " token"],
    hidden: int,
    share: int | float = 0.15,
) -> tuple[Int64[Tensor, "batch seq"], Bool[Tensor, "batch seq"]]:
    """Choose whole words that a model shall tell, and hide them.

    Of the chosen words 80 % become the mark, one for each token, 10 % random tokens, 10 % stay as
    they are: decided once for a word, as GAU-α was trained. In every row words are chosen in a
    random order until the share of its ordinary tokens is reached; the last one may exceed it.

    Args:
        tokens: as they are.
        begins: True where a word begins. A mark is a word of its own in any case.
        draws: where the random numbers come from.
        ordinary: for each token of the vocabulary, whether it may be chosen, and put in place of
            others.
        hidden: the number of the mark that hides.
        share: of the ordinary tokens.

    Returns:
        The tokens with some hidden, and True where one was chosen.

    Raises:
        DataError: for a share outside 0 to 1, or a vocabulary without an ordinary token.
        ShapeError: if ``begins`` has another shape than the tokens.

    >>> tokens, ordinary = torch.full((1, 40), 9), torch.arange(30) >= 4
    >>> begins = (torch.arange(40) % 4 == 0)[None]  # words of four tokens
    >>> changed, chosen = hide_words(tokens, begins, Draws(1), ordinary=ordinary, hidden=2)
    >>> chosen.view(10, 4).sum(dim=1).sort().values.tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 4, 4]
    """
    if not 0 < share <= 1:
        raise DataError(f"share is {share}; expected more than 0, and at most 1")
    if begins.shape != tokens.shape:
        found = f"begins has shape {tuple(begins.shape)}"
        raise ShapeError(f"{found}; expected that of the tokens, {tuple(tokens.shape)}")
    candidates = ordinary.nonzero().flatten().to(tokens.device)
    if not len(candidates):
        raise DataError(f"of {len(ordinary)} tokens none is ordinary; expected one at least")
    there = ordinary.to(tokens.device)[tokens]
    after_mark = torch.cat([~there[:, :1], ~there[:, :-1]], dim=1)
    place = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    first = place.where(begins | ~there | after_mark, 0).cummax(dim=1).values  # of its word
    lot = draws.uniform(tokens).gather(1, first).masked_fill(~there, 2)
    rank = lot.argsort(dim=1, stable=True).argsort(dim=1).gather(1, first)  # of its word's first
    wanted = (there.sum(dim=1, keepdim=True) * share).round().long().clamp_min(1)
    chosen = there & (rank < wanted)
    fate = draws.uniform(tokens).gather(1, first)
    other = candidates[(draws.uniform(tokens) * len(candidates)).long()]
    changed = torch.where(fate < 0.8, hidden, torch.where(fate < 0.9, other, tokens))
    return torch.where(chosen, changed, tokens), chosen
