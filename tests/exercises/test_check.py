"""`check`: the line of a right answer, the message of every kind of wrong one."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from companion.errors import AnswerError
from companion.exercises import (
    NOT_SOLVED,
    Case,
    Condition,
    Exercise,
    Mistake,
    check,
    example_exercise,
    function_exercise,
)


def float64(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def cases() -> list[Case]:
    """Absolute values; the simplest input first, zeros at the end."""
    inputs = [float64(1, 2), float64(1, -2), float64(-3, 4), float64(0, 0)]
    return [Case({"x": x}, x.abs()) for x in inputs]


def fault(case: Case, found: Tensor) -> str | None:
    return None if torch.allclose(found, case.expected) else "not |x|"


ABSOLUTE = function_exercise(
    "ex-test-absolute",
    cases=cases,
    fault=fault,
    mistakes=(
        Mistake("Nothing done.", lambda x: x.clone()),
        Mistake("Squared.", lambda x: x * x),
        Mistake("Clipped.", lambda x: x.clamp(min=0)),
        Mistake("Zero by zero.", lambda x: x * x / x.abs()),
        Mistake("Summed.", lambda x: x.abs().sum()),
    ),
)

EXAMPLE = example_exercise(
    "ex-test-example",
    shape=(2, None),
    measure=lambda rows: f"sum {float(rows.sum()):.1f}",
    conditions=(
        Condition(lambda rows: bool((rows > 0).all()), Mistake("Not positive.", lambda: -eye())),
        Condition(lambda rows: float(rows.sum()) > 3, Mistake("Too small.", lambda: eye() + 0.1)),
    ),
)


def eye() -> Tensor:
    return torch.eye(2, dtype=torch.float64)


def message(exercise: Exercise, answer: object) -> str:
    with pytest.raises(AnswerError) as caught:
        check(exercise, answer)
    lines = str(caught.value).split("\n")
    assert lines[0] == f"✗ {exercise.label}"
    assert all(line.startswith("  ") and len(line) <= 76 for line in lines[1:])
    return " ".join(" ".join(lines[1:]).split())


def test_check_prints_one_line_for_a_right_answer(capsys: pytest.CaptureFixture[str]) -> None:
    check(ABSOLUTE, torch.abs)
    check(ABSOLUTE, lambda x: x.abs().requires_grad_())
    check(EXAMPLE, lambda: eye() + 1)
    lines = ["✓ ex-test-absolute   4 cases"] * 2 + ["✓ ex-test-example   2 conditions"]
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize("mistake", ABSOLUTE.mistakes, ids=lambda mistake: mistake.message)
def test_check_names_the_mistake_and_the_case(mistake: Mistake) -> None:
    said = message(ABSOLUTE, mistake.answer)
    assert [one.message for one in ABSOLUTE.mistakes if one.message in said] == [mistake.message]
    assert said.startswith(f"{mistake.message} on x = [")


def test_check_names_a_mistake_that_is_mended_in_some_cases() -> None:
    """Clipping that treats one input apart is still clipping."""

    def partly(x: Tensor) -> Tensor:
        return x.abs() if x[0] < 0 else x.clamp(min=0)

    assert "Clipped." in message(ABSOLUTE, partly)


def test_check_prefers_the_mistake_that_is_wrong_least() -> None:
    """0/0 alone is explained by both; the one that is wrong nowhere else is meant."""
    both = function_exercise(
        "ex-test-both",
        cases=cases,
        fault=fault,
        mistakes=(
            Mistake("Also negative.", lambda x: -x * x / x.abs()),
            Mistake("Zero by zero.", lambda x: x * x / x.abs()),
        ),
    )
    assert "Zero by zero." in message(both, lambda x: x * x / x.abs())


def test_check_shows_the_simplest_case_of_an_unknown_mistake() -> None:
    said = message(ABSOLUTE, lambda x: x.abs() + (x[0] < 0))
    assert said == "on x = [-3, 4]: not |x| found [4, 5], expected [3, 4]"


def stub(x: Tensor) -> Tensor:
    raise NotImplementedError


def changes_its_input(x: Tensor) -> Tensor:
    return x.abs_() if x[1] < 0 else x.abs()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (stub, NOT_SOLVED),
        (float64(1.0), "the answer is a Tensor, expected the function, without ()"),
        (None, "the answer is a NoneType, expected the function, without ()"),
        (lambda x: None, "the function returned None; is a `return` missing?"),
        (lambda x: x.tolist(), "the function returned a list, expected a torch.Tensor"),
        (lambda x: x.numpy(), "the function returned a ndarray, expected a torch.Tensor"),
        (lambda x: 1.0, "the function returned a float, expected a torch.Tensor"),
        (lambda x: x[None].abs(), "the tensor has shape [1, 2], expected [2]"),
        (lambda x: x[:1].abs(), "the tensor has shape [1], expected [2]"),
        (lambda x: x.abs().float(), "the tensor is torch.float32, expected torch.float64"),
        (lambda x: x.abs() * math.nan, "NaN or infinity came back: [nan, nan]"),
        (lambda x: x.abs() / 0, "NaN or infinity came back: [inf, inf]"),
        (lambda x, y: x, "the function raised TypeError: "),
        (lambda x: x[7], "the function raised IndexError: "),
        (changes_its_input, "the function changed its input `x`; work on a copy"),
    ],
)
def test_check_says_what_is_wrong_with_the_form(answer: object, said: str) -> None:
    assert said in message(ABSOLUTE, answer)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (stub.__get__(0), NOT_SOLVED),
        (eye(), "the answer is a Tensor, expected the function, without ()"),
        (lambda: None, "the function returned None"),
        (lambda: [[1.0, 2.0], [3.0, 4.0]], "the function returned a list"),
        (lambda: torch.ones(3, 2).double(), "the tensor has shape [3, 2], expected [2, 1 to 24]"),
        (lambda: torch.ones(2, 0).double(), "the tensor has shape [2, 0], expected [2, 1 to 24]"),
        (lambda: torch.ones(2, 25).double(), "shape [2, 25], expected [2, 1 to 24]"),
        (
            lambda: torch.ones(2, dtype=torch.int64),
            "the tensor has shape [2], expected [2, 1 to 24]",
        ),
        (lambda: torch.ones(2, 2, dtype=torch.int64), "the tensor is torch.int64"),
        (lambda: eye() / 0, "NaN or infinity came back"),
        (lambda: -eye(), "Not positive. sum -2.0"),
        (lambda: eye() + 0.1, "Too small. sum 2.4"),
    ],
)
def test_check_says_what_an_example_lacks(answer: object, said: str) -> None:
    assert said in message(EXAMPLE, answer)


def test_scalars_may_be_python_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    total = function_exercise(
        "ex-test-total",
        cases=lambda: [Case({"x": float64(1, 2)}, torch.tensor(3.0, dtype=torch.float64))],
        fault=lambda case, found: None if torch.equal(found, case.expected) else "not the sum",
        mistakes=(),
    )
    answers: list[Callable[[Tensor], object]] = [torch.sum, lambda x: 3, lambda x: np.float64(3)]
    for answer in answers:
        check(total, answer)
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert "not the sum found 4, expected 3" in message(total, lambda x: 4)
    assert "NaN or infinity came back: inf" in message(total, lambda x: 10**400)
    assert "NaN or infinity came back: nan" in message(total, lambda x: math.nan)


def test_jupyter_shows_the_message_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.user_ns.update(check=check, exercise=ABSOLUTE, stub=stub)
    shell.run_cell("check(exercise, stub)")
    assert capsys.readouterr().out.strip() == f"✗ ex-test-absolute\n  {NOT_SOLVED}"
