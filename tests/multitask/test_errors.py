"""Bad input: one clear error that names the offender.

The run-time checks of shapes, which only tests have, are off: a user does not have them either.
"""

import jaxtyping
import pytest
import torch

from companion.errors import DataError, NumericsError, ShapeError
from companion.multitask import (
    backward_common,
    backward_primary,
    common_descent,
    gram_weights,
    hybrid_descent,
    primary_descent,
    task_gradients,
)


@pytest.fixture(autouse=True)
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_that_are_not_finite(bad, dtype):
    auxiliary = torch.ones(3, 70_000, dtype=dtype)
    auxiliary[2, 69_999] = bad
    with pytest.raises(NumericsError, match=rf"auxiliary\[2, 69999\] is {bad}"):
        primary_descent(torch.ones(70_000, dtype=dtype), auxiliary)
    with pytest.raises(NumericsError, match=r"primary\[0, 1\]"):
        primary_descent(torch.tensor([0, bad, 0], dtype=dtype), torch.ones(1, 3, dtype=dtype))
    with pytest.raises(NumericsError, match=r"gradients\[2, 69999\]"):
        common_descent(auxiliary)


@pytest.mark.parametrize(
    ("primaries", "auxiliary", "message"),
    [
        ((2, 5), (3, 4), r"primaries \(2, 5\), auxiliary \(3, 4\); expected rows of one length"),
        ((2, 5), (5,), r"auxiliary \(5,\)"),
        ((5,), (2, 5), r"primaries as \[task, dim\]"),
        ((0, 5), (2, 5), "primaries is empty"),
        ((2, 0), (2, 0), "rows of one length"),
    ],
)
def test_shapes_that_do_not_fit(primaries, auxiliary, message):
    with pytest.raises(ShapeError, match=message):
        hybrid_descent(torch.ones(primaries), torch.ones(auxiliary))


def test_primary_that_is_a_matrix():
    with pytest.raises(ShapeError, match=r"primary has shape \(1, 5\); expected a vector"):
        primary_descent(torch.ones(1, 5), torch.ones(2, 5))


def test_common_descent_of_nothing():
    with pytest.raises(ShapeError, match="gradients is empty"):
        common_descent(torch.ones(0, 5))


@pytest.mark.parametrize("other", [torch.float64, torch.int64, torch.complex64])
def test_precisions_that_differ(other):
    with pytest.raises(DataError, match=f"primary torch.float32 on cpu, auxiliary {other}"):
        primary_descent(torch.ones(5), torch.ones(2, 5, dtype=other))


def test_integer_gradients():
    with pytest.raises(DataError, match=r"torch\.int64"):
        common_descent(torch.ones(2, 5, dtype=torch.int64))


@pytest.mark.parametrize(("shape", "primaries"), [((2, 3), 1), ((4,), 1), ((2, 2), 0), ((2, 2), 3)])
def test_gram_matrices_that_are_none(shape, primaries):
    with pytest.raises(ShapeError, match=rf"primaries={primaries}; expected \[task, task\]"):
        gram_weights(torch.ones(shape), primaries=primaries)


def test_gram_matrix_that_is_not_finite():
    gram = torch.eye(3)
    gram[1, 2] = float("nan")
    with pytest.raises(NumericsError, match=r"gram is nan at \[1, 2\]"):
        gram_weights(gram, primaries=1)


@pytest.mark.parametrize(
    ("gram", "place"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], r"2 at \[0, 1\]"),
        ([[-1.0, 0.0], [0.0, 1.0]], r"-1 at \[0, 0\]"),
        ([[1.0, -0.5], [0.0, 1.0]], r"-0.5 at \[0, 1\], 0 at \[1, 0\]"),
        ([[0.0, 1e-9], [1e-9, 1.0]], r"1e-09 at \[0, 1\]"),
    ],
)
def test_matrix_that_no_vectors_have_as_inner_products(gram, place):
    with pytest.raises(DataError, match=place):
        gram_weights(torch.tensor(gram), primaries=1)


def test_lengths_and_multipliers_beyond_float64():
    g = torch.tensor([[1.0, 0.0], [-1.0, 1.0]], dtype=torch.float64)
    with pytest.raises(NumericsError, match=r"length of auxiliary\[0\] exceeds 1\.8e\+308"):
        primary_descent(g[0], 1.7e308 * g[1:])
    with pytest.raises(NumericsError, match=r"multiplier of auxiliary\[0\] exceeds"):
        primary_descent(1e300 * g[0], 1e-300 * g[1:])


def test_gram_matrix_beyond_float64_is_infinite_and_nothing_worse(recwarn):
    g = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    found = primary_descent(1e300 * g[0], 1e300 * g[1:])
    torch.testing.assert_close(found.update, 1e300 * torch.tensor([0.5, 0.5, 0.0]).double())
    inf = torch.inf
    expected = torch.tensor([[inf, -inf, 0.0], [-inf, inf, 0.0], [0.0, 0.0, inf]]).double()
    assert torch.equal(found.gram, expected)
    assert not recwarn.list


def test_gradients_that_are_no_tensors():
    g = torch.eye(2)
    with pytest.raises(DataError, match="primary is a list, expected a tensor"):
        primary_descent([1.0, 0.0], g)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="auxiliary is a list"):
        primary_descent(g[0], [g[1]])  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="gradients is a ndarray"):
        common_descent(g.numpy())  # pyright: ignore[reportArgumentType]


@pytest.fixture
def x():
    return torch.ones(3, requires_grad=True)


def test_no_losses(x):
    with pytest.raises(DataError, match="no losses"):
        task_gradients([], [x])
    with pytest.raises(DataError, match="no losses"):
        backward_common([], [x])


def test_loss_that_is_no_scalar(x):
    with pytest.raises(ShapeError, match=r"loss 1 has shape \(3,\); expected a scalar"):
        task_gradients([x.sum(), 2 * x], [x])


def test_loss_without_gradient(x):
    with pytest.raises(DataError, match="loss 2 has no gradient"):
        backward_primary(x.sum(), [x[0], torch.tensor(1.0)], [x])


def test_no_parameters(x):
    with pytest.raises(DataError, match="no parameters"):
        backward_primary(x.sum(), [], iter([]))


def test_parameter_that_is_frozen(x):
    with pytest.raises(DataError, match=r"parameter 1 \(2, 2\) does not require a gradient"):
        task_gradients([x.sum()], [x, torch.ones(2, 2)])


def test_parameters_that_are_all_frozen(x):
    with pytest.raises(DataError, match="none of the 2 parameters requires a gradient"):
        backward_common([x.sum()], [torch.ones(2), torch.ones(3)])


def test_losses_that_are_no_list_of_tensors(x):
    with pytest.raises(DataError, match=r"one loss where a list of losses is expected"):
        backward_primary(x.sum(), x.sum(), [x])
    with pytest.raises(DataError, match=r"one loss where a list of losses is expected"):
        backward_common(x.sum(), [x])
    with pytest.raises(DataError, match="loss 1 is a float, expected a tensor"):
        task_gradients([x.sum(), 1.0], [x])  # pyright: ignore[reportArgumentType]


def test_parameters_that_are_no_tensors(x):
    named = {"weight": x}
    with pytest.raises(DataError, match="parameter 0 is a tuple, expected a tensor"):
        task_gradients([x.sum()], named.items())  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="parameter 0 is a str, expected a tensor"):
        backward_common([x.sum()], named)  # pyright: ignore[reportArgumentType]


def test_grad_is_untouched_after_an_error(x):
    with pytest.raises(NumericsError, match=r"auxiliary\[0, 0\]"):
        backward_primary(x.sum(), [(x * float("inf")).sum()], [x])
    assert x.grad is None
