"""The benchmark of cliques runs, judges before it times, and counts calls."""

import json
from pathlib import Path

import pytest
from loading import run_benchmark

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("record")
    run_benchmark("events/cliques", "--quick", "--out", folder)
    return json.loads((folder / "events-cliques-cpu.json").read_text())


def test_every_search_is_judged_and_timed(record):
    assert record["quick"] is True
    assert "networkx" in record["versions"]
    assert [case["family"] for case in record["cases"]] == ["random", "matching"]
    for case in record["cases"]:
        assert len(case["results"]) == 4
        for result in case["results"].values():
            assert result["passed"]
            assert result["error"] == 0
            assert result["q20_s"] <= result["median_s"] <= result["q80_s"]


def test_counts_are_those_of_the_theory(record):
    matching = record["cases"][1]
    assert (matching["nodes"], matching["cliques"]) == (8, 2**4)
    assert matching["calls"] == 1 + 8 + 48 + 192 + 384  # Σ 2^k 4!/(4 − k)!


def test_search_that_is_wrong_or_without_end_is_not_timed(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    import torch

    from benchmarks.events import cliques

    case = cliques.in_parts("matching", 14, 2)
    monkeypatch.setattr(cliques, "LIMIT", 500)
    monkeypatch.setattr(cliques, "maximal_cliques", lambda nodes, edges: set())
    found = cliques.compete(case, torch.device("cpu"), quick=True)
    assert found["calls"] is None
    assert "more than 500 calls" in found["results"]["recursion"]["raised"]
    assert "more than 500 sets" in found["results"]["recursion, each set once"]["raised"]
    assert found["results"]["companion"] == {"passed": False, "error": 128.0}
    assert found["results"]["networkx"]["passed"]
