"""The exercises on residuals: what their texts claim, and other right and wrong answers."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from companion.depth import Chain, Wiring, exercises, relu_growth, residual_problems, signals
from companion.errors import AnswerError
from companion.exercises import Exercise, check

seeds = st.integers(0, 2**20)


def float64(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def said(exercise: Exercise, answer: object) -> str:
    with pytest.raises(AnswerError) as caught:
        check(exercise, answer)
    return " ".join(str(caught.value).split())


# what the cases take for right


@given(widths=st.lists(st.integers(1, 50), min_size=2, max_size=8))
def test_xavier_gives_away_what_the_solution_says(widths: list[int]) -> None:
    forward, backward = residual_problems._by_variances(float64(widths))
    assert forward * backward <= 1 + 1e-12
    assert (forward * backward > 1 - 1e-9) == (len(set(widths)) == 1)
    assert float(forward / backward) == pytest.approx(widths[0] / widths[-1])


def test_plain_net_is_the_chain_of_the_package() -> None:
    for case in residual_problems.plain_cases():
        weights, x, v = case.inputs.values()
        depth, dim = len(weights), len(x)
        chain = Chain(Wiring(branch="linear", skip=False), dim, depth).double()
        with torch.no_grad():
            chain.weights.copy_(weights[:, None])
        found = signals(chain, x[None], v[None])
        expected = float64([found.forward, found.backward, dim * found.squares])
        torch.testing.assert_close(case.expected, expected)


def test_plain_cases_tell_layers_from_coordinates() -> None:
    shapes = [case.inputs["weights"].shape for case in residual_problems.plain_cases()]
    assert all(shape[0] != shape[1] for shape in shapes)


@given(seed=seeds, epsilon=st.floats(0, 1), depth=st.integers(1, 10))
def test_growth_by_vectors_is_the_formula(seed: int, epsilon: float, depth: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    cosines = 2 * torch.rand(depth, generator=rng, dtype=torch.float64) - 1
    found = residual_problems._by_vectors(float64(epsilon), cosines)
    expected = sum(math.log(1 + 2 * epsilon * c + epsilon**2) for c in cosines.tolist()) / 2
    assert math.log(float(found)) == pytest.approx(expected, abs=1e-9)


def test_mean_is_that_of_the_recursion_in_the_package() -> None:
    state, depth, epsilon = (0.0, 1.0), 30, 0.2
    for _ in range(depth):
        mean, square = residual_problems._by_quadrature(*state, epsilon).tolist()
        state = (mean, square)
    assert math.log(state[1]) / 2 == pytest.approx(relu_growth(epsilon, depth), abs=1e-5)
    assert state[0] / state[1] ** 0.5 > 0.9  # the mean takes over


@given(seed=seeds)
def test_rezero_moves_no_matrix_and_its_step_grows_with_depth(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    weights = torch.randn(400, 6, 6, generator=rng, dtype=torch.float64)
    x, y = torch.randn(2, 6, generator=rng, dtype=torch.float64)
    step = residual_problems._by_descent(weights, x, y, float64(1.0))
    assert step.shape == (400,)
    half, whole = step[:200].square().sum(), step.square().sum()
    assert float(whole / half) == pytest.approx(2, rel=0.35)


# other right answers


def test_xavier_may_be_walked() -> None:
    def answer(widths: Tensor) -> Tensor:
        factors = torch.ones(2, dtype=torch.float64)
        for n, m in pairwise(widths):
            factors = factors * 2 * torch.stack([n, m]) / (n + m)
        return factors

    check(exercises.XAVIER, answer)
    assert "not right: backward" in said(
        exercises.XAVIER, lambda widths: answer(widths) * float64([1, 3])
    )


def test_growth_may_be_summed_as_logarithms() -> None:
    def answer(epsilon: Tensor, cosines: Tensor) -> Tensor:
        along, across = 1 + epsilon * cosines, epsilon * (1 - cosines**2).sqrt()
        return torch.hypot(along, across).log().sum().exp()

    check(exercises.ANGLES, answer)


def test_norms_may_be_solved_in_logarithms() -> None:
    check(exercises.NORMS, lambda p, n, b: torch.expm1(p / n * b.log()) ** (1 / p))
    assert "the log of the growth is" in said(exercises.NORMS, lambda p, n, b: 0 * p + 0.3)
    assert "ε is negative" in said(exercises.NORMS, lambda p, n, b: 0 * p - 0.3)


def test_mean_may_be_sampled_by_quantiles() -> None:
    """Numbers that are right to five digits are right."""

    def answer(mean: Tensor, square: Tensor, epsilon: Tensor) -> Tensor:
        push = epsilon * square.sqrt() * 0.5641896
        return torch.stack([mean + push, square + 2 * mean * push + epsilon**2 * square])

    check(exercises.MEAN, answer)
    assert "not right: the mean square" in said(
        exercises.MEAN, lambda m, s, e: answer(m, s, e) + float64([0, 1])
    )


def test_rezero_may_ask_autograd() -> None:
    def answer(weights: Tensor, x: Tensor, y: Tensor, eta: Tensor) -> Tensor:
        epsilon = torch.zeros(len(weights), dtype=torch.float64, requires_grad=True)
        out = x + (epsilon[:, None] * (x @ weights)).sum(0)  # to first order all there is
        (gradient,) = torch.autograd.grad((out - y).square().sum() / 2, epsilon)
        return -eta * gradient

    check(exercises.REZERO, answer)
    assert "not the ε of one step" in said(exercises.REZERO, lambda *case: answer(*case) + 0.125)


# what the solutions say


def test_scaled_orthogonal_matrices_shrink_all_three() -> None:
    depth = 100
    c = depth ** (-0.5 / (depth - 1))
    assert c ** (depth - 1) == pytest.approx(depth**-0.5)
    assert c**depth == pytest.approx(depth**-0.5, rel=0.05)


def test_the_share_of_the_mean_follows_its_equation() -> None:
    for share in (0.0, 0.3, 0.8, 1.0):
        epsilon = 1e-4
        mean, square = residual_problems._by_quadrature(share, 1.0, epsilon).tolist()
        moved = (mean / square**0.5 - share) / epsilon
        assert moved == pytest.approx((1 - share**2) / math.sqrt(math.pi), abs=1e-3)


def test_spread_vectors_grow_alike_in_every_norm() -> None:
    x, f = torch.randn(2, 200_000, generator=torch.Generator().manual_seed(1)).double()
    for p in (1, 2, 4):
        grown = float((x + 0.5 * f).norm(p=p) / x.norm(p=p))
        assert grown == pytest.approx(math.sqrt(1.25), rel=0.01)
