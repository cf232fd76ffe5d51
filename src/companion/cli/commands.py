"""What `companion` can do: the list of its commands."""

from __future__ import annotations

from typing import Annotated

import typer

import companion
from companion.cli import argmax, attention, bench, diffusion, doctor, events, grade

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(argmax.app, name="argmax")
app.add_typer(attention.app, name="attention")
app.add_typer(diffusion.app, name="diffusion")
app.add_typer(events.app, name="events")
app.command("grade")(grade.grade)


def show_version(wanted: bool) -> bool:
    if wanted:
        print(f"companion {companion.__version__}")
        raise typer.Exit()
    return wanted


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """The code behind the book Taken Apart, Rebuilt."""


@app.command("doctor")
def run_doctor() -> None:
    """Show versions and devices, what is missing, and how to mend it."""
    raise typer.Exit(doctor.examine())


@app.command("bench")
def run_bench(
    room: Annotated[str | None, typer.Argument(help="One room, such as multitask.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small cases only; recorded results stay as they are.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or mps; left out: cuda if there is one, else cpu.")
    ] = None,
) -> None:
    """Time this package beside its peers (in a checkout of the book)."""
    small = ["--quick", "--out", "_build/benchmarks"] if quick else []
    if device is None:
        device = "cuda" if companion.pick_device().type == "cuda" else "cpu"
    bench.run(room, options=["--device", device, *small])
