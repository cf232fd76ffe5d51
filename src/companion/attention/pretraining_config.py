"""Everything that training a GAU-α from the start needs, in one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from companion.attention.gau_alpha import GAUAlphaConfig
from companion.errors import DataError
from companion.training import Recipe
from companion.training.configuration import Configuration

__all__ = ["CorpusConfig", "PretrainingConfig"]


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """Which text, and how it is cut up.

    Args:
        path: a file in UTF-8; None: ``companion.text.small_text``.
        held_out: the share at the end of the text that is not learned from.
        length: tokens of a window, [CLS] and [SEP] included.
        stride: tokens from one window to the next, of those that are learned from.
        vocab: a ``vocab.txt``; None: one is made from the text.
        vocabulary: pieces of the one that is made, at most.
        words: a file with words of several characters, one a line, that are hidden together; None:
            only what ``vocab`` never cuts apart is.
    """

    path: str | None = None
    held_out: float = 0.1
    length: int = 64
    stride: int = 1
    vocab: str | None = None
    vocabulary: int = 1000
    words: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 1:
            raise DataError(f"held_out {self.held_out}; expected a number between 0 and 1")
        if self.length < 3 or self.stride < 1:
            found = f"length {self.length}, stride {self.stride}"
            raise DataError(f"{found}; expected 3 or more, and 1 or more")


def small_recipe() -> Recipe:
    """The published shape of the rate, over a thousand steps."""
    return Recipe(
        steps=1000, batch=16, rate=1e-2, decay="piecewise", milestones=(125, 500, 1000),
        factors=(0.5, 0.1, 0.01), weight_decay=0.01, clip=None, average=None, log_every=20,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig(Configuration):
    """Text, measures and recipe of one run. The defaults learn a small text on a laptop.

    Args:
        text: what is learned from.
        net: the measures of the model; its vocabulary is that of the text.
        hidden: the share of tokens that is hidden, whole words at a time.
        measure_every: steps between two looks at the held-out text.
        recipe: how to train; its weight decay is LAMB's.

    >>> config = PretrainingConfig().amended(["net.layers=2", "recipe.rate=3e-3"])
    >>> config.net.layers, config.recipe.rate, config.recipe.decay
    (2, 0.003, 'piecewise')
    """

    text: CorpusConfig = field(default_factory=CorpusConfig)
    net: GAUAlphaConfig = field(
        default_factory=lambda: GAUAlphaConfig(dim=64, key_dim=32, layers=4, dropout=0.0)
    )
    hidden: float = 0.15
    measure_every: int = 100
    recipe: Recipe = field(default_factory=small_recipe)

    def __post_init__(self) -> None:
        if not 0 < self.hidden <= 1:
            raise DataError(f"hidden {self.hidden}; expected more than 0, and at most 1")
        if self.measure_every < 1:
            raise DataError(f"measure_every {self.measure_every}; expected 1 or more")

    @classmethod
    def presets(cls) -> Mapping[str, Callable[[], PretrainingConfig]]:
        """Return "small", these defaults, and "base", the published settings."""
        return {"small": cls, "base": cls.base}

    @classmethod
    def base(cls) -> PretrainingConfig:
        """Return the published settings.

        24 units of width 768, windows of 512 tokens, 512 of them a step in micro-batches of 128,
        the rate 1.76e-3. The published script counts micro-batches where it sets the rate
        (160,000, 640,000 and 1,280,000), four to a step; here steps are counted. It has no last
        step; this one ends where the rate has reached its last value. bf16 is ours.
        """
        recipe = Recipe(
            steps=320_000, batch=512, accumulate=4, rate=1.76e-3, decay="piecewise",
            milestones=(40_000, 160_000, 320_000), factors=(0.5, 0.1, 0.01), weight_decay=0.01,
            clip=None, average=None, precision="bf16", save_every=1000, log_every=100,
        )  # fmt: skip
        text = CorpusConfig(length=512, stride=256, vocabulary=12_000, held_out=0.001)
        return cls(text=text, net=GAUAlphaConfig(), measure_every=1000, recipe=recipe)

    def with_files(
        self,
        *,
        text: Path | None = None,
        vocab: Path | None = None,
        words: Path | None = None,
    ) -> PretrainingConfig:
        """Return the configuration with the files of a text, a vocabulary, a list of words."""
        given = {"path": text, "vocab": vocab, "words": words}
        paths = {name: str(path) for name, path in given.items() if path is not None}
        return replace(self, text=replace(self.text, **paths))
