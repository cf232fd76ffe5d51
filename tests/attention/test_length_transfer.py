"""The experiments on lengths and on starts: small ones learn, and rules share weights rightly."""

import json
import math
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from companion.attention import relu2, softmax, softmax_plus
from companion.attention.cold_start import NETS, ColdStart, build_net, start_cold, start_gain
from companion.attention.length_tasks import RecallTask, TextTask
from companion.attention.length_transfer import (
    TESTED,
    TRAINED,
    Transfer,
    accuracies,
    row_sums,
    rules_for,
    scaled_softmax,
    train_at,
)
from companion.errors import DataError
from companion.training import Draws
from companion.training.lamb import Lamb

ROOT = Path(__file__).resolve().parents[2]
SMALL = RecallTask(dim=32, key_dim=8, keys=32, values=4, tokens=1024)


def test_facts_stand_twice_and_one_is_hidden():
    keys, values, hidden = SMALL.facts(5, 16, seed=3)
    assert hidden.sum(dim=1).tolist() == [8] * 5
    for k, v, h in zip(keys, values, hidden, strict=True):
        known = dict(zip(k[~h].tolist(), v[~h].tolist(), strict=True))
        assert len(known) == 8
        assert [known[key] for key in k[h].tolist()] == v[h].tolist()
    assert not torch.equal(keys, SMALL.facts(5, 16, seed=4)[0])


def test_hidden_values_do_not_reach_the_model():
    model = SMALL.model(softmax).eval()
    keys, values, hidden = SMALL.facts(3, 16, seed=3)
    other = torch.where(hidden, (values + 1) % 4, values)
    found = [SMALL._logits(model, keys, v, hidden) for v in (values, other)]
    assert torch.equal(*found)
    seen = torch.where(hidden, values, (values + 1) % 4)
    assert not torch.equal(found[0], SMALL._logits(model, keys, seen, hidden))


def test_rules_of_one_training_are_one_function_at_its_length():
    """What lets a set of weights be tested under several rules."""
    assert {source for source, _, _ in TESTED.values()} == set(TRAINED)
    scores = torch.randn(2, 64, 64)
    for trained in TRAINED:
        for name, (rule, fixed) in rules_for(trained, 64).items():
            at_home, away = (torch.full((1, 1, 1), float(fixed or n)) for n in (64, 99))
            same = torch.allclose(rule(scores, None, at_home),
                                  TRAINED[trained](scores, None, torch.full((1, 1, 1), 64.0)),
                                  atol=1e-6)  # fmt: skip
            assert same is ("near" not in name), name
            moves = not torch.equal(rule(scores, None, away), rule(scores, None, at_home))
            assert moves is (name in {"relu²/n, n of the text", "softmax_plus",
                                      "softmax, root law"}), name  # fmt: skip


def test_scaled_softmax_of_the_log_law_is_softmax_plus():
    scores, length = torch.randn(2, 3, 9), torch.tensor([[[9.0]], [[4.0]]])
    law = scaled_softmax(scores, None, length, law="log", base=64)
    torch.testing.assert_close(law, partial(softmax_plus, base=64)(scores, None, length))
    root = scaled_softmax(scores, None, length, law="root", base=64)
    factor = torch.tensor([9.0, 4.0]).log().div(math.log(64)).sqrt()[:, None, None]
    torch.testing.assert_close(root, softmax(scores * factor, None, length))


def test_recall_is_learnt_and_dilution_shows():
    """Trained at 16 tokens; tested at 64, the size of an answer divided by n falls to a quarter."""
    setting = Transfer(length=16, batch=16, steps=120, rate=0.01, warmup=20)
    model, losses = train_at(SMALL, "softmax", setting, seed=0)
    assert losses[-1] < 0.5 < losses[0]
    at_home, away = accuracies(SMALL, model, softmax, None, [16, 64])
    assert at_home > 0.9
    assert away > 0.5
    sums, entropies = row_sums(SMALL, model, [16, 64])
    assert sums.shape == entropies.shape == (2, 1)
    assert entropies[1] > entropies[0]
    assert entropies[0] < math.log(16)
    everywhere = accuracies(SMALL, model, relu2, 1e9, [16])  # attention off: chance
    assert everywhere[0] < 0.6


def test_text_hides_the_same_letters_every_time_and_answers_for_each():
    task = TextTask(dim=16, depth=1, key_dim=8, maskings=2)
    first, second = task.batches(64), task.batches(64)
    assert all(torch.equal(a, b) for one, two in zip(first, second, strict=True)
               for a, b in zip(one, two, strict=True))  # fmt: skip
    assert not torch.equal(first[0][2], first[1][2])
    model = task.model(softmax)
    assert len(task.answers(model, first[0])) == int(first[0][2].sum())
    loss = task.loss(model, task.data(64)[torch.arange(4)], Draws(4))
    assert 4 < float(loss) < 6  # the logarithm of some eighty letters


@pytest.mark.parametrize("name", NETS)
def test_scaled_nets_start_smaller(name):
    torch.manual_seed(0)
    net = build_net(name, ColdStart(layers=4, dim=16, key_dim=8), vocabulary=9)
    weight = next(p for n, p in net.named_parameters() if n.endswith("to_out.weight"))
    size = float(weight.detach().std()) * weight.shape[1] ** 0.5
    kind, scaled = NETS[name]
    wanted = 8 ** (-1 / 3 if kind == "gau" else -1 / 2) if scaled else 1.0
    assert size == pytest.approx(wanted, rel=0.15)


def test_cold_start_returns_losses_or_what_broke():
    setting = ColdStart(layers=1, dim=16, key_dim=8, length=16, batch=4, steps=10)
    losses = start_cold("GAU, scaled", setting, rate=0.01, warmup=0, optimizer=Lamb, seed=0)
    assert len(losses) == 10
    assert all(isinstance(loss, float) for loss in losses)
    broken = start_cold("GAU, scaled", setting, rate=1e30, warmup=0, optimizer=Lamb, seed=0)
    assert isinstance(broken, str)


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SMALL.facts(1, 7, seed=0), "length is 7; expected an even number up to 64"),
        (lambda: train_at(SMALL, "max", Transfer(), seed=0), "no rule is called 'max'; there"),
        (lambda: build_net("RNN", ColdStart(), vocabulary=9), "no net is called 'RNN'; there"),
        (lambda: start_gain(0, 3), "branches 0, order 3; expected at least 1"),
    ],
    ids=range(4),
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(DataError) as caught:
        call()
    assert words in str(caught.value)


def test_benchmark_writes_what_the_chapter_reads(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.attention import length_transfer as script

    text = TextTask(dim=8, depth=1, key_dim=4, maskings=1)
    short = replace(script.TASKS["text"][1], steps=2, warmup=1)
    monkeypatch.setattr(script, "TASKS", {"text": (text, short), "recall": (SMALL, short)})
    monkeypatch.setattr(script, "LENGTHS", (32, 64))
    monkeypatch.setattr(script, "STARTS", ((0.01, 0),))
    monkeypatch.setattr(sys, "argv", ["script", "--quick", "--out", str(tmp_path)])
    script.main()
    record = json.loads((tmp_path / "attention-length-transfer-cpu.json").read_text())
    names = [set(row["accuracy"]) for row in record["text"]]
    assert set.union(*names) == set(TESTED)
    assert len(record["cold_start"]["runs"]) == len(NETS)
