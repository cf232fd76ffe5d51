"""One run of training, from labelled sentences to a model that finds their events."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from companion import pick_device
from companion.errors import CheckpointError, DataError
from companion.events.config import LinkerConfig
from companion.events.decoding import DecodingCut
from companion.events.documents import Document, ordered
from companion.events.linker import EventLinker, LinkerTargets, linker_loss
from companion.events.prediction import Linker, scored_documents
from companion.events.schema import Schema
from companion.events.scores import evaluate
from companion.events.sentences import Sentences
from companion.events.vocabulary import Vocabulary
from companion.training import Draws, fit, newest_checkpoint
from companion.training.checkpoint import write_whole

__all__ = [
    "SCHEMA",
    "SETTINGS",
    "VOCABULARY",
    "digest_of",
    "is_main_process",
    "schema_digest",
    "train_linker",
]

SETTINGS = "config.yaml"  # beside the checkpoints: the whole configuration, for people and resumes
VOCABULARY = "vocabulary.json"
SCHEMA = "event_schema.json"
MOST = 64  # arguments of a sentence, while training is watched


def train_linker(
    config: LinkerConfig,
    documents: Sequence[Document],
    schema: Schema,
    *,
    held_out: Sequence[Document] = (),
    folder: Path | str | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> Linker:
    """Train an ``EventLinker`` on labelled sentences, and return it averaged.

    The order of the sentences follows from the seed: a run that was interrupted, or that several
    processes share (``accelerate launch -m companion``), sees the same as one that was not.

    Args:
        config: tokens, net and recipe.
        documents: to learn from.
        schema: of their events; its ``triggers`` must be those of the configuration.
        held_out: labelled sentences that are not learned from; argument F1 and event F1 on them are
            logged.
        folder: for checkpoints, log, configuration, vocabulary and schema; a run found there goes
            on. None writes nothing.
        device: where one process trains; None picks it. Several are placed by Accelerate.
        progress: whether there is a bar.

    Returns:
        A ``Linker``.

    Raises:
        DataError: for sentences without labels or longer than ``config.length``, naming file and
            line, and for measures that make no model; before any training.
        NumericsError: if the loss stops being finite, naming the step.
        CheckpointError: if the folder holds another run, or cannot be written.

    >>> import tempfile
    >>> from companion.events import generate_corpus
    >>> with tempfile.TemporaryDirectory() as place:
    ...     corpus = generate_corpus(place, language="en", train=8, dev=4, held_out=2)
    >>> config = LinkerConfig().amended(["tokens=word", "recipe.steps=2", "recipe.warmup=0"])
    >>> linker = train_linker(config, corpus.train, corpus.schema, device="cpu", progress=False)
    >>> len(linker.schema.labels), len(linker.predict(corpus.dev, threshold=9))
    (33, 4)
    """
    if schema.triggers != config.triggers:
        found = f"the schema has triggers={schema.triggers}"
        raise DataError(f"{found}; expected {config.triggers}, as in the configuration")
    if not documents:
        raise DataError("there are no sentences to learn from; expected at least one")
    folder = None if folder is None else Path(folder)
    texts = (document.text for document in documents)
    vocabulary = Vocabulary.of(texts, kind=config.tokens, least=config.least)
    data = Sentences(documents, schema, vocabulary, longest=config.length)
    if held_out:
        Sentences(held_out, schema, vocabulary, longest=config.length)  # complains before training
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.recipe.seed)
        model = config.build_model(len(vocabulary), schema)
    if os.environ.get("WORLD_SIZE", "1") == "1":  # of several processes, Accelerate places each
        model.to(pick_device() if device is None else device)
    about = about_run(config, vocabulary, schema, documents)
    if folder is not None and newest_checkpoint(folder) is None:
        _note(config, vocabulary, schema, folder)

    def measure(model: EventLinker) -> dict[str, float]:
        return measured(model, vocabulary, held_out, config)

    run = fit(
        model,
        linker_step,
        data,
        config.recipe,
        folder=folder,
        measure=measure if held_out else None,
        measure_every=config.measure_every if held_out else None,
        about=about,
        progress=progress,
    )
    if folder is not None:
        _note(config, vocabulary, schema, folder)  # a resumed run may have become longer
    trained = run.average
    assert isinstance(trained, EventLinker)
    return Linker(model=trained, vocabulary=vocabulary, config=config, run=run)


def linker_step(model: nn.Module, batch: dict[str, Tensor], draws: Draws) -> Tensor:
    """Return the loss of a batch of ``Sentences``."""
    targets = LinkerTargets(*(batch[name] for name in LinkerTargets._fields))
    return linker_loss(model(batch["tokens"], batch["mask"]), targets)


def measured(
    model: EventLinker,
    vocabulary: Vocabulary,
    documents: Sequence[Document],
    config: LinkerConfig,
) -> dict[str, float]:
    """Return argument F1 and event F1 on sentences, of the ``MOST`` likeliest spans of each.

    A model that has learned nothing says yes to thousands of spans; to link them all would take
    longer than the training.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DecodingCut)
        predicted = {
            one.row: one.events(threshold=config.threshold, most=MOST)
            for one in scored_documents(model, vocabulary, documents, longest=config.length)
        }
    scores = evaluate([predicted[row] for row in range(len(documents))], documents)
    return {"argument_f1": scores.argument_f1, "event_f1": scores.event_f1}


def is_main_process() -> bool:
    """Tell whether this process speaks for a run; the launcher numbers the processes in RANK."""
    return os.environ.get("RANK", "0") == "0"


def digest_of(text: str) -> str:
    """Return a short name of a text that another does not have."""
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()


def schema_digest(schema: Schema) -> str:
    """Return a short name of a schema: of its labels and their order."""
    return digest_of(json.dumps(schema.labels))


def about_run(
    config: LinkerConfig, vocabulary: Vocabulary, schema: Schema, documents: Sequence[Document]
) -> dict[str, Any]:
    """Return what a checkpoint says of its run, besides the recipe; files may have moved."""
    values = config.to_plain()
    for free in ("recipe", "measure_every"):
        del values[free]
    lines = [
        [one.id, one.text, [repr(event) for event in ordered(one.events)]] for one in documents
    ]
    digests = {
        "documents": digest_of(json.dumps(lines)),
        "schema": schema_digest(schema),
        "vocabulary": digest_of(vocabulary.to_json()),
    }
    return {"linker": values, "digests": digests}


def _note(config: LinkerConfig, vocabulary: Vocabulary, schema: Schema, folder: Path) -> None:
    """Write configuration, vocabulary and schema beside the checkpoints."""
    if not is_main_process():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config.to_yaml(folder / SETTINGS)
        write_whole(folder / VOCABULARY, vocabulary.to_json().encode())
        schema.save(folder / SCHEMA)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be used: {error.strerror or error}") from error
