"""The commands of chapter 6: ``companion argmax scan | verify``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from companion.errors import DataError

if TYPE_CHECKING:
    from companion.argmax.output_layer import LoadedLayer

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, help="Words that a model cannot predict.")

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}

ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="Folder of a model, *.safetensors, its index, *.npy or *.npz."
    ),
]
TensorOption = Annotated[
    str | None, typer.Option(help="The weight, one row for each class; left out: by usual names.")
]
BiasOption = Annotated[
    str | None, typer.Option(help="The bias; left out: by usual names, if there is one.")
]
NoBiasOption = Annotated[bool, typer.Option("--no-bias", help="Leave a bias out.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu or cuda; left out: cpu.")]
MemoryOption = Annotated[
    str | None, typer.Option(help="What the work may take besides the weight, such as 4GB.")
]


@app.command("scan")
def scan(
    model: ModelArgument,
    out: Annotated[Path, typer.Option(help="The report; a scan that was stopped goes on.")] = Path(
        "report.npz"
    ),
    tensor: TensorOption = None,
    bias: BiasOption = None,
    no_bias: NoBiasOption = False,
    radius: Annotated[
        float | None, typer.Option(help="Only states of this length at most; left out: all.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Such as 0:1000 or 7,9,100:200; left out: all.")
    ] = None,
    memory: MemoryOption = None,
    device: DeviceOption = None,
    block: Annotated[
        int | None, typer.Option(help="Classes decided between two writings; left out: 8192.")
    ] = None,
    show: Annotated[int, typer.Option(help="How many classes of a kind are printed.")] = 10,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a report.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no bar.")] = False,
) -> None:
    """Decide for each word of a model whether it can be the most probable one, with proofs.

    Stopped by Ctrl-C or killed, the same command goes on. The status is 0 after a whole scan,
    whatever it found, 130 after Ctrl-C.
    """
    from companion.argmax.scan import BLOCK, scan_to_file
    from companion.argmax.summary import describe
    from companion.argmax.token_text import tokens_beside

    allowed, place = _bytes(memory), _device(device)
    layer = _loaded(model, tensor, bias, no_bias)
    tokens = tokens_beside(layer.path)
    chosen = None if classes is None else _classes(classes, len(layer.weight))
    typer.echo(str(layer))
    if len(layer.weight) < layer.weight.shape[1]:
        typer.echo("fewer classes than dimensions: is the matrix transposed?", err=True)
    try:
        report = scan_to_file(
            layer.weight,
            layer.bias,
            out=out,
            radius=radius,
            classes=chosen,
            device=place,
            memory=allowed,
            block=BLOCK if block is None else block,
            overwrite=overwrite,
            progress=not quiet,
        )
    except KeyboardInterrupt:
        typer.echo("companion: stopped; the same command goes on from the last block", err=True)
        raise typer.Exit(130) from None
    typer.echo(describe(report, tokens, show=show))
    typer.echo(f"report: {out}")


@app.command("verify")
def verify(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="What a scan has written.")],
    model: ModelArgument,
    tensor: TensorOption = None,
    bias: BiasOption = None,
    no_bias: NoBiasOption = False,
    memory: MemoryOption = None,
    device: DeviceOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no bar.")] = False,
) -> None:
    """Check every proof of a report against the weights, without any solver.

    The status is 0 if all hold, else 1.
    """
    from companion.argmax.report import ArgmaxReport

    allowed, place = _bytes(memory), _device(device)
    found = ArgmaxReport.load(report)
    layer = _loaded(model, tensor, bias, no_bias)
    typer.echo(f"{layer}\n{found}")
    if not found.verify(layer.weight, layer.bias, device=place, memory=allowed, progress=not quiet):
        raise DataError(
            f"{report} does not hold for {layer.path}: a proof fails, or it is of another"
        )
    proved = int((found.verdict >= 0).sum())
    typer.echo(f"{proved} verdicts proved, {len(found) - proved} undecided ones carry none")


def _loaded(model: Path, tensor: str | None, bias: str | None, no_bias: bool) -> LoadedLayer:
    from companion.argmax.output_layer import load_output_layer

    if bias is not None and no_bias:
        raise DataError("--bias and --no-bias were both given; expected one of them")
    return load_output_layer(model, tensor, bias=bias or not no_bias)


def _device(words: str | None) -> str | None:
    """Return the device, which must be there and multiply in float64."""
    import torch

    found = ["cpu", *(f"cuda:{n}" for n in range(torch.cuda.device_count()))]
    if words is not None and words not in (*found, *(["cuda"] if len(found) > 1 else [])):
        raise DataError(f"--device is {words!r}; there is: {', '.join(found)}")
    return words


def _bytes(words: str | None) -> int | None:
    """Read a size such as 4GB, 512MiB or 1000000.

    >>> _bytes("4GB"), _bytes("1.5 MiB"), _bytes(None)
    (4000000000, 1572864, None)
    """
    if words is None:
        return None
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?i?)b?", words.strip().lower())
    if parts is None or parts[2] not in UNITS:
        raise DataError(f"--memory is {words!r}; expected a size such as 4GB or 512MiB")
    return int(float(parts[1]) * UNITS[parts[2]])


def _classes(words: str, count: int) -> list[int]:
    """Read ranges of classes, ends excluded, and single ones.

    >>> _classes("7, 0:3, 2,8:", 10)
    [0, 1, 2, 7, 8, 9]
    """
    found: set[int] = set()
    for part in words.split(","):
        ends = re.fullmatch(r"\s*(\d*)\s*(:?)\s*(\d*)\s*", part)
        if ends is None or not (ends[1] or ends[2]):
            raise DataError(f"--classes has {part!r}; expected a number or a range such as 0:1000")
        first = int(ends[1] or 0)
        stop = (int(ends[3]) if ends[3] else count) if ends[2] else first + 1
        if not first < stop <= count:
            raise DataError(f"--classes has {part.strip()!r}; expected classes of 0 to {count - 1}")
        found.update(range(first, stop))
    return sorted(found)
