"""Language models: an encoder of tokens, and a head that says which token is likely."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from companion.attention.decoding import Decoder
from companion.attention.encoder import TokenEncoder
from companion.attention.padding import check_mask, check_tokens
from companion.attention.sampling import draw
from companion.errors import DataError, ShapeError

__all__ = ["LanguageModel", "MaskedLanguageModel", "cross_entropy"]


def cross_entropy(
    logits: Float[Tensor, "batch seq token"],
    targets: Int64[Tensor, "batch seq"],
    mask: Bool[Tensor, "batch seq"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean of −log p(target) over the tokens, in nats, computed in float32 at least.

    Args:
        logits: one score for each token of the vocabulary.
        targets: the tokens that are to be told.
        mask: True where one counts; 0 is returned where none does.

    Raises:
        ShapeError: if they do not fit together.
        DataError: if the mask is not Boolean.

    >>> cross_entropy(torch.zeros(1, 3, 4), torch.tensor([[0, 1, 2]])).exp()
    tensor(4.)
    """
    if logits.ndim != 3 or logits.shape[:2] != targets.shape:
        found = f"logits have shape {tuple(logits.shape)}, targets {tuple(targets.shape)}"
        raise ShapeError(f"{found}; expected [batch, seq, token] and [batch, seq]")
    check_mask(mask, *targets.shape)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    each = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    if mask is None:
        return each.sum() / max(each.numel(), 1)
    counts = mask.flatten()
    return each.masked_fill(~counts, 0).sum() / counts.sum().clamp_min(1)


class _Model(nn.Module):
    """An encoder of tokens and a head: logits at every position."""

    causal: bool

    def __init__(self, encoder: TokenEncoder, *, tied: bool = True) -> None:
        super().__init__()
        check_direction(encoder, causal=self.causal)
        self.encoder = encoder
        self.head = nn.Linear(encoder.dim, encoder.vocabulary, bias=False)
        if tied:
            self.head.weight = encoder.embedding.weight
        else:
            nn.init.normal_(self.head.weight, std=encoder.dim**-0.5 / 2)

    def forward(
        self,
        tokens: Int64[Tensor, "batch seq"],
        mask: Bool[Tensor, "batch seq"] | None = None,
        segments: Int64[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "batch seq token"]:
        """Return a score for each token of the vocabulary, at every position.

        Args:
            tokens, mask, segments: as in ``TokenEncoder``.
        """
        return self.head(self.encoder(tokens, mask, segments))


class MaskedLanguageModel(_Model):
    """Tell tokens that were hidden from those around them: logits at every position.

    Devlin et al., *BERT*, 2018. The encoder sees both sides; ``companion.text.hide_tokens`` hides.

    Args:
        encoder: of tokens, not causal.
        tied: whether the head's matrix is the embedding; no biases either way.

    >>> from companion.attention import Encoder, GatedAttentionUnit
    >>> encoder = Encoder([GatedAttentionUnit(16, key_dim=8)], dim=16)
    >>> model = MaskedLanguageModel(TokenEncoder(encoder, vocabulary=99))
    >>> model(torch.zeros(2, 5, dtype=torch.int64)).shape
    torch.Size([2, 5, 99])
    """

    causal = False

    def loss(
        self,
        tokens: Int64[Tensor, "batch seq"],
        targets: Int64[Tensor, "batch seq"],
        hidden: Bool[Tensor, "batch seq"],
        mask: Bool[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Return the cross entropy of the hidden tokens, in nats each.

        Args:
            tokens: with some hidden.
            targets: as they were.
            hidden: True where one counts.
            mask: True where there is a token.
        """
        return cross_entropy(self(tokens, mask), targets, hidden)


class LanguageModel(_Model):
    """Tell the next token from those before it: logits for the token after every position.

    Args:
        encoder: of tokens, causal.
        tied: whether the head's matrix is the embedding.

    >>> from companion.attention import Encoder, GatedAttentionUnit
    >>> encoder = Encoder([GatedAttentionUnit(16, key_dim=8, causal=True)], dim=16)
    >>> model = LanguageModel(TokenEncoder(encoder, vocabulary=99))
    >>> 4 < model.loss(torch.arange(10)[None]).item() < 5.2  # the logarithm of 99 is 4.6
    True
    """

    causal = True

    def loss(
        self, tokens: Int64[Tensor, "batch seq"], mask: Bool[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, ""]:
        """Return the cross entropy of every token but the first, in nats each.

        Args:
            tokens: at least 2.
            mask: True where there is a token. One counts if it and the one before are there.

        Raises:
            DataError: for fewer than 2 tokens, which hold nothing to tell.
        """
        if tokens.shape[-1] < 2:
            raise DataError(f"a sequence of {tokens.shape[-1]} tokens; expected at least 2")
        if mask is None:
            return cross_entropy(self(tokens[:, :-1]), tokens[:, 1:])
        check_mask(mask, *tokens.shape)
        logits = self(tokens[:, :-1], mask[:, :-1])
        return cross_entropy(logits, tokens[:, 1:], mask[:, 1:] & mask[:, :-1])

    @torch.no_grad()
    def generate(
        self,
        prompt: Int64[Tensor, "batch seq"],
        *,
        count: int,
        temperature: int | float = 1.0,
        top_k: int | None = None,
        without: Sequence[int] = (),
        end: int | None = None,
        padding: int = 0,
        generator: torch.Generator | None = None,
    ) -> Int64[Tensor, "batch longer"]:
        """Go on with a text, token after token (``Decoder``), without dropout.

        Args:
            prompt: one token at least, all of them true.
            count: how many tokens are added at most.
            temperature, top_k, without, generator: as in ``draw``.
            end: a row in which this token was drawn is finished; all finished, no more is drawn.
            padding: what stands in a finished row behind its end.

        Returns:
            The prompt and what was added.

        Raises:
            DataError: for an empty prompt, a count below 0, and what ``draw`` refuses.
            NumericsError: if the model says NaN.

        >>> from companion.attention import Architecture
        >>> model = Architecture(layers="gau", dim=16, depth=1).language_model(9)
        >>> model.generate(torch.tensor([[4, 5]]), count=3).shape
        torch.Size([1, 5])
        """
        check_tokens(prompt, self.encoder.vocabulary, None, name="the prompt's tokens")
        if prompt.numel() == 0:
            raise DataError(
                f"the prompt has shape {tuple(prompt.shape)}; expected a token at least"
            )
        if count < 0:
            raise DataError(f"count is {count}; expected 0 or more")
        decoder, text, new = Decoder(self.encoder, batch=len(prompt)), [prompt], prompt
        done = torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
        for _ in range(count):
            logits = self.head(decoder.read(new)[:, -1])
            drawn = draw(
                logits, temperature=temperature, top_k=top_k, without=without, generator=generator
            )
            new = drawn.masked_fill(done, padding)[:, None]
            text.append(new)
            if end is not None:
                done |= new[:, 0] == end
                if bool(done.all()):
                    break
        return torch.cat(text, dim=1)


def check_direction(encoder: nn.Module, *, causal: bool) -> None:
    """Refuse an encoder with a layer that looks the wrong way."""
    for name, module in encoder.named_modules():
        if getattr(module, "causal", causal) != causal:
            found = f"{name} has causal={not causal}"
            raise DataError(f"{found}; expected causal={causal} in every layer of this model")
