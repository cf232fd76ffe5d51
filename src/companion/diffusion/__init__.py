"""Diffusion models: tear data down to noise step by step, and learn to build it up again.

Importing this package needs neither a GPU nor Triton.
"""

from companion.diffusion.forward import Denoiser, tear_down
from companion.diffusion.images import Digits, as_images, digits
from companion.diffusion.loss import denoising_loss
from companion.diffusion.optimal import EmpiricalDenoiser, optimal_denoiser, optimal_noise
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
from companion.diffusion.schedule import HoSchedule, Schedule
from companion.diffusion.toys import PointDenoiser, moons, ring, sliced_wasserstein, swiss_roll

__all__ = [
    "Denoiser",
    "Digits",
    "EmpiricalDenoiser",
    "HoSchedule",
    "PointDenoiser",
    "Schedule",
    "Trajectory",
    "UNet",
    "ancestral_step",
    "as_images",
    "ddim_step",
    "denoising_loss",
    "digits",
    "dpm_solver_step",
    "greedy_step",
    "moons",
    "optimal_denoiser",
    "optimal_noise",
    "predicted_data",
    "ring",
    "sample",
    "sliced_wasserstein",
    "spaced_times",
    "swiss_roll",
    "tear_down",
]
