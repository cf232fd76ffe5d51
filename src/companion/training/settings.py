"""Settings by name: nested frozen dataclasses from YAML files and from ``net.base=64``.

Every complaint names the file and the line (or the option), the key, and what was expected there.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from companion.errors import DataError

__all__ = ["amend", "plain", "read_options", "read_yaml"]

Place = Callable[[str], str]
Settings = TypeVar("Settings")
SCIENTIFIC = re.compile(
    r"[+-]?\d+(\.\d*)?[eE][+-]?\d+"
)  # PyYAML takes 2e-4, without a dot, as text


def read_yaml(path: Path) -> tuple[dict[str, Any], Place]:
    """Return what a YAML file holds, and a function from a dotted key to "file:line: key".

    Raises:
        DataError: if it cannot be read, is no YAML, holds no keys, or holds one twice.
    """
    try:
        text = path.read_text("utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: is no YAML: {' '.join(str(error).split())}") from error
    lines: dict[str, int] = {}
    for key, line in _lines(tree):
        if key in lines:
            raise DataError(f"{path}:{line}: {key} was set before, in line {lines[key]}")
        lines[key] = line
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise DataError(f"{path}: holds a {type(values).__name__}; expected keys and values")
    return values, lambda key: f"{path}:{lines[key]}: {key}" if key in lines else f"{path}: {key}"


def _lines(node: yaml.Node | None, prefix: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for name, entry in node.value:
            key = f"{prefix}{name.value}"
            yield key, name.start_mark.line + 1
            yield from _lines(entry, f"{key}.")


def read_options(options: Iterable[str]) -> dict[str, Any]:
    """Return the nested settings of options such as ``net.base=64``; the last of a name counts.

    >>> read_options(["net.base=64", "net.multipliers=[1, 2]"])
    {'net': {'base': 64, 'multipliers': [1, 2]}}

    Raises:
        DataError: if there is no ``=``, or what follows it is no YAML value.
    """
    values: dict[str, Any] = {}
    for option in options:
        key, sign, text = option.partition("=")
        if not sign or not key.strip():
            raise DataError(f"--set {option}: expected KEY=VALUE, such as net.base=64")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise DataError(f"--set {option}: {text!r} cannot be read as a value") from None
        *parents, name = key.strip().split(".")
        inner = values
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise DataError(f"--set {option}: {parent} was set to {inner!r} before")
        inner[name] = value
    return values


def plain(settings: Any) -> Any:
    """Return nested settings as dicts, lists and numbers, for YAML and JSON."""
    if is_dataclass(settings):
        return {field.name: plain(getattr(settings, field.name)) for field in fields(settings)}
    return list(settings) if isinstance(settings, tuple) else settings


def amend(settings: Settings, changes: Mapping[str, Any], place: Place) -> Settings:
    """Return `settings` with some values replaced, each checked against its declared type.

    Args:
        settings: a frozen dataclass, whose fields may be such again.
        changes: nested like `settings`.
        place: what a message says about where a dotted key was found.

    Raises:
        DataError: for a name that is none, a value of a wrong type, or one the dataclass refuses.
    """
    return _amend(settings, changes, place, prefix="", known=[*_keys(settings)])


def _amend(
    settings: Any, changes: Mapping[str, Any], place: Place, *, prefix: str, known: list[str]
) -> Any:
    hints = get_type_hints(type(settings))
    new = {}
    for name, entry in changes.items():
        key = f"{prefix}{name}"
        if name not in hints:
            raise DataError(f"{place(key)} is unknown; {_nearest(key, known)}")
        old = getattr(settings, name)
        if not is_dataclass(old):
            new[name] = _converted(entry, hints[name], place(key))
        elif isinstance(entry, Mapping):
            new[name] = _amend(old, entry, place, prefix=f"{key}.", known=known)
        else:
            names = ", ".join(field.name for field in fields(old))
            raise DataError(f"{place(key)} is {entry!r}; expected some of the keys {names}")
    try:
        return replace(settings, **new)
    except DataError as error:
        raise DataError(f"{place(prefix.rstrip('.') or 'settings')}: {error}") from None


def _keys(settings: Any, prefix: str = "") -> Iterator[str]:
    for field in fields(settings):
        value = getattr(settings, field.name)
        yield f"{prefix}{field.name}"
        if is_dataclass(value):
            yield from _keys(value, f"{prefix}{field.name}.")


def _nearest(key: str, known: list[str]) -> str:
    """The known key most like one that is unknown, by its last part or as a whole."""
    leaf = key.rpartition(".")[2]
    for pool, word in (
        ({k: k for k in known}, key),
        ({k.rpartition(".")[2]: k for k in known}, leaf),
    ):
        if found := difflib.get_close_matches(word, pool, n=1, cutoff=0.75):
            return f"the nearest known key is {pool[found[0]]}"
    group = key.rpartition(".")[0]
    names = [k for k in known if k.rpartition(".")[0] == group] or known
    return f"known keys are {', '.join(names)}"


def _converted(entry: Any, hint: Any, where: str) -> Any:
    """`entry` as a value of the declared type: an int passes as a float, a list as a tuple."""
    kind, choices = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        rest = [choice for choice in choices if choice is not NoneType]
        return None if entry is None else _converted(entry, rest[0], where)
    if kind is Literal:
        if entry in choices:
            return entry
        raise DataError(f"{where} is {entry!r}; expected one of {', '.join(map(str, choices))}")
    if kind is tuple:
        if isinstance(entry, list | tuple):
            return tuple(_converted(item, choices[0], where) for item in entry)
        raise DataError(f"{where} is {entry!r}; expected a list such as [1, 2]")
    if isinstance(entry, str) and hint in (int, float) and SCIENTIFIC.fullmatch(entry):
        entry = float(entry)
    if hint is int and isinstance(entry, float) and entry.is_integer():
        entry = int(entry)
    if hint is float and isinstance(entry, int) and not isinstance(entry, bool):
        entry = float(entry)
    if type(entry) is hint and not (isinstance(entry, float) and not math.isfinite(entry)):
        return entry
    expected = {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}
    raise DataError(f"{where} is {entry!r}; expected {expected[hint]}")
