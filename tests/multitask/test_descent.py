"""The directions are optimal: on every kind of gradients, at every scale, in both precisions."""

from itertools import chain, combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from companion.multitask import (
    common_descent,
    gram_weights,
    hybrid_descent,
    kkt_residual,
    primary_descent,
)
from companion.multitask.gram import COLUMNS

EXACT = 1e-8
KINDS = [
    "random",
    "conflicting",
    "duplicate",
    "opposing",
    "zero",
    "dependent",
    "nearly parallel",
    "unequal",
]
WELL_CONDITIONED = [kind for kind in KINDS if kind != "nearly parallel"]


def draw(kind: str, seed: int, tasks: int, dim: int) -> Tensor:
    rng = np.random.default_rng(seed)
    g = rng.standard_normal((tasks, dim))
    for i in range(1, tasks):
        j = rng.integers(0, i)
        if kind == "conflicting":
            g[i] -= 2 * g[0]
        if kind == "duplicate" and rng.random() < 0.6:
            g[i] = rng.choice([1.0, 1e3, 0.3]) * g[j]
        if kind == "opposing" and rng.random() < 0.6:
            g[i] = -rng.uniform(0.1, 3) * g[j]
        if kind == "zero" and rng.random() < 0.5:
            g[rng.integers(0, i + 1)] = 0.0
        if kind == "dependent":
            g[i] = rng.standard_normal(i) @ g[:i] if rng.random() < 0.5 else -g[:i].sum(axis=0)
        if kind == "nearly parallel" and rng.random() < 0.7:
            angle = 10.0 ** -rng.choice([rng.uniform(1, 6.5), rng.uniform(9.5, 14)])
            g[i] = rng.choice([-2.0, 0.5]) * g[j] + angle * rng.standard_normal(dim)
    if kind == "unequal":
        g *= 10.0 ** rng.uniform(-6, 6, size=(tasks, 1))
    return torch.from_numpy(g)


def problems(kinds: list[str] = KINDS):
    whole = st.integers
    rows = st.builds(draw, st.sampled_from(kinds), whole(0, 2**32 - 1), whole(1, 6), whole(1, 12))
    return rows.flatmap(lambda g: st.tuples(st.just(g), whole(1, len(g))))


def enumerate_supports(g: np.ndarray, primaries: int) -> np.ndarray:
    """Independent of ours: solve on every possible support, keep the shortest feasible vector."""
    best = None
    subsets = chain.from_iterable(combinations(range(len(g)), k) for k in range(1, len(g) + 1))
    for support in subsets:
        equals = [i for i in support if i < primaries]
        if not equals:
            continue
        first = min(equals, key=lambda i: np.linalg.norm(g[i]))  # the least rounding
        others = [i for i in support if i != first]
        moves = np.array([g[i] - g[first] if i < primaries else g[i] for i in others])
        moves = moves.reshape(-1, g.shape[1])
        lengths = np.linalg.norm(moves, axis=1)
        lengths[lengths == 0] = 1.0
        steps = np.linalg.lstsq((moves / lengths[:, None]).T, -g[first], rcond=None)[0] / lengths
        left = 1 - sum(s for s, i in zip(steps, others, strict=True) if i < primaries)
        update = g[first] + steps @ moves
        feasible = min(left, *steps, 1.0) >= -1e-12
        if feasible and (best is None or np.linalg.norm(update) < np.linalg.norm(best)):
            best = update
    assert best is not None
    return best


@settings(max_examples=400)
@given(problems())
def test_hybrid_descent_meets_the_kkt_conditions(problem):
    g, primaries = problem
    found = hybrid_descent(g[:primaries], g[primaries:])
    assert (found.weights >= 0).all()
    assert found.weights[:primaries].sum() == pytest.approx(1.0)
    assert kkt_residual(found.update, found.weights, g, primaries=primaries) <= EXACT


@settings(max_examples=150)
@given(problems(WELL_CONDITIONED))
def test_hybrid_descent_agrees_with_enumeration(problem):
    g, primaries = problem
    found = hybrid_descent(g[:primaries], g[primaries:])
    expected = torch.from_numpy(enumerate_supports(g.numpy(), primaries))
    scale = float((found.weights[:, None] * g).norm(dim=1).max())
    torch.testing.assert_close(found.update, expected, rtol=0, atol=1e-9 * scale)


@settings(max_examples=150)
@given(problems())
def test_primary_descent_splits_g0_as_moreau_says(problem):
    g, _ = problem
    found = primary_descent(g[0], g[1:])
    polar = -found.weights @ g[1:]
    scale = float(g[0].norm())
    assert (found.update + polar - g[0]).norm() <= EXACT * scale
    assert abs(found.update @ polar) <= EXACT * scale**2
    assert found.update @ g[0] >= -EXACT * scale**2  # the primary loss never goes up


@settings(max_examples=100)
@given(problems())
def test_special_cases_of_hybrid_descent(problem):
    g, _ = problem
    primary, common = primary_descent(g[0], g[1:]), common_descent(g)
    assert torch.equal(primary.update, hybrid_descent(g[:1], g[1:]).update)
    assert torch.equal(common.update, hybrid_descent(g, g[:0]).update)
    assert len(primary.weights) == len(g) - 1
    torch.testing.assert_close(primary.gram, g @ g.T, rtol=1e-9, atol=1e-9 * float(g.norm()) ** 2)


@settings(max_examples=60)
@given(problems(WELL_CONDITIONED), st.integers(-12, 12))
def test_updates_scale_with_the_gradients(problem, exponent):
    g, primaries = problem
    c = 2.0 ** (exponent * np.log2(10) // 1)  # a power of two: only our code could round
    small, large = (hybrid_descent(s[:primaries], s[primaries:]).update for s in (g, c * g))
    torch.testing.assert_close(large / c, small, rtol=1e-9, atol=1e-9 * float(g.abs().max()))


@pytest.mark.parametrize("c", [1e-200, 1e-12, 1e-3, 1.0, 1e12, 1e200])
def test_tiny_and_huge_gradients_are_projected_too(c):
    g = c * torch.tensor([[1.0, 0, 0], [-1, 1, 0], [-0.5, 0, 1]], dtype=torch.float64)
    expected = torch.tensor([4 / 9, 4 / 9, 2 / 9], dtype=torch.float64)
    torch.testing.assert_close(primary_descent(g[0], g[1:]).update / c, expected)


def test_length_of_an_auxiliary_gradient_does_not_matter():
    g = draw("conflicting", 3, 5, 8)
    longer = g * torch.tensor([1, 1e6, 1e-6, 7, 1e3], dtype=torch.float64)[:, None]
    torch.testing.assert_close(
        primary_descent(longer[0], longer[1:]).update, primary_descent(g[0], g[1:]).update
    )


@settings(max_examples=60)
@given(problems(["random", "conflicting", "duplicate", "opposing", "zero"]))
def test_float32_loses_only_its_own_rounding(problem):
    g = problem[0].float()
    single, double = primary_descent(g[0], g[1:]), primary_descent(g[0].double(), g[1:].double())
    assert single.update.dtype == torch.float32
    assert torch.equal(single.weights, double.weights)
    assert torch.equal(single.update, double.update.float())


@settings(max_examples=100)
@given(problems(["random", "conflicting", "duplicate", "zero", "unequal"]))
def test_inner_products_alone_suffice(problem):
    g, primaries = problem
    found = hybrid_descent(g[:primaries], g[primaries:])
    weights = gram_weights(g @ g.T, primaries=primaries)
    assert kkt_residual(weights @ g, weights, g, primaries=primaries) <= EXACT
    scale = float((found.weights[:, None] * g).norm(dim=1).max())
    torch.testing.assert_close(weights @ g, found.update, rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("angle", [10.0**-k for k in range(1, 16)])
def test_nearly_opposite_helpers_stay_exact_where_their_gram_matrix_does_not(angle):
    g = torch.randn(3, 50, dtype=torch.float64)
    g[2] = -3 * g[1] + angle * (g[2] - 0.5 * g[0])
    found = primary_descent(g[0], g[1:])
    weights = torch.cat([torch.ones(1), found.weights])
    assert kkt_residual(found.update, weights, g, primaries=1) <= EXACT
    if angle in (1e-6, 1e-7):  # the reason for the QR decomposition
        weights = gram_weights(g @ g.T, primaries=1)
        assert kkt_residual(weights @ g, weights, g, primaries=1) > EXACT


@pytest.mark.parametrize("seed", range(10))
def test_where_copy_and_angle_meet_the_error_stays_near_1e_8(seed):
    g = draw("random", seed, 4, 10)
    g[2] = -g[1] + 10 ** -(6.5 + 0.3 * seed) * g[2]
    found = hybrid_descent(g[:1], g[1:])
    assert kkt_residual(found.update, found.weights, g, primaries=1) <= 10 * EXACT


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("near", [False, True])
def test_slices_make_no_difference(dtype, near):
    g = torch.randn(4, 2 * COLUMNS + 37, dtype=dtype)
    g[1] -= g[0]
    g[3] = -g[2] if near else g[3]
    found = primary_descent(g[0], g[1:])
    weights = torch.cat([torch.ones(1), found.weights])
    wide = g.double()
    assert kkt_residual(weights @ wide, weights, wide, primaries=1) <= EXACT
    torch.testing.assert_close(found.update, (weights @ wide).to(dtype))
    torch.testing.assert_close(found.gram, wide @ wide.T)


@pytest.mark.parametrize("conflict", [-2.0, 0.0, 3.0])
def test_one_auxiliary_has_a_closed_form(conflict):
    g0, g1 = torch.randn(2, 9, dtype=torch.float64)
    g1 = g1 + conflict * g0
    expected = g0 + torch.relu(-(g0 @ g1)) / (g1 @ g1) * g1
    torch.testing.assert_close(primary_descent(g0, g1[None]).update, expected)


def test_no_auxiliary_leaves_the_primary_alone():
    g0 = torch.randn(7)
    found = primary_descent(g0, torch.zeros(0, 7))
    assert torch.equal(found.update, g0)
    assert found.weights.shape == (0,)


def test_multipliers_are_lowered_again():
    """The essay's iteration stops at λ = (1/4, 1/2), u = (0, -1/2) here."""
    auxiliary = torch.tensor([[-2.0, -2.0], [-1.0, 0.0]], dtype=torch.float64)
    found = primary_descent(torch.tensor([1.0, 0.0], dtype=torch.float64), auxiliary)
    torch.testing.assert_close(found.weights, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert found.update.norm() <= 1e-15


@pytest.mark.parametrize("seed", range(4))
def test_primary_descent_agrees_with_a_general_solver(seed):
    g = draw("conflicting", seed, 4, 5).numpy()
    constraint = {"type": "ineq", "fun": lambda u: g[1:] @ u, "jac": lambda u: g[1:]}
    solved = minimize(
        lambda u: 0.5 * ((u - g[0]) ** 2).sum(),
        np.zeros(5),
        jac=lambda u: u - g[0],
        constraints=[constraint],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    found = primary_descent(torch.from_numpy(g[0]), torch.from_numpy(g[1:])).update
    np.testing.assert_allclose(found, solved.x, atol=1e-6)
