"""What a sentence holds: arguments, and the events that they form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["TRIGGER", "Argument", "Document", "Event", "ordered"]

TRIGGER = "触发词"
"""The role of the trigger: for this room it is an argument like any other."""


@dataclass(frozen=True, order=True)
class Argument:
    """A span of a sentence in a role: ``text[start:end]``, counted in characters from 0.

    Attributes:
        role: its name in the schema, or ``TRIGGER``.
        start: the first character.
        end: the character after the last.
        text: what stands there.
        aliases: other ways to say it, which the official score accepts; they tell no argument
            from another.

    >>> Argument("winner", 0, 2, "Li") == Argument("winner", 0, 2, "Li", aliases=("Li Na",))
    True
    """

    role: str
    start: int
    end: int
    text: str
    aliases: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Event:
    """A type and a set of arguments, the trigger among them where the schema has triggers.

    >>> event = Event("match", frozenset({Argument("winner", 0, 2, "Li")}))
    >>> event.trigger is None
    True
    """

    type: str
    arguments: frozenset[Argument]

    @property
    def trigger(self) -> Argument | None:
        """The first argument in the role ``TRIGGER``, or None."""
        return min((one for one in self.arguments if one.role == TRIGGER), default=None)


@dataclass(frozen=True)
class Document:
    """A sentence and its events.

    Attributes:
        id: its name in the file, unique there.
        text: the sentence.
        events: as they are listed; two may be equal.
        labelled: False in test data, whose events nobody tells.
        source: where it was read, as ``file:line``; tells no document from another.
    """

    id: str
    text: str
    events: tuple[Event, ...] = ()
    labelled: bool = True
    source: str = field(default="", compare=False)


def ordered(events: Iterable[Event]) -> list[Event]:
    """Return events in an order that depends on nothing but them.

    >>> a, b = (Argument("winner", at, at + 2, "Li") for at in (0, 5))
    >>> [len(e.arguments) for e in ordered(Event("m", frozenset(x)) for x in ([b], [a, b]))]
    [2, 1]
    """
    return sorted(events, key=lambda event: (event.type, sorted(event.arguments)))
