"""Trained nets in files: those of a run, and the small one that comes with the package."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from companion.diffusion.config import DiffusionConfig
from companion.diffusion.train import Diffusion
from companion.errors import CheckpointError, DataError, ShapeError
from companion.training import read_checkpoint
from companion.training.checkpoint import write_whole
from companion.training.devices import channels_innermost

__all__ = ["export", "load_diffusion", "pretrained_digits"]

FORMAT = "companion.diffusion 1"
SHIPPED = "digits.safetensors"


def load_diffusion(path: Path | str, *, device: torch.device | str = "cpu") -> Diffusion:
    """Return the net of a run, with its averaged weights.

    Args:
        path: the folder of a run (its newest checkpoint counts), one checkpoint, or a file
            written by ``export``.
        device: where the net shall lie.

    Raises:
        CheckpointError: if there is none, it is damaged, or it is of another kind.

    >>> load_diffusion(str(files("companion.diffusion") / "digits.safetensors")).schedule.steps
    1000
    """
    path = Path(path)
    metadata = _metadata(path) if path.is_file() else {}
    if metadata.get("format") == FORMAT:
        import safetensors.torch

        values, weights = _json(metadata, path), safetensors.torch.load_file(path)
    else:
        checkpoint = read_checkpoint(path)
        path, weights = checkpoint.path, checkpoint.weights
        found = checkpoint.about
        if not isinstance(found, dict) or not isinstance(found.get("diffusion"), dict):
            raise CheckpointError(f"{path} is of another kind of run; expected one of diffusion")
        values = {**found["diffusion"], "recipe": checkpoint.recipe}
    config, model = _net(path, values, weights)
    if torch.device(device).type == "cpu":
        channels_innermost(model)
    return Diffusion(model=model.to(device), schedule=config.schedule.build(), config=config)


def export(trained: Diffusion, path: Path | str) -> None:
    """Write averaged weights and configuration, and nothing else of a run, into one file.

    Raises:
        CheckpointError: if it cannot be written.
    """
    import safetensors.torch

    values = trained.config.to_plain()
    values["data"]["path"] = None  # a folder of this machine
    weights = {
        name: value.detach().to("cpu", torch.float32).contiguous()
        for name, value in trained.model.state_dict().items()
    }
    metadata = {"format": FORMAT, "config": json.dumps(values)}
    try:
        write_whole(Path(path), safetensors.torch.save(weights, metadata))
    except OSError as error:
        raise CheckpointError(f"{path} could not be written: {error.strerror}") from error


def pretrained_digits(*, device: torch.device | str = "cpu") -> Diffusion:
    """Return the net for 8 × 8 digits that comes with the package.

    It is ``DiffusionConfig.digits()``, trained and exported by

    .. code-block:: console

        $ companion diffusion train --preset digits --out runs/digits
        $ companion diffusion export runs/digits --out src/companion/diffusion/digits.safetensors

    >>> pretrained_digits().sample(2, method="dpm-solver++", steps=5).shape
    torch.Size([2, 1, 8, 8])
    """
    with as_file(files("companion.diffusion") / SHIPPED) as path:
        return load_diffusion(path, device=device)


def _metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, {} if there is none to read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError):
        return {}


def _json(metadata: dict[str, str], path: Path) -> dict[str, Any]:
    try:
        return json.loads(metadata["config"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path} does not say of which configuration it is") from error


def _net(path: Path, values: dict[str, Any], weights: dict[str, Tensor]):
    """The configuration, and its net with these weights."""
    try:
        config = DiffusionConfig.from_plain(values, name=str(path))
        model = config.build_net()
    except (DataError, ShapeError) as error:
        raise CheckpointError(f"{error} (is it of another version of companion?)") from error
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            shapes = found.get(name, "nothing"), wanted.get(name, "nothing")
            raise CheckpointError(f"{path}: {name} has shape {shapes[0]}; expected {shapes[1]}")
    model.load_state_dict(weights)
    return config, model.eval()
