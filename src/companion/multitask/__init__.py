"""Descent directions for several losses that share parameters.

``primary_descent`` follows one loss and lets no other go up; ``common_descent`` treats all as
equals; ``hybrid_descent`` has several of each kind. The ``backward_*`` functions write the
direction where an optimiser looks for it.
"""

from companion.multitask.descent import (
    common_descent,
    gram_weights,
    hybrid_descent,
    primary_descent,
)
from companion.multitask.direction import Direction, kkt_residual
from companion.multitask.gradients import backward_common, backward_primary, task_gradients

__all__ = [
    "Direction",
    "backward_common",
    "backward_primary",
    "common_descent",
    "gram_weights",
    "hybrid_descent",
    "kkt_residual",
    "primary_descent",
    "task_gradients",
]
