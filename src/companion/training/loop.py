"""The one training loop of the book."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from companion.errors import CheckpointError, DataError, NumericsError
from companion.training.checkpoint import (
    Checkpoint,
    newest_checkpoint,
    read_checkpoint,
    remove_leftovers,
    write_checkpoint,
)
from companion.training.devices import Devices, devices_for, kept_random_state
from companion.training.interruption import Interruption
from companion.training.logs import LOG, Log, Row, read_log
from companion.training.meter import Meter
from companion.training.recipe import Recipe, differences, learning_rate
from companion.training.trainer import Trainer

__all__ = ["Run", "fit"]

FRESH = {"seconds": 0.0, "pending": []}  # the log of a run that has not begun


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came out of ``fit``.

    Args:
        model: the trained model, the one handed over; in evaluation mode.
        average: a copy with the averaged weights; the model itself without an average.
        history: the rows of the log: step, loss, norm, rate, seconds, samples_per_second, and
            what was measured.
        step: optimiser steps done.
        folder: where checkpoints and log are, or None.
    """

    model: nn.Module
    average: nn.Module
    history: list[Row]
    step: int
    folder: Path | None


def fit(
    model: nn.Module,
    loss: Callable,
    data: Any,
    recipe: Recipe,
    *,
    folder: Path | str | None = None,
    optimizer: Callable | None = None,
    measure: Callable | None = None,
    measure_every: int | None = None,
    about: Any = None,
    progress: bool = True,
) -> Run:
    """Train a model, on one device or many, and go on where an earlier call was interrupted.

    Everything random follows from seed and step, so that on the CPU an interrupted and resumed
    run has the weights of an uninterrupted one, bit for bit.

    Args:
        model: trained in place, where it is; several processes train where Accelerate puts them.
        loss: ``loss(model, batch, draws)`` gives a scalar, the mean over the batch. It calls the
            model it is given and takes its random numbers from ``draws``, a ``Draws``.
        data: a tensor, or anything with a length where ``data[indices]`` is a batch (a tensor, or
            tuples, lists, dicts of tensors), indices being a tensor of int64.
        recipe: how to train.
        folder: for checkpoints, log.csv and TensorBoard. If it holds checkpoints, the run goes on
            from the newest; a finished run returns at once. None writes nothing.
        optimizer: ``optimizer(parameters)`` gives a torch optimiser; AdamW by default. The
            recipe's rate is that of its first group of parameters, others keep their ratio to it.
        measure: ``measure(model)`` gives numbers by name, on the averaged model in evaluation
            mode; on several processes each measures, and the mean counts.
        measure_every: steps between measurements; None measures at the end only.
        about: kept in the checkpoints and compared on resume, such as the model's configuration;
            anything that JSON can hold.
        progress: whether the main process shows a bar.

    Returns:
        The ``Run``.

    Raises:
        DataError: if an argument makes no sense.
        ShapeError: if the loss is no scalar.
        NumericsError: if loss, gradient or weights stop being finite; nothing is saved after that.
        CheckpointError: if a checkpoint cannot be read or written, or is of another run.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, when the step is finished and saved.

    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> def loss(model, batch, draws):
    ...     return (model(batch) - 3 * batch).square().mean()
    >>> recipe = Recipe(steps=200, batch=16, rate=0.1, average=None)
    >>> run = fit(nn.Linear(1, 1), loss, x, recipe, progress=False)
    >>> round(run.model(torch.ones(1)).item(), 2)
    3.0
    """
    about = _plain(about)
    _check(model, data, measure_every)
    folder = None if folder is None else Path(folder)
    precision = recipe.precision
    with devices_for(model, precision=precision) as devices, kept_random_state(devices.device):
        trainer = Trainer(model, loss, data, recipe, devices=devices, optimizer=optimizer)
        try:
            loop = _Loop(trainer, folder, about, measure, measure_every)
            rows = loop.run(progress=progress and devices.is_main)
        finally:
            trainer.release()
    average = model if trainer.average is None else trainer.average.module
    return Run(model=model, average=average, history=rows, step=recipe.steps, folder=folder)


def _plain(about: Any) -> Any:
    """Return what JSON makes of it, so that it can be compared with what was read."""
    try:
        return json.loads(json.dumps(about))
    except (TypeError, ValueError) as error:
        raise DataError(f"about cannot be stored: {error}; expected what JSON can hold") from error


def _check(model: nn.Module, data: Any, measure_every: int | None) -> None:
    if not any(p.requires_grad for p in model.parameters()):
        raise DataError("the model has no parameter to train")
    if isinstance(data, list | tuple) or not hasattr(data, "__getitem__"):
        found = f"data is a {type(data).__name__}"
        raise DataError(f"{found}; expected a tensor, or a dataset where data[indices] is a batch")
    if len(data) == 0:
        raise DataError("the data is empty; expected at least one sample")
    if measure_every is not None and measure_every < 1:
        raise DataError(f"measure_every is {measure_every}; expected at least 1, or None")


class _Loop:
    """When to log, to measure, to save and to stop."""

    def __init__(
        self,
        trainer: Trainer,
        folder: Path | None,
        about: Any,
        measure: Callable | None,
        measure_every: int | None,
    ) -> None:
        self.trainer, self.folder, self.about = trainer, folder, about
        self.measure, self.measure_every = measure, measure_every
        self.recipe: Recipe = trainer.recipe
        self.devices: Devices = trainer.devices
        samples, made = len(trainer.data), type(trainer.optimizer).__name__
        self.fixed = {"samples": samples, "optimizer": made}  # may not change on resume

    def run(self, *, progress: bool) -> list[Row]:
        """Train to the end, and return all rows of the log."""
        checkpoint = self._resume()
        start = 0 if checkpoint is None else checkpoint.step
        rows = [] if self.folder is None else read_log(self.folder / LOG, until=start)
        self.devices.accelerator.wait_for_everyone()  # before the main process writes there
        if start == self.recipe.steps:
            return rows
        state = FRESH if checkpoint is None else checkpoint.progress["meter"]
        meter = Meter(self.devices, state, good=self._last_good)
        folder = self.folder if self.devices.is_main else None
        log = Log(folder, rows=rows, step=start, steps=self.recipe.steps, progress=progress)
        try:
            with Interruption() as interruption:
                for step, loss, norm in self.trainer.steps(start):
                    meter.add(step, loss, norm, samples=self.recipe.batch)
                    log.advance()
                    self._after(step, meter, log, interruption)
        finally:
            log.close()
        return rows

    def _after(self, step: int, meter: Meter, log: Log, interruption: Interruption) -> None:
        """Do what is due after a step."""
        recipe = self.recipe
        last = step == recipe.steps
        measures = self.measure is not None and (last or _due(step, self.measure_every))
        logs = measures or last or _due(step, recipe.log_every)
        if logs:
            row = meter.row(step, rate=learning_rate(recipe, step))
            with meter.paused():
                log.add({**row, **self._measure(step)} if measures else row)
        stops = interruption.asked
        if self.devices.processes > 1:  # all stop after the same step
            stops = logs and self.devices.anywhere(stops)
        if last or stops or _due(step, recipe.save_every):
            self._save(step, meter, log)
        if stops and not last:
            kept = "nothing was saved" if self.folder is None else f"{self.folder} can go on"
            raise KeyboardInterrupt(f"stopped after step {step}; {kept}")

    def _measure(self, step: int) -> Row:
        assert self.measure is not None
        trainer = self.trainer
        self.devices.seed(self.recipe.seed, "measure", step)
        model = trainer.model.eval() if trainer.average is None else trainer.average.module
        with torch.no_grad():
            values = {name: float(value) for name, value in self.measure(model).items()}
        trainer.model.train()
        return dict(zip(values, self.devices.mean([*values.values()]), strict=True))

    def _save(self, step: int, meter: Meter, log: Log) -> None:
        meter.read()
        with meter.paused():
            if not self.trainer.finite():
                good = self._last_good()
                raise NumericsError(f"a weight is no longer finite after step {step}; {good}")
            if self.folder is None:
                return
            error = None
            if self.devices.is_main:
                try:
                    log.settle()
                    self._write(self.folder, step, meter)
                except CheckpointError as caught:
                    error = caught
            failed = self.devices.anywhere(error is not None)  # nobody runs ahead, or waits
            if error is not None:
                raise error
            if failed:
                raise CheckpointError(f"the main process could not save step {step}")

    def _write(self, folder: Path, step: int, meter: Meter) -> None:
        state = {
            "recipe": asdict(self.recipe),
            "about": self.about,
            "versions": _versions(),
            "progress": {"meter": meter.state(), **self.fixed},
            **self.trainer.state(),
        }
        write_checkpoint(folder, step=step, keep=self.recipe.keep, state=state)

    def _resume(self) -> Checkpoint | None:
        """Load the newest checkpoint, if there is one, on every process."""
        if self.folder is None:
            return None
        newest = None
        if self.devices.is_main:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                remove_leftovers(self.folder)
            except OSError as error:
                raise CheckpointError(f"{self.folder} cannot be used: {error.strerror}") from error
            newest = newest_checkpoint(self.folder)
        newest = self.devices.from_main(None if newest is None else str(newest))
        if newest is None:
            return None
        checkpoint = read_checkpoint(newest)
        found = differences(checkpoint.recipe, self.recipe)
        fixed = {name: checkpoint.progress[name] for name in self.fixed}
        found += _compare(fixed, self.fixed) + _compare(checkpoint.about, self.about, "about")
        if found:
            raise CheckpointError(f"{newest} is of another run: " + "; ".join(found))
        self.trainer.load(checkpoint)
        return checkpoint

    def _last_good(self) -> str:
        newest = None if self.folder is None else newest_checkpoint(self.folder)
        return "no checkpoint was saved" if newest is None else f"{newest} is the last good one"


@cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("companion", "torch", "accelerate")}


def _due(step: int, every: int | None) -> bool:
    return every is not None and step % every == 0


def _compare(saved: Any, asked: Any, name: str = "") -> list[str]:
    """Return where two values of JSON differ, key by key."""
    if isinstance(saved, dict) and isinstance(asked, dict):
        keys = [*saved, *(key for key in asked if key not in saved)]
        pairs = [(key, saved.get(key, "nothing"), asked.get(key, "nothing")) for key in keys]
        return [d for key, a, b in pairs for d in _compare(a, b, f"{name}.{key}".lstrip("."))]
    return [] if saved == asked else [f"{name}: {saved} in the checkpoint, {asked} asked"]
