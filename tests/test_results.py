"""What the book quotes was recorded in full, from code that was committed."""

import json
from pathlib import Path

import pytest

RESULTS = sorted((Path(__file__).parents[1] / "benchmarks" / "results").glob("*"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_recorded_results_are_whole_and_come_from_a_commit(path: Path) -> None:
    record = json.loads(path.read_text("utf-8"))
    assert record["quick"] is False
    assert record["clean"] is True
    assert len(record["commit"]) == 40
    assert path.name.startswith(record["benchmark"] + "-")
    assert {"device", "versions", "seed", "threads", "command"} <= set(record)
    assert "--out" not in record["command"]  # a folder of one machine
