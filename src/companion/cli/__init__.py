"""The command `companion`. Nothing in the package imports it.

The commands of a room come as one more module here, `cli/<room>.py`: a `typer.Typer` whose
functions import the room inside their bodies, so that `companion --help` never loads torch.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 after an error, 2 after a wrong call.

    Args:
        arguments: the words after ``companion``; those of the process if None.

    >>> main(["--version"])
    companion 0.1.0
    0
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # no mark is worth a crash on a plain terminal
            stream.reconfigure(errors="replace")
    try:
        import typer
    except ImportError as error:
        return _say(f"{error}; in a checkout run `make setup`, elsewhere `pip install companion`")

    arguments = sys.argv[1:] if arguments is None else arguments
    from companion.cli.commands import app
    from companion.errors import CompanionError

    try:
        return app(args=arguments or ["--help"], prog_name="companion", standalone_mode=False) or 0
    except typer.TyperException as error:  # an unknown command or option, a value of a wrong type
        words = error.format_message().rstrip(".")
        return _say(f"{words}; see `companion --help`", status=error.exit_code)
    except typer.Abort:
        return _say("interrupted", status=130)
    except CompanionError as error:
        return _say(str(error))


def _say(message: str, *, status: int = 1) -> int:
    print(f"companion: {message}", file=sys.stderr)
    return status
