"""Two tasks whose texts may have any length: hidden letters of a text, and facts to be recalled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from companion.attention.encoder import Encoder, TokenEncoder
from companion.attention.models import MaskedLanguageModel, cross_entropy
from companion.attention.normalizers import Normalizer
from companion.attention.unit import GatedAttentionUnit
from companion.errors import DataError
from companion.text import CharacterTokenizer, Windows, hide_tokens, small_text, split_tokens
from companion.training import Draws

__all__ = ["LengthTask", "RecallTask", "TextTask"]

Number = int | float


@runtime_checkable
class LengthTask(Protocol):
    """What an experiment on lengths needs of a task."""

    def model(self, normalize: Normalizer, length: Number | None) -> MaskedLanguageModel:
        """Return an untrained model whose units have this rule, and this fixed n."""
        ...

    def data(self, length: int) -> Any:
        """Return what ``fit`` draws batches from."""
        ...

    def loss(self, model: MaskedLanguageModel, batch: Tensor, draws: Draws) -> Tensor:
        """Return the loss of a batch."""
        ...

    def batches(self, length: int) -> list[tuple[Tensor, ...]]:
        """Return what the model is tested on: inputs of ``answers`` for every batch."""
        ...

    def answers(self, model: MaskedLanguageModel, batch: tuple[Tensor, ...]) -> Tensor:
        """Return for every hidden place whether the model is right."""
        ...


def stack(
    *,
    depth: int,
    dim: int,
    key_dim: int,
    rope: bool,
    normalize: Normalizer,
    length: Number | None,
) -> Encoder:
    """Return units one after another, with norms before them."""
    return Encoder(
        [
            GatedAttentionUnit(dim, key_dim=key_dim, normalize=normalize, length=length, rope=rope)
            for _ in range(depth)
        ],
        dim=dim,
    )


@cache
def _split_text(
    held_out: float,
) -> tuple[int, Int64[Tensor, " train"], Int64[Tensor, " held_out"]]:
    tokenizer = CharacterTokenizer.of(small_text())
    return len(tokenizer), *split_tokens(tokenizer.encode(small_text()), held_out=held_out)


@dataclass(frozen=True, kw_only=True)
class TextTask:
    """Tell hidden letters of a small English text (``small_text``), the end of it held out.

    Args:
        dim, depth, key_dim: of the model, gated attention units with rotary positions.
        held_out: the share of the text that judges.
        maskings: how often each held-out window is hidden anew.
    """

    dim: int = 64
    depth: int = 4
    key_dim: int = 32
    held_out: float = 0.15
    maskings: int = 4

    def tokens(self) -> tuple[int, Int64[Tensor, " train"], Int64[Tensor, " held_out"]]:
        """Return the size of the vocabulary, the text to learn from, and the text held out."""
        return _split_text(self.held_out)

    def model(self, normalize: Normalizer, length: Number | None = None) -> MaskedLanguageModel:
        """Return an untrained model whose units have this rule, and this fixed n."""
        encoder = stack(
            depth=self.depth, dim=self.dim, key_dim=self.key_dim, rope=True,
            normalize=normalize, length=length,
        )  # fmt: skip
        return MaskedLanguageModel(TokenEncoder(encoder, vocabulary=self.tokens()[0]))

    def data(self, length: int) -> Windows:
        """Return all windows of the text to learn from."""
        return Windows(self.tokens()[1], length, stride=1)

    def loss(
        self, model: MaskedLanguageModel, batch: Int64[Tensor, "batch seq"], draws: Draws
    ) -> Float[Tensor, ""]:
        """Return the cross entropy of hidden letters, 15 % of all."""
        changed, chosen = hide_tokens(batch, draws, vocabulary=model.encoder.vocabulary)
        return model.loss(changed, batch, chosen)

    def batches(self, length: int) -> list[tuple[Tensor, ...]]:
        """Return the held-out windows with hidden letters, as they were, and where they are."""
        vocabulary, _, held_out = self.tokens()
        windows = Windows(held_out, length)
        rows = windows[torch.arange(len(windows))]
        found = []
        for masking in range(self.maskings):
            draws = Draws(len(rows), seed=99, step=masking)
            changed, chosen = hide_tokens(rows, draws, vocabulary=vocabulary)
            found.append((changed, rows, chosen))
        return found

    def answers(
        self, model: MaskedLanguageModel, batch: tuple[Tensor, ...]
    ) -> Bool[Tensor, " place"]:
        """Return for every hidden letter whether the model's first guess is right."""
        changed, rows, chosen = batch
        return (model(changed).argmax(dim=-1) == rows)[chosen]


@dataclass(frozen=True, kw_only=True)
class RecallTask:
    """Recall facts: every key stands twice, with the same value, and one of the values is hidden.

    A token is a key and a value, embedded as a sum; whether the value is hidden is a value of its
    own. So one layer of attention is enough, if it finds the one key among n that is the same.
    There are no positions, for nothing depends on the order.

    Args:
        dim, depth, key_dim: of the model, gated attention units.
        keys: how many keys there are, at least half of the longest text.
        values: how many values.
        tokens: in all texts of a test together, about.
    """

    dim: int = 48
    depth: int = 1
    key_dim: int = 6
    keys: int = 512
    values: int = 16
    tokens: int = 8192

    def model(self, normalize: Normalizer, length: Number | None = None) -> MaskedLanguageModel:
        """Return an untrained model whose units have this rule, and this fixed n."""
        encoder = stack(
            depth=self.depth, dim=self.dim, key_dim=self.key_dim, rope=False,
            normalize=normalize, length=length,
        )  # fmt: skip
        embedded = TokenEncoder(encoder, vocabulary=self.keys, segments=self.values + 1)
        return MaskedLanguageModel(embedded, tied=False)

    def data(self, length: int) -> Tensor:
        """Return texts without content, of this length: the facts are drawn in ``loss``."""
        return torch.zeros(4096, length)

    def facts(
        self, rows: int, length: int, *, seed: int
    ) -> tuple[Int64[Tensor, "row seq"], Int64[Tensor, "row seq"], Bool[Tensor, "row seq"]]:
        """Return keys, values, and which of them are hidden.

        Raises:
            DataError: for an odd length, or one of more than twice the keys.
        """
        half = length // 2
        if length % 2 or not 0 < half <= self.keys:
            raise DataError(f"length is {length}; expected an even number up to {2 * self.keys}")
        rng = torch.Generator().manual_seed(seed)
        keys = torch.rand(rows, self.keys, generator=rng).argsort(dim=1)[:, :half]
        values = torch.randint(self.values, (rows, half), generator=rng)
        order = torch.rand(rows, length, generator=rng).argsort(dim=1)
        hidden = torch.arange(length).expand(rows, -1) >= half
        pairs = (torch.cat([one, one], dim=1) for one in (keys, values))
        k, v, h = (one.gather(1, order) for one in (*pairs, hidden))
        return k, v, h

    def loss(
        self, model: MaskedLanguageModel, batch: Float[Tensor, "batch seq"], draws: Draws
    ) -> Float[Tensor, ""]:
        """Return the cross entropy of the hidden values of new facts."""
        seed = int(draws.integers(0, 2**31)[0])
        keys, values, hidden = self.facts(len(batch), batch.shape[1], seed=seed)
        return cross_entropy(self._logits(model, keys, values, hidden), values, hidden)

    def batches(self, length: int) -> list[tuple[Tensor, ...]]:
        """Return facts that were not learnt from."""
        return [self.facts(max(1, self.tokens // length), length, seed=2**31)]

    def answers(
        self, model: MaskedLanguageModel, batch: tuple[Tensor, ...]
    ) -> Bool[Tensor, " place"]:
        """Return for every hidden value whether the model's first guess is right."""
        keys, values, hidden = batch
        return (self._logits(model, keys, values, hidden).argmax(dim=-1) == values)[hidden]

    def _logits(self, model: nn.Module, keys: Tensor, values: Tensor, hidden: Tensor) -> Tensor:
        return model(keys, None, (values + 1).masked_fill(hidden, 0))
