"""The process that judges: ``python -m companion.grading.trial CONTROL MODULE …``.

It imports the exercises of each MODULE, and waits on the socket CONTROL. For each connection that
it is sent there it forks, and answers with the number of the new process; that one reads a request
from the connection, holds one trial, and writes on it what comes of it, as it comes:

- ``{"worker": pid}``: the learner's process has started;
- ``{"at": place}``: a cell has its turn; then what came of it, ``{"printed": …, "error": …}`` for
  a cell that was run, ``{"right": …, "words": …}`` for an answer that was judged;
- the last word: ``{"done": true}``, or ``{"ended": reason}`` if the learner's process did not
  live on, or ``{"failed": reason}`` for what is no learner's fault.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import psutil
import torch

from companion.errors import CompanionError
from companion.exercises import Exercise, other_draws
from companion.grading.court import PID
from companion.grading.message import read_message, write_message
from companion.grading.sandbox import Limits, end_family, isolation
from companion.grading.session import Ended, Session, legible

__all__ = ["MEMORY", "hold", "main"]

MEMORY = 2**30  # bytes of data of a judge, where the system counts them (Linux)


def main(control: socket.socket, modules: list[str]) -> None:
    """Fork for each connection that is sent, until `control` closes; then kill who is left."""
    torch.set_num_threads(1)
    isolation()  # tried once, known to all
    for module in modules:
        import_module(module)
    running: set[int] = set()
    try:
        while (received := socket.recv_fds(control, 1, 1))[0]:
            connection = socket.socket(fileno=received[1][0])
            if (pid := os.fork()) == 0:
                control.close()
                attend(connection)
            connection.close()
            running.add(pid)
            control.sendall(pid.to_bytes(PID, "big"))
            running -= {one for one in running if os.waitpid(one, os.WNOHANG)[0]}
    finally:
        for pid in running:
            with suppress(psutil.NoSuchProcess):
                end_family(psutil.Process(pid))


def attend(connection: socket.socket) -> NoReturn:
    """Be the process of one trial, and end with it."""
    try:
        with connection.makefile("rb") as reader, connection.makefile("wb") as writer:
            request = read_message(reader.readline())
            tempfile.tempdir = request["folder"]  # gone with the trial, even if it is killed
            bound(MEMORY)
            hold(request, lambda told: write_message(writer, told))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def bound(memory: int) -> None:
    """Bound the data of this process, and not for good: the learner's has other limits."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    least = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (least, hard))


def hold(request: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> None:
    """Run the cells of a request in a learner's process, and judge the answers among them.

    A request has ``limits``, ``left`` (seconds), ``hidden``, ``folder`` (to write to) and
    ``cells``: place, source, and for a question where its exercise is and what its answer is
    called.
    """
    try:
        limits = Limits(**request["limits"])
        with Session(limits, time.monotonic() + request["left"]) as session:
            tell({"worker": session.pid})
            for place, source, question in request["cells"]:
                tell({"at": place})
                if question is None:
                    printed, error = session.run(source)
                    tell({"printed": printed, "error": error})
                else:
                    module, exercise, name = question
                    judge = getattr(import_module(module), exercise)
                    right, words = judge_answer(judge, name, session, request["hidden"])
                    tell({"right": right, "words": words})
    except Ended as ended:
        tell({"ended": str(ended)})
    except MemoryError:
        tell({"ended": f"what came back filled the {MEMORY / 2**30:.0f} GiB of its judge"})
    except CompanionError as error:
        tell({"failed": str(error)})
    else:
        tell({"done": True})


def judge_answer(exercise: Exercise, name: str, session: Session, hidden: int) -> tuple[bool, str]:
    """Return whether the answer called `name` is right, and what its author is told."""
    session.allow()
    answer = session.function(name)
    if (message := _message(exercise, answer)) is not None:
        return False, f"✗ {exercise.label}\n{message}"
    session.allow()
    with other_draws(hidden):
        message = _message(exercise, answer)
    if message is not None:
        words = "Right on the inputs of the page, wrong on others of the same kind."
        return False, f"✗ {exercise.label}\n{words}\n{message}"
    return True, f"✓ {exercise.label}   {exercise.scope()}"


def _message(exercise: Exercise, answer: object) -> str | None:
    """What is wrong with an answer. One that its judge cannot take is wrong, and stops no other."""
    try:
        message = exercise.judge(answer)
    except Exception as error:
        return f"what came back cannot be judged: {type(error).__name__}: {legible(error)[:160]}"
    return message if message is None else legible(message)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
