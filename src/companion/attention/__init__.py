"""The Gated Attention Unit, mixed chunk attention, and the Transformer they are measured against.

Importing this package needs neither a GPU nor Triton.
"""

from companion.attention.backend import fastest
from companion.attention.gau import gau_attention
from companion.attention.mixed_chunk import mixed_chunk_attention
from companion.attention.normalizers import (
    Normalizer,
    relu2,
    self_normalized_relu2,
    softmax,
    softmax_plus,
)
from companion.attention.rotary import rotate
from companion.attention.unit import GatedAttentionUnit

__all__ = [
    "GatedAttentionUnit",
    "Normalizer",
    "fastest",
    "gau_attention",
    "mixed_chunk_attention",
    "relu2",
    "rotate",
    "self_normalized_relu2",
    "softmax",
    "softmax_plus",
]
