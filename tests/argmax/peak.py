"""Print how many MiB a scan and its check add to the process, for each memory: see test_memory.py.

The least memory comes first: what one scan has taken may stay with the process.
"""

import sys
from pathlib import Path

import torch

from companion.argmax import ArgmaxReport, Scanner


def peak() -> float:
    """MiB of the highest resident set since the last ``forget``."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / (1 << 10)


def forget() -> None:
    """Let the highest be what is resident now: the imports may have taken more."""
    Path("/proc/self/clear_refs").write_text("5")


def added(weight: torch.Tensor, memory: int) -> float:
    """MiB that a scan within ``memory`` MiB adds to what is resident."""
    forget()
    before = peak()
    report = Scanner(weight, memory=memory << 20).decide(range(0, 40_000, 200))
    assert (report.verdict == 1).all()
    assert report.verify(weight, memory=memory << 20)
    return peak() - before


def main(memories: list[int]) -> None:
    torch.set_num_threads(1)
    small = torch.randn(300, 6)
    assert ArgmaxReport.join([Scanner(small).decide(range(300))]).verify(small)
    weight = torch.empty(40_000, 512, dtype=torch.bfloat16)
    for start in range(0, 40_000, 1000):
        weight[start : start + 1000] = torch.randn(1000, 512)
    for memory in memories:
        print(added(weight, memory))


if __name__ == "__main__":
    main([int(memory) for memory in sys.argv[1:]])
