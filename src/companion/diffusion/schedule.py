"""How much of the picture survives each step: α, β and their products ᾱ, β̄."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from companion.errors import DataError, ShapeError

__all__ = ["HoSchedule", "Schedule"]


class HoSchedule(NamedTuple):
    """The arrays of Ho et al.: squares of ours, without index 0 (their step t is row t − 1)."""

    alpha: Float64[Tensor, " step"]
    beta: Float64[Tensor, " step"]
    alpha_bar: Float64[Tensor, " step"]


class Schedule:
    r"""The coefficients of tearing down, for steps 1 … T; index 0 is the data.

    :math:`x_t = \alpha_t x_{t-1} + \beta_t \varepsilon_t` with
    :math:`\alpha_t^2 + \beta_t^2 = 1` (``eq-ddpm-tear``), and over many steps
    :math:`\bar\alpha_t = \alpha_1 \cdots \alpha_t`,
    :math:`\bar\beta_t = \sqrt{1 - \bar\alpha_t^2}` (``eq-ddpm-jump``). These are square roots of
    what Ho et al. (*Denoising Diffusion Probabilistic Models*, 2020) call α, β and ᾱ.

    Everything is float64 on the CPU. β and β̄ are computed without subtracting nearly equal
    numbers: in float32, :math:`1 - \alpha_1^2` has lost three of its seven digits.

    Args:
        alphas: :math:`\alpha_1 \dots \alpha_T`, each in (0, 1): float64, or Python's floats.

    Attributes:
        steps: T.
        alpha, beta, alpha_bar, beta_bar: float64 ``[T + 1]``; at index 0 they are 1, 0, 1, 0.

    Raises:
        DataError: for an α outside (0, 1) or NaN, for a tensor of another precision, or if so
            little is left after some step that its ᾱ is 0 in float64.
        ShapeError: if ``alphas`` is no vector, or empty.

    >>> schedule = Schedule([0.8, 0.6])
    >>> schedule.alpha_bar
    tensor([1.0000, 0.8000, 0.4800], dtype=torch.float64)
    >>> schedule.alpha_bar.square() + schedule.beta_bar.square()
    tensor([1., 1., 1.], dtype=torch.float64)
    """

    steps: int
    alpha: Float64[Tensor, " time"]
    beta: Float64[Tensor, " time"]
    alpha_bar: Float64[Tensor, " time"]
    beta_bar: Float64[Tensor, " time"]

    def __init__(self, alphas: Tensor | Sequence[float]) -> None:
        given = _unit_interval("alpha", alphas)
        self.steps = len(given)
        self.alpha = torch.cat([torch.ones(1, dtype=torch.float64), given])
        self.beta = ((1 - self.alpha) * (1 + self.alpha)).sqrt()  # 1 − α is exact, 1 − α² is not
        log_alpha_bar = torch.tensor(
            list(_running_sums(self.alpha.log().tolist())), dtype=torch.float64
        )
        self.alpha_bar = log_alpha_bar.exp()
        self.beta_bar = (-torch.expm1(2 * log_alpha_bar)).sqrt()
        if self.alpha_bar[-1] == 0:
            t = int((self.alpha_bar == 0).nonzero()[0])
            raise DataError(
                f"alpha_bar[{t}] is 0 in float64; expected α closer to 1, or less steps"
            )

    @classmethod
    def su(cls, steps: int = 1000, *, largest: float = 0.02) -> Schedule:
        r"""Return :math:`\alpha_t = \sqrt{1 - .02\,t/T}` (``eq-ddpm-schedule``).

        The ``largest`` :math:`\beta_t^2`, .02, belongs to T = 1000: with fewer steps take
        ``20 / steps``, or the picture is never torn down.

        >>> float(Schedule.su().alpha_bar[-1].log().round(decimals=4))
        -5.0387
        >>> float(Schedule.su(50).alpha_bar[-1].round(decimals=2))
        0.77
        """
        _check_steps(steps)
        _check_fraction("largest", largest)
        return cls((1 - largest * torch.arange(1, steps + 1).double() / steps).sqrt())

    @classmethod
    def linear(cls, steps: int = 1000, *, first: float = 1e-4, last: float = 0.02) -> Schedule:
        r"""Return Ho et al.'s schedule: :math:`\beta_t^2` grows evenly from ``first`` to ``last``.

        >>> float(Schedule.linear().alpha_bar[-1].round(decimals=6))
        0.006353
        """
        _check_steps(steps)
        _check_fraction("first", first)
        _check_fraction("last", last)
        return cls.from_ho(torch.linspace(first, last, steps, dtype=torch.float64))

    @classmethod
    def cosine(cls, steps: int = 1000) -> Schedule:
        r"""Return :math:`\bar\alpha_t \propto \cos\frac{\pi}{2}\frac{t/T + s}{1 + s}`, s = .008.

        Nichol and Dhariwal, *Improved Denoising Diffusion Probabilistic Models*, 2021, eq. 17;
        as there, no :math:`\beta_t^2` is larger than .999.

        >>> float(Schedule.cosine().alpha_bar[500].round(decimals=3))
        0.703
        """
        _check_steps(steps)
        times = torch.arange(steps + 1).double() / steps
        remaining = torch.cos(math.pi / 2 * (times + 0.008) / 1.008)
        return cls((remaining[1:] / remaining[:-1]).clamp_min((1 - 0.999) ** 0.5))

    @classmethod
    def from_ho(cls, betas: Tensor | Sequence[float]) -> Schedule:
        r"""Return the schedule whose :math:`\beta_t^2` are what Ho et al. call :math:`\beta_t`.

        Raises:
            DataError: for a β outside (0, 1) or NaN.
            ShapeError: if ``betas`` is no vector, or empty.

        >>> Schedule.from_ho([0.36, 0.64]).alpha
        tensor([1.0000, 0.8000, 0.6000], dtype=torch.float64)
        """
        betas = betas.double() if isinstance(betas, Tensor) else betas  # a small β has its digits
        return cls((1 - _unit_interval("beta", betas)).sqrt())

    def ho(self) -> HoSchedule:
        r"""Return α, β and ᾱ as Ho et al. write them: the squares, row ``t - 1`` for step t.

        >>> Schedule([0.8, 0.6]).ho().beta
        tensor([0.3600, 0.6400], dtype=torch.float64)
        """
        squares = [table[1:].square() for table in (self.alpha, self.beta, self.alpha_bar)]
        return HoSchedule(*squares)

    def subset(self, times: Int64[Tensor, " kept"]) -> Schedule:
        r"""Return the schedule that jumps along ``times`` only: ``[0, t_1, … t_S]``, ascending.

        Its :math:`\alpha_i` is :math:`\bar\alpha_{t_i} / \bar\alpha_{t_{i-1}}`, so its ᾱ are those
        of this schedule at ``times``.

        Raises:
            DataError: if the times do not ascend from 0 to at most T, or stop there.

        >>> schedule = Schedule([0.9, 0.8, 0.5]).subset(torch.tensor([0, 2, 3]))
        >>> schedule.alpha
        tensor([1.0000, 0.7200, 0.5000], dtype=torch.float64)
        """
        kept = times.tolist()
        if len(kept) < 2 or kept[0] != 0 or kept[-1] > self.steps or kept != sorted(set(kept)):
            raise DataError(f"times are {kept}; expected 0 < t_1 < … <= {self.steps}, after a 0")
        if len(kept) == self.steps + 1:
            return self
        pieces = pairwise(kept)
        return Schedule([float(self.alpha[a + 1 : b + 1].prod()) for a, b in pieces])

    def __repr__(self) -> str:
        first, last = float(self.alpha[1]), float(self.alpha[-1])
        left = float(self.alpha_bar[-1])
        return f"Schedule(steps={self.steps}, α {first:.6g} … {last:.6g}, ᾱ_T = {left:.4g})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and torch.equal(self.alpha, other.alpha)

    def __hash__(self) -> int:
        return hash(self.alpha.numpy().tobytes())


def _unit_interval(name: str, values: Tensor | Sequence[float]) -> Float64[Tensor, " step"]:
    """Return a float64 vector on the CPU; refuse what is not strictly between 0 and 1."""
    if isinstance(values, Tensor) and values.dtype != torch.float64:
        raise DataError(
            f"{name}s are {values.dtype}, expected torch.float64: "
            "near 1 a lower precision has lost the digits of β"
        )
    vector = torch.as_tensor(values, dtype=torch.float64).detach().cpu()
    if vector.ndim != 1 or len(vector) == 0:
        raise ShapeError(f"{name}s have shape {tuple(vector.shape)}; expected a vector [steps]")
    wrong = ~((vector > 0) & (vector < 1))  # NaN compares as false
    if wrong.any():
        row = int(wrong.nonzero()[0])
        found = float(vector[row])
        raise DataError(f"{name}_{row + 1} (row {row}) is {found}; expected 0 < {name} < 1")
    return vector


def _running_sums(terms: list[float]) -> Iterator[float]:
    """Yield the sums of the first 1, 2, … terms; what rounding loses is carried along (Knuth)."""
    total = lost = 0.0
    for term in terms:
        new = total + term
        part = new - total
        lost += (total - (new - part)) + (term - part)
        total = new
        yield total + lost


def _check_steps(steps: int) -> None:
    if steps < 1:
        raise DataError(f"steps is {steps}; expected at least 1")


def _check_fraction(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise DataError(f"{name} is {value}; expected 0 < {name} < 1, the square of a β")
