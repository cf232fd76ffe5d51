"""The exercises of the chapters on attention: ``check(exercises.COUNTS, your_function)``.

Those of FLASH are written here and in the files beside; those of GAU-α in ``alpha_exercises``.
"""

from __future__ import annotations

from functools import partial

from companion.attention import mistakes, problems
from companion.attention.alpha_exercises import (
    AVERAGES,
    HOMOGENEOUS,
    KAPPA,
    MASK,
    RMS,
    SPREAD,
    START,
)
from companion.attention.answers import directly, exercise, with_mask
from companion.attention.chunk_exercises import CHUNKS, DECODE, PROBE
from companion.attention.scale_exercises import INIT, POWER
from companion.exercises import Mistake

__all__ = [
    "AVERAGES",
    "CHUNKS",
    "COUNTS",
    "CROSSING",
    "DECODE",
    "HOMOGENEOUS",
    "INIT",
    "KAPPA",
    "MASK",
    "POWER",
    "PROBE",
    "RMS",
    "SPREAD",
    "START",
    "WEIGHTS",
]


COUNTS = exercise(
    "ex-flash-params",
    cases=problems.count_cases,
    fault=problems.count_fault,
    run=directly,
    mistakes=(
        Mistake(
            "These are the estimates 3de and 12d². Asked is every number: W_z, the scales and "
            "offsets, and the biases as well.",
            mistakes.estimates,
        ),
        Mistake(
            "Your counts do not change with `bias`. Each linear map then has one number more for "
            "each number that comes out of it.",
            mistakes.never_biased,
        ),
        Mistake(
            "The scales and offsets are missing: queries and keys have one of each, of s numbers.",
            partial(mistakes.counts, affine=0),
        ),
        Mistake(
            "You count one scale and one offset. Queries and keys have their own.",
            partial(mistakes.counts, affine=2),
        ),
        Mistake(
            "You count a matrix for the queries and another for the keys. In a GAU both come from "
            "the same Z, by scale and offset.",
            partial(mistakes.counts, keys=2),
        ),
        Mistake(
            "W_z is missing: d·s numbers that make Z.",
            partial(mistakes.counts, keys=0),
        ),
        Mistake(
            "An offset is no bias: it is there with `bias` = 0 too.",
            mistakes.offset_taken_for_bias,
        ),
        Mistake(
            "The bias of W_o is as long as what comes out, d, and those of W_u, W_v and W_z are e, "
            "e and s. You took the length of what goes in.",
            mistakes.bias_of_what_goes_in,
        ),
        Mistake(
            "Attention has four matrices of d × d. Its output goes through one, too.",
            partial(mistakes.counts, attention=3, layer_bias=8),
        ),
        Mistake(
            "You count one matrix of the feed-forward network. It goes from d to 4d and back.",
            partial(mistakes.counts, feed_forward=4),
        ),
        Mistake(
            "Between the two maps of the feed-forward network there are 4d numbers, so the first "
            "map has 4d biases, not d.",
            partial(mistakes.counts, layer_bias=6),
        ),
    ),
)


WEIGHTS = exercise(
    "ex-flash-weights",
    cases=problems.weight_cases,
    fault=problems.weight_fault,
    run=with_mask,
    mistakes=(
        Mistake(
            "You divide by the number of positions, padding and future included. Row t may count "
            "the tokens up to t only.",
            partial(mistakes.weights, length="positions"),
        ),
        Mistake(
            "You divide by the number of true tokens of the whole sequence. That is right without "
            "a causal mask; with one, row t sees only the tokens up to t, and only those count.",
            partial(mistakes.weights, length="tokens"),
        ),
        Mistake(
            "You count positions up to t. Padding in front or between is no token and must not "
            "make the weights smaller.",
            partial(mistakes.weights, length="positions so far"),
        ),
        Mistake(
            "You divide by the square of the number of tokens, as the paper's code does. Then the "
            "output shrinks as the text grows; here n stands outside the square.",
            partial(mistakes.weights, length="squared"),
        ),
        Mistake(
            "You do not divide by the number of tokens.",
            partial(mistakes.weights, length="one"),
        ),
        Mistake(
            "You divide by the number of tokens before t. A token sees itself, so it counts too.",
            partial(mistakes.weights, length="earlier tokens"),
        ),
        Mistake(
            "The scale 1/√s is missing, inside the square.",
            partial(mistakes.weights, key_power=0.0),
        ),
        Mistake(
            "You divide by √s. It stands inside the square, so outside it is s.",
            partial(mistakes.weights, key_power=0.5),
        ),
        Mistake(
            "You divide by s inside the square. The scores are divided by √s, then squared.",
            partial(mistakes.weights, key_power=2.0),
        ),
        Mistake(
            "relu alone: the square is missing.",
            partial(mistakes.weights, key_power=0.5, inside=1.0),
        ),
        Mistake(
            "The square without relu: a negative score becomes a positive weight.",
            mistakes.signed_square,
        ),
        Mistake(
            "This is softmax. Here a weight does not depend on the other scores.",
            mistakes.softmax,
        ),
        Mistake(
            "You divide each row by its sum. Asked is the number of tokens, which is known before "
            "any score is.",
            mistakes.normalised_rows,
        ),
        Mistake(
            "A token does not see itself in your weights. The diagonal is allowed.",
            partial(mistakes.weights, reach=-1),
        ),
        Mistake(
            "Your weights are not causal: cut off what lies above the diagonal.",
            partial(mistakes.weights, reach=10**6),
        ),
        Mistake(
            "Padded keys are given weight. The mask has to cut off columns too.",
            partial(mistakes.weights, keys=False),
        ),
        Mistake(
            "The rows of padded queries have to be zero as well.",
            partial(mistakes.weights, rows=False),
        ),
        Mistake(
            "Where padding comes first, no token has been seen yet, and you divide 0 by 0.",
            mistakes.undivided_zero,
        ),
    ),
)


CROSSING = exercise(
    "ex-flash-crossing",
    cases=problems.crossing_cases,
    fault=problems.crossing_fault,
    run=directly,
    mistakes=(
        Mistake(
            "The linear part has two products: K_gᵀV_g for the sum, and the query times the sum. "
            "You count one of them.",
            partial(mistakes.crossings, linear=(1.0, 2.0, 2.0)),
        ),
        Mistake(
            "The quadratic part within the chunk is missing: it costs as if n were c.",
            partial(mistakes.crossings, chunk=(0.0, 0.0)),
        ),
        Mistake(
            "Your decoder crosses where the encoder does. A causal mask halves what is quadratic, "
            "but not the linear part: each token still pays for K_gᵀV_g and for its query.",
            partial(mistakes.crossings, linear=(2.0, 2.0, 4.0)),
        ),
        Mistake(
            "You halve the length. A causal mask halves the quadratic costs, which makes the dense "
            "form the cheaper one for longer.",
            mistakes.all_halved,
        ),
        Mistake(
            "Within a chunk a causal mask saves half as well: the local part does not stay full.",
            partial(mistakes.crossings, chunk=(1.0, 2.0)),
        ),
        Mistake(
            "You count multiplications on one side, and on the other additions too.",
            partial(mistakes.crossings, linear=(4.0, 8.0, 8.0)),
        ),
        Mistake(
            "You forget the diagonal on one side: with n/2 keys in the dense form take c/2 in the "
            "chunk, or (n + 1)/2 and (c + 1)/2.",
            partial(mistakes.crossings, extra=1.0),
        ),
        *(
            Mistake(
                "Do not round: asked is where the two costs are equal, whole number or not.",
                answer,
            )
            for answer in (mistakes.rounded, mistakes.rounded_up)
        ),
        Mistake(
            "A quadratic pair costs s for the score and e for the value: s + e. You left e out.",
            mistakes.scores_alone,
        ),
        Mistake(
            "Your third length may be less than c. A text of one chunk costs the same either way, "
            "so FLASH is never cheaper before n = c.",
            mistakes.shorter_than_a_chunk,
        ),
        Mistake(
            "In your third length nothing is saved. The first chunk has no sum to ask, and the sum "
            "of the last one is used by nobody: c tokens less for each of the two products.",
            mistakes.nothing_saved,
        ),
        Mistake(
            "In your third length one of two savings is missing: the first chunk asks no sum, and "
            "the last one need not make its own.",
            mistakes.half_saved,
        ),
        Mistake(
            "Your third length counts all n keys for a token. A decoder needs (n + 1)/2.",
            partial(mistakes.crossings, linear=(2.0, 4.0, 2.0)),
        ),
    ),
)
