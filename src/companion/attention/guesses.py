"""What a model of hidden tokens puts in place of [MASK]."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from companion.attention.models import MaskedLanguageModel
from companion.errors import DataError
from companion.text import WordPieceTokenizer

__all__ = ["Guess", "fill_mask"]


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A token that may stand where a text has [MASK].

    Args:
        token: the piece, as in the vocabulary.
        number: its number there.
        probability: what the model gives it, of 1.
    """

    token: str
    number: int
    probability: float


@torch.no_grad()
def fill_mask(
    model: MaskedLanguageModel, tokenizer: WordPieceTokenizer, text: str, top: int = 5
) -> dict[int, list[Guess]]:
    """Return the likeliest tokens for every [MASK] of a text.

    Args:
        model: of hidden tokens, such as a ``GAUAlpha``; asked in evaluation mode, and left as it
            was.
        tokenizer: with the vocabulary of the model.
        text: with one [MASK] at least.
        top: how many guesses each.

    Returns:
        By the position of [MASK] among the tokens, [CLS] being 0: the guesses, the likeliest first.

    Raises:
        DataError: for a text without [MASK], a tokenizer of another vocabulary, or a ``top``
            outside it.

    >>> from companion.attention import GAUAlpha, GAUAlphaConfig
    >>> tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"])
    >>> model = GAUAlpha(GAUAlphaConfig(vocabulary=7, dim=8, key_dim=4, layers=1))
    >>> guesses = fill_mask(model, tokenizer, "a [MASK] b", top=7)
    >>> [*guesses], round(sum(guess.probability for guess in guesses[2]), 4)
    ([2], 1.0)
    """
    size = model.encoder.vocabulary
    if len(tokenizer) != size:
        found = f"the tokenizer has {len(tokenizer)} tokens, the model {size}"
        raise DataError(f"{found}; expected the vocabulary that the model was trained with")
    if not 1 <= top <= size:
        raise DataError(f"top is {top}; expected 1 to {size}")
    tokens = tokenizer.encode(text, framed=True)
    places = [place for place, token in enumerate(tokens) if token == tokenizer.hidden]
    if not places:
        raise DataError(f"{text!r} holds no [MASK]; expected one at least")
    trained = model.training
    model.eval()
    logits = model(torch.tensor([tokens], device=next(model.parameters()).device))[0, places]
    model.train(trained)
    likely = logits.float().softmax(dim=-1).topk(top)
    return {
        place: [
            Guess(token=tokenizer.token(number), number=number, probability=probability)
            for number, probability in zip(numbers, probabilities, strict=True)
        ]
        for place, numbers, probabilities in zip(
            places, likely.indices.tolist(), likely.values.tolist(), strict=True
        )
    }
