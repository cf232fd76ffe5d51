"""The exercises of the chapters on depth: ``check(exercises.ANGLES, your_function)``."""

from companion.depth.residual_exercises import ANGLES, MEAN, NORMS, PLAIN, REZERO, XAVIER

__all__ = ["ANGLES", "MEAN", "NORMS", "PLAIN", "REZERO", "XAVIER"]
