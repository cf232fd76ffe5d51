"""Pictures to learn from: digits, a folder, a tensor; float32 in [−1, 1], NCHW."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from companion.errors import DataError, ShapeError

__all__ = ["Digits", "Pictures", "as_images", "digits", "image_folder"]

ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


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


class Pictures:
    """Pictures kept as bytes, a quarter of the memory, and given out as float32 in [−1, 1].

    ``len(pictures)`` of them; ``pictures[indices]`` is a batch, also for one number or a slice.

    Attributes:
        bytes: [sample, channel, height, width].
        labels: the class of each, or None.
        names: the file of each, where each has one.
        skipped: the files that could not be read, and why.

    >>> pictures = Pictures(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
    >>> pictures[torch.tensor([1, 0])].flatten()
    tensor([ 1., -1.])
    """

    def __init__(
        self,
        pixels: UInt8[Tensor, "sample channel height width"],
        *,
        labels: Int64[Tensor, " sample"] | None = None,
        names: Sequence[str] = (),
        skipped: Sequence[str] = (),
    ) -> None:
        if pixels.ndim != 4 or pixels.dtype != torch.uint8:
            found = f"{tuple(pixels.shape)}, {pixels.dtype}"
            raise ShapeError(f"found {found}; expected uint8 [sample, channel, height, width]")
        self.bytes, self.labels = pixels, labels
        self.names, self.skipped = tuple(names), tuple(skipped)

    def __len__(self) -> int:
        return len(self.bytes)

    def __getitem__(
        self, index: Int64[Tensor, " batch"] | slice | int
    ) -> Float[Tensor, "*batch channel height width"]:
        return self.bytes[index].float() / 127.5 - 1


def image_folder(
    path: Path | str,
    size: int,
    *,
    gray: bool = False,
    on_error: Literal["raise", "skip"] = "raise",
) -> Pictures:
    """Read all pictures below a folder, in the order of their paths, as squares of one size.

    Each is turned upright (EXIF), cropped to the largest square about its centre, and resized. Read
    are PNG, JPEG, WebP, BMP, GIF (the first frame) and TIFF; other files are left alone. What is
    transparent becomes white.

    Args:
        path: the folder, searched to any depth.
        size: height and width of the result.
        gray: one channel in place of red, green and blue.
        on_error: with ``"skip"`` a file that cannot be read is named in ``skipped`` of the result.

    Raises:
        DataError: for a folder that is missing or holds no picture, or a file that is broken.
    """
    if size < 1 or on_error not in ("raise", "skip"):
        raise DataError(f"found {size=}, {on_error=}; expected at least 1, and raise or skip")
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    if not files:
        raise DataError(f"{folder} holds no picture; looked for {', '.join(sorted(ENDINGS))}")
    good, names, skipped = [], [], []
    with ThreadPoolExecutor() as pool:  # decoding leaves Python's lock
        for file, found in zip(files, pool.map(lambda p: _read(p, size, gray), files), strict=True):
            if isinstance(found, DataError):
                if on_error == "raise":
                    raise found
                skipped.append(str(found))
            else:
                good.append(found)
                names.append(str(file.relative_to(folder)))
    if not good:
        raise DataError(f"none of {len(files)} pictures in {folder} can be read: {skipped[0]}")
    return Pictures(torch.from_numpy(np.stack(good)), names=names, skipped=skipped)


def _read(file: Path, size: int, gray: bool) -> np.ndarray | DataError:
    """Return [channel, size, size], or the error."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
            if upright.mode.startswith("I"):  # 16 bits a pixel, which convert would cut off at 255
                upright = Image.fromarray((np.asarray(upright) / 257).round().astype(np.uint8))
            square = ImageOps.fit(
                upright.convert("L" if gray else "RGB"), (size, size), Image.Resampling.LANCZOS
            )
        pixels = np.array(square)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return DataError(f"{file} cannot be read as a picture: {error}")
    return pixels[None] if gray else pixels.transpose(2, 0, 1).copy()
