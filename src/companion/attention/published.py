"""Folders with a GAU-α: their configuration and weights, read strictly, and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from companion.attention.layouts import LAYOUTS, PORT, Layout, Source
from companion.errors import CheckpointError
from companion.training.checkpoint import write_whole

if TYPE_CHECKING:
    from companion.attention.gau_alpha import GAUAlphaConfig

__all__ = ["VOCAB", "read_published", "write_published"]

CONFIGURATIONS = ("config.json", "bert4torch_config.json", "bert_config.json")
VOCAB = "vocab.txt"
WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.npz")

# What a configuration may say, and GAU-α cannot do otherwise
FIXED = {
    "hidden_act": ("swish", "silu"),
    "normalization": ("softmax_plus",),
    "use_bias": (False,),
    "attention_scale": (True,),
}
SIZES = {  # our name, theirs; the last two have a default
    "vocabulary": "vocab_size",
    "dim": "hidden_size",
    "key_dim": "attention_key_size",
    "layers": "num_hidden_layers",
    "segments": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "eps": "layer_norm_eps",
}
DEFAULTS = {"dropout": 0.1, "eps": 1e-12}


def read_published(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the measures of the model in a folder, and its weights by our names.

    Args:
        folder: with a configuration and weights, as ``GAUAlpha.from_pretrained`` says.

    Raises:
        CheckpointError: naming file and tensor.
    """
    values = _measures(_one_of(folder, CONFIGURATIONS, "a configuration"))
    path = _one_of(folder, WEIGHTS, "weights")
    tensors = _tensors(path)
    layout = next((one for one in LAYOUTS if one.tokens in tensors), None)
    if layout is None:
        known = ", ".join(f"{one.tokens} ({one.program})" for one in LAYOUTS)
        raise CheckpointError(f"{path} holds no embedding of tokens; expected one of {known}")
    sources = dict(layout.sources(layers=values["layers"], segments=values["segments"]))
    _check(path, layout, tensors, sources, values)
    weights = {name: source.read(tensors) for name, source in sources.items()}
    return values, weights | {"head.weight": weights["encoder.embedding.weight"]}


def write_published(
    folder: Path, config: GAUAlphaConfig, weights: Mapping[str, Tensor], *, vocab: str | None
) -> None:
    """Write a folder that ``read_published`` and the PyTorch port read.

    Args:
        folder: made if it is not there.
        config, weights: of the model.
        vocab: the lines of its vocabulary, if they are to lie beside it.

    Raises:
        CheckpointError: if it cannot be written.
    """
    import safetensors.torch

    values = {theirs: getattr(config, ours) for ours, theirs in SIZES.items()}
    values |= {name: allowed[0] for name, allowed in FIXED.items()}
    sizes = {"model_type": "gau_alpha", "intermediate_size": config.expansion * config.dim}
    kept: dict[str, Tensor] = {}
    for ours, source in PORT.sources(layers=config.layers, segments=config.segments):
        value = weights[ours].detach().to("cpu", torch.float32)
        parts = value.unbind() if source.stacked else (value,)
        kept |= {n: p.contiguous() for n, p in zip(source.names, parts, strict=True)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(sizes | values, indent=2, sort_keys=True) + "\n"
        write_whole(folder / CONFIGURATIONS[0], text.encode())
        if vocab is not None:
            write_whole(folder / VOCAB, vocab.encode())
        write_whole(folder / WEIGHTS[0], safetensors.torch.save(kept, {"format": "pt"}))
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {error.strerror or error}") from error


def _one_of(folder: Path, names: tuple[str, ...], what: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(f"{folder} holds no {what.split()[-1]}; expected {' or '.join(names)}")


def _measures(path: Path) -> dict[str, Any]:
    """The measures that a configuration holds, by our names."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} holds a {type(found).__name__}; expected names and values")
    for name, allowed in FIXED.items():
        if name in found and found[name] not in allowed:
            expected = " or ".join(map(json.dumps, allowed))
            raise CheckpointError(f"{path}: {name} is {found[name]!r}; expected {expected}")
    values: dict[str, Any] = {}
    for ours, theirs in (*SIZES.items(), ("inner", "intermediate_size")):
        value = found.get(theirs, DEFAULTS.get(ours))
        kinds = (int, float) if ours in DEFAULTS else (int,)
        if not isinstance(value, kinds) or isinstance(value, bool) or value < 0:
            expected = "a number" if ours in DEFAULTS else "a whole number"
            raise CheckpointError(f"{path}: {theirs} is {value!r}; expected {expected}")
        values[ours] = float(value) if ours in DEFAULTS else value
    inner, dim = values.pop("inner"), values["dim"]
    if not dim or not inner or inner % dim:
        raise CheckpointError(
            f"{path}: intermediate_size is {inner}; expected a multiple of hidden_size, {dim}"
        )
    if found.get("embedding_size", dim) not in (dim, None):
        found_ = found["embedding_size"]
        raise CheckpointError(f"{path}: embedding_size is {found_}; expected hidden_size, {dim}")
    return values | {"expansion": inner // dim}


def _tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, by their names in it; nothing is unpickled but tensors."""
    try:
        if path.suffix == ".safetensors":
            import safetensors.torch

            return safetensors.torch.load_file(path)
        if path.suffix == ".npz":
            import numpy as np

            with np.load(path, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a parser makes of bytes that are no weights
        reason = str(error).partition("\n")[0][:160]
        raise CheckpointError(f"{path} cannot be read as weights: {reason}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} holds a {type(found).__name__}; expected tensors by name")
    return found


def _check(
    path: Path,
    layout: Layout,
    tensors: Mapping[str, Tensor],
    sources: Mapping[str, Source],
    values: Mapping[str, Any],
) -> None:
    """Refuse weights that are not those of the layout and the measures, naming the first."""
    shapes = _shapes(values)
    wanted = {name: one.shape(shapes[ours]) for ours, one in sources.items() for name in one.names}
    of = f"the names of {layout.program}"
    for name, shape in wanted.items():
        if name not in tensors:
            raise CheckpointError(f"{path}: {name} is missing; expected it, by {of}")
        value = tensors[name]
        found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        if found != shape:
            raise CheckpointError(f"{path}: {name} has shape {found}; expected {shape}")
        if not value.is_floating_point():
            raise CheckpointError(f"{path}: {name} is {value.dtype}; expected floating point")
    for name in tensors:
        if name not in wanted and name != layout.head:
            raise CheckpointError(f"{path}: {name} is one too many; {of} have none such")
    head = layout.head
    tied = head is None or head not in tensors or torch.equal(tensors[head], tensors[layout.tokens])
    if not tied:
        raise CheckpointError(f"{path}: {head} is not {layout.tokens}; expected them equal")


def _shapes(values: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of our tensors, by the names that ``Layout.sources`` gives them."""
    d, s, e = values["dim"], values["key_dim"], values["dim"] * values["expansion"]
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.embedding.weight": (values["vocabulary"], d),
        "encoder.segment_embedding.weight": (values["segments"], d),
    }
    for i in range(values["layers"]):
        ours = f"encoder.encoder.blocks.{i}.branch."
        shapes[ours + "to_hidden.weight"] = (2 * e + s, d)
        shapes[ours + "to_out.weight"] = (d, e)
        shapes[ours + "scale"] = (2, s)
    return shapes
