"""Building up: from noise to data, one step after the other."""

from companion.diffusion.sampling.sampler import Trajectory, sample
from companion.diffusion.sampling.steps import (
    ancestral_step,
    ddim_step,
    dpm_solver_step,
    greedy_step,
    predicted_data,
)
from companion.diffusion.sampling.times import spaced_times

__all__ = [
    "Trajectory",
    "ancestral_step",
    "ddim_step",
    "dpm_solver_step",
    "greedy_step",
    "predicted_data",
    "sample",
    "spaced_times",
]
