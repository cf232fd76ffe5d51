"""The commands of chapter 8: ``companion diffusion train | sample | evaluate | export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from companion.errors import DataError

if TYPE_CHECKING:
    from companion.diffusion.config import DiffusionConfig
    from companion.diffusion.train import Diffusion

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def start(context: typer.Context) -> None:
    """Diffusion models: train, sample, evaluate."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


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
    from companion.diffusion.grid import save_grid

    trained = _loaded(run)
    images = trained.sample(count, method=method, steps=steps, seed=seed, progress=True)
    save_grid(images, out)
    typer.echo(f"{count} images, seed {seed}: {out}")
    if each is not None:
        each.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            save_grid(image[None], each / f"{number:05d}.png")
        typer.echo(f"each by itself: {each}")
    if trajectory is not None:
        film = trained.film(min(count, 8), method=method, steps=steps, seed=seed)
        save_grid(film.flatten(0, 1), trajectory, columns=film.shape[1])
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
    from companion.diffusion.evaluate import held_out_images, loss_by_step, sample_quality

    trained = _loaded(run)
    result: dict = {"run": str(run or "digits of the package"), "seed": seed}
    result["loss"] = loss_by_step(trained, held_out_images(trained.config.data, data), seed=seed)
    _table("denoising loss on held-out images", "t", result["loss"])
    if trained.config.data.source == "digits":
        samples = trained.sample(count, method=method, steps=steps, seed=seed, progress=True)
        result["quality"] = sample_quality(samples)
        _table(f"quality of {count} samples", "", result["quality"])
    if file is not None:
        file.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
        typer.echo(f"written: {file}")


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


def _table(title: str, head: str, rows: dict) -> None:
    width = max(len(str(name)) for name in [*rows, head])
    typer.echo(f"\n{title}")
    for name, value in rows.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        typer.echo(
            f"  {head} {name!s:>{width}}  {shown}" if head else f"  {name:<{width}}  {shown}"
        )
