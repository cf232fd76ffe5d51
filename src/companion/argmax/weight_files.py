"""Tensors in files, by name: found without reading them, and read one at a time.

What a file holds is learned from its header, so a file may be larger than the memory. Nothing in a
file is executed: pickles are refused.
"""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.errors import DataError

__all__ = ["StoredTensors", "open_weights"]

INDEX = ".safetensors.index.json"
KINDS = (".safetensors", ".npy", ".npz")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
SHARD = re.compile(r"(.*)-\d+-of-(\d+)\.safetensors")
FLOATS = {"BF16": "bfloat16", "F16": "float16", "F32": "float32", "F64": "float64"}


@dataclass(frozen=True)
class StoredTensors:
    """The tensors of a file or a folder.

    Args:
        path: what was opened.
        files: in which file each tensor lies, by its name.
    """

    path: Path
    files: dict[str, Path]

    def header(self, name: str) -> tuple[tuple[int, ...], str]:
        """Return shape and type of a tensor without reading it.

        Raises:
            DataError: if its file is missing or damaged, or does not hold it.
        """
        file = self.files[name]
        if file.suffix == ".safetensors":
            part = _safetensor(file, name).get_slice(name)
            kind = str(part.get_dtype())
            return tuple(part.get_shape()), FLOATS.get(kind, kind)
        shape, dtype = _array_header(file, name)
        return shape, dtype.name

    def read(self, name: str) -> Tensor:
        """Return a tensor, in the precision of the file.

        Raises:
            DataError: as ``header``, and for a type that is no float of 16, 32 or 64 bits.
        """
        file = self.files[name]
        dtype = self.header(name)[1]
        if dtype not in FLOATS.values():
            known = ", ".join(FLOATS.values())
            raise DataError(f"{file}: {name} is of type {dtype}; expected one of {known}")
        if file.suffix == ".safetensors":
            return _read_safetensor(file, name, dtype)
        array = _array(file, name)
        native = array.dtype.newbyteorder("=")
        return torch.from_numpy(np.array(array, dtype=native, order="C"))


def open_weights(path: Path | str) -> StoredTensors:
    """Return the tensors of a file (.safetensors, .npy, .npz, an index of shards) or a folder.

    Raises:
        DataError: if there is nothing of the kind, a file is damaged, or it is a pickle.
    """
    path = Path(path)
    if path.is_dir():
        path = _file_of_folder(path)
    if not path.exists():
        raise DataError(f"{path} does not exist; expected a file of weights, or a folder with one")
    if path.name.endswith(INDEX):
        return StoredTensors(path, _shards(path))
    if path.suffix == ".safetensors":
        opened = {file: list(_opened(file).keys()) for file in _all_shards(path)}
        return StoredTensors(path, {name: file for file in opened for name in opened[file]})
    if path.suffix == ".npy":
        return StoredTensors(path, {path.stem: path})
    if path.suffix == ".npz":
        return StoredTensors(path, dict.fromkeys(_members(path), path))
    if path.suffix in PICKLES:
        raise DataError(_refusal(path))
    raise DataError(f"{path} is no file of weights known here; expected {', '.join(KINDS)}")


# --------------------------------------------------------------------------------- folders


def _file_of_folder(folder: Path) -> Path:
    """Return the file of a folder that holds its weights, or tells where they are."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    for sort in (INDEX, *KINDS):
        found = [name for name in names if name.endswith(sort)]
        usual = "model" + sort
        if usual in found:
            return folder / usual
        if len(found) == 1 or (found and all(SHARD.fullmatch(name) for name in found)):
            return folder / found[0]
        if found:
            raise DataError(f"{folder} holds {', '.join(found)}; say which file is meant")
    for name in names:
        if Path(name).suffix in PICKLES:
            raise DataError(_refusal(folder / name))
    what = f"{', '.join(names[:5])}{', …' * (len(names) > 5)}" if names else "no file"
    raise DataError(f"{folder} holds {what}; expected weights: {', '.join(KINDS)}")


def _shards(index: Path) -> dict[str, Path]:
    """Return the file of each tensor that an index lists."""
    try:
        files = json.loads(index.read_text("utf-8"))["weight_map"]
        names = {str(name): str(file) for name, file in files.items()}
    except OSError as error:
        raise DataError(f"{index} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{index} is no index: expected a weight_map from names to files"
        ) from error
    for name, file in names.items():
        if Path(file).name != file or not file.endswith(".safetensors"):
            way_out = f"; {_remedy(index.with_name(file))}" if Path(file).suffix in PICKLES else ""
            raise DataError(
                f"{index}: {name} lies in {file!r}; expected a .safetensors file beside it{way_out}"
            )
    return {name: index.with_name(file) for name, file in names.items()}


def _all_shards(path: Path) -> list[Path]:
    """Return the file, or all the shards that its name counts (where there is no index)."""
    numbered = SHARD.fullmatch(path.name)
    if numbered is None:
        return [path]
    stem, count = numbered.groups()
    numbers = [f"{number:0{len(count)}d}" for number in range(1, int(count) + 1)]
    return [path.with_name(f"{stem}-{number}-of-{count}.safetensors") for number in numbers]


def _refusal(path: Path) -> str:
    return f"{path} is a pickle, which can run any program when it is read; {_remedy(path)}"


def _remedy(path: Path) -> str:
    target = path.with_suffix(".safetensors").name
    return (
        'if you trust its source, write the tensors anew: python -c "import torch, '
        f"safetensors.torch as s; t = torch.load('{path.name}', weights_only=True); "
        f"s.save_file({{k: v.clone() for k, v in t.items()}}, '{target}')\""
    )


# ----------------------------------------------------------------------------- safetensors


def _opened(file: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(file, framework="np")  # for torch it would map the whole file to write
    except FileNotFoundError as error:
        raise DataError(f"{file} is missing; expected one of the files of {file.parent}") from error
    except SafetensorError as error:
        size = file.stat().st_size
        raise DataError(f"{file} is no whole safetensors file ({size:,} bytes): {error}") from error
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def _safetensor(file: Path, name: str) -> Any:
    opened = _opened(file)
    if name not in list(opened.keys()):
        raise DataError(f"{file} does not hold {name}, which the index says is in it")
    return opened


def _read_safetensor(file: Path, name: str, dtype: str) -> Tensor:
    """Return a tensor, of whose file nothing else but the header is read."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        entry = json.loads(stream.read(length))[name]
    begin, end = entry["data_offsets"]
    content = np.fromfile(file, np.uint8, count=end - begin, offset=8 + length + begin)
    return torch.from_numpy(content).view(getattr(torch, dtype)).reshape(entry["shape"])


# -------------------------------------------------------------------------- arrays of NumPy


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no whole npz file: {error}") from error


def _array_header(file: Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        if file.suffix == ".npz":
            with zipfile.ZipFile(file) as archive, archive.open(name + ".npy") as stream:
                shape, dtype = _parsed(stream)
        else:
            with file.open("rb") as stream:
                shape, dtype = _parsed(stream)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{file}: {name} is no whole array: {error}") from error
    if dtype.hasobject:
        raise DataError(
            f"{file}: {name} holds Python objects, a pickle, which can run any program when it is "
            "read; if you trust its source, write it anew: numpy.save(..., numpy.stack(array))"
        )
    if dtype.kind == "V":
        raise DataError(
            f"{file}: {name} is of type {dtype}, which NumPy does not know (is it bfloat16?); "
            "write it as float32, or as safetensors"
        )
    return shape, dtype


def _parsed(stream: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format; expected (1, 0) or (2, 0)")
    form = np.lib.format
    read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, dtype


def _array(file: Path, name: str) -> np.ndarray:
    try:
        if file.suffix == ".npy":
            return np.load(file, mmap_mode="r", allow_pickle=False)
        with np.load(file, allow_pickle=False) as archive:
            return archive[name]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{file}: {name} is no whole array: {error}") from error
