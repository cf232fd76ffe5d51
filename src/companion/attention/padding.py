"""Which tokens are there: masks, how many keys count for a query, and what is refused."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from companion.errors import DataError, ShapeError

__all__ = [
    "allowed_keys",
    "check_inputs",
    "check_mask",
    "check_sequence",
    "check_tokens",
    "keys_that_count",
    "without_padding",
]


def allowed_keys(
    seq: int, *, causal: bool, mask: Bool[Tensor, "batch seq"] | None, device: torch.device
) -> Bool[Tensor, "batch_or_1 query_or_1 key"] | None:
    """Return which keys each query may see: True where it may; None if all see all.

    >>> allowed_keys(2, causal=True, mask=None, device=torch.device("cpu"))
    tensor([[[ True, False],
             [ True,  True]]])
    """
    earlier = None
    if causal:
        earlier = torch.ones(1, seq, seq, dtype=torch.bool, device=device).tril()
    if mask is None:
        return earlier
    there = mask[:, None, :]
    return there if earlier is None else there & earlier


def keys_that_count(
    seq: int,
    *,
    causal: bool,
    mask: Bool[Tensor, "batch seq"] | None,
    length: int | float | None,
    like: Tensor,
) -> Float[Tensor, "batch_or_1 query_or_1 1"]:
    """Return how many keys count for each query, at least 1.

    The true tokens of the sequence; causal: those up to and including the query. A fixed ``length``
    overrides both. On the device of ``like``, in its precision, but float32 at least: float16 and
    bfloat16 cannot count that far.

    >>> keys_that_count(3, causal=True, mask=None, length=None, like=torch.ones(1)).flatten()
    tensor([1., 2., 3.])
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    if length is not None:
        return torch.full((1, 1, 1), float(length), dtype=dtype, device=like.device)
    there = torch.ones(1, seq, dtype=torch.bool, device=like.device) if mask is None else mask
    count = there.cumsum(dim=1) if causal else there.sum(dim=1, keepdim=True)
    return count.clamp_min(1)[:, :, None].to(dtype)


def without_padding(
    *tensors: Float[Tensor, "batch seq _"], mask: Bool[Tensor, "batch seq"] | None
) -> tuple[Tensor, ...]:
    """Return the tensors with zeros where there is no token, whatever stood there.

    >>> without_padding(torch.tensor([[[1.0], [torch.nan]]]), mask=torch.tensor([[True, False]]))
    (tensor([[[1.],
             [0.]]]),)
    """
    if mask is None:
        return tensors
    padded = ~mask[:, :, None]
    return tuple(tensor.masked_fill(padded, 0) for tensor in tensors)


def check_mask(mask: Tensor | None, batch: int, seq: int) -> None:
    """Refuse a mask that is not Boolean [batch, seq].

    Raises:
        DataError: for another type: a mask of numbers may mean either of two opposite things.
        ShapeError: for another shape.
    """
    if mask is None:
        return
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        found = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise DataError(f"mask is {found}; expected torch.bool, True where there is a token")
    if mask.shape != (batch, seq):
        expected = f"[batch, seq] = {(batch, seq)}"
        raise ShapeError(f"mask has shape {tuple(mask.shape)}; expected {expected}")


def check_inputs(
    queries_and_keys: dict[str, Tensor], v: Tensor, mask: Tensor | None
) -> tuple[int, int, int]:
    """Return batch, seq and key size, or refuse tensors that do not fit together.

    Args:
        queries_and_keys: by name, all [batch, seq, key].
        v: [batch, seq, value].
        mask: Boolean [batch, seq], or None.

    Raises:
        ShapeError, DataError: naming the tensor.
    """
    first, q = next(iter(queries_and_keys.items()))
    for name, tensor in (queries_and_keys | {"v": v}).items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            found = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise DataError(f"{name} is {found}; expected a tensor of floats")
        if tensor.ndim != 3:
            raise ShapeError(
                f"{name} has shape {tuple(tensor.shape)}; expected [batch, seq, width]"
            )
        if tensor.dtype != q.dtype or tensor.device != q.device:
            found = f"{name} is {tensor.dtype} on {tensor.device}"
            raise DataError(f"{found}, {first} is {q.dtype} on {q.device}; expected the same")
        fits = tensor.shape[:2] == q.shape[:2] if name == "v" else tensor.shape == q.shape
        if not fits:
            found = f"{name} has shape {tuple(tensor.shape)}, {first} {tuple(q.shape)}"
            raise ShapeError(f"{found}; expected the same batch, seq and, except for v, width")
    batch, seq, width = q.shape
    if width == 0:
        raise ShapeError(f"{first} has shape {tuple(q.shape)}; expected at least one number each")
    check_mask(mask, batch, seq)
    return batch, seq, width


def check_sequence(x: Tensor, dim: int, mask: Tensor | None) -> None:
    """Refuse what is not [batch, seq, dim], or a mask that does not fit.

    Raises:
        ShapeError, DataError: saying what was found.
    """
    if x.ndim != 3 or x.shape[2] != dim:
        expected = f"[batch, seq, {dim}]"
        raise ShapeError(f"x has shape {tuple(x.shape)}; expected {expected}")
    check_mask(mask, *x.shape[:2])


def check_tokens(
    tokens: Tensor, vocabulary: int, mask: Tensor | None, *, name: str = "tokens"
) -> None:
    """Refuse what is not [batch, seq] whole numbers below ``vocabulary``, or another mask.

    The range is looked at on the CPU alone: on a GPU that would wait for the numbers.

    Raises:
        ShapeError, DataError: saying what was found, and where.
    """
    if not isinstance(tokens, Tensor) or tokens.dtype != torch.int64:
        found = tokens.dtype if isinstance(tokens, Tensor) else type(tokens).__name__
        raise DataError(f"{name} are {found}; expected a tensor of torch.int64")
    if tokens.ndim != 2:
        raise ShapeError(f"{name} have shape {tuple(tokens.shape)}; expected [batch, seq]")
    check_mask(mask, *tokens.shape)
    if tokens.device.type != "cpu" or torch.compiler.is_compiling():
        return
    wrong = ((tokens < 0) | (tokens >= vocabulary)).nonzero()
    if len(wrong):
        row, column = wrong[0].tolist()
        found = f"{name}[{row}, {column}] is {int(tokens[row, column])}"
        raise DataError(f"{found}; expected 0 to {vocabulary - 1}")
