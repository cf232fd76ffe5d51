"""A scan keeps to the memory it is given, beside the layer itself."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("peak.py")


def added(memory: int) -> float:
    """MiB that a scan of a layer of 39 MiB in bfloat16 (156 MiB in float64) adds."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(memory)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the highest resident set of Linux")
def test_a_scan_keeps_to_its_memory():
    assert added(32) < 32
    assert added(512) > 78  # with room, all rows are kept in float32: this measures something
