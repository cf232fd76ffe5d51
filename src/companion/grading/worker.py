"""The process that runs a learner's cells: ``python -m companion.grading.worker IN OUT LIMITS``.

It reads messages from the file descriptor IN and answers on OUT:

- ``{"run": source}``: run a cell; the answer is ``{"printed": …, "error": …}``.
- ``{"call": name, "with": […]}``: call what the cells called `name` (or a kept function, by its
  number); the answer is ``{"value": …, "inputs": […]}`` or ``{"raised": …, "words": …}``.

While it runs a call it may ask back: ``{"call": number, "with": […]}`` for a function that it was
handed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from io import StringIO
from typing import IO, Any

from companion.grading.message import SHOWN, Courier, read_message, write_message

__all__ = ["main"]


class Printed(StringIO):
    """What a cell prints, up to a length; the rest is counted and dropped."""

    def write(self, text: str) -> int:
        room = SHOWN - self.tell()
        super().write(text[: max(room, 0)])
        return len(text)


class Worker:
    """The learner's names, and the pipe to the judge."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        from IPython.core.interactiveshell import InteractiveShell

        self.incoming, self.outgoing = incoming, outgoing
        self.shell = InteractiveShell.instance(colors="NoColor", history_length=0)
        self.courier = Courier(self.ask)

    def serve(self) -> None:
        """Answer messages until the pipe closes."""
        while line := self.incoming.readline():
            write_message(self.outgoing, self.answer(read_message(line)))

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        if "run" in message:
            return self.run(message["run"])
        return self.called(message["call"], message["with"])

    def run(self, source: str) -> dict[str, Any]:
        printed = Printed()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            result = self.shell.run_cell(source, silent=True)
        error = result.error_before_exec or result.error_in_exec
        words = "".join(traceback.format_exception_only(error)).strip() if error else None
        return {"printed": printed.getvalue(), "error": words}

    def called(self, name: str | int, given: list[Any]) -> dict[str, Any]:
        import torch

        torch.manual_seed(0)
        inputs = [self.courier.read(one) for one in given]
        try:
            function = self.courier.kept[name] if isinstance(name, int) else self.find(name)
            with contextlib.redirect_stdout(Printed()), contextlib.redirect_stderr(Printed()):
                value = function(*inputs)
        except BaseException as error:
            return {"raised": type(error).__name__, "words": str(error)}
        after = [self.courier.write(one) for one in inputs]
        return {"value": self.courier.write(value), "inputs": after}

    def find(self, name: str) -> Any:
        try:
            return self.shell.user_ns[name]
        except KeyError:
            raise NameError(f"name '{name}' is not defined") from None

    def ask(self, handle: int, arguments: list[Any]) -> Any:
        """Call a function of the judge's process, from within a learner's function."""
        told = [self.courier.write(one) for one in arguments]
        write_message(self.outgoing, {"call": handle, "with": told})
        while line := self.incoming.readline():
            message = read_message(line)
            if "value" in message:
                return self.courier.read(message["value"])
            if "raised" in message:
                raise RuntimeError(message["words"])
            write_message(self.outgoing, self.answer(message))
        raise EOFError("the judge has gone")


def limit(memory: int, file_size: int, seconds: int) -> None:
    """Bound what this process may use; none of it can be raised again without privileges."""
    import resource

    for kind, bound in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            bound = min(bound, hard)
        resource.setrlimit(kind, (bound, bound))


def main(incoming: int, outgoing: int, limits: str) -> None:
    """Serve until the judge closes the pipe."""
    import torch

    torch.set_num_threads(1)
    limit(**json.loads(limits))
    with os.fdopen(incoming, "rb") as reader, os.fdopen(outgoing, "wb") as writer:
        worker = Worker(reader, writer)
        write_message(writer, {"ready": True})
        worker.serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
