"""A wide Transformer of a thousand layers, with the rule and without, and the memory of a step.

Meant for a GPU: ``python benchmarks/depth/wide.py --device cuda`` (``--quick``: ten narrow layers,
on any device). Every setting trains from the same seeds; memory is that of one training step.
"""

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import nn

from benchmarks.harness import arguments, peak_bytes, write
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
)
from companion.errors import NumericsError
from companion.training import Recipe, fit

SIZES = {
    False: {"layers": 1000, "dim": 256, "heads": 4, "length": 63, "batch": 64, "steps": 200},
    True: {"layers": 10, "dim": 16, "heads": 2, "length": 9, "batch": 16, "steps": 4},
}
RULES = ("deepnet", "adam", "post")


def scaling(rule: str, layers: int) -> DepthScaling:
    if rule == "deepnet":
        return DepthScaling.deepnet("encoder", layers)
    return DepthScaling.for_optimizer("adam", layers) if rule == "adam" else DepthScaling()


def network(size: dict[str, int], rule: str, *, seed: int, every: int | None) -> DeepClassifier:
    torch.manual_seed(seed)
    dim, layers = size["dim"], size["layers"]
    layer = [lambda: Attention(dim, size["heads"]), lambda: FeedForward(dim)]
    stack = ResidualStack(layer, layers, scaling=scaling(rule, layers), checkpoint_every=every)
    return DeepClassifier(nn.Embedding(8, dim), stack, dim=dim)


def train(size: dict[str, int], rule: str, data: Labelled, held: Labelled, options: Any, seed: int):
    model = network(size, rule, seed=seed, every=40).to(options.device)
    recipe = Recipe(
        steps=size["steps"], batch=size["batch"], rate=3e-4, warmup=size["steps"] // 10, clip=None,
        average=None, log_every=max(1, size["steps"] // 20), seed=seed,
    )  # fmt: skip
    start = time.perf_counter()
    try:
        run = fit(model, cross_entropy, data, recipe, progress=False)
        losses: list[float] | str = [round(row["loss"], 4) for row in run.history]
        share = round(accuracy(model.to(options.device), held), 4)
    except NumericsError as error:  # a loss that is no longer finite is a result
        losses, share = str(error), None
    seconds = round(time.perf_counter() - start, 1)
    print(rule, seed, losses[-1], share, seconds, flush=True)
    return {"rule": rule, "seed": seed, "losses": losses, "accuracy": share, "seconds": seconds}


def memory(size: dict[str, int], data: Labelled, device: torch.device) -> list[dict[str, Any]]:
    found = []
    for part in (4, 2, 1):
        for every in (None, 40):
            layers = size["layers"] // part
            model = network(size | {"layers": layers}, "deepnet", seed=0, every=every).to(device)
            batch = tuple(t.to(device) for t in data[torch.arange(size["batch"])])

            def step(model: DeepClassifier = model, batch: Any = batch) -> None:
                cross_entropy(model, batch).backward()

            step()  # the gradients are there before the count
            found.append({"layers": layers, "every": every, "bytes": peak_bytes(step, device)})
            print(found[-1], flush=True)
    return found


def main() -> None:
    options = arguments(__doc__)
    size = SIZES[options.quick]
    generator = torch.Generator().manual_seed(8978)
    data = majority(20_000, length=size["length"], generator=generator)
    held = majority(1000, length=size["length"], generator=generator)
    held = Labelled(held.inputs.to(options.device), held.labels.to(options.device))
    seeds = [0] if options.quick else [0, 1, 2]
    steps = memory(size, data, options.device)
    runs = [train(size, rule, data, held, options, seed) for rule in RULES for seed in seeds]
    record = {"size": size, "memory_of_a_step": steps, "cases": runs}
    print(write("depth-wide", options, ["accelerate"], record))


if __name__ == "__main__":
    main()
