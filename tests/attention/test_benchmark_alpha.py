"""GAU-α beside RoFormerV2: both are judged, have one size, and do what their formulas say."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from companion.attention import gau_attention

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.attention import _rivals, gau_alpha

    return SimpleNamespace(rivals=_rivals, script=gau_alpha)


def test_both_are_timed_and_judged(
    modules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["script", "--quick", "--out", str(tmp_path)])
    modules.script.main()
    record = json.loads((tmp_path / "attention-gau-alpha-cpu.json").read_text())
    assert [case["mode"] for case in record["cases"]] == ["forward", "forward and backward"]
    for case in record["cases"]:
        names = ["two GAU-α", "RoFormerV2, written out", "RoFormerV2, fused"]
        assert [*case["results"]] == names
        n, d, s = case["n"], case["dim"], 128
        products = 2 * (12 * d * d + 2 * d * s)
        for name, result in case["results"].items():
            assert result["passed"], result
            alpha = name.startswith("two")
            mixing = 2 * 2 * n * (s + 2 * d) if alpha else 2 * n * 2 * d
            assert result["operations_per_token"] == products + mixing
            assert result["parameters"] == 12 * d * d + 2 * d * s + 4 * s * alpha


def test_the_layers_are_those_of_the_model(modules) -> None:
    """The contestant's units are those that ``GAUAlpha`` stands on, and its numbers theirs."""
    from companion.attention import GAUAlpha, GAUAlphaConfig

    case = modules.rivals.Case("pair", False, 40, 2, 64, "fp32", False, key_dim=16, units=2)
    model = GAUAlpha(GAUAlphaConfig(vocabulary=9, dim=64, key_dim=16, layers=2)).eval()
    x = torch.randn(2, 40, 64)
    with torch.no_grad():
        expected = model.encoder.encoder(x)
        for build in (modules.script.gau_alpha, modules.script.written_out):
            pair = build(case)
            pair.load_state_dict(model.encoder.encoder.state_dict())
            torch.testing.assert_close(pair(x), expected, rtol=0, atol=1e-5)


def test_another_scale_is_not_timed(modules) -> None:
    """Scores larger by a hundredth are told from the definition."""
    rivals, script = modules.rivals, modules.script
    case = rivals.Case("pair", False, 64, 1, 64, "fp32", True, key_dim=16, units=2)
    x, towards = torch.randn(2, 1, 64, 64)

    def judged(change: float) -> float:
        def build(case):
            layer = script.gau_alpha(case)
            for block in layer.blocks:
                block.branch.attend = lambda q, k, v, **o: gau_attention(q * change, k, v, **o)
            return layer

        runner = rivals.Runner("one", build, case, x, towards)
        return runner.error(runner())

    assert judged(1.0) <= 1
    assert judged(1.01) > 1


def test_lengths_are_those_of_the_question(modules) -> None:
    for name, longest in (("cpu", 2048), ("cuda", 8192)):
        cases = [*modules.script.cases(torch.device(name), quick=False)]
        assert [case.n for case in cases[::2]] == [2**k for k in range(7, longest.bit_length())]
        assert {(case.dim, case.key_dim, case.causal) for case in cases} == {(768, 128, False)}
    assert {case.precision for case in cases} == {"bf16"}
    assert {case.n * case.batch for case in cases} == {16_384}
