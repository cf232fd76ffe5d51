"""Everything a training run of a language model needs, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from companion.attention.architecture import Architecture
from companion.attention.models import LanguageModel, MaskedLanguageModel
from companion.errors import DataError
from companion.training import Recipe
from companion.training.configuration import Configuration

__all__ = ["LanguageConfig", "TextConfig"]


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Which text, and how it is cut up.

    Args:
        path: a file in UTF-8; None: ``companion.text.small_text``.
        held_out: the share at the end of the text that is not learned from.
        length: tokens that the model sees at once while it learns.
        tokenizer: "character", or "bpe", byte pairs.
        vocabulary: tokens of "bpe", at most.
    """

    path: str | None = None
    held_out: float = 0.1
    length: int = 128
    tokenizer: Literal["character", "bpe"] = "character"
    vocabulary: int = 512

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 1:
            raise DataError(f"held_out {self.held_out}; expected a number between 0 and 1")
        if self.length < 2:
            raise DataError(f"length {self.length}; expected 2 or more")


def small_recipe() -> Recipe:
    return Recipe(
        steps=1000, batch=16, rate=3e-3, warmup=50, decay="cosine", weight_decay=0.01,
        average=None, log_every=20,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LanguageConfig(Configuration):
    """Text, net, objective and recipe of one run. The defaults learn a small text on a laptop.

    Args:
        text: what is learned from.
        net: the measures of the layers.
        objective: "causal", tell the next token; "masked", tell hidden ones from both sides.
        tied: whether the head's matrix is the embedding.
        hidden: the share of tokens that "masked" hides.
        measure_every: steps between two looks at the held-out text.
        recipe: how to train.

    >>> config = LanguageConfig().amended(["net.layers=flash", "net.dim=96", "recipe.rate=1e-3"])
    >>> config.net.layers, config.net.dim, config.recipe.rate
    ('flash', 96, 0.001)
    """

    text: TextConfig = field(default_factory=TextConfig)
    net: Architecture = field(default_factory=lambda: Architecture(chunk=32))
    objective: Literal["causal", "masked"] = "causal"
    tied: bool = True
    hidden: float = 0.15
    measure_every: int = 100
    recipe: Recipe = field(default_factory=small_recipe)

    def __post_init__(self) -> None:
        if not 0 < self.hidden <= 1:
            raise DataError(f"hidden {self.hidden}; expected more than 0, and at most 1")
        if self.measure_every < 1:
            raise DataError(f"measure_every {self.measure_every}; expected 1 or more")

    def with_text(self, path: str | Path) -> LanguageConfig:
        """Return the configuration with the text of a file."""
        return replace(self, text=replace(self.text, path=str(path)))

    def build_model(self, vocabulary: int) -> LanguageModel | MaskedLanguageModel:
        """Return the untrained model.

        Args:
            vocabulary: how many tokens there are.

        Raises:
            DataError: if its measures make none.
        """
        if self.objective == "causal":
            return self.net.language_model(vocabulary, tied=self.tied)
        return self.net.masked_language_model(vocabulary, tied=self.tied)
