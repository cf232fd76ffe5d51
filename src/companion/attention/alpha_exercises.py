"""The exercises of the chapter on GAU-α: ``check(exercises.MASK, your_function)``."""

from __future__ import annotations

from functools import partial

from companion.attention import alpha_mistakes as mistakes
from companion.attention import alpha_problems as problems
from companion.attention.alpha_laws import KAPPA, SPREAD, START
from companion.attention.answers import directly, exercise, with_mask
from companion.exercises import Mistake

__all__ = ["AVERAGES", "HOMOGENEOUS", "KAPPA", "MASK", "RMS", "SPREAD", "START"]


AVERAGES = exercise(
    "ex-alpha-clue",
    cases=problems.clue_cases,
    fault=problems.clue_fault,
    run=directly,
    mistakes=(
        Mistake(
            "The two rows have changed places: first the average of all tasks.",
            mistakes.swapped,
        ),
        Mistake(
            "You take the score out of the sum and still divide by the number of all tasks.",
            mistakes.still_counted,
        ),
        Mistake(
            "You leave out the column before: columns are numbered from 0.",
            mistakes.from_one,
        ),
        Mistake(
            "Both rows are averages of all tasks. Nothing was left out.",
            mistakes.never_left_out,
        ),
        Mistake(
            "You take the score off an average. Take it off the sum, then divide by one task less.",
            mistakes.of_the_average,
        ),
        Mistake(
            "The models stand in rows and the two averages in columns. Turn it round: [2, models].",
            mistakes.in_columns,
        ),
    ),
)


HOMOGENEOUS = exercise(
    "ex-alpha-homogeneous",
    cases=problems.power_weight_cases,
    fault=problems.power_weight_fault,
    run=directly,
    mistakes=(
        Mistake(
            "You do not divide by the sum. Then a factor c in the scores is a factor c^p in the "
            "weights.",
            mistakes.not_normalised,
        ),
        Mistake(
            "You divide by the number of keys. That is relu²/n, the rule that this one replaces.",
            mistakes.by_length,
        ),
        Mistake(
            "The relu is missing: with an even power a negative score gets weight.",
            mistakes.negative_too,
        ),
        Mistake(
            "This is softmax, in which a common factor of the scores does not cancel.",
            mistakes.plain_softmax,
        ),
        Mistake(
            "The softmax of p·s is a temperature. The power p stands on relu(s), which is the "
            "softmax of p·log relu(s).",
            mistakes.softmax_of_powers,
        ),
        Mistake("You square whatever `power` is.", mistakes.squared_always),
        Mistake(
            "You divide by the sum first and raise to the power then: the weights no longer sum "
            "to 1.",
            mistakes.power_of_the_share,
        ),
        Mistake(
            "Powers of large scores overflow, of small ones vanish. A common factor cancels, so "
            "divide by the largest score before you raise anything to a power.",
            mistakes.overflowing,
        ),
        Mistake(
            "Where no score is positive you divide 0 by 0. Such a query gets nothing: zeros.",
            mistakes.undefined,
        ),
    ),
)


MASK = exercise(
    "ex-alpha-mask",
    cases=problems.mask_cases,
    fault=problems.mask_fault,
    run=with_mask,
    mistakes=(
        Mistake(
            "You take n to be the number of positions. Padding is no token: count the mask.",
            partial(mistakes.plus, counted="positions"),
        ),
        Mistake(
            "You scale by log n alone. Without the base 512 the scores are six times as large as "
            "usual at 512 tokens.",
            partial(mistakes.plus, base=2.718281828459045),
        ),
        Mistake(
            "You take the logarithm to the base 2. The base is 512, so that log n is 1 at n = 512.",
            partial(mistakes.plus, base=2.0),
        ),
        Mistake(
            "You divide by the scale. Among more keys attention has to be sharper: multiply.",
            partial(mistakes.plus, over=True),
        ),
        Mistake("This is the usual softmax. The scale with n is missing.", mistakes.never_scaled),
        Mistake(
            "Padded keys are given weight. Their scores become −∞ before the softmax.",
            partial(mistakes.plus, masked=False),
        ),
        Mistake(
            "You set padded weights to zero after the softmax, so the others do not sum to 1.",
            mistakes.afterwards,
        ),
        Mistake(
            "A padded key with a score of 0 counts with e⁰ = 1. Its score has to be −∞.",
            mistakes.zeros_for_masked,
        ),
        Mistake(
            "You let the scale grow like the root of log n. softmax_plus takes log n itself.",
            mistakes.root_law,
        ),
        Mistake(
            "You scale by n/512. It is the logarithm that grows: log n / log 512.",
            mistakes.ratio_of_lengths,
        ),
        Mistake(
            "You count at least 16 tokens. Later code of the authors does; GAU-α as published "
            "does not.",
            partial(mistakes.plus, counted="sixteen"),
        ),
    ),
)


RMS = exercise(
    "ex-alpha-rms",
    cases=problems.rms_cases,
    fault=problems.rms_fault,
    run=directly,
    mistakes=(
        Mistake(
            "You treat the root of the mean square as a constant. It depends on every number of x.",
            partial(mistakes.gradient, share=0.0),
        ),
        Mistake(
            "The mean is missing: y·g is divided by d.",
            partial(mistakes.gradient, mean=False),
        ),
        Mistake(
            "The sign is turned: what lies along y is taken away.",
            partial(mistakes.gradient, share=-1.0),
        ),
        Mistake(
            "You divide by the mean square. Its root is what stands under x.",
            partial(mistakes.gradient, power=2.0),
        ),
        Mistake(
            "You do not divide by the root of the mean square: a large x makes a small gradient.",
            partial(mistakes.gradient, power=0.0),
        ),
        Mistake(
            "You multiply by the root of the mean square.",
            partial(mistakes.gradient, power=-1.0),
        ),
        Mistake(
            "This is the gradient of LayerNorm. The RMS norm subtracts no mean.",
            mistakes.centred,
        ),
        Mistake(
            "This is the gradient of x/‖x‖, which has the length 1 and not √d.",
            mistakes.of_unit_length,
        ),
        Mistake(
            "You take x where y = x/rms is meant, in one of two places: divide by rms twice there.",
            mistakes.along_x,
        ),
    ),
)
