"""The tables of coefficients: exact to the last digits, whatever the schedule."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from companion.diffusion import Schedule
from companion.errors import DataError, ShapeError

SCHEDULES = {
    "su": Schedule.su(),
    "su, 50 steps mended": Schedule.su(50, largest=0.02 * 1000 / 50),
    "linear": Schedule.linear(),
    "cosine": Schedule.cosine(),
    "tiny steps": Schedule([1 - 1e-12] * 40),
    "large steps": Schedule([1e-3, 0.5, 0.9]),
}
alphas = st.lists(st.floats(1e-3, 1 - 1e-15), min_size=1, max_size=30)


def exact(alphas: list[float]):
    """β, ᾱ and β̄ of the given α with sixty digits."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(60):
        bar, rows = mpmath.mpf(1), []
        for alpha in alphas:
            bar *= mpmath.mpf(alpha)
            rows.append((mpmath.sqrt(1 - mpmath.mpf(alpha) ** 2), bar, mpmath.sqrt(1 - bar**2)))
        return [[float(x) for x in column] for column in zip(*rows, strict=True)]


def assert_exact(schedule: Schedule) -> None:
    beta, alpha_bar, beta_bar = exact(schedule.alpha[1:].tolist())
    tables = (schedule.beta, schedule.alpha_bar, schedule.beta_bar)
    for found, true in zip(tables, (beta, alpha_bar, beta_bar), strict=True):
        true = torch.tensor(true, dtype=torch.float64)
        allowed = 3e-15 + 2.3e-16 * true.log().abs()  # what a rounded logarithm can tell
        assert ((found[1:] / true - 1).abs() < allowed).all()


@pytest.mark.parametrize("name", SCHEDULES)
def test_tables_are_exact_to_the_last_digits(name):
    assert_exact(SCHEDULES[name])


@given(alphas)
def test_tables_are_exact_for_any_alphas(values):
    assert_exact(Schedule(values))


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_squares_sum_to_one_and_index_0_is_the_data(schedule):
    one = torch.ones(schedule.steps + 1, dtype=torch.float64)
    squares = schedule.alpha.square() + schedule.beta.square()
    torch.testing.assert_close(squares, one, rtol=0, atol=1e-15)
    squares = schedule.alpha_bar.square() + schedule.beta_bar.square()
    torch.testing.assert_close(squares, one, rtol=0, atol=1e-15)
    for table, first in zip(
        (schedule.alpha, schedule.beta, schedule.alpha_bar, schedule.beta_bar),
        (1, 0, 1, 0),
        strict=True,
    ):
        assert table.shape == (schedule.steps + 1,)
        assert table.dtype == torch.float64
        assert table[0] == first


def test_the_squared_coefficients_of_the_expanded_sum_add_up_to_one():
    schedule = Schedule.su()
    for t in (1, 2, 3, 10, 100, 1000):
        total = schedule.alpha_bar[t] ** 2
        for s in range(1, t + 1):
            total = total + (schedule.alpha[s + 1 : t + 1].prod() * schedule.beta[s]) ** 2
        assert abs(float(total) - 1) < 1e-12


def test_the_essays_schedule():
    schedule = Schedule.su()
    t = torch.arange(1001).double()
    torch.testing.assert_close(schedule.alpha**2, 1 - 0.02 * t / 1000, rtol=0, atol=1e-15)
    assert round(float(schedule.alpha_bar[-1].log()), 4) == -5.0387
    assert float(schedule.alpha_bar[-1]) == pytest.approx(0.006482, abs=5e-7)
    for steps in (1, 10, 100, 1000):  # the bound: log ᾱ_T < −.005 (T + 1)
        left = Schedule.su(steps).alpha_bar[-1]
        assert float(left.log()) < -0.005 * (steps + 1)
    factor = schedule.beta_bar[1:] / schedule.beta[1:]
    found = [round(float(factor[t - 1]), 2) for t in (1, 2, 10, 100, 500, 1000)]
    assert found == [1.0, 1.22, 2.34, 6.93, 9.59, 7.07]


def test_fewer_steps_need_larger_ones():
    assert float(Schedule.su(50).alpha_bar[-1]) == pytest.approx(0.77, abs=0.005)
    mended = Schedule.su(50, largest=0.02 * 1000 / 50)
    assert float(mended.alpha_bar[-1]) < 0.01


def test_hos_schedule():
    schedule = Schedule.linear()
    assert float(schedule.alpha_bar[-1]) == pytest.approx(0.006353, abs=5e-7)
    ho = schedule.ho()
    expected = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    torch.testing.assert_close(ho.beta, expected, rtol=1e-11, atol=0)
    torch.testing.assert_close(ho.alpha, 1 - expected, rtol=1e-14, atol=0)
    torch.testing.assert_close(ho.alpha_bar, (1 - expected).cumprod(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(Schedule.from_ho(ho.beta).alpha, schedule.alpha, rtol=0, atol=2e-16)


def test_cosine_schedule():
    steps, schedule = 1000, Schedule.cosine()

    def f(t: int) -> float:
        return math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2

    for t in (1, 2, 500, 999):  # the paper's ᾱ is the square of ours
        assert float(schedule.alpha_bar[t] ** 2) == pytest.approx(f(t) / f(0), rel=1e-11)
    assert float(schedule.beta[-1] ** 2) == pytest.approx(0.999)
    assert (schedule.beta.square() <= 0.999 + 1e-12).all()


def test_diffusers_has_the_same_schedules():
    diffusers = pytest.importorskip("diffusers")
    for name, ours in (("linear", Schedule.linear()), ("squaredcos_cap_v2", Schedule.cosine())):
        theirs = diffusers.DDPMScheduler(num_train_timesteps=1000, beta_schedule=name)
        found = ours.ho().alpha_bar.float()
        torch.testing.assert_close(found, theirs.alphas_cumprod, rtol=1e-4, atol=1e-7)


@given(st.data())
def test_a_subset_keeps_the_products(data):
    schedule = Schedule.su(40, largest=0.4)
    kept = sorted(data.draw(st.sets(st.integers(1, 40), min_size=1)))
    times = torch.tensor([0, *kept])
    short = schedule.subset(times)
    assert short.steps == len(kept)
    for name in ("alpha_bar", "beta_bar"):
        found, expected = getattr(short, name), getattr(schedule, name)[times]
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_all_times_are_the_schedule_itself():
    schedule = Schedule.su(7)
    assert schedule.subset(torch.arange(8)) == schedule


@pytest.mark.parametrize("times", [[0], [1, 2], [0, 3, 2], [0, 2, 2], [0, 11], [0, -1], []])
def test_subsets_that_are_none(times):
    with pytest.raises(DataError, match=r"times are \[.*\]; expected 0 < t_1 < … <= 10"):
        Schedule.su(10).subset(torch.tensor(times, dtype=torch.int64))


def test_equal_if_the_alphas_are_and_readable():
    assert Schedule.su(10) == Schedule.su(10)
    assert hash(Schedule.su(10)) == hash(Schedule.su(10))
    assert Schedule.su(10) != Schedule.su(11)
    assert Schedule.su(10) != Schedule.su(10, largest=0.03)
    assert Schedule.su(10) != "su"
    assert repr(Schedule.su()) == "Schedule(steps=1000, α 0.99999 … 0.989949, ᾱ_T = 0.006482)"


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.5, 1.5, math.nan, math.inf])
def test_an_alpha_that_is_none(bad):
    with pytest.raises(DataError, match=rf"alpha_3 \(row 2\) is {bad}; expected 0 < alpha < 1"):
        Schedule([0.9, 0.8, bad, 0.7])
    with pytest.raises(DataError, match=rf"beta_2 \(row 1\) is {bad}; expected 0 < beta < 1"):
        Schedule.from_ho([0.1, bad])


def test_other_bad_alphas():
    with pytest.raises(DataError, match=r"alphas are torch\.float32, expected torch\.float64"):
        Schedule(torch.tensor([0.5]))
    with pytest.raises(ShapeError, match=r"alphas have shape \(0,\)"):
        Schedule([])
    with pytest.raises(ShapeError, match=r"alphas have shape \(2, 1\)"):
        Schedule(torch.full((2, 1), 0.5, dtype=torch.float64))
    with pytest.raises(DataError, match=r"alpha_bar\[2\] is 0"):
        Schedule([1e-200, 1e-200])


@pytest.mark.parametrize("make", [Schedule.su, Schedule.linear, Schedule.cosine])
def test_no_steps(make):
    with pytest.raises(DataError, match="steps is 0; expected at least 1"):
        make(0)
    assert make(1).steps == 1


def test_limits_that_are_no_square_of_a_beta():
    with pytest.raises(DataError, match=r"largest is 2\.0; expected 0 < largest < 1"):
        Schedule.su(10, largest=0.02 * 1000 / 10)
    with pytest.raises(DataError, match=r"first is 0\.0"):
        Schedule.linear(first=0.0)
    with pytest.raises(DataError, match="last is nan"):
        Schedule.linear(last=math.nan)


def test_float32_betas_have_digits_enough():
    found = Schedule.from_ho(torch.tensor([1e-4, 2e-2]))
    assert found.beta[1].square() == pytest.approx(1e-4, rel=1e-7)
