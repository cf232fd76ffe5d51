"""Print how many MiB a scan and its check add to the process: run by test_memory.py."""

import resource
import sys

import torch

from companion.argmax import ArgmaxReport, Scanner


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 10)


def main(memory: int) -> None:
    torch.set_num_threads(1)
    small = torch.randn(300, 6)
    assert ArgmaxReport.join([Scanner(small).decide(range(300))]).verify(small)
    weight = torch.empty(40_000, 512, dtype=torch.bfloat16)
    for start in range(0, 40_000, 1000):
        weight[start : start + 1000] = torch.randn(1000, 512)
    before = peak()
    report = Scanner(weight, memory=memory << 20).decide(range(0, 40_000, 200))
    assert (report.verdict == 1).all()
    assert report.verify(weight, memory=memory << 20)
    print(peak() - before)


if __name__ == "__main__":
    main(int(sys.argv[1]))
