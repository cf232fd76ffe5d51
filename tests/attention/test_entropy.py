"""Entropy of attention: against its definition, against samples, and where the formulas end."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from companion.attention.entropy import (
    GOLDEN_KAPPA,
    attention_entropy,
    freezing_spread,
    gaussian_entropy,
    sample_scores,
    scale_at,
    sphere_entropy,
    sphere_peak,
    weights_entropy,
)
from companion.errors import DataError


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def measured(length, spread, *, rows=200, seed=0):
    return float(attention_entropy(normal(rows, length, seed=seed), spread).mean())


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 1.0, 20.0, 1e4]))
def test_entropy_is_that_of_the_weights(seed, scale):
    scores = normal(2, 3, 7, seed=seed)
    allowed = torch.rand(2, 3, 7, generator=torch.Generator().manual_seed(seed)) < 0.6
    allowed[..., 0] = True
    weights = torch.softmax((scale * scores).masked_fill(~allowed, -torch.inf), dim=-1)
    found = attention_entropy(scores, scale, allowed)
    torch.testing.assert_close(found, weights_entropy(weights), atol=1e-7, rtol=1e-7)
    if scale <= 1:
        assert not torch.allclose(attention_entropy(scores, scale + 1), found)


def test_entropy_lies_between_one_key_and_all():
    scores = normal(50, 9)
    assert torch.allclose(attention_entropy(scores, 0.0), torch.tensor(math.log(9)).double())
    assert (attention_entropy(scores, 1e5) < 1e-3).all()
    assert attention_entropy(
        torch.full((1, 4), 1e300, dtype=torch.float64)
    ).exp().item() == pytest.approx(4)


@pytest.mark.parametrize("spread", [0.5, 1.0, 1.5])
def test_gaussian_scores_lose_half_the_square_of_their_spread(spread):
    assert measured(4096, spread) == pytest.approx(gaussian_entropy(4096, spread), abs=0.03)
    assert measured(4096, spread) != pytest.approx(gaussian_entropy(4096, 1.2 * spread), abs=0.03)


def test_beyond_freezing_few_keys_are_left_at_any_length():
    """Above the formula, which is 0 there."""
    for length in (64, 1024):
        point = freezing_spread(length)
        assert gaussian_entropy(length, point * 1.001) == 0
        assert gaussian_entropy(length, point * 0.9) > 0
        assert 0 < measured(length, 2 * point) < 1
    share = [measured(n, freezing_spread(n), rows=60) / math.log(n) for n in (64, 4096, 32768)]
    assert share[0] > share[1] > share[2] > 0.25  # towards 0, and slowly


def test_root_law_holds_the_entropy_of_gaussian_scores_and_the_others_do_not():
    wanted = gaussian_entropy(128, 1)
    found = {
        law: [
            measured(n, scale_at(law, n, base=128, entropy=wanted if law == "root" else 0))
            for n in (128, 1024, 4096)
        ]
        for law in ("usual", "log", "root")
    }
    rise = {law: values[-1] - values[0] for law, values in found.items()}
    assert rise["root"] < 0.4
    assert rise["log"] > 3 * rise["root"]
    assert rise["usual"] == pytest.approx(math.log(32), abs=0.1)


def test_proportional_root_holds_the_share_of_the_entropy():
    share = [measured(n, scale_at("root", n, base=64)) / math.log(n) for n in (64, 512, 4096)]
    assert max(share) - min(share) < 0.01


@pytest.mark.parametrize("scale", [0.125, 0.5, 1.0, 1.4, 5.0])
def test_peak_is_where_keys_times_weight_is_largest(scale):
    t = torch.linspace(0, 1, 100_001).double()[1:-1]
    best = t[(scale * t + torch.log1p(-(t**2)) / 2).argmax()]
    assert sphere_peak(scale) == pytest.approx(float(best), abs=2e-5)


@pytest.mark.parametrize("scale", [0.2, 1.0, 2.0])
def test_laplace_is_the_integral_over_the_sphere_in_many_dimensions(scale):
    """Per dimension; what is left out does not grow with d."""
    miss = []
    for dim in (100, 400, 1600):
        t = torch.linspace(-1, 1, 200_001).double()[1:-1]
        density = torch.log1p(-(t**2)) * (dim - 3) / 2
        tilted = density + scale * dim * t
        mean = (torch.softmax(tilted, 0) * t).sum()
        free = torch.logsumexp(tilted, 0) - torch.logsumexp(density, 0)
        miss.append(float(free - scale * dim * mean) - sphere_entropy(1, dim, scale))
    assert max(map(abs, miss)) < 1
    assert miss[2] == pytest.approx(miss[1], abs=0.02)


def test_kappa_is_half_the_logarithm_of_the_golden_ratio():
    golden = (1 + 5**0.5) / 2
    assert sphere_peak(1) == pytest.approx(1 / golden)
    assert -sphere_entropy(1, 10, 1) / 10 == pytest.approx(GOLDEN_KAPPA)
    assert pytest.approx(0.2406, abs=1e-4) == GOLDEN_KAPPA
    kappa = [-sphere_entropy(1, 1, 0.05 * k) / (0.05 * k) for k in range(1, 100)]
    assert 0.245 < max(kappa) < 0.246
    assert all(kappa[k - 1] > 0.235 for k in range(20, 41))  # between λ = 1 and λ = 2
    assert kappa[0] == pytest.approx(0.025, rel=0.01)  # λ/2


def test_small_scales_on_the_sphere_are_gaussian():
    assert sphere_entropy(512, 10_000, 0.01) == pytest.approx(gaussian_entropy(512, 1), abs=1e-3)


def test_laws_agree_at_the_base():
    for law in ("usual", "log", "root"):
        assert scale_at(law, 77, base=77) == 1
    assert scale_at("log", 64, base=512) == pytest.approx(2 / 3)
    assert scale_at("root", 2, base=512, entropy=1) == 0


def test_sample_is_normal_and_repeats():
    scores = sample_scores(40_000, seed=4)
    assert abs(float(scores.mean())) < 0.02
    assert float(scores.std()) == pytest.approx(1, abs=0.02)
    assert float((scores**4).mean()) == pytest.approx(3, abs=0.15)
    assert float((scores[1:] * scores[:-1]).mean()) == pytest.approx(0, abs=0.02)
    assert not torch.equal(scores[:9], sample_scores(9, seed=5))


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: freezing_spread(0.5), "length is 0.5; expected at least 1"),
        (lambda: gaussian_entropy(8, -1), "spread is -1; expected 0 or more"),
        (lambda: sphere_peak(-0.1), "scale is -0.1; expected 0 or more"),
        (lambda: sphere_entropy(8, 0, 1), "dim is 0; expected at least 1"),
        (
            lambda: scale_at("sqrt", 8, base=9),  # pyright: ignore[reportArgumentType]
            "law is 'sqrt'; expected one of 'usual', 'log'",
        ),
        (lambda: scale_at("log", 8, base=1), "base is 1, entropy 0.0; expected log(base) >"),
        (lambda: sample_scores(0), "count is 0; expected at least 1"),
    ],
    ids=range(7),
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(DataError) as caught:
        call()
    assert words in str(caught.value)
