"""The exercises of the chapter on residuals; `companion.depth.exercises` has them all."""

from __future__ import annotations

from companion.depth import residual_mistakes as mistakes
from companion.depth import residual_problems as problems
from companion.exercises import Mistake, function_exercise

__all__ = ["ANGLES", "MEAN", "NORMS", "PLAIN", "REZERO", "XAVIER"]


XAVIER = function_exercise(
    "ex-residual-xavier",
    cases=problems.xavier_cases,
    fault=problems.xavier_fault,
    mistakes=(
        Mistake(
            "Forward and backward have changed places. Forward a sum runs over the n inputs, "
            "backward over the m outputs.",
            mistakes.exchanged,
        ),
        Mistake(
            "You look at the first and the last width only. With Var W = 1/n the widths between "
            "cancel; with Xavier's rule they do not.",
            mistakes.ends_only,
        ),
        Mistake(
            "These are the factors of the lengths. Asked are those of the mean squares, which is "
            "what the variance multiplies.",
            mistakes.rooted,
        ),
        Mistake(
            "This is Var W = 1/n, which keeps the signal. Xavier's variance is 2/(n + m).",
            mistakes.one_over_inputs,
        ),
        Mistake(
            "Xavier's rule keeps neither exactly, unless all widths are equal.",
            mistakes.both_kept,
        ),
        Mistake(
            "The layers stand one behind the other: their factors are multiplied, not averaged.",
            mistakes.averaged,
        ),
    ),
)


PLAIN = function_exercise(
    "ex-residual-plain",
    cases=problems.plain_cases,
    fault=problems.plain_fault,
    mistakes=(
        Mistake(
            "This is the gradient of one matrix. There are N of them, and their squares add up.",
            mistakes.one_layer,
        ),
        Mistake(
            "The lengths have to be squared: a matrix xᵀδ has the squared norm ‖x‖²‖δ‖².",
            mistakes.lengths,
        ),
        Mistake(
            "You count coordinates. The sum runs over the layers.",
            mistakes.by_width,
        ),
        Mistake(
            "The gradient of a matrix is xᵀδ, an outer product; its norm has the lengths in it, "
            "not the inner product ⟨x, v⟩.",
            mistakes.inner,
        ),
        Mistake(
            "Two of the three are kept, not all: the sum of squares grows with every layer.",
            mistakes.all_kept,
        ),
        Mistake(
            "This is the length of the whole gradient. The step changes the loss by its square.",
            mistakes.norm_of_all,
        ),
    ),
)


ANGLES = function_exercise(
    "ex-residual-angles",
    cases=problems.angle_cases,
    fault=problems.angle_fault,
    mistakes=(
        Mistake(
            "This is the growth of the squared length. Take the root at the end.",
            mistakes.squared,
        ),
        Mistake(
            "The mixed term of a square comes twice: ‖v + w‖² = ‖v‖² + 2⟨v, w⟩ + ‖w‖².",
            mistakes.once,
        ),
        Mistake(
            "You count the part of the branch that lies along the vector. The part across makes "
            "it longer too.",
            mistakes.along_only,
        ),
        Mistake(
            "This is the case of right angles. Here each branch has its own cosine.",
            mistakes.right_angles,
        ),
        Mistake(
            "This is the logarithm of the growth.",
            mistakes.logarithm,
        ),
        Mistake(
            "This is the worst case, all branches along the vector. The cosines are given.",
            mistakes.worst,
        ),
        Mistake(
            "You add what each layer does to a vector of length 1. The next branch has the length "
            "that the vector has got by then: the factors multiply.",
            mistakes.added,
        ),
    ),
)


NORMS = function_exercise(
    "ex-residual-norms",
    cases=problems.norm_cases,
    fault=problems.norm_fault,
    mistakes=(
        Mistake(
            "This is right for p = 2, the Euclidean norm, and for no other.",
            mistakes.euclidean,
        ),
        Mistake(
            "This is p = 1, where lengths add as if all branches lay along x.",
            mistakes.straight,
        ),
        Mistake(
            "This is εᵖ. The p-th root is missing.",
            mistakes.root_forgotten,
        ),
        Mistake(
            "After N layers ‖x‖ᵖ has grown by (1 + εᵖ)ᴺ, and ‖x‖ by the p-th root of that: the "
            "bound has to be raised to the power p/N, not 1/N.",
            mistakes.power_forgotten,
        ),
        Mistake(
            "Right to first order, and else too small: solve (1 + εᵖ)^(N/p) = bound as it stands, "
            "without log(1 + u) ≈ u.",
            mistakes.first_order,
        ),
        Mistake(
            "The rate N^(−1/p) is right, but the growth that it gives is not the bound.",
            mistakes.rate_only,
        ),
    ),
)


MEAN = function_exercise(
    "ex-residual-mean",
    cases=problems.mean_cases,
    fault=problems.mean_fault,
    mistakes=(
        Mistake(
            "The mixed term is missing. The entries have the mean μ, every branch a positive mean, "
            "so their product does not vanish on average.",
            mistakes.no_cross,
        ),
        Mistake(
            "The mixed term of a square comes twice.",
            mistakes.single_cross,
        ),
        Mistake(
            "The mean of relu of a standard normal number is 1/√(2π), but with Var W = 2/d the "
            "number before the relu has the variance 2 r².",
            mistakes.unit_variance,
        ),
        Mistake(
            "The branch has a mean: relu lets nothing negative through.",
            mistakes.no_mean,
        ),
        Mistake(
            "The square of the branch itself is missing, ε² r².",
            mistakes.no_spread,
        ),
        Mistake(
            "The mean square is not the square of the mean: entries differ.",
            mistakes.mean_squared,
        ),
    ),
)


REZERO = function_exercise(
    "ex-residual-rezero",
    cases=problems.rezero_cases,
    fault=problems.rezero_fault,
    mistakes=(
        Mistake(
            "The sign is turned: a step goes against the gradient.",
            mistakes.uphill,
        ),
        Mistake(
            "The target is forgotten. At ε = 0 the network returns x, and the gradient of "
            "½‖x_N − y‖² there is x − y.",
            mistakes.target_forgotten,
        ),
        Mistake(
            "It is the matrices that have no gradient at ε = 0. The ε have one.",
            mistakes.nothing,
        ),
        Mistake(
            "The matrix is transposed: the branch is x W_l, a row times a matrix, and its inner "
            "product is taken with x − y.",
            mistakes.transposed,
        ),
        Mistake(
            "The loss has a ½ in it, which cancels the 2 of the square.",
            mistakes.not_halved,
        ),
        Mistake(
            "You divide by N. It would be a good idea, but gradient descent does not do it.",
            mistakes.shared_out,
        ),
    ),
)
