"""What is built, with which loss and which sampler: distances over three seeds. No timings.

Points in the plane: networks trained with either form of the loss, and on schedules for fewer
steps. Digits: one net a seed, trained on half of the digits, and every sampler from it.

Run: ``python benchmarks/diffusion/quality.py`` (``--quick``: one seed, few steps).
"""

import sys
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor, nn

from benchmarks.harness import arguments, write
from companion.diffusion import Schedule, UNet, denoising_loss, digit_quality, digits, sample
from companion.diffusion.toys import PointDenoiser, moons, sliced_wasserstein
from companion.training import Recipe, fit

SAMPLERS = {
    "ancestral": (1000, 200, 100, 50, 20, 10),
    "ddim": (200, 100, 50, 20, 10, 5),
    "dpm-solver++": (50, 20, 15, 10, 5),
    "greedy": (1000, 100, 20),
}
Form = Literal["reduced", "four-noise"]
FORMS: tuple[Form, ...] = ("reduced", "four-noise")
MEASURED = ("distance", "floor", "confidence", "precision", "recall", "copied", "apart")


def train(
    net: nn.Module, data: Tensor, schedule: Schedule, form: Form, recipe: Recipe
) -> nn.Module:
    """Return the averaged net, trained with one form of the loss."""

    def loss(model, batch, draws):
        t, noise = draws.integers(1, schedule.steps + 1), draws.normal(batch)
        if form == "four-noise":
            noise = (draws.normal(batch), noise)
        return denoising_loss(model, batch, schedule, form=form, t=t, noise=noise)

    return fit(net, loss, data, recipe, progress=False).average


def points(schedule: Schedule, form: Form, steps: int, seed: int) -> float:
    """Return the distance of 4000 points built by a fresh net from as many real ones."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    data, real = moons(20_000, generator=generator), moons(4000, generator=generator)
    recipe = Recipe(
        steps=steps, batch=256, rate=2e-3, warmup=50, decay="linear", average=0.99, seed=seed
    )
    net = train(PointDenoiser(), data, schedule, form, recipe)
    built = sample(net, schedule, (4000, 2), generator=generator)
    return round(sliced_wasserstein(built, real), 4)


def build_digits(seed: int, *, steps: int, count: int, samplers: dict) -> list[dict]:
    """Return the quality of `count` digits for each sampler and number of calls."""
    torch.manual_seed(seed)
    schedule, seen = Schedule.su(1000), digits().images[::2]
    recipe = Recipe(
        steps=steps, batch=128, rate=2e-3, warmup=100, decay="linear", average=0.999, seed=seed
    )
    net, rows = train(UNet.digits(), seen, schedule, "reduced", recipe), []
    for method, numbers in samplers.items():
        for calls in numbers:
            generator = torch.Generator().manual_seed(seed)
            built = sample(
                net, schedule, (count, 1, 8, 8), method=method, steps=calls, generator=generator
            )
            found = digit_quality(built, training=seen)
            row = {"seed": seed, "method": method, "calls": calls, "samples": count}
            row |= {name: round(float(getattr(found, name)), 4) for name in MEASURED}
            rows.append(row | {"classes": list(found.classes)})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    options = arguments(__doc__)
    options.device = torch.device("cpu")  # digits of record are those of a CPU
    seeds = [0] if options.quick else [0, 1, 2]
    lengths = [60] if options.quick else [300, 1000, 2000]
    losses = []
    for form in FORMS:
        for steps in lengths:
            found = [points(Schedule.su(200, largest=0.1), form, steps, s) for s in seeds]
            losses.append({"form": form, "steps": steps, "distance": found})
            print(losses[-1], flush=True)
    schedules = []
    for T in (30, 50, 100):
        for name, largest in (("copied", 0.02), ("scaled", 20 / T)):
            schedule = Schedule.su(T, largest=largest)
            found = [points(schedule, "reduced", lengths[-1], s) for s in seeds]
            left = round(float(schedule.alpha_bar[-1]), 4)
            schedules.append({"steps": T, "largest": name, "left": left, "distance": found})
            print(schedules[-1], flush=True)
    pairs = [[torch.Generator().manual_seed(s) for s in pair] for pair in ((10, 11), (12, 13))]
    real = [[moons(4000, generator=generator) for generator in pair] for pair in pairs]
    samplers = {"ddim": (10,)} if options.quick else SAMPLERS
    steps, count = (120, 200) if options.quick else (2000, 450)
    rows = []
    for seed in seeds:
        rows += build_digits(seed, steps=steps, count=count, samplers=samplers)
    record = {
        "losses": losses,
        "schedules": schedules,
        "floor": [round(sliced_wasserstein(*pair), 4) for pair in real],
        "steps": steps,
        "digits": rows,
    }
    print(write("diffusion-quality", options, ["scikit-learn"], record))


if __name__ == "__main__":
    main()
