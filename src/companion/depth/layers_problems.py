"""The cases on which answers to the exercises of *A thousand layers* are tried."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from companion.depth.magnitude import magnitude
from companion.depth.scaling import DepthScaling
from companion.exercises import Case, draw_integers, draws

EXACT = 1e-9  # relative: far above rounding, far below any mistake
LAYERS = (8, 1, 2, 18, 100, 1000)


def float64(values: Sequence[float | int]) -> Float64[Tensor, " entry"]:
    return torch.tensor(values, dtype=torch.float64)


def number(value: float | int) -> Float64[Tensor, ""]:
    return torch.tensor(float(value), dtype=torch.float64)


def same(case: Case, found: Tensor) -> str | None:
    """Judge by the value alone."""
    size = 1e-12 + case.expected.abs().max()
    miss = (found - case.expected).abs().max()
    return None if miss <= EXACT * size else "not the value that the chapter derives"


def magnitude_cases() -> list[Case]:
    rng = draws(1)
    found = [float64([3, 0, 0, 1]).view(2, 2)]
    for k in range(10):
        drawn = torch.randn(2 + k % 3, 2 + k % 4, generator=rng)
        found.append(2.0 ** (k - 5) * drawn.double())
    return [Case({"weight": weight}, number(magnitude(weight))) for weight in found]


def sign_cases() -> list[Case]:
    rng = draws(2)
    gradients = [float64([3, -1]), float64([0, 2, -2])]
    gradients += [torch.randn(3 + k, generator=rng).double() for k in range(8)]
    rates = [1.0, 0.5, *(0.1 * (k + 1) for k in range(8))]
    return [
        Case({"gradient": g, "rate": number(rate)}, -rate * g.abs().sum())
        for g, rate in zip(gradients, rates, strict=True)
    ]


def prenorm_cases() -> list[Case]:
    return [
        Case({"layers": number(n)}, number(DepthScaling.for_optimizer("adam", n, "pre").gain))
        for n in (*LAYERS, *(n for (n,) in draw_integers(3, (3, 2000), count=3)))
    ]


def constants_cases() -> list[Case]:
    """M encoder and N decoder layers: the letters are not those of the chapter."""
    found = []
    drawn = draw_integers(4, (1, 200), (1, 200), count=3)
    for m, n in ((16, 1), (1, 16), (6, 6), (18, 18), (100, 12), (12, 100), *drawn):
        encoder, decoder = DepthScaling.deepnet("encoder-decoder", m, n)
        expected = [encoder.alpha, encoder.gain, decoder.alpha, decoder.gain]
        inputs = {"encoder_layers": number(m), "decoder_layers": number(n)}
        found.append(Case(inputs, float64(expected)))
    return found


def swapped_cases() -> list[Case]:
    drawn = (k / 8 for (k,) in draw_integers(5, (1, 200), count=3))
    return [
        Case({"alpha": number(a)}, number(2 * a / (1 + a * a)))
        for a in (2, 1, 0.5, 3, 6.6874, 44.72, *drawn)
    ]


def slopes_cases() -> list[Case]:
    """Exponents of |ΔL| under SGD and LAMB, for α = (2N)^a and λ = (2N)^b; a and b are asked."""
    powers = [(0.25, -0.25), (0.5, -0.5), (0, -0.5), (0, 0), (0, -1), (0.5, 0), (1, -0.25),
              (0.3, 0.2)]  # fmt: skip
    powers += [(a / 16, b / 16) for a, b in draw_integers(6, (-16, 16), (-16, 16), count=3)]
    return [
        Case({"sgd": number(1 + 2 * (b - a)), "lamb": number(1 + 2 * b - a)}, float64([a, b]))
        for a, b in powers
    ]
