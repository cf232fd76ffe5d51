"""Trained linkers in the folders of their runs."""

from __future__ import annotations

from pathlib import Path

import torch

from companion.errors import CheckpointError, DataError
from companion.events.config import LinkerConfig
from companion.events.prediction import Linker
from companion.events.schema import Schema
from companion.events.train import SCHEMA, VOCABULARY, digest_of, schema_digest
from companion.events.vocabulary import Vocabulary
from companion.training import read_checkpoint
from companion.training.export import check_weights

__all__ = ["load_linker"]


def load_linker(path: Path | str, *, device: torch.device | str = "cpu") -> Linker:
    """Return the model of a run, with its averaged weights if there are any.

    Args:
        path: the folder of a run (its newest checkpoint counts), or one checkpoint in it.
        device: where the model shall lie.

    Raises:
        CheckpointError: if there is none, it is damaged, or it is of another kind; if the
            vocabulary or the schema beside it are not those it was trained with.
    """
    checkpoint = read_checkpoint(path)
    found, folder = checkpoint.about, checkpoint.path.parent
    if not isinstance(found, dict) or not isinstance(found.get("linker"), dict):
        raise CheckpointError(f"{checkpoint.path} is of another kind of run; expected a linker")
    try:
        values = {**found["linker"], "recipe": checkpoint.recipe}
        config = LinkerConfig.from_plain(values, name=str(checkpoint.path))
        vocabulary = _vocabulary(folder / VOCABULARY)
        schema = Schema.load(folder / SCHEMA, triggers=config.triggers)
        model = config.build_model(len(vocabulary), schema)
    except DataError as error:
        raise CheckpointError(f"{error} (is it of another version of companion?)") from error
    digests = found["digests"]
    if digest_of(vocabulary.to_json()) != digests["vocabulary"]:
        raise CheckpointError(f"{folder / VOCABULARY} is another vocabulary than that of the run")
    if schema_digest(schema) != digests["schema"]:
        raise CheckpointError(f"{folder / SCHEMA} is another schema than that of the run")
    check_weights(checkpoint.path, checkpoint.weights, model)
    model.load_state_dict(checkpoint.weights)
    return Linker(model=model.to(device).eval(), vocabulary=vocabulary, config=config)


def _vocabulary(path: Path) -> Vocabulary:
    try:
        return Vocabulary.from_json(path.read_text("utf-8"), name=str(path))
    except (OSError, UnicodeDecodeError) as error:
        expected = "expected the vocabulary of the run"
        raise CheckpointError(f"{path} cannot be read; {expected}") from error
