"""The attention of the Gated Attention Unit: one head, and any rule from scores to weights."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from companion.attention.normalizers import Normalizer, relu2
from companion.attention.padding import (
    allowed_keys,
    check_inputs,
    keys_that_count,
    without_padding,
)
from companion.errors import DataError

__all__ = ["gau_attention"]


def gau_attention(
    q: Float[Tensor, "batch seq key"],
    k: Float[Tensor, "batch seq key"],
    v: Float[Tensor, "batch seq value"],
    *,
    normalize: Normalizer = relu2,
    causal: bool = False,
    mask: Bool[Tensor, "batch seq"] | None = None,
    length: int | float | None = None,
) -> Float[Tensor, "batch seq value"]:
    r"""Mix the values: :math:`AV` with :math:`A = \mathrm{relu}^2(QK^\top/\sqrt s)/n`.

    ``eq-flash-gau`` and ``eq-flash-relu2`` (Hua et al., *Transformer Quality in Linear Time*, 2022,
    section 2, with the normaliser of kexue.fm/archives/8934). n is the number of true tokens of the
    sequence; causal: of those up to and including the query. This is the definition;
    ``kernels.gau_attention`` has the same name and signature.

    Args:
        q, k: s numbers for each token, in any floating precision.
        v: e numbers for each token.
        normalize: from scores to weights: ``relu2``, ``self_normalized_relu2``, ``softmax``,
            ``softmax_plus``, or any ``Normalizer``.
        causal: whether a token sees only itself and what came before.
        mask: True where there is a token. What is padded contributes nothing, and receives zeros.
        length: a fixed n in place of the number of tokens.

    Raises:
        ShapeError: if the tensors do not fit together.
        DataError: if they differ in precision or device, the mask is not Boolean, or ``length`` is
            not positive.

    >>> import torch
    >>> q = k = v = torch.ones(1, 8, 1)
    >>> gau_attention(q, k, v, length=4).flatten()
    tensor([2., 2., 2., 2., 2., 2., 2., 2.])
    """
    _, n, s = check_inputs({"q": q, "k": k}, v, mask)
    check_length(length)
    if n == 0:
        return v.clone()
    q, k, v = without_padding(q, k, v, mask=mask)
    allowed = allowed_keys(n, causal=causal, mask=mask, device=q.device)
    count = keys_that_count(n, causal=causal, mask=mask, length=length, like=q)
    scores = (q * s**-0.5) @ k.mT
    (mixed,) = without_padding(normalize(scores, allowed, count) @ v, mask=mask)
    return mixed


def check_length(length: int | float | None) -> None:
    """Refuse a fixed length that is not positive."""
    if length is not None and not length > 0:
        raise DataError(f"length is {length}; expected a number above 0, or None")
