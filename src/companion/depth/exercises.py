"""The exercises of the chapters on depth: ``check(exercises.ANGLES, your_function)``."""

from companion.depth.layers_exercises import (
    CONSTANTS,
    MAGNITUDE,
    PRENORM,
    SIGN,
    SLOPES,
    SWAPPED,
)
from companion.depth.residual_exercises import ANGLES, MEAN, NORMS, PLAIN, REZERO, XAVIER

__all__ = [
    "ANGLES",
    "CONSTANTS",
    "MAGNITUDE",
    "MEAN",
    "NORMS",
    "PLAIN",
    "PRENORM",
    "REZERO",
    "SIGN",
    "SLOPES",
    "SWAPPED",
    "XAVIER",
]
