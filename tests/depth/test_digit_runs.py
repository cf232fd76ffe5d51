"""Deep chains that learn digits: two that differ, one that breaks, and the record on the page."""

import json
from pathlib import Path

import pytest
import torch

from companion.depth import Wiring
from companion.depth.digit_runs import Classifier, load_pixels, train_digits
from companion.errors import DataError

RECORD = Path(__file__).parents[2] / "benchmarks" / "results" / "depth-residual-digits-cpu.json"


def test_pixels_have_unit_mean_square_and_every_digit() -> None:
    x, y = load_pixels()[:]
    assert x.shape == (1797, 64)
    assert float(x.square().mean()) == pytest.approx(1, abs=1e-5)
    assert float(x.mean(0).abs().max()) < 1e-5
    assert sorted(set(y[:1437].tolist())) == list(range(10)) == sorted(set(y[1437:].tolist()))


def test_a_residual_net_learns_where_a_plain_one_does_not() -> None:
    found = {
        skip: train_digits(
            Wiring(power=0.5) if skip else Wiring(branch="relu", skip=False),
            48, rate=0.1, steps=60,
        )
        for skip in (True, False)
    }  # fmt: skip
    assert len(found[True].losses) == 6
    assert found[True].accuracy > 0.75
    assert found[False].accuracy < 0.3
    assert found[True].losses[-1] < 1 < found[False].losses[-1]


def test_a_run_that_breaks_is_a_result() -> None:
    run = train_digits(Wiring(), 64, rate=1, steps=20)
    assert "nan" in run.broken
    assert run.accuracy == 0.1
    assert len(run.losses) <= 2


def test_the_same_seed_gives_the_same_run() -> None:
    one, two = (train_digits(Wiring(power=1), 4, rate=0.1, steps=12, seed=3) for _ in range(2))
    assert one == two
    assert one != train_digits(Wiring(power=1), 4, rate=0.1, steps=12, seed=4)


def test_pre_norm_has_a_norm_behind_the_last_layer() -> None:
    net = Classifier(Wiring(norm="pre"), 2, generator=torch.Generator().manual_seed(0))
    x = torch.randn(3, 64)
    assert torch.allclose(net(x), torch.nn.functional.layer_norm(net.chain(x), (64,)) @ net.head)


def test_bad_numbers_are_named() -> None:
    with pytest.raises(DataError, match="depth is 0"):
        train_digits(Wiring(), 0, rate=0.1)
    with pytest.raises(DataError, match="steps is 0"):
        train_digits(Wiring(), 2, rate=0.1, steps=0)


def test_the_page_says_what_the_record_says() -> None:
    """The sentences below the table of chapter 5."""
    record = json.loads(RECORD.read_text("utf-8"))
    assert (record["depth"], record["steps"], record["batch"]) == (64, 200, 64)
    table: dict[str, list[float]] = {}
    broken: dict[str, list[int]] = {}
    for net in dict.fromkeys(run["net"] for run in record["runs"]):
        rows = [
            [run for run in record["runs"] if (run["net"], run["rate"]) == (net, rate)]
            for rate in record["rates"]
        ]
        assert {len(row) for row in rows} == {5}
        table[net] = [sum(run["accuracy"] for run in row) / 5 for row in rows]
        broken[net] = [sum(bool(run["broken"]) for run in row) for row in rows]
    plain = [net for net in table if net.startswith("plain")]
    assert len(plain) == 3
    assert max(max(table[net]) for net in plain) < 0.15  # no plain network learns
    assert broken["ε = 1"] == [5] * 6  # the first step ends in infinity
    one = [run for run in record["runs"] if run["net"] == "ε = 1"]
    assert all(len(run["losses"]) == 1 for run in one)
    held = {net: max(table[net]) for net in ("ε = 1/√N", "ε = 1/N", "Pre-LN")}
    assert min(held.values()) > 0.95
    assert max(held.values()) - min(held.values()) < 0.015  # no winner
    slower = zip(table["ε = 1/N"][:5], table["ε = 1/√N"][:5], strict=True)
    assert all(one < other for one, other in slower)
    assert broken["ε = 1/√N"][-1] == 5
    assert broken["ε = 1/N"][-1] == 0
    last = {
        (net, rate): [
            r["losses"][-1] for r in record["runs"] if (r["net"], r["rate"]) == (net, rate)
        ]
        for net, rate in (("ε = 1/N", 1.0), ("ε = 1/√N", 0.3))
    }
    slow, quick = (sum(losses) for losses in last.values())
    assert slow / quick == pytest.approx(10, abs=1)  # ten times the loss
