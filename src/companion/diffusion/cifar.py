"""CIFAR-10 from the binary files its authors publish."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import numpy as np
import torch

from companion.diffusion.images import Pictures
from companion.errors import DataError

__all__ = ["CIFAR10_MD5", "cifar10"]

CIFAR10_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # of cifar-10-binary.tar.gz, as published
TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = ("test_batch.bin",)
PER_FILE = 10_000
RECORD = 1 + 3 * 32 * 32  # a label, then red, green and blue, row by row


def cifar10(
    path: Path | str, *, train: bool = True, check: bool = True, md5: str = CIFAR10_MD5
) -> Pictures:
    """Read the 50,000 training pictures of CIFAR-10, or its 10,000 test pictures, 3×32×32.

    Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009.

    Of the archive the MD5 sum is compared with the published one before anything in it is read.
    For single files none is published: of these the size (10,000 records of 3073 bytes), the
    range of the labels (0 to 9) and that all ten classes occur in each file are checked, not
    the pixels.

    Args:
        path: ``cifar-10-binary.tar.gz``, or the folder ``cifar-10-batches-bin`` made from it, or
            the folder that holds that.
        train: the five training files, else the test file.
        check: False leaves out the MD5 sum and the classes; a file of another size, or a label
            beyond 9, is refused always.
        md5: the sum expected of the archive.

    Returns:
        Bytes, given out as float32 in [−1, 1], and labels.

    Raises:
        DataError: if a file is missing, or is not what it should be.
    """
    path = Path(path)
    names = TRAIN if train else TEST
    if path.is_dir():
        folder = path / "cifar-10-batches-bin"
        contents = [_file(folder if folder.is_dir() else path, name) for name in names]
    elif path.is_file():
        contents = _archive(path, names, md5 if check else None)
    else:
        expected = "cifar-10-binary.tar.gz or the folder cifar-10-batches-bin"
        raise DataError(f"{path} does not exist; expected {expected}")
    records = [
        _records(content, f"{name} in {path}", check)
        for name, content in zip(names, contents, strict=True)
    ]
    whole = torch.from_numpy(np.concatenate(records))
    return Pictures(whole[:, 1:].reshape(-1, 3, 32, 32), labels=whole[:, 0].long())


def _file(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        expected = "the binary version of CIFAR-10 (not python, not matlab)"
        raise DataError(f"{folder / name} cannot be read ({error}); expected {expected}") from error


def _archive(path: Path, names: tuple[str, ...], md5: str | None) -> list[bytes]:
    """Read the files named from the archive, after its sum has been compared."""
    try:
        if md5 is not None:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            if found != md5:
                hint = "an incomplete download, or another version"
                raise DataError(f"{path} has the MD5 sum {found}, expected {md5}: {hint}")
        with tarfile.open(path) as archive:
            members = {Path(member.name).name: member for member in archive if member.isfile()}
            contents = []
            for name in names:
                file = archive.extractfile(members[name]) if name in members else None
                if file is None:
                    raise DataError(f"{path} holds no {name}; expected cifar-10-binary.tar.gz")
                contents.append(file.read())
            return contents
    except (OSError, tarfile.TarError, EOFError) as error:
        raise DataError(f"{path} cannot be read as an archive: {error}") from error


def _records(content: bytes, where: str, check: bool) -> np.ndarray:
    """Return [10000, 3073]."""
    if len(content) != PER_FILE * RECORD:
        expected = f"{PER_FILE * RECORD}: {PER_FILE} records of {RECORD}"
        raise DataError(f"{where} has {len(content)} bytes, expected {expected}")
    records = np.frombuffer(content, np.uint8).reshape(PER_FILE, RECORD)
    wrong = np.flatnonzero(records[:, 0] > 9)
    if len(wrong):
        found = f"{records[wrong[0], 0]} in record {wrong[0]}"
        raise DataError(f"{where} has the label {found}, expected 0 to 9")
    if check and (missing := set(range(10)) - set(records[:, 0].tolist())):
        raise DataError(f"{where} has no picture of class {min(missing)}")
    return records
