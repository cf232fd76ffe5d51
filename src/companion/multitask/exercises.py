"""The exercises of the chapter on primary tasks: ``check(exercises.SINGLE, your_function)``."""

from __future__ import annotations

from functools import partial

import torch

from companion.exercises import (
    Condition,
    Mistake,
    example_exercise,
    function_exercise,
)
from companion.multitask import mistakes, problems
from companion.multitask.problems import CLEAR, cosine, cosines, float64, pcgrad_mean

__all__ = ["DESCENT", "OBLIQUE", "ORTHOGONAL", "PAIR", "PCGRAD", "SINGLE", "pcgrad_mean"]

PADS = (1e-12, 1e-10, 1e-8, 1e-6)


DESCENT = function_exercise(
    "ex-primary-descent",
    cases=problems.descent_cases,
    fault=problems.descent_fault,
    mistakes=(
        Mistake(
            "The sign is turned. Put g₀ = u − Gᵀλ into ⟨g₀,u⟩ and expand.",
            lambda weights, products: weights @ products,
        ),
        Mistake(
            "Zero holds at the optimum only, where complementary slackness does the rest. "
            "Here λ is arbitrary, so λᵢ⟨gᵢ,u⟩ need not vanish.",
            lambda weights, products: torch.zeros([]).double(),
        ),
        Mistake(
            "The terms λᵢ⟨gᵢ,u⟩ have to be summed over i: the gap is one number.",
            lambda weights, products: -weights * products,
        ),
        Mistake(
            "You let only positive multipliers count. The identity is algebra: it holds for "
            "every λ, of either sign.",
            lambda weights, products: -(weights.relu() @ products),
        ),
    ),
)


SINGLE = function_exercise(
    "ex-primary-single",
    cases=problems.single_cases,
    fault=problems.single_fault,
    mistakes=(
        Mistake(
            "You project even where the two gradients agree. Without relu, u loses the part of "
            "g₀ along g₁ that would have helped both.",
            mistakes.without_relu,
        ),
        Mistake(
            "You divide by ‖g₁‖, the rule by ‖g₁‖². As it stands, a longer g₁ would push harder.",
            mistakes.divided_by_length,
        ),
        Mistake(
            "The sign inside relu is turned: λ is positive when ⟨g₀,g₁⟩ < 0, in conflict.",
            mistakes.turned_sign,
        ),
        Mistake(
            "A zero auxiliary gradient constrains nothing, so u = g₀. Your rule divides 0 by 0.",
            partial(mistakes.padded, pad=0.0),
        ),
        *(
            Mistake(
                "A small number added to ‖g₁‖² is not small where g₁ is: the constraint is then "
                "missed. Ask whether ‖g₁‖² is zero, and leave it as it is otherwise.",
                partial(mistakes.padded, pad=pad),
            )
            for pad in PADS
        ),
        Mistake(
            "You project both gradients and add them: PCGrad, which treats the two alike. An "
            "auxiliary may bend g₀; it does not push on its own.",
            mistakes.both_projected,
        ),
        Mistake(
            "This is the gradient of L₀ + L₁. Nothing in it keeps L₀, or L₁, from rising.",
            mistakes.plain_sum,
        ),
    ),
)


PAIR = function_exercise(
    "ex-primary-pair",
    cases=problems.pair_cases,
    fault=problems.multiplier_fault,
    mistakes=(
        Mistake(
            "Solving without the constraint λ ≥ 0 pushes against auxiliaries that were content.",
            mistakes.unconstrained,
        ),
        *(
            Mistake(
                "You solve without the constraint and set what is negative to zero. When one "
                "multiplier goes to zero, the other has to be found again on its own.",
                answer,
            )
            for answer in (mistakes.clipped, mistakes.clipped_solve)
        ),
        Mistake(
            "Each multiplier is found as if the other did not exist. Where both act, each has to "
            "know what the other already does: that is what ⟨g₁,g₂⟩ is for.",
            mistakes.each_alone,
        ),
        Mistake(
            "You never let both multipliers be positive: one of the four cases is missing.",
            mistakes.only_one,
        ),
        Mistake(
            "Both positive or both zero: the two cases with one active auxiliary are missing.",
            mistakes.both_or_neither,
        ),
        Mistake(
            "Your cases are right, but parallel gradients make the 2 × 2 system singular. One "
            "multiplier is enough then: look before you solve.",
            mistakes.both_before_none,
        ),
        Mistake(
            "You stop as soon as no constraint is violated. A multiplier that was raised early may "
            "have become superfluous: it has to come down again before you stop.",
            mistakes.until_feasible,
        ),
    ),
)

ORTHOGONAL = function_exercise(
    "ex-primary-orthogonal",
    cases=problems.orthogonal_cases,
    fault=problems.multiplier_fault,
    mistakes=(
        Mistake(
            "A multiplier is negative: an auxiliary that agrees with g₀ has to get λ = 0.",
            mistakes.signed,
        ),
        Mistake("You divide by ‖gᵢ‖; the rule for one auxiliary has ‖gᵢ‖².", mistakes.by_length),
        Mistake(
            "Only one auxiliary is served. The pass visits all of them, each once.",
            mistakes.only_one,
        ),
        Mistake(
            "A zero gradient is orthogonal to everything, and gives 0/0 here. Let its λ be 0.",
            mistakes.zero_by_zero,
        ),
    ),
)


PCGRAD = example_exercise(
    "ex-primary-pcgrad",
    shape=(None, None),
    measure=lambda rows: (
        "cosine of g₀ and the step: "
        + ", ".join(f"{name} {value:.4f}" for name, value in cosines(rows[:3]).items())
    ),
    conditions=(
        Condition(
            lambda rows: len(rows) > 2,
            Mistake(
                "With one auxiliary it cannot be done: in conflict PCGrad has ⟨g₀,u⟩ = "
                "‖g₀‖² sin²φ ≥ 0, just as the primary rule. Take two auxiliaries.",
                lambda: float64([[1, 0], [-3, 1]]),
            ),
        ),
        Condition(
            lambda rows: len(rows) == 3,
            Mistake(
                "Three gradients are enough: the primary first, then two auxiliaries.",
                lambda: torch.eye(4).double(),
            ),
        ),
        Condition(
            lambda rows: cosines(rows)["primary rule"] > CLEAR,
            Mistake(
                "The primary rule stands (almost) still as well: −g₀ is about λ₁g₁ + λ₂g₂ with "
                "λ ≥ 0. Give both auxiliaries a direction in common that g₀ does not have.",
                lambda: float64([[1, 0], [-1, 2], [-1, -2]]),
            ),
        ),
        Condition(
            lambda rows: cosines(rows)["plain sum"] >= 0 or cosines(rows)["PCGrad"] < -CLEAR,
            Mistake(
                "This raises L₀ under the plain sum, but PCGrad copes with it. Let g₁ lose its "
                "conflict with g₀ first, and get it back when it is projected off g₂.",
                lambda: float64([[1, 0, 0], [-2, 1, 1], [-2, 1, -1]]),
            ),
        ),
        Condition(
            lambda rows: cosines(rows)["PCGrad"] < -CLEAR,
            Mistake(
                "PCGrad lowers L₀ here too. Let both auxiliaries conflict with g₀, and one of "
                "them, once it has been projected off g₀, with the other.",
                lambda: float64([[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
            ),
        ),
    ),
)

OBLIQUE = example_exercise(
    "ex-primary-oblique",
    shape=(3, None),
    measure=lambda rows: (
        "cosines of g₁, g₂ and the step: "
        + ", ".join(f"{value:.4f}" for value in problems.products(rows))
    ),
    conditions=(
        Condition(
            lambda rows: abs(cosine(rows[1], rows[2])) > CLEAR,
            Mistake(
                "g₁ and g₂ are orthogonal, or nearly: one pass is exact then.",
                lambda: float64([[1, 0], [-1, 0], [0, 1]]),
            ),
        ),
        Condition(
            lambda rows: min(problems.products(rows)) >= -problems.EXACT,
            Mistake(
                "After the pass the first constraint is broken again: everybody sees that this is "
                "not finished. Find gradients for which it looks finished.",
                lambda: float64([[1, 0], [-1, 2], [-1, -1]]),
            ),
        ),
        Condition(
            lambda rows: problems.left(rows) > CLEAR,
            Mistake(
                "The pass found the optimum, or nearly: at most one multiplier matters. Let both "
                "act.",
                lambda: float64([[1, 0], [-1, 1], [1, 1.5]]),
            ),
        ),
    ),
)
