"""Arrays of numbers in an npz file: written whole or not at all, read without pickle."""

from __future__ import annotations

import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy import ndarray

from companion.errors import DataError

__all__ = ["read_arrays", "write_arrays"]


def write_arrays(path: str | os.PathLike[str], arrays: dict[str, ndarray]) -> None:
    """Write arrays under their names: beside the file first, then in its place."""
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(draft, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def read_arrays(path: str | os.PathLike[str], names: tuple[str, ...]) -> dict[str, ndarray]:
    """Read the arrays of these names.

    Raises:
        DataError: no such file, no npz, an array missing, or one of objects.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (OSError, KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise DataError(f"{path} is no report that was saved: {error}") from error
