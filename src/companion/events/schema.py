"""Which events there are, and which roles each has: the file ``*_event_schema.json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from companion.errors import DataError
from companion.events.documents import TRIGGER
from companion.events.lines import Line, json_lines, write_lines

__all__ = ["ENUMERATED", "EventType", "Role", "Schema"]

ENUMERATED = "="  # between a role and one of its values, in the name of a label


@dataclass(frozen=True)
class Role:
    """A role; with ``values``, one that takes one of them instead of a span (DuEE-fin)."""

    name: str
    values: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The role's name, or one name for each of its values.

        >>> Role("stage", values=("plan", "done")).labels
        ('stage=plan', 'stage=done')
        """
        if not self.values:
            return (self.name,)
        return tuple(f"{self.name}{ENUMERATED}{value}" for value in self.values)


@dataclass(frozen=True)
class EventType:
    """A type of event, its roles, and the class that its file puts it in."""

    name: str
    roles: tuple[Role, ...]
    family: str = ""


@dataclass(frozen=True)
class Schema:
    """The types of events and their roles.

    A label is a pair of type and role; each is one thing that a span can be. A value of an
    enumerated role is a role of its own, whose span is the trigger's.

    Attributes:
        types: in the order of the file.
        triggers: whether the trigger is a role; without, readers leave triggers out.

    Raises:
        DataError: for no types, a type or role that stands twice, or a role called ``TRIGGER``.

    >>> schema = Schema((EventType("match", (Role("winner"), Role("loser"))),))
    >>> schema.labels
    (('match', '触发词'), ('match', 'winner'), ('match', 'loser'))
    >>> schema.index("match", "loser")
    2
    """

    types: tuple[EventType, ...]
    triggers: bool = True

    def __post_init__(self) -> None:
        if not self.types:
            raise DataError("the schema has no types; expected one at least")
        _unique([one.name for one in self.types], "the schema has the type")
        for one in self.types:
            roles = [label for role in one.roles for label in role.labels]
            _unique(roles, f"the type {one.name!r} has the role")
            if TRIGGER in roles:
                raise DataError(f"the type {one.name!r} has a role {TRIGGER!r}, the trigger's name")
            if not roles and not self.triggers:
                raise DataError(f"the type {one.name!r} has no roles; expected one at least")

    @classmethod
    def load(cls, path: Path | str, *, triggers: bool = True) -> Schema:
        """Read a schema: JSON lines ``{event_type, role_list: [{role, enum_items?}], class?}``.

        Args:
            path: of the file.
            triggers: whether the trigger shall be a role.

        Raises:
            DataError: if the file cannot be read or a line is no type; names file, line and field.
        """
        types = [_event_type(line) for line in json_lines(path)]
        try:
            return cls(tuple(types), triggers=triggers)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    @cached_property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """All pairs (event type, role), the trigger before the other roles of its type."""
        first = (TRIGGER,) if self.triggers else ()
        return tuple(
            (one.name, role)
            for one in self.types
            for role in (*first, *(label for role in one.roles for label in role.labels))
        )

    @cached_property
    def _numbers(self) -> dict[tuple[str, str], int]:
        return {label: number for number, label in enumerate(self.labels)}

    @cached_property
    def _types(self) -> dict[str, EventType]:
        return {one.name: one for one in self.types}

    def index(self, type: str, role: str) -> int:
        """Return the number of a label.

        Raises:
            DataError: for a type that there is not, or a role that the type has not.
        """
        number = self._numbers.get((type, role))
        if number is None:
            roles = [label for name, label in self.labels if name == self.type(type).name]
            raise DataError(f"role is {role!r}; {type!r} has {_listed(roles)}")
        return number

    def type(self, name: str) -> EventType:
        """Return the type of that name.

        Raises:
            DataError: if there is none.
        """
        if name not in self._types:
            found = f"event_type is {name!r}"
            raise DataError(f"{found}; the schema has {_listed([*self._types])}")
        return self._types[name]

    def written(self, type: str, role: str, text: str) -> tuple[str, str]:
        """Return role and text as a file has them: an enumerated role with its value again.

        >>> schema = Schema((EventType("listing", (Role("stage", values=("plan", "done")),)),))
        >>> schema.written("listing", "stage=done", "went public")
        ('stage', 'done')
        """
        for one in self.type(type).roles:
            if one.values and role in one.labels:
                return one.name, one.values[one.labels.index(role)]
        return role, text

    def find(self, type: str, role: str) -> Role:
        """Return the role of that name, with its values.

        Raises:
            DataError: for a type that there is not, or a role that the type has not.
        """
        roles = self.type(type).roles
        for one in roles:
            if one.name == role:
                return one
        raise DataError(f"role is {role!r}; {type!r} has {_listed([one.name for one in roles])}")

    def save(self, path: Path | str) -> None:
        """Write the schema as ``load`` reads it."""
        write_lines(path, [_entry(one) for one in self.types])


def _event_type(line: Line) -> EventType:
    roles = []
    for at, entry in enumerate(line.entries("role_list")):
        role = entry.string("role")
        values = tuple(entry.strings("enum_items")) if "enum_items" in entry.fields else ()
        if "enum_items" in entry.fields and not values:
            raise DataError(f"{line.where}: role_list[{at}].enum_items is empty; expected values")
        roles.append(Role(role, values))
    family = line.string("class") if "class" in line.fields else ""
    return EventType(line.string("event_type"), tuple(roles), family)


def _entry(one: EventType) -> dict[str, Any]:
    roles: list[dict[str, Any]] = [
        {"role": role.name} | ({"enum_items": [*role.values]} if role.values else {})
        for role in one.roles
    ]
    family = {"class": one.family} if one.family else {}
    return {"event_type": one.name, "role_list": roles} | family


def _unique(names: Sequence[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{what} {name!r} twice")


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
