"""What a learner's process may see and use, and who watches over it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

import companion

__all__ = ["Isolation", "Limits", "Sandbox", "end_family", "isolation"]

LOOK = 0.05  # seconds between two looks at what the processes use
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/alternatives",
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one submission may use.

    Args:
        cell_seconds: wall time of a cell, and of one judged exercise.
        seconds: wall time of the whole submission.
        memory: bytes of data, of all its processes together.
        processes: at most so many at a time; more and all of them are stopped.
        file_size: bytes of one file that it writes (all of them vanish with it).
    """

    cell_seconds: int | float = 20
    seconds: int | float = 120
    memory: int = 4 * 2**30
    processes: int = 32
    file_size: int = 64 * 2**20


@dataclass(frozen=True)
class Isolation:
    """How processes are shut in here. ``program`` is bubblewrap's path, if it works."""

    program: str | None
    words: str


@cache
def isolation() -> Isolation:
    """Return what this system offers, having tried it.

    With bubblewrap a submission sees the Python packages and an empty folder, and nothing else: no
    network, no other process, no file of a person. Without it only time, memory and processes are
    bounded, and a submission could read what the user who grades can read.
    """
    program = shutil.which("bwrap")
    if program is None:
        return Isolation(None, "bubblewrap is not installed (Debian: apt install bubblewrap)")
    trial = subprocess.run(
        [program, "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True, check=False
    )
    if trial.returncode:
        reason = " ".join(trial.stderr.decode(errors="replace").split())
        return Isolation(None, f"bubblewrap cannot make namespaces here: {reason}")
    return Isolation(program, "bubblewrap: no network, no files but the Python packages")


def packages() -> list[str]:
    """The folders that Python and `companion` are imported from."""
    found = [sys.prefix, sys.base_prefix, str(Path(companion.__file__).parent)]
    return [path for path in dict.fromkeys(found) if not path.startswith("/usr/")]


def wrapped(program: str, command: Sequence[str], size: int) -> list[str]:
    """Return the command that runs `command` shut in, with ``/tmp/desk`` to write to."""
    words = [program, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    words += ["--uid", "65534", "--gid", "65534", "--hostname", "grading"]
    for path in SYSTEM:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            words += ["--ro-bind", path, path]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(size), "--tmpfs", "/tmp"]
    words += ["--dir", "/tmp/desk", "--chdir", "/tmp/desk"]
    for path in packages():
        words += ["--ro-bind", path, path]
    words += ["--remount-ro", "/dev", "--remount-ro", "/"]  # else both are memory without a bound
    for name, value in environment("/tmp/desk").items():
        words += ["--setenv", name, value]
    return [*words, *command]


def environment(home: str) -> dict[str, str]:
    """The few variables that a learner's process gets; none is the user's own."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "IPYTHONDIR": f"{home}/.ipython",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "MPLBACKEND": "Agg",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(companion.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class Sandbox:
    """A running worker: ``incoming`` and ``outgoing`` are its pipe, ``stopped`` says why it ended.

    Args:
        folder: an empty folder for it to write to where there is no bubblewrap.
    """

    def __init__(self, limits: Limits, folder: Path) -> None:
        self.limits = limits
        self.stopped = ""
        theirs_in, self._write = os.pipe()
        self._read, theirs_out = os.pipe()
        bounds = {
            "memory": limits.memory,
            "file_size": limits.file_size,
            "seconds": int(limits.seconds) + 1,
        }
        module = "companion.grading.worker"
        command = [sys.executable, "-s", "-m", module, str(theirs_in), str(theirs_out)]
        command.append(json.dumps(bounds))
        if (program := isolation().program) is not None:
            command = wrapped(program, command, limits.file_size)
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(str(folder)),
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.incoming, self.outgoing = os.fdopen(self._read, "rb"), os.fdopen(self._write, "wb")
        self._watch = threading.Thread(target=self._watch_over, daemon=True)
        self._watch.start()

    def stop(self, reason: str = "") -> None:
        """End the worker and everything that it started; the first reason is kept."""
        self.stopped = self.stopped or reason
        with suppress(psutil.NoSuchProcess):
            end_family(psutil.Process(self.process.pid))
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Stop, and give the pipe back."""
        self.stop("closed")
        self._watch.join()
        for stream in (self.incoming, self.outgoing):
            with suppress(BrokenPipeError):
                stream.close()

    def _family(self) -> list[psutil.Process]:
        try:
            head = psutil.Process(self.process.pid)
            return [head, *head.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _watch_over(self) -> None:
        """Stop the worker when its processes are too many, or use too much memory together."""
        while self.process.poll() is None and not self.stopped:
            try:
                self._look()
                self.process.wait(LOOK)
            except subprocess.TimeoutExpired:
                continue
            except MemoryError:  # of this process, for what came back: that will be given up
                time.sleep(LOOK)

    def _look(self) -> None:
        family = self._family()
        if len(family) > self.limits.processes:
            self.stop(f"more than {self.limits.processes} processes")
        elif _resident(family) > self.limits.memory + 2**29:  # Python and torch themselves
            self.stop(f"more than {self.limits.memory / 2**30:.1f} GiB of memory")


def end_family(head: psutil.Process) -> None:
    """Kill a process and all that it has started, with the process groups that these lead."""
    family = [head]
    with suppress(psutil.NoSuchProcess):
        family += head.children(recursive=True)
    groups = []
    for process in reversed(family):
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == process.pid:
                groups.append(process.pid)
            process.kill()
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _resident(family: Sequence[psutil.Process]) -> int:
    total = 0
    for process in family:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_info().rss
    return total
