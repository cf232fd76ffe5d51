"""Descent directions of this package and of TorchJD on the same gradients: time and exactness.

Four tables: ``directions`` (from the gradients), ``weights`` (from their Gram matrix alone),
``degenerate`` (who fails where) and ``nearly_opposite`` (the angle at which each gives up).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor
from torchjd.aggregation import MGDA, DualProj, UPGrad
from torchjd.linalg import QuadprogProjector

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness import Contestant, arguments, race, write
from companion.multitask import (
    common_descent,
    gram_weights,
    kkt_residual,
    primary_descent,
)

OURS = "companion"
STEPS = {True: 100, False: 2000}  # by whether it has to be quick
Solver = Callable[[Tensor], tuple[Tensor, Tensor]]  # gradients -> update, one weight per gradient


def conflicting(tasks: int, dim: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return gradients whose auxiliaries lean against the primary, row 0, by -0.3 of its length."""
    g = torch.randn(tasks, dim, dtype=dtype, device=device)
    g[1:] -= 0.3 * g[0]
    return g


def aggregators(tasks: int, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    """Return TorchJD's rules that prefer row 0, with their defaults and as exact as they go."""
    first = torch.eye(tasks, dtype=dtype, device=device)[0]
    exact = QuadprogProjector(norm_eps=0.0, reg_eps=1e-12)
    return {
        "DualProj": DualProj(first),
        "DualProj tight": DualProj(first, projector=exact),
        "UPGrad": UPGrad(first),
        "UPGrad tight": UPGrad(first, projector=exact),
    }


def hull_aggregators(steps: int) -> dict[str, Any]:
    """Return TorchJD's rule for equals, with its defaults and with so many steps at most."""
    return {"MGDA": MGDA(), f"MGDA {steps} steps": MGDA(epsilon=1e-12, max_iters=steps)}


# ------------------------------------------------------------------------- from the gradients


def residual(g: Tensor, update: Tensor, weights: Tensor, primaries: int) -> float:
    return kkt_residual(update, weights, g, primaries=primaries)


def direction_contestants(g: Tensor, steps: int) -> list[Contestant]:
    """Return one contestant per rule; a peer counts if it comes within a tenth of the optimum."""

    def of_peer(aggregate: Any, primaries: int) -> Callable[[Tensor], float]:
        weighting = aggregate.gramian_weighting
        return lambda update: residual(g, update, weighting(g @ g.T), primaries)

    def of_primary(found: Any) -> float:
        return residual(g, found.update, torch.cat([torch.ones(1), found.weights]), 1)

    def of_common(found: Any) -> float:
        return residual(g, found.update, found.weights, len(g))

    exact = 1e-8 if g.dtype == torch.float64 else 1e-6
    primary, common = f"{OURS} primary", f"{OURS} common"
    contestants = [Contestant(primary, lambda: primary_descent(g[0], g[1:]), of_primary, exact)]
    for name, rule in aggregators(len(g), g.dtype, g.device).items():
        contestants.append(Contestant(name, lambda rule=rule: rule(g), of_peer(rule, 1), 0.1))
    contestants.append(Contestant(common, lambda: common_descent(g), of_common, exact))
    for name, rule in hull_aggregators(steps).items():
        solve, error = (lambda rule=rule: rule(g)), of_peer(rule, len(g))
        contestants.append(Contestant(name, solve, error, 0.1))
    return contestants


def directions(quick: bool, device: torch.device) -> list[dict[str, Any]]:
    rows = []
    for dim in [10**3] if quick else [10**3, 10**4, 10**5, 10**6, 10**7]:
        dtype = torch.float64 if dim <= 10**6 else torch.float32
        for tasks in [2, 4] if quick else [2, 4, 8, 16]:
            g = conflicting(tasks, dim, dtype, device)
            contestants = direction_contestants(g, STEPS[quick])
            results = race(contestants, device, rounds=5 if quick else 20)
            rows.append({"tasks": tasks, "dim": dim, "dtype": str(dtype)[6:], "results": results})
            print(f"directions m={tasks} d={dim:.0e}: {in_words(results)}", flush=True)
    return rows


# --------------------------------------------------------------------- from the Gram matrix


def weight_contestants(g: Tensor, steps: int) -> list[Contestant]:
    """Return the solvers alone: the Gram matrix is given, in float64 on the CPU."""
    gram, tasks = g @ g.T, len(g)
    contestants = []

    def enter(name: str, solve: Callable[[], Tensor], primaries: int) -> None:
        error = lambda weights: residual(g, weights @ g, weights, primaries)  # noqa: E731
        contestants.append(Contestant(name, solve, error, 0.1))

    enter(f"{OURS} primary", lambda: gram_weights(gram, primaries=1), 1)
    for name, rule in aggregators(tasks, g.dtype, g.device).items():
        enter(name, lambda rule=rule: rule.gramian_weighting(gram), 1)
    enter(f"{OURS} common", lambda: gram_weights(gram, primaries=tasks), tasks)
    for name, rule in hull_aggregators(steps).items():
        enter(name, lambda rule=rule: rule.gramian_weighting(gram), tasks)
    return contestants


def weights_from_gram(quick: bool) -> list[dict[str, Any]]:
    rows, cpu = [], torch.device("cpu")
    for tasks in [2, 4] if quick else [2, 4, 8, 16]:
        g = conflicting(tasks, 200, torch.float64, cpu)
        results = race(weight_contestants(g, STEPS[quick]), cpu, rounds=5 if quick else 50)
        rows.append({"tasks": tasks, "results": results})
        print(f"weights m={tasks}: {in_words(results)}", flush=True)
    return rows


def in_words(results: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{name} {1e3 * one['median_s']:.3g} ms" if one["passed"] else f"{name} failed"
        for name, one in results.items()
    )


# ------------------------------------------------------------------------- hard gradients


def solvers(tasks: int, steps: int) -> dict[str, tuple[Solver, bool]]:
    """Return every way to a direction, and whether its rows are all equals (hull) or not."""

    def ours(g: Tensor) -> tuple[Tensor, Tensor]:
        found = primary_descent(g[0], g[1:])
        return found.update, torch.cat([torch.ones(1), found.weights])

    def ours_common(g: Tensor) -> tuple[Tensor, Tensor]:
        found = common_descent(g)
        return found.update, found.weights

    def ours_gram(g: Tensor) -> tuple[Tensor, Tensor]:
        weights = gram_weights(g @ g.T, primaries=1)
        return weights @ g, weights

    def scipy_nnls(g: Tensor) -> tuple[Tensor, Tensor]:
        lengths = g.norm(dim=1).clamp(min=1e-300)
        columns = torch.linalg.qr((g / lengths[:, None]).T, mode="r").R.numpy()
        found = nnls(columns[:, 1:], -columns[:, 0])[0] * float(lengths[0])
        weights = torch.cat([torch.ones(1), torch.from_numpy(found) / lengths[1:]])
        return weights @ g, weights

    def peer(rule: Any) -> Solver:
        return lambda g: (rule(g), rule.gramian_weighting(g @ g.T))

    first = {OURS: ours, f"{OURS}, Gram matrix alone": ours_gram, "scipy nnls after QR": scipy_nnls}
    peers = aggregators(tasks, torch.float64, torch.device("cpu"))
    found = {name: (solve, False) for name, solve in first.items()}
    found |= {name: (peer(rule), False) for name, rule in peers.items()}
    found |= {f"{OURS} common": (ours_common, True)}
    return found | {name: (peer(rule), True) for name, rule in hull_aggregators(steps).items()}


def judge(g: Tensor, steps: int, *, hull: bool = True) -> dict[str, Any]:
    """Return the KKT residual of every solver on ``g``, or what it raised."""
    outcome: dict[str, Any] = {}
    for name, (solve, equals) in solvers(len(g), steps).items():
        if equals and not hull:
            continue
        try:
            update, weights = solve(g)
            error = residual(g, update, weights, len(g) if equals else 1)
            outcome[name] = error if np.isfinite(error) else str(error)
        except Exception as problem:  # a peer may raise anything: what it raised is the result
            outcome[name] = f"{type(problem).__name__}: {problem}"[:120]
    return outcome


def degenerate_cases() -> dict[str, Tensor]:
    g = conflicting(4, 50, torch.float64, torch.device("cpu"))
    g[1] -= g[0]
    g[2] -= g[0]
    g /= g[0].norm()
    spread = torch.tensor([1.0, 1e6, 1e-6, 1e3], dtype=torch.float64)[:, None]
    cases = {
        "conflicting": g,
        "zero auxiliary": torch.cat([g[:2], 0 * g[:1], g[3:]]),
        "zero primary": torch.cat([0 * g[:1], g[1:]]),
        "all zero": 0 * g,
        "duplicate": torch.cat([g[:3], g[1:2]]),
        "duplicate times 1000": torch.cat([g[:3], 1000 * g[1:2]]),
        "auxiliary is minus primary": torch.cat([g[:3], -g[:1]]),
        "opposing auxiliaries": torch.cat([g[:3], -g[1:2] / 3]),
        "auxiliaries cancel": torch.cat([g[:3], -(g[1:2] + g[2:3])]),
        "lengths 1e-6 to 1e6": spread * g,
    }
    return cases | {f"all times 1e{k}": 10.0**k * g for k in (-2, -3, -4, -8, -12, 8, 12)}


def nearly_opposite(quick: bool) -> list[dict[str, Any]]:
    """Turn one auxiliary away from the opposite of another, less and less; primary rules only."""
    g = torch.randn(3, 50, dtype=torch.float64)
    rows = []
    for exponent in (1, 7, 14) if quick else range(1, 16):
        h = g.clone()
        h[2] = -3 * g[1] + 10.0**-exponent * (g[2] - 0.5 * g[0])
        rows.append({"angle": 10.0**-exponent, "residual": judge(h, STEPS[quick], hull=False)})
    return rows


def main() -> None:
    options = arguments(__doc__)
    steps = STEPS[options.quick]
    record = {
        "degenerate": {name: judge(g, steps) for name, g in degenerate_cases().items()},
        "nearly_opposite": nearly_opposite(options.quick),
        "weights": weights_from_gram(options.quick),
        "directions": directions(options.quick, options.device),
    }
    print(write("directions", options, ["torchjd", "quadprog", "qpsolvers"], record))


if __name__ == "__main__":
    main()
