"""Writing files of DuEE: labelled sentences, and predictions as the judges read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from companion.errors import DataError
from companion.events.documents import TRIGGER, Document, Event, ordered
from companion.events.lines import Line, json_lines, write_lines
from companion.events.schema import Schema

__all__ = ["Answer", "answers", "read_submission", "write_duee", "write_submission"]


class Answer(NamedTuple):
    """An event as a submission has it: the words of its arguments, neither places nor trigger."""

    type: str
    arguments: tuple[tuple[str, str], ...]  # role and text


def answers(events: Iterable[Event], schema: Schema) -> list[Answer]:
    """Return events as a submission has them, in an order of their own.

    The trigger is left out, and the value of an enumerated role stands in its place again.

    >>> from companion.events import Argument, EventType, Role
    >>> schema = Schema((EventType("match", (Role("winner"),)),))
    >>> won = frozenset({Argument("winner", 0, 2, "Li"), Argument(TRIGGER, 3, 6, "won")})
    >>> answers([Event("match", won)], schema)
    [Answer(type='match', arguments=(('winner', 'Li'),))]
    """
    return [
        Answer(
            event.type,
            tuple(
                schema.written(event.type, one.role, one.text)
                for one in sorted(event.arguments)
                if one.role != TRIGGER
            ),
        )
        for event in ordered(events)
    ]


def write_submission(
    path: Path | str, predicted: Mapping[str, Sequence[Event]], schema: Schema
) -> None:
    """Write predictions: ``{"id", "event_list": [{"event_type", "arguments": [{"role",
    "argument"}]}]}``, one sentence a line.

    Args:
        path: of the file.
        predicted: events by the id of the sentence.
        schema: of the events.
    """
    write_lines(
        path,
        (
            {
                "id": name,
                "event_list": [
                    {
                        "event_type": answer.type,
                        "arguments": [
                            {"role": role, "argument": text} for role, text in answer.arguments
                        ],
                    }
                    for answer in answers(events, schema)
                ],
            }
            for name, events in predicted.items()
        ),
    )


def read_submission(path: Path | str, schema: Schema) -> dict[str, list[Answer]]:
    """Read predictions, by the id of the sentence.

    Raises:
        DataError: for a line that is wrong, a type or role outside the schema, or an id that
            stands twice; names file, line and field.
    """
    found: dict[str, list[Answer]] = {}
    for line in json_lines(path):
        name = line.name("id")
        if name in found:
            raise line.wrong("id", f"is {name!r}, as before; expected a new one")
        found[name] = []
        for entry in line.entries("event_list"):
            kind = entry.known(schema.type, entry.string("event_type")).name
            arguments = (_argument(one, kind, schema) for one in entry.entries("arguments"))
            found[name].append(Answer(kind, tuple(arguments)))
    return found


def _argument(entry: Line, kind: str, schema: Schema) -> tuple[str, str]:
    role, text = entry.known(schema.find, kind, entry.string("role")), entry.string("argument")
    if role.values and text not in role.values:
        raise entry.wrong("argument", f"is {text!r}; {role.name!r} has {list(role.values)}")
    return role.name, text


def write_duee(path: Path | str, documents: Iterable[Document], schema: Schema) -> None:
    """Write documents as ``read_duee`` reads them.

    Raises:
        DataError: for an event with two triggers, for which the format has no place.
    """
    write_lines(path, (_line(document, schema) for document in documents))


def _line(document: Document, schema: Schema) -> dict[str, Any]:
    line: dict[str, Any] = {"text": document.text, "id": document.id}
    if document.labelled:
        line["event_list"] = [_entry(event, schema) for event in document.events]
    return line


def _entry(event: Event, schema: Schema) -> dict[str, Any]:
    entry: dict[str, Any] = {"event_type": event.type}
    trigger = event.trigger
    others = sorted(event.arguments - {trigger})
    if twice := [one for one in others if one.role == TRIGGER]:
        raise DataError(f"{event.type!r} has the triggers {[trigger, *twice]}; expected one")
    if trigger is not None:
        entry |= {"trigger": trigger.text, "trigger_start_index": trigger.start}
    entry["arguments"] = []
    for one in others:
        role, text = schema.written(event.type, one.role, one.text)
        spanned = {} if role != one.role else {"argument_start_index": one.start}
        entry["arguments"].append(
            {"role": role, "argument": text, **spanned, "alias": [*one.aliases]}
        )
    family = schema.type(event.type).family
    return entry | ({"class": family} if family else {})
