"""The court: one process that has imported what judges need, and forks another for each trial.

A judge computes with what a learner's function has returned, so it may loop or eat memory as the
learner's own process may. It sits in a process of its own, which can be killed at any moment.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import psutil

import companion
from companion.errors import CompanionError
from companion.grading.message import read_message, write_message
from companion.grading.sandbox import end_family

__all__ = ["PID", "START", "Court", "Trial"]

START = 60.0  # seconds for importing torch on a busy machine
PID = 8  # bytes in which the court says which process it has forked


class Court(AbstractContextManager["Court"]):
    """The process that forks; started for the first trial, and again when it has died.

    Args:
        modules: where the exercises are, imported once for all trials.
    """

    def __init__(self, modules: Iterable[str]) -> None:
        self.modules = sorted(set(modules))
        self._lock = threading.Lock()
        self.closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._control = socket.socket()

    def _start(self) -> subprocess.Popen[bytes]:
        self._control.close()
        self._control, theirs = socket.socketpair()
        self._control.settimeout(START)
        home = [str(Path(companion.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        words = [sys.executable, "-s", "-P", "-m", "companion.grading.trial"]
        process = subprocess.Popen(
            [*words, str(theirs.fileno()), *self.modules],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, home)),
                "OMP_NUM_THREADS": "1",  # more threads than one, and forking is not safe
            },
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the process that grades, which then closes this
        )
        theirs.close()
        return process

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """End the court and every trial: it kills them when its pipe closes."""
        self.closed = True
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for a process
        with self._lock:
            self._control.close()
            if self._process is None:
                return
            try:
                self._process.wait(START)
            except subprocess.TimeoutExpired:
                end_family(psutil.Process(self._process.pid))
                self._process.wait()

    def trial(self, request: dict[str, Any]) -> Trial:
        """Return a trial in a process of its own.

        Raises:
            CompanionError: if none can be started.
        """
        ours, theirs = socket.socketpair()
        try:
            with self._lock, theirs:
                process = self._fork(theirs)
            return Trial(ours, process, request)
        except (OSError, psutil.NoSuchProcess) as error:
            ours.close()
            raise CompanionError(f"a process that judges does not start: {error}") from error

    def _fork(self, theirs: socket.socket) -> psutil.Process:
        if self.closed:
            raise BrokenPipeError("grading is over")
        if self._process is None or self._process.poll() is not None:
            self._process = self._start()
        socket.send_fds(self._control, [b"\n"], [theirs.fileno()])
        told = self._control.recv(PID, socket.MSG_WAITALL)
        if len(told) < PID:
            self._process.wait(START)
            raise BrokenPipeError("it ended while it imported the exercises")
        return psutil.Process(int.from_bytes(told, "big"))


class Trial(AbstractContextManager["Trial"]):
    """A judge at work on one notebook, as seen from the process that grades."""

    def __init__(
        self, connection: socket.socket, process: psutil.Process, request: dict[str, Any]
    ) -> None:
        self._process = process
        self._worker: int | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="trial-", ignore_cleanup_errors=True)
        self._connection = connection
        self._rest = b""
        with connection.makefile("wb") as stream:
            write_message(stream, {**request, "folder": self._folder.name})

    def __exit__(self, *raised: object) -> None:
        """Kill what is left: the judge, the learner's process, and all that these started."""
        end_family(self._process)
        if self._worker is not None:  # its group may live on without it, if its judge died
            with suppress(ProcessLookupError):
                os.killpg(self._worker, signal.SIGKILL)
        self._connection.close()
        self._folder.cleanup()

    def watch(self, pid: int) -> None:
        """Remember the learner's process, which leads a group of its own."""
        self._worker = pid

    def hear(self, until: float) -> dict[str, Any] | None:
        """Return what the judge says next, ``None`` if it has ended without a word.

        Args:
            until: ``time.monotonic()`` at which waiting ends.

        Raises:
            TimeoutError: if it says nothing until then.
        """
        while b"\n" not in self._rest:
            if (left := until - time.monotonic()) <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            try:
                part = self._connection.recv(2**16)
            except ConnectionResetError:
                part = b""
            if not part:
                return None
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return read_message(line)
