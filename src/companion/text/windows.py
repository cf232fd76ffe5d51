"""Windows of a long text, for training, and hidden tokens in them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from companion.errors import DataError, ShapeError
from companion.training import Draws

__all__ = ["Windows", "hide_tokens", "split_tokens"]


def split_tokens(
    tokens: Sequence[int] | Int64[Tensor, " token"], *, held_out: int | float = 0.1
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " validation"]]:
    """Return the first part of a text to learn from, and its end to judge by.

    Args:
        tokens: of the whole text.
        held_out: the share of the second part; each has one token at least.

    Raises:
        DataError: for a share outside 0 to 1, or fewer than 2 tokens.

    >>> [part.tolist() for part in split_tokens([5, 6, 7, 8], held_out=0.25)]
    [[5, 6, 7], [8]]
    """
    if not 0 < held_out < 1:
        raise DataError(f"held_out is {held_out}; expected a number between 0 and 1")
    tokens = torch.as_tensor(tokens, dtype=torch.int64)
    if len(tokens) < 2:
        raise DataError(f"a text of {len(tokens)} tokens; expected 2 at least")
    last = min(max(round(len(tokens) * held_out), 1), len(tokens) - 1)
    return tokens[:-last], tokens[-last:]


class Windows:
    """Windows of a text, as data for ``companion.training.fit``: ``windows[indices]`` is a batch.

    Args:
        tokens: of the text.
        length: tokens in a window.
        stride: how far one window stands from the next. None: ``length``, side by side; what is
            left over at the end is left out.

    Raises:
        DataError: if the text is shorter than a window, or a number makes no sense.

    >>> windows = Windows(torch.arange(8), 3, stride=2)
    >>> len(windows), windows[torch.tensor([0, 2])].tolist()
    (3, [[0, 1, 2], [4, 5, 6]])
    """

    def __init__(
        self, tokens: Int64[Tensor, " token"], length: int, *, stride: int | None = None
    ) -> None:
        stride = length if stride is None else stride
        if length < 1 or stride < 1:
            raise DataError(f"length is {length}, stride is {stride}; expected at least 1")
        if len(tokens) < length:
            raise DataError(f"the text has {len(tokens)} tokens; expected {length}, a window")
        self.tokens, self.length, self.stride = tokens, length, stride

    def __len__(self) -> int:
        return (len(self.tokens) - self.length) // self.stride + 1

    def __getitem__(self, indices: Int64[Tensor, " row"]) -> Int64[Tensor, "row seq"]:
        starts = indices * self.stride
        return self.tokens[starts[:, None] + torch.arange(self.length)]


def hide_tokens(
    tokens: Int64[Tensor, "batch seq"],
    draws: Draws,
    *,
    vocabulary: int,
    hidden: int = 2,
    special: int = 4,
    share: int | float = 0.15,
    mask: Bool[Tensor, "batch seq"] | None = None,
) -> tuple[Int64[Tensor, "batch seq"], Bool[Tensor, "batch seq"]]:
    """Choose tokens that a model shall tell, and hide them.

    Devlin et al., *BERT*, 2018, section 3.1: of the chosen, 80 % become the mark, 10 % a random
    token, 10 % stay as they are. In every row the same share is chosen, to the next whole number,
    1 at least: the mean over a batch is the mean over its parts.

    Args:
        tokens: as they are.
        draws: where the random numbers come from.
        vocabulary: how many tokens there are.
        hidden: the number of the mark.
        special: tokens below are neither chosen nor put in place of others.
        share: how many are chosen.
        mask: True where there is a token; of each row's, the share is chosen.

    Returns:
        The tokens with some hidden, and True where one was chosen.

    Raises:
        DataError: for a share outside 0 to 1, a vocabulary of special tokens alone, or a mask that
            is not Boolean.
        ShapeError: if the mask has another shape.

    >>> tokens = torch.full((2, 40), 9)
    >>> changed, chosen = hide_tokens(tokens, Draws(2), vocabulary=30)
    >>> chosen.sum(dim=1).tolist(), bool((changed[~chosen] == 9).all())
    ([6, 6], True)
    """
    if not 0 < share <= 1:
        raise DataError(f"share is {share}; expected more than 0, and at most 1")
    if vocabulary <= special:
        raise DataError(f"vocabulary is {vocabulary}, {special} special; expected more")
    if mask is not None and mask.dtype != torch.bool:
        raise DataError(f"mask is {mask.dtype}; expected torch.bool, True where there is a token")
    if mask is not None and mask.shape != tokens.shape:
        found = f"mask has shape {tuple(mask.shape)}"
        raise ShapeError(f"{found}; expected {tuple(tokens.shape)}")
    there = tokens >= special if mask is None else mask & (tokens >= special)
    wanted = (there.sum(dim=1, keepdim=True) * share).round().long().clamp_min(1)
    rank = draws.uniform(tokens).masked_fill(~there, 2).argsort(dim=1).argsort(dim=1)
    chosen = there & (rank < wanted)
    fate = draws.uniform(tokens)
    other = special + (draws.uniform(tokens) * (vocabulary - special)).long()
    changed = torch.where(fate < 0.8, hidden, torch.where(fate < 0.9, other, tokens))
    return torch.where(chosen, changed, tokens), chosen
