"""The exercises on GAU-α: right answers pass, each mistake hears its own message."""

import math
from collections.abc import Callable

import pytest
import torch

from companion.attention import CLUE, alpha_exercises, clue_average, self_normalized_relu2
from companion.attention import alpha_mistakes as mistakes
from companion.attention.alpha_problems import clue_cases, power_weights
from companion.attention.entropy import sphere_entropy, sphere_peak
from companion.errors import AnswerError
from companion.exercises import Exercise, check

ALL = [getattr(alpha_exercises, name) for name in alpha_exercises.__all__]
EVERY = pytest.mark.parametrize("exercise", ALL, ids=lambda one: one.label)


def said(exercise: Exercise, answer: object) -> str:
    with pytest.raises(AnswerError) as caught:
        check(exercise, answer)
    return " ".join(str(caught.value).split())


def averages(scores, column):
    rest = [number for number in range(scores.shape[1]) if number != column]
    return torch.stack([scores.sum(1) / scores.shape[1], scores[:, rest].sum(1) / len(rest)])


def powers(scores, power):
    positive = scores.relu()
    largest = positive.max()
    if largest == 0:
        return torch.zeros_like(scores)
    raised = (positive / largest) ** power
    return raised / raised.sum()


def plus(scores, mask):
    scale = mask.sum().double().log() / math.log(512)
    found = torch.zeros_like(scores)
    found[:, mask] = torch.softmax(scale * scores[:, mask], dim=1)
    return found


def gradient(x, g):
    size = len(x)
    square = x @ x
    return size**0.5 * (g / square**0.5 - x * (x @ g) / square**1.5)


RIGHT = {
    "ex-alpha-clue": averages,
    "ex-alpha-homogeneous": powers,
    "ex-alpha-mask": plus,
    "ex-alpha-rms": gradient,
    "ex-alpha-kappa": lambda scale: (sphere_peak(scale), -sphere_entropy(1, 1, scale) / scale),
    "ex-alpha-spread": lambda n, n0, s: max(0.0, s**2 + 2 * math.log(n) - 2 * math.log(n0)) ** 0.5,
    "ex-alpha-start": lambda units, order: math.exp(-math.log(units) / order),
}


@EVERY
def test_another_right_answer_passes(exercise: Exercise, capsys) -> None:
    check(exercise, RIGHT[exercise.label])
    assert capsys.readouterr().out.startswith(f"✓ {exercise.label}")


@pytest.mark.parametrize(
    ("exercise", "number"),
    [(exercise, n) for exercise in ALL for n in range(len(exercise.mistakes))],
    ids=lambda value: value if isinstance(value, int) else value.label,
)
def test_each_mistake_hears_its_own_message(exercise: Exercise, number: int) -> None:
    mistake = exercise.mistakes[number]
    words = said(exercise, mistake.answer)
    assert " ".join(mistake.message.split()) in words
    others = [one.message for one in exercise.mistakes if one.message != mistake.message]
    assert not any(" ".join(other.split()) in words for other in others)


@EVERY
def test_an_unknown_mistake_is_not_taken_for_a_known_one(exercise: Exercise) -> None:
    def answer(*inputs):
        found = RIGHT[exercise.label](*inputs)
        return [7.5 * one for one in found] if isinstance(found, tuple) else 7.5 * found + 1

    words = said(exercise, answer)
    assert not any(" ".join(one.message.split())[:40] in words for one in exercise.mistakes)


@pytest.mark.parametrize(
    ("label", "answer", "words"),
    [
        ("ex-alpha-clue", lambda s, c: averages(s, c) + 1, "with all tasks and not without"),
        ("ex-alpha-homogeneous", lambda s, p: powers(s, p) * 0.9, "the weights sum to 0.9"),
        ("ex-alpha-homogeneous", lambda s, p: torch.full_like(s, 1 / len(s)), "not relu(s)"),
        ("ex-alpha-mask", lambda s, m: plus(s, m) + (~m).double(), "a padded key is"),
        ("ex-alpha-mask", lambda s, m: plus(s, m) * 0.9, "do not sum to 1"),
        ("ex-alpha-rms", lambda x, g: 2 * gradient(x, g), "at right angles to x, but not"),
        ("ex-alpha-kappa", lambda scale: (sphere_peak(scale), 9.0), "wrong: κ"),
        ("ex-alpha-spread", lambda n, n0, s: 0.1, "the entropy goes from"),
        ("ex-alpha-spread", lambda n, n0, s: -9.0, "a standard deviation is not negative"),
        ("ex-alpha-start", lambda units, order: 0.9, "all units together contribute"),
    ],
)
def test_what_is_wrong_is_named(label: str, answer: Callable, words: str) -> None:
    assert words in said(next(one for one in ALL if one.label == label), answer)


def test_averages_are_those_of_the_published_table() -> None:
    case = clue_cases()[-1]
    for row, without in zip(case.expected, ((), ("wsc",)), strict=True):
        means = clue_average(CLUE, without=without)
        assert row.tolist() == pytest.approx([means[model] for model in CLUE])


def test_power_two_is_the_package_s_rule() -> None:
    scores = torch.randn(9, generator=torch.Generator().manual_seed(1)).double()
    rule = self_normalized_relu2(scores[None, None], None, torch.ones(1, 1, 1).double())
    torch.testing.assert_close(power_weights(scores, 2), rule[0, 0])
    torch.testing.assert_close(power_weights(1e9 * scores, 2), rule[0, 0])
    assert not torch.allclose(mistakes.plain_softmax(1e9 * scores, 2), rule[0, 0])
