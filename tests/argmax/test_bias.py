"""With a bias and in a ball: minimum and maximum meet, and the bias decides some verdicts."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize

from companion.argmax import argmaxable, chebyshev_direction, farkas

# e₁, e₂, −e₁ − e₂ and the origin, which is inside; the bias lifts it out, near the origin only.
STAR = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0], [0.0, 0.0]])
LIFT = torch.tensor([0.0, 0.0, 0.0, 0.5])


def best_lead(weight: torch.Tensor, bias: torch.Tensor, k: int, radius: float) -> float:
    """max over the ball of the least lead of k, by a general solver."""
    rest = torch.arange(len(weight)) != k
    dw, db = (weight[k] - weight[rest]).numpy(), (bias[k] - bias[rest]).numpy()
    dim = dw.shape[1]
    found = minimize(
        lambda x: -x[-1],
        np.r_[np.zeros(dim), db.min()],
        jac=lambda x: np.r_[np.zeros(dim), -1.0],
        constraints=[
            {
                "type": "ineq",
                "fun": lambda x: dw @ x[:-1] + db - x[-1],
                "jac": lambda x: np.c_[dw, -np.ones(len(dw))],
            },
            {
                "type": "ineq",
                "fun": lambda x: radius**2 - x[:-1] @ x[:-1],
                "jac": lambda x: np.r_[-2 * x[:-1], 0.0],
            },
        ],
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 300},
    )
    return float(found.x[-1])


def test_a_bias_flips_verdicts_both_ways():
    assert argmaxable(STAR, progress=False).verdict.tolist() == [1, 1, 1, 0]
    report = argmaxable(STAR, LIFT, progress=False)
    assert report.verdict.tolist() == [1, 1, 1, 1]
    assert report.verify(STAR, LIFT)
    far = torch.tensor([[1.0, 0.0], [1.1, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
    assert argmaxable(far, progress=False).verdict.tolist() == [0, 1, 1, 1, 1]
    lifted = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0])
    assert argmaxable(far, lifted, progress=False).verdict.tolist() == [1, 1, 1, 1, 1]


@pytest.mark.parametrize(("radius", "verdicts"), [(0.4, [0, 0, 0, 1]), (1.0, [1, 1, 1, 1])])
def test_a_small_ball_lets_the_bias_win(radius, verdicts):
    """At |z| ≤ .4 no logit of the others reaches 1/2: their rows have length 1 and √2."""
    weight = STAR.clone()
    weight[2] /= 2**0.5
    report = argmaxable(weight, LIFT, radius=radius, progress=False)
    assert report.verdict.tolist() == verdicts
    assert report.verify(weight, LIFT)


def test_exactly_on_the_edge_of_the_ball_is_not_condemned():
    """At |z| ≤ 1/2 the first class ties at one point of the edge; both answers lie within 1e-9."""
    for nudge, allowed in ((-1e-6, {0}), (0.0, {0, -1}), (1e-6, {1})):
        report = argmaxable(STAR, LIFT, radius=0.5 + nudge, classes=[0], progress=False)
        assert int(report.verdict[0]) in allowed
        assert report.verify(STAR, LIFT)


@pytest.mark.parametrize(
    ("rise", "proved"),
    [(2.0 + 1e-9, True), (2.0, False), (2.0 - 1e-12, False), (2.0 - 1e-4, False), (-3.0, False)],
)
def test_a_claim_about_a_ball_is_proved_only_where_it_is_true(rise, proved):
    """One rival, at distance 2 and with a bias larger by `rise`, in the ball of radius 1."""
    dw, db = torch.tensor([[[2.0, 0.0]]]).double(), torch.tensor([[rise]], dtype=torch.float64)
    found = farkas._outdone_in_ball(dw, db, torch.ones(1, 1).double(), 1.0)
    assert found.tolist() == [proved]


@pytest.mark.parametrize("radius", [0.3, 2.0, 50.0])
@pytest.mark.parametrize("dim", [2, 4])
def test_verdicts_in_a_ball_are_the_sign_of_the_best_lead(radius, dim):
    g = torch.Generator().manual_seed(dim)
    weight = torch.randn(60, dim, generator=g, dtype=torch.float64)
    bias = torch.randn(60, generator=g, dtype=torch.float64)
    report = argmaxable(weight, bias, radius=radius, progress=False)
    assert not (report.verdict == -1).any()
    assert report.verify(weight, bias)
    for k in range(0, 60, 3):
        best = best_lead(weight, bias, k, radius)
        if abs(best) > 1e-6:
            assert (int(report.verdict[k]) == 1) == (best > 0), (k, best)
        if report.verdict[k] == 1:
            assert report.margin[k] <= best + 1e-6


def test_minimum_and_maximum_meet():
    """min over weights of r‖Σα Δw‖ + Σα Δb, for the proved weights, lies below every lead."""
    g = torch.Generator().manual_seed(3)
    weight = torch.randn(60, 3, generator=g, dtype=torch.float64)
    bias = torch.randn(60, generator=g, dtype=torch.float64)
    report = argmaxable(weight, bias, radius=2.0, progress=False)
    for k in report.classes[report.verdict == 0].tolist():
        others, alpha = report.certificate(k)
        alpha = alpha / alpha.sum()
        drift = 2.0 * (alpha @ (weight[k] - weight[others])).norm()
        least = drift + alpha @ (bias[k] - bias[others])
        assert best_lead(weight, bias, k, 2.0) <= least + 1e-8
        assert least <= 1e-12


def test_without_a_bias_the_ball_only_scales_the_witness():
    weight = torch.randn(100, 4)
    free = argmaxable(weight, progress=False)
    small = argmaxable(weight, radius=0.01, progress=False)
    assert torch.equal(free.verdict, small.verdict)
    assert small.verify(weight)
    won = free.verdict == 1
    torch.testing.assert_close(small.margin[won], 0.01 * free.margin[won], rtol=1e-3, atol=1e-9)


def test_forgetting_that_t_is_positive_counts_too_many():
    """Lifted to (w, b) without the row t > 0, the lower hull counts as well."""
    g = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(300, 4, generator=g), torch.randn(300, generator=g)
    right = argmaxable(weight, bias, progress=False)
    forgotten = argmaxable(torch.cat([weight, bias[:, None]], 1), progress=False)
    assert (forgotten.verdict == 1).sum() > (right.verdict == 1).sum()
    assert (forgotten.verdict[right.verdict == 1] == 1).all()


@pytest.mark.parametrize("biased", [False, True])
def test_verdicts_are_those_of_the_linear_program(biased):
    weight = torch.randn(120, 5, dtype=torch.float64)
    bias = torch.randn(120, dtype=torch.float64) if biased else None
    report = argmaxable(weight, bias, progress=False)
    for k in range(0, 120, 4):
        ball = chebyshev_direction(weight, bias, k, box=1e4)
        if abs(ball.radius) > 1e-6:
            assert (int(report.verdict[k]) == 1) == (ball.radius > 0), k
        else:
            assert report.verdict[k] == 0
        if ball.radius > 1e-6:
            logits = weight @ ball.centre + (0 if bias is None else bias)
            assert int(logits.argmax()) == k


def test_the_shortest_combination_has_the_value_of_its_linear_program():
    """In the ball of the largest coordinate, minimum and maximum agree to rounding: von Neumann."""
    weight = torch.randn(30, 3, dtype=torch.float64)
    for k in range(10):
        dw = (weight[k] - torch.cat([weight[:k], weight[k + 1 :]])).numpy()
        count = len(dw)
        upper = linprog(  # max t with Δw z ≥ t, |z_j| ≤ 1
            np.r_[np.zeros(3), -1.0],
            A_ub=np.c_[-dw, np.ones(count)],
            b_ub=np.zeros(count),
            bounds=[(-1, 1)] * 3 + [(None, None)],
        )
        lower = linprog(  # min Σ|Σα Δw| over the simplex
            np.r_[np.zeros(count), np.ones(3)],
            A_ub=np.r_[np.c_[dw.T, -np.eye(3)], np.c_[-dw.T, -np.eye(3)]],
            b_ub=np.zeros(6),
            A_eq=np.r_[np.ones(count), np.zeros(3)][None],
            b_eq=[1.0],
        )
        assert -upper.fun == pytest.approx(lower.fun, abs=1e-9)
        verdict = argmaxable(weight, classes=[k], progress=False).verdict
        assert (int(verdict[0]) == 1) == (lower.fun > 1e-9)
