"""How many arguments and events of a submission are right, word by word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from companion.errors import DataError
from companion.events.documents import Document
from companion.events.schema import Schema
from companion.events.scores import Scores
from companion.events.submission import Answer, answers

__all__ = ["aligned", "evaluate_answers"]


def evaluate_answers(
    predicted: Sequence[Sequence[Answer]], gold: Sequence[Document], schema: Schema
) -> Scores:
    """Count what is right in a submission, which has texts but no places.

    As ``evaluate``, without triggers: an argument is a type, a role and a text, counted once in a
    sentence; an event is right if its type and all its arguments are.

    Args:
        predicted: the events of each sentence, as ``read_submission`` returns them.
        gold: the documents, in the same order.
        schema: of the documents.

    Raises:
        DataError: for another number of sentences, or a document without labels.

    >>> from companion.events import Argument, Event, EventType, Role
    >>> schema = Schema((EventType("m", (Role("winner"), Role("loser"))),), triggers=False)
    >>> both = Argument("winner", 0, 2, "Li"), Argument("loser", 8, 9, "B")
    >>> event = Event("m", frozenset(both))
    >>> gold = [Document("1", "Li beat B", (event,))]
    >>> scores = evaluate_answers([[Answer("m", (("winner", "Li"),))]], gold, schema)
    >>> scores.argument_precision, scores.argument_recall, scores.event_f1
    (1.0, 0.5, 0.0)
    """
    if len(predicted) != len(gold):
        raise DataError(f"{len(predicted)} sentences predicted, {len(gold)} true; expected as many")
    total = [0] * 6
    for mine, document in zip(predicted, gold, strict=True):
        if not document.labelled:
            where = document.source or document.id
            raise DataError(f"{where}: event_list is missing; expected true events")
        found, true = (_sorted(one) for one in (mine, answers(document.events, schema)))
        said, meant = _arguments(found), _arguments(true)
        right = (Counter(found) & Counter(true)).total()
        counts = (len(said & meant), len(said), len(meant), right, len(found), len(true))
        total = [sum(pair) for pair in zip(total, counts, strict=True)]
    return Scores(*total)


def aligned(
    predicted: dict[str, list[Answer]], gold: Sequence[Document]
) -> tuple[list[list[Answer]], int]:
    """Return the predictions in the order of the documents, and how many documents have none.

    A document that nobody predicted counts as one without events.

    Raises:
        DataError: for a prediction of a document that there is not.
    """
    known = {document.id for document in gold}
    for name in predicted:
        if name not in known:
            raise DataError(f"id is {name!r}; no sentence of the true file has it")
    missing = sum(document.id not in predicted for document in gold)
    return [predicted.get(document.id, []) for document in gold], missing


def _sorted(events: Iterable[Answer]) -> list[Answer]:
    return [Answer(one.type, tuple(sorted(set(one.arguments)))) for one in events]


def _arguments(events: Iterable[Answer]) -> set[tuple[str, str, str]]:
    return {(one.type, role, text) for one in events for role, text in one.arguments}
