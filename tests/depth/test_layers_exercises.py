"""The exercises of *A thousand layers*: right answers pass, each mistake hears its own message."""

import pytest
import torch

from companion.depth import DepthScaling, layers_exercises
from companion.errors import AnswerError
from companion.exercises import Exercise, check

ALL = [getattr(layers_exercises, name) for name in layers_exercises.__all__]


def magnitude(weight):
    values = torch.linalg.svdvals(weight)
    return (values.pow(4).sum() / values.square().sum()).sqrt()


def constants(encoder_layers, decoder_layers):
    e, d = DepthScaling.deepnet("encoder-decoder", int(encoder_layers), int(decoder_layers))
    return torch.tensor([e.alpha, e.gain, d.alpha, d.gain], dtype=torch.float64)


def slopes(sgd, lamb):
    """Solve 1 + 2(b − a) = sgd and 1 + 2b − a = lamb."""
    matrix = torch.tensor([[-2.0, 2], [-1, 2]], dtype=torch.float64)
    return torch.linalg.solve(matrix, torch.stack([sgd - 1, lamb - 1]))


RIGHT = {
    "ex-depth-magnitude": magnitude,
    "ex-depth-sign": lambda gradient, rate: -rate * gradient @ gradient.sign(),
    "ex-depth-prenorm": lambda layers: float(0.5 / layers),
    "ex-depth-constants": constants,
    "ex-depth-swapped": lambda alpha: 2 / (alpha + 1 / alpha),
    "ex-depth-slopes": slopes,
}


@pytest.mark.parametrize("exercise", ALL, ids=lambda exercise: exercise.label)
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
    with pytest.raises(AnswerError) as caught:
        check(exercise, mistake.answer)
    said = " ".join(str(caught.value).split())
    assert " ".join(mistake.message.split()) in said
    others = [m.message for m in exercise.mistakes if m is not mistake]
    assert not any(" ".join(other.split()) in said for other in others)


@pytest.mark.parametrize("exercise", ALL, ids=lambda exercise: exercise.label)
def test_stub_and_an_unknown_mistake_are_told_apart(exercise: Exercise) -> None:
    def stub(*inputs):
        raise NotImplementedError

    with pytest.raises(AnswerError, match="not solved yet"):
        check(exercise, stub)
    with pytest.raises(AnswerError) as caught:
        check(exercise, lambda *inputs: 7.5 * RIGHT[exercise.label](*inputs))
    assert not any(mistake.message[:30] in str(caught.value) for mistake in exercise.mistakes)
