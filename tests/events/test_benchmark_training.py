"""The records of training and of the losses: what they count, and that they judge before timing."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from loading import run_benchmark

ROOT = Path(__file__).resolve().parents[2]


def quick(script: str, folder: Path) -> dict[str, Any]:
    run_benchmark(f"events/{script}", "--quick", "--out", folder)
    record = json.loads((folder / f"events-{script}-cpu.json").read_text())
    assert record["quick"] is True
    assert record["versions"]["torch"] == torch.__version__
    return record


def test_every_model_is_judged_by_the_same_sentences_with_links_and_without(tmp_path):
    record = quick("training", tmp_path)
    runs = record["runs"]
    assert len(runs) == record["planned"] == 3
    settings = [(run["language"], run["triggers"], run["link_rope"]) for run in runs]
    assert len(set(settings)) == 3
    for run in runs:
        assert run["labels"] == (33 if run["triggers"] else 26)
        scores = run["scores"]
        assert scores["dev"]["sentences"] == record["sizes"]["dev"]
        assert scores["same_type"]["sentences"] <= scores["several"]["sentences"]
        assert scores["held_out"]["recoverable"] == scores["held_out"]["sentences"]
        for part in ("dev", "several", "same_type", "held_out"):
            linked, baseline = scores[part]["linked"], scores[part]["baseline"]
            for name in ("predicted", "right", "true"):
                assert linked[f"arguments_{name}"] == baseline[f"arguments_{name}"]
            assert linked["events_true"] == baseline["events_true"] > 0
        sweep = scores["thresholds"]
        said = [row["arguments_predicted"] for row in sweep]
        assert said == sorted(said, reverse=True)  # a higher threshold says yes less often
        assert (
            next(row for row in sweep if row["threshold"] == 0)
            == {"threshold": 0} | scores["dev"]["linked"]
        )


def test_losses_are_judged_and_timed(tmp_path):
    record = quick("losses", tmp_path)
    assert [case["n"] for case in record["cases"]] == [8, 16]
    for case in record["cases"]:
        assert case["score_bytes"] == 4 * 282 * case["n"] ** 2
        assert set(case["results"]) == {"dense", "sparse", "published sparse"}
        for result in case["results"].values():
            assert result["passed"]
            assert len(result["raw_s"]) >= 5
            assert result["q20_s"] <= result["median_s"] <= result["q80_s"]


@pytest.mark.parametrize("fault", ["value", "gradient"])
def test_a_loss_that_is_wrong_is_not_timed(monkeypatch, fault):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.events import losses

    case = losses.sentence(6, 0, torch.device("cpu"))
    exact = losses.LOSSES["sparse"]
    wrong = {
        "value": lambda scores, positives: exact(scores, positives) + 1e-3,
        "gradient": lambda scores, positives: (
            exact(scores, positives) + 1e-3 * (scores[:, 0] - scores[:, 0].detach())
        ),
    }
    assert losses.error(losses.call(exact, case), case) < 1e-5
    assert losses.error(losses.call(wrong[fault], case), case) > 1e-4
