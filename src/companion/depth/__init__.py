"""How a deep network's step grows with its depth, and the scaling that holds it.

``ResidualStack`` is N layers of residual branches, normalised after, before or not at all;
``DepthScaling`` says how the straight path and the weights of the branches are scaled;
``loss_increment`` measures what one optimiser step does to the loss, ``scaling_slope`` how a
measured number grows with depth, ``magnitude`` how large a matrix is.
"""

from companion.depth.blocks import Attention, FeedForward
from companion.depth.increment import Increment, loss_increment
from companion.depth.lamb import Lamb
from companion.depth.magnitude import magnitude
from companion.depth.memory import peak_live_bytes
from companion.depth.scaling import DepthScaling
from companion.depth.slope import Slope, scaling_slope
from companion.depth.stack import ResidualStack

__all__ = [
    "Attention",
    "DepthScaling",
    "FeedForward",
    "Increment",
    "Lamb",
    "ResidualStack",
    "Slope",
    "loss_increment",
    "magnitude",
    "peak_live_bytes",
    "scaling_slope",
]
