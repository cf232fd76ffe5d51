"""One layer beside the same layer of FLASH-pytorch: GAU and FLASH, causal and not.

Pre-norm, projections, attention, gate, residual connection; as many parameters. On a CPU in
float32; on CUDA under bf16 autocast, eager and compiled. Four tables, each in a file of its own:
``attention-<table>-<device>.json``.

Run: ``python benchmarks/attention/layers.py`` (``--quick``: a small size; ``--tables gau flash``:
two of the four; ``--threads 2``: recorded under a name of its own).
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

TABLES = ("gau", "gau-causal", "flash", "flash-causal")
TOKENS = 16_384  # in a batch on CUDA


def cases(table: str, device: torch.device, *, quick: bool) -> Iterator[rivals.Case]:
    """Yield the cases of a table: every length there, then there and back."""
    kind = "quad" if table.startswith("gau") else "mixed_chunk"
    causal = table.endswith("causal")
    if quick:
        lengths, dim, precision = (96,), 128, "fp32"
    elif device.type == "cuda":
        lengths, dim, precision = (256, 512, 1024, 2048, 4096, 8192, 16_384), 768, "autocast"
    else:
        lengths, dim, precision = (256, 512, 1024, 2048), 512, "fp32"
    for n in lengths:
        batch = max(1, TOKENS // n) if device.type == "cuda" else 2
        for backward in (False, True):
            yield rivals.Case(kind, causal, n, batch, dim, precision, backward)


def main() -> None:
    options = arguments(__doc__, tables=TABLES)
    builds = {"companion": rivals.companion, "FLASH-pytorch": rivals.flash_pytorch}
    if options.device.type == "cuda":
        builds["companion reference"] = rivals.reference
    for table in options.tables:
        chosen = cases(table, options.device, quick=options.quick)
        print(record(table, [*chosen], builds, options), flush=True)


if __name__ == "__main__":
    main()
