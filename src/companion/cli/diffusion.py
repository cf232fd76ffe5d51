"""The commands of chapter 8: ``companion diffusion train | sample | evaluate | export``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from companion.errors import DataError

if TYPE_CHECKING:
    from companion.diffusion.config import DiffusionConfig
    from companion.diffusion.train import Diffusion

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, help="Diffusion models: train, sample, evaluate.")

RunArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RUN]", help="Folder of a run, or a file of it; left out: the package's digits."
    ),
]
MethodOption = Annotated[str, typer.Option(help="ancestral, ddim, dpm-solver++ or greedy.")]
StepsOption = Annotated[int | None, typer.Option(help="Calls of the net; left out: all T.")]
SeedOption = Annotated[int, typer.Option(help="The same seed makes the same images.")]


@app.command("train")
def train(
    out: Annotated[Path, typer.Option(help="Folder of the run; one found there goes on.")],
    config: Annotated[Path | None, typer.Option(help="Settings, a YAML file.")] = None,
    preset: Annotated[str | None, typer.Option(help="Settings by name: digits, cifar10.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as net.base=64.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of images, or CIFAR-10's files.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no bar.")] = False,
) -> None:
    """Train a net, or go on where a run was interrupted.

    Without --config and --preset the settings are those the folder was begun with. On several
    devices: accelerate launch -m companion diffusion train ...
    """
    chosen = _chosen(out, config, preset, data).amended(settings or [])
    from companion.diffusion.train import is_main_process, train_diffusion

    speaks = is_main_process()
    if speaks:
        typer.echo(f"training in {out}, {chosen.recipe.steps} steps")
    try:
        trained = train_diffusion(chosen, folder=out, progress=not quiet)
    except KeyboardInterrupt as stop:
        if speaks:
            typer.echo(f"companion: {stop or 'interrupted'}", err=True)
        raise typer.Exit(130) from None
    if speaks and trained.run is not None:
        loss = trained.run.history[-1]["loss"]
        typer.echo(f"done, loss {loss:.4f}; next: companion diffusion sample {out}")


@app.command("sample")
def sample(
    run: RunArgument = None,
    out: Annotated[Path, typer.Option(help="The images in one PNG.")] = Path("samples.png"),
    count: Annotated[int, typer.Option(help="How many images.")] = 64,
    method: MethodOption = "ancestral",
    steps: StepsOption = None,
    seed: SeedOption = 0,
    each: Annotated[Path | None, typer.Option(help="Folder for every image by itself.")] = None,
    trajectory: Annotated[
        Path | None, typer.Option(help="PNG of the first eight on their way from the noise.")
    ] = None,
) -> None:
    """Make images."""
    from companion.diffusion.grid import write_png

    trained = _loaded(run)
    scale = max(1, 32 // trained.config.data.size)  # small pictures are shown larger
    images = trained.sample(count, method=method, steps=steps, seed=seed, progress=True)
    write_png(out, images, scale=scale)
    typer.echo(f"{count} images, seed {seed}: {out}")
    if each is not None:
        with _written(each):
            each.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            write_png(each / f"{number:05d}.png", image[None], padding=0)
        typer.echo(f"each by itself: {each}")
    if trajectory is not None:
        film = trained.film(min(count, 8), method=method, steps=steps, seed=seed)
        write_png(trajectory, film.flatten(0, 1), columns=film.shape[1], scale=scale)
        typer.echo(f"from noise to image, {film.shape[1]} moments: {trajectory}")


@app.command("evaluate")
def evaluate(
    run: RunArgument = None,
    data: Annotated[
        Path | None, typer.Option(help="Images that the run has not seen; not for digits.")
    ] = None,
    count: Annotated[int, typer.Option(help="How many samples are judged (digits).")] = 450,
    method: MethodOption = "ancestral",
    steps: StepsOption = None,
    seed: SeedOption = 0,
    file: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
) -> None:
    """Judge a net: its loss at every height, and for digits the quality of its samples."""
    from companion.diffusion.evaluate import loss_by_step, sample_quality
    from companion.diffusion.sources import held_out_images

    trained = _loaded(run)
    images = held_out_images(trained.config.data, data)
    result: dict[str, Any] = {"run": str(run or "the package's digits")}
    result["loss"] = loss_by_step(trained, images, seed=seed)
    typer.echo(f"loss at step t, on {len(images)} images that were not learned from")
    for t, loss in result["loss"].items():
        typer.echo(f"  t = {t:<6}{loss:.4f}")
    if trained.config.data.source == "digits":
        quality = sample_quality(
            trained, count, method=method, steps=steps, seed=seed, progress=True
        )
        result["samples"] = {"method": method, "steps": steps, "seed": seed}
        result["quality"] = asdict(quality)
        typer.echo(f"\n{quality}")
    if file is not None:
        with _written(file):
            file.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
        typer.echo(f"\nwritten: {file}")


@app.command("export")
def export_net(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or a checkpoint.")],
    out: Annotated[Path, typer.Option(help="A .safetensors file.")],
) -> None:
    """Write the averaged weights and the settings of a run, and nothing else, into one file."""
    from companion.diffusion.pretrained import export, load_diffusion

    export(load_diffusion(run), out)
    typer.echo(f"{out}, {out.stat().st_size:,} bytes")


def _chosen(
    out: Path, config: Path | None, preset: str | None, data: Path | None
) -> DiffusionConfig:
    """The configuration that the options ask for, or that the folder was begun with."""
    from companion.diffusion.config import DiffusionConfig
    from companion.diffusion.train import SETTINGS

    if config is not None and preset is not None:
        raise DataError("--config and --preset were both given; expected one of them")
    begun = out / SETTINGS
    if preset is not None:
        chosen = DiffusionConfig.preset(preset)
    elif config is not None or begun.is_file():
        chosen = DiffusionConfig.from_yaml(config or begun)
    else:
        raise DataError(f"{out} holds no run yet; say what to train by --preset or --config")
    return chosen if data is None else chosen.with_data(str(data))


def _loaded(run: Path | None) -> Diffusion:
    from companion import pick_device
    from companion.diffusion.pretrained import load_diffusion, pretrained_digits

    device = pick_device()
    return pretrained_digits(device=device) if run is None else load_diffusion(run, device=device)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
