"""Bad input: one clear error that names the offender."""

import math

import jaxtyping
import pytest
import torch

from companion.argmax import Scanner, argmaxable, chebyshev_direction
from companion.errors import DataError, NumericsError, ShapeError


@pytest.fixture(autouse=True)
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rows_that_are_not_finite_are_named(bad, dtype):
    weight = torch.ones(9000, 3, dtype=dtype)
    weight[[2, 4095, 4096, 8999], 1] = bad
    with pytest.raises(NumericsError, match=rf"weight holds {bad}: .* in 4 row\(s\), 2, 4095, 40"):
        argmaxable(weight)
    weight[5:20] = bad
    with pytest.raises(NumericsError, match=r"in 19 row\(s\), 2, 5, 6, 7, 8, …; expected finite"):
        argmaxable(weight)


def test_a_bias_that_is_not_finite_is_named():
    bias = torch.zeros(5)
    bias[3] = math.nan
    with pytest.raises(NumericsError, match=r"bias holds nan: not finite in 1 row\(s\), 3;"):
        argmaxable(torch.ones(5, 3), bias)


@pytest.mark.parametrize("shape", [(5,), (5, 0), (2, 3, 4)])
def test_what_is_no_matrix(shape):
    with pytest.raises(ShapeError, match=r"weight has shape \(.*; expected \[class, dim\]"):
        argmaxable(torch.ones(shape))


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows(rows):
    with pytest.raises(ShapeError, match=rf"weight has {rows} row\(s\); expected at least two"):
        argmaxable(torch.ones(rows, 3))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool, torch.complex64])
def test_numbers_of_another_kind(dtype):
    with pytest.raises(DataError, match=r"weight is torch\..*; expected one of float16, bfloat16"):
        argmaxable(torch.ones(5, 3).to(dtype))
    with pytest.raises(DataError, match=r"bias is torch\."):
        argmaxable(torch.ones(5, 3), torch.ones(5).to(dtype))


@pytest.mark.parametrize("shape", [(4,), (6,), (5, 1), ()])
def test_a_bias_of_another_length(shape):
    with pytest.raises(ShapeError, match=r"bias has shape .*, weight \(5, 3\); .* \[5\]"):
        argmaxable(torch.ones(5, 3), torch.ones(shape))


@pytest.mark.parametrize("radius", [0, -1.0, math.nan, math.inf])
def test_a_radius_that_is_none(radius):
    with pytest.raises(DataError, match=rf"radius is {radius}; expected a positive number"):
        argmaxable(torch.eye(3), radius=radius)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0, 3], "class 3 is out of range; expected 0 to 2"),
        ([-1], "class -1 is out of range"),
        ([0, 1, 0], "named twice"),
        ([0.5], "classes are torch.float32; expected integers"),
        (torch.zeros(1, 1, dtype=torch.int64), r"classes have shape \(1, 1\)"),
    ],
    ids=["above", "below", "twice", "fraction", "matrix"],
)
def test_classes_that_are_not_there(classes, message):
    with pytest.raises((DataError, ShapeError), match=message):
        argmaxable(torch.eye(3), classes=classes, progress=False)


def test_too_little_memory():
    with pytest.raises(DataError, match="memory is 1000 bytes; expected at least 1048576"):
        Scanner(torch.eye(3), memory=1000)


def test_the_linear_program_asks_for_the_same():
    with pytest.raises(DataError, match="class 3 is out of range; expected 0 to 2"):
        chebyshev_direction(torch.eye(3), None, 3)
    with pytest.raises(DataError, match="box is 0; expected a positive number"):
        chebyshev_direction(torch.eye(3), None, 0, box=0)
    with pytest.raises(ShapeError, match="expected at least two classes"):
        chebyshev_direction(torch.ones(1, 3), None, 0)


def test_no_classes_are_no_error():
    report = argmaxable(torch.eye(3), classes=[], progress=False)
    assert len(report) == 0
    assert report.verify(torch.eye(3))
    assert report.witness.shape == (0, 3)
