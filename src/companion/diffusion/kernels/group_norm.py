"""SiLU of a group norm in one Triton kernel forward and one backward; keeps channels_last."""

# No postponed annotations here: custom_op reads the types.
from functools import cache

import torch
import triton
from jaxtyping import Float
from torch import Tensor

from companion.diffusion.kernels.group_norm_tiles import backward_tiles, forward_tiles
from companion.diffusion.normalization import check_groups
from companion.errors import DataError, ShapeError

__all__ = ["group_norm_silu"]

TILE = 16384  # elements a program holds at once; half of it backward, where it holds two tensors
SECTOR = 32  # bytes that a GPU's memory hands over at once


def group_norm_silu(
    x: Float[Tensor, "batch channel *space"],
    weight: Float[Tensor, " channel"],
    bias: Float[Tensor, " channel"],
    *,
    groups: int,
    eps: float = 1e-5,
) -> Float[Tensor, "batch channel *space"]:
    """Return SiLU of the group norm of x: ``normalization.group_norm_silu`` as one kernel.

    Statistics, sums and the norm itself are float32 for float16, bfloat16 and float32 (float64 for
    float64); the result has the precision and the memory format of x. One pass over the memory
    forward and one backward, no atomic sums: the same digits in every run.

    Args:
        x: on CUDA (on the CPU only with ``TRITON_INTERPRET=1`` set before Triton is imported).
        weight, bias: in any precision; used as they are.
        groups, eps: as in the reference.

    Raises:
        ShapeError: if ``groups`` does not divide the channels, or weight or bias is not [channel].
        DataError: if the tensors are where the kernel cannot run, or on different devices.
    """
    check_groups(x, groups)
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter.shape != x.shape[1:2]:
            expected = f"({x.shape[1]},), one number a channel"
            raise ShapeError(f"{name} has shape {tuple(parameter.shape)}; expected {expected}")
        if parameter.device != x.device:
            raise DataError(
                f"x is on {x.device}, {name} on {parameter.device}; expected one device"
            )
    if x.device.type != "cuda" and isinstance(forward_tiles, triton.JITFunction):
        raise DataError(f"x is on {x.device}; the Triton kernel runs on CUDA, the reference here")
    if torch.compiler.is_compiling():
        return _forward_op(x, weight, bias, groups, eps)[0]
    if torch.is_grad_enabled() and any(v.requires_grad for v in (x, weight, bias)):
        return _GroupNormSiLU.apply(x, weight, bias, groups, eps)
    return _forward(x, weight, bias, groups, eps)[0]


def _forward(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the result, and mean and 1/deviation [batch, group] for the way back."""
    x = _dense(x)
    y, mean, deviation = _empty(x, groups)
    if x.numel():
        layout = _layout(x)
        grid, sizes = _plan(len(x), layout, x.element_size(), groups, TILE)
        with _on(x):
            forward_tiles[grid](x, weight, bias, y, mean, deviation, *layout[1:], eps, **sizes)
    return y, mean, deviation


def _backward(
    dy: Tensor, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, deviation: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradient of x, and of weight and bias for each sample, [batch, channel]."""
    x = _dense(x)
    dy = dy.contiguous(memory_format=_format(x))
    dx = torch.empty_like(x)
    create = mean.new_empty if x.numel() else mean.new_zeros
    dweight, dbias = create(x.shape[:2]), create(x.shape[:2])
    if x.numel():
        layout = _layout(x)
        grid, sizes = _plan(len(x), layout, x.element_size(), mean.shape[1], TILE // 2)
        tensors = (dy, x, weight, bias, mean, deviation, dx, dweight, dbias)
        with _on(x):
            backward_tiles[grid](*tensors, *layout[1:], **sizes)
    return dx, dweight, dbias


def _gradients(ctx, backward, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, weight, bias, mean, deviation = ctx.saved_tensors
    dx, dweight, dbias = backward(dy, x, weight, bias, mean, deviation)
    return dx, dweight.sum(0).to(weight.dtype), dbias.sum(0).to(bias.dtype), None, None


class _GroupNormSiLU(torch.autograd.Function):
    """The way through autograd without ``torch.compile``: a quarter of the time of an operator."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        y, mean, deviation = _forward(x, weight, bias, groups, eps)
        ctx.save_for_backward(x, weight, bias, mean, deviation)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *gradients):  # pyright: ignore[reportIncompatibleMethodOverride]
        return _gradients(ctx, _backward, gradients[0])


# For torch.compile: operators it need not look into.
_forward_op = torch.library.custom_op("companion::group_norm_silu", _forward, mutates_args=())
_backward_op = torch.library.custom_op(
    "companion::group_norm_silu_backward", _backward, mutates_args=()
)


@_forward_op.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> tuple[Tensor, ...]:
    return _empty(_dense(x), groups)


@_backward_op.register_fake
def _(
    dy: Tensor, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, deviation: Tensor
) -> tuple[Tensor, ...]:
    sums = (mean.new_empty(x.shape[:2]) for _ in range(2))
    return torch.empty_like(_dense(x)), *sums


def _setup_context(ctx, inputs, output) -> None:
    x, weight, bias, _, _ = inputs
    _, mean, deviation = output
    ctx.mark_non_differentiable(mean, deviation)
    ctx.save_for_backward(x, weight, bias, mean, deviation)


_forward_op.register_autograd(
    lambda ctx, dy, _mean, _deviation: _gradients(ctx, _backward_op, dy),
    setup_context=_setup_context,
)


def _format(x: Tensor) -> torch.memory_format:
    """Return the memory format that x has or, if it has none, is copied to."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    last = formats.get(x.ndim)
    if last is None or x.is_contiguous() or not x.is_contiguous(memory_format=last):
        return torch.contiguous_format
    return last


def _dense(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=_format(x))


def _empty(x: Tensor, groups: int) -> tuple[Tensor, Tensor, Tensor]:
    exact = torch.promote_types(x.dtype, torch.float32)
    mean = x.new_empty(len(x), groups, dtype=exact)
    return torch.empty_like(x), mean, torch.empty_like(mean)


def _layout(x: Tensor) -> tuple[int, int, int, int]:
    """Return channels, positions, and how far apart two channels and two positions are."""
    channels, space = x.shape[1], x[0, 0].numel()
    if _format(x) is torch.contiguous_format:
        return channels, space, space, 1
    return channels, space, 1, channels


@cache
def _plan(
    batch: int, layout: tuple[int, int, int, int], bytes_each: int, groups: int, tile: int
) -> tuple[tuple[int, int], dict[str, int | bool]]:
    """Return the grid, and the sizes of a tile, powers of two that hold at most about ``tile``.

    Where the channels lie side by side a program takes as many groups as fill a sector of memory.
    """
    channels, space, apart, _ = layout
    wide = triton.next_power_of_2(channels // groups)
    filled = SECTOR // bytes_each // wide if apart == 1 else 1
    together = max(1, min(filled, triton.next_power_of_2(groups)))
    positions = min(triton.next_power_of_2(space), max(1, tile // (together * wide)))
    sizes = {"GROUPS": groups, "WIDTH": channels // groups, "GROUP": together}
    sizes |= {"CHANNEL": wide, "SPACE": positions}
    warps = min(16, max(1, together * wide * positions // 512))
    one_tile = {"ONE_TILE": positions >= space, "num_warps": warps}
    return (batch, triton.cdiv(groups, together)), sizes | one_tile


def _on(x: Tensor) -> torch.cuda.device:
    """Make the device of x the current one, where Triton launches; does nothing on the CPU."""
    return torch.cuda.device(x.device if x.is_cuda else -1)
