"""Two units of GAU-α beside one layer of RoFormerV2, from which GAU-α was made.

Both as published: post-norms without parameters, rotary positions, no biases; d = 768, s = 128,
heads of 64 numbers. RoFormerV2's feed-forward network is 4d + s wide, which gives both as many
parameters. "Written out" forms all scores, as both were run in 2022; "fused" is torch's function of
today, which has no room for the 1536 numbers of GAU-α's values. On CUDA "two GAU-α" goes over the
scores block by block. One table, ``attention-gau-alpha-<device>.json``.

Run: ``python benchmarks/attention/gau_alpha.py`` (``--quick``: one small size).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.attention import _rivals as rivals
from benchmarks.attention._tables import record
from benchmarks.harness import arguments
from companion.attention import Encoder, GatedAttentionUnit, TransformerLayer, softmax_plus

TOKENS = 16_384  # in a batch on CUDA
WRITTEN_OUT = "two GAU-α, written out"


def gau_alpha(case: rivals.Case) -> nn.Module:
    """Two units, each with its norm; attention block by block on CUDA."""
    units = [
        GatedAttentionUnit(
            case.dim, key_dim=case.key_dim, normalize=partial(softmax_plus, base=512), shift=False
        )
        for _ in range(2)
    ]
    return Encoder(units, dim=case.dim, norm="plain", placement="post", eps=1e-12)


def written_out(case: rivals.Case) -> nn.Module:
    """The same units by the definition."""
    return rivals.plain(gau_alpha(case))


def roformer(case: rivals.Case, *, fused: bool) -> nn.Module:
    """Attention and a feed-forward network, each with its norm."""
    inner = 4 * case.dim + case.key_dim
    layer = TransformerLayer(case.dim, case.dim // 64, ffn="mlp", inner=inner, fused=fused)
    return Encoder([layer], dim=case.dim, norm="plain", placement="post", eps=1e-12)


BUILDS: dict[str, rivals.Build] = {
    "two GAU-α": gau_alpha,
    WRITTEN_OUT: written_out,
    "RoFormerV2, written out": partial(roformer, fused=False),
    "RoFormerV2, fused": partial(roformer, fused=True),
}


def cases(device: torch.device, *, quick: bool) -> Iterator[rivals.Case]:
    """Yield every length there, then there and back."""
    if quick:
        lengths, dim, precision = (96,), 128, "fp32"
    elif device.type == "cuda":
        lengths, dim, precision = (128, 256, 512, 1024, 2048, 4096, 8192), 768, "bf16"
    else:
        lengths, dim, precision = (128, 256, 512, 1024, 2048), 768, "fp32"
    for n in lengths:
        batch = max(1, TOKENS // n) if device.type == "cuda" else 1
        for backward in (False, True):
            yield rivals.Case("pair", False, n, batch, dim, precision, backward, units=2)


def main() -> None:
    options = arguments(__doc__)
    builds = dict(BUILDS)
    if options.device.type != "cuda":  # both are the definition
        del builds[WRITTEN_OUT]
    chosen = cases(options.device, quick=options.quick)
    print(record("gau-alpha", [*chosen], builds, options), flush=True)


if __name__ == "__main__":
    main()
