"""What a trained net is worth, in numbers."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from companion.diffusion.loss import denoising_loss
from companion.diffusion.quality import LARGEST, SMALLEST, DigitQuality, digit_quality
from companion.diffusion.train import Diffusion
from companion.errors import DataError

__all__ = ["loss_by_step", "sample_quality"]

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of T


@torch.no_grad()
def loss_by_step(
    trained: Diffusion,
    images: Float[Tensor, "image channel height width"],
    *,
    seed: int = 0,
    batch: int = 256,
) -> dict[int, float]:
    """Return the reduced loss on images at ten steps t from 1 to T; 1 is what guessing 0 costs.

    Args:
        images: such as the net has not seen, see ``held_out_images``.
        seed: of the noise, one draw an image and step.
        batch: images in one call of the net.

    >>> from companion.diffusion.config import DiffusionConfig
    >>> config = DiffusionConfig()
    >>> untrained = Diffusion(
    ...     model=config.build_net().eval(), schedule=config.schedule.build(), config=config
    ... )
    >>> {t: round(loss, 1) for t, loss in loss_by_step(untrained, torch.zeros(64, 1, 8, 8)).items()}
    {1: 1.0, 2: 1.0, 5: 1.0, 10: 1.0, 20: 1.0, 50: 1.0, 100: 1.0, 200: 1.0, 500: 1.0, 1000: 1.0}
    """
    device = next(trained.model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for t in sorted({max(1, round(share * trained.schedule.steps)) for share in SHARES}):
        total = 0.0
        for part in images.split(batch):
            noise = torch.randn(part.shape, generator=generator).to(device)
            times = torch.full((len(part),), t)
            loss = denoising_loss(
                trained.model, part.to(device), trained.schedule, t=times, noise=noise
            )
            total += float(loss) * len(part)
        found[t] = total / len(images)
    return found


def sample_quality(
    trained: Diffusion,
    count: int,
    *,
    method: str = "ancestral",
    steps: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> DigitQuality:
    """Return ``digit_quality`` of so many samples of a net for digits.

    Raises:
        DataError: for a number of samples that says little, before any is made; and as
            ``Diffusion.sample``.
    """
    if not SMALLEST <= count <= LARGEST:
        raise DataError(f"count is {count}; expected {SMALLEST} to {LARGEST} samples to judge")
    images = trained.sample(count, method=method, steps=steps, seed=seed, progress=progress)
    return digit_quality(images)
