"""The benchmarks run, judge before they time, and say what was only sampled."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from companion.argmax import argmaxable, chebyshev_direction

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.argmax import _rivals, clouds, size, verdicts

    return {"rivals": _rivals, "clouds": clouds, "size": size, "verdicts": verdicts}


def quick(script: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run a benchmark on its smallest cases and return what it wrote."""
    name = Path(str(script.__file__)).name
    monkeypatch.setattr(sys, "argv", [f"benchmarks/argmax/{name}", "--quick", "--out", str(folder)])
    script.main()
    (written,) = folder.glob("*-cpu.json")
    assert written.name == f"argmax-{name.removesuffix('.py')}-cpu.json"
    record = json.loads(written.read_text())
    assert record["quick"] is True
    assert record["versions"]["torch"] == torch.__version__
    assert {"device", "commit", "clean", "seed", "threads", "command", "memory"} <= set(record)
    return record


def test_verdicts_are_compared_before_they_are_timed(scripts, tmp_path, monkeypatch):
    record = quick(scripts["verdicts"], tmp_path, monkeypatch)
    assert record["rivals"]["processes"] == 1
    (case,) = record["cases"]
    ours = case["results"].pop("companion")
    assert ours["passed"]
    assert ours["argmaxable"] + ours["never"] + ours["undecided"] == case["words"] == 300
    assert min(ours["argmaxable"], ours["never"]) > 0
    assert set(case["results"]) == set(scripts["rivals"].SOLVERS)
    for one, size in zip(case["results"].values(), (12, 60), strict=True):
        assert one["passed"]
        assert size <= one["sampled"] <= size + 3
        assert one["sampled"] == sum(len(kind["raw_class_s"]) for kind in one["kinds"].values())
        assert {name: kind["classes"] for name, kind in one["kinds"].items()} == {
            "argmaxable": ours["argmaxable"],
            "never": ours["never"],
        }
        assert one["extrapolated_s"] == pytest.approx(
            sum(k["classes"] * k["wall_s"] / k["sampled"] for k in one["kinds"].values())
        )
        assert 0 < one["relative_error"] < 1
        assert one["times_ours"] == pytest.approx(one["extrapolated_s"] / ours["median_s"])


def test_rare_kinds_are_in_every_sample(scripts):
    w = torch.cat([torch.eye(40), torch.full((2, 40), 0.01)])
    report = argmaxable(w, progress=False)
    assert int((report.verdict == 0).sum()) == 2
    drawn = scripts["verdicts"].draw(report, 8, np.random.default_rng(0))
    assert sorted(drawn["never"]) == [40, 41]
    assert len(set(drawn["argmaxable"])) == 8


def test_a_rival_that_differs_is_not_timed(scripts):
    class Wrong:
        def solve(self, name, classes):
            return scripts["rivals"].Solved([False] * len(classes), 1.0, [0.1] * len(classes))

    report = argmaxable(torch.eye(6), progress=False)
    sample = {"argmaxable": np.array([0, 3, 4, 5])}
    found = scripts["verdicts"].rival("wrong", Wrong(), report, sample)
    assert found["differs"] == [0, 3, 4, 5]
    assert not found["passed"]
    assert "per_class_s" not in found


def test_the_rivals_solve_the_problem_of_the_chapter(scripts):
    rivals = scripts["rivals"]
    weight = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    report = argmaxable(weight, progress=False)
    rows, verdicts = weight.numpy(), (report.verdict == 1).tolist()
    assert len(set(verdicts)) == 2
    assert [rivals.program(rows, k) for k in range(40)] == verdicts
    assert [rivals.published(rows, k) for k in range(40)] == verdicts
    assert [rivals.ball(rows, k) for k in range(40)] == verdicts
    early = [k for k in range(40) if rivals.reflected(rows, k)]
    assert 0 < len(early) <= sum(verdicts)
    assert all(verdicts[k] for k in early)
    assert not rivals.reflected(np.ones((3, 2)), 1)  # a duplicate
    reference = [chebyshev_direction(weight, None, k).radius > 1e-7 for k in range(40)]
    assert reference == verdicts


def test_sizes_say_how_many_classes_were_decided(scripts, tmp_path, monkeypatch):
    record = quick(scripts["size"], tmp_path, monkeypatch)
    whole, part = record["sizes"]
    assert (whole["decided"], part["decided"], part["words"]) == (2000, 256, 4000)
    assert part["dtype"] == "bfloat16"
    assert part["weight_bytes"] == 2 * 4000 * 96
    for row in (whole, part):
        assert row["passed"]
        assert row["argmaxable"] + row["never"] + row["undecided"] == row["decided"]
        assert row["peak_bytes"] is None or row["peak_bytes"] <= row["memory_setting"]


def test_clouds_lie_near_their_theory(scripts, tmp_path, monkeypatch):
    record = quick(scripts["clouds"], tmp_path, monkeypatch)
    for row in record["gaussian"]:
        assert row["undecided"] == 0
        assert np.mean(row["never"]) == pytest.approx(row["expected"], abs=0.1)
    for row in record["wendel"]:
        assert row["argmaxable"] == pytest.approx(row["expected"], abs=0.4)
    for dim in (8, 16):
        never = [row["never"] for row in record["spread"] if row["dim"] == dim]
        assert never[0] == 0  # equal norms
        assert never[-1] == max(never) > 0.2
    assert scripts["clouds"].wendel(3, 2) == 0.75  # of three points, a quarter surrounds 0
