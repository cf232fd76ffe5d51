"""Answers to exercises on attention: how they are called, and in which forms they may come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from companion.exercises import SHIFT, Case, Exercise, Mistake, function_exercise

__all__ = ["Answer", "as_float64", "directly", "exercise", "float64", "off", "with_mask"]

Answer = Callable[..., Any]

EXACT = 1e-5  # above the rounding of float32, far below any mistake
EXACTLY_HELD = (torch.bool, torch.uint8, torch.int32, torch.int64, torch.float32)


def float64(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def off(found: Tensor, expected: Tensor) -> bool:
    return float((found - expected).norm()) > EXACT * float(expected.norm())


def exercise(
    label: str,
    *,
    cases: Callable[[], Sequence[Case]],
    fault: Callable[[Case, Tensor], str | None],
    mistakes: tuple[Mistake, ...],
    run: Callable[..., object],
) -> Exercise:
    """Return a ``function_exercise`` whose answers are called by ``run(answer, *inputs)``.

    What comes back may be a number, a few numbers in a list or tuple, or a tensor of another type
    that float64 holds exactly.
    """

    def called(answer: Answer) -> Answer:
        return lambda *inputs: as_float64(run(answer, *inputs))

    @cache
    def drawn(shift: int) -> Sequence[Case]:
        return cases()

    inner = function_exercise(
        label,
        cases=lambda: drawn(SHIFT.get()),
        fault=fault,
        mistakes=tuple(Mistake(one.message, called(one.answer)) for one in mistakes),
    )

    def judge(answer: object) -> str | None:
        return inner.judge(called(answer) if callable(answer) else answer)

    return Exercise(label, judge, mistakes, inner.scope)


def directly(answer: Answer, *inputs: Tensor) -> object:
    """Call with tensors as they are, single numbers as Python's own: 4 for a 4.0."""
    return answer(*(_plain(value) for value in inputs))


def with_mask(answer: Answer, *inputs: Tensor) -> object:
    """Call with the last input as a Boolean mask."""
    return answer(*inputs[:-1], inputs[-1].bool())


def as_float64(found: object) -> object:
    """Return numbers as float64 where nothing is lost by it; else what came, to be refused.

    >>> as_float64([1, torch.tensor(0.5)])
    tensor([1.0000, 0.5000], dtype=torch.float64)
    """
    if isinstance(found, Tensor):
        return found.double() if found.dtype in EXACTLY_HELD else found
    if isinstance(found, list | tuple) and found and all(_is_number(one) for one in found):
        return float64([float(one) for one in found])
    if hasattr(found, "dtype") and getattr(found, "ndim", None) == 0:  # NumPy's numbers
        return float(found)  # pyright: ignore[reportArgumentType]
    return found


def _is_number(one: object) -> bool:
    return isinstance(one, int | float) or (isinstance(one, Tensor) and one.ndim == 0)


def _plain(value: Tensor) -> Tensor | int | float:
    if value.ndim:
        return value
    number = float(value)
    return int(number) if number.is_integer() else number
