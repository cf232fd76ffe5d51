"""Diffusion models: tear data down to noise step by step, and learn to build it up again.

Importing this package needs neither a GPU nor Triton.
"""

from companion.diffusion.cifar import cifar10
from companion.diffusion.config import (
    DataConfig,
    DiffusionConfig,
    LossConfig,
    NetConfig,
    ScheduleConfig,
)
from companion.diffusion.forward import Denoiser, tear_down
from companion.diffusion.frechet import frechet_distance
from companion.diffusion.grid import image_grid, write_png
from companion.diffusion.images import Digits, Pictures, as_images, digits, image_folder
from companion.diffusion.loss import denoising_loss
from companion.diffusion.optimal import EmpiricalDenoiser, optimal_denoiser, optimal_noise
from companion.diffusion.pretrained import export, load_diffusion, pretrained_digits
from companion.diffusion.quality import DigitQuality, digit_quality
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
from companion.diffusion.train import Diffusion, train_diffusion
from companion.diffusion.unet import UNet

__all__ = [
    "DataConfig",
    "Denoiser",
    "Diffusion",
    "DiffusionConfig",
    "DigitQuality",
    "Digits",
    "EmpiricalDenoiser",
    "HoSchedule",
    "LossConfig",
    "NetConfig",
    "Pictures",
    "PointDenoiser",
    "Schedule",
    "ScheduleConfig",
    "Trajectory",
    "UNet",
    "ancestral_step",
    "as_images",
    "cifar10",
    "ddim_step",
    "denoising_loss",
    "digit_quality",
    "digits",
    "dpm_solver_step",
    "export",
    "frechet_distance",
    "greedy_step",
    "image_folder",
    "image_grid",
    "load_diffusion",
    "moons",
    "optimal_denoiser",
    "optimal_noise",
    "predicted_data",
    "pretrained_digits",
    "ring",
    "sample",
    "sliced_wasserstein",
    "spaced_times",
    "swiss_roll",
    "tear_down",
    "train_diffusion",
    "write_png",
]
