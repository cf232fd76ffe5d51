"""Folders in the layout of DuEE 1.0: sentences that are made, and sentences that are read."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from companion.errors import DataError
from companion.events.chinese import CHINESE
from companion.events.documents import Document, Event
from companion.events.english import ENGLISH
from companion.events.reader import Documents, read_duee
from companion.events.schema import EventType, Role, Schema
from companion.events.submission import write_duee
from companion.events.templates import Language, Pattern, render

__all__ = ["Corpus", "generate_corpus", "read_corpus"]

SCHEMA, TRAIN, DEV = "duee_event_schema.json", "duee_train.json", "duee_dev.json"
TESTS = ("duee_test1.json", "duee_test2.json")
HELD_OUT = "duee_held_out.json"  # not DuEE's: sentences from patterns that no other file has
LANGUAGES = {"zh": CHINESE, "en": ENGLISH}


@dataclass(frozen=True)
class Corpus:
    """What a folder holds.

    Attributes:
        schema: of all its files.
        train: sentences to learn from.
        dev: sentences to judge by.
        held_out: sentences from patterns that neither of these has; empty in a folder without.
        test: sentences without events; empty in a folder without.
    """

    schema: Schema
    train: Documents
    dev: Documents
    held_out: Documents
    test: Documents


def read_corpus(
    folder: Path | str,
    *,
    schema: Path | str | None = None,
    triggers: bool = True,
    on_error: Literal["raise", "skip"] = "raise",
) -> Corpus:
    """Read ``duee_event_schema.json``, ``duee_train.json``, ``duee_dev.json`` and, where they are
    there, ``duee_test1.json`` or ``duee_test2.json``, and what ``generate_corpus`` holds out.

    Args:
        folder: of DuEE 1.0, or of ``generate_corpus``.
        schema: another schema than the folder's.
        triggers: whether the trigger shall be a role.
        on_error: see ``read_duee``.

    Raises:
        DataError: for a file that is missing or wrong; names file, line and field.
    """
    folder = Path(folder)
    known = Schema.load(folder / SCHEMA if schema is None else schema, triggers=triggers)

    def read(name: str) -> Documents:
        return read_duee(folder / name, known, on_error=on_error)

    tests = [name for name in TESTS if (folder / name).is_file()]
    return Corpus(
        known,
        read(TRAIN),
        read(DEV),
        read(HELD_OUT) if (folder / HELD_OUT).is_file() else Documents(),
        read(tests[0]) if tests else Documents(),
    )


def generate_corpus(
    folder: Path | str,
    *,
    language: Literal["zh", "en"] = "zh",
    train: int = 2000,
    dev: int = 300,
    held_out: int = 300,
    beyond: int | float = 0.02,
    seed: int = 0,
) -> Corpus:
    """Write sentences in the layout of DuEE 1.0, and return what the reader makes of them.

    Invented news of seven types, with one to three events: several of one type, of one trigger,
    with common arguments, with spans inside others. No sentence stands in two files. The sentences
    held out come from patterns of their own. All follows from the seed.

    Args:
        folder: to write to; made if it is not there.
        language: Chinese, to be read by characters, or English, by words or characters.
        train: how many sentences to learn from.
        dev: how many to judge by; as many without events are in ``duee_test1.json``.
        held_out: how many from patterns held out.
        beyond: the share of sentences whose events no model of this kind can tell apart: one span
            has two roles in two events of one type (``is_recoverable`` is False).
        seed: of the choices.

    Raises:
        DataError: for an unknown language, no sentences, a share outside 0 to 1, or more sentences
            than there are.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     corpus = generate_corpus(folder, language="en", train=20, dev=5, held_out=5)
    >>> len(corpus.train), len(corpus.schema.types), corpus.test[0].labelled
    (20, 7, False)
    """
    if language not in LANGUAGES:
        raise DataError(f"language is {language!r}; expected one of {sorted(LANGUAGES)}")
    if min(train, dev, held_out) < 1 or not 0 <= beyond <= 1:
        found = f"train is {train}, dev {dev}, held_out {held_out}, beyond {beyond}"
        raise DataError(f"{found}; expected at least one sentence each, and a share from 0 to 1")
    folder, chosen = Path(folder), LANGUAGES[language]
    generator = random.Random(f"{language} {seed}")
    learned = [one for one in chosen.patterns if not one.held_out]
    kept = [one for one in chosen.patterns if one.held_out]
    seen: set[str] = set()

    def write(count: int, name: str, patterns: Sequence[Pattern], share: int | float) -> None:
        def draw() -> tuple[str, tuple[Event, ...]]:
            few = generator.random() < share
            some = [generator.choice(chosen.beyond)] if few else _chosen(patterns, generator)
            return render(some, chosen, generator)

        write_duee(folder / name, _fresh(count, draw, seen, labelled=name not in TESTS), schema)

    schema = _schema(chosen)
    schema.save(folder / SCHEMA)
    write(train, TRAIN, learned, beyond)
    write(dev, DEV, learned, beyond)
    write(held_out, HELD_OUT, kept, 0)
    write(dev, TESTS[0], learned, beyond)
    return read_corpus(folder)


def _chosen(patterns: Sequence[Pattern], generator: random.Random) -> list[Pattern]:
    """Return patterns with one to three events together."""
    several = [one for one in patterns if len(one.types) > 1]
    single = [one for one in patterns if len(one.types) == 1]
    kind = generator.choices(("one", "several", "two", "three"), weights=(35, 35, 18, 12))[0]
    if kind == "several":
        return [generator.choice(several)]
    first = generator.choice(single)
    if kind == "one":
        return [first]
    if kind == "three":
        pairs = [one for one in several if len(one.types) == 2]
        return generator.sample([first, generator.choice(pairs)], 2)
    same = [one for one in single if one.types == first.types]
    return [first, generator.choice(same if generator.random() < 0.5 else single)]


def _fresh(
    count: int,
    draw: Callable[[], tuple[str, tuple[Event, ...]]],
    seen: set[str],
    *,
    labelled: bool,
) -> list[Document]:
    """Return documents whose texts nobody has seen."""
    found: list[Document] = []
    for _ in range(100 * count):
        text, events = draw()
        if text not in seen:
            seen.add(text)
            name = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
            found.append(Document(name, text, events if labelled else (), labelled))
            if len(found) == count:
                return found
    raise DataError(f"{count} sentences asked for, {len(found)} are there; expected fewer")


def _schema(language: Language) -> Schema:
    return Schema(
        tuple(
            EventType(kind, tuple(Role(role) for role in roles))
            for kind, roles in language.roles.items()
        )
    )
