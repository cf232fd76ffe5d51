"""A run that takes a blink and has everything in it: dropout, buffers, noise, an average."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from companion.training import Draws, Recipe, Run, fit
from companion.training.logs import Row

RECIPE = Recipe(steps=40, batch=8, rate=0.01, warmup=5, decay="cosine", save_every=7, log_every=5)
DATA = torch.randn(30, 4, generator=torch.Generator().manual_seed(1))


def net(seed: int = 0, *, dropout: float = 0.2, norm: bool = True, width: int = 16) -> nn.Module:
    torch.manual_seed(seed)
    middle = nn.BatchNorm1d(width) if norm else nn.Identity()
    return nn.Sequential(
        nn.Linear(4, width), middle, nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, 1)
    )


def loss(model: nn.Module, batch: Tensor, draws: Draws) -> Tensor:
    noisy = batch + 0.1 * draws.normal(batch)
    return (model(noisy) - batch.sum(dim=1, keepdim=True)).square().mean()


def weigh(model: nn.Module) -> dict[str, float]:
    return {"weight": next(model.parameters()).sum().item()}


def train(folder: Path | str | None = None, *, changes: dict[str, Any] | None = None) -> Run:
    """The small run, in a folder; with another recipe if there are changes."""
    recipe = replace(RECIPE, **(changes or {}))
    return fit(
        net(),
        loss,
        DATA,
        recipe,
        folder=folder,
        measure=weigh,
        measure_every=20,
        about={"width": 16},
        progress=False,
    )


def timeless(rows: list[Row]) -> list[Row]:
    """The rows without what the clock says."""
    return [
        {k: v for k, v in r.items() if k not in ("seconds", "samples_per_second")} for r in rows
    ]


def same(first: nn.Module, second: nn.Module) -> bool:
    """Whether two models agree in every bit of weights and buffers."""
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
