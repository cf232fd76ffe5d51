"""What passes between the judge and a learner's process: one line of JSON for each message.

Nothing is pickled, so nothing that comes back can run code where it is read. Numbers, text, tensors
and lists travel as they are; a function, or a value of any other type, stays where it is, and a
handle travels instead.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import torch
from torch import Tensor

from companion.errors import DataError

__all__ = ["LONGEST", "SHOWN", "Courier", "Opaque", "read_message", "write_message"]

SHOWN = 10_000  # characters of what a cell printed, or of an error
LONGEST = 64 * 2**20  # bytes of one message; what is longer is refused unread
PLAIN = (bool, int, float, str, type(None))
WRONG = (AttributeError, LookupError, TypeError, ValueError, RuntimeError, StopIteration)
KINDS: dict[str, type] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


class Opaque:
    """A value that stayed in the other process: it can be handed back, and knows its type."""

    def __init__(self, handle: int, kind: str) -> None:
        self.handle = handle
        self.kind = kind

    def __repr__(self) -> str:
        return f"<a {self.kind} of the answer>"


@dataclass
class Courier:
    """Writes values as JSON and reads them again, keeping what cannot travel.

    Args:
        call: calls a function of the other process: ``call(handle, arguments)``.
    """

    call: Callable[[int, list[Any]], Any]
    kept: list[Any] = field(default_factory=list)

    def write(self, value: Any) -> Any:
        """Return `value` as something that JSON holds.

        >>> Courier(print).write((1, [0.5, None]))
        {'tuple': [1, {'list': [0.5, None]}]}
        """
        if type(value) in PLAIN:
            return value if not isinstance(value, float) else _write_float(value)
        if isinstance(value, Tensor):
            return {"tensor": _write_array(value), "dtype": str(value.dtype)}
        if isinstance(value, dict):
            return {"dict": [[self.write(key), self.write(one)] for key, one in value.items()]}
        for name, kind in KINDS.items():
            if type(value) is kind:
                return {name: [self.write(one) for one in value]}
        if isinstance(value, Opaque):
            return {"yours": value.handle}
        self.kept.append(value)
        name = "function" if callable(value) else "value"
        return {name: len(self.kept) - 1, "kind": type(value).__name__}

    def read(self, told: Any) -> Any:
        """Return the value that `told`, made by ``write`` in the other process, stands for.

        Raises:
            DataError: if it is none.
        """
        if type(told) in PLAIN:
            return told
        try:
            return self._read(told)
        except WRONG as error:
            raise DataError(f"a message that holds no value: {str(told)[:80]}") from error

    def _read(self, told: dict[str, Any]) -> Any:
        name, content = next(iter(told.items()))
        if name == "float":
            return float(content)
        if name == "tensor":
            return _read_array(content, told["dtype"])
        if name == "dict":
            return {self.read(key): self.read(one) for key, one in content}
        if name in KINDS:
            return KINDS[name](self.read(one) for one in content)
        if name == "yours":
            return self.kept[int(content)]
        if name == "function":
            return lambda *arguments: self.call(int(content), list(arguments))
        if name == "value":
            return _foreign(int(content), str(told["kind"]))
        raise ValueError(name)


def _foreign(handle: int, kind: str) -> Opaque:
    """Return an ``Opaque`` whose type bears the name `kind`, for messages that name the type."""
    name = kind if kind.isidentifier() else "object"
    return type(name, (Opaque,), {})(handle, name)


def _write_float(value: float) -> Any:
    return value if value - value == 0 else {"float": repr(value)}  # JSON knows no nan and no inf


def _write_array(value: Tensor) -> list[Any]:
    plain = value.detach().cpu().contiguous()
    data = plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""
    return [list(plain.shape), base64.b64encode(data).decode("ascii")]


def _read_array(content: list[Any], dtype: str) -> Tensor:
    shape, data = content
    kind = getattr(torch, dtype.removeprefix("torch."))
    if not isinstance(kind, torch.dtype):
        raise ValueError(dtype)
    sizes = [int(size) for size in shape]
    if raw := bytearray(base64.b64decode(data)):
        return torch.frombuffer(raw, dtype=kind).reshape(sizes)
    if 0 not in sizes:  # a shape alone would be memory without a bound
        raise ValueError(sizes)
    return torch.empty(sizes, dtype=kind)


def write_message(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Write one message and hand it over at once."""
    stream.write(json.dumps(message).encode("ascii") + b"\n")
    stream.flush()


def read_message(line: bytes) -> dict[str, Any]:
    """Return the message of a line.

    Raises:
        DataError: if the line is none.

    >>> read_message(b'{"run": "1 + 1"}')
    {'run': '1 + 1'}
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"a line that is no message: {line[:60]!r}") from error
    if not isinstance(message, dict):
        raise DataError(f"a line that is no message: {line[:60]!r}")
    return message
