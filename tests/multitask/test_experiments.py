"""The experiments of the chapter use the rules that they say they use, and repeat."""

import pytest
import torch

from companion.multitask import common_descent, primary_descent
from companion.multitask.auxiliary_tasks import OUTPUTS, Classroom, train_beside
from companion.multitask.noisy_labels import RULES, NoisyLabels, protect, shortest, train_replicas

PAIRS = torch.randn(2, 40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SHORT = Classroom(labelled=20, images=200, steps=15)


def test_protect_is_the_primary_rule_for_each_pair() -> None:
    expected = [primary_descent(a, b[None]).update for a, b in zip(*PAIRS, strict=True)]
    torch.testing.assert_close(protect(*PAIRS), torch.stack(expected))


def test_shortest_is_the_common_rule_for_each_pair() -> None:
    expected = [common_descent(torch.stack([a, b])).update for a, b in zip(*PAIRS, strict=True)]
    torch.testing.assert_close(shortest(*PAIRS), torch.stack(expected))


def test_train_replicas_gives_each_setting_its_own_data_and_repeats() -> None:
    settings = [NoisyLabels(clean=20, noisy=100), NoisyLabels(clean=50, noisy=100, rate=0.9)]
    rule = RULES["mean of both"]
    first, again = (train_replicas(rule, settings, seeds=2, steps=30) for _ in range(2))
    assert first.accuracy.shape == first.conflict.shape == (2, 2)
    torch.testing.assert_close(first.accuracy, again.accuracy, rtol=0, atol=0)
    assert len(set(first.accuracy.flatten().tolist())) == 4


def test_train_replicas_learns_from_clean_labels_alone() -> None:
    settings = [NoisyLabels(clean=300, noisy=10)]
    outcome = train_replicas(RULES["clean labels alone"], settings, seeds=1, steps=200)
    assert outcome.accuracy.item() > 0.75


@pytest.mark.parametrize("task", OUTPUTS)
def test_primary_rule_with_plain_steps_harms_no_task(task: str) -> None:
    guarded = train_beside([task], rule="primary", seed=0, optimizer="sgd", room=SHORT)
    assert guarded.harm.item() == 0
    assert guarded.push.shape == (SHORT.steps, 1)
    assert guarded.push.min() >= 0


def test_summed_losses_do_harm_where_tasks_conflict() -> None:
    """The count of harm is no constant zero: ignoring the other task hurts it."""
    ignored = train_beside(["shuffled label"], rule="alone", seed=0, optimizer="sgd", room=SHORT)
    assert ignored.harm.item() > 0
