"""Everything a training run of an event linker needs, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from companion.attention import Architecture
from companion.errors import DataError
from companion.events.linker import EventLinker
from companion.events.schema import Schema
from companion.training import Recipe
from companion.training.configuration import Configuration

__all__ = ["LinkerConfig"]


def small_recipe() -> Recipe:
    return Recipe(
        steps=1200, batch=8, rate=5e-3, warmup=50, decay="cosine", weight_decay=0.01,
        average=0.99, log_every=20,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LinkerConfig(Configuration):
    """Tokens, net and recipe of one run. The defaults learn the generated corpora on a laptop.

    Args:
        triggers: whether the trigger is a role, of all files.
        tokens: "character", or "word" for languages that part their words.
        least: how often a character or word must occur to have a number of its own.
        length: the longest sentence, in tokens.
        net: the measures of the encoder; ``depth`` counts pairs of Gated Attention Units.
        scorer: of the arguments: "efficient" or "plain".
        key_dim: the width of queries and keys in the scorers.
        link_rope: whether the scorers of links see how far two tokens are apart.
        dropout: between encoder and scorers.
        threshold: above it a score means yes.
        measure_every: steps between two looks at sentences that are not learned from; None: one at
            the end.
        recipe: how to train.

    >>> config = LinkerConfig().amended(["tokens=word", "net.dim=96", "recipe.steps=900"])
    >>> config.tokens, config.net.dim, config.recipe.steps
    ('word', 96, 900)
    """

    triggers: bool = True
    tokens: Literal["character", "word"] = "character"
    least: int = 2
    length: int = 256
    net: Architecture = field(
        default_factory=lambda: Architecture(layers="gau", depth=2, dim=64, key_dim=32)
    )
    scorer: Literal["efficient", "plain"] = "efficient"
    key_dim: int = 32
    link_rope: bool = True
    dropout: float = 0.0
    threshold: float = 0.0
    measure_every: int | None = None
    recipe: Recipe = field(default_factory=small_recipe)

    def __post_init__(self) -> None:
        for name in ("least", "length", "key_dim", "measure_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise DataError(f"{name} is {value}; expected at least 1")
        if not 0 <= self.dropout < 1:
            raise DataError(f"dropout is {self.dropout}; expected 0 <= dropout < 1")

    def build_model(self, vocabulary: int, schema: Schema) -> EventLinker:
        """Return the untrained model.

        Args:
            vocabulary: how many tokens there are.
            schema: of the events.

        Raises:
            DataError: if its measures make none.
        """
        return EventLinker(
            self.net.token_encoder(vocabulary),
            schema,
            key_dim=self.key_dim,
            scorer=self.scorer,
            link_rope=self.link_rope,
            dropout=self.dropout,
        )
