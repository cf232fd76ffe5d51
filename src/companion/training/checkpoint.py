"""Checkpoints: one safetensors file each, written whole or not at all, and checked when read."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from companion.errors import CheckpointError
from companion.training.tree import pack, raw_bytes, unpack

__all__ = [
    "Checkpoint",
    "checkpoints",
    "newest_checkpoint",
    "read_checkpoint",
    "remove_leftovers",
    "write_checkpoint",
]

FORMAT = "companion.training 1"
NAME = re.compile(r"step-(\d{8,})\.safetensors")
LEFTOVER = ".writing"
CHUNK = 1 << 24  # bytes in one call of write


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a checkpoint holds.

    Args:
        path: the file.
        step: optimiser steps done.
        recipe: the fields of the ``Recipe``.
        about: what the caller stored with it, such as the configuration of the model.
        versions: of the packages that wrote it.
        model: state of the model.
        average: state of the averaged model, or None.
        optimizer: state of the optimiser.
        progress: what the log needs to go on.
    """

    path: Path
    step: int
    recipe: dict[str, Any]
    about: Any
    versions: dict[str, str]
    model: dict[str, Tensor]
    average: dict[str, Tensor] | None
    optimizer: dict[str, Any]
    progress: dict[str, Any]

    @property
    def weights(self) -> dict[str, Tensor]:
        """The averaged weights if there are any, else the model's."""
        return self.model if self.average is None else self.average


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, the oldest first."""
    found = [(int(m[1]), path) for path in folder.iterdir() if (m := NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def newest_checkpoint(folder: Path | str) -> Path | None:
    """Return the newest checkpoint of a folder, or None where there is none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(newest_checkpoint(folder))
    None
    """
    found = checkpoints(Path(folder)) if Path(folder).is_dir() else []
    return found[-1] if found else None


def read_checkpoint(path: Path | str) -> Checkpoint:
    """Read a checkpoint, or the newest one of a folder, to the CPU; nothing in it is executed.

    Raises:
        CheckpointError: if there is none, it cannot be read, or it is not what was written: the
            file carries a digest of its contents. The message names an intact older one.
    """
    path = Path(path)
    if path.is_dir():
        newest = newest_checkpoint(path)
        if newest is None:
            raise CheckpointError(f"{path} holds no checkpoint; expected step-….safetensors in it")
        path = newest
    try:
        return _read(path)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {_advice(path)}") from error.__cause__


def _read(path: Path) -> Checkpoint:
    import safetensors.torch

    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        metadata = header["__metadata__"]
        tensors = safetensors.torch.load(raw)
        intact = metadata["format"] == FORMAT
        intact = intact and metadata["digest"] == _digest(tensors, metadata["state"])
        state = unpack(json.loads(metadata["state"]), tensors) if intact else None
    except Exception as error:  # whatever a parser makes of broken bytes
        raise CheckpointError(f"{path} is no intact checkpoint ({len(raw)} bytes)") from error
    if state is None:
        raise CheckpointError(f"{path} is no intact checkpoint: its contents have changed")
    return Checkpoint(path=path, **state)


def _advice(path: Path) -> str:
    """Say which older checkpoint is intact."""
    folder = path.parent
    older = [p for p in checkpoints(folder) if p < path] if folder.is_dir() else []
    for candidate in reversed(older):
        try:
            _read(candidate)
        except CheckpointError:
            continue
        return f"{candidate.name} is intact: remove {path.name} to go on from there"
    return "no older checkpoint is intact"


def _digest(tensors: Mapping[str, Tensor], state: str) -> str:
    total = hashlib.blake2b(state.encode(), digest_size=32)
    for name, value in sorted(tensors.items()):
        total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        total.update(raw_bytes(value))
    return total.hexdigest()


def write_checkpoint(folder: Path, *, step: int, keep: int, state: dict[str, Any]) -> Path:
    """Write a checkpoint and remove all but the newest ``keep``.

    The file is written under another name, brought to the disk, and renamed: a process that is
    killed at any moment leaves either the whole checkpoint or none.

    Args:
        state: the fields of ``Checkpoint`` besides ``path`` and ``step``.

    Raises:
        CheckpointError: if the disk is full or refuses; older checkpoints are as they were.
    """
    import safetensors.torch

    tensors: dict[str, Tensor] = {}
    text = json.dumps(pack({"step": step, **state}, "", tensors))
    metadata = {"format": FORMAT, "state": text, "digest": _digest(tensors, text)}
    content = safetensors.torch.save(tensors, metadata)
    path = folder / f"step-{step:08d}.safetensors"
    try:
        write_whole(path, content)
        for old in checkpoints(folder)[:-keep]:
            old.unlink()
    except OSError as error:
        left = [p.name for p in checkpoints(folder) if p != path]
        last = f"the last checkpoint is {left[-1]}" if left else "there is no older checkpoint"
        problem = error.strerror or str(error)
        raise CheckpointError(f"{path} could not be written: {problem}; {last}") from error
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that after any interruption it is there whole, or as it was before."""
    temporary = path.with_name(path.name + LEFTOVER)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest[:CHUNK]) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed run had begun to write."""
    for path in folder.glob(f"*{LEFTOVER}"):
        path.unlink()
