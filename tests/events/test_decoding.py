"""Targets and decoding are inverse, up to what pairs cannot tell; the faults of public versions."""

import warnings
from collections import Counter
from itertools import combinations

import pytest
import torch
from events.strategies import SCHEMA, TEXT, by_definition, document, drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.errors import DataError, NumericsError, ShapeError
from companion.events import (
    TRIGGER,
    Argument,
    DecodingCut,
    Document,
    Event,
    EventType,
    Role,
    Schema,
    character_offsets,
    decode_events,
    encode_targets,
    is_recoverable,
    recovered,
    word_offsets,
)

MARK = (0, 0)  # a token without text


def perfect(sentence, schema=SCHEMA, offsets=None, **options):
    """Decode what a perfect model would say, certain of everything."""
    offsets = character_offsets(sentence.text) if offsets is None else offsets
    spans, heads, tails = (20.0 * t - 10 for t in encode_targets(sentence, schema, offsets).dense())
    return decode_events(spans, heads, tails, schema, sentence.text, offsets, **options)


def document_of(text, *some):
    """Events of the type p from ``role=start:end``."""
    events = []
    for entry in some:
        arguments = set()
        for part in entry.split():
            role, place = part.split("=")
            start, end = map(int, place.split(":"))
            arguments.add(Argument(TRIGGER if role == "t" else role, start, end, text[start:end]))
        events.append(Event("p", frozenset(arguments)))
    return Document("1", text, tuple(events))


@given(drawn())
@settings(max_examples=200)
def test_decoding_targets_gives_what_pairs_can_tell(some):
    one = document(some)
    found = perfect(one)
    assert set(found) == by_definition(one.events)
    assert list(found) == recovered(one.events)
    assert is_recoverable(one.events) == (Counter(found) == Counter(one.events))


@given(drawn(), st.data())
@settings(max_examples=40)
def test_tokens_of_any_kind_give_the_same(some, data):
    """Marks without text anywhere, and characters in several pieces, as bytes are."""
    pieces = [data.draw(st.integers(1, 3)) for _ in TEXT]
    offsets = [(at, at + 1) for at, count in enumerate(pieces) for _ in range(count)]
    for _ in range(data.draw(st.integers(0, 3))):
        offsets.insert(data.draw(st.integers(0, len(offsets))), MARK)
    one = document(some)
    assert set(perfect(one, offsets=offsets)) == by_definition(one.events)


@given(drawn())
@settings(max_examples=60)
def test_dense_and_listed_targets_are_the_same(some):
    targets = encode_targets(document(some), SCHEMA, character_offsets(TEXT))
    for dense, listed in zip(targets.dense(), targets.positives(), strict=True):
        again = torch.zeros_like(dense)
        for label, rows in enumerate(listed.tolist()):
            for first, last in rows:
                if first >= 0:
                    assert not again[label, first, last], "a place that stands there twice"
                    again[label, first, last] = True
        assert torch.equal(again, dense)
        assert not dense.tril(diagonal=-1).any()


def test_targets_of_one_sentence():
    sentence = document_of("a beats b", "t=2:7 x=0:1 y=8:9")
    targets = encode_targets(sentence, SCHEMA, word_offsets(sentence.text))
    assert targets.spans == ((0, 1, 1), (1, 0, 0), (2, 2, 2))
    assert targets.heads == targets.tails == ((0, 1), (0, 2), (1, 2))
    filled = targets.positives(padding=7)
    assert filled.spans.shape == (7, 1, 2)
    assert filled.spans[:, 0].tolist() == [[1, 1], [0, 0], [2, 2], *[[7, 7]] * 4]
    assert filled.heads.tolist() == [[[0, 1], [0, 2], [1, 2]]]


def test_of_the_pieces_of_a_character_the_first_begins_and_the_last_ends():
    offsets = [MARK, (0, 1), (0, 1), (0, 1), (1, 2), (1, 2), MARK]
    targets = encode_targets(document_of("ab", "x=0:1 y=0:2"), SCHEMA, offsets)
    assert targets.spans == ((1, 1, 3), (2, 1, 5))
    assert (targets.heads, targets.tails) == (((1, 1),), ((3, 5),))


def test_no_events_are_no_places():
    targets = encode_targets(Document("1", "ab"), SCHEMA, character_offsets("ab"))
    assert targets.positives().spans.shape == (7, 0, 2)
    assert perfect(Document("1", "ab")) == []


def test_argument_off_the_borders_of_tokens_is_reported_and_the_rest_is_kept():
    sentence = document_of("abc de", "x=0:2 y=4:6 z=4:5", "x=0:2")
    targets = encode_targets(sentence, SCHEMA, word_offsets(sentence.text))
    assert [one.text for one in targets.unreachable] == ["ab", "d"]
    assert targets.spans == ((2, 1, 1),)
    assert targets.heads == ()


# ---------------------------------------------------------------------------------------
# faults of public versions, each with what it would have given


def test_span_in_two_roles_is_two_nodes_each_once():
    sentence = document_of("abcd", "t=1:2 x=0:1 y=0:1")
    assert encode_targets(sentence, SCHEMA, character_offsets("abcd")).heads == ((0, 0), (0, 1))
    (event,) = perfect(sentence)
    assert event == sentence.events[0]
    assert sorted(one.role for one in event.arguments) == ["x", "y", TRIGGER]


def test_links_know_spans_and_not_roles():
    """b lost to a and beat c: the links join the roles of b, and two more events come out."""
    chain = document_of("abc", "x=0:1 y=1:2", "x=1:2 y=2:3")
    found = [sorted(one.role + one.text for one in event.arguments) for event in perfect(chain)]
    assert sorted(found) == [["xa", "xb"], ["xa", "yb"], ["xb", "yc"], ["yb", "yc"]]
    assert not is_recoverable(chain.events)
    assert set(chain.events) < set(perfect(chain))


def test_links_of_one_type_join_in_the_other():
    p = document_of("abcd", "x=0:1", "y=1:2").events
    q = Event("q", frozenset(Argument("x", at, at + 1, "abcd"[at]) for at in (0, 1)))
    sentence = Document("1", "abcd", (*p, q))
    assert [len(event.arguments) for event in perfect(sentence)] == [2, 2]
    assert not is_recoverable(sentence.events)


def test_heads_and_tails_of_different_pairs_can_join_spans_of_different_events():
    """Heads 0, 2 from one event, tails 2, 4 from another: 0:2 and 2:4 are joined by nobody."""
    sentence = document_of("abcdef", "x=0:1 y=2:3", "x=1:2 y=3:4", "z=0:2", "z=2:4")
    assert not is_recoverable(sentence.events)
    assert len(perfect(sentence)) == 3


def test_three_events_that_share_pairs_are_one():
    sentence = document_of("abcd", "t=0:1 x=1:2 y=2:3", "t=0:1 x=1:2 z=3:4", "t=0:1 y=2:3 z=3:4")
    assert [len(event.arguments) for event in perfect(sentence)] == [4]


def test_event_inside_another_is_lost():
    sentence = document_of("abcd", "t=0:1 x=1:2 y=2:3", "t=0:1 x=1:2")
    assert perfect(sentence) == [sentence.events[0]]


def test_two_events_with_one_trigger_stay_two():
    sentence = document_of("abcdef", "t=0:1 x=1:2 y=2:3", "t=0:1 x=3:4 y=4:5")
    assert Counter(perfect(sentence)) == Counter(sentence.events)


def test_end_mark_and_lower_triangle_are_not_looked_at():
    text = "abc"
    offsets = [MARK, *character_offsets(text), (3, 3), MARK]
    n = len(offsets)
    spans = torch.full((7, n, n), -1.0)
    spans[:, 0, :] = spans[:, :, n - 2] = spans[:, n - 1] = 9
    spans += 9 * torch.ones(n, n).tril(diagonal=-1)
    links = torch.ones(n, n)
    assert decode_events(spans, links, links, SCHEMA, text, offsets) == []
    spans[1, 1, 2] = 1
    (event,) = decode_events(spans, links, links, SCHEMA, text, offsets)
    assert event.arguments == {Argument("x", 0, 2, "ab")}


@pytest.mark.parametrize("which", ["heads", "tails"])
def test_both_links_are_needed(which):
    sentence = document_of("abcd", "x=0:1 y=1:2")
    spans, heads, tails = (
        target.float() - 0.5
        for target in encode_targets(sentence, SCHEMA, character_offsets("abcd")).dense()
    )
    (heads if which == "heads" else tails).fill_(-0.5)
    found = decode_events(spans, heads[0], tails[0], SCHEMA, "abcd", character_offsets("abcd"))
    assert [len(event.arguments) for event in found] == [1, 1]


# ---------------------------------------------------------------------------------------
# the bound on work

ONE = Schema((EventType("m", (Role("a"),)),), triggers=False)


def of_graph(n, apart, **options):
    """Decode n single characters, all joined but some pairs."""
    text = "x" * n
    spans = torch.full((1, n, n), -1.0)
    spans[0].diagonal().fill_(1)
    links = torch.ones(n, n)
    for pair in apart:
        links[pair] = -1
    return decode_events(spans, links, links, ONE, text, character_offsets(text), **options)


def test_blow_up_of_cliques_is_cut_and_said():
    """2^60 cliques: the complement of a perfect matching of 120 nodes."""
    with pytest.warns(DecodingCut, match="m: more than 50 cliques, the first are kept"):
        found = of_graph(120, [(at, at + 1) for at in range(0, 120, 2)], max_cliques=50)
    assert len(found) == 50
    assert found.cut == ("m: more than 50 cliques, the first are kept",)
    assert all(len(event.arguments) == 60 for event in found)


def test_limits_that_are_just_met_cut_nothing():
    matching = [(at, at + 1) for at in range(0, 10, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = of_graph(10, matching, max_cliques=32, max_arguments=10)
    assert len(found) == 32
    assert found.cut == ()


def test_of_too_many_spans_the_highest_are_kept():
    text, generator = "x" * 40, torch.Generator().manual_seed(0)
    spans = torch.randn(1, 40, 40, generator=generator)
    links = -torch.ones(40, 40)
    with pytest.warns(DecodingCut, match=r"\d+ spans above 0.0, the 20 highest are kept"):
        found = decode_events(
            spans, links, links, ONE, text, character_offsets(text), max_arguments=20
        )
    kept = {(one.start, one.end - 1) for event in found for one in event.arguments}
    upper = spans[0].masked_fill(torch.ones(40, 40).tril(diagonal=-1).bool(), -9)
    best = upper.flatten().topk(20).indices
    assert kept == {(int(at) // 40, int(at) % 40) for at in best}


def test_threshold_and_trigger():
    sentence = document_of("abcd", "t=0:1 x=1:2", "y=2:3")
    assert len(perfect(sentence, threshold=9)) == 2
    assert perfect(sentence, threshold=10) == []
    everything = perfect(sentence, threshold=-10.5)
    assert [len(event.arguments) for event in everything] == [4 * 10, 3 * 10]
    assert [event.trigger is None for event in perfect(sentence, require_trigger=True)] == [False]


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"spans": (6, 4, 4)}, ShapeError, r"span_scores has shape \(6, 4, 4\); expected \(7, 4, "),
        ({"heads": (2, 4, 4)}, ShapeError, r"head_scores has shape \(2, 4, 4\); expected \(4, 4\)"),
        ({"tails": (5, 5)}, ShapeError, r"tail_scores has shape \(5, 5\)"),
        ({"offsets": character_offsets("abc")}, ShapeError, "3 tokens"),
        ({"offsets": [(0, 1), (1, 2), (2, 3), (3, 5)]}, DataError, r"offsets\[3\] is \(3, 5\)"),
        ({"offsets": [(0, 1), (2, 3), (1, 2), (3, 4)]}, DataError, r"offsets\[2\] is \(1, 2\), a"),
        ({"offsets": [(0, 1), (2, 1), (2, 3), (3, 4)]}, DataError, r"offsets\[1\] is \(2, 1\)"),
        ({"max_cliques": 0}, DataError, "max_cliques 0"),
        ({"max_arguments": 0}, DataError, "max_arguments is 0"),
        ({"schema": Schema(SCHEMA.types, triggers=False)}, ShapeError, "5 labels of the schema"),
    ],
)  # fmt: skip
def test_scores_that_do_not_fit(change, error, message):
    shapes = {"spans": (7, 4, 4), "heads": (4, 4), "tails": (1, 4, 4)}
    spans, heads, tails = (torch.zeros(change.get(name, shape)) for name, shape in shapes.items())
    options = {name: change[name] for name in ("max_cliques", "max_arguments") if name in change}
    schema, offsets = change.get("schema", SCHEMA), change.get("offsets", character_offsets("abcd"))
    with pytest.raises(error, match=message):
        decode_events(spans, heads, tails, schema, "abcd", offsets, **options)


def test_nan_is_no_score():
    scores = [torch.zeros(7, 4, 4), torch.zeros(4, 4), torch.zeros(4, 4)]
    for at, name in enumerate(("span_scores[2, 0, 1]", "head_scores[0, 1]", "tail_scores[0, 1]")):
        bad = [one.clone() for one in scores]
        bad[at][(2, 0, 1) if at == 0 else (0, 1)] = float("nan")
        with pytest.raises(NumericsError, match=name.replace("[", r"\[")):
            decode_events(bad[0], bad[1], bad[2], SCHEMA, "abcd", character_offsets("abcd"))


def test_trigger_that_the_schema_does_not_have():
    schema = Schema(SCHEMA.types, triggers=False)
    spans, links = torch.zeros(5, 2, 2), torch.zeros(2, 2)
    with pytest.raises(DataError, match="the schema has no triggers"):
        decode_events(
            spans, links, links, schema, "ab", character_offsets("ab"), require_trigger=True
        )


def test_event_outside_the_schema():
    argument = Argument("w", 0, 1, "a")
    sentence = Document("7", "ab", (Event("p", frozenset([argument])),), source="dev.json:3")
    with pytest.raises(DataError, match=r"dev.json:3: role is 'w'; 'p' has '触发词', 'x', 'y'"):
        encode_targets(sentence, SCHEMA, character_offsets("ab"))
    sentence = Document("7", "ab", (Event("r", frozenset([argument])),))
    with pytest.raises(DataError, match="7: event_type is 'r'; the schema has 'p', 'q'"):
        encode_targets(sentence, SCHEMA, character_offsets("ab"))


def test_pairs_of_a_large_event_are_all_linked():
    n = 12
    sentence = Document(
        "1", "x" * n, (Event("m", frozenset(Argument("a", i, i + 1, "x") for i in range(n))),)
    )
    targets = encode_targets(sentence, ONE, character_offsets(sentence.text))
    assert targets.heads == tuple(combinations(range(n), 2))
