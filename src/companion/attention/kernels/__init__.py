"""Attention on CUDA: the names and signatures of the references. Importing takes Triton."""

from companion.attention.kernels.gau import gau_attention

__all__ = ["gau_attention"]
