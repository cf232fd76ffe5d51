"""The one training loop of the book, on Hugging Face Accelerate.

``fit`` trains a model after a ``Recipe``, on a laptop or on many GPUs, and goes on after an
interruption as if there had been none.
"""

from companion.training.checkpoint import Checkpoint, newest_checkpoint, read_checkpoint
from companion.training.draws import Draws
from companion.training.logs import read_log
from companion.training.loop import Run, fit
from companion.training.recipe import Recipe, average_decay, learning_rate

__all__ = [
    "Checkpoint",
    "Draws",
    "Recipe",
    "Run",
    "average_decay",
    "fit",
    "learning_rate",
    "newest_checkpoint",
    "read_checkpoint",
    "read_log",
]
