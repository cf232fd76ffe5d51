"""The loss of several right answers among many: from a dense target, or from a few indices."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from companion.errors import DataError, ShapeError

__all__ = ["multilabel_cross_entropy", "sparse_multilabel_cross_entropy"]


def multilabel_cross_entropy(
    scores: Float[Tensor, "*batch candidate"], targets: Bool[Tensor, "*batch candidate"]
) -> Float[Tensor, "*batch"]:
    r"""Push right candidates above 0 and all others below, ``eq-events-loss``.

    .. math:: \log\Big(1 + \sum_{i \in P} e^{-s_i}\Big) + \log\Big(1 + \sum_{i \in N} e^{s_i}\Big)

    P are the right candidates, N the others (Su et al., *ZLPR*, 2022, equation 7). Candidates lie
    on the last axis: flatten the two axes of spans before.

    Args:
        scores: s; with 0 as the threshold between yes and no.
        targets: True where a candidate is right.

    Raises:
        ShapeError: if they differ in shape.
        DataError: if targets are not Boolean.

    >>> scores = torch.tensor([[2.0, -2.0, -2.0]])
    >>> multilabel_cross_entropy(scores, scores > 0)  # log(1 + e^-2) + log(1 + 2 e^-2)
    tensor([0.3665])
    """
    if scores.shape != targets.shape:
        found = f"scores have shape {tuple(scores.shape)}, targets {tuple(targets.shape)}"
        raise ShapeError(f"{found}; expected the same")
    if targets.dtype != torch.bool:
        raise DataError(f"targets are {targets.dtype}; expected torch.bool")
    out = torch.finfo(scores.dtype).min  # finite: minus infinity would make NaN of a gradient
    right = (-scores).masked_fill(~targets, out)
    wrong = scores.masked_fill(targets, out)
    return _log_one_plus_sum(right) + _log_one_plus_sum(wrong)


def sparse_multilabel_cross_entropy(
    scores: Float[Tensor, "*batch candidate"],
    positives: Int64[Tensor, "*batch positive"],
    *,
    padding: int = -1,
) -> Float[Tensor, "*batch"]:
    r"""Return what ``multilabel_cross_entropy`` returns, from the indices of the right candidates.

    No dense target is built. The published way takes the sum over N as the difference of two,
    :math:`a + \log(1 - e^{b - a})` (``published_sparse_loss``), and loses it by cancellation when
    the right candidates score high. Here the right ones are taken out of the scores, and what is
    left is summed, ``eq-events-sparse``.

    Args:
        scores: s, a number for each candidate.
        positives: indices into the last axis of the scores; one that stands there twice counts
            once, and rows may be filled up with ``padding``.
        padding: the number that means no candidate; outside the indices by default, so that the
            first candidate can be right.

    Raises:
        ShapeError: if the axes before the last differ.
        DataError: for an index that is none; looked at on the CPU alone.

    >>> scores = torch.tensor([[2.0, -2.0, -2.0]])
    >>> sparse_multilabel_cross_entropy(scores, torch.tensor([[0, -1]]))
    tensor([0.3665])
    """
    _check_indices(scores, positives, padding)
    if positives.shape[-1] == 0:
        positives = positives.new_full((*positives.shape[:-1], 1), padding)
    chosen, empty = _distinct(positives, padding)
    out = torch.finfo(scores.dtype).min
    right = (-scores.gather(-1, chosen)).masked_fill(empty, out)
    wrong = scores.scatter(-1, chosen, out)
    # where nothing is right, candidate 0 was taken out in place of it: it comes back
    first = scores[..., :1].masked_fill(~empty.all(dim=-1, keepdim=True), out)
    return _log_one_plus_sum(right) + _log_one_plus_sum(wrong, first)


def _log_one_plus_sum(*exponents: Float[Tensor, "*batch _"]) -> Float[Tensor, "*batch"]:
    """log(1 + Σ eˣ), without a copy of the exponents that has a zero more."""
    total = torch.zeros_like(exponents[0][..., 0])
    for part in exponents:
        total = torch.logaddexp(total, _log_sum(part))
    return total


def _log_sum(exponents: Float[Tensor, "*batch term"]) -> Float[Tensor, "*batch"]:
    """log Σ eˣ by powers of 2: on a CPU, e to a masked score takes ten times as long as 2 to it."""
    largest = exponents.detach().amax(dim=-1, keepdim=True)
    powers = (exponents - largest).mul_(1 / math.log(2)).exp2_()  # in place: room for one copy
    return powers.sum(dim=-1).log() + largest[..., 0]


def _distinct(
    positives: Int64[Tensor, "*batch positive"], padding: int
) -> tuple[Int64[Tensor, "*batch positive"], Bool[Tensor, "*batch positive"]]:
    """Sorted indices, and True where one is padding or a repetition.

    In place of padding stands another index of the row, or 0 where there is none: writing there
    once more changes nothing.
    """
    real = positives.masked_fill(positives == padding, -1)
    ordered = real.sort(dim=-1).values
    empty = ordered < 0
    empty[..., 1:] |= ordered[..., 1:] == ordered[..., :-1]
    largest = ordered[..., -1:].clamp_min(0)
    return torch.where(ordered < 0, largest, ordered), empty


def _check_indices(scores: Tensor, positives: Tensor, padding: int) -> None:
    if scores.ndim != positives.ndim or scores.shape[:-1] != positives.shape[:-1]:
        found = f"scores have shape {tuple(scores.shape)}, positives {tuple(positives.shape)}"
        raise ShapeError(f"{found}; expected the same but for the last axis")
    if scores.shape[-1] == 0:
        raise ShapeError("scores have no candidates on the last axis; expected at least one")
    if positives.device.type != "cpu" or torch.compiler.is_compiling():
        return
    size = scores.shape[-1]
    wrong = ((positives != padding) & ((positives < 0) | (positives >= size))).nonzero()
    if len(wrong):
        at = wrong[0].tolist()
        found = f"positives{at} is {int(positives[tuple(at)])}"
        raise DataError(f"{found}; expected 0 to {size - 1}, or {padding} for none")
