"""The exercises on chunks, probes and decoding; with the others they are found in ``exercises``."""

from __future__ import annotations

from functools import partial

from companion.attention import chunk_mistakes as mistakes
from companion.attention import chunk_problems as problems
from companion.attention import decode_mistakes
from companion.attention.answers import directly, exercise
from companion.attention.decode_mistakes import stepped
from companion.exercises import Exercise, Mistake

__all__ = ["CHUNKS", "DECODE", "PROBE"]


CHUNKS = exercise(
    "ex-flash-chunks",
    cases=problems.chunk_cases,
    fault=problems.chunk_fault,
    run=directly,
    mistakes=(
        *(
            Mistake(
                "Your sum holds the own chunk too. Part of that chunk is yet to come: a token sees "
                "the future. Sum over h < g only.",
                answer,
            )
            for answer in (mistakes.inclusive, mistakes.inclusive_undivided)
        ),
        Mistake(
            "You divide by c alone. The sum grows with every chunk, so the output does as well; "
            "divide by all tokens that are in the sum.",
            mistakes.by_number(lambda before, chunk, seq: chunk),
        ),
        Mistake(
            "You divide by the number of earlier chunks. Each of them holds c tokens.",
            mistakes.by_number(lambda before, chunk, seq: max(before, 1)),
        ),
        Mistake(
            "You divide by g·c, which counts the own chunk. The sum does not hold it.",
            mistakes.by_number(lambda before, chunk, seq: (before + 1) * chunk),
        ),
        Mistake(
            "This is (g − 1)·n/c, as the essay prints it. n/c is the number of chunks; the tokens "
            "before chunk g are (g − 1)·c.",
            mistakes.by_number(lambda before, chunk, seq: max(before, 1) * seq / chunk),
        ),
        Mistake(
            "You divide by n, as without a causal mask.",
            mistakes.by_number(lambda before, chunk, seq: seq),
        ),
        Mistake(
            "You do not divide at all.",
            mistakes.by_number(lambda before, chunk, seq: 1),
        ),
        Mistake(
            "You divide by the position of the query. The sum holds the earlier chunks only, and "
            "all tokens of a chunk share it.",
            mistakes.by_position,
        ),
        Mistake(
            "This is the sum over all chunks, the later ones included.",
            mistakes.everywhere,
        ),
        Mistake(
            "You sum over the chunk before, and no other. All earlier chunks count.",
            mistakes.neighbour,
        ),
        Mistake(
            "You let a token see the earlier tokens of its own chunk. Those belong to the "
            "quadratic part; here only whole chunks are summed.",
            mistakes.token_by_token,
        ),
        Mistake(
            "For the first chunk you divide 0 by 0. There is no earlier one: let it get nothing.",
            mistakes.zero_by_zero,
        ),
        Mistake(
            "The last chunk may hold fewer than c tokens. Fill it up, or let `split` cut it.",
            mistakes.full_chunks_only,
        ),
    ),
)


PROBE = exercise(
    "ex-flash-probe",
    cases=problems.probe_cases,
    fault=problems.probe_fault,
    run=problems.tried,
    mistakes=(
        Mistake(
            "You trust all of them.",
            mistakes.trusting,
        ),
        Mistake(
            "You refuse all of them. Both calls have to get the same tokens, drawn once.",
            mistakes.suspicious,
        ),
        Mistake(
            "Turned round: True is for an attention that is right.",
            mistakes.turned_round,
        ),
        Mistake(
            "You change later tokens and look at earlier outputs. A divisor that counts the later "
            "tokens does not mind what they are: cut them off.",
            mistakes.without_prefixes,
        ),
        Mistake(
            "You change later tokens, and never use the mask. Cut tokens off, and put padding in "
            "front.",
            mistakes.perturbed,
        ),
        Mistake(
            "You cut in one place. If a chunk ends there, what leaks within chunks does not show: "
            "cut everywhere.",
            mistakes.one_cut,
        ),
        Mistake(
            "All your tokens are equal, and a mean of equal values is the same value however many "
            "and whichever are in it. Draw tokens at random.",
            mistakes.constant_tokens,
        ),
        Mistake(
            "You ask for equality to the last bit. The same sum in another order is rounded "
            "differently, and a right attention may compute in float32: allow for it.",
            mistakes.exact,
        ),
        Mistake(
            "You never use the mask. Padding that should not matter may do so.",
            mistakes.never_padded,
        ),
        Mistake(
            "You put padding behind the tokens only. A causal attention does not look there; put "
            "it in front.",
            mistakes.padded_behind,
        ),
        Mistake(
            "You change what stands at padded positions, not how many there are. The amount of "
            "padding must not matter either: compare with no padding at all.",
            mistakes.contents_of_padding,
        ),
        Mistake(
            "You look at padded positions. What comes out there is used by nobody.",
            mistakes.padded_rows_too,
        ),
        Mistake(
            "You try padding alone. Cut tokens off as well, to see whether later ones matter.",
            mistakes.padding_alone,
        ),
    ),
)


def _constant_state(inner: Exercise) -> Exercise:
    """Add what no output shows: a state that is changed in place, or that grows."""

    def judge(answer: object) -> str | None:
        trouble = problems.step_trouble(answer) if callable(answer) else None
        message = trouble or inner.judge(answer)
        return message or (problems.growth(answer) if callable(answer) else None)

    unseen = (
        Mistake(problems.CHANGED, decode_mistakes.in_place),
        Mistake(problems.GROWS, decode_mistakes.everything_kept),
    )
    return Exercise(inner.label, judge, (*inner.mistakes, *unseen), inner.scope)


DECODE = _constant_state(
    exercise(
        "ex-flash-decode",
        cases=problems.decode_cases,
        fault=problems.decode_fault,
        run=problems.decoded,
        mistakes=(
            Mistake(
                "You add a token to the sum as soon as it comes. Within its own chunk it belongs "
                "to the quadratic part; it joins the sum when the chunk is full.",
                decode_mistakes.at_once,
            ),
            Mistake(
                "You keep the last c tokens, a window that slides. Chunks have fixed borders: when "
                "one is full, the next begins with nothing.",
                decode_mistakes.sliding,
            ),
            Mistake(
                "You divide the local part by the tokens that are in the chunk so far. It is "
                "divided by c, always: otherwise it would not be what was trained.",
                partial(stepped, local=lambda held, chunk, key: held * key),
            ),
            Mistake(
                "The local part is divided by c·s. The s is missing: the scores have 1/√s inside "
                "the square.",
                partial(stepped, local=lambda held, chunk, key: chunk),
            ),
            Mistake(
                "You divide the sum by c. It grows with every chunk: divide by the tokens in it.",
                partial(stepped, far=lambda before, held, chunk: chunk),
            ),
            Mistake(
                "You divide the sum by the position of the token. The tokens of its own chunk are "
                "not in the sum.",
                partial(stepped, far=lambda before, held, chunk: before + held),
            ),
            Mistake(
                "You do not divide the sum over earlier chunks.",
                partial(stepped, far=lambda before, held, chunk: 1),
            ),
            Mistake(
                "The token does not see itself. Put it into its chunk before you mix.",
                partial(stepped, sees_itself=False),
            ),
            Mistake(
                "Your chunk ends one token late: with c tokens it is full.",
                partial(stepped, late=1),
            ),
            Mistake(
                "A full chunk is thrown away, and nothing of it is kept. Add its KᵀV to the sum.",
                partial(stepped, remembers=False),
            ),
            Mistake(
                "You sum up the keys of the quadratic part. The linear part has its own.",
                partial(stepped, linear_keys=False),
            ),
        ),
    )
)
