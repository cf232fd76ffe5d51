"""JSON lines, with errors that name file, line and field."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from companion.errors import DataError

__all__ = ["Line", "json_lines", "write_lines"]

Found = TypeVar("Found")
MARK = b"\xef\xbb\xbf"  # the byte order mark, which some editors put before UTF-8


@dataclass(frozen=True)
class Line:
    """A JSON object in a file, or one inside it.

    Attributes:
        fields: what it holds.
        where: the file and the line, for messages.
        inside: the path to it within the line, such as ``event_list[0].``.
    """

    fields: Mapping[str, Any]
    where: str
    inside: str = ""

    def wrong(self, name: str, found: str) -> DataError:
        """Return the error for a field."""
        return DataError(f"{self.where}: {self.inside}{name} {found}")

    def known(self, look_up: Callable[..., Found], *names: str) -> Found:
        """Return what ``look_up`` finds under the names, and let its error say where they stand."""
        try:
            return look_up(*names)
        except DataError as error:
            raise DataError(f"{self.where}: {self.inside}{error}") from error

    def _field(self, name: str, kind: type | tuple[type, ...], expected: str) -> Any:
        if name not in self.fields:
            raise self.wrong(name, f"is missing; expected {expected}")
        value = self.fields[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.wrong(name, f"is {_shown(value)}; expected {expected}")
        return value

    def string(self, name: str) -> str:
        """Return a text that is not empty."""
        value = self._field(name, str, "a text")
        if not value.strip():
            raise self.wrong(name, "is empty; expected a text")
        return _sound(value, self, name)

    def name(self, name: str) -> str:
        """Return a text, or a whole number as one."""
        value = self._field(name, (str, int), "a text or a whole number")
        return str(value) if isinstance(value, int) else self.string(name)

    def number(self, name: str) -> int:
        """Return a whole number, 0 or more."""
        value = self._field(name, int, "a whole number, 0 or more")
        if value < 0:
            raise self.wrong(name, f"is {value}; expected a whole number, 0 or more")
        return value

    def strings(self, name: str) -> list[str]:
        """Return a list of texts."""
        values = self._field(name, list, "a list of texts")
        for at, value in enumerate(values):
            if not isinstance(value, str):
                raise self.wrong(f"{name}[{at}]", f"is {_shown(value)}; expected a text")
        return [_sound(value, self, f"{name}[{at}]") for at, value in enumerate(values)]

    def entries(self, name: str) -> Iterator[Line]:
        """Yield the objects of a list."""
        for at, value in enumerate(self._field(name, list, "a list of objects")):
            if not isinstance(value, dict):
                raise self.wrong(f"{name}[{at}]", f"is {_shown(value)}; expected an object")
            yield Line(value, self.where, f"{self.inside}{name}[{at}].")


def raw_lines(path: Path | str) -> Iterator[tuple[str, bytes]]:
    """Yield place and bytes of the lines that are not blank.

    Only ``\\n`` ends a line: a JSON text may hold the other line ends of Unicode.

    Raises:
        DataError: if the file cannot be read, or has no line that is not blank.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    lines = content.removeprefix(MARK).split(b"\n")
    found = [(f"{path}:{number}", line) for number, line in enumerate(lines, start=1)]
    found = [(where, line) for where, line in found if line.strip()]
    if not found:
        raise DataError(f"{path} is empty; expected JSON lines")
    yield from found


def parse(where: str, raw: bytes) -> Line:
    """Return the object on a line.

    Raises:
        DataError: if it is not UTF-8, no JSON, or no object.
    """
    try:
        value = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        found = f"byte {error.start} of the line is 0x{raw[error.start]:02x} ({error.reason})"
        raise DataError(f"{where}: {found}; expected UTF-8") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: no JSON at column {error.colno}: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # nested too deeply, or a number too long
        raise DataError(f"{where}: no JSON that can be read: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: the line is {_shown(value)}; expected an object")
    return Line(value, where)


def json_lines(path: Path | str) -> Iterator[Line]:
    """Yield the objects of a file, one a line.

    Raises:
        DataError: at the first line that is none.
    """
    for where, raw in raw_lines(path):
        yield parse(where, raw)


def write_lines(path: Path | str, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write one object a line, in UTF-8: the whole file, or none of it.

    Raises:
        DataError: if it cannot be written.
    """
    path = Path(path)
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    draft = path.with_name(path.name + ".draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(text.encode("utf-8"))
        os.replace(draft, path)
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        found = f"line {line} would hold {text[error.start]!a}"
        raise DataError(f"{path}: {found}; expected characters") from error
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def _sound(value: str, line: Line, name: str) -> str:
    """Refuse half of a surrogate pair, which JSON can escape and UTF-8 cannot write."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        found = f"holds {value[error.start]!a} at {error.start}"
        raise line.wrong(name, f"{found}; expected characters") from error
    return value


def _shown(value: object, longest: int = 40) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else text[:longest] + "…"
