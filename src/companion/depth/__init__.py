"""How a deep network's step grows with its depth, and the scaling that holds it.

``ResidualStack`` is N layers of residual branches, normalised after, before or not at all;
``DepthScaling`` says how the straight path and the weights of the branches are scaled;
``loss_increment`` measures what one optimiser step does to the loss, ``first_step`` reads it off
the gradient for three optimisers, ``scaling_slope`` says how a measured number grows with depth,
``magnitude`` how large a matrix is. ``DeepClassifier`` is a network to train. ``Chain`` is a plain
or residual network to compare, ``signals`` and ``shake`` measure it at its start, and the
``growth`` functions say what theory expects.
"""

from companion.depth.blocks import Attention, FeedForward
from companion.depth.chains import Chain, Wiring, random_orthogonal
from companion.depth.classifier import (
    DeepClassifier,
    Labelled,
    accuracy,
    cross_entropy,
    majority,
    spirals,
)
from companion.depth.first_step import FirstStep, first_step
from companion.depth.growth import (
    aligned_growth,
    alignment,
    orthogonal_growth,
    relu_growth,
    sample_growth,
    tied_growth,
    typical_growth,
)
from companion.depth.increment import Increment, loss_increment
from companion.depth.magnitude import magnitude
from companion.depth.memory import peak_live_bytes
from companion.depth.scaling import DepthScaling
from companion.depth.signals import Signals, shake, signals
from companion.depth.slope import Slope, scaling_slope
from companion.depth.stack import ResidualStack
from companion.training.lamb import Lamb

__all__ = [
    "Attention",
    "Chain",
    "DeepClassifier",
    "DepthScaling",
    "FeedForward",
    "FirstStep",
    "Increment",
    "Labelled",
    "Lamb",
    "ResidualStack",
    "Signals",
    "Slope",
    "Wiring",
    "accuracy",
    "aligned_growth",
    "alignment",
    "cross_entropy",
    "first_step",
    "loss_increment",
    "magnitude",
    "majority",
    "orthogonal_growth",
    "peak_live_bytes",
    "random_orthogonal",
    "relu_growth",
    "sample_growth",
    "scaling_slope",
    "shake",
    "signals",
    "spirals",
    "tied_growth",
    "typical_growth",
]
