"""Pictures to learn from: digits, a folder, a tensor; float32 in [−1, 1], NCHW."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from companion.errors import DataError, ShapeError

__all__ = ["Digits", "as_images", "digits"]


class Digits(NamedTuple):
    """Pictures and the digit on each."""

    images: Float[Tensor, "sample 1 8 8"]
    labels: Int64[Tensor, " sample"]


def digits() -> Digits:
    """Return the 1797 handwritten digits of scikit-learn, 1×8×8, and what they show.

    Half of the test set of Alpaydin and Kaynak, *Optical Recognition of Handwritten Digits*, 1998:
    17 shades from −1 (paper) to 1 (ink).

    >>> images, labels = digits()
    >>> images.shape, images.min().item(), images.max().item(), labels[:4].tolist()
    (torch.Size([1797, 1, 8, 8]), -1.0, 1.0, [0, 1, 2, 3])
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(pixels).float().view(-1, 1, 8, 8) / 8 - 1
    return Digits(images, torch.from_numpy(labels).long())


def as_images(images: Tensor) -> Float[Tensor, "batch channel height width"]:
    """Return the user's pictures as float32 in [−1, 1], or say what is wrong with them.

    Args:
        images: [batch, channel, height, width]; floating point in [−1, 1], or uint8, which is
            taken as 0 to 255.

    Raises:
        ShapeError: if it has not four dimensions, or holds nothing.
        DataError: for another kind of numbers, or numbers beyond [−1, 1], or NaN.

    >>> as_images(torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2)).flatten()
    tensor([-1.,  1.])
    """
    if not isinstance(images, Tensor):
        raise DataError(f"images are a {type(images).__name__}, expected a tensor")
    if images.ndim != 4 or not images.numel():
        expected = "[batch, channel, height, width], none of them 0"
        raise ShapeError(f"images have shape {tuple(images.shape)}; expected {expected}")
    if images.dtype == torch.uint8:
        return images.float() / 127.5 - 1
    if not images.is_floating_point():
        expected = "floating point in [−1, 1], or uint8 (0 to 255)"
        raise DataError(f"images are {images.dtype}; expected {expected}")
    wrong = ~images.isfinite()
    if wrong.any():
        at = tuple(wrong.nonzero()[0].tolist())
        raise DataError(f"images[{', '.join(map(str, at))}] is {images[at].item()}")
    low, high = images.min().item(), images.max().item()
    if low < -1 or high > 1:
        how = "images / 127.5 - 1" if high > 2 else "2 * images - 1 takes [0, 1] there"
        raise DataError(f"images lie in [{low:.4g}, {high:.4g}]; expected [−1, 1] ({how})")
    return images.float()
