"""The exercises of the chapter on diffusion: ``check(exercises.MIXING, your_function)``."""

from __future__ import annotations

from functools import partial

from companion.diffusion import mistakes, problems
from companion.diffusion.sampling_exercises import DDIM, OPTIMAL, SCHEDULE, VARIANCE
from companion.exercises import Mistake, function_exercise

__all__ = [
    "DDIM",
    "MIXING",
    "NOTATION",
    "OPTIMAL",
    "REDUCED",
    "ROTATION",
    "SCHEDULE",
    "VARIANCE",
]


MIXING = function_exercise(
    "ex-ddpm-mixing",
    cases=problems.mixing_cases,
    fault=problems.mixing_fault,
    mistakes=(
        Mistake(
            "The square root is missing: β_s² = 1 − α_s², and the coefficient has β_s in it.",
            partial(mistakes.mixed, lambda alphas: 1 - alphas**2),
        ),
        Mistake(
            "β_s is not 1 − α_s: it is the squares of α_s and β_s that sum to 1.",
            partial(mistakes.mixed, lambda alphas: 1 - alphas),
        ),
        Mistake(
            "The product begins one factor too early. ε_s enters at step s, after the factor α_s: "
            "only α_{s+1}, …, α_t shrink it.",
            mistakes.own_alpha_too,
        ),
        Mistake(
            "You multiply β_s by the α that came before it. The noise ε_s was not there yet: what "
            "comes later shrinks it, α_{s+1}, …, α_t.",
            mistakes.earlier_products,
        ),
        Mistake(
            "Older noise gets its β_s undiminished. Each later step multiplies all that is there, "
            "noise included, by its α.",
            mistakes.bare_betas,
        ),
        Mistake(
            "These are the squares of the coefficients. They sum to 1; asked are the coefficients "
            "themselves.",
            lambda alphas: mistakes.mixed(mistakes.partner, alphas) ** 2,
        ),
    ),
)


ROTATION = function_exercise(
    "ex-ddpm-rotation",
    cases=problems.rotation_cases,
    fault=problems.rotation_fault,
    mistakes=(
        Mistake(
            "ω needs a minus sign in one of its two terms. As it stands, ε and ω move together.",
            mistakes.plus_twice,
        ),
        Mistake(
            "Divide by β̄_t. The two terms of the noise in x_t have variances that sum to β̄_t², and "
            "ε should have variance 1.",
            partial(mistakes.divided, power=0),
        ),
        Mistake(
            "You divide by β̄_t². Lengths are divided by a length: by its root, β̄_t.",
            partial(mistakes.divided, power=2),
        ),
        Mistake(
            "The two coefficients of ε have changed places. The old noise ε̄_{t−1} comes with "
            "α_tβ̄_{t−1}, the new one ε_t with β_t.",
            mistakes.exchanged,
        ),
        Mistake(
            "You turn by α_t and β_t, as if x_{t−1} were noise and nothing else. The noise in it "
            "carries the factor β̄_{t−1}.",
            mistakes.one_step_only,
        ),
        Mistake(
            "Squares are missing: β_t = √(1 − α_t²), and so are β̄_{t−1} and β̄_t roots of 1 minus a "
            "square.",
            mistakes.without_squares,
        ),
        Mistake(
            "ω = ε_t is not independent of ε, which contains ε_t. Take what of both noises is left "
            "when ε is taken away.",
            mistakes.omega_is_new,
        ),
    ),
)


REDUCED = function_exercise(
    "ex-ddpm-reduced",
    cases=problems.reduced_cases,
    fault=problems.reduced_fault,
    mistakes=(
        Mistake(
            "This treats ε_t as independent of ε, so that nothing about it can be learned from "
            "x_t. But ε contains ε_t: their correlation is β_t/β̄_t.",
            mistakes.independent,
        ),
        Mistake(
            "This treats ε_t and ε as the same noise. x_t shows their mixture only, and the part "
            "of ε_t along ω stays unknown.",
            mistakes.the_same,
        ),
        Mistake(
            "The squares are missing. These are the coefficients of ε and ω in ε_t; the loss is "
            "a square, and so are its pieces.",
            mistakes.roots,
        ),
        Mistake(
            "Weight and constant have changed places.",
            mistakes.swapped,
        ),
        Mistake(
            "The weight stands on its head. (β̄_t/β_t)² belongs to f inside the square; in front "
            "of it stands its inverse.",
            mistakes.upside_down,
        ),
        Mistake(
            "Divide by β̄_t²: ε and ω have variance 1 only after this.",
            mistakes.undivided,
        ),
        Mistake(
            "The factor β_t²/α_t² turns an error in ε_t into one in x_{t−1}. Here the error in ε_t "
            "itself is asked for.",
            mistakes.with_step_weight,
        ),
        Mistake(
            "The constant is not zero: no f(x_t) can know ω, which is independent of x_t.",
            mistakes.nothing_left,
        ),
    ),
)


NOTATION = function_exercise(
    "ex-ddpm-notation",
    cases=problems.notation_cases,
    fault=problems.notation_fault,
    mistakes=(
        *(
            Mistake(
                "You have taken the paper's α, 1 − β, for ours. Ours is its square root.",
                answer,
            )
            for answer in (
                mistakes.paper_as_it_stands,
                lambda betas: mistakes.from_alphas(1 - betas),
            )
        ),
        Mistake(
            "You have taken the paper's β for ours. Its β is a variance, our β_t².",
            lambda betas: mistakes.from_alphas(mistakes.partner(betas)),
        ),
        Mistake(
            "The second row is the paper's ᾱ, the product of the α_t². Ours is the product of the "
            "α_t.",
            mistakes.paper_bar,
        ),
        Mistake(
            "The factor stands on its head. Ho's network gives noise of variance 1, the essay's "
            "β_t/β̄_t ≤ 1 times as much: the factor between them is at least 1.",
            lambda betas: mistakes.from_alphas((1 - betas) ** 0.5, power=-1),
        ),
        Mistake(
            "The third row is the square of the factor: β̄_t²/β_t² for β̄_t/β_t.",
            lambda betas: mistakes.from_alphas((1 - betas) ** 0.5, power=2),
        ),
        Mistake(
            "In β̄_t the square of ᾱ_t is missing: √(1 − ᾱ_t) is right with the paper's ᾱ, not "
            "with ours.",
            mistakes.bar_without_square,
        ),
        Mistake(
            "You divide β̄_t by the paper's β. That is our β_t²; take the root first.",
            mistakes.paper_beta_below,
        ),
    ),
)
