"""Deep classifiers with and without a rule: loss and accuracy. No timings, but CPU seconds.

Run: ``python benchmarks/depth/training.py`` (``--quick``: ten layers, few steps).
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import nn

from benchmarks.harness import arguments, write
from companion.depth import (
    Attention,
    DeepClassifier,
    DepthScaling,
    FeedForward,
    Labelled,
    ResidualStack,
    accuracy,
    cross_entropy,
    majority,
    spirals,
)
from companion.errors import NumericsError
from companion.training import Recipe, fit

DIM, HIDDEN = 16, 32
RULES: dict[str, Callable[[int], tuple[str, DepthScaling]]] = {
    "post": lambda layers: ("post", DepthScaling()),
    "pre": lambda layers: ("pre", DepthScaling()),
    "deepnet": lambda layers: ("post", DepthScaling.deepnet("encoder", layers)),
    "adam": lambda layers: ("post", DepthScaling.for_optimizer("adam", layers, "post")),
    "adam, pre": lambda layers: ("pre", DepthScaling.for_optimizer("adam", layers, "pre")),
}


@dataclass(frozen=True)
class Run:
    """One network, trained once."""

    task: str
    layers: int
    rule: str
    rate: float
    steps: int
    seed: int
    batch: int = 64
    warmup: int = 0
    affine: bool = False
    sgd: bool = False


def network(run: Run) -> tuple[DeepClassifier, Labelled]:
    torch.manual_seed(run.seed)
    norm, scaling = RULES[run.rule](run.layers)
    generator = torch.Generator().manual_seed(8978)
    if run.task == "spirals":
        layer = [lambda: FeedForward(DIM, HIDDEN)] * 2
        embedding, data = nn.Linear(2, DIM), spirals(5000, generator=generator)
    else:
        layer = [lambda: Attention(DIM), lambda: FeedForward(DIM, HIDDEN)]
        embedding, data = nn.Embedding(8, DIM), majority(5000, generator=generator)
    affine = DIM if run.affine else None
    stack = ResidualStack(layer, run.layers, norm=norm, scaling=scaling, affine=affine)
    return DeepClassifier(embedding, stack, dim=DIM), data


def train(run: Run) -> dict[str, object]:
    model, data = network(run)
    seen = Labelled(*data[torch.arange(4000)])
    held = Labelled(*data[torch.arange(4000, 5000)])
    recipe = Recipe(
        steps=run.steps, batch=run.batch, rate=run.rate, warmup=run.warmup, clip=None,
        average=None, log_every=max(1, run.steps // 12), seed=run.seed,
    )  # fmt: skip
    make = (lambda p: torch.optim.SGD(p, lr=run.rate)) if run.sgd else None
    start = time.process_time()
    try:
        done = fit(model, cross_entropy, seen, recipe, optimizer=make, progress=False)
        losses = [round(row["loss"], 4) for row in done.history]
        share = round(accuracy(model, held), 4)
    except NumericsError as error:  # a loss that is no longer finite is a result
        losses, share = str(error), None
    spent = round(time.process_time() - start, 1)
    print(run, losses if isinstance(losses, str) else losses[-1], share, spent, flush=True)
    return vars(run) | {"losses": losses, "accuracy": share, "cpu_s": spent}


def runs(quick: bool) -> list[Run]:
    if quick:
        return [Run(task, 10, "deepnet", 2e-3, 4, 0) for task in ("spirals", "majority")]
    seeds = (0, 1, 2)
    rates = (1e-4, 3e-4, 1e-3, 3e-3)
    found = [
        Run("spirals", 100, rule, rate, 60, seed)
        for rule in ("post", "pre", "deepnet", "adam", "adam, pre")
        for rate in rates
        for seed in seeds[:2]
    ]
    found += [
        Run("spirals", 300, "adam", 3e-3, 60, seed, affine=affine)
        for affine in (False, True)
        for seed in seeds
    ]
    found += [Run("spirals", 1000, "deepnet", 2e-3, 36, seed) for seed in seeds]
    found += [Run("spirals", 1000, "post", rate, 36, 0) for rate in (1e-5, 1e-4, 2e-3)]
    found += [
        Run("spirals", 1000, "post", 2e-3, 36, 0, warmup=24),
        Run("spirals", 1000, "post", 1e-2, 36, 0, sgd=True),
        Run("spirals", 1000, "pre", 1e-4, 36, 0),
        Run("spirals", 1000, "pre", 2e-3, 36, 0),
    ]
    found += [
        Run("majority", 1000, rule, 2e-3, 24, seed, batch=16)
        for rule, seed in (("deepnet", 0), ("post", 0), ("deepnet", 1), ("deepnet", 2))
    ]
    return found


def main() -> None:
    options = arguments(__doc__)
    options.device = torch.device("cpu")  # digits of record are those of a CPU
    cases = [train(run) for run in runs(options.quick)]
    record = {"dim": DIM, "hidden": HIDDEN, "cases": cases}
    print(write("depth-training", options, ["accelerate"], record))


if __name__ == "__main__":
    main()
