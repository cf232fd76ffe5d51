"""Other people's solvers on the same gradients, and the same gradients on another device."""

import pytest
import torch

from companion.multitask import common_descent, hybrid_descent, kkt_residual, primary_descent

SEEDS = range(8)


def conflicting(seed: int, tasks: int = 5, dim: int = 20) -> torch.Tensor:
    g = torch.randn(tasks, dim, generator=torch.Generator().manual_seed(seed)).double()
    g[1:] -= 0.6 * g[0]
    return g / g.norm()


def primary_aggregators(**options):
    aggregation = pytest.importorskip("torchjd.aggregation", reason="pip install torchjd")
    linalg = pytest.importorskip("torchjd.linalg")
    projector = linalg.QuadprogProjector(**options)
    return [
        aggregation.DualProj(torch.eye(5, dtype=torch.float64)[0], projector=projector),
        aggregation.UPGrad(torch.eye(5, dtype=torch.float64)[0], projector=projector),
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_torchjd_preferring_the_primary_solves_the_same_problem(seed):
    g = conflicting(seed)
    expected = primary_descent(g[0], g[1:]).update
    for aggregate in primary_aggregators(norm_eps=0.0, reg_eps=1e-12):
        torch.testing.assert_close(aggregate(g), expected, rtol=0, atol=1e-9)
    for aggregate in primary_aggregators():  # its defaults regularise by 1e-4
        torch.testing.assert_close(aggregate(g), expected, rtol=0, atol=1e-3)


def test_torchjd_by_default_does_not_project_small_gradients_and_we_do():
    g = 1e-3 * conflicting(0)
    found = primary_descent(g[0], g[1:])
    assert (g[1:] @ found.update).min() >= -1e-20
    for aggregate in primary_aggregators():
        assert torch.equal(aggregate(g), g[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_torchjd_frank_wolfe_approaches_the_shortest_vector(seed):
    aggregation = pytest.importorskip("torchjd.aggregation", reason="pip install torchjd")
    g = conflicting(seed)
    exact = common_descent(g).update
    approached = aggregation.MGDA(epsilon=1e-12, max_iters=4_000)(g)
    assert exact.norm() <= approached.norm() * (1 + 1e-12)
    torch.testing.assert_close(approached, exact, rtol=0, atol=2e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("near", [False, True])
def test_cuda_agrees_with_the_cpu(dtype, near):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    g = conflicting(0, dim=100_000).to(dtype)
    if near:
        g[2] = -3 * g[1] + 1e-7 * g[2]
    here, there = (hybrid_descent(rows[:2], rows[2:]) for rows in (g, g.cuda()))
    assert there.update.is_cuda
    assert there.weights.device.type == there.gram.device.type == "cpu"
    update = (there.weights @ g.double()).cuda()
    assert kkt_residual(update, there.weights, g.cuda().double(), primaries=2) <= 1e-8
    tight = 1e-6 if dtype == torch.float32 or near else 1e-12
    torch.testing.assert_close(there.update.cpu(), here.update, rtol=tight, atol=tight)
