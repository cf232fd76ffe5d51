"""The commands of chapter 2: ``companion events train | predict | evaluate | generate``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from companion.errors import DataError

if TYPE_CHECKING:
    from companion.events import Document, LinkerConfig, Schema, Vocabulary

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, help="Events in sentences: train, predict, evaluate.")

SchemaOption = Annotated[
    Path | None, typer.Option(help="The file of types and roles; left out: the folder's.")
]
ErrorOption = Annotated[
    str, typer.Option(help="raise stops at a line that is wrong, skip lists it and goes on.")
]
SCHEMA = "duee_event_schema.json"


@app.command("train")
def train(
    data: Annotated[Path, typer.Option(help="Folder with duee_train.json and duee_dev.json.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; one found there goes on.")],
    schema: SchemaOption = None,
    tokens: Annotated[str | None, typer.Option(help="character or word.")] = None,
    triggers: Annotated[
        bool | None, typer.Option("--triggers/--no-triggers", help="Whether triggers are learned.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings, a YAML file.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as net.dim=96.")
    ] = None,
    on_error: ErrorOption = "raise",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no bar.")] = False,
) -> None:
    """Train a linker, or go on where a run was interrupted.

    Without --config the settings are those the folder was begun with, else the defaults. On several
    devices: accelerate launch -m companion events train ...
    """
    words = {"tokens": tokens, "triggers": triggers}
    options = [f"{name}={str(word).lower()}" for name, word in words.items() if word is not None]
    chosen = _chosen(out, config).amended([*options, *(settings or [])])
    from companion.events.train import is_main_process, train_linker

    known = _schema(schema or data / SCHEMA, triggers=chosen.triggers)
    sentences = _learnable(data / "duee_train.json", known, chosen, on_error)
    held_out = _learnable(data / "duee_dev.json", known, chosen, on_error)
    speaks = is_main_process()
    if speaks:
        typer.echo(
            f"training in {out}, {chosen.recipe.steps} steps, {len(sentences)} sentences, "
            f"{len(known.labels)} labels"
        )
    try:
        linker = train_linker(
            chosen, sentences, known, held_out=held_out, folder=out, progress=not quiet
        )
    except KeyboardInterrupt as stop:
        if speaks:
            typer.echo(f"companion: {stop or 'interrupted'}", err=True)
        raise typer.Exit(130) from None
    if speaks and linker.run is not None:
        last = linker.run.history[-1]
        typer.echo(
            f"done, loss {last['loss']:.4f}; on duee_dev.json argument F1 "
            f"{last['argument_f1']:.4f}, event F1 {last['event_f1']:.4f}; "
            f"next: companion events predict {out} FILE --out FILE"
        )


@app.command("predict")
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or a file of it.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Sentences, in DuEE's format.")],
    out: Annotated[Path, typer.Option(help="The predictions, in DuEE's format of a submission.")],
    threshold: Annotated[
        float | None, typer.Option(help="Above it a score means yes; left out: the run's.")
    ] = None,
    links: Annotated[
        bool, typer.Option("--links/--no-links", help="Without: one event for each type.")
    ] = True,
    require_trigger: Annotated[
        bool, typer.Option("--require-trigger", help="Leave out events without a trigger.")
    ] = False,
    on_error: ErrorOption = "raise",
) -> None:
    """Find the events of sentences."""
    from companion import pick_device
    from companion.events import write_submission
    from companion.events.pretrained import load_linker

    linker = load_linker(run, device=pick_device())
    documents, kept = _readable(file, linker.schema, linker.vocabulary, linker.config, on_error)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = linker.predict(
            kept, threshold=threshold, linked=links, require_trigger=require_trigger
        )
    for one in caught:
        typer.echo(f"companion: {one.message}", err=True)
    events: dict[str, Any] = {document.id: [] for document in documents}
    events |= {one.id: some for one, some in zip(kept, found, strict=True)}
    write_submission(out, events, linker.schema)
    total = sum(map(len, events.values()))
    typer.echo(f"{out}: {len(events)} sentences, {total} events")


@app.command("evaluate")
def evaluate_file(
    predicted: Annotated[Path, typer.Argument(metavar="PRED", help="Written by predict.")],
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Labelled, in DuEE's format.")],
    schema: SchemaOption = None,
    file: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
) -> None:
    """Judge predictions: whole arguments, whole events, and the score of DuEE's judges."""
    from companion.events import duee_score, read_duee, read_submission
    from companion.events.answer_scores import aligned, evaluate_answers

    known = _schema(schema or gold.parent / SCHEMA, triggers=False)
    documents = read_duee(gold, known)
    found, missing = aligned(read_submission(predicted, known), documents)
    scores, official = (
        evaluate_answers(found, documents, known),
        duee_score(found, documents, known),
    )
    result = {
        name: {part: getattr(source, f"{prefix}{part}") for part in ("precision", "recall", "f1")}
        for name, source, prefix in (
            ("arguments", scores, "argument_"),
            ("events", scores, "event_"),
            ("official", official, ""),
        )
    }
    if missing:
        typer.echo(f"{missing} sentences are not predicted: they count as without events")
    typer.echo(f"{len(documents)} sentences    precision  recall  F1")
    for name, row in result.items():
        typer.echo(f"{name:<16}{row['precision']:10.4f}{row['recall']:10.4f}{row['f1']:10.4f}")
    if file is not None:
        from companion.events.lines import write_lines

        write_lines(file, [{"sentences": len(documents), "missing": missing, **result}])
        typer.echo(f"written: {file}")


@app.command("generate")
def generate(
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    language: Annotated[str, typer.Option(help="zh, Chinese, or en, English.")] = "zh",
    train: Annotated[int, typer.Option(help="Sentences to learn from.")] = 2000,
    dev: Annotated[int, typer.Option(help="Sentences to judge by.")] = 300,
    held_out: Annotated[int, typer.Option(help="Sentences from patterns of their own.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed writes the same sentences.")] = 0,
) -> None:
    """Write invented news in the layout of DuEE 1.0."""
    from companion.events import generate_corpus

    if language not in ("zh", "en"):
        raise DataError(f"--language is {language!r}; expected zh or en")
    corpus = generate_corpus(
        out, language=language, train=train, dev=dev, held_out=held_out, seed=seed
    )
    types = len(corpus.schema.types)
    typer.echo(f"{out}: {len(corpus.train)} + {len(corpus.dev)} sentences, {types} types of event")


def _chosen(out: Path, config: Path | None) -> LinkerConfig:
    """The configuration that the option names, or that the folder was begun with."""
    from companion.events.config import LinkerConfig
    from companion.events.train import SETTINGS

    begun = out / SETTINGS
    if config is not None or begun.is_file():
        return LinkerConfig.from_yaml(config or begun)
    return LinkerConfig()


def _schema(path: Path, *, triggers: bool) -> Schema:
    from companion.events import Schema

    return Schema.load(path, triggers=triggers)


def _policy(on_error: str) -> Literal["raise", "skip"]:
    if on_error in ("raise", "skip"):
        return on_error
    raise DataError(f"--on-error is {on_error!r}; expected raise or skip")


def _learnable(path: Path, schema: Schema, config: LinkerConfig, on_error: str) -> list[Document]:
    """The sentences of a file that are not too long; any vocabulary counts their tokens."""
    from companion.events.vocabulary import Vocabulary

    return _readable(path, schema, Vocabulary(config.tokens, ("a",)), config, on_error)[1]


def _readable(
    path: Path, schema: Schema, vocabulary: Vocabulary, config: LinkerConfig, on_error: str
) -> tuple[list[Document], list[Document]]:
    """The sentences of a file, and those that are not too long; what is skipped is listed."""
    from companion.events import read_duee
    from companion.events.sentences import short_enough

    policy = _policy(on_error)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each line is told below, not the first alone
        documents = read_duee(path, schema, on_error=policy)
        kept, long = short_enough(documents, vocabulary, longest=config.length, on_error=policy)
    skipped = [*documents.skipped, *long]
    for line in skipped:
        typer.echo(f"companion: skipped: {line}", err=True)
    if skipped:
        total = len(documents) + len(documents.skipped)
        typer.echo(f"companion: {path}: {len(skipped)} of {total} lines skipped", err=True)
    return [*documents], kept
