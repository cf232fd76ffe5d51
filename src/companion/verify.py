"""Checks of the book's equations: each can fail, and prints what it would refuse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn, final

import numpy as np
import torch
from jaxtyping import Bool, Shaped

from companion.errors import VerificationError

__all__ = ["SLOPE_FACTOR", "WRONG_FACTOR", "verify", "verify_bound", "verify_slope"]

WRONG_FACTOR = 10  # a wrong variant must miss by more than this many tolerances
SLOPE_FACTOR = 2  # a wrong exponent must lie further from the measured slope than this many
Real = float | int


@dataclass(frozen=True)
class _Side:
    """Finite values in double precision, and what their own precision resolves."""

    values: Shaped[np.ndarray, "*shape"]
    dtype: str
    resolution: float


@final
class Verify:
    """The type of ``verify``, which also has ``verify.definition``."""

    def __call__(
        self, label: str, lhs: object, rhs: object, *, tol: Real, wrong: Mapping[str, object]
    ) -> None:
        r"""Check that :math:`\max|lhs-rhs|\le tol`, and that each wrong variant fails.

        Numbers, nested lists, NumPy arrays and torch tensors of any dtype and device are compared
        in float64 (complex128) on the CPU; shapes are equal, nothing broadcasts. Every variant in
        ``wrong`` (name to value) must miss ``lhs`` by more than ``WRONG_FACTOR`` times ``tol``
        and by more than its own precision resolves.

        Raises:
            VerificationError: the sides or shapes differ; a variant is not told apart, or none is
                given; a value is not finite; ``tol`` is finer than eps of the dtype * max|value|.

        >>> verify("eq-square", (1 + 2) ** 2, 1 + 4 + 4, tol=1e-12, wrong={"no cross term": 1 + 4})
        ✓ eq-square   |Δ| ≤ 1e-12   rejects: no cross term
        """
        _check_names(label, wrong)
        _check_number(label, "tol", tol)
        left, right = _read(label, "lhs", lhs), _read(label, "rhs", rhs)
        _check_shapes(label, "lhs", left, "rhs", right)
        _check_equal(label, left, right, tol)
        for name, value in wrong.items():
            variant = _read(label, f"wrong variant {name!r}", value)
            _check_shapes(label, "lhs", left, f"wrong variant {name!r}", variant)
            miss = float(np.abs(left.values - variant.values).max())
            if not miss > WRONG_FACTOR * tol:
                found = f"{name!r} misses lhs by {miss:.3g}"
                _fail(label, f"not told apart: {found}, expected more than {WRONG_FACTOR} tol")
            if not miss > variant.resolution:  # rounding alone may have made it
                found = f"{name!r} misses lhs by {miss:.3g}, {variant.dtype} resolves only"
                _fail(label, f"not told apart: {found} {variant.resolution:.2g}")
        bound = np.format_float_scientific(float(tol), trim="-", exp_digits=2)
        _print(label, f"{'max ' if left.values.ndim else ''}|Δ| ≤ {bound}", wrong)

    def definition(self, label: str) -> None:
        """Mark the equation ``label`` as a definition: nothing to check, counted separately.

        >>> verify.definition("eq-primary-objective")
        ≡ eq-primary-objective   definition
        """
        _check_label(label)
        print(f"≡ {label}   definition")


verify = Verify()


def verify_slope(
    label: str, x: object, y: object, exponent: Real, *, tol: Real, wrong: Mapping[str, Real]
) -> None:
    r"""Check a rate :math:`y\propto x^p`: the least-squares slope of log y against log x is p.

    ``x`` and ``y`` are positive, of one axis and the same length (3 or more). The slope lies
    within ``tol`` of ``exponent``, its standard error is at most ``tol``, and each exponent in
    ``wrong`` lies further than ``SLOPE_FACTOR`` times ``tol`` from the measured slope.

    Raises:
        VerificationError: one of these does not hold; the message has the measured slope.

    >>> verify_slope("eq-area", [1, 2, 4], [3, 12, 48], 2, tol=0.05, wrong={"a length": 1})
    ✓ eq-area   slope 2 ± 0.05   rejects: a length (1)
    """
    _check_names(label, wrong)
    exponents = {f"wrong variant {name!r}": value for name, value in wrong.items()}
    for name, value in {"tol": tol, "exponent": exponent, **exponents}.items():
        _check_number(label, name, value)
    if not 0 < tol < np.inf:
        _fail(label, f"tol is {tol}, expected a positive finite number")
    if not np.isfinite([exponent, *wrong.values()]).all():
        _fail(label, f"exponents are {exponent}, {dict(wrong)}, expected finite numbers")
    slope, error = _fit(label, x, y)
    found = f"measured slope {slope:.4g} with standard error {error:.2g}"
    if not (abs(slope - exponent) <= tol and error <= tol):
        _fail(label, f"{found}, expected {exponent:g} ± {tol:g} and an error of at most {tol:g}")
    for name, value in wrong.items():
        if not abs(slope - value) > SLOPE_FACTOR * tol:
            needed = f"expected further off than {SLOPE_FACTOR} tol"
            _fail(label, f"not told apart: {name!r} has exponent {value:g}, {found}, {needed}")
    _print(label, f"slope {exponent:g} ± {tol:g}", [f"{n} ({v:g})" for n, v in wrong.items()])


def verify_bound(
    label: str, smaller: object, larger: object, *, wrong: Mapping[str, object], slack: Real = 0.0
) -> None:
    r"""Check :math:`\mathrm{smaller}\le\mathrm{larger}+\mathrm{slack}` in every case.

    A Python number stands for a constant bound; otherwise shapes are equal, nothing broadcasts.
    Every bound in ``wrong`` must be violated somewhere, by more than ``WRONG_FACTOR`` times
    ``slack`` and by more than the inputs resolve. A ``slack`` above 0 is printed.

    Raises:
        VerificationError: a case breaks the bound (the message has its index); a wrong bound
            holds everywhere, or none is given; shapes differ; a value is not finite or complex.

    >>> verify_bound("eq-mean", [2.0, 3.0], [2.5, 3.0], wrong={"halved": [1.25, 1.5]})
    ✓ eq-mean   holds in 2 of 2 cases   rejects: halved
    """
    _check_names(label, wrong)
    _check_number(label, "slack", slack)
    if not 0 <= slack < np.inf:
        _fail(label, f"slack is {slack}, expected a finite number that is not negative")
    low, high = _bound_pair(label, smaller, "larger", larger)
    broken = low.values > high.values + slack
    if broken.any():
        at = _first(broken)
        case = f"at {at}, {low.values[at]:.6g} > {high.values[at]:.6g}"
        _fail(label, f"the bound breaks in {broken.sum()} of {broken.size} cases: {case}")
    for name, value in wrong.items():
        low, high = _bound_pair(label, smaller, f"wrong variant {name!r}", value)
        margin = max(WRONG_FACTOR * slack, low.resolution, high.resolution)
        excess = float((low.values - high.values).max())
        if not excess > margin:
            found = f"{name!r} is exceeded by at most {excess:.3g}"
            _fail(label, f"not told apart: {found}, expected more than {margin:.3g} somewhere")
    suffix = f", slack {slack:g}" if slack else ""
    _print(label, f"holds in {broken.size} of {broken.size} cases{suffix}", wrong)


def _fail(label: str, message: str) -> NoReturn:
    raise VerificationError(f"{label}: {message}")


def _print(label: str, finding: str, wrong: Iterable[str]) -> None:
    print(f"✓ {label}   {finding}   rejects: {', '.join(wrong)}")


def _first(mask: Bool[np.ndarray, "*shape"] | np.bool) -> tuple[int, ...]:
    return tuple(np.argwhere(mask)[0].tolist())


def _check_number(label: str, name: str, value: object) -> None:
    if not isinstance(value, Real | np.floating | np.integer):
        _fail(label, f"{name} is {value!r}, expected a number")


def _check_label(label: str) -> None:
    if not isinstance(label, str) or not re.fullmatch("eq-[a-z0-9-]+", label):
        raise VerificationError(f"label {label!r}: expected 'eq-' and then a-z, 0-9, '-'")


def _check_names(label: str, wrong: Mapping[str, object]) -> None:
    _check_label(label)
    if wrong is not None and not isinstance(wrong, Mapping):
        _fail(label, f"wrong is a {type(wrong).__name__}, expected a dict of name to value")
    if not wrong:
        _fail(label, "no wrong variant: a check that cannot fail is no check")
    for name in wrong:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            _fail(label, f"a wrong variant is named {name!r}, expected words on one line")


def _check_shapes(label: str, name: str, left: _Side, other: str, right: _Side) -> None:
    if (shape := left.values.shape) != (found := right.values.shape):
        _fail(label, f"{name} has shape {shape}, {other} {found}: nothing broadcasts")


def _check_equal(label: str, left: _Side, right: _Side, tol: Real) -> None:
    coarse = max(left, right, key=lambda side: side.resolution)
    if not 0 < tol < np.inf:
        _fail(label, f"tol is {tol}, expected a positive finite number")
    if tol < coarse.resolution:
        found = f"{coarse.dtype} resolves only {coarse.resolution:.2g} (eps * max|value|)"
        _fail(label, f"tol = {tol:g} is too fine: {found}")
    gap = np.abs(left.values - right.values)
    if not gap.max() <= tol:
        at = _first(gap == gap.max())
        pair = f"lhs {left.values[at]:.6g}, rhs {right.values[at]:.6g}"
        _fail(label, f"the sides differ by {gap.max():.3g} at {at} ({pair}), tol {tol:g}")


def _read(label: str, name: str, value: object) -> _Side:
    """Numbers of any kind as finite doubles, or an error that names the offender."""
    if isinstance(value, list | tuple) and value:
        items = [_read(label, f"{name}[{i}]", item) for i, item in enumerate(value)]
        for i, item in enumerate(items):
            _check_shapes(label, f"{name}[0]", items[0], f"{name}[{i}]", item)
        coarse = max(items, key=lambda item: item.resolution)
        return replace(coarse, values=np.stack([item.values for item in items]))
    array, dtype, epsilon = _array(value)
    if array.dtype.kind not in "biufc":
        _fail(label, f"{name} is of type {type(value).__name__}, expected numbers")
    values = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    if not values.size:
        _fail(label, f"{name} is empty, of shape {values.shape}: nothing to compare")
    if not np.isfinite(values).all():
        at = _first(~np.isfinite(values))
        _fail(label, f"{name}{list(at) or ''} is {values[at]}, expected a finite number")
    return _Side(values, dtype, max(epsilon, 2.0**-52) * float(np.abs(values).max()))


def _array(value: object) -> tuple[Shaped[np.ndarray, "*shape"], str, float]:
    """The values as an array, the name of their dtype and its epsilon (0 for integers)."""
    if isinstance(value, torch.Tensor):
        rounded = value.is_floating_point() or value.is_complex()
        epsilon = torch.finfo(value.dtype).eps if rounded else 0.0
        double = torch.complex128 if value.is_complex() else torch.float64
        tensor = value.detach().cpu().to_dense().to(double)  # the CPU first: Metal has no float64
        return tensor.numpy(force=True), str(value.dtype).removeprefix("torch."), epsilon
    array = np.asarray(value)
    rounded = array.dtype.kind in "fc"
    return array, str(array.dtype), float(np.finfo(array.dtype).eps) if rounded else 0.0


def _fit(label: str, x: object, y: object) -> tuple[float, float]:
    """Least-squares slope of log y against log x, and its standard error."""
    left, right = _read(label, "x", x), _read(label, "y", y)
    _check_shapes(label, "x", left, "y", right)
    if left.values.ndim != 1 or left.values.size < 3:
        _fail(label, f"x has shape {left.values.shape}, expected one axis of 3 points or more")
    for name, side in {"x": left, "y": right}.items():
        if np.iscomplexobj(side.values) or not (side.values > 0).all():
            _fail(label, f"{name} is not positive everywhere: its logarithm is needed")
    if not np.ptp(left.values):
        _fail(label, "all x are equal: no slope can be fitted")
    u, v = (log - log.mean() for log in (np.log(left.values), np.log(right.values)))
    slope = (u @ v) / (u @ u)
    rest = v - slope * u
    return float(slope), float(np.sqrt(rest @ rest / (len(u) - 2) / (u @ u)))


def _bound_pair(label: str, smaller: object, name: str, larger: object) -> tuple[_Side, _Side]:
    low, high = _read(label, "smaller", smaller), _read(label, name, larger)
    if any(np.iscomplexobj(side.values) for side in (low, high)):
        _fail(label, "complex values have no order: a bound needs real numbers")
    if isinstance(larger, int | float):  # a plain number is a constant bound
        high = replace(high, values=np.full_like(low.values, high.values))
    elif isinstance(smaller, int | float):
        low = replace(low, values=np.full_like(high.values, low.values))
    _check_shapes(label, "smaller", low, name, high)
    return low, high
