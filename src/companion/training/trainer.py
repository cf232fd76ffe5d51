"""One optimiser step, and the state that lives from step to step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from companion.errors import CheckpointError, DataError, ShapeError
from companion.training.average import Average
from companion.training.checkpoint import Checkpoint
from companion.training.devices import Devices, channels_innermost, place
from companion.training.draws import Draws
from companion.training.order import Order, seed_of, shares
from companion.training.recipe import Recipe, learning_rate

__all__ = ["Trainer"]

# What Accelerate writes into a model; the first holds its autocast.
MARKS = ("forward", "_original_forward", "_is_accelerate_prepared")


class Trainer:
    """Model, optimiser and average of a run, and how a step changes them.

    Args:
        model: is moved to the device, and changed in place.
        loss, data, recipe, optimizer: as in ``fit``.
        devices: where it computes.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable,
        data: Any,
        recipe: Recipe,
        *,
        devices: Devices,
        optimizer: Callable | None,
    ) -> None:
        self.model, self.loss, self.data = model, loss, data
        self.recipe, self.devices = recipe, devices
        self.order = Order(samples=len(data), batch=recipe.batch, seed=recipe.seed)
        self.shares = shares(
            recipe.batch,
            processes=devices.processes,
            process=devices.process,
            accumulate=recipe.accumulate,
        )
        if recipe.channels_last:
            model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        elif devices.device.type == "cpu":  # whose convolutions are up to a third faster so
            channels_innermost(model)
        limit = recipe.average
        self.average = None if limit is None else Average(model, limit=limit)
        model.to(devices.device)  # an optimiser may make its state, on the device, at once
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        made = self._adamw() if optimizer is None else optimizer(self.parameters)
        self.optimizer: torch.optim.Optimizer = made
        rates = [float(group["lr"]) for group in made.param_groups]
        self._ratios = [rate / rates[0] if rates[0] else 1.0 for rate in rates]
        self._found = {name: model.__dict__[name] for name in MARKS if name in model.__dict__}
        model.__dict__.pop(MARKS[-1], None)  # or Accelerate would take the model for its own
        self.prepared = devices.accelerator.prepare_model(model)
        self.called = torch.compile(self.prepared) if recipe.compile else self.prepared
        if self.average is not None:
            self.average.restart(model)

    def _adamw(self) -> torch.optim.Optimizer:
        fused = all(p.device.type in ("cpu", "cuda") for p in self.parameters)
        return torch.optim.AdamW(
            self.parameters,
            lr=self.recipe.rate,
            weight_decay=self.recipe.weight_decay,
            fused=fused,
        )

    def steps(self, start: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Train from after step ``start``: yield each step, its loss, and its gradient norm."""
        self.model.train()
        batches = iter(self._loader(start)) if self.recipe.workers else None
        for step in range(start + 1, self.recipe.steps + 1):
            yield step, *self._step(step, batches)

    def _step(self, step: int, batches: Iterator | None) -> tuple[Tensor, Tensor]:
        for group, ratio in zip(self.optimizer.param_groups, self._ratios, strict=True):
            group["lr"] = learning_rate(self.recipe, step) * ratio
        losses = []
        for micro, rows in enumerate(self.shares):
            self.devices.seed(self.recipe.seed, f"dropout {micro}", step)
            batch = next(batches) if batches is not None else self.data[self.order.rows(step)[rows]]
            more = micro + 1 < len(self.shares)
            with self.devices.unsynchronised(self.prepared, wanted=more):
                losses.append(self._backward(step, rows, batch))
        norm = self._clip()
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update(self.model, step=step)
        return (losses[0] if len(losses) == 1 else torch.stack(losses).sum()), norm

    def _backward(self, step: int, rows: slice, batch: Any) -> Tensor:
        """Add the gradients of one micro-batch; return its part of the loss."""
        recipe, device = self.recipe, self.devices.device
        batch = place(batch, device, channels_last=recipe.channels_last)
        draws = Draws(recipe.batch, rows=rows, seed=recipe.seed, step=step, device=device)
        loss = self.loss(self.called, batch, draws)
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            found = "a tensor without a gradient" if isinstance(loss, Tensor) else repr(loss)
            raise DataError(f"loss returned {found}; expected a scalar that depends on the model")
        if loss.ndim:
            raise ShapeError(f"loss has shape {tuple(loss.shape)}; expected a scalar, a mean")
        if len(self.shares) > 1:
            loss = loss / len(self.shares)
        self.devices.accelerator.backward(loss)
        return loss.detach()

    def _clip(self) -> Tensor:
        """Scale the gradient down to the longest allowed; return how long it was."""
        if self.recipe.clip is not None:
            norm = self.devices.accelerator.clip_grad_norm_(self.parameters, self.recipe.clip)
        else:
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            norm = nn.utils.get_total_norm(gradients)
        return norm.to(self.devices.device)

    def _loader(self, start: int) -> torch.utils.data.DataLoader:
        """Load ahead in other processes, in the same order as without them."""
        steps = range(start + 1, self.recipe.steps + 1)
        indices = (self.order.rows(step)[rows] for step in steps for rows in self.shares)
        return torch.utils.data.DataLoader(
            self.data,
            batch_size=None,
            sampler=indices,  # pyright: ignore[reportArgumentType]  (any iterable will do)
            num_workers=self.recipe.workers,
            pin_memory=self.devices.device.type == "cuda",
            generator=torch.Generator().manual_seed(seed_of(self.recipe.seed, "workers", start)),
        )

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds of it."""
        average = None if self.average is None else self.average.module.state_dict()
        return {
            "model": dict(self.model.state_dict()),
            "average": None if average is None else dict(average),
            "optimizer": self.optimizer.state_dict(),
        }

    def load(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            CheckpointError: if it holds other tensors than this model and optimiser have.
        """
        _load(self.model, checkpoint.model, f"{checkpoint.path}: the model")
        if self.average is not None and checkpoint.average is not None:
            _load(self.average.module, checkpoint.average, f"{checkpoint.path}: the average")
        flat = [p for group in self.optimizer.param_groups for p in group["params"]]
        state = dict(checkpoint.optimizer)
        state["state"] = {
            index: {key: _laid_out(value, flat[index]) for key, value in values.items()}
            for index, values in state["state"].items()
        }
        try:
            self.optimizer.load_state_dict(state)
        except ValueError as error:
            raise CheckpointError(f"{checkpoint.path}: the optimiser: {error}") from error

    def finite(self) -> bool:
        """Tell whether every weight is finite."""
        with torch.no_grad():
            return bool(torch.stack([p.isfinite().all() for p in self.parameters]).all())

    def release(self) -> None:
        """Take Accelerate's wrapping off the model again, and leave training mode."""
        for name in MARKS:
            self.model.__dict__.pop(name, None)
        self.model.__dict__.update(self._found)
        self.model.zero_grad()
        self.model.eval()


def _load(module: nn.Module, saved: dict[str, Tensor], where: str) -> None:
    wanted = module.state_dict()
    for key in [*wanted, *saved]:
        shapes = [tuple(d[key].shape) if key in d else "nothing" for d in (saved, wanted)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(f"{where} has {shapes[0]} for {key}; expected {shapes[1]}")
    module.load_state_dict(saved)


def _laid_out(value: Any, parameter: Tensor) -> Any:
    """Give a tensor of the optimiser the order in memory and the device of its parameter."""
    if not isinstance(value, Tensor) or value.ndim == 0 or value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
