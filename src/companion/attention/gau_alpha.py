"""GAU-α: an encoder of Gated Attention Units alone, and a head that tells hidden tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from companion.attention.encoder import Encoder, TokenEncoder
from companion.attention.models import MaskedLanguageModel
from companion.attention.normalizers import softmax_plus
from companion.attention.published import read_published, write_published
from companion.attention.unit import GatedAttentionUnit
from companion.errors import DataError
from companion.text import WordPieceTokenizer

__all__ = ["GAUAlpha", "GAUAlphaConfig"]

CUT = 2.0  # a truncated normal number is drawn again beyond so many standard deviations


@dataclass(frozen=True, kw_only=True)
class GAUAlphaConfig:
    """The measures of a GAU-α; the defaults are those of the published model.

    Args:
        vocabulary: how many tokens there are.
        dim: d, numbers for each token.
        expansion: e/d, the width of gate and values.
        key_dim: s, the width of queries and keys.
        layers: units, one after another.
        segments: kinds of segment. The published model was trained with segment 0 alone.
        dropout: on the embedding and on what a unit returns, while training. Attention weights
            have none here.
        eps: added under the root of every norm.
        base: the length at which softmax_plus is the usual softmax.
        minimum_length: texts with fewer tokens count as having so many in softmax_plus. None, no
            limit, is how the model was published; later code of its authors takes 16.

    Raises:
        DataError: for measures that make no model.

    >>> GAUAlphaConfig().layers
    24
    """

    vocabulary: int = 12_000
    dim: int = 768
    expansion: int = 2
    key_dim: int = 128
    layers: int = 24
    segments: int = 2
    dropout: float = 0.1
    eps: float = 1e-12
    base: int = 512
    minimum_length: int | None = None

    def __post_init__(self) -> None:
        for name in ("vocabulary", "dim", "expansion", "key_dim", "layers", "minimum_length"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise DataError(f"{name} is {size}; expected at least 1")
        if self.segments < 0:
            raise DataError(f"segments is {self.segments}; expected 0 or more")
        if self.base < 2:
            raise DataError(f"base is {self.base}; expected 2 or more: its logarithm divides")
        if not 0 <= self.dropout < 1:
            raise DataError(f"dropout is {self.dropout}; expected 0 <= dropout < 1")
        if not 0 < self.eps < math.inf:
            raise DataError(f"eps is {self.eps}; expected more than 0, and finite")

    def token_encoder(self) -> TokenEncoder:
        """Return the untrained encoder: units with post-norms that have no parameters."""
        normalize = partial(softmax_plus, base=self.base, minimum_length=self.minimum_length or 1)
        units = [
            GatedAttentionUnit(
                self.dim,
                expansion=self.expansion,
                key_dim=self.key_dim,
                normalize=normalize,
                shift=False,
            )
            for _ in range(self.layers)
        ]
        encoder = Encoder(
            units,
            dim=self.dim,
            norm="plain",
            placement="post",
            dropout=self.dropout,
            eps=self.eps,
        )
        return TokenEncoder(
            encoder,
            vocabulary=self.vocabulary,
            segments=self.segments,
            norm="plain",
            eps=self.eps,
            dropout=self.dropout,
        )


class GAUAlpha(MaskedLanguageModel):
    r"""GAU-α (Su Jianlin et al., kexue.fm/archives/9052): the encoder and its tied head.

    .. math:: h_0 = \mathrm{rms}(E_{token} + E_{segment}),\qquad
              h_l = \mathrm{rms}(h_{l-1} + \mathrm{GAU}_l(h_{l-1})),\qquad
              \mathrm{logits} = h_L E_{token}^\top

    rms divides by the root of the mean square and has no gain (``eq-alpha-rms``); there is no bias
    anywhere. Attention is ``softmax_plus`` (``eq-alpha-softmax-plus``), its n the number of true
    tokens of a text; positions are rotary, with interleaved pairs over all of a key.

    Args:
        config: the measures; None: those of the published model.

    >>> small = GAUAlphaConfig(vocabulary=99, dim=16, key_dim=8, layers=3)
    >>> GAUAlpha(small)(torch.zeros(2, 5, dtype=torch.int64)).shape
    torch.Size([2, 5, 99])
    >>> with torch.device("meta"):  # holds no numbers, so that any size is there at once
    ...     published = GAUAlpha()
    >>> sum(p.numel() for p in published.parameters())
    96517632
    """

    def __init__(self, config: GAUAlphaConfig | None = None) -> None:
        self.config = GAUAlphaConfig() if config is None else config
        super().__init__(self.config.token_encoder())
        initialise(self, layers=self.config.layers)

    def forward(
        self,
        tokens: Int64[Tensor, "batch seq"],
        mask: Bool[Tensor, "batch seq"] | None = None,
        segments: Int64[Tensor, "batch seq"] | None = None,
        *,
        at: Bool[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "... token"]:
        """Return a score for each token of the vocabulary, at every position, or at some.

        Args:
            tokens, mask, segments: as in ``TokenEncoder``.
            at: True at the positions to tell: the result is [position, token], row after row. At
                the published size the head multiplies with as many numbers as two and a half
                units, and while training it is asked about few positions.
        """
        vectors = self.encoder(tokens, mask, segments)
        return self.head(vectors if at is None else vectors[at])

    @classmethod
    def from_pretrained(cls, path: Path | str, *, minimum_length: int | None = None) -> GAUAlpha:
        """Return the model of a folder, in evaluation mode; nothing in it is executed.

        The folder holds a configuration (``config.json``, ``bert4torch_config.json`` or
        ``bert_config.json``) and weights (``model.safetensors``, ``pytorch_model.bin`` or
        ``model.npz``) with the names of one of three programs: the PyTorch port of Jun Yu,
        bert4torch, or the original, bert4keras. The original is a TensorFlow checkpoint; where
        TensorFlow is installed, two lines make a file of it that can be read without::

            reader = tensorflow.train.load_checkpoint("FOLDER/bert_model.ckpt")
            names = reader.get_variable_to_shape_map()
            numpy.savez("FOLDER/model.npz", **{name: reader.get_tensor(name) for name in names})

        Args:
            path: the folder.
            minimum_length: as in ``GAUAlphaConfig``, which no published configuration holds.

        Raises:
            CheckpointError: if a file is missing or damaged, if the configuration is of another
                kind of model, and for a tensor that is missing, too many, or of another shape.
        """
        values, weights = read_published(Path(path))
        model = cls(GAUAlphaConfig(**values, minimum_length=minimum_length))
        model.load_state_dict(weights)
        return model.eval()

    def save_pretrained(
        self, path: Path | str, tokenizer: WordPieceTokenizer | None = None
    ) -> None:
        """Write configuration and weights into a folder, with the names of the PyTorch port.

        Args:
            path: the folder.
            tokenizer: whose vocabulary is to lie beside them.

        Raises:
            CheckpointError: if it cannot be written.
        """
        vocab = None if tokenizer is None else tokenizer.to_lines()
        write_published(Path(path), self.config, self.state_dict(), vocab=vocab)

    def sentence_vectors(
        self,
        tokens: Int64[Tensor, "batch seq"],
        mask: Bool[Tensor, "batch seq"] | None = None,
        *,
        pooling: Literal["first", "mean"] = "first",
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector for each text.

        Args:
            tokens: of the texts, beginning with [CLS].
            mask: True where there is a token.
            pooling: "first", the vector of [CLS], as the port's classifiers take it; "mean", the
                mean over the true tokens.

        Raises:
            DataError: for another pooling, or a text without a token.
        """
        vectors = self.encoder(tokens, mask)
        if pooling not in ("first", "mean"):
            raise DataError(f"pooling is {pooling!r}; expected 'first' or 'mean'")
        there = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
        count = there.sum(dim=1, keepdim=True)
        if tokens.numel() == 0 or not bool((count > 0).all()):
            raise DataError("a text has no token; expected one at least in every row")
        if pooling == "mean":
            return vectors.sum(dim=1) / count  # padded positions hold zeros
        rows = torch.arange(len(tokens), device=tokens.device)
        return vectors[rows, there.int().argmax(dim=1)]


def initialise(model: nn.Module, *, layers: int) -> None:
    r"""Draw the weights of GAU-α: standard deviation :math:`N^{-1/3} / \sqrt{\mathrm{fan\ in}}`.

    The rule of RoFormerV2 and GAU-α (kexue.fm/archives/8978, and the published script), from which
    training begins without warm-up: normal numbers, drawn again beyond two standard deviations and
    widened so that the deviation is as stated. An embedding counts d numbers as its fan-in.
    Scalings of queries and keys stay at 1.

    Args:
        model: whose matrices and embeddings are drawn.
        layers: N, the number of units.

    >>> linear = nn.Linear(64, 512, bias=False)
    >>> initialise(linear, layers=8)
    >>> round(linear.weight.std().item() * 64**0.5, 2)
    0.5
    """
    density = math.exp(-(CUT**2) / 2) / math.sqrt(2 * math.pi)
    narrowed = math.sqrt(1 - 2 * CUT * density / math.erf(CUT / math.sqrt(2)))
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            std = layers ** (-1 / 3) * module.weight.shape[1] ** -0.5 / narrowed
            nn.init.trunc_normal_(module.weight, std=std, a=-CUT * std, b=CUT * std)
