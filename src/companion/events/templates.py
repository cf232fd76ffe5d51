"""Sentences from patterns, which say what of them is an argument of which event.

A pattern is text with slots in braces. ``{1 winner}`` is filled with a word that fits the role, and
is the winner of event 1; ``{12 winner}`` is that of the events 1 and 2; ``{1 trigger:beat}`` has
its words with it; ``{1 fired:{1 company}'s {#count} engineers}`` holds another slot; ``{#count}``
is filled and is no argument.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from companion.errors import DataError
from companion.events.documents import TRIGGER, Argument, Event

__all__ = ["Language", "Pattern", "patterns_of", "render"]

SLOT = re.compile(r"\{(?:(?P<events>\d+) (?P<role>[^:{}]+)(?P<holds>:)?|#(?P<kind>\w+))")


@dataclass(frozen=True)
class Pattern:
    """A sentence with slots.

    Attributes:
        types: of the events 1, 2, … in it.
        text: the pattern.
        held_out: kept for sentences that no model learns from.
    """

    types: tuple[str, ...]
    text: str
    held_out: bool = False


def patterns_of(
    texts: Mapping[tuple[str, ...], Sequence[str]], *, held_out: bool = False
) -> list[Pattern]:
    """Return the patterns of a table that has the types of their events as keys."""
    return [Pattern(types, text, held_out) for types, some in texts.items() for text in some]


@dataclass(frozen=True)
class Language:
    """What sentences of a language are made of.

    Attributes:
        roles: for each type its roles, each with the kind of words that fill it.
        words: for each kind lists of parts; one of each is chosen, and they are strung together.
        patterns: of one event or several.
        beyond: patterns whose events no model of this kind can tell apart.
        joints: what may stand between two patterns, and between them and a third.
        stop: the end of a sentence.
        trigger: the name of the trigger in patterns.
    """

    roles: Mapping[str, Mapping[str, str]]
    words: Mapping[str, Sequence[Sequence[str]]]
    patterns: Sequence[Pattern]
    beyond: Sequence[Pattern]
    joints: Sequence[str]
    stop: str
    trigger: str


@dataclass
class _Writing:
    """A sentence that grows."""

    language: Language
    generator: random.Random
    text: str = ""
    used: set[str] = field(default_factory=set)
    arguments: list[tuple[int, Argument]] = field(default_factory=list)

    def word(self, kind: str) -> str:
        """Return a word that the sentence does not have yet."""
        for _ in range(100):
            parts = (self.generator.choice(part) for part in self.language.words[kind])
            word = "".join(parts)
            if word not in self.used:
                self.used.add(word)
                return word
        raise DataError(f"no further word of the kind {kind!r}; {sorted(self.used)} are used")

    def fill(self, pattern: str, types: Sequence[str], first: int, at: int = 0) -> int:
        """Write a pattern from ``at`` to its end, or to the brace that closes it."""
        while at < len(pattern):
            if pattern[at] == "}":
                return at
            slot = SLOT.match(pattern, at)
            if slot is None:
                self.text += pattern[at]
                at += 1
                continue
            start, at = len(self.text), slot.end()
            events = [int(digit) for digit in slot["events"] or ""]
            if slot["holds"]:
                at = self.fill(pattern, types, first, at)
            elif slot["kind"]:
                self.text += self.word(slot["kind"])
            else:
                self.text += self.word(self.language.roles[types[events[0] - 1]][slot["role"]])
            role = TRIGGER if slot["role"] == self.language.trigger else slot["role"]
            for event in events:
                argument = Argument(role, start, len(self.text), self.text[start:])
                self.arguments.append((first + event - 1, argument))
            at += 1
        return at


def render(
    patterns: Sequence[Pattern], language: Language, generator: random.Random
) -> tuple[str, tuple[Event, ...]]:
    """Return a sentence of several patterns, and its events.

    Args:
        patterns: one after another, with a joint between two.
        language: where the words come from.
        generator: of the choices.
    """
    writing = _Writing(language, generator)
    types: list[str] = []
    for pattern in patterns:
        if types:
            writing.text += generator.choice(language.joints)
        writing.fill(pattern.text, pattern.types, len(types))
        types += pattern.types
    text = writing.text + language.stop
    text = text[0].upper() + text[1:]
    # cut anew: the first word has become larger
    arguments = [
        (event, replace(one, text=text[one.start : one.end])) for event, one in writing.arguments
    ]
    events = (
        Event(kind, frozenset(one for event, one in arguments if event == number))
        for number, kind in enumerate(types)
    )
    return text, tuple(events)
