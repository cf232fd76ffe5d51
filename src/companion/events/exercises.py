"""The exercises of the chapter on linked events: ``check(exercises.LINKS, your_function)``."""

from __future__ import annotations

from functools import partial

from companion.events import mistakes, problems
from companion.events.problems import comes_out, float64, members, nested, rows, written
from companion.exercises import (
    Condition,
    Mistake,
    example_exercise,
    function_exercise,
)

__all__ = ["BIO", "CLIQUES", "COUNT", "LINKS", "SMALLEST", "SPARSE", "rows"]

CLIPS = (1e-16, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5)


COUNT = function_exercise(
    "ex-events-count",
    cases=problems.count_cases,
    fault=problems.count_fault,
    mistakes=(
        Mistake(
            "These are the spans of any length. Those longer than the limit have to go.",
            mistakes.of_any_length,
        ),
        Mistake(
            "Not every token has room for all lengths: near the end of the sentence the long spans "
            "do not fit any more.",
            mistakes.without_the_end,
        ),
        Mistake(
            "A single token is a span too: the end may be where the start is.",
            mistakes.without_single_tokens,
        ),
        Mistake(
            "You are one off in every length: among n tokens there are n − l + 1 spans of l "
            "tokens, not n − l.",
            mistakes.one_place_short,
        ),
        Mistake(
            "The limit may be longer than the sentence. There are no spans of more than n tokens, "
            "and the formula takes them away nevertheless.",
            mistakes.longer_than_the_text,
        ),
    ),
)


SPARSE = function_exercise(
    "ex-events-sparse",
    cases=problems.sparse_cases,
    fault=problems.sparse_fault,
    mistakes=(
        Mistake(
            "The positives are still in the sum. They have a term of their own in the loss, and "
            "have to leave this one.",
            mistakes.uncorrected,
        ),
        Mistake(
            "This is the published form. Where the positives are confident, e^(b−a) rounds to 1 "
            "and nothing is left of the difference. Do not subtract: leave the positives out "
            "before you sum.",
            mistakes.published,
        ),
        *(
            Mistake(
                "This is the published form with the difference kept away from 0. It is finite, "
                "and wrong: the bound takes the place of the sum wherever the positives are "
                "confident.",
                partial(mistakes.published, least=least),
            )
            for least in CLIPS
        ),
        Mistake(
            "The 1 is missing: it is e⁰, the score of the threshold. Without it there is nothing "
            "to stay below when all negatives are far down.",
            mistakes.without_one,
        ),
        Mistake(
            "A score of 0 is not absent: e⁰ = 1 is added for every positive. What is to vanish "
            "from the sum has to be −∞.",
            mistakes.masked_by_zero,
        ),
        Mistake(
            "e⁹⁰⁰ is no number in float64. `torch.logsumexp` takes the largest score out first.",
            mistakes.overflowing,
        ),
        Mistake(
            "You sum everything and take the positives away again. The two sums nearly agree where "
            "the positives are confident, and e⁹⁰⁰ is no number at all.",
            mistakes.subtracted,
        ),
    ),
)


LINKS = function_exercise(
    "ex-events-links",
    cases=problems.link_cases,
    fault=problems.link_fault,
    mistakes=(
        Mistake(
            "You never ask the tails. Arguments with the same head would all have the same links.",
            mistakes.heads_alone,
        ),
        Mistake(
            "You never ask the heads. Arguments with the same tail would all have the same links.",
            mistakes.tails_alone,
        ),
        Mistake(
            "One of the two is not enough: heads and tails both have to agree.", mistakes.either
        ),
        Mistake(
            "A score of 0 is the threshold itself, and no link. Ask for more than 0.",
            mistakes.with_the_threshold,
        ),
        Mistake(
            "You read the pair in the order in which the arguments are given. The scores below the "
            "diagonal are not trained: put the smaller token first, for heads and tails each.",
            mistakes.in_the_order_given,
        ),
        Mistake(
            "Heads and tails are exchanged: `heads` scores first tokens, spans[:, 0].",
            mistakes.crosswise,
        ),
        Mistake(
            "An argument is no neighbour of itself: the diagonal has to be 0.",
            mistakes.linked_to_itself,
        ),
    ),
)


CLIQUES = function_exercise(
    "ex-events-cliques",
    cases=problems.clique_cases,
    fault=problems.clique_fault,
    mistakes=(
        Mistake(
            "You split at one pair that is not linked. A clique that contains neither node of that "
            "pair is then lost: split at every such pair.",
            mistakes.one_pair,
        ),
        Mistake(
            "The node whose neighbourhood you take has to stay in it: it is linked to all the "
            "rest.",
            mistakes.node_left_out,
        ),
        Mistake(
            "Many ways lead to the same clique. Collect the cliques in a set before you return "
            "them.",
            mistakes.counted_often,
        ),
        Mistake(
            "These are the connected components. Two events that share an argument are connected, "
            "and they are two.",
            mistakes.components,
        ),
        Mistake(
            "These are neighbourhoods. In a clique the neighbours are linked to each other as "
            "well.",
            mistakes.neighbourhoods,
        ),
        Mistake(
            "These are all cliques. Only those count that no further node can join.",
            mistakes.every_clique,
        ),
    ),
)


SMALLEST = example_exercise(
    "ex-events-smallest",
    shape=(None, None),
    measure=lambda events: f"the links give back {written(events)}",
    conditions=(
        Condition(
            lambda events: bool(((events == 0) | (events == 1)).all()),
            Mistake(
                "An entry is 1 where the argument belongs to the event, and 0 elsewhere.",
                lambda: float64([[1, 2], [2, 1]]),
            ),
        ),
        Condition(
            lambda events: bool(events.any(dim=1).all() and events.any(dim=0).all()),
            Mistake(
                "A row or a column is empty: every event has an argument, and every argument an "
                "event.",
                lambda: float64([[1, 1, 0], [0, 0, 0]]),
            ),
        ),
        Condition(
            lambda events: not nested(events),
            Mistake(
                "One event lies inside another: that is lost with two arguments already, and is "
                "seen at once. Find events of which none lies inside another.",
                lambda: float64([[1, 0], [1, 1]]),
            ),
        ),
        Condition(
            lambda events: comes_out(events) != set(members(events)),
            Mistake(
                "The links give back just these events. Close a circle: every two of your events "
                "have to share something that the third has not.",
                lambda: float64([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]),
            ),
        ),
        Condition(
            lambda events: events.shape[1] == 3,
            Mistake(
                "It cannot be recovered, but it is not the smallest. Which arguments could go "
                "without telling the events apart any better?",
                lambda: float64([[1, 1, 0, 1], [0, 1, 1, 1], [1, 0, 1, 1]]),
            ),
        ),
    ),
)


BIO = function_exercise(
    "ex-events-bio",
    cases=problems.tag_cases,
    fault=problems.tag_fault,
    mistakes=(
        Mistake(
            "A token has one tag. Spans that share a token cannot all be written.",
            mistakes.all_of_them,
        ),
        Mistake(
            "You keep the span that begins first. It may be long, and cost you several short ones.",
            mistakes.earliest_first,
        ),
        Mistake(
            "You keep the shortest span. It may lie across two others that would both have fitted.",
            mistakes.shortest_first,
        ),
        Mistake(
            "You keep the longest span, which costs more tokens than any other.",
            mistakes.longest_first,
        ),
        Mistake(
            "Spans that only touch do not share a token: B starts a new one right there. That is "
            "what B is for.",
            mistakes.touching_refused,
        ),
        Mistake(
            "The last token belongs to the span. One that begins there shares it.",
            mistakes.token_shared,
        ),
        Mistake(
            "Spans inside others are not the only trouble: those that cross share tokens too.",
            mistakes.outermost,
        ),
    ),
)
