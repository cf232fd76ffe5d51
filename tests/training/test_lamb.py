"""LAMB with the moments as they are, as GAU-α was trained; what else it does is tested in depth."""

import pytest
import torch
from torch import Tensor, nn

from companion.training.lamb import Lamb


def walk(*, steps: int = 8, **options) -> list[Tensor]:
    theta = nn.Parameter(torch.linspace(-1, 2, 12).double())
    lamb, path = Lamb([theta], lr=0.02, **options), []
    for step in range(steps):
        theta.grad = torch.sin(2 * theta.detach() + step)
        lamb.step()
        path.append(theta.detach().clone())
    return path


def written_out(*, steps: int, eps: float, decay: float) -> list[Tensor]:
    """Adam's moments, uncorrected, and then the quotient of norms."""
    theta, m, v = torch.linspace(-1, 2, 12).double(), 0.0, 0.0
    path = []
    for step in range(steps):
        g = torch.sin(2 * theta + step)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        r = m / (v**0.5 + eps) + decay * theta
        theta = theta - 0.02 * theta.norm() / r.norm() * r
        path.append(theta)
    return path


@pytest.mark.parametrize(("eps", "decay"), [(1e-6, 0.01), (0.1, 0.0), (0.1, 0.3)])
def test_uncorrected_moments_are_the_formula(eps: float, decay: float) -> None:
    found = walk(eps=eps, weight_decay=decay, bias_correction=False)
    for mine, expected in zip(found, written_out(steps=8, eps=eps, decay=decay), strict=True):
        torch.testing.assert_close(mine, expected)


def test_the_quotient_of_norms_takes_the_correction_out() -> None:
    """With neither ε nor decay there is no difference; with either there is."""
    for eps, decay, same in ((0.0, 0.0, True), (0.1, 0.0, False), (0.0, 0.3, False)):
        pair = [
            torch.stack(walk(eps=eps, weight_decay=decay, bias_correction=corrected))
            for corrected in (True, False)
        ]
        distance = (pair[0] - pair[1]).abs().max().item()
        assert (distance < 1e-12) == same
        assert same or distance > 1e-4
