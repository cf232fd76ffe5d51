"""The output layer of a model in files: the weight and the bias that score every word."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from companion.argmax.layer_names import EMBEDDINGS, OUTPUTS, biases_of, matching
from companion.argmax.weight_files import StoredTensors, open_weights
from companion.errors import DataError

__all__ = ["LoadedLayer", "load_output_layer"]


@dataclass(frozen=True, kw_only=True)
class LoadedLayer:
    """What scores the words of a model: ``weight @ z + bias``.

    Args:
        weight: one row for each class, in the precision of the file.
        bias: one number for each class, or None.
        name: of the weight in its file.
        bias_name: of the bias, or None.
        path: the file or the index that was opened.
        tied: whether the weight is the embedding of the words, for want of an output layer.
    """

    weight: Float[Tensor, "class dim"]
    bias: Float[Tensor, " class"] | None
    name: str
    bias_name: str | None
    path: Path
    tied: bool

    def __str__(self) -> str:
        """What was loaded, in a line."""
        classes, dim = self.weight.shape
        kind = str(self.weight.dtype).removeprefix("torch.")
        bias = f"bias {self.bias_name}" if self.bias_name else "no bias"
        tied = " (tied to the embedding)" if self.tied else ""
        return f"{self.path}: {self.name}{tied}, {classes} classes x {dim}, {kind}, {bias}"


def load_output_layer(
    path: Path | str, tensor: str | None = None, *, bias: str | bool = True
) -> LoadedLayer:
    """Return the output layer of a model, reading from its files nothing else.

    An output layer of its own goes before an embedding, which counts where a model has tied the
    two (``config.json`` beside the weights may say that it has not).

    Args:
        path: a folder, or a file: ``.safetensors``, its index, ``.npy`` or ``.npz``.
        tensor: name of the weight; found by the usual names if None.
        bias: its name; found by the usual names if True, none if False.

    Raises:
        DataError: if there is no such file or tensor, several may be meant, the weight is no
            matrix of floats, the bias does not fit it, a file is damaged or missing, or it is a
            pickle.

    >>> import tempfile, numpy
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     numpy.savez(f"{folder}/model.npz", **{"lm_head.weight": numpy.ones((5, 2))})
    ...     layer = load_output_layer(folder)
    >>> layer.name, tuple(layer.weight.shape), layer.bias
    ('lm_head.weight', (5, 2), None)
    """
    stored = open_weights(path)
    names = list(stored.files)
    if tensor is None:
        tensor = _found(stored)
    elif tensor not in names:
        raise DataError(f"{stored.path} holds no tensor {tensor!r}; {_close(tensor, names)}")
    shape, _ = stored.header(tensor)
    where = f"{stored.files[tensor]}: {tensor}"
    if len(shape) != 2:
        raise DataError(f"{where} has shape {shape}; expected two axes, classes and dimensions")
    bias_name = _bias_name(stored, tensor, bias)
    return LoadedLayer(
        weight=stored.read(tensor),
        bias=None if bias_name is None else _bias(stored, bias_name, shape[0]),
        name=tensor,
        bias_name=bias_name,
        path=stored.path,
        tied=not matching([tensor], OUTPUTS) and bool(matching([tensor], EMBEDDINGS)),
    )


def _found(stored: StoredTensors) -> str:
    """Return the name of the weight: the output layer, else the tied embedding, else the matrix."""
    names = list(stored.files)
    if outputs := matching(names, OUTPUTS):
        return _only(stored, outputs, "output layers")
    if embeddings := matching(names, EMBEDDINGS):
        # scores are made by a decoder: of an encoder's embedding only where there is no other
        own = [name for name in embeddings if "encoder" not in name.split(".")]
        name = _only(stored, own or embeddings, "embeddings")
        if _says_untied(stored.path.parent / "config.json"):
            raise DataError(
                f"{stored.path} holds no output layer, and config.json beside it says that the "
                f"embedding {name} is not tied to one; to take it all the same, name it as tensor"
            )
        return name
    matrices = [name for name in names if len(names) <= 64 and len(stored.header(name)[0]) == 2]
    if len(matrices) == 1:
        return matrices[0]
    raise DataError(
        f"{stored.path} holds no output layer by its usual names ({', '.join(OUTPUTS[:3])} ...); "
        f"say which tensor is meant, of {_listed(matrices or names)}"
    )


def _only(stored: StoredTensors, found: list[str], what: str) -> str:
    """Return the one name, or the first of several that hold the same numbers."""
    if len(found) == 1:
        return found[0]
    if len({stored.header(name)[0] for name in found}) == 1:
        first = stored.read(found[0])
        if all(torch.equal(first, stored.read(name)) for name in found[1:]):
            return found[0]
    raise DataError(
        f"{stored.path} holds {len(found)} different {what}: {_listed(found)}; say which is meant"
    )


def _says_untied(config: Path) -> bool:
    if not config.is_file():
        return False
    try:
        values = json.loads(config.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{config} is no JSON that can be read: {error}") from error
    inner = values.get("text_config") if isinstance(values, dict) else None
    parts = [part for part in (inner, values) if isinstance(part, dict)]
    said = [part["tie_word_embeddings"] for part in parts if "tie_word_embeddings" in part]
    return bool(said) and said[0] is False


def _bias_name(stored: StoredTensors, tensor: str, bias: str | bool) -> str | None:
    names = list(stored.files)
    if isinstance(bias, str):
        if bias not in names:
            raise DataError(f"{stored.path} holds no tensor {bias!r}; {_close(bias, names)}")
        return bias
    found = biases_of(tensor, names) if bias else []
    return _only(stored, found, "biases") if found else None


def _bias(stored: StoredTensors, name: str, classes: int) -> Tensor:
    shape, _ = stored.header(name)
    if shape not in ((classes,), (1, classes)):  # Marian and BART keep it as a row
        where = f"{stored.files[name]}: {name}"
        raise DataError(
            f"{where} has shape {shape}; expected ({classes},), one for each class (or no bias)"
        )
    return stored.read(name).reshape(classes)


def _close(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    return f"is it {' or '.join(close)}?" if close else f"there are {_listed(names)}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
