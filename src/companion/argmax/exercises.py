"""The exercises on words that cannot be predicted: ``check(exercises.LEAD, your_function)``."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from companion.argmax import mistakes, problems
from companion.argmax.problems import CLEAR, depth, float64, wins
from companion.exercises import Condition, Mistake, example_exercise, function_exercise

__all__ = ["CEILING", "CERTIFICATE", "FEWEST", "LEAD", "LIFT", "PROGRAM"]

LEAD = function_exercise(
    "ex-argmax-lead",
    cases=problems.lead_cases,
    fault=problems.lead_fault,
    mistakes=(
        Mistake(
            "You forgot the half: ‖w − v‖² is ‖w‖² + ‖v‖² − 2⟨w,v⟩, twice the lead when the "
            "lengths are equal.",
            mistakes.not_halved,
        ),
        Mistake(
            "The distance has to be squared: logits are quadratic in the size of the rows here.",
            mistakes.not_squared,
        ),
        Mistake(
            "The diagonal is zero: a word is no rival of itself. Leave it out before you take "
            "the minimum.",
            mistakes.itself_included,
        ),
        Mistake(
            "This is the lead over the weakest rival, the one farthest away. The lead is decided "
            "by the strongest.",
            mistakes.farthest,
        ),
        Mistake(
            "You average over the rivals. To win, a word has to beat each of them.",
            mistakes.averaged,
        ),
    ),
)

PROGRAM = function_exercise(
    "ex-argmax-program",
    cases=problems.program_cases,
    fault=problems.program_fault,
    mistakes=(
        Mistake(
            "The rows are turned: ⟨w₀ − wᵢ, z⟩ + b₀ − bᵢ ≥ s has to be written with ≤, and the "
            "state goes to the left with its sign changed.",
            mistakes.turned_rows,
        ),
        Mistake(
            "The sign of the bound is turned. A high bias of word 0 leaves more room for s.",
            mistakes.turned_bias,
        ),
        Mistake("The bias is missing from the bound.", mistakes.without_bias),
        Mistake(
            "Word 0 does not occur in your rows. What counts is its lead over each rival, a "
            "difference of two logits.",
            mistakes.rivals_alone,
        ),
        Mistake(
            "The coefficient of s has the wrong sign: your rows bound s from below, and the "
            "program could make it as large as it likes.",
            mistakes.pushed,
        ),
        Mistake(
            "s does not occur in your rows. They say only that word 0 is not behind; a state in "
            "which all words tie would pass.",
            mistakes.no_lead,
        ),
    ),
)

CERTIFICATE = function_exercise(
    "ex-argmax-certificate",
    cases=problems.certificate_cases,
    fault=problems.certificate_fault,
    mistakes=(
        Mistake(
            "A weight is negative: word 0 lies outside the triangle and can win. An average has "
            "no negative weights.",
            mistakes.any_sign,
        ),
        Mistake(
            "You set negative weights to zero. The average is then no longer word 0, and proves "
            "nothing about it.",
            mistakes.sign_clipped,
        ),
        Mistake(
            "You left out the bias. With b₀ above the average of the others, word 0 wins in the "
            "state 0 and near it.",
            mistakes.bias_forgotten,
        ),
        Mistake(
            "The condition on the bias is turned: the average of the rivals has to be at least b₀.",
            mistakes.bias_turned,
        ),
        Mistake(
            "The average of the biases need not equal b₀. If it is higher, the rivals are only "
            "further ahead.",
            mistakes.bias_equal,
        ),
        Mistake(
            "Zeros prove nothing. There are cases in which word 0 never wins, and weights show it.",
            mistakes.nothing_proved,
        ),
    ),
)


def _measure(rows: Tensor) -> str:
    return f"{len(rows)} words; word 0 lies {depth(rows):.4f} of the hull's size inside"


FEWEST = example_exercise(
    "ex-argmax-fewest",
    shape=(None, 3),
    measure=_measure,
    conditions=(
        Condition(
            lambda rows: len(rows) > 1,
            Mistake("One word alone always wins.", lambda: float64([[1, 0, 0]])),
        ),
        Condition(
            lambda rows: not wins(rows),
            Mistake(
                "Word 0, the first row, can win: it is not inside the hull of the others.",
                lambda: float64([[2, 2, 2], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
            ),
        ),
        Condition(
            lambda rows: not (rows[1:] == rows[0]).all(dim=1).any(),
            Mistake(
                "A copy shuts word 0 in, but the least change of either sets it free.",
                lambda: float64([[1, 2, 3], [1, 2, 3]]),
            ),
        ),
        Condition(
            lambda rows: depth(rows) > CLEAR,
            Mistake(
                "Word 0 lies on the surface of the hull, or the hull is flat: the least push sets "
                "it free. Give it room on all sides.",
                lambda: float64([[0, 0, 0], [1, 0, 0], [-1, 1, 0], [-1, -1, 0]]),
            ),
        ),
        Condition(
            lambda rows: len(rows) == 5,
            Mistake(
                "It is shut in, but some of the others are not needed.",
                lambda: float64(np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])),
            ),
        ),
    ),
)

LIFT = function_exercise(
    "ex-argmax-lift",
    cases=problems.lift_cases,
    fault=problems.lift_fault,
    mistakes=(
        Mistake("The same number for all moves nothing: the cloud stays flat.", mistakes.constant),
        Mistake(
            "Along a ray from the origin the length grows evenly, so three words on one ray stay "
            "on one line. The surface has to bend in every direction.",
            mistakes.length,
        ),
        Mistake(
            "The number of a word has nothing to do with where it lies. Words that are numbered "
            "in the order of a line stay on a line.",
            mistakes.numbered,
        ),
        Mistake(
            "A sum of coordinates is linear: it tilts the cloud, and no inner word gets out.",
            mistakes.summed,
        ),
        Mistake(
            "The sum of the absolute values is made of flat pieces, and words within one piece "
            "stay as they are.",
            mistakes.absolute,
        ),
        Mistake(
            "This bends the cloud along one axis only. Words that differ along another stay on a "
            "line.",
            mistakes.first_squared,
        ),
    ),
)

CEILING = function_exercise(
    "ex-argmax-ceiling",
    cases=problems.ceiling_cases,
    fault=problems.ceiling_fault,
    mistakes=(
        Mistake(
            "True, but weaker than it could be: you use the largest weight only.",
            mistakes.largest_weight,
        ),
        Mistake(
            "One half is right for a copy. Weights on several words say more.", mistakes.one_half
        ),
        Mistake(
            "You count words. That is right only if their weights are equal.", mistakes.counted
        ),
        Mistake(
            "A weight of zero gives 0 · ln 0 here, which is not a number. It has to count as 0.",
            mistakes.zero_times_infinity,
        ),
        Mistake(
            "The logarithm has base 2 and the exponential base e. Take the same base for both.",
            mistakes.in_bits,
        ),
        Mistake(
            "The sign of the entropy is lost: a bound above one half cannot be right.",
            mistakes.sign_lost,
        ),
        Mistake("The entropy stands in the exponent: e to the H, not H.", mistakes.not_raised),
    ),
)
