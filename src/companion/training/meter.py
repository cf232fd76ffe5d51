"""Losses and gradient norms between two rows of the log, and the time they take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from companion.errors import NumericsError
from companion.training.devices import Devices
from companion.training.logs import Row

__all__ = ["Meter"]


class Meter:
    """What happened since the last row; numbers stay on the device until somebody asks.

    Args:
        devices: losses are the means over its processes.
        progress: state of an earlier part of the run, as ``state`` returned it.
        good: a text about the last good checkpoint, asked for in an error.
    """

    def __init__(self, devices: Devices, progress: dict[str, Any], *, good: Callable) -> None:
        self._devices, self._good = devices, good
        self._unread: list[tuple[int, Tensor, Tensor]] = []
        self._read: list[tuple[float, float]] = [tuple(pair) for pair in progress["pending"]]
        self._seconds: float = progress["seconds"]
        self._since = time.perf_counter()
        self._row_seconds, self._row_samples = 0.0, 0

    def add(self, step: int, loss: Tensor, norm: Tensor, *, samples: int) -> None:
        """Note a step; nothing is read from the device."""
        self._unread.append((step, loss, norm))
        self._row_samples += samples

    def read(self) -> None:
        """Fetch what is on the device.

        Raises:
            NumericsError: if a loss or gradient norm is NaN or infinite; it names the first.
        """
        if not self._unread:
            return
        flat = [
            value.double() if value.device.type != "mps" else value.float()
            for _, *pair in self._unread
            for value in pair
        ]
        values = self._devices.mean(torch.stack(flat).tolist())
        self._tick()
        pairs = list(zip(values[::2], values[1::2], strict=True))
        for (step, _, _), pair in zip(self._unread, pairs, strict=True):
            for name, value in zip(("loss", "gradient norm"), pair, strict=True):
                if not math.isfinite(value):
                    raise NumericsError(f"the {name} is {value} in step {step}; {self._good()}")
        self._read += pairs
        self._unread = []

    def row(self, step: int, *, rate: float) -> Row:
        """Return the row of the log that ends with this step."""
        self.read()
        losses, norms = zip(*self._read, strict=True)
        speed = self._row_samples / self._row_seconds if self._row_seconds > 0 else math.inf
        self._read, self._row_seconds, self._row_samples = [], 0.0, 0
        return {
            "step": step,
            "loss": math.fsum(losses) / len(losses),
            "norm": math.fsum(norms) / len(norms),
            "rate": rate,
            "seconds": self._seconds,
            "samples_per_second": speed,
        }

    @contextmanager
    def paused(self):
        """Do not count this time: the rows tell the speed of training."""
        self._tick()
        yield
        self._since = time.perf_counter()

    def state(self) -> dict[str, Any]:
        """Return what an exact resume needs; what is on the device has to be read before."""
        return {"seconds": self._seconds, "pending": [list(pair) for pair in self._read]}

    def _tick(self) -> None:
        now = time.perf_counter()
        self._seconds += now - self._since
        self._row_seconds += now - self._since
        self._since = now
