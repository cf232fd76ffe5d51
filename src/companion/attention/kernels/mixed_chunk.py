"""Mixed chunk attention: one Triton kernel for the states, one for the chunks."""

# No postponed annotations here: custom_op reads the types.
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from companion.attention.kernels.chunks import chunk_backward, chunk_forward
from companion.attention.kernels.gau import check_device, in_autocast
from companion.attention.mixed_chunk import check_chunk, packed, unpacked
from companion.attention.mixed_chunk import mixed_chunk_attention as reference
from companion.attention.padding import check_inputs

__all__ = ["mixed_chunk_attention"]


def mixed_chunk_attention(
    q_quad: Float[Tensor, "batch seq key"],
    k_quad: Float[Tensor, "batch seq key"],
    q_lin: Float[Tensor, "batch seq key"],
    k_lin: Float[Tensor, "batch seq key"],
    v: Float[Tensor, "batch seq value"],
    *,
    chunk: int = 256,
    causal: bool = False,
    mask: Bool[Tensor, "batch seq"] | None = None,
) -> Float[Tensor, "batch seq value"]:
    """Mix the values: ``companion.attention.mixed_chunk_attention`` in two kernels.

    One adds up the states of the earlier chunks, in float32; one computes the weights within a
    chunk once and mixes from both sources, so that nothing but states and result is written. The
    way back computes states and weights again. Longer chunks and keys than a program holds, and
    float32, take the blocks of ``kernels.gau_attention``; float64 takes the reference.

    Args:
        q_quad, k_quad, q_lin, k_lin, v, chunk, causal, mask: as in the reference. On CUDA (on the
            CPU only with ``TRITON_INTERPRET=1`` set before Triton is imported).

    Raises:
        ShapeError: if the tensors do not fit together.
        DataError: as the reference, and if the tensors are where the kernel cannot run.
    """
    named = {"q_quad": q_quad, "k_quad": k_quad, "q_lin": q_lin, "k_lin": k_lin}
    batch, n, s = check_inputs(named, v, mask)
    check_chunk(chunk)
    if n == 0 or batch == 0:
        return v.clone()
    if v.dtype == torch.float64:
        options = {"chunk": chunk, "causal": causal, "mask": mask}
        return reference(q_quad, k_quad, q_lin, k_lin, v, **options)
    check_device(q_quad)
    cast = in_autocast(q_quad, k_quad, q_lin, k_lin, v)
    tensors, order, tokens = packed(list(cast), mask)
    qq, kq, ql, kl, v = tensors
    qq = qq * s**-0.5  # before the product: float16 does not hold larger scores
    share = torch.full((1,), 1 / n, device=v.device)
    if tokens is not None:
        share = tokens.clamp_min(1).float().reciprocal()
    if torch.compiler.is_compiling():
        mixed = _forward_op(qq, kq, ql, kl, v, share, chunk, causal)
    elif torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        mixed = _Attention.apply(qq, kq, ql, kl, v, share, chunk, causal)
    else:
        mixed = chunk_forward(qq, kq, ql, kl, v, share, chunk, causal)
    return unpacked(mixed, order, mask)


class _Attention(torch.autograd.Function):
    """The way through autograd without ``torch.compile``: cheaper to call than an operator."""

    @staticmethod
    def forward(ctx, *inputs) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        _keep(ctx, inputs, None)
        return chunk_forward(*inputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *gradients):  # pyright: ignore[reportIncompatibleMethodOverride]
        qq, kq, ql, kl, v, share = ctx.saved_tensors
        chunk, causal = ctx.settings
        found = chunk_backward(gradients[0], qq, kq, ql, kl, v, share, chunk, causal)
        return *found, None, None, None


def _keep(ctx, inputs, output) -> None:
    *tensors, chunk, causal = inputs
    ctx.settings = chunk, causal
    ctx.save_for_backward(*tensors)


# For torch.compile: operators it need not look into.
_forward_op = torch.library.custom_op(
    "companion::mixed_chunk_attention", chunk_forward, mutates_args=()
)
_backward_op = torch.library.custom_op(
    "companion::mixed_chunk_attention_backward", chunk_backward, mutates_args=()
)


@_forward_op.register_fake
def _(qq, kq, ql, kl, v, share, chunk, causal) -> Tensor:
    return v.new_empty(v.shape)


@_backward_op.register_fake
def _(dmixed, qq, kq, ql, kl, v, share, chunk, causal) -> tuple[Tensor, ...]:
    return tuple(tensor.new_empty(tensor.shape) for tensor in (qq, kq, ql, kl, v))


_forward_op.register_autograd(
    lambda ctx, do: (*_backward_op(do, *ctx.saved_tensors, *ctx.settings), None, None, None),
    setup_context=_keep,
)
