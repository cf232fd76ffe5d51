"""Sentences with random events, and what comes out of them by the definition alone."""

from itertools import combinations

from hypothesis import strategies as st

from companion.events import TRIGGER, Argument, Document, Event, EventType, Role, Schema

SCHEMA = Schema(
    (EventType("p", (Role("x"), Role("y"), Role("z"))), EventType("q", (Role("x"), Role("y"))))
)
TEXT = "abcdefgh"


Drawn = list[tuple[str, set[tuple[str, int, int]]]]  # types, and roles with their places


def spans(length: int = len(TEXT)) -> st.SearchStrategy[tuple[int, int]]:
    pairs = st.tuples(st.integers(0, length - 1), st.integers(1, 3))
    return pairs.map(lambda pair: (pair[0], min(sum(pair), length)))


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """Up to four events, half of the time of few spans, so that events meet."""
    few = draw(st.booleans())
    places = st.integers(0, 3).map(lambda at: (at, at + 1)) if few else spans()
    found: Drawn = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["p", "p", "q"]))
        roles = st.sampled_from([TRIGGER, "x", "y", *("z" * (kind == "p"))])
        arguments = draw(st.sets(st.tuples(roles, places), max_size=3))
        found.append((kind, {(role, *place) for role, place in arguments}))
    return found


def document(some: Drawn) -> Document:
    """The document with these events."""
    events = (
        Event(kind, frozenset(Argument(role, s, e, TEXT[s:e]) for role, s, e in arguments))
        for kind, arguments in some
    )
    return Document("1", TEXT, tuple(events))


def by_definition(some: tuple[Event, ...]) -> set[Event]:
    """What a decoder sees of perfect scores: every set of arguments of a type, tried out."""
    pairs = [pair for event in some for pair in combinations(event.arguments, 2)]

    def joined(one: Argument, other: Argument) -> bool:
        heads = any({one.start, other.start} == {a.start, b.start} for a, b in pairs)
        tails = any({one.end, other.end} == {a.end, b.end} for a, b in pairs)
        return heads and tails

    found = set()
    for kind in {event.type for event in some}:
        nodes = {one for event in some if event.type == kind for one in event.arguments}
        good = {
            one: frozenset(other for other in nodes if other == one or joined(one, other))
            for one in nodes
        }
        for size in range(1, len(nodes) + 1):
            for chosen in map(frozenset, combinations(nodes, size)):
                everyone = frozenset.intersection(*(good[one] for one in chosen))
                if everyone == chosen:  # all joined, and nobody else is joined to all
                    found.add(Event(kind, chosen))
    return found
