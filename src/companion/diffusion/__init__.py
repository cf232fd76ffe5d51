"""Diffusion models: tear data down to noise step by step, and learn to build it up again.

Importing this package needs neither a GPU nor Triton.
"""

__all__: list[str] = []
