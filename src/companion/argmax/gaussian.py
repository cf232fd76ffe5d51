"""How many of n random points are corners of their hull: exact, for normal coordinates."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import gammaln, log_ndtr, wofz

from companion.errors import DataError

__all__ = ["expected_vertices"]

POINTS = 4001  # of each integral: both fall like Gaussians, so a plain sum is as good as exact


def expected_vertices(words: int, dims: int) -> float:
    r"""Return the mean number of corners of the hull of ``words`` normal points in ``dims``.

    Equation ``eq-argmax-vertices`` (Affentranger and Schneider, *Random projections of regular
    simplices*, 1992; that a Gaussian cloud is such a projection: Baryshnikov and Vitale, 1994):

    .. math:: \mathbb E V = 2\sum_{m=d,d-2,\dots}\binom nm\,m\,\beta_m\,\gamma_{m,n}

    with :math:`\beta_m` the angle of a regular simplex of m corners at one of them, and
    :math:`\gamma_{m,n}` the outer angle of a regular simplex of n corners at a face of m. Both
    are integrals in one variable. The rest of the mean, ``words`` less the result, is the number
    of words without bias that are the best in no state. Exact to about nine digits.

    Raises:
        DataError: unless ``words`` and ``dims`` are at least 1.

    >>> round(expected_vertices(10, 2), 4)
    5.4547
    >>> expected_vertices(5, 7)                          # too few to cover each other
    5.0
    """
    if words < 1 or dims < 1:
        raise DataError(f"words = {words}, dims = {dims}; expected at least 1 of each")
    if words <= dims + 1:
        return float(words)
    logs = [
        gammaln(words + 1) - gammaln(m + 1) - gammaln(words - m + 1)
        + np.log(m) + log_inner_angle(m) + log_outer_angle(m, words)
        for m in range(dims, 0, -2)
    ]  # fmt: skip
    return min(float(words), float(2 * np.exp(logs).sum()))


def log_outer_angle(corners: int, total: int) -> float:
    r"""Return :math:`\log\int\sqrt{m/\pi}\,e^{-mx^2}\,\Phi(\sqrt2x)^{n-m}\,dx`.

    >>> float(np.exp(log_outer_angle(1, 3)).round(6))    # at a corner of a triangle: 120°
    0.333333
    """
    x = np.linspace(-6.0, 9.0, POINTS)
    exponents = -corners * x**2 + (total - corners) * log_ndtr(np.sqrt(2) * x)
    return _log_sum(exponents, x) + 0.5 * float(np.log(corners / np.pi))


@cache
def log_inner_angle(corners: int) -> float:
    r"""Return :math:`\log\mathbb E\,\Phi(iZ/\sqrt m)^{m-1}`, with Z normal.

    The cone at a corner holds a normal point if all m - 1 coordinates along its edges are
    positive; they are normal with the correlation -1/(m - 1), hence the imaginary part. The path
    of integration is moved to the height where the integrand does not turn.

    >>> float(np.exp(log_inner_angle(3)).round(6))       # at a corner of a triangle: 60°
    0.166667
    """
    edges = corners - 1
    heights = np.linspace(0.0, 9.0, 3001)
    sizes = corners * heights**2 / 2 + edges * log_ndtr(-heights)
    height = heights[sizes.argmin()]
    y = np.linspace(-9.0, 9.0, POINTS)
    turned = (height - 1j * y) / np.sqrt(2)  # Φ(iy - height) = ½ exp(-turned²) w(i turned)
    log_phi = -np.log(2) - turned**2 + np.log(wofz(1j * turned))
    exponents = -corners * (y + 1j * height) ** 2 / 2 + edges * log_phi
    return _log_sum(exponents, y) + 0.5 * float(np.log(corners / (2 * np.pi)))


def _log_sum(exponents: np.ndarray, x: np.ndarray) -> float:
    """The logarithm of the integral of exp(exponents), by the trapezoidal rule."""
    top = np.real(exponents).max()
    return float(top + np.log(np.real(np.exp(exponents - top)).sum() * (x[1] - x[0])))
