"""Scores for all spans of a sentence at once: GlobalPointer, and its economical version."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from companion.attention import rotate
from companion.errors import DataError, ShapeError

__all__ = ["MASKED", "EfficientGlobalPointer", "GlobalPointer", "keep_spans"]

MASKED = -1e12  # the score of what is no span: finite, so that no difference of scores is NaN


class GlobalPointer(nn.Module):
    r"""A score for every span [i … j] and every label α, ``eq-events-score``.

    .. math:: s_\alpha(i, j) = (R_i q_{i,\alpha})^\top (R_j k_{j,\alpha}) / \sqrt d

    with :math:`q_{i,\alpha} = W_{q,\alpha} h_i + b_{q,\alpha}`, keys alike, and the rotations
    :math:`R_i` of ``companion.attention.rotate`` (Su et al., *Global Pointer*, 2022, equations 1
    and 2; the root is in the authors' code, not in the formula). It costs 2 D d numbers for each
    label, D being the width of h.

    Args:
        hidden: D, numbers for each token.
        labels: how many kinds of span there are.
        key_dim: d, the width of queries and keys.
        rope: whether they are turned by their position; without, the length of a span is unseen.
        upper: whether only i ≤ j is a span; the rest then scores ``MASKED``.

    Raises:
        DataError: for sizes that make no scorer.

    >>> scorer = GlobalPointer(768, 282)
    >>> sum(p.numel() for p in scorer.parameters())
    27757824
    >>> GlobalPointer(8, 3, key_dim=4)(torch.ones(2, 5, 8)).shape
    torch.Size([2, 3, 5, 5])
    """

    def __init__(
        self, hidden: int, labels: int, *, key_dim: int = 64, rope: bool = True, upper: bool = True
    ) -> None:
        super().__init__()
        _check_sizes(hidden, labels, key_dim, rope=rope)
        self.hidden, self.labels, self.key_dim = hidden, labels, key_dim
        self.rope, self.upper = rope, upper
        self.to_queries_and_keys = nn.Linear(hidden, 2 * labels * key_dim)

    def forward(
        self,
        hidden: Float[Tensor, "batch seq hidden"],
        mask: Bool[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "batch label seq seq"]:
        """Return the scores, in float32 at least.

        Args:
            hidden: D numbers for each token.
            mask: True where there is a token; spans that begin or end elsewhere score ``MASKED``.

        Raises:
            ShapeError: if the shapes do not fit.
            DataError: if the mask is not Boolean.
        """
        _check_input(hidden, self.hidden, mask)
        both = self.to_queries_and_keys(hidden)
        q, k = rearrange(
            both, "batch seq (two label key) -> two batch label seq key", two=2, key=self.key_dim
        )
        if self.rope:
            q, k = rotate(q), rotate(k)
        scores = q @ rearrange(k, "batch label seq key -> batch label key seq")
        return keep_spans(scores * self.key_dim**-0.5, mask, upper=self.upper)


class EfficientGlobalPointer(nn.Module):
    r"""Find spans for all labels together, then say which: ``eq-events-efficient``.

    .. math::
        s_\alpha(i, j) = q_i^\top R_{j-i} k_j / \sqrt d + w_\alpha^\top [q_i; k_i; q_j; k_j]

    Queries and keys are shared by the labels, so one more label costs 4 d numbers and two biases
    in place of 2 D d (Su et al., *Global Pointer*, 2022, section on the efficient version).

    Args:
        hidden, labels, key_dim, rope, upper: as in ``GlobalPointer``.

    Raises:
        DataError: for sizes that make no scorer.

    >>> scorer = EfficientGlobalPointer(768, 282)
    >>> sum(p.numel() for p in scorer.parameters())
    171188
    """

    def __init__(
        self, hidden: int, labels: int, *, key_dim: int = 64, rope: bool = True, upper: bool = True
    ) -> None:
        super().__init__()
        _check_sizes(hidden, labels, key_dim, rope=rope)
        self.hidden, self.labels, self.key_dim = hidden, labels, key_dim
        self.rope, self.upper = rope, upper
        self.to_queries_and_keys = nn.Linear(hidden, 2 * key_dim)
        self.to_labels = nn.Linear(2 * key_dim, 2 * labels)  # as a start, as an end

    def forward(
        self,
        hidden: Float[Tensor, "batch seq hidden"],
        mask: Bool[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "batch label seq seq"]:
        """Return the scores; arguments and errors as in ``GlobalPointer``."""
        _check_input(hidden, self.hidden, mask)
        both = self.to_queries_and_keys(hidden)
        start, end = rearrange(
            self.to_labels(both), "batch seq (two label) -> two batch label seq", two=2
        )
        q, k = both.chunk(2, dim=-1)
        if self.rope:
            q, k = rotate(q), rotate(k)
        shared = q @ rearrange(k, "batch seq key -> batch key seq") * self.key_dim**-0.5
        scores = shared[:, None] + start[:, :, :, None] + end[:, :, None, :]
        return keep_spans(scores, mask, upper=self.upper)


def keep_spans(
    scores: Float[Tensor, "batch label seq seq"],
    mask: Bool[Tensor, "batch seq"] | None,
    *,
    upper: bool,
) -> Float[Tensor, "batch label seq seq"]:
    """Return the scores, in float32 at least, with ``MASKED`` where there is no span.

    Args:
        scores: of all pairs (i, j).
        mask: True where there is a token; both i and j must be one.
        upper: whether i ≤ j is asked for.

    >>> keep_spans(torch.zeros(1, 1, 2, 2), torch.tensor([[True, False]]), upper=True) == MASKED
    tensor([[[[False,  True],
              [ True,  True]]]])
    """
    seq = scores.shape[-1]
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    spans = torch.ones(1, 1, seq, seq, dtype=torch.bool, device=scores.device)
    spans = spans.triu() if upper else spans
    if mask is not None:
        spans = spans & mask[:, None, :, None] & mask[:, None, None, :]
    return scores.masked_fill(~spans, MASKED)


def _check_sizes(hidden: int, labels: int, key_dim: int, *, rope: bool) -> None:
    for name, size in (("hidden", hidden), ("labels", labels), ("key_dim", key_dim)):
        if size < 1:
            raise DataError(f"{name} is {size}; expected at least 1")
    if rope and key_dim % 2:
        raise DataError(f"key_dim is {key_dim}; rotary positions turn pairs: expected it even")


def _check_input(hidden: Tensor, width: int, mask: Tensor | None) -> None:
    if hidden.ndim != 3 or hidden.shape[2] != width:
        found = f"hidden has shape {tuple(hidden.shape)}"
        raise ShapeError(f"{found}; expected [batch, seq, {width}]")
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise DataError(f"mask is {mask.dtype}; expected torch.bool, True where there is a token")
    if mask.shape != hidden.shape[:2]:
        found = f"mask has shape {tuple(mask.shape)}"
        raise ShapeError(f"{found}; expected [batch, seq] = {tuple(hidden.shape[:2])}")
