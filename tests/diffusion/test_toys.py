"""The toys are independent draws of unit variance, their distance is one, the small net learns."""

import math

import jaxtyping
import pytest
import torch

from companion.diffusion import (
    PointDenoiser,
    Schedule,
    denoising_loss,
    moons,
    ring,
    sample,
    sliced_wasserstein,
    swiss_roll,
)
from companion.diffusion.sampling.sampler import Method
from companion.errors import DataError, ShapeError

TOYS = pytest.mark.parametrize("draw", [moons, swiss_roll, ring])


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@TOYS
def test_mean_0_and_variance_1_of_each_axis(draw):
    points = draw(100_000, generator=generator(0))
    assert points.dtype == torch.float32
    assert points.mean(dim=0).abs().max() < 0.02
    assert (points.var(dim=0) - 1).abs().max() < 0.02


@TOYS
def test_draws_are_independent_and_repeatable(draw):
    points = draw(1000, generator=generator(0))
    assert torch.equal(points, draw(1000, generator=generator(0)))
    assert len(points.unique(dim=0)) == 1000
    neighbours = (points[1:] * points[:-1]).mean(dim=0)
    assert neighbours.abs().max() < 4 / 1000**0.5
    # a grid is nearer to another draw than two draws are; the floor is about 1/√n
    floor = sliced_wasserstein(points, draw(1000, generator=generator(1)))
    assert 0.3 / 1000**0.5 < floor < 5 / 1000**0.5


@TOYS
def test_no_points_or_less_than_no_noise(draw):
    with pytest.raises(DataError, match="count is 0, noise"):
        draw(0)
    with pytest.raises(DataError, match="expected count >= 1, noise >= 0"):
        draw(1, noise=-0.1)


def test_moons_lie_on_two_half_circles():
    points = moons(1000, noise=0, generator=generator(0)).double()
    mean = torch.tensor([0.5, 0.25])
    variance = torch.tensor([0.75, 0.5 - 4 / math.pi**2 + (2 / math.pi - 0.25) ** 2])
    raw = points * variance.sqrt() + mean
    upper = (raw.norm(dim=1) - 1).abs()
    lower = ((raw - torch.tensor([1.0, 0.5])).norm(dim=1) - 1).abs()
    assert torch.minimum(upper, lower).max() < 1e-4
    assert (raw[upper < 1e-4, 1] > -1e-4).all()
    assert 400 < (upper < 1e-4).sum() < 600


@pytest.mark.parametrize("dim", [1, 2, 3, 64])
def test_a_shift_is_seen_by_its_share(dim):
    """A shift by v is |v| times the mean of |cos| apart: 2/π in the plane, 1/2 in space."""
    points = torch.randn(200, dim)
    shift = torch.full((dim,), 3.0) / dim**0.5
    found = sliced_wasserstein(points, points + shift, directions=2000)
    share = math.gamma(dim / 2) / math.gamma((dim + 1) / 2) / math.pi**0.5
    assert found == pytest.approx(3 * share, rel=1e-5 if dim <= 2 else 0.05)
    assert sliced_wasserstein(points, points) == 0
    other = torch.randn(150, dim)
    assert sliced_wasserstein(points, other) == sliced_wasserstein(other, points)


def test_on_a_line_it_is_scipys_distance():
    stats = pytest.importorskip("scipy.stats")
    for first, second in ((30, 47), (100, 100), (1, 13)):
        a, b = torch.randn(first, 1).double(), torch.randn(second, 1).double() + 0.3
        expected = stats.wasserstein_distance(a[:, 0], b[:, 0])
        assert sliced_wasserstein(a, b) == pytest.approx(expected, rel=1e-9)


def test_repeating_every_point_changes_nothing():
    a, b = torch.randn(20, 2), torch.randn(33, 2)
    once = sliced_wasserstein(a, b)
    assert sliced_wasserstein(a.repeat(3, 1), b) == pytest.approx(once, rel=1e-9)


@pytest.mark.parametrize("shapes", [((3, 2), (3, 3)), ((0, 2), (3, 2)), ((3,), (3,))])
def test_clouds_that_do_not_fit(shapes):
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with pytest.raises(ShapeError, match=r"expected two clouds \[point, dim\]"):
            sliced_wasserstein(*map(torch.ones, shapes))
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def test_the_net_is_small_starts_at_0_and_sees_the_time():
    model = PointDenoiser()
    assert 0.12e6 < sum(weight.numel() for weight in model.parameters()) < 0.13e6
    x, t = torch.randn(5, 2), torch.tensor([1, 2, 10, 500, 1000])
    assert (model(x, t) == 0).all()
    torch.nn.init.normal_(model.last.weight)
    same = model(torch.ones(5, 2), t)
    gaps = torch.cdist(same, same) + torch.eye(5)
    assert gaps.min() > 1e-3
    assert PointDenoiser(dim=3, width=8, depth=1, waves=1)(torch.ones(2, 3), t[:2]).shape == (2, 3)


def test_it_learns_the_moons_and_greedy_collapses():
    torch.manual_seed(0)
    schedule, draws = Schedule.su(200, largest=0.1), generator(0)
    model = PointDenoiser(width=96, depth=3)
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=500)
    for _ in range(500):
        loss = denoising_loss(model, moons(128, generator=draws), schedule, generator=draws)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    fresh = moons(2000, generator=generator(1))
    gap = {}
    runs: list[tuple[Method, int]] = [
        ("ancestral", 200),
        ("ddim", 50),
        ("dpm-solver++", 20),
        ("greedy", 200),
    ]
    for method, steps in runs:
        x = sample(model, schedule, (2000, 2), method=method, steps=steps, generator=draws)
        gap[method] = sliced_wasserstein(x, fresh)
    gauss = sliced_wasserstein(torch.randn(2000, 2, generator=draws), fresh)
    assert gap.pop("greedy") > 0.6
    assert max(gap.values()) < 0.6 * gauss
