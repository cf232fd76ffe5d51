"""A trained model in one file: its weights as safetensors, and what they belong to beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from companion.errors import CheckpointError
from companion.training.checkpoint import write_whole

__all__ = ["check_weights", "configuration_of", "metadata_of", "write_export"]


def write_export(
    path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str], *, config: Any
) -> None:
    """Write weights, in float32, and a configuration into a file, in one step.

    Args:
        path: of the file.
        weights: by name.
        metadata: words by name.
        config: what JSON can hold; ``configuration_of`` reads it.

    Raises:
        CheckpointError: if it cannot be written.
    """
    import safetensors.torch

    kept = {
        name: value.detach().to("cpu", torch.float32).contiguous()
        for name, value in weights.items()
    }
    words = {**metadata, "config": json.dumps(config)}
    try:
        write_whole(path, safetensors.torch.save(kept, words))
    except OSError as error:
        raise CheckpointError(f"{path} could not be written: {error.strerror}") from error


def metadata_of(path: Path) -> dict[str, str]:
    """Return the words of a safetensors file, {} if there are none to read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError):
        return {}


def configuration_of(metadata: Mapping[str, str], path: Path) -> dict[str, Any]:
    """Return the configuration that ``write_export`` wrote.

    Raises:
        CheckpointError: if there is none.
    """
    try:
        return json.loads(metadata["config"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path} does not say of which configuration it is") from error


def check_weights(path: Path, weights: Mapping[str, Tensor], model: nn.Module) -> None:
    """Refuse weights that are not the model's, by name and shape.

    Raises:
        CheckpointError: naming the first that is missing, not known, or of another shape.
    """
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            shapes = found.get(name, "nothing"), wanted.get(name, "nothing")
            raise CheckpointError(f"{path}: {name} has shape {shapes[0]}; expected {shapes[1]}")
