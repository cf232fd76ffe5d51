"""The exercises on building up; with those on tearing down they are found in ``exercises``."""

from __future__ import annotations

from companion.diffusion import sampling_mistakes as mistakes
from companion.diffusion import sampling_problems as problems
from companion.exercises import Mistake, function_exercise

__all__ = ["DDIM", "OPTIMAL", "SCHEDULE", "VARIANCE"]


SCHEDULE = function_exercise(
    "ex-ddpm-schedule",
    cases=problems.schedule_cases,
    fault=problems.schedule_fault,
    mistakes=(
        Mistake(
            "You keep every k-th α as it is. A step of the short schedule then does the work of "
            "one step, not of k: this is how .02 is kept, and the picture never comes down.",
            mistakes.kept_as_they_are,
        ),
        Mistake(
            "These are the first steps of the long schedule. What you leave out is its end, where "
            "the picture comes down.",
            mistakes.first_ones,
        ),
        Mistake(
            "You average the α of k steps. The average does the work of one step; k steps shrink "
            "the picture by the product of their α.",
            mistakes.average,
        ),
        Mistake(
            "This is the wrong way round: the k-th root would be right for k times as many steps. "
            "With fewer steps each has to do more.",
            mistakes.geometric,
        ),
        Mistake(
            "α^k takes k steps of the same size. They are not: the α between the kept times count, "
            "each its own.",
            mistakes.last_repeated,
        ),
        Mistake(
            "This is ᾱ at the kept times, what is left since t = 0. Asked is the α of each step, "
            "from one kept time to the next.",
            mistakes.running_product,
        ),
        Mistake(
            "You add up the β² of k steps. That is nearly right as long as they are small; but "
            "each later step shrinks the noise of the earlier ones too.",
            mistakes.added_variances,
        ),
    ),
)


VARIANCE = function_exercise(
    "ex-ddpm-variance",
    cases=problems.variance_cases,
    fault=problems.variance_fault,
    mistakes=(
        Mistake(
            "This is σ_t = β_t, the usual choice. It is what is left of x_{t−1} when x₀ is not "
            "known at all; here x₀ is given.",
            mistakes.upper_choice,
        ),
        Mistake(
            "You divide by β̄_{t−1}, which is 0 at t = 1. The two β̄ have changed places: knowing "
            "more makes the spread smaller than β_t.",
            mistakes.inverted,
        ),
        Mistake(
            "This is the variance σ_t². The spread is its square root.",
            mistakes.exact_variance,
        ),
        Mistake(
            "The division by β̄_t is missing. Without it, σ_t would stay below β_t even after the "
            "picture is long gone.",
            mistakes.not_divided,
        ),
        Mistake(
            "At t = 1 you take β̄_1 for β̄_0. Before the first step nothing is torn down: ᾱ_0 = 1, "
            "β̄_0 = 0.",
            mistakes.first_twice,
        ),
        Mistake(
            "roll brings the last β̄ to the front. At t = 1 it has to be β̄_0 = 0.",
            mistakes.rolled,
        ),
        Mistake(
            "You have put our ᾱ into the paper's formula. Its ᾱ is our ᾱ²: β̄_t² = 1 − ᾱ_t².",
            mistakes.paper_formula,
        ),
    ),
)


DDIM = function_exercise(
    "ex-ddpm-ddim",
    cases=problems.ddim_cases,
    fault=problems.ddim_fault,
    mistakes=(
        Mistake(
            "This is the greedy step. It is right for s = 0 only: on the way it takes out too much "
            "noise, and the spread of the samples shrinks from step to step.",
            mistakes.greedy,
        ),
        Mistake(
            "This is the greedy step, and with the wrong noise in it: the essay's ε_θ is β_t/β̄_t "
            "times the noise of unit variance that you are given.",
            mistakes.greedy_unscaled,
        ),
        Mistake(
            "You exchange the noise and leave the picture as it is. It has to grow too, from ᾱ_t "
            "to ᾱ_s.",
            mistakes.pictures_apart,
        ),
        Mistake(
            "x_t − β̄_t ε̂ is ᾱ_t x₀, not yet x₀. Divide by ᾱ_t before you go on.",
            mistakes.not_rescaled,
        ),
        Mistake(
            "No noise is put back. x_s is noisy as well: it has β̄_s of the same ε̂ in it.",
            mistakes.left_clean,
        ),
        Mistake(
            "You stop at the guess of x₀. Tear it down again, to the time s.",
            mistakes.guessed,
        ),
        Mistake(
            "The noise comes back with β̄_s²; the jump has β̄_s.",
            mistakes.squared_noise,
        ),
        Mistake(
            "√ᾱ and √(1 − ᾱ) belong to the paper's ᾱ. Ours is its root already: ᾱ, and √(1 − ᾱ²).",
            mistakes.paper_jump,
        ),
    ),
)


OPTIMAL = function_exercise(
    "ex-ddpm-optimal",
    cases=problems.optimal_cases,
    fault=problems.optimal_fault,
    mistakes=(
        Mistake(
            "You compare x_t with the points themselves. Tearing down shrinks them: x_t scatters "
            "around ᾱ_t y.",
            mistakes.unscaled_data,
        ),
        Mistake(
            "You divide x_t by ᾱ_t, but not its noise. x_t/ᾱ_t scatters around y with the spread "
            "β̄_t/ᾱ_t.",
            mistakes.scaled_back,
        ),
        Mistake(
            "The square is missing below: the exponent of a Gaussian has the variance β̄_t² there.",
            mistakes.spread_not_squared,
        ),
        Mistake(
            "The 2 is missing: the exponent of a Gaussian is −‖·‖²/(2β̄_t²).",
            mistakes.without_half,
        ),
        Mistake(
            "The square is missing above: the exponent of a Gaussian has the squared distance.",
            mistakes.length_not_squared,
        ),
        Mistake(
            "The sign of the exponent is turned: the farthest point gets the largest weight.",
            mistakes.towards_the_farthest,
        ),
        Mistake(
            "All points get the same weight. That is E[x₀]; x_t says which points are likely.",
            mistakes.uniform,
        ),
        Mistake(
            "You take the nearest point. It is the likeliest one, not the mean of all of them, "
            "weighted by how likely they are.",
            mistakes.nearest,
        ),
        Mistake(
            "This is the mean of ᾱ_t x₀. Asked is x₀ itself.",
            mistakes.mean_in_x,
        ),
        Mistake(
            "Far from all points every density is rounded to 0, and 0/0 comes out. Shift the "
            "exponents so that the largest is 0; softmax does.",
            mistakes.bare_exponentials,
        ),
    ),
)
