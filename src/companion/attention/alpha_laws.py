"""The exercises on laws of scale; with the others they are found in ``alpha_exercises``."""

from __future__ import annotations

from functools import partial

from companion.attention import alpha_mistakes as mistakes
from companion.attention import alpha_problems as problems
from companion.attention.answers import directly, exercise
from companion.exercises import Mistake

__all__ = ["KAPPA", "SPREAD", "START"]


KAPPA = exercise(
    "ex-alpha-kappa",
    cases=problems.peak_cases,
    fault=problems.peak_fault,
    run=directly,
    mistakes=(
        Mistake(
            "The parabola λt² + t − λ has two roots, and yours is no cosine: it is below −1.",
            mistakes.other_root,
        ),
        Mistake(
            "This is 0.618 and 0.2406 for every λ: the values at λ = 1.",
            mistakes.golden_always,
        ),
        Mistake(
            "You divide by λ where the formula for the roots divides by 2λ.",
            mistakes.root_of_half,
        ),
        Mistake(
            "The half is missing: (1 − t²) is raised to the power d/2.",
            mistakes.without_half,
        ),
        Mistake(
            "This is what the entropy loses for each dimension. κ is that, divided by λ.",
            mistakes.not_for_each_scale,
        ),
        Mistake(
            "Your κ is λ/2: what it is for small λ, where scores are as good as Gaussian.",
            mistakes.gaussian_kappa,
        ),
        Mistake(
            "κ is positive: the entropy is log n less κλd.",
            mistakes.negative_kappa,
        ),
        Mistake(
            "You take t = λ, which holds for small λ only. The condition is λ = t/(1 − t²).",
            mistakes.peak_of_small_scale,
        ),
    ),
)


SPREAD = exercise(
    "ex-alpha-spread",
    cases=problems.spread_cases,
    fault=problems.spread_fault,
    run=directly,
    mistakes=(
        Mistake(
            "The lengths have changed places: more keys ask for a wider spread.",
            mistakes.turned,
        ),
        Mistake(
            "This is the law of softmax_plus, σ in proportion to log n. It does not hold the "
            "entropy of Gaussian scores.",
            mistakes.log_law,
        ),
        Mistake(
            "σ in proportion to the root of log n holds the share H/log n level. H itself needs "
            "the root of log n − H.",
            mistakes.root_of_logs,
        ),
        Mistake(
            "The factor 2 is missing: the entropy falls by σ²/2.",
            partial(mistakes.level, factor=1.0),
        ),
        Mistake(
            "The half stands on the wrong side: log n grows by log(n/n₀), and σ²/2 must, so σ² "
            "grows by twice that.",
            partial(mistakes.level, factor=0.5),
        ),
        Mistake(
            "Your logarithm is one to the base 2. Entropies are in nats here.",
            mistakes.binary,
        ),
        Mistake(
            "You add two spreads. It is their squares that add up.",
            mistakes.added_outside,
        ),
        Mistake(
            "This is the square of the spread, σ².",
            mistakes.not_rooted,
        ),
        Mistake(
            "This is the freezing point of n keys, where nothing is left of the entropy.",
            mistakes.base_forgotten,
        ),
    ),
)


START = exercise(
    "ex-alpha-start",
    cases=problems.start_cases,
    fault=problems.start_fault,
    run=directly,
    mistakes=(
        Mistake(
            "You count two branches to a unit. A unit is one branch; two of them stand in the "
            "place of a Transformer layer.",
            partial(mistakes.start, count=2.0),
        ),
        Mistake(
            "The sign of the exponent is turned: the deeper, the smaller the weights.",
            partial(mistakes.start, power=1.0),
        ),
        Mistake(
            "You take every branch to be a product of two matrices. Here there are k.",
            mistakes.attention_order,
        ),
        Mistake(
            "This is the rule for Adam, whose step does not shrink with the weights: one factor "
            "of λ less. LAMB brings it back.",
            mistakes.of_adam,
        ),
        Mistake(
            "This is the rule for plain gradient descent, in which the gradient counts squared.",
            mistakes.of_sgd,
        ),
        Mistake(
            "1/N is what each unit may contribute. It is λ to the power k: take the k-th root.",
            mistakes.shared,
        ),
        Mistake(
            "You raise N to the power −k. Nλᵏ = 1 asks for a root.",
            mistakes.power_for_root,
        ),
    ),
)
