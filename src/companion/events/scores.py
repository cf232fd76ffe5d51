"""How well events were found: by arguments, by whole events, and as DuEE's judges count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from companion.errors import DataError
from companion.events.documents import TRIGGER, Document, Event
from companion.events.schema import Schema
from companion.events.submission import Answer

__all__ = ["CharacterScore", "Scores", "duee_score", "evaluate"]


@dataclass(frozen=True)
class Scores:
    """How many arguments and events are right, of how many.

    Precision is right / predicted, recall is right / true, and F1 = 2 · right / (predicted + true),
    their harmonic mean. A share of nothing is 1: who predicts nothing says nothing wrong.

    >>> scores = Scores(3, 4, 6, 0, 0, 1)
    >>> scores.argument_precision, scores.argument_recall, scores.argument_f1
    (0.75, 0.5, 0.6)
    >>> scores.event_precision, scores.event_recall, scores.event_f1
    (1.0, 0.0, 0.0)
    """

    arguments_right: int
    arguments_predicted: int
    arguments_true: int
    events_right: int
    events_predicted: int
    events_true: int

    @property
    def argument_precision(self) -> float:
        return _share(self.arguments_right, self.arguments_predicted)

    @property
    def argument_recall(self) -> float:
        return _share(self.arguments_right, self.arguments_true)

    @property
    def argument_f1(self) -> float:
        return _share(2 * self.arguments_right, self.arguments_predicted + self.arguments_true)

    @property
    def event_precision(self) -> float:
        return _share(self.events_right, self.events_predicted)

    @property
    def event_recall(self) -> float:
        return _share(self.events_right, self.events_true)

    @property
    def event_f1(self) -> float:
        return _share(2 * self.events_right, self.events_predicted + self.events_true)


def evaluate(
    predicted: Sequence[Sequence[Event] | Document],
    gold: Sequence[Sequence[Event] | Document],
    *,
    triggers: bool = True,
) -> Scores:
    """Count what is right, sentence by sentence.

    An *argument* is a type, a role and a span; it counts once in a sentence, in however many events
    it stands, and triggers do not count. An *event* is right if type and all arguments are, the
    trigger included; of two equal events two must be found.

    Args:
        predicted: the events of each sentence.
        gold: the true ones, in the same order.
        triggers: whether the trigger belongs to the event. False: compare a model that knows
            triggers with one that does not.

    Raises:
        DataError: for another number of sentences, documents of other ids, or a true document
            without labels.

    >>> from companion.events import Argument
    >>> winner, loser = Argument("winner", 0, 2, "Li"), Argument("loser", 8, 9, "B")
    >>> event, half = Event("m", frozenset([winner, loser])), Event("m", frozenset([winner]))
    >>> scores = evaluate([[half]], [[event]])
    >>> scores.argument_precision, scores.argument_recall, scores.event_f1
    (1.0, 0.5, 0.0)
    """
    _check(predicted, gold)
    total = [0] * 6
    for mine, theirs in zip(predicted, gold, strict=True):
        found, true = (_events(one, triggers=triggers) for one in (mine, theirs))
        said, meant = _arguments(found), _arguments(true)
        right = (Counter(found) & Counter(true)).total()
        counts = (len(said & meant), len(said), len(meant), right, len(found), len(true))
        total = [sum(pair) for pair in zip(total, counts, strict=True)]
    return Scores(*total)


@dataclass(frozen=True)
class CharacterScore:
    """The score of DuEE's judges: a sum of character F1 over predicted and over true arguments."""

    points: float
    predicted: int
    true: int

    @property
    def precision(self) -> float:
        return _share(self.points, self.predicted)

    @property
    def recall(self) -> float:
        return _share(self.points, self.true)

    @property
    def f1(self) -> float:
        return _share(2 * self.points, self.predicted + self.true)


def duee_score(
    predicted: Sequence[Sequence[Answer]], gold: Sequence[Document], schema: Schema
) -> CharacterScore:
    """Score predictions as DuEE 1.0's judges describe it.

    An argument of the right type and role has as many points as the characters of its text and of
    the true text agree (F1 over characters with their number, letters without case; of several
    ways to say it, the best). Neither triggers nor the grouping into events count.

    The description leaves open who is compared with whom. Here an argument counts once in a
    sentence, and within a type and role the pairs are chosen, one to one, that bring most points.

    Args:
        predicted: the events of each sentence, as ``answers`` or ``read_submission`` return them.
        gold: the documents, in the same order.
        schema: of the documents.

    Raises:
        DataError: for another number of sentences, or a document without labels.

    >>> from companion.events import Argument, EventType, Role
    >>> schema = Schema((EventType("m", (Role("winner"),)),), triggers=False)
    >>> event = Event("m", frozenset({Argument("winner", 0, 5, "Li Na")}))
    >>> gold = [Document("1", "Li Na won", (event,))]
    >>> duee_score([[Answer("m", (("winner", "li"),))]], gold, schema).points    # 2 of 2, 2 of 5
    0.5714285714285714
    """
    _check(predicted, gold)
    points, said, meant = 0.0, 0, 0
    for mine, document in zip(predicted, gold, strict=True):
        found = _texts((one.type, role, text, ()) for one in mine for role, text in one.arguments)
        true = _texts(
            (event.type, *schema.written(event.type, one.role, one.text), one.aliases)
            for event in document.events
            for one in event.arguments
            if one.role != TRIGGER
        )
        said += sum(map(len, found.values()))
        meant += sum(map(len, true.values()))
        points += sum(_best(found[label], true[label]) for label in found.keys() & true.keys())
    return CharacterScore(points, said, meant)


Texts = dict[tuple[str, str], dict[str, set[str]]]  # by type and role: a text, all ways to say it


def _texts(entries: Iterable[tuple[str, str, str, tuple[str, ...]]]) -> Texts:
    found: Texts = {}
    for kind, role, text, aliases in entries:
        ways = found.setdefault((kind, role), {}).setdefault(text.lower(), {text.lower()})
        ways.update(alias.lower() for alias in aliases if alias)
    return found


def _best(found: dict[str, set[str]], true: dict[str, set[str]]) -> float:
    """Return the most points that pairs, one to one, can have."""
    from scipy.optimize import linear_sum_assignment

    table = np.array(
        [[max(_agreement(one, way) for way in ways) for ways in true.values()] for one in found]
    )
    return float(table[linear_sum_assignment(table, maximize=True)].sum())


def _agreement(one: str, other: str) -> float:
    """Return F1 over characters: twice the common ones over all."""
    common = (Counter(one) & Counter(other)).total()
    return 2 * common / (len(one) + len(other))


def _share(part: int | float, whole: int) -> float:
    return part / whole if whole else 1.0


def _events(one: Sequence[Event] | Document, *, triggers: bool) -> list[Event]:
    events = one.events if isinstance(one, Document) else one
    if triggers:
        return list(events)
    return [
        Event(event.type, frozenset(a for a in event.arguments if a.role != TRIGGER))
        for event in events
    ]


def _arguments(events: Iterable[Event]) -> set[tuple[str, str, int, int]]:
    return {
        (event.type, one.role, one.start, one.end)
        for event in events
        for one in event.arguments
        if one.role != TRIGGER
    }


def _check(predicted: Sequence, gold: Sequence) -> None:
    if len(predicted) != len(gold):
        raise DataError(f"{len(predicted)} sentences predicted, {len(gold)} true; expected as many")
    for at, (mine, theirs) in enumerate(zip(predicted, gold, strict=True)):
        if isinstance(theirs, Document) and not theirs.labelled:
            where = theirs.source or theirs.id
            raise DataError(f"gold[{at}] ({where}) has no labels; expected true events")
        if isinstance(mine, Document) and isinstance(theirs, Document) and mine.id != theirs.id:
            raise DataError(f"predicted[{at}] is {mine.id!r}, gold[{at}] is {theirs.id!r}")
