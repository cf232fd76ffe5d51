"""One run of training, from a configuration to a net that makes images."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from companion import pick_device
from companion.diffusion.config import DiffusionConfig
from companion.diffusion.loss import denoising_loss
from companion.diffusion.sampling.sampler import Method, sample
from companion.diffusion.schedule import Schedule
from companion.diffusion.sources import check_images, training_images
from companion.diffusion.unet import UNet
from companion.errors import DataError
from companion.training import Draws, Run, fit, newest_checkpoint

__all__ = ["SETTINGS", "Diffusion", "is_main_process", "train_diffusion"]

SETTINGS = "config.yaml"  # beside the checkpoints: the whole configuration, for people and resumes


@dataclass(frozen=True, kw_only=True)
class Diffusion:
    """A trained net, with what it takes to use it.

    Args:
        model: the net with its averaged weights, in evaluation mode.
        schedule: the one it was trained on.
        config: how it was made.
        run: history and folder of the training; None if it was read from a file.
    """

    model: UNet
    schedule: Schedule
    config: DiffusionConfig
    run: Run | None = None

    def sample(
        self,
        count: int,
        *,
        method: str = "ancestral",
        steps: int | None = None,
        seed: int = 0,
        batch: int = 256,
        progress: bool = False,
    ) -> Float[Tensor, "image channel height width"]:
        """Return new images on the CPU, in [−1, 1].

        Args:
            method, steps: as in ``companion.diffusion.sample``.
            seed: the same seed gives the same images; with another `batch`, others.
            batch: how many are made together.

        Raises:
            DataError: for an unknown method, or a count or number of steps that makes none.
        """
        if count < 1 or batch < 1:
            raise DataError(f"count is {count}, batch is {batch}; expected at least 1")
        known, made, size = _known(method), [], self.config.data.size
        generator = torch.Generator().manual_seed(seed)
        for first in range(0, count, batch):
            shape = (min(batch, count - first), self.config.data.channels, size, size)
            x = sample(
                self.model, self.schedule, shape, method=known, steps=steps,
                generator=generator, progress=progress,
            )  # fmt: skip
            made.append(x.cpu())
        return torch.cat(made).clamp(-1, 1)

    def film(
        self,
        count: int,
        *,
        moments: int = 9,
        method: str = "ancestral",
        steps: int | None = None,
        seed: int = 0,
    ) -> Float[Tensor, "image moment channel height width"]:
        """Return images and, before them, moments of their way from the noise, evenly spaced."""
        generator = torch.Generator().manual_seed(seed)
        shape = (count, self.config.data.channels, *2 * (self.config.data.size,))
        path = sample(
            self.model, self.schedule, shape, method=_known(method), steps=steps,
            generator=generator, trajectory=True,
        )  # fmt: skip
        kept = torch.linspace(0, len(path.states) - 1, moments).round().long()
        return path.states[kept.to(path.states.device)].transpose(0, 1).cpu().clamp(-1, 1)


def _known(method: str) -> Method:
    """A word from the command line as one of the sampler's."""
    for known in get_args(Method):
        if method == known:
            return known
    expected = ", ".join(map(repr, get_args(Method)))
    raise DataError(f"method is {method!r}; expected one of {expected}")


def train_diffusion(
    config: DiffusionConfig,
    *,
    folder: Path | str | None = None,
    data: Tensor | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> Diffusion:
    r"""Train a net to find the noise in an image (``denoising_loss``), and return it averaged.

    The steps t and the noise of a sample follow from seed and step alone: a run that was
    interrupted, or that several processes share (``accelerate launch -m companion``), sees the
    same numbers as one that was not.

    Args:
        config: data, schedule, net, loss and recipe.
        folder: for checkpoints, log and configuration; a run found there goes on. None writes
            nothing.
        data: your own images in [−1, 1], or uint8, in place of those that ``config.data`` names.
        device: where one process trains; None picks it. Several are placed by Accelerate.
        progress: whether there is a bar.

    Returns:
        A ``Diffusion``. Its configuration says "own" where `data` was given.

    Raises:
        DataError, ShapeError: for images out of range, of another size or other channels, and
            for measures that make no net; before any training.
        NumericsError: if the loss stops being finite, naming the step.
        CheckpointError: if the folder holds another run, or cannot be written.

    >>> config = DiffusionConfig().amended(["recipe.steps=2", "recipe.batch=4", "recipe.warmup=0"])
    >>> trained = train_diffusion(config, device="cpu", progress=False)
    >>> trained.sample(3, method="ddim", steps=2).shape
    torch.Size([3, 1, 8, 8])
    """
    if data is not None:
        config = replace(config, data=replace(config.data, source="own", path=None))
    schedule = config.schedule.build()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.recipe.seed)
        model = config.build_net()
    images = training_images(config.data) if data is None else check_images(data, config.data)
    if os.environ.get("WORLD_SIZE", "1") == "1":  # of several processes, Accelerate places each
        model.to(pick_device() if device is None else device)
    if folder is not None and newest_checkpoint(folder) is None:
        _note(config, Path(folder))
    run = fit(
        model,
        _loss(config, schedule),
        images,
        config.recipe,
        folder=folder,
        about=about(config),
        progress=progress,
    )
    if folder is not None:
        _note(config, Path(folder))  # a resumed run may have become longer
    assert isinstance(run.average, UNet)
    return Diffusion(model=run.average.eval(), schedule=schedule, config=config, run=run)


def about(config: DiffusionConfig) -> dict:
    """Return what a checkpoint says of its run, besides the recipe; a folder may have moved."""
    values = config.to_plain()
    del values["recipe"], values["data"]["path"]
    return {"diffusion": values}


def is_main_process() -> bool:
    """Tell whether this process speaks for a run; the launcher numbers the processes in RANK."""
    return os.environ.get("RANK", "0") == "0"


def _loss(
    config: DiffusionConfig, schedule: Schedule
) -> Callable[[nn.Module, Tensor, Draws], Tensor]:
    flips, form, weighting = config.data.flip, config.loss.form, config.loss.weighting

    def loss(model: nn.Module, x0: Tensor, draws: Draws) -> Tensor:
        rows = torch.empty(len(x0), dtype=torch.float64)  # on the CPU, where t needs no wait
        t = (draws.uniform(rows) * schedule.steps).long() + 1
        if flips:
            mirrored = (draws.uniform(rows) < 0.5).to(x0.device).view(-1, 1, 1, 1)
            x0 = torch.where(mirrored, x0.flip(-1), x0)
        noise = draws.normal(x0)
        pair = noise if form == "reduced" else (noise, draws.normal(x0))
        return denoising_loss(model, x0, schedule, form=form, weighting=weighting, t=t, noise=pair)

    return loss


def _note(config: DiffusionConfig, folder: Path) -> None:
    """Write the configuration beside the checkpoints."""
    if is_main_process():
        folder.mkdir(parents=True, exist_ok=True)
        config.to_yaml(folder / SETTINGS)
