"""Trained nets in files: those of a run, and the small one that comes with the package."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from companion.diffusion.config import DiffusionConfig
from companion.diffusion.train import Diffusion
from companion.errors import CheckpointError, DataError, ShapeError
from companion.training import read_checkpoint
from companion.training.devices import channels_innermost
from companion.training.export import (
    check_weights,
    configuration_of,
    metadata_of,
    write_export,
)

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
    metadata = metadata_of(path) if path.is_file() else {}
    if metadata.get("format") == FORMAT:
        import safetensors.torch

        values, weights = configuration_of(metadata, path), safetensors.torch.load_file(path)
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
    values = trained.config.to_plain()
    values["data"]["path"] = None  # a folder of this machine
    write_export(Path(path), trained.model.state_dict(), {"format": FORMAT}, config=values)


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


def _net(path: Path, values: dict[str, Any], weights: dict[str, Tensor]):
    """The configuration, and its net with these weights."""
    try:
        config = DiffusionConfig.from_plain(values, name=str(path))
        model = config.build_net()
    except (DataError, ShapeError) as error:
        raise CheckpointError(f"{error} (is it of another version of companion?)") from error
    check_weights(path, weights, model)
    model.load_state_dict(weights)
    return config, model.eval()
