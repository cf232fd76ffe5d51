"""A scan that can be stopped: blocks of classes, each in a file as soon as it is decided."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

import companion
from companion.argmax.report import ArgmaxReport
from companion.argmax.scanner import PART, Scanner
from companion.errors import CheckpointError, DataError
from companion.training.checkpoint import remove_leftovers, write_whole

__all__ = ["BLOCK", "parts_folder", "scan_to_file"]

SETTINGS = "scan.json"
BLOCK = PART  # classes; what a kill can cost


def scan_to_file(
    weight: Float[Tensor, "class dim"],
    bias: Float[Tensor, " class"] | None = None,
    *,
    out: Path,
    radius: int | float | None = None,
    classes: Sequence[int] | None = None,
    device: torch.device | str | None = None,
    memory: int | None = None,
    block: int = BLOCK,
    overwrite: bool = False,
    progress: bool = True,
) -> ArgmaxReport:
    """Decide classes as ``argmaxable`` does, and write the report; a stopped scan goes on.

    Each block of classes is written, whole or not at all, into a folder beside ``out`` as soon as
    it is decided. The same call after an interruption of any kind reads what is there and decides
    the rest; the report is the same. At the end the folder is removed.

    Args:
        weight: of the output layer, as ``load_output_layer`` returns it.
        bias: one number for each class, or None.
        out: the report, an .npz file.
        radius: bound of the length of a state, or None.
        classes: which ones; all if None.
        device: where to multiply.
        memory: bytes that the scan may use besides the weight.
        block: classes decided between two writings.
        overwrite: replace a finished report.
        progress: show a bar with the time that is left.

    Raises:
        DataError: if there is a report, ``block`` is less than 1, or a file cannot be written.
        ShapeError, NumericsError: and DataError, as ``argmaxable`` about the layer and the classes.
        CheckpointError: if the folder holds blocks of another scan, or a damaged one.
    """
    if block < 1:
        raise DataError(f"block is {block}; expected at least 1 class")
    scanner = Scanner(weight, bias, radius=radius, device=device, memory=memory)
    chosen = scanner.choose(classes).tolist()
    folder = parts_folder(out)
    _remove_finished(folder)
    if out.exists() and not (overwrite or folder.exists()):
        raise DataError(f"{out} is there already; expected another file (or --overwrite)")
    _open(folder, _settings(weight, bias, scanner.radius, chosen, block), out)
    parts = [chosen[start : start + block] for start in range(0, len(chosen), block)]
    files = [folder / f"block-{number:06d}.npz" for number in range(len(parts))]
    left = [(part, file) for part, file in zip(parts, files, strict=True) if not file.is_file()]
    done = len(chosen) - sum(len(part) for part, _ in left)
    with tqdm(total=len(chosen), initial=done, unit="class", disable=not progress) as bar:
        for part, file in left:
            _save(scanner.decide(part), file)
            bar.update(len(part))
    report = ArgmaxReport.join([_block(file, folder) for file in files])
    _save(report, out)
    folder.rename(_finished(folder))  # in one step, so that no part of it is taken for the whole
    _remove_finished(folder)
    return report


def parts_folder(out: Path) -> Path:
    """Return the folder for the blocks of a report that is not finished.

    >>> parts_folder(Path("report.npz")).name
    'report.npz.parts'
    """
    return out.with_name(out.name + ".parts")


def _finished(folder: Path) -> Path:
    return folder.with_name(folder.name + ".done")


def _remove_finished(folder: Path) -> None:
    if _finished(folder).exists():
        shutil.rmtree(_finished(folder))


def _open(folder: Path, settings: dict[str, Any], out: Path) -> None:
    """Make the folder, or see that what it holds belongs to this scan."""
    file = folder / SETTINGS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        for draft in [*folder.glob(".*.part"), *out.parent.glob(f".{out.name}.*.part")]:
            draft.unlink()  # of a report whose writing was cut off
        if not any(folder.glob("block-*")):
            write_whole(file, json.dumps(settings, indent=1).encode())
        found = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{folder} cannot be used: {error.strerror or error}") from error
    except ValueError as error:
        raise CheckpointError(f"{file} is damaged; remove {folder} to begin anew") from error
    for name, value in settings.items():
        before = found.get(name) if isinstance(found, dict) else None
        if before != value:
            raise CheckpointError(
                f"{folder} holds the blocks of another scan: its {name} is {before}, here "
                f"{value}; remove it to begin anew, or write to another file than {out}"
            )


def _save(report: ArgmaxReport, file: Path) -> None:
    try:
        report.save(file)
    except OSError as error:
        problem = error.strerror or str(error)
        raise DataError(f"{file} cannot be written: {problem}; finished blocks are kept") from error


def _block(file: Path, folder: Path) -> ArgmaxReport:
    try:
        return ArgmaxReport.load(file)
    except DataError as error:
        raise CheckpointError(
            f"{file} is damaged; remove it, and the scan decides it anew"
        ) from error


def _settings(
    weight: Tensor, bias: Tensor | None, radius: float | None, classes: list[int], block: int
) -> dict[str, Any]:
    """Return what a block depends on, tensors and classes by their digests."""
    words = (
        "all" if classes == list(range(len(weight))) else _digest_of_bytes(str(classes).encode())
    )
    return {
        "version": companion.__version__,
        "weight": _digest(weight),
        "bias": "none" if bias is None else _digest(bias),
        "radius": radius,
        "classes": words,
        "block": block,
    }


def _digest_of_bytes(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _digest(tensor: Tensor) -> str:
    """Return a digest of type, shape and numbers, a piece at a time."""
    total = hashlib.blake2b(f"{tensor.dtype} {tuple(tensor.shape)}".encode(), digest_size=16)
    for piece in tensor.detach().split(1024):
        total.update(piece.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()
