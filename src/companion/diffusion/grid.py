"""Many pictures in one, and that one in a file."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from companion.errors import DataError, ShapeError

__all__ = ["image_grid", "write_png"]


def image_grid(
    images: Float[Tensor, "batch channel height width"],
    *,
    columns: int | None = None,
    scale: int = 1,
    padding: int = 1,
) -> UInt8[ndarray, "rows_height columns_width channel"]:
    """Lay pictures out in rows, as bytes; numbers beyond [−1, 1] are cut off.

    Args:
        images: in [−1, 1]; gray (one channel) or colour (three).
        columns: pictures in a row; as many as make the grid about square if None.
        scale: each pixel becomes scale × scale.
        padding: pixels of middle gray between pictures and around them; of the result.

    Raises:
        ShapeError: for other shapes.
        DataError: for NaN, and options that are no counts.

    >>> import torch
    >>> image_grid(torch.ones(3, 1, 8, 8), columns=2, scale=2).shape
    (35, 35, 1)
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.numel():
        expected = "[batch, 1 or 3, height, width], none of them 0"
        raise ShapeError(f"images have shape {tuple(images.shape)}; expected {expected}")
    count, channels, height, width = images.shape
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    if columns < 1 or scale < 1 or padding < 0:
        found = f"columns={columns}, scale={scale}, padding={padding}"
        raise DataError(f"found {found}; expected at least 1, 1 and 0")
    if images.isnan().any():
        at = tuple(images.isnan().nonzero()[0].tolist())
        raise DataError(f"images[{', '.join(map(str, at))}] is nan")
    scaled = images.detach().cpu().double().clamp(-1, 1).add(1).mul(127.5).round()
    pixels = scaled.permute(0, 2, 3, 1).numpy().astype(np.uint8)
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    down, right = height * scale + padding, width * scale + padding
    rows, columns = math.ceil(count / columns), min(columns, count)
    sheet = np.full((rows * down + padding, columns * right + padding, channels), 128, np.uint8)
    for number, picture in enumerate(pixels):
        top, left = number // columns * down + padding, number % columns * right + padding
        sheet[top : top + height * scale, left : left + width * scale] = picture
    return sheet


def write_png(
    path: Path | str,
    images: Float[Tensor, "batch channel height width"],
    *,
    columns: int | None = None,
    scale: int = 1,
    padding: int = 1,
) -> None:
    """Write ``image_grid`` of the pictures to a PNG file: the whole file, or none.

    Raises:
        ShapeError, DataError: as ``image_grid``; DataError if the file cannot be written.
    """
    from PIL import Image

    sheet = image_grid(images, columns=columns, scale=scale, padding=padding)
    picture = Image.fromarray(sheet[:, :, 0] if sheet.shape[2] == 1 else sheet)
    path = Path(path)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            temporary = Path(file.name)
            picture.save(file, format="PNG")
        temporary.chmod(0o666 & ~_umask())  # a temporary file is its owner's alone
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error}") from error


def _umask() -> int:
    """Return the permissions that new files are not given; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
