"""The blocks of the U-Net: residual block, self-attention, embedding of time, half and double."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from companion.diffusion.normalization import group_norm_silu

__all__ = ["Attention", "Block", "Doubling", "embed_time"]

Normalize = Callable[..., Tensor]  # (x, weight, bias, *, groups, eps), as ``group_norm_silu``
EPSILON = 1e-6  # of the group norms, as in the code of Ho et al.


def embed_time(
    t: Int64[Tensor, " batch"], width: int, dtype: torch.dtype
) -> Float[Tensor, "batch width"]:
    r"""Return sines, then cosines, of t at width/2 frequencies from 1 down to 1/10000.

    :math:`\sin \omega_i t, \cos \omega_i t` with
    :math:`\omega_i = 10^{-4 i / (\mathrm{width}/2 - 1)}` (Vaswani et al. 2017, section 3.5, as
    laid out by Ho et al. 2020). The angles are float32 at least, whatever ``dtype`` is returned.

    >>> embed_time(torch.tensor([0]), 4, torch.float32)
    tensor([[0., 0., 1., 1.]])
    """
    exact = torch.promote_types(dtype, torch.float32)
    steps = torch.arange(width // 2, device=t.device, dtype=exact)
    frequencies = torch.exp(steps * (-math.log(10_000) / max(width // 2 - 1, 1)))
    angles = t.to(exact)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1).to(dtype)


class Block(nn.Module):
    """Residual block: (norm, SiLU, convolution) twice, the time added between them.

    The second convolution starts at zero, so the block starts as its shortcut: the identity, or a
    1×1 convolution where the width changes. With ``attention``, pixels then attend to each other.
    """

    def __init__(
        self,
        inner: int,
        outer: int,
        *,
        groups: int,
        dropout: float = 0.0,
        attention: bool = False,
        normalize: Normalize = group_norm_silu,
    ) -> None:
        super().__init__()
        self.groups, self.dropout, self.normalize = groups, dropout, normalize
        self.norm1 = nn.GroupNorm(groups, inner, eps=EPSILON)
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, outer, eps=EPSILON)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1)
        self.shortcut = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()
        self.attention = Attention(outer, groups=groups) if attention else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "batch inner height width"],
        shift: Float[Tensor, "#batch outer"],
    ) -> Float[Tensor, "batch outer height width"]:
        """Return x (or its 1×1 convolution) plus what the block adds.

        ``shift`` holds the time of each picture, or one row that is the time of all of them.
        """
        h = self._convolve(self._norm_silu(x, self.norm1), shift)
        h = self._norm_silu(h, self.norm2)
        if self.dropout:
            h = functional.dropout(h, self.dropout, self.training)
        return self.attention(self.conv2(h).add_(self.shortcut(x)))

    def _convolve(self, h: Tensor, shift: Tensor) -> Tensor:
        """Return the first convolution plus the shift, which takes the bias along."""
        weight, bias = self.conv1.weight, self.conv1.bias
        assert bias is not None
        shift = shift + bias
        if len(shift) == 1:  # a bias, as it is the same for all pictures
            return functional.conv2d(h, weight, shift[0], padding=1)
        return functional.conv2d(h, weight, padding=1).add_(shift[:, :, None, None])

    def _norm_silu(self, x: Tensor, norm: nn.GroupNorm) -> Tensor:
        return self.normalize(x, norm.weight, norm.bias, groups=self.groups, eps=norm.eps)


class Attention(nn.Module):
    """Self-attention of one head over all pixels, added to its input.

    softmax(QKᵀ/√c)V of the normed pixels (Vaswani et al. 2017); the last layer starts at zero.
    """

    def __init__(self, width: int, *, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=EPSILON)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Let every pixel gather from every other."""
        pixels = rearrange(
            self.norm(x), "batch channel height width -> batch (height width) channel"
        )
        q, k, v = self.qkv(pixels).unsqueeze(1).chunk(3, dim=-1)  # one head
        mixed = self.project(functional.scaled_dot_product_attention(q, k, v).squeeze(1))
        height = x.shape[2]
        shape = "batch (height width) channel -> batch channel height width"
        return x + rearrange(mixed, shape, height=height)


class Doubling(nn.Module):
    """Twice the height and width: each pixel becomes 2×2 equal ones, then a 3×3 convolution.

    Computed in one go: a transposed convolution of stride 2, with the 3×3 kernel spread over 2×2
    pixels. That takes 16 products for each pixel of the input in place of 36.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height2 width2"]:
        """Return [batch, channel, 2 height, 2 width]."""
        w = self.conv.weight.transpose(0, 1).flip(2, 3)  # the order of a transposed convolution
        w = functional.pad(w, (0, 1)) + functional.pad(w, (1, 0))
        w = functional.pad(w, (0, 0, 0, 1)) + functional.pad(w, (0, 0, 1, 0))
        return functional.conv_transpose2d(x, w, self.conv.bias, stride=2, padding=1)
