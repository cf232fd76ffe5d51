"""Where a run computes: Accelerate's view of the processes and devices, and its random state."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from companion.errors import DataError
from companion.training.order import seed_of

__all__ = ["Devices", "devices_for", "has_triton", "kept_random_state", "place"]


class Devices:
    """The processes of a run and what they share; one process is the usual case.

    Attributes:
        accelerator: Hugging Face's ``Accelerator``.
        device: where this process computes.
    """

    def __init__(self, accelerator: Any) -> None:
        self.accelerator = accelerator
        self.device = torch.empty(0, device=accelerator.device).device  # with its number
        self.processes: int = accelerator.num_processes
        self.process: int = accelerator.process_index
        self.is_main: bool = accelerator.is_main_process

    def mean(self, values: list[float]) -> list[float]:
        """Return the mean over all processes of each value; the same on every process."""
        if self.processes == 1 or not values:
            return values
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        shared = torch.tensor(values, dtype=dtype, device=self.device)
        return self.accelerator.reduce(shared, reduction="mean").tolist()

    def anywhere(self, flag: bool) -> bool:
        """Tell whether any process raises the flag; every process has to ask."""
        return self.mean([float(flag)])[0] > 0

    def from_main(self, value: str | None) -> str | None:
        """Return the main process's value on every process."""
        if self.processes == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def seed(self, seed: int, stream: str, step: int) -> None:
        """Seed torch's own generators here: dropout differs between processes, not between runs."""
        value = seed_of(seed, f"{stream} {self.process}", step)
        torch.default_generator.manual_seed(value)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(value)
        elif self.device.type == "mps":
            torch.mps.manual_seed(value)

    def unsynchronised(self, model: nn.Module, *, wanted: bool) -> AbstractContextManager:
        """While gradients only add up, processes need not exchange them."""
        return self.accelerator.no_sync(model) if wanted else nullcontext()


@contextmanager
def devices_for(model: nn.Module, *, precision: str) -> Iterator[Devices]:
    """Open Accelerate for one run and leave its global state as it was.

    One process trains where the model is. Several processes, started by ``accelerate launch`` or
    ``torchrun``, train on one GPU each, whatever device the model was built on, and without GPUs
    on the CPU.

    Raises:
        DataError: if Accelerate is configured for another way of sharing the work.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState, PartialState
    from accelerate.utils import (
        DynamoBackend,
        GradientAccumulationPlugin,
        TorchDynamoPlugin,
        get_cpu_distributed_information,
    )

    started = get_cpu_distributed_information().world_size  # what the launcher tells, on any device
    alone = started == 1
    here = next(model.parameters()).device
    on_cpu = here.type == "cpu" if alone else not torch.cuda.is_available()
    kinds = [AcceleratorState, GradientState, *([PartialState] if alone else [])]
    before = [dict(kind._shared_state) for kind in kinds]
    for kind in kinds:
        kind._shared_state.clear()
    try:
        if alone and here.type == "cuda":
            torch.cuda.set_device(here)  # which Accelerate takes
        accelerator = Accelerator(
            mixed_precision="bf16" if precision == "bf16" else "no",
            cpu=on_cpu,
            dynamo_plugin=TorchDynamoPlugin(backend=DynamoBackend.NO),  # the recipe decides
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        )
        found, allowed = accelerator.distributed_type.value, ("NO", "MULTI_CPU", "MULTI_GPU")
        if found not in allowed or accelerator.num_processes != started:
            seen = f"{found} and {accelerator.num_processes} processes"
            raise DataError(f"Accelerate sees {seen}; expected one of {allowed} and {started}")
        yield Devices(accelerator)
    finally:
        for kind, state in zip(kinds, before, strict=True):
            kind._shared_state.clear()
            kind._shared_state.update(state)


@contextmanager
def kept_random_state(device: torch.device) -> Iterator[None]:
    """Give torch's generators back as they were."""
    cuda = [torch.cuda.current_device()] if device.type == "cuda" else []
    metal = torch.mps.get_rng_state() if device.type == "mps" else None
    with torch.random.fork_rng(devices=cuda):
        yield
    if metal is not None:
        torch.mps.set_rng_state(metal)


def channels_innermost(model: nn.Module) -> None:
    """Lay the weights of convolutions of pictures with the channels innermost; no other weights.

    >>> layer = nn.Conv2d(2, 3, 5)
    >>> channels_innermost(layer)
    >>> layer.weight.stride()
    (50, 1, 10, 2)
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def place(batch: Any, device: torch.device, *, channels_last: bool) -> Any:
    """Return a batch on a device: a tensor, or tuples, lists and dicts of tensors."""
    if isinstance(batch, Tensor):
        if device.type == "cuda" and batch.device.type == "cpu" and not batch.is_pinned():
            batch = batch.pin_memory()  # else the copy would wait for the device
        last = channels_last and batch.ndim == 4
        layout = torch.channels_last if last else torch.preserve_format
        return batch.to(device, non_blocking=True, memory_format=layout)
    if isinstance(batch, dict):
        return {k: place(v, device, channels_last=channels_last) for k, v in batch.items()}
    if isinstance(batch, list | tuple):
        return type(batch)(place(v, device, channels_last=channels_last) for v in batch)
    return batch


def has_triton(without: str) -> bool:
    """Say whether Triton is installed; if not, warn, once, of what follows: ``without``."""
    if torch.compiler.is_compiling():  # which looks past a cache, and says so
        return find_spec("triton") is not None
    return _found_triton(without)


@cache
def _found_triton(without: str) -> bool:
    found = find_spec("triton") is not None
    if not found:
        warnings.warn(f"Triton is not installed: {without}", stacklevel=4)
    return found
