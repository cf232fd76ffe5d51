"""The images of this room's experiments: scikit-learn's 1,797 handwritten digits, 8 × 8."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["load_images"]


def load_images() -> tuple[Float[Tensor, "image 64"], Int[Tensor, " image"]]:
    """Return the images, pixels in [0, 1] and float64, and the digits they show.

    They come with scikit-learn: nothing is downloaded.

    >>> images, labels = load_images()
    >>> tuple(images.shape), int(labels.max())
    ((1797, 64), 9)
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return torch.from_numpy(pixels / 16), torch.from_numpy(labels).long()
