"""Diffusion models: tear data down to noise step by step, and learn to build it up again.

Importing this package needs neither a GPU nor Triton.
"""

from companion.diffusion.forward import Denoiser, tear_down
from companion.diffusion.loss import denoising_loss
from companion.diffusion.sampling import (
    Trajectory,
    ancestral_step,
    ddim_step,
    dpm_solver_step,
    greedy_step,
    predicted_data,
    sample,
    spaced_times,
)
from companion.diffusion.schedule import Schedule

__all__ = [
    "Denoiser",
    "Schedule",
    "Trajectory",
    "ancestral_step",
    "ddim_step",
    "denoising_loss",
    "dpm_solver_step",
    "greedy_step",
    "predicted_data",
    "sample",
    "spaced_times",
    "tear_down",
]
