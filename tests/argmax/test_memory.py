"""A scan keeps to the memory it is given, beside the layer itself."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("peak.py")


def added(*memories: int) -> list[float]:
    """MiB that scans of a layer of 39 MiB in bfloat16 (156 MiB in float64) add."""
    command = [sys.executable, str(SCRIPT), *map(str, memories)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the highest resident set of Linux")
def test_a_scan_keeps_to_its_memory():
    little, much = added(32, 512)
    assert little < 32
    assert much > 78  # with room, all rows are kept in float32: this measures something
