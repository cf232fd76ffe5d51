"""Scores: counted by hand, bounded, and blind where they are said to be blind."""

import pytest
from events.strategies import SCHEMA, TEXT, document, drawn
from hypothesis import given, settings

from companion.errors import DataError
from companion.events import (
    TRIGGER,
    Answer,
    Argument,
    Document,
    Event,
    Schema,
    Scores,
    answers,
    duee_score,
    evaluate,
)


def event(entry: str, kind: str = "p") -> Event:
    """An event from ``role=start:end``; ``t`` is the trigger."""
    arguments = set()
    for part in entry.split():
        role, place = part.split("=")
        start, end = map(int, place.split(":"))
        arguments.add(Argument(TRIGGER if role == "t" else role, start, end, TEXT[start:end]))
    return Event(kind, frozenset(arguments))


def test_counts_of_one_sentence():
    gold = [event("t=0:1 x=1:2 y=2:3"), event("t=0:1 x=1:2 y=3:4"), event("x=1:2", "q")]
    said = [event("t=0:1 x=1:2 y=2:3"), event("t=0:1 x=1:2 y=4:5")]
    scores = evaluate([said], [gold])
    # x at 1 counts once for p and once for q; of p's y two are true, one is found, one is wrong
    assert scores == Scores(2, 3, 4, 1, 2, 3)
    assert (scores.argument_precision, scores.argument_recall) == (2 / 3, 1 / 2)
    assert scores.argument_f1 == pytest.approx(4 / 7)
    assert (scores.event_precision, scores.event_recall, scores.event_f1) == (1 / 2, 1 / 3, 2 / 5)


@pytest.mark.parametrize("said", ["x=1:3 y=2:3", "y=1:2 x=2:3", "x=1:2", "x=1:2 y=2:3 z=4:5"])
def test_event_is_right_with_all_its_arguments_alone(said):
    assert evaluate([[event(said)]], [[event("x=1:2 y=2:3")]]).events_right == 0


def test_type_counts():
    scores = evaluate([[event("x=1:2", "q")]], [[event("x=1:2", "p")]])
    assert (scores.arguments_right, scores.events_right) == (0, 0)


def test_trigger_belongs_to_the_event_and_is_no_argument():
    gold, said = [[event("t=0:1 x=1:2")]], [[event("t=5:6 x=1:2")]]
    with_triggers, without = evaluate(said, gold), evaluate(said, gold, triggers=False)
    assert (with_triggers.argument_f1, with_triggers.event_f1) == (1, 0)
    assert (without.argument_f1, without.event_f1) == (1, 1)


def test_two_equal_events_must_be_found_twice():
    one = event("x=1:2")
    assert evaluate([[one]], [[one, one]]) == Scores(1, 1, 1, 1, 1, 2)
    assert evaluate([[one, one]], [[one, one]]).event_f1 == 1


def test_sentences_are_not_mixed():
    one, other = event("x=1:2"), event("x=2:3")
    assert evaluate([[one], [other]], [[other], [one]]).arguments_right == 0


def test_nothing_said_and_nothing_there():
    nothing = evaluate([[]], [[]])
    assert (nothing.argument_f1, nothing.event_precision, nothing.event_recall) == (1, 1, 1)
    assert evaluate([[]], [[event("x=1:2")]]).event_f1 == 0


@given(drawn())
@settings(max_examples=50)
def test_truth_has_the_full_score_and_documents_are_taken_as_well(some):
    one = document(some)
    assert evaluate([one.events], [one]) == evaluate([one], [one])
    assert evaluate([one], [one]).event_f1 == evaluate([one], [one]).argument_f1 == 1
    assert duee_score([answers(one.events, SCHEMA)], [one], SCHEMA).f1 == pytest.approx(1)


@given(drawn(), drawn())
@settings(max_examples=50)
def test_shares_lie_between_0_and_1_and_swap(some, others):
    one, other = document(some), document(others)
    scores, swapped = evaluate([one], [other]), evaluate([other], [one])
    assert scores.argument_precision == swapped.argument_recall
    assert scores.event_recall == swapped.event_precision
    official = duee_score([answers(one.events, SCHEMA)], [other], SCHEMA)
    back = duee_score([answers(other.events, SCHEMA)], [one], SCHEMA)
    assert official.points == pytest.approx(back.points)
    assert 0 <= official.points <= min(official.predicted, official.true)


def gold_of(*arguments: Argument) -> list[Document]:
    return [Document("1", "Li Na Li", (Event("p", frozenset(arguments)),))]


LI_NA = Argument("x", 0, 5, "Li Na", aliases=("Na Li", "Ms Na"))


@pytest.mark.parametrize(
    ("said", "points"),
    [
        ("Li Na", 1),
        ("LI NA", 1),  # without case
        ("Na Li", 1),  # characters with their number, and an alias says the same
        ("Li", 4 / 7),  # 2 of 2 and 2 of 5
        ("LiLi", 4 / 9),  # 2 of 4 and 2 of 5: a character is not common twice
        ("Ms Na", 1),
        ("ms", 4 / 7),  # of several ways to say it, the best
        ("zz", 0),
    ],
)
def test_points_of_one_argument(said, points):
    score = duee_score([[Answer("p", (("x", said),))]], gold_of(LI_NA), SCHEMA)
    assert score.points == pytest.approx(points)
    assert (score.predicted, score.true) == (1, 1)


def test_a_character_that_stands_twice_is_common_twice():
    gold = gold_of(Argument("x", 0, 5, "aabbc"))
    assert duee_score([[Answer("p", (("x", "aabb"),))]], gold, SCHEMA).points == pytest.approx(
        8 / 9
    )


@pytest.mark.parametrize("said", [Answer("q", (("x", "Li Na"),)), Answer("p", (("y", "Li Na"),))])
def test_no_points_for_another_type_or_role(said):
    assert duee_score([[said]], gold_of(LI_NA), SCHEMA).points == 0


def test_pairs_are_one_to_one_and_the_best():
    """Greedy in order, "Li Na" would take its own; both predictions cannot have it."""
    gold = gold_of(LI_NA, Argument("x", 6, 8, "Li"))
    score = duee_score([[Answer("p", (("x", "Li Na"), ("x", "Li N")))]], gold, SCHEMA)
    assert score.points == pytest.approx(1 + 4 / 6)
    only = duee_score([[Answer("p", (("x", "Li Na"), ("x", "Li N")))]], gold_of(LI_NA), SCHEMA)
    assert (only.points, only.precision, only.recall) == (1, 1 / 2, 1)


def test_official_score_is_blind_to_grouping_and_triggers():
    gold = Document("1", TEXT, (event("t=0:1 x=1:2 y=2:3"), event("t=0:1 x=3:4 y=4:5")))
    merged = event("t=7:8 x=1:2 y=2:3 x=3:4 y=4:5")
    crossed = [event("x=1:2 y=4:5"), event("x=3:4 y=2:3")]
    for said in ([merged], crossed):
        assert duee_score([answers(said, SCHEMA)], [gold], SCHEMA).f1 == 1
        assert evaluate([said], [gold]).argument_f1 == 1
        assert evaluate([said], [gold], triggers=False).event_f1 == 0


def test_what_cannot_be_compared():
    with pytest.raises(DataError, match="1 sentences predicted, 2 true; expected as many"):
        evaluate([[]], [[], []])
    bare = Document("1", "ab", labelled=False, source="test.json:4")
    with pytest.raises(DataError, match=r"gold\[1\] \(test.json:4\) has no labels"):
        evaluate([[], []], [[], bare])
    with pytest.raises(DataError, match=r"gold\[0\] \(test.json:4\) has no labels"):
        duee_score([[]], [bare], Schema(SCHEMA.types))
    with pytest.raises(DataError, match=r"predicted\[0\] is '1', gold\[0\] is '2'"):
        evaluate([Document("1", "ab")], [Document("2", "ab")])
