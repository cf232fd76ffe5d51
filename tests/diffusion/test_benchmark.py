"""The benchmarks run, judge before they time, and name a peer that is missing."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from loading import run_benchmark

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"companion": None, "diffusers": "diffusers", "lucidrains": "denoising_diffusion_pytorch"}
FUSED = {"diffusers with fused AdamW": "diffusers"}  # in training, with our optimiser


def quick(script: str, folder: Path) -> dict[str, Any]:
    """Run a benchmark on its smallest case and return the results of all contestants."""
    run_benchmark(f"diffusion/{script}", "--quick", "--out", folder)
    (written,) = folder.glob("*-cpu.json")
    assert written.name == f"diffusion-{script}-cpu.json"
    record = json.loads(written.read_text())
    assert record["quick"] is True
    assert record["versions"]["torch"] == torch.__version__
    assert "diffusers" in record["versions"]
    (case,) = record["cases"]
    assert case["matmul"]["flop_per_s"] > 0
    names = NAMES | FUSED if script == "training" else NAMES
    assert set(case["results"]) == set(names)
    for name, package in names.items():
        result = case["results"][name]
        if package is not None and find_spec(package) is None:
            assert not result["passed"]
            assert "ModuleNotFoundError" in result["raised"]
        else:
            assert result["passed"], (name, result)
            check_facts(result, case["matmul"]["flop_per_s"])
    return case["results"]


def check_facts(result: dict[str, Any], ceiling: float) -> None:
    assert len(result["raw_s"]) == 5
    assert abs(result["parameters"] / 252_545 - 1) <= 0.03
    assert result["share_of_matmul"] == pytest.approx(result["flop_per_s"] / ceiling)
    assert 0 < result["share_of_matmul"] < 1


def test_training_steps_are_timed_and_judged(tmp_path):
    ours = quick("training", tmp_path)["companion"]
    assert ours["steps_per_s"] == pytest.approx(1 / ours["median_s"])
    assert ours["flop_per_s"] == pytest.approx(
        8 * ours["flop_per_picture"] * ours["steps_per_s"], rel=1e-6
    )


def test_samplers_are_timed_and_judged_by_the_calls_of_the_net(tmp_path):
    results = quick("sampling", tmp_path)
    ours = results["companion"]
    assert ours["calls"] == 25
    assert ours["pictures_per_s"] == pytest.approx(4 / (1000 / 25 * ours["median_s"]))


def test_a_net_of_another_size_or_that_does_not_learn_is_not_timed(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from dataclasses import replace

    from benchmarks.diffusion import _rivals, training

    size = _rivals.SIZES[0]
    cpu = torch.device("cpu")

    def judged(case_size, change=lambda rival: rival):
        trainer = training.Trainer(
            "one",
            lambda *both: change(_rivals.companion(*both)),
            (case_size, "fp32", 8, False),
            cpu,
            fused=True,
        )
        return trainer.error(trainer())

    assert judged(size) <= 1
    assert judged(replace(size, parameters=300_000)) > 1
    deaf = lambda rival: replace(rival, loss=lambda net, x: 1 + 0 * net(x, len(x) * one).sum())  # noqa: E731
    one = torch.ones(8, dtype=torch.int64)
    assert judged(size, deaf) > 1


def test_a_package_that_is_missing_is_recorded_as_such(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)  # importing it fails
    run_benchmark("diffusion/training", "--quick", "--out", tmp_path)
    record = json.loads((tmp_path / "diffusion-training-cpu.json").read_text())
    (case,) = record["cases"]
    assert "ModuleNotFoundError: import of diffusers" in case["results"]["diffusers"]["raised"]
    assert case["results"]["companion"]["passed"]
