"""One Transformer layer beside what takes its place: two units, with as many parameters.

Four contestants: the Transformer with attention written out, as in 2022; the Transformer with
torch's fused attention, as today; two GAU; two FLASH. All have rotary positions, pre-norms and a
norm at the end. On a CPU in float32, on CUDA in bf16 throughout, eager and compiled. Two tables,
each in a file of its own: ``attention-<table>-<device>.json``.

Run: ``python benchmarks/attention/pairs.py`` (``--quick``: one small size; ``--tables pairs``: one
of the two).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.attention import _rivals as rivals
from benchmarks.attention._tables import record
from benchmarks.harness import arguments

TABLES = ("pairs", "pairs-causal")
TOKENS = 16_384  # in a batch on CUDA
BUILDS = {
    "Transformer, written out": rivals.pair("transformer", fused=False),
    "Transformer, fused": rivals.pair("transformer"),
    "two GAU": rivals.pair("gau"),
    "two FLASH": rivals.pair("flash"),
}


def cases(table: str, device: torch.device, *, quick: bool) -> Iterator[rivals.Case]:
    """Yield the cases of a table: every length there, then there and back."""
    causal = table.endswith("causal")
    if quick:
        lengths, dim, precision = (96,), 128, "fp32"
    elif device.type == "cuda":
        lengths, dim, precision = (256, 512, 1024, 2048, 4096, 8192, 16_384), 768, "bf16"
    else:
        lengths, dim, precision = (256, 512, 1024, 2048), 512, "fp32"
    for n in lengths:
        batch = max(1, TOKENS // n) if device.type == "cuda" else 1
        for backward in (False, True):
            yield rivals.Case("pair", causal, n, batch, dim, precision, backward, units=2)


def main() -> None:
    options = arguments(__doc__, tables=TABLES)
    for table in options.tables:
        chosen = cases(table, options.device, quick=options.quick)
        print(record(table, [*chosen], BUILDS, options), flush=True)


if __name__ == "__main__":
    main()
