"""Diffusion models: tear data down to noise step by step, and learn to build it up again.

Importing this package needs neither a GPU nor Triton.
"""

from companion.diffusion.cifar import cifar10
from companion.diffusion.forward import Denoiser, tear_down
from companion.diffusion.grid import image_grid, write_png
from companion.diffusion.images import Digits, Pictures, as_images, digits, image_folder
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
    "Pictures",
    "PointDenoiser",
    "Schedule",
    "Trajectory",
    "UNet",
    "ancestral_step",
    "as_images",
    "cifar10",
    "ddim_step",
    "denoising_loss",
    "digits",
    "dpm_solver_step",
    "greedy_step",
    "image_folder",
    "image_grid",
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
    "write_png",
]
