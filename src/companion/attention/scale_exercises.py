"""The exercises on the size of the output; with the others they are found in ``exercises``."""

from __future__ import annotations

from functools import partial

from companion.attention import mistakes, problems
from companion.attention.answers import directly, exercise
from companion.exercises import Mistake

__all__ = ["INIT", "POWER"]


POWER = exercise(
    "ex-flash-power",
    cases=problems.power_cases,
    fault=problems.whole_number_fault,
    run=directly,
    mistakes=(
        Mistake(
            "W_o is missing: it multiplies all that comes before it.",
            partial(mistakes.powers, own=1),
        ),
        Mistake(
            "A score is a product of a query and a key, and both come from Z: two factors of λ, "
            "before it is raised to the power p.",
            partial(mistakes.powers, scores=1),
        ),
        Mistake(
            "The scores are raised to the power p, and their λ² with them.",
            mistakes.first_power,
        ),
        Mistake(
            "The gate is a factor too: U brings another λ.",
            mistakes.never_gated,
        ),
        Mistake(
            "You add up the layers. A layer whose input grows makes its output grow by more: the "
            "input stands in U, V, and in both sides of every score.",
            mistakes.added_up,
        ),
        Mistake(
            "You multiply the powers of the layers. But W_o sees the input only through U and AV: "
            "of the places where λ stands, one has no x in it.",
            mistakes.to_the_layers,
        ),
        Mistake(
            "You carry the power of the first layer through the others. They have weights of their "
            "own, which grow as well.",
            mistakes.passed_on,
        ),
        Mistake(
            "You count each matrix once. W_z stands in the query and in the key, and both are in a "
            "power.",
            mistakes.matrices,
        ),
        Mistake(
            "This is one layer. With more, the input of the second has grown already.",
            mistakes.one_layer,
        ),
    ),
)


INIT = exercise(
    "ex-flash-init",
    cases=problems.init_cases,
    fault=problems.init_fault,
    run=directly,
    mistakes=(
        Mistake(
            "You divide by the size itself. The output grows like the k-th power of the weights, "
            "so a factor in the weights becomes its k-th power.",
            mistakes.linear_std,
        ),
        Mistake(
            "The power goes the other way: it is the k-th root of the size that you need.",
            mistakes.raised_std,
        ),
        Mistake(
            "Turned round: an output that is too small needs larger weights.",
            partial(mistakes.std, root=1.0),
        ),
        Mistake(
            "This is the variance of the weights. Asked is their standard deviation.",
            mistakes.variance,
        ),
        Mistake(
            "1/fan_in is the variance that we started from; the standard deviation is its root.",
            partial(mistakes.std, fan=-1.0),
        ),
        Mistake(
            "Only the factor: the standard deviation that we started from is 1/√fan_in.",
            mistakes.factor_alone,
        ),
        Mistake(
            "You treat rms as a variance. It is a size already, the root of the mean square.",
            mistakes.rms_as_variance,
        ),
        Mistake(
            "You divide by k. λᵏ = 1/rms asks for a k-th root.",
            mistakes.shared_out,
        ),
    ),
)
