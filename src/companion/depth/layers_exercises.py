"""The exercises of *A thousand layers*: ``check(exercises.MAGNITUDE, your_function)``."""

from __future__ import annotations

from functools import partial

from companion.depth import layers_mistakes as mistakes
from companion.depth import layers_problems as problems
from companion.exercises import Mistake, function_exercise

__all__ = ["CONSTANTS", "MAGNITUDE", "PRENORM", "SIGN", "SLOPES", "SWAPPED"]

MAGNITUDE = function_exercise(
    "ex-depth-magnitude",
    cases=problems.magnitude_cases,
    fault=problems.same,
    mistakes=(
        Mistake("This is λ². The root is missing.", mistakes.squared),
        Mistake(
            "This is 1/λ. The unknown in the parabola is 1/κ²; turn it over.", mistakes.inverted
        ),
        Mistake(
            "This is the root of the mean square singular value. It is what you get by setting "
            "the trace of WWᵀ/κ² to that of I; the minimum of the norm is elsewhere, unless all "
            "singular values are equal.",
            mistakes.mean_square,
        ),
        Mistake(
            "This is the largest singular value. The minimum weighs all of them.",
            mistakes.largest,
        ),
        Mistake(
            "You square the diagonal of WWᵀ only. tr(WWᵀ)² is the sum of the squares of all "
            "entries of WWᵀ.",
            mistakes.entrywise,
        ),
    ),
)

SIGN = function_exercise(
    "ex-depth-sign",
    cases=problems.sign_cases,
    fault=problems.same,
    mistakes=(
        Mistake(
            "This is the step of SGD. Here Δθ = −η sign(g): one factor g, not two.",
            mistakes.step_of_sgd,
        ),
        Mistake(
            "This is −η‖g‖₂, the step of a gradient scaled to length one. A sign is taken of each "
            "entry on its own, and ⟨g, sign g⟩ is a sum of absolute values.",
            mistakes.length,
        ),
        Mistake("The step goes downhill: ΔL is negative.", mistakes.uphill),
        Mistake(
            "You take the mean over the parameters. Their contributions add up, and that is why "
            "depth matters.",
            mistakes.averaged,
        ),
        Mistake(
            "Entries of both signs cancel here. A negative entry is stepped along with a negative "
            "sign: its product is positive too.",
            mistakes.signs_cancel,
        ),
    ),
)

PRENORM = function_exercise(
    "ex-depth-prenorm",
    cases=problems.prenorm_cases,
    fault=problems.same,
    mistakes=(
        Mistake(
            "This is λ for Post-Norm, where α = (2N)^(1/2) does half of the work. With α = 1 the "
            "weights have to do all of it. (It is also λ for SGD.)",
            partial(mistakes.gain, count=2, power=-1 / 2),
        ),
        Mistake(
            "N layers have 2N branches: count them, not the layers.",
            partial(mistakes.gain, count=1, power=-1),
        ),
        Mistake(
            "This is λ/α = 1/√(2N) split in two, the Post-Norm solution for SGD.",
            partial(mistakes.gain, count=2, power=-1 / 4),
        ),
        Mistake(
            "The gain has to fall with depth, not to grow: mind the sign of the exponent.",
            partial(mistakes.gain, count=2, power=1),
        ),
    ),
)

CONSTANTS = function_exercise(
    "ex-depth-constants",
    cases=problems.constants_cases,
    fault=problems.same,
    mistakes=(
        Mistake(
            "The two numbers of layers have changed places. The first counts the encoder's layers, "
            "N in the chapter, the second the decoder's, M.",
            partial(mistakes.constants, swapped=True),
        ),
        Mistake(
            "The encoder's λ is 1.15 divided by the root, as in the published code; the paper has "
            "0.87 = 1/1.15.",
            partial(mistakes.constants, beta=1.15),
        ),
        Mistake(
            "The decoder's α is that of a decoder alone, with two branches to a layer. Beside an "
            "encoder a layer has three.",
            partial(mistakes.constants, three=2),
        ),
        Mistake(
            "The decoder's λ is that of a decoder alone, with two branches to a layer. Beside an "
            "encoder a layer has three: 2 · 6 = 12.",
            partial(mistakes.constants, twelve=8),
        ),
        Mistake(
            "Both constants of the decoder are those of a decoder alone. Beside an encoder its "
            "layers have three branches, not two.",
            partial(mistakes.constants, three=2, twelve=8),
        ),
    ),
)

SWAPPED = function_exercise(
    "ex-depth-swapped",
    cases=problems.swapped_cases,
    fault=problems.same,
    mistakes=(
        Mistake(
            "For large α the answer is 2/α. Both products ⟨αx, x⟩ and ⟨F, αF⟩ contribute.",
            mistakes.one_over,
        ),
        Mistake(
            "Half of it: ⟨αx, x⟩ and ⟨F, αF⟩ both contribute α.",
            mistakes.only_one_term,
        ),
        Mistake(
            "You add the lengths of αx and F. They are at right angles: add the squares.",
            mistakes.lengths_added,
        ),
        Mistake(
            "This is the inner product. A correlation is divided by both lengths.",
            mistakes.not_normalised,
        ),
    ),
)

SLOPES = function_exercise(
    "ex-depth-slopes",
    cases=problems.slopes_cases,
    fault=problems.same,
    mistakes=(
        Mistake(
            "You forget that there are 2N branches: even unscaled, both slopes are 1.",
            partial(mistakes.powers, start=0.0),
        ),
        Mistake(
            "Under SGD the gradient counts squared: its slope is 1 + 2(b − a).",
            partial(mistakes.powers, square=1.0),
        ),
        Mistake("a and b have changed places.", partial(mistakes.powers, turned=True)),
        Mistake(
            "The sign of b − a is turned: a larger α makes gradients smaller.",
            partial(mistakes.powers, square=-2.0),
        ),
    ),
)
