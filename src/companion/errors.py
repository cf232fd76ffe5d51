"""The errors of this package. Each message says what was found, where, and what was expected."""

__all__ = [
    "AnswerError",
    "CheckpointError",
    "CompanionError",
    "DataError",
    "NumericsError",
    "ShapeError",
    "VerificationError",
]


class CompanionError(Exception):
    """The root: everything this package raises on bad input."""


class DataError(CompanionError, ValueError):
    """A file or a value that does not hold what it should."""


class ShapeError(CompanionError, ValueError):
    """A tensor of the wrong shape, or tensors whose shapes do not fit together."""


class NumericsError(CompanionError, ArithmeticError):
    """NaN or infinity where a finite number is needed."""


class CheckpointError(CompanionError, RuntimeError):
    """A checkpoint that cannot be read, or belongs to another configuration."""


class VerificationError(CompanionError, AssertionError):
    """An equation that does not hold, or a check that could not have failed."""


class AnswerError(CompanionError, AssertionError):
    """An answer to an exercise that is not right yet."""

    def _render_traceback_(self) -> list[str]:
        """What Jupyter shows in place of a traceback: the message alone."""
        return [str(self)]
