"""Files of DuEE: from JSON lines to documents and back, and the format of a submission."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from companion.errors import DataError
from companion.events.documents import TRIGGER, Argument, Document, Event
from companion.events.lines import Line, parse, raw_lines
from companion.events.schema import ENUMERATED, Schema

__all__ = ["Documents", "SkippedLines", "read_duee"]


class SkippedLines(UserWarning):
    """Lines of a file were left out, as ``on_error="skip"`` asks."""


class Documents(list[Document]):
    """What was read, in the order of the file, and what was not.

    Attributes:
        skipped: one message for each line that was left out, with its place.
    """

    def __init__(self, documents: Iterable[Document] = (), *, skipped: Iterable[str] = ()) -> None:
        super().__init__(documents)
        self.skipped = tuple(skipped)


def read_duee(
    path: Path | str,
    schema: Schema,
    *,
    on_error: Literal["raise", "skip"] = "raise",
    locate: bool = False,
) -> Documents:
    """Read sentences and their events from a file of DuEE's format.

    JSON lines ``{text, id, event_list: [{event_type, trigger, trigger_start_index,
    arguments: [{argument, role, argument_start_index, alias}]}]}``. Without ``event_list`` the
    document is test data (``labelled`` is False). Byte order mark, blank lines and ``\\r\\n`` are
    accepted. An argument that is listed twice in one event is one argument. A schema without
    triggers leaves them out.

    Args:
        path: of the file.
        schema: the types and roles that may occur.
        on_error: what to do with a line that is wrong: stop, or leave it out, list it in
            ``skipped`` and say so in a warning.
        locate: where an index is missing (DuEE-fin has none), take the first place in the text.

    Raises:
        DataError: for a file that cannot be read or holds nothing; with ``"raise"``, for the first
            line that is wrong: names file, line and field.

    >>> import tempfile
    >>> from companion.events import EventType, Role, write_duee
    >>> schema = Schema((EventType("match", (Role("winner"),)),), triggers=False)
    >>> won = Event("match", frozenset({Argument("winner", 0, 2, "Li")}))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_duee(f"{folder}/dev.json", [Document("7", "Li won", (won,))], schema)
    ...     (document,) = read_duee(f"{folder}/dev.json", schema)
    >>> document.events == (won,), document.source.endswith("dev.json:1")
    (True, True)
    """
    if on_error not in ("raise", "skip"):
        raise DataError(f"on_error is {on_error!r}; expected 'raise' or 'skip'")
    found, skipped, lines = [], [], {}
    for where, raw in raw_lines(path):
        try:
            line = parse(where, raw)
            document = _document(line, schema, locate=locate)
            if document.id in lines:
                first = lines[document.id]
                raise line.wrong("id", f"is {document.id!r}, as at {first}; expected a new one")
        except DataError as error:
            if on_error == "raise":
                raise
            skipped.append(str(error))
            continue
        lines[document.id] = where
        found.append(document)
    if skipped:
        total = len(found) + len(skipped)
        message = f"{path}: {len(skipped)} of {total} lines skipped; the first: {skipped[0]}"
        warnings.warn(message, SkippedLines, stacklevel=2)
    return Documents(found, skipped=skipped)


def _document(line: Line, schema: Schema, *, locate: bool) -> Document:
    name, text = line.name("id"), line.string("text")
    labelled = "event_list" in line.fields
    entries = line.entries("event_list") if labelled else ()
    events = tuple(_event(entry, text, schema, locate=locate) for entry in entries)
    return Document(name, text, events, labelled, line.where)


def _event(entry: Line, text: str, schema: Schema, *, locate: bool) -> Event:
    kind = entry.known(schema.type, entry.string("event_type")).name
    trigger = None
    if schema.triggers or "trigger" in entry.fields:
        trigger = _span(entry, "trigger", "trigger_start_index", text, locate=locate)
    arguments = {
        _argument(one, kind, text, schema, trigger, locate=locate)
        for one in entry.entries("arguments")
    }
    if schema.triggers and trigger is not None:
        arguments.add(Argument(TRIGGER, *trigger))
    return Event(kind, frozenset(arguments))


def _argument(
    entry: Line,
    kind: str,
    text: str,
    schema: Schema,
    trigger: tuple[int, int, str] | None,
    *,
    locate: bool,
) -> Argument:
    role = entry.known(schema.find, kind, entry.string("role"))
    if role.values:
        value = entry.string("argument")
        if value not in role.values:
            raise entry.wrong("argument", f"is {value!r}; {role.name!r} has {list(role.values)}")
        if trigger is None:
            expected = f"a trigger, whose span stands for {role.name!r}"
            raise entry.wrong("argument", f"is {value!r}; expected {expected}")
        return Argument(f"{role.name}{ENUMERATED}{value}", *trigger)
    aliases = tuple(entry.strings("alias")) if "alias" in entry.fields else ()
    span = _span(entry, "argument", "argument_start_index", text, locate=locate)
    return Argument(role.name, *span, aliases=aliases)


def _span(entry: Line, what: str, index: str, text: str, *, locate: bool) -> tuple[int, int, str]:
    span = entry.string(what)
    if locate and index not in entry.fields:
        start = text.find(span)
        if start < 0:
            raise entry.wrong(what, f"is {span!r}, which does not stand in the text")
        return start, start + len(span), span
    start = entry.number(index)
    found = text[start : start + len(span)]
    if found != span:
        at = text.find(span)
        there = f"it stands at {at}" if at >= 0 else "it stands nowhere in the text"
        raise entry.wrong(index, f"is {start}, where {found!r} stands; expected {span!r} ({there})")
    return start, start + len(span), span
