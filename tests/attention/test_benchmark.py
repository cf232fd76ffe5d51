"""The benchmarks run, judge before they time, and name a peer that is missing."""

import json
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
PAIRS = {"Transformer, written out", "Transformer, fused", "two GAU", "two FLASH"}


@pytest.fixture
def modules(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.attention import _rivals, floor, layers, pairs

    return SimpleNamespace(rivals=_rivals, floor=floor, layers=layers, pairs=pairs)


def tables(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what was recorded there by the smallest sizes, by the name of the table."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*-cpu.json"))]
    for record in records:
        assert record["quick"] is True
        assert record["matmul"]["flop_per_s"] > 0
        assert len({case["mode"] for case in record["cases"]}) == 2
    return {record["table"]: record for record in records}


def quick(script: ModuleType, folder: Path, monkeypatch, *options: str) -> dict[str, Any]:
    """Run a benchmark in this process, for that is cheaper, and return its tables."""
    monkeypatch.setattr(sys, "argv", ["script", "--quick", "--out", str(folder), *options])
    script.main()
    return tables(folder)


def check_facts(case: dict[str, Any], result: dict[str, Any]) -> None:
    assert result["passed"], result
    assert result["error"] <= 1
    assert len(result["raw_s"]) == 5
    tokens = case["batch"] * case["n"]
    assert result["tokens_per_s"] == pytest.approx(tokens / result["median_s"])


def test_layers_are_timed_and_judged_beside_the_peer_s(tmp_path):
    command = [sys.executable, "benchmarks/attention/layers.py", "--quick", "--out", tmp_path]
    command += ["--tables", "gau", "flash-causal"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = tables(tmp_path)
    assert set(found) == {"gau", "flash-causal"}
    for name, record in found.items():
        assert "FLASH-pytorch" in record["versions"]
        for case in record["cases"]:
            assert case["causal"] == name.endswith("causal")
            peer = case["results"].pop("FLASH-pytorch")
            (ours,) = case["results"].values()
            check_facts(case, ours)
            d, n, s = case["dim"], case["n"], 128
            products = 2 * (6 * d * d + d * s)
            mixing = n * (s + 2 * d) if name == "gau" else n * (s + 2 * d) + 2 * s * 2 * d
            assert ours["operations_per_token"] == products + 2 * mixing
            if find_spec("flash_pytorch") is None:
                assert "ModuleNotFoundError" in peer["raised"]
            else:
                check_facts(case, peer)


def test_pairs_are_timed_and_judged_and_have_as_many_parameters(modules, tmp_path, monkeypatch):
    options = ("--tables", "pairs-causal")
    (record,) = quick(modules.pairs, tmp_path, monkeypatch, *options).values()
    for case in record["cases"]:
        assert set(case["results"]) == PAIRS
        for result in case["results"].values():
            check_facts(case, result)
        sizes = [result["parameters"] for result in case["results"].values()]
        assert max(sizes) < 1.03 * min(sizes)


def test_attention_is_timed_beside_its_floor(modules, tmp_path, monkeypatch):
    found = quick(modules.floor, tmp_path, monkeypatch)
    assert set(found) == {"floor-gau", "floor-flash"}
    for record in found.values():
        rates = record["matmul"]["flop_per_s"], record["copy"]["bytes_per_s"]
        assert len(record["cases"]) == 4
        for case in record["cases"]:
            floor = max(case["operations"] / rates[0], case["bytes"] / rates[1])
            (result,) = case["results"].values()
            assert result["passed"], result
            assert result["share_of_floor"] == pytest.approx(floor / result["median_s"])


def test_the_floor_counts_what_the_definition_does(modules):
    """Not causal, and whole chunks: what torch counts. There and back, less is kept: more."""
    from torch.utils.flop_counter import FlopCounterMode

    rivals, floor = modules.rivals, modules.floor
    for kind, heads in (("quad", 2), ("mixed_chunk", 4)):
        core = floor.Core(kind, causal=False, backward=False, n=512, batch=2, e=32)
        tensors = [torch.randn(2, 512, w) for w in [128] * heads + [32]]
        with FlopCounterMode(display=False) as counter:
            rivals.REFERENCES[kind](*tensors)
        assert counter.get_total_flops() == core.operations()
        assert core.numbers() == sum(t.numel() for t in tensors) + 2 * 512 * 32
        back = replace(core, backward=True)
        inputs = [tensor.requires_grad_() for tensor in tensors]
        with FlopCounterMode(display=False) as counter:
            rivals.REFERENCES[kind](*inputs).sum().backward()
        scores = 2 * 2 * 512 * (512 if kind == "quad" else 256) * 128
        assert counter.get_total_flops() + scores == back.operations()
    causal = replace(core, causal=True)
    assert causal.operations() < core.operations()


def judged(rivals, build, **changes) -> float:
    case = replace(rivals.Case("quad", True, 64, 1, 64, "fp32", True, key_dim=16), **changes)
    x, towards = torch.randn(2, case.batch, case.n, case.dim)
    runner = rivals.Runner("one", build, case, x, towards)
    return runner.error(runner())


@pytest.mark.parametrize("kind", ["quad", "mixed_chunk"])
@pytest.mark.parametrize("backward", [False, True])
def test_a_layer_that_is_wrong_is_not_timed(modules, kind, backward):
    rivals = modules.rivals
    options = {"kind": kind, "backward": backward}
    assert judged(rivals, rivals.companion, **options) <= 1
    assert judged(rivals, rivals.companion, units=2, **options) > 1  # of another size

    def altered(change):
        def build(case):
            layer = rivals.companion(case)
            right = layer.branch.attend
            layer.branch.attend = lambda *tensors, **given: change(right, tensors, given)
            return layer

        return build

    def sees_the_future(right, tensors, given):
        return right(*tensors, **given | {"causal": False})

    def is_off_by_a_thousandth(right, tensors, given):
        return 1.001 * right(*tensors, **given)

    def is_not_a_number(right, tensors, given):
        return right(*tensors, **given) * float("nan")

    for change in (sees_the_future, is_off_by_a_thousandth, is_not_a_number):
        assert not judged(rivals, altered(change), **options) <= 1


def test_a_wrong_gradient_alone_is_noticed(modules):
    rivals = modules.rivals

    class Half(nn.Module):
        """Right there, and half of it back."""

        def __init__(self, case):
            super().__init__()
            self.layer = rivals.companion(case)

        def forward(self, x):
            out = self.layer(x)
            return out if out.dtype == torch.float64 else (out + out.detach()) / 2

    assert judged(rivals, Half, backward=False) <= 1
    assert judged(rivals, Half, backward=True) > 1


def test_a_layer_that_leaks_by_its_own_definition_is_noticed(modules):
    rivals = modules.rivals

    class Leaking(nn.Module):
        def __init__(self, case):
            super().__init__()
            self.layer = rivals.companion(replace(case, causal=False))

        def forward(self, x):
            return self.layer(x)

    assert judged(rivals, Leaking) > 1
    assert judged(rivals, Leaking, causal=False) <= 1


def test_a_package_that_is_missing_is_recorded_as_such(modules, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flash_pytorch", None)  # importing it fails
    (record,) = quick(modules.layers, tmp_path, monkeypatch, "--tables", "flash").values()
    for case in record["cases"]:
        assert "ModuleNotFoundError" in case["results"]["FLASH-pytorch"]["raised"]
        assert case["results"]["companion"]["passed"]


def test_more_threads_are_recorded_under_a_name_of_their_own(modules, tmp_path):
    from benchmarks.attention._tables import record

    facts = {"seed": 0, "quick": True, "commit": None, "clean": False, "out": tmp_path}
    options = Namespace(device=torch.device("cpu"), threads=2, **facts)
    case = modules.rivals.Case("quad", False, 8, 1, 64, "fp32", False, key_dim=16)
    path = record("gau", [case], {"companion": modules.rivals.companion}, options)
    assert path.name == "attention-gau-2-threads-cpu.json"
