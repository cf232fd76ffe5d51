"""Labelled sentences as batches: numbers, masks, and the pairs that shall score above 0."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from companion.errors import DataError
from companion.events.documents import Argument, Document
from companion.events.linker import LinkerTargets
from companion.events.reader import SkippedLines
from companion.events.schema import Schema
from companion.events.targets import Positives, encode_targets
from companion.events.vocabulary import Encoded, Vocabulary

__all__ = ["Sentences", "batch_tokens", "short_enough"]


class Sentences:
    """Sentences as data for ``companion.training.fit``: ``sentences[indices]`` is a batch.

    A batch is as long as its longest sentence, and has as many pairs as its sentences need; what is
    left over is filled with padding, which changes no loss.

    Args:
        documents: labelled.
        schema: of their events.
        vocabulary: which numbers the tokens get.
        longest: how many tokens a sentence may have.

    Raises:
        DataError: for no sentence, one without labels, or one that is too long; says which.

    >>> from companion.events import Event, EventType, Role
    >>> schema = Schema((EventType("m", (Role("winner"),)),), triggers=False)
    >>> won = Event("m", frozenset({Argument("winner", 0, 2, "Li")}))
    >>> documents = [Document("1", "Li won", (won,)), Document("2", "Bo lost a set")]
    >>> vocabulary = Vocabulary.of((one.text for one in documents), kind="word", least=1)
    >>> sentences = Sentences(documents, schema, vocabulary, longest=9)
    >>> {name: tuple(part.shape) for name, part in sentences[torch.tensor([0, 1, 0])].items()}
    {'tokens': (3, 4), 'mask': (3, 4), 'spans': (3, 1, 1, 2), 'heads': (3, 1, 0, 2), \
'tails': (3, 1, 0, 2)}
    """

    def __init__(
        self,
        documents: Sequence[Document],
        schema: Schema,
        vocabulary: Vocabulary,
        *,
        longest: int,
    ) -> None:
        if not documents:
            raise DataError("there are no sentences; expected at least one")
        self.documents, self.schema = documents, schema
        self.encoded: list[Encoded] = []
        self.positives: list[Positives] = []
        self.unreachable: list[tuple[Document, Argument]] = []
        for document in documents:
            if not document.labelled:
                expected = "expected an event_list to learn from"
                raise DataError(f"{place_of(document)}: event_list is missing; {expected}")
            encoded = vocabulary.encode(document.text)
            check_length(document, len(encoded.tokens), longest)
            targets = encode_targets(document, schema, encoded.offsets)
            self.encoded.append(encoded)
            self.positives.append(targets.positives())
            self.unreachable += [(document, argument) for argument in targets.unreachable]

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, indices: Int64[Tensor, " row"]) -> dict[str, Tensor]:
        rows: list[int] = indices.tolist()
        tokens, mask = batch_tokens([self.encoded[row].tokens for row in rows])
        pairs = {
            name: _stacked([getattr(self.positives[row], name) for row in rows])
            for name in LinkerTargets._fields
        }
        return {"tokens": tokens, "mask": mask, **pairs}


def batch_tokens(
    sentences: Sequence[Sequence[int]],
) -> tuple[Int64[Tensor, "row seq"], Bool[Tensor, "row seq"]]:
    """Return sentences side by side, filled up with 0, and True where there is a token.

    >>> batch_tokens([[7, 8], [9]])
    (tensor([[7, 8],
            [9, 0]]), tensor([[ True,  True],
            [ True, False]]))
    """
    lengths = torch.tensor([len(tokens) for tokens in sentences])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    tokens = torch.zeros(mask.shape, dtype=torch.int64)
    tokens[mask] = torch.tensor([token for one in sentences for token in one], dtype=torch.int64)
    return tokens, mask


def short_enough(
    documents: Iterable[Document],
    vocabulary: Vocabulary,
    *,
    longest: int,
    on_error: Literal["raise", "skip"] = "raise",
) -> tuple[list[Document], list[str]]:
    """Return the documents that an encoder takes, and a message for each that it does not.

    Args:
        documents: any.
        vocabulary: that counts their tokens.
        longest: how many there may be.
        on_error: "skip" leaves longer ones out, and says so in a warning.

    Raises:
        DataError: with "raise", for the first that is too long, naming file, line and field.
    """
    kept, skipped = [], []
    for document in documents:
        try:
            check_length(document, len(vocabulary.encode(document.text).tokens), longest)
        except DataError as error:
            if on_error == "raise":
                raise
            skipped.append(str(error))
            continue
        kept.append(document)
    if skipped:
        found = f"{len(skipped)} of {len(kept) + len(skipped)} texts skipped"
        warnings.warn(f"{found}; the first: {skipped[0]}", SkippedLines, stacklevel=2)
    return kept, skipped


def check_length(document: Document, tokens: int, longest: int) -> None:
    """Refuse a sentence without tokens, or with more than an encoder takes.

    Raises:
        DataError: naming file, line and field.
    """
    if not 1 <= tokens <= longest:
        expected = f"expected 1 to {longest} (length)"
        raise DataError(f"{place_of(document)}: text has {tokens} tokens; {expected}")


def place_of(document: Document) -> str:
    """Return file and line of a document, or its id where it is from no file."""
    return document.source or f"document {document.id!r}"


def _stacked(parts: Sequence[Int64[Tensor, "label _ 2"]]) -> Int64[Tensor, "row label pair 2"]:
    most = max(part.shape[1] for part in parts)
    whole: Any = parts[0].new_full((len(parts), parts[0].shape[0], most, 2), -1)
    for row, part in enumerate(parts):
        whole[row, :, : part.shape[1]] = part
    return whole
