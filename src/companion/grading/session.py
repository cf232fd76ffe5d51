"""The judge's end of the pipe: cells are run, and functions called, in a learner's process."""

from __future__ import annotations

import builtins
import os
import select
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from companion.errors import CompanionError, DataError
from companion.grading.court import START
from companion.grading.message import (
    LONGEST,
    SHOWN,
    Courier,
    read_message,
    write_message,
)
from companion.grading.sandbox import Limits, Sandbox

__all__ = ["Ended", "Session"]


class Ended(BaseException):
    """The learner's process has ended, or was stopped; the message says why.

    Not an ``Exception``: the judge of an exercise reports what an answer raises, and must not take
    the end of the process for that.
    """


class RaisedError(Exception):
    """Stands for an exception that is not one of Python's own."""


class Session(AbstractContextManager["Session"]):
    """A learner's process, with the names that its cells have defined.

    Args:
        limits: what it may use.
        deadline: ``time.monotonic()`` at which it is stopped, whatever it does.
    """

    def __init__(self, limits: Limits, deadline: float) -> None:
        self.limits = limits
        self.deadline = deadline
        self._folder = tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True)
        self._sandbox = Sandbox(limits, Path(self._folder.name))
        self._courier = Courier(self._call)
        self._rest = b""
        self._cell_ends = time.monotonic() + START
        try:
            self._receive()
        except Ended as ended:
            self.close()
            raise CompanionError(f"a process for grading does not start: {ended}") from ended

    @property
    def folder(self) -> str:
        """Where the process writes to when nothing shuts it in; gone with the session."""
        return self._folder.name

    @property
    def pid(self) -> int:
        """The number of the process, which leads a group of its own."""
        return self._sandbox.process.pid

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and remove what it has written."""
        self._sandbox.close()
        self._folder.cleanup()

    def allow(self) -> None:
        """Let the time of one cell begin."""
        self._cell_ends = time.monotonic() + self.limits.cell_seconds

    def run(self, source: str) -> tuple[str, str | None]:
        """Run a cell; return what it printed, and its error if it raised one.

        Raises:
            Ended: if the process does not live on.
        """
        self.allow()
        told = self._exchange({"run": source})
        error = told.get("error")
        return legible(told.get("printed", "")), None if error is None else legible(error)

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function that calls what the cells called `name`, over there."""
        return lambda *inputs: self._call(name, list(inputs))

    def _call(self, name: str | int, inputs: list[Any]) -> Any:
        told = self._exchange({"call": name, "with": [self._courier.write(one) for one in inputs]})
        if "raised" in told:
            raise _error(legible(told["raised"]), legible(told.get("words", "")))
        try:
            value = self._courier.read(told["value"])
            after = [self._courier.read(one) for one in told["inputs"]]
        except (DataError, KeyError, TypeError) as error:
            raise self._end("it wrote to the judge's pipe") from error
        for given, changed in zip(inputs, after, strict=False):
            _bring_back(given, changed)
        return value

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send one message; answer what is asked back; return the answer."""
        self._send(message)
        while "call" in (told := self._receive()):
            self._send(self._serve(told))
        return told

    def _serve(self, told: dict[str, Any]) -> dict[str, Any]:
        """Call a function of this process for the learner's."""
        try:
            function = self._courier.kept[told["call"]]
            value = function(*(self._courier.read(one) for one in told["with"]))
        except Exception as error:
            return {"raised": type(error).__name__, "words": str(error)}
        return {"value": self._courier.write(value)}

    def _send(self, message: dict[str, Any]) -> None:
        try:
            write_message(self._sandbox.outgoing, message)
        except BrokenPipeError:
            raise self._end("it ended by itself") from None

    def _receive(self) -> dict[str, Any]:
        try:
            return read_message(self._line())
        except DataError:
            raise self._end("it wrote to the judge's pipe") from None
        except MemoryError:  # a line may have been lost with it, so nothing more can be read
            raise self._end("it sent more than its judge can hold") from None

    def _line(self) -> bytes:
        end = min(self._cell_ends, self.deadline)
        pipe = self._sandbox.incoming.fileno()
        parts = [self._rest]
        size = len(self._rest)
        while b"\n" not in parts[-1]:
            left = end - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise self._end("its time was up")
            parts.append(os.read(pipe, 2**20))
            size += len(parts[-1])
            if not parts[-1]:
                raise self._end("it ended by itself")
            if size > LONGEST:
                raise self._end(f"it sent more than {LONGEST // 2**20} MiB at once")
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line

    def _end(self, reason: str) -> Ended:
        """Stop the process; what stopped it first is the reason."""
        with suppress(OSError):
            self._sandbox.stop(reason)
        return Ended(self._sandbox.stopped)


def legible(said: object) -> str:
    """What came from over there as text of a bounded length that can be written to a file.

    >>> legible("a\\ud800"), len(legible("x" * 10**6))
    ('a?', 10000)
    """
    return str(said)[:SHOWN].encode("utf-8", "replace").decode("utf-8")


def _error(kind: str, words: str) -> Exception:
    known = getattr(builtins, kind, None)
    if isinstance(known, type) and issubclass(known, Exception):
        return known(words)
    name = kind if kind.isidentifier() else "Exception"
    return type(name, (RaisedError,), {})(words)


def _bring_back(given: Any, changed: Any) -> None:
    """Change `given` as it was over there: the judge asks whether inputs were left alone."""
    if isinstance(given, Tensor) and isinstance(changed, Tensor) and given.shape == changed.shape:
        given.detach().copy_(changed)
