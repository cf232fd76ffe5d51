"""Exercises: what judges an answer, and what a learner hears about the usual wrong ones.

No solution is kept here: an answer is judged by public functions, or by what makes it right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from textwrap import TextWrapper

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from companion.errors import AnswerError

__all__ = [
    "Case",
    "Condition",
    "Exercise",
    "Mistake",
    "check",
    "draw_integers",
    "draws",
    "example_exercise",
    "function_exercise",
    "other_draws",
]

NOT_SOLVED = "not solved yet: the function still raises NotImplementedError"
NO_ANSWER = "no answer"
WRAP = TextWrapper(76, "  ", "  ", break_long_words=False, break_on_hyphens=False)
SHIFT: ContextVar[int] = ContextVar("SHIFT", default=0)  # what `other_draws` adds to every seed
WIDEST = 24  # where an example may have any size: judges search in it, so it has an end
SAME = 1e-9  # two outcomes behave alike when they agree to this share of their size


@dataclass(frozen=True)
class Mistake:
    """A usual wrong answer, and what the learner is told when an answer behaves like it."""

    message: str
    answer: Callable[..., object]


@dataclass(frozen=True)
class Exercise:
    """An exercise of the book: ``judge`` returns ``None`` for a right answer, else what is wrong.

    ``scope`` says how much was tried, for the line that a right answer gets.
    """

    label: str
    judge: Callable[[object], str | None]
    mistakes: tuple[Mistake, ...]
    scope: Callable[[], str]


@dataclass(frozen=True)
class Case:
    """One call of a learner's function: named inputs, and a value that is right for them."""

    inputs: Mapping[str, Float64[Tensor, "*_"]]
    expected: Float64[Tensor, "*_"]

    def __str__(self) -> str:
        return ", ".join(f"{name} = {show(value)}" for name, value in self.inputs.items())


@dataclass(frozen=True)
class Condition:
    """What an example has to satisfy, and the mistake of one that does not."""

    holds: Callable[[Tensor], bool]
    mistake: Mistake


@dataclass(frozen=True)
class _Trouble:
    """An answer of no usable form. ``kind`` tells two troubles apart, ``words`` describe one."""

    kind: str
    words: str


@dataclass(frozen=True)
class _Trial:
    """What came back in one case, and what is wrong with it, if anything."""

    case: Case
    outcome: Tensor | _Trouble
    fault: str | None

    def report(self) -> str:
        where = f"on {self.case}: {self.fault}"
        if isinstance(self.outcome, _Trouble):
            return where
        return f"{where}\nfound {show(self.outcome)}, expected {show(self.case.expected)}"


def check(exercise: Exercise, answer: object) -> None:
    """Print one line if ``answer`` solves ``exercise``; else say what is wrong with it.

    Raises:
        AnswerError: what is wrong, and where it shows: inputs, found, expected.

    >>> twice = function_exercise(
    ...     "ex-twice",
    ...     cases=lambda: [Case({"x": x}, 2 * x) for x in torch.eye(2, dtype=torch.float64) + 1],
    ...     fault=lambda case, found: None if torch.equal(found, case.expected) else "not 2 x",
    ...     mistakes=(Mistake("This is the square.", torch.square),))
    >>> check(twice, lambda x: 2 * x)
    ✓ ex-twice   2 cases
    >>> check(twice, lambda x: x * x)
    Traceback (most recent call last):
    companion.errors.AnswerError: ✗ ex-twice
      This is the square.
      on x = [2, 1]: not 2 x
      found [4, 1], expected [4, 2]
    """
    message = exercise.judge(answer)
    if message is not None:
        lines = [line for part in message.splitlines() for line in WRAP.wrap(part)]
        raise AnswerError("\n".join([f"✗ {exercise.label}", *lines]))
    print(f"✓ {exercise.label}   {exercise.scope()}")


def draws(seed: int) -> torch.Generator:
    """Return the random numbers that a problem draws its inputs with: the same on every page.

    >>> torch.equal(torch.rand(2, generator=draws(1)), torch.rand(2, generator=draws(1)))
    True
    """
    return torch.Generator().manual_seed(seed + SHIFT.get())


def draw_integers(seed: int, *ranges: tuple[int, int], count: int) -> list[tuple[int, ...]]:
    """Return ``count`` tuples with one whole number from each range, both ends included.

    >>> draw_integers(1, (1, 3), (5, 5), count=2)
    [(2, 5), (1, 5)]
    """
    rng = draws(seed)
    return [
        tuple(int(torch.randint(low, high + 1, (), generator=rng)) for low, high in ranges)
        for _ in range(count)
    ]


@contextmanager
def other_draws(number: int) -> Iterator[None]:
    """Within this block the problems draw other inputs, told by `number`: hidden checks.

    >>> with other_draws(7):
    ...     other = torch.rand(2, generator=draws(1))
    >>> torch.equal(other, torch.rand(2, generator=draws(8)))
    True
    """
    before = SHIFT.set(number)
    try:
        yield
    finally:
        SHIFT.reset(before)


def function_exercise(
    label: str,
    *,
    cases: Callable[[], Sequence[Case]],
    fault: Callable[[Case, Tensor], str | None],
    mistakes: tuple[Mistake, ...],
) -> Exercise:
    """Return an exercise whose answer is a function, judged on ``cases``, the simplest first.

    ``fault`` gets a case and the tensor that came back (right shape, float64, finite) and returns
    ``None``, or what is wrong with it. An answer that fails is told the message of the mistake
    that gives the same outcome wherever the answer fails.
    """

    def judge(answer: object) -> str | None:
        drawn = cases()
        trials = _try(answer, drawn, fault)
        if isinstance(first := trials[0].outcome, _Trouble) and first.kind == NO_ANSWER:
            return first.words
        if not (wrong := [trial for trial in trials if trial.fault]):
            return None
        explained = []
        for mistake in mistakes:
            if all(_behaves(mistake.answer, trial) for trial in wrong):  # most differ at once
                own = _try(mistake.answer, drawn, fault)
                explained.append((sum(trial.fault is not None for trial in own), mistake.message))
        message = [min(explained)[1]] if explained else []  # wrong least often: says most
        return "\n".join([*message, wrong[0].report()])

    return Exercise(label, judge, mistakes, lambda: f"{len(cases())} cases")


def example_exercise(
    label: str,
    *,
    shape: Sequence[int | None],
    conditions: tuple[Condition, ...],
    measure: Callable[[Tensor], str],
) -> Exercise:
    """Return an exercise whose answer is a function of no arguments that returns an example.

    The example is a finite float64 tensor of ``shape`` (``None``: any size from 1 to 24). The first
    of ``conditions`` that it does not satisfy gives the message; ``measure`` adds its numbers.
    """

    def judge(answer: object) -> str | None:
        example = _attempt(answer, {}, shape)
        if isinstance(example, _Trouble):
            return example.words
        for condition in conditions:
            if not condition.holds(example):
                return f"{condition.mistake.message}\n{measure(example)}"
        return None

    mistakes = tuple(condition.mistake for condition in conditions)
    return Exercise(label, judge, mistakes, lambda: f"{len(conditions)} conditions")


def show(values: Float[Tensor, "*_"]) -> str:
    """Return ``values`` in a few characters, four digits each.

    >>> show(torch.tensor([[1.0, -0.5], [0.0, 1 / 3]]))
    '[[1, -0.5], [0, 0.3333]]'
    """
    if values.ndim == 0:
        return f"{values.item() + 0.0:.4g}"  # + 0.0: no minus before a zero
    return f"[{', '.join(show(value) for value in values)}]"


def _try(
    answer: object, cases: Sequence[Case], fault: Callable[[Case, Tensor], str | None]
) -> list[_Trial]:
    trials = []
    for case in cases:
        outcome = _attempt(answer, case.inputs, case.expected.shape)
        words = outcome.words if isinstance(outcome, _Trouble) else fault(case, outcome)
        trials.append(_Trial(case, outcome, words))
    return trials


def _behaves(answer: Callable[..., object], trial: _Trial) -> bool:
    one, other = _attempt(answer, trial.case.inputs, trial.case.expected.shape), trial.outcome
    if isinstance(one, _Trouble) or isinstance(other, _Trouble):
        return getattr(one, "kind", None) == getattr(other, "kind", None)
    size = max(float(value.abs().max()) if value.numel() else 0.0 for value in (one, other))
    return torch.allclose(one, other, rtol=0.0, atol=SAME * size)


def _attempt(
    answer: object, inputs: Mapping[str, Tensor], shape: Sequence[int | None]
) -> Tensor | _Trouble:
    """Call ``answer`` on copies of ``inputs``; return its tensor, or what is wrong with it."""
    if not callable(answer):
        name = type(answer).__name__
        return _Trouble(NO_ANSWER, f"the answer is a {name}, expected the function, without ()")
    given = [value.clone() for value in inputs.values()]
    try:
        found = answer(*given)
    except NotImplementedError:
        return _Trouble(NO_ANSWER, NOT_SOLVED)
    except Exception as error:
        kind = type(error).__name__
        return _Trouble(kind, f"the function raised {kind}: {' '.join(str(error).split())[:160]}")
    for (name, value), after in zip(inputs.items(), given, strict=True):
        if not torch.equal(value, after):
            return _Trouble("input", f"the function changed its input `{name}`; work on a copy")
    return _form(found, shape)


def _form(found: object, shape: Sequence[int | None]) -> Tensor | _Trouble:
    if found is None:
        return _Trouble("None", "the function returned None; is a `return` missing?")
    if isinstance(found, int | float) and not shape:
        found = torch.tensor(math.inf if abs(found) > 1e308 else found, dtype=torch.float64)
    if not isinstance(found, Tensor):
        name = type(found).__name__
        return _Trouble(f"type {name}", f"the function returned a {name}, expected a torch.Tensor")
    fits = [
        1 <= size <= WIDEST if wanted is None else size == wanted
        for size, wanted in zip(found.shape, shape, strict=False)
    ]
    if found.ndim != len(shape) or not all(fits):
        size, any_size = f"shape {list(found.shape)}", f"1 to {WIDEST}"
        wanted = str(list(shape)).replace("None", any_size)
        return _Trouble(size, f"the tensor has {size}, expected {wanted}")
    if found.dtype != torch.float64:
        return _Trouble(f"{found.dtype}", f"the tensor is {found.dtype}, expected torch.float64")
    found = found.detach().cpu()
    if not found.isfinite().all():
        return _Trouble("NaN", f"NaN or infinity came back: {show(found)}")
    return found
