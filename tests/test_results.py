"""What the book quotes was recorded in full, from code that was committed."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*"))
PAIR = "companion", "lucidrains"


def read(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_recorded_results_are_whole_and_come_from_a_commit(path: Path) -> None:
    record = read(path)
    assert record["quick"] is False
    assert record["clean"] is True
    assert len(record["commit"]) == 40
    assert path.name.startswith(record["benchmark"] + "-")
    assert {"device", "versions", "seed", "threads", "command"} <= set(record)
    assert "--out" not in record["command"]  # a folder of one machine


def test_every_race_is_on_the_page_of_benchmarks() -> None:
    text = (ROOT / "text" / "benchmarks.md").read_text("utf-8")
    races = [
        record["benchmark"]
        for record in map(read, RESULTS)
        if any(len(case.get("results", ())) > 1 for case in record.get("cases", ()))
    ]
    assert len(races) > 10
    assert [name for name in races if f'"{name}"' not in text] == []


def test_ratios_on_the_page_are_those_of_the_record() -> None:
    page = (ROOT / "book" / "benchmarks.ipynb").read_text("utf-8")
    cases = read(ROOT / "benchmarks" / "results" / "diffusion-training-cpu.json")["cases"]
    times = [[case["results"][who]["median_s"] for case in cases] for who in PAIR]
    ratios = [theirs / ours for ours, theirs in zip(*times, strict=True)]
    assert f"{PAIR[1]} ({min(ratios):.2f} to {max(ratios):.2f})" in page
