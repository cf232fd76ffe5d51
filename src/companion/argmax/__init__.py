"""Words that an output layer can never predict, with a proof for each that it can or cannot.

``argmaxable`` decides every class of a layer; the ``ArgmaxReport`` it returns carries the proofs
and checks them without a solver.
"""

from companion.argmax.linear_program import ChebyshevBall, chebyshev_direction
from companion.argmax.output_layer import LoadedLayer, load_output_layer
from companion.argmax.report import ArgmaxReport
from companion.argmax.scan import scan_to_file
from companion.argmax.scanner import Scanner, argmaxable

__all__ = [
    "ArgmaxReport",
    "ChebyshevBall",
    "LoadedLayer",
    "Scanner",
    "argmaxable",
    "chebyshev_direction",
    "load_output_layer",
    "scan_to_file",
]
