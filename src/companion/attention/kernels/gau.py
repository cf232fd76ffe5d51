"""The quadratic attention in blocks: a Triton kernel for the weights, library products beside."""

# No postponed annotations here: custom_op reads the types.
import torch
import triton
from jaxtyping import Bool, Float
from torch import Tensor

from companion.attention.gau import check_length
from companion.attention.kernels.blocks import score_blocks, streamed
from companion.attention.kernels.gau_tiles import weight_tiles
from companion.attention.normalizers import Normalizer, relu2
from companion.attention.padding import check_inputs, keys_that_count, without_padding
from companion.errors import DataError

__all__ = ["gau_attention", "gau_backward", "gau_forward"]

TILE = 128  # rows and columns of scores that a program computes
TILE_FLOAT32 = 64  # which takes twice the room
DEPTH = 128  # numbers of q and k that it multiplies in one step
ALIGNED = 16  # bytes: rows of scores start at a multiple, as fast products ask


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
    """Mix the values: ``companion.attention.gau_attention`` without n² numbers in memory.

    The scores exist in blocks of some rows (``block_size``); none is kept, the way back computes
    them again. With relu², a Triton kernel makes a block of weights straight from q and k, and
    PyTorch's matrix product mixes the values, which are too wide for the usual fused attention.
    Any other normaliser, and float64, takes plain PyTorch block by block, on any device.

    Weights are computed in float32 and stored in the precision of the inputs. In float32 the
    kernel uses TF32 where PyTorch's own products would. Under autocast the inputs are cast first.

    Args:
        q, k, v, normalize, causal, mask, length: as in the reference. With relu², on CUDA (on the
            CPU only with ``TRITON_INTERPRET=1`` set before Triton is imported).

    Raises:
        ShapeError: if the tensors do not fit together.
        DataError: as the reference, and if the tensors are where the kernel cannot run.
    """
    _, n, s = check_inputs({"q": q, "k": k}, v, mask)
    check_length(length)
    if n == 0:
        return v.clone()
    q, k, v = without_padding(*in_autocast(q, k, v), mask=mask)
    q = q * s**-0.5  # before the product: float16 does not hold larger scores
    if normalize is not relu2 or q.dtype == torch.float64:
        options = {"causal": causal, "mask": mask, "length": length}
        (mixed,) = without_padding(streamed(q, k, v, normalize=normalize, **options), mask=mask)
        return mixed
    check_device(q)
    count = keys_that_count(n, causal=causal, mask=mask, length=length, like=q)
    root = count[:, :, 0].rsqrt()
    if torch.compiler.is_compiling():
        mixed = _forward_op(q, k, v, root, causal)
    elif torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (q, k, v)):
        mixed = _Attention.apply(q, k, v, root, causal)
    else:
        mixed = gau_forward(q, k, v, root, causal)
    (mixed,) = without_padding(mixed, mask=mask)
    return mixed


def in_autocast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return the tensors in the precision that autocast gives to a product of them."""
    kind = tensors[0].device.type
    if not torch.is_autocast_enabled(kind) or tensors[0].dtype == torch.float64:
        return tensors
    return tuple(tensor.to(torch.get_autocast_dtype(kind)) for tensor in tensors)


def check_device(q: Tensor) -> None:
    """Refuse tensors that are where Triton does not run."""
    if q.device.type != "cuda" and not _interpreted():
        raise DataError(f"q is on {q.device}; the Triton kernel runs on CUDA, the reference here")


def on_device(x: Tensor) -> torch.cuda.device:
    """Make the device of x the current one, where Triton launches; does nothing on the CPU."""
    return torch.cuda.device(x.device if x.is_cuda else -1)


def precision(x: Tensor) -> str:
    """Return how Triton is to multiply: exactly, or in TF32 where PyTorch would."""
    if x.dtype == torch.bfloat16 and _interpreted():
        return "widened"
    matmul = torch.backends.cuda.matmul
    if hasattr(matmul, "fp32_precision"):
        fast = matmul.fp32_precision == "tf32"
    else:
        fast = matmul.allow_tf32
    return "tf32" if fast and x.dtype == torch.float32 else "ieee"


def _interpreted() -> bool:
    return not isinstance(weight_tiles, triton.JITFunction)


def gau_forward(q: Tensor, k: Tensor, v: Tensor, root: Tensor, causal: bool) -> Tensor:
    """Mix the values with the weights (relu(q·k) root)²; root [batch or 1, seq or 1]."""
    batch, seq, _ = q.shape
    mixed = v.new_empty(v.shape)
    q, k, v = (dense(tensor) for tensor in (q, k, v))
    for some, rows in score_blocks(batch, seq, causal=causal, bytes_each=q.element_size()):
        keys = slice(0, rows.stop if causal else seq)
        weights = _block(q[some, rows], k[some, keys])
        _launch(q, k, root, weights, None, (some, rows, keys), causal)
        torch.bmm(weights, v[some, keys], out=mixed[some, rows])
    return mixed


def gau_backward(
    dmixed: Tensor, q: Tensor, k: Tensor, v: Tensor, root: Tensor, causal: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of q, k and v.

    Blocks are columns here: those of k and v are then complete after one product each, and only
    the much narrower gradient of q has to be summed over blocks, in float32.
    """
    batch, seq, _ = q.shape
    dmixed, q, k, v = (dense(tensor) for tensor in (dmixed, q, k, v))
    dq = q.new_zeros(q.shape, dtype=torch.promote_types(q.dtype, torch.float32))
    dk, dv = k.new_empty(k.shape), v.new_empty(v.shape)
    for some, keys in score_blocks(batch, seq, causal=causal, bytes_each=q.element_size()):
        rows = slice(keys.start if causal else 0, seq)
        weights, slopes = (_block(q[some, rows], k[some, keys]) for _ in range(2))
        torch.bmm(dmixed[some, rows], v[some, keys].mT, out=slopes)
        _launch(q, k, root, weights, slopes, (some, rows, keys), causal)
        torch.bmm(weights.mT, dmixed[some, rows], out=dv[some, keys])
        torch.bmm(slopes.mT, q[some, rows], out=dk[some, keys])
        dq[some, rows] += torch.bmm(slopes, k[some, keys])
    return dq.to(q.dtype), dk, dv


def dense(x: Tensor) -> Tensor:
    """Return x with the numbers of a token side by side, copied only if they are not."""
    return x if x.stride(2) == 1 and 0 not in x.stride()[:2] else x.contiguous()


def _block(q: Tensor, k: Tensor) -> Tensor:
    """Return memory for the scores of these queries and keys, every row aligned."""
    step = ALIGNED // q.element_size()
    width = -(-k.shape[1] // step) * step
    return q.new_empty(len(q), q.shape[1], width)[:, :, : k.shape[1]]


def _launch(
    q: Tensor,
    k: Tensor,
    root: Tensor,
    weights: Tensor,
    slopes: Tensor | None,
    where: tuple[slice, slice, slice],
    causal: bool,
) -> None:
    """Fill a block of weights, of these sequences, rows and keys, and of slopes if there are."""
    some, rows, keys = where
    root = root.expand(q.shape[:2])[some, rows]
    q, k = q[some, rows], k[some, keys]
    sequences, height, width = weights.shape
    sizes = tile_sizes(height, width, q.shape[2], q.element_size())
    grid = (triton.cdiv(width, sizes["COLUMNS"]), triton.cdiv(height, sizes["ROWS"]), sequences)
    strides = (*q.stride()[:2], *k.stride()[:2], *root.stride(), *weights.stride()[:2])
    tensors = (q, k, root, weights, weights if slopes is None else slopes)
    numbers = (height, width, rows.start - keys.start, *strides)
    flags = {"CAUSAL": causal, "BACKWARD": slopes is not None, "PRECISION": precision(q)}
    with on_device(q):
        weight_tiles[grid](*tensors, *numbers, **sizes, **flags)


def tile_sizes(height: int, width: int, key: int, bytes_each: int) -> dict[str, int]:
    """Return the sizes of a tile of scores: powers of two, at least 16 as products ask.

    >>> tile_sizes(2048, 2048, 128, 2)
    {'KEY': 128, 'DEPTH': 128, 'ROWS': 128, 'COLUMNS': 128, 'num_warps': 8}
    """
    most = TILE if bytes_each == 2 else TILE_FLOAT32
    rows, columns = (min(most, max(16, triton.next_power_of_2(size))) for size in (height, width))
    depth = min(DEPTH * 2 // bytes_each, max(16, triton.next_power_of_2(key)))
    warps = 8 if rows * columns >= 128 * 128 else 4
    return {"KEY": key, "DEPTH": depth, "ROWS": rows, "COLUMNS": columns, "num_warps": warps}


class _Attention(torch.autograd.Function):
    """The way through autograd without ``torch.compile``: cheaper to call than an operator."""

    @staticmethod
    def forward(ctx, *inputs) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        _keep(ctx, inputs, None)
        return gau_forward(*inputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *gradients):  # pyright: ignore[reportIncompatibleMethodOverride]
        q, k, v, root = ctx.saved_tensors
        return *gau_backward(gradients[0], q, k, v, root, ctx.causal), None, None


def _keep(ctx, inputs, output) -> None:
    *tensors, ctx.causal = inputs
    ctx.save_for_backward(*tensors)


# For torch.compile: operators it need not look into.
_forward_op = torch.library.custom_op("companion::gau_attention", gau_forward, mutates_args=())
_backward_op = torch.library.custom_op(
    "companion::gau_attention_backward", gau_backward, mutates_args=()
)


@_forward_op.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, root: Tensor, causal: bool) -> Tensor:
    return v.new_empty(v.shape)


@_backward_op.register_fake
def _(
    dmixed: Tensor, q: Tensor, k: Tensor, v: Tensor, root: Tensor, causal: bool
) -> tuple[Tensor, Tensor, Tensor]:
    dq, dk, dv = (tensor.new_empty(tensor.shape) for tensor in (q, k, v))
    return dq, dk, dv


_forward_op.register_autograd(
    lambda ctx, dmixed: (*_backward_op(dmixed, *ctx.saved_tensors, ctx.causal), None, None),
    setup_context=_keep,
)
