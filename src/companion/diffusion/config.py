"""Everything a training run of this chapter needs, in one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from companion.diffusion.schedule import Schedule
from companion.diffusion.unet import UNet
from companion.errors import DataError
from companion.training import Recipe
from companion.training.configuration import Configuration

__all__ = ["DataConfig", "DiffusionConfig", "LossConfig", "NetConfig", "ScheduleConfig"]

SIZES = {"digits": (1, 8), "cifar10": (3, 32)}  # channels, and pixels a side, that are fixed


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images: scikit-learn's digits, a folder, CIFAR-10's binary files, or one's own tensor.

    Args:
        source: "digits" means those of even index, the others are held out; "own" the tensor
            handed to ``train_diffusion``.
        path: the folder of images; the folder or archive of CIFAR-10.
        size: pixels a side.
        flip: mirror every image left to right with probability 1/2.
    """

    source: Literal["digits", "folder", "cifar10", "own"] = "digits"
    path: str | None = None
    size: int = 8
    channels: int = 1
    flip: bool = False

    def __post_init__(self) -> None:
        fixed = SIZES.get(self.source, (self.channels, self.size))
        if (self.channels, self.size) != fixed:
            found = f"channels {self.channels} and size {self.size}"
            raise DataError(f"{found}; {self.source} has channels {fixed[0]} and size {fixed[1]}")
        if self.size < 1 or self.channels < 1:
            raise DataError(f"channels {self.channels}, size {self.size}; expected 1 or more")


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    r"""How fast the tower comes down: the name of a schedule, and its number of steps T.

    Args:
        largest: :math:`\beta_T^2` of "su" and "linear". None: 20/T, which is the essay's .02 at
            T = 1000 and tears the data down as far at every other T; "cosine" takes none.
    """

    kind: Literal["su", "linear", "cosine"] = "su"
    steps: int = 1000
    largest: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise DataError(f"steps {self.steps}; expected 1 or more")
        if self.kind == "cosine" and self.largest is not None:
            raise DataError(f"largest {self.largest}; the cosine schedule has no such number")

    def build(self) -> Schedule:
        """Return the schedule.

        >>> ScheduleConfig(steps=100).build().steps
        100
        """
        if self.kind == "cosine":
            return Schedule.cosine(self.steps)
        largest = 20 / self.steps if self.largest is None else self.largest
        if not 0 < largest < 1:
            raise DataError(f"schedule.largest is {largest:g}; expected a number between 0 and 1")
        if self.kind == "su":
            return Schedule.su(self.steps, largest=largest)
        return Schedule.linear(self.steps, first=largest / 200, last=largest)


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """The measures of a ``UNet``; its channels and its image size are those of the data."""

    base: int = 16
    multipliers: tuple[int, ...] = (1, 2)
    attention: tuple[int, ...] = ()
    blocks: int = 1
    extra: int = 0
    dropout: float = 0.0
    groups: int = 8


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Which of the equivalent losses (``denoising_loss``)."""

    form: Literal["reduced", "four-noise"] = "reduced"
    weighting: Literal["uniform", "essay"] = "uniform"


def digits_recipe() -> Recipe:
    return Recipe(
        steps=3000, batch=128, rate=2e-3, warmup=100, decay="linear", average=0.999, clip=1.0
    )


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig(Configuration):
    """Images, schedule, net, loss and recipe of one run. The defaults train digits on a laptop.

    >>> config = DiffusionConfig().amended(["net.base=24", "recipe.rate=1e-3"])
    >>> config.net.base, config.recipe.rate
    (24, 0.001)
    """

    data: DataConfig = field(default_factory=DataConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    net: NetConfig = field(default_factory=NetConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    recipe: Recipe = field(default_factory=digits_recipe)

    @classmethod
    def digits(cls) -> DiffusionConfig:
        """Scikit-learn's 8 × 8 digits: about a minute on one core of a laptop."""
        return cls()

    @classmethod
    def cifar10(cls, path: str | Path | None = None) -> DiffusionConfig:
        """Ho et al. 2020, appendix B: 35.7 million parameters, 800,000 steps, for a GPU.

        Args:
            path: CIFAR-10's binary files: the folder, or the archive as published.
        """
        return cls(
            data=DataConfig(
                source="cifar10", path=str(path) if path else None, size=32, channels=3, flip=True
            ),
            schedule=ScheduleConfig(kind="linear"),
            net=NetConfig(
                base=128, multipliers=(1, 2, 2, 2), attention=(16,), blocks=2, extra=1, dropout=0.1,
                groups=32,
            ),
            recipe=Recipe(
                steps=800_000, batch=128, rate=2e-4, warmup=5000, average=0.9999, clip=1.0,
                precision="bf16", compile=True, channels_last=True,
                save_every=5000, log_every=100,
            ),
        )  # fmt: skip

    @classmethod
    def presets(cls) -> Mapping[str, Callable[[], DiffusionConfig]]:
        """Return ``digits`` and ``cifar10``."""
        return {"digits": cls.digits, "cifar10": cls.cifar10}

    def with_data(self, path: str | Path) -> DiffusionConfig:
        """Return the configuration with its images at `path`: CIFAR-10 if it was, else a folder.

        >>> DiffusionConfig().with_data("faces").data.source
        'folder'
        """
        source = "cifar10" if self.data.source == "cifar10" else "folder"
        return replace(self, data=replace(self.data, source=source, path=str(path)))

    def build_net(self) -> UNet:
        """Return the untrained net.

        Raises:
            DataError, ShapeError: if its measures do not fit the images.
        """
        return UNet(
            self.data.channels,
            base=self.net.base,
            multipliers=self.net.multipliers,
            attention=self.net.attention,
            size=self.data.size,
            blocks=self.net.blocks,
            extra=self.net.extra,
            dropout=self.net.dropout,
            groups=self.net.groups,
        )
