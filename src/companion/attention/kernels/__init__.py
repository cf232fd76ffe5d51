"""Attention on CUDA: the names and signatures of the references. Importing takes Triton."""

from companion.attention.kernels.gau import gau_attention
from companion.attention.kernels.mixed_chunk import mixed_chunk_attention

__all__ = ["gau_attention", "mixed_chunk_attention"]
