"""Which images a run learns from, and which it is judged by."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from companion.diffusion.cifar import cifar10
from companion.diffusion.config import DataConfig
from companion.diffusion.images import Pictures, as_images, digits, image_folder
from companion.errors import DataError, ShapeError

__all__ = ["check_images", "held_out_images", "training_images"]

MOST = 1000  # held-out images: enough for three digits of a loss


def training_images(config: DataConfig) -> Tensor | Pictures:
    """Return the images that `config` names: of scikit-learn's digits those of even index.

    Raises:
        DataError: if they are missing, or cannot be read.

    >>> len(training_images(DataConfig()))
    899
    """
    if config.source == "digits":
        return digits().images[::2]
    if config.source == "own":
        raise DataError("data.source is 'own'; expected train_diffusion(config, data=images)")
    if config.path is None:
        raise DataError(f"data.path is not set; expected the place of the images, {config.source}")
    return _read(config, Path(config.path), train=True)


def held_out_images(
    config: DataConfig, path: Path | str | None = None
) -> Float[Tensor, "image channel height width"]:
    """Return up to 1000 images to judge a run by: of the digits those of odd index.

    Args:
        config: of the run.
        path: a folder of images that were not trained on; CIFAR-10's files, whose test images
            are taken; nothing for digits.

    Raises:
        DataError: without a path where one is needed, or with one where none is.

    >>> held_out_images(DataConfig()).shape
    torch.Size([898, 1, 8, 8])
    """
    if config.source == "digits":
        if path is not None:
            raise DataError(f"found --data {path}; a net of digits is judged by the other digits")
        return digits().images[1::2]
    if path is None:
        raise DataError(f"the run learned from {config.source}; expected other images by --data")
    images = _read(config, Path(path), train=False)
    rows = torch.linspace(0, len(images) - 1, min(len(images), MOST)).long()
    return images[rows]


def check_images(images: Tensor, config: DataConfig) -> Float[Tensor, "image channel height width"]:
    """Return images as ``as_images`` does, if they have the configured channels and size.

    Raises:
        ShapeError: for other channels or another size.
        DataError: for what ``as_images`` refuses, and for images that were left in [0, 1].
    """
    whole = images.dtype == torch.uint8
    images = as_images(images)
    wanted = (config.channels, config.size, config.size)
    if images.shape[1:] != wanted:
        found, expected = tuple(images.shape), ", ".join(map(str, wanted))
        settings = "data.channels, and twice data.size"
        raise ShapeError(f"images have shape {found}; expected [image, {expected}]: {settings}")
    low, high = (float(bound) for bound in images.aminmax())
    if low >= 0 and high > 0 and not whole:
        found = f"images reach from {low:g} to {high:g}, none below 0; expected [-1, 1]"
        raise DataError(f"{found}: 2 * images - 1 brings [0, 1] there")
    return images


def _read(config: DataConfig, path: Path, *, train: bool) -> Pictures:
    if config.source == "cifar10":
        return cifar10(path, train=train)
    if config.channels not in (1, 3):
        raise DataError(f"data.channels is {config.channels}; a folder of images has 1 or 3")
    return image_folder(path, config.size, gray=config.channels == 1)
