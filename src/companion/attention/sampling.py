"""Which token comes next: drawn from what a model says of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from companion.errors import DataError, NumericsError

__all__ = ["draw"]


def draw(
    logits: Float[Tensor, "batch token"],
    *,
    temperature: int | float = 1.0,
    top_k: int | None = None,
    without: Sequence[int] = (),
    generator: torch.Generator | None = None,
) -> Int64[Tensor, " batch"]:
    """Return one token for each row, drawn from softmax(logits / temperature).

    Args:
        logits: one score for each token of the vocabulary.
        temperature: 0 takes the likeliest.
        top_k: only that many of the likeliest are drawn from; None or a large number: from all.
        without: tokens that are never drawn.
        generator: where the random numbers come from; torch's own if None.

    Raises:
        DataError: for a temperature below 0, a top_k below 1, or if nothing is left to draw.
        NumericsError: for a score that is NaN or +∞.

    >>> draw(torch.tensor([[0.0, 9.0, 1.0]]), temperature=0, without=[1])
    tensor([2])
    """
    if not 0 <= temperature < float("inf"):
        raise DataError(f"temperature is {temperature}; expected 0 or more, and finite")
    if top_k is not None and top_k < 1:
        raise DataError(f"top_k is {top_k}; expected at least 1, or None")
    scores = logits.to(torch.promote_types(logits.dtype, torch.float32), copy=True)
    if bool((scores.isnan() | scores.isposinf()).any()):
        row, token = (scores.isnan() | scores.isposinf()).nonzero()[0].tolist()
        raise NumericsError(f"logits[{row}, {token}] is {scores[row, token].item()}")
    scores[:, list(without)] = float("-inf")
    best = scores.amax(dim=-1, keepdim=True)
    if bool(best.isneginf().any()):
        raise DataError("no token is left to draw from")
    if temperature == 0:
        return scores.argmax(dim=-1)
    if top_k is not None and top_k < scores.shape[-1]:
        kept = scores.topk(top_k, dim=-1)
        scores = torch.full_like(scores, float("-inf")).scatter(-1, kept.indices, kept.values)
    limits = torch.finfo(scores.dtype)  # what is neither 0 nor infinite there either
    divisor = min(max(temperature, limits.tiny), limits.max)
    chances = ((scores - best) / divisor).softmax(dim=-1)  # the largest is 0: never NaN
    if generator is not None:
        chances = chances.to(generator.device)
    return torch.multinomial(chances, 1, generator=generator)[:, 0].to(logits.device)
