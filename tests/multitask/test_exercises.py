"""The exercises on primary tasks: what their texts claim, and other right and wrong answers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls
from torch import Tensor

from companion.errors import AnswerError
from companion.exercises import Exercise, check
from companion.multitask import exercises, kkt_residual, mistakes, primary_descent, problems

seeds = st.integers(0, 2**20)


def float64(rows: object) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def normal(seed: int, *shape: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def one_pass(primary: Tensor, auxiliary: Tensor) -> tuple[Tensor, Tensor]:
    """The greedy pass as the exercise words it: the multipliers, and the step it ends at."""
    step, weights = primary, []
    for row in auxiliary:
        weights.append((-(row @ step)).relu() / (row @ row))
        step = step + weights[-1] * row
    return torch.stack(weights), step


# descent


def test_descent_accepts_numbers_and_any_way_of_summing() -> None:
    check(exercises.DESCENT, lambda weights, products: -float(weights.dot(products)))
    check(exercises.DESCENT, lambda weights, products: torch.sum(weights * products).neg())


def test_descent_draws_multipliers_of_either_sign_and_none() -> None:
    weights = [case.inputs["weights"] for case in problems.descent_cases()]
    assert any((one < 0).any() for one in weights)
    assert any((one > 0).any() for one in weights)
    assert any(one.numel() == 0 for one in weights)


# one and two auxiliary tasks


def test_single_names_a_missing_relu_though_zero_is_looked_after() -> None:
    def answer(primary: Tensor, auxiliary: Tensor) -> Tensor:
        if not auxiliary.any():
            return primary
        return mistakes.without_relu(primary, auxiliary)

    with pytest.raises(AnswerError, match=r"Without\s+relu"):
        check(exercises.SINGLE, answer)


def test_single_does_not_name_a_mistake_it_has_not_met() -> None:
    def twice(primary: Tensor, auxiliary: Tensor) -> Tensor:
        return 2 * primary_descent(primary, auxiliary[None]).update

    with pytest.raises(AnswerError) as caught:
        check(exercises.SINGLE, twice)
    assert str(caught.value).startswith("✗ ex-primary-single\n  on primary = [1, 0]")


def solver(primary: Tensor, auxiliary: Tensor) -> Tensor:
    return torch.from_numpy(nnls(auxiliary.T.numpy(), -primary.numpy())[0])


def projected_steps(primary: Tensor, auxiliary: Tensor) -> Tensor:
    """Coordinate descent that does let a multiplier come down again: slow, and right."""
    weights = torch.zeros(len(auxiliary), dtype=torch.float64)
    for _ in range(500):
        before = weights.clone()
        for index, row in enumerate(auxiliary):
            if row.any():
                slope = row @ (primary + weights @ auxiliary)
                weights[index] = (weights[index] - slope / (row @ row)).clamp(min=0)
        if torch.equal(weights, before):
            break
    return weights


@pytest.mark.parametrize("exercise", [exercises.PAIR, exercises.ORTHOGONAL])
@pytest.mark.parametrize("answer", [solver, projected_steps])
def test_multipliers_found_in_another_way_are_right(exercise: Exercise, answer: object) -> None:
    check(exercise, answer)


def test_pair_accepts_any_of_several_multipliers() -> None:
    """With parallel gradients λ is not unique: moving it between the two changes nothing."""

    def answer(primary: Tensor, auxiliary: Tensor) -> Tensor:
        weights = solver(primary, auxiliary)
        one, two = auxiliary
        if one.any() and torch.equal(two, 2 * one):
            total = weights[0] + 2 * weights[1]
            return torch.stack([total / 2, total / 4])
        return weights

    check(exercises.PAIR, answer)


def test_pair_refuses_a_negative_multiplier_though_the_step_is_right() -> None:
    def answer(primary: Tensor, auxiliary: Tensor) -> Tensor:
        weights = solver(primary, auxiliary)
        parallel = torch.equal(auxiliary[1], 2 * auxiliary[0])
        return weights + float64([-2, 1]) if parallel else weights

    with pytest.raises(AnswerError, match=r"λ\s+has\s+a\s+negative\s+entry"):
        check(exercises.PAIR, answer)


def test_pair_draws_every_case_and_every_degenerate_kind() -> None:
    cases = problems.pair_cases()
    patterns = {tuple((solver(*case.inputs.values()) > 0).tolist()) for case in cases}
    assert len(patterns) == 4
    rows = [case.inputs["auxiliary"] for case in cases]
    cosines = [problems.cosine(one, two) for one, two in rows]
    assert any(value > 1 - 1e-12 for value in cosines)
    assert any(value < 1e-12 - 1 for value in cosines)
    assert any(not pair.any() for pair in rows)
    assert any(not case.inputs["primary"].any() for case in cases)


# PCGrad


@given(seed=seeds, dim=st.integers(2, 6))
def test_pcgrad_with_two_tasks_serves_the_primary_like_the_primary_rule(
    seed: int, dim: int
) -> None:
    gradients = normal(seed, 2, dim)
    primary, auxiliary = gradients
    gain = primary @ exercises.pcgrad_mean(gradients)
    square, cosine = primary @ primary, problems.cosine(primary, auxiliary)
    if cosine < 0:
        best = primary @ primary_descent(primary, auxiliary[None]).update
        torch.testing.assert_close(gain, square * (1 - cosine**2), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(gain, best, rtol=1e-9, atol=1e-12)
    else:
        assert gain >= square


SPOILED = [[1, 0, 0], [-2, 2, 1], [-2, -2, 1]]


def test_pcgrad_numbers_of_the_solution() -> None:
    primary, first, second = gradients = float64(SPOILED)

    def off(one: Tensor, two: Tensor) -> Tensor:
        return one - (one @ two).clamp(max=0) / (two @ two) * two

    torch.testing.assert_close(off(first, primary), float64([0, 2, 1]))
    bent = off(off(first, primary), second)
    torch.testing.assert_close(bent, float64([-2 / 3, 4 / 3, 4 / 3]))
    assert first @ second > 0  # no conflict before
    torch.testing.assert_close(primary @ off(off(first, second), primary), float64(0.0))
    own = primary @ off(off(primary, first), second)
    torch.testing.assert_close(own, float64(13 / 81))
    torch.testing.assert_close(primary @ off(off(primary, second), first), own)
    gain = primary @ exercises.pcgrad_mean(gradients)
    torch.testing.assert_close(gain, float64(-41 / 81))
    best = primary_descent(primary, gradients[1:]).update
    torch.testing.assert_close(primary @ best, float64(0.2))


def test_pcgrad_mean_is_the_mean_of_a_peer() -> None:
    """TorchJD draws an order for each gradient; the eight updates are equally likely."""
    aggregation = pytest.importorskip("torchjd.aggregation")
    gradients, peer = float64(SPOILED) + 0.1 * normal(4, 3, 3), aggregation.PCGrad()
    drawn: list[Tensor] = []
    for seed in range(200):
        torch.manual_seed(seed)
        update = peer(gradients)
        if not any(torch.allclose(update, one, atol=1e-9) for one in drawn):
            drawn.append(update)
    assert len(drawn) in (2, 4, 8)  # orders that do not matter fall together in pairs
    mean = torch.stack(drawn).mean(dim=0)
    torch.testing.assert_close(exercises.pcgrad_mean(gradients), mean)


@pytest.mark.parametrize("exercise", [exercises.PCGRAD, exercises.OBLIQUE])
def test_examples_of_zeros_are_refused_in_words(exercise: Exercise) -> None:
    with pytest.raises(AnswerError, match="cosine"):
        check(exercise, lambda: torch.zeros(3, 2, dtype=torch.float64))


def test_pcgrad_refuses_one_gradient_and_many() -> None:
    for count in (1, 2):
        with pytest.raises(AnswerError, match=r"Take\s+two\s+auxiliaries"):
            check(exercises.PCGRAD, lambda count=count: normal(1, count, 3))
    with pytest.raises(AnswerError, match=r"Three\s+gradients\s+are\s+enough"):
        check(exercises.PCGRAD, lambda: normal(1, 20, 3))
    with pytest.raises(AnswerError, match=r"expected \[1 to 24, 1 to 24\]"):
        check(exercises.PCGRAD, lambda: normal(1, 40, 3))


def test_pcgrad_judges_angles_not_lengths() -> None:
    check(exercises.PCGRAD, lambda: 1e-5 * float64(SPOILED))
    check(exercises.PCGRAD, lambda: 1e5 * float64(SPOILED))


# one greedy pass


@given(seed=seeds, count=st.integers(1, 6))
def test_one_pass_is_exact_for_orthogonal_auxiliaries(seed: int, count: int) -> None:
    primary = normal(seed, 7)
    auxiliary = torch.linalg.qr(normal(seed + 1, 7, count)).Q.T * normal(seed + 2, count, 1).exp()
    weights, step = one_pass(primary, auxiliary)
    torch.testing.assert_close(step, primary + weights @ auxiliary)
    ones, rows = torch.ones(1, dtype=torch.float64), torch.vstack([primary, auxiliary])
    assert kkt_residual(step, torch.cat([ones, weights]), rows, primaries=1) < 1e-9


@given(seed=seeds, dim=st.integers(2, 5))
def test_one_pass_over_two_ends_as_the_angle_says(seed: int, dim: int) -> None:
    """Obtuse: it breaks the first constraint. Acute: it looks finished, and is not."""
    primary, *rows = normal(seed, 3, dim)
    auxiliary = torch.stack(rows)
    weights, step = one_pass(primary, auxiliary)
    best = primary_descent(primary, auxiliary).update
    lean = auxiliary[0] @ auxiliary[1]
    if (weights > 1e-3).all() and lean.abs() > 1e-3:
        assert (auxiliary[0] @ step > 0) == (lean > 0)
        assert (step - best).norm() > 1e-9 * primary.norm()
    elif weights.min() == 0 and (auxiliary @ step).min() >= -1e-12:
        torch.testing.assert_close(step, best, rtol=1e-7, atol=1e-7)


def test_oblique_numbers_of_the_solution() -> None:
    primary, *rows = float64([[1, 0], [-1, 2], [-1, 1]])
    auxiliary = torch.stack(rows)
    weights, step = one_pass(primary, auxiliary)
    torch.testing.assert_close(weights, float64([0.2, 0.2]))
    torch.testing.assert_close(step, float64([0.6, 0.6]))
    torch.testing.assert_close(auxiliary[0] @ step, float64(0.6))
    best = primary_descent(primary, auxiliary)
    torch.testing.assert_close(best.weights, float64([0, 0.5]))
    torch.testing.assert_close(best.update, float64([0.5, 0.5]))


def test_oblique_accepts_the_trap_of_the_chapter() -> None:
    check(exercises.OBLIQUE, lambda: float64([[1, 0], [-2, -2], [-1, 0]]))


def test_orthogonal_draws_orthogonal_gradients_with_zeros() -> None:
    rows = [case.inputs["auxiliary"] for case in problems.orthogonal_cases()]
    for one in rows:
        gram = one @ one.T
        assert (gram - gram.diag().diag()).abs().max() <= 1e-12 * gram.abs().max()
    assert any((one == 0).all(dim=1).any() for one in rows)
    assert max(len(one) for one in rows) > 3
