"""One linear program a class, in as many processes as there are cores: what ours is timed beside.

``program`` is the exact program of the chapter, ``published`` the approach of Grivas, Bogoychev and
Lopez (2022) after its description: first reflections of a point, then the program for the centre of
the largest ball in the region, within a box. They solve it by Gurobi; here HiGHS solves both.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.optimize import linprog
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

PATIENCE = 100  # reflections, the default of the published program; its experiments had 2500
BOX = 100.0  # bound of each coordinate there


def program(weight: np.ndarray, k: int) -> bool:
    """Tell whether some z in the box has all (w_k - w_i) z >= t for a t > 0, by HiGHS."""
    differences = np.delete(weight, k, axis=0) - weight[k]
    count, dim = differences.shape
    found = linprog(
        np.r_[np.zeros(dim), -1.0],
        A_ub=np.c_[differences, np.ones(count)],
        b_ub=np.zeros(count),
        bounds=[(-1, 1)] * dim + [(None, 1)],
        method="highs",
    )
    return bool(found.status == 0 and -found.fun > 1e-9)


def published(weight: np.ndarray, k: int) -> bool:
    """Reflect w_k until k wins, at most ``PATIENCE`` times; else look for a ball in its region."""
    return reflected(weight, k) or ball(weight, k)


def reflected(weight: np.ndarray, k: int) -> bool:
    z = weight[k].copy()
    for _ in range(PATIENCE):
        winner = int(np.argmax(weight @ z))
        if winner == k:
            return bool(np.abs(z).max() <= BOX)
        normal = weight[k] - weight[winner]
        length = np.linalg.norm(normal)
        if length == 0:  # a duplicate: no reflection helps
            return False
        normal /= length
        z -= 2 * (normal @ z) * normal
    return False


def ball(weight: np.ndarray, k: int) -> bool:
    """Tell whether a ball of radius 1e-8 at least fits between the box and the differences."""
    differences = np.delete(weight, k, axis=0) - weight[k]
    count, dim = differences.shape
    found = linprog(
        np.r_[np.zeros(dim), -1.0],
        A_ub=np.c_[differences, np.linalg.norm(differences, axis=1)],
        b_ub=np.zeros(count),
        bounds=[(-BOX, BOX)] * dim + [(1e-8, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-9},  # as there, and below the least radius
    )
    return found.status == 0 and bool((differences @ found.x[:-1]).max() < 0)


# ------------------------------------------------------------------------ in several processes

SOLVERS: dict[str, Callable[[np.ndarray, int], bool]] = {
    "one HiGHS program a class": program,
    "reflections, then a program": published,
}
_WEIGHT: list[np.ndarray] = []  # of a worker, for the time of its life


@dataclass(frozen=True)
class Solved:
    """Verdicts of some classes, the wall seconds for all of them, and the seconds of each."""

    verdicts: list[bool]
    seconds: float
    each: list[float]


class Workers:
    """Processes that hold the weight, each with one thread."""

    def __init__(self, pool: ProcessPoolExecutor, count: int) -> None:
        self.pool, self.count = pool, count

    def solve(self, name: str, classes: list[int]) -> Solved:
        """Let the processes take the classes one by one."""
        start = time.perf_counter()
        chunk = max(1, len(classes) // (8 * self.count))  # sending a class takes time, too
        done = list(self.pool.map(_solve, [name] * len(classes), classes, chunksize=chunk))
        seconds = time.perf_counter() - start
        return Solved([verdict for verdict, _ in done], seconds, [each for _, each in done])


@contextmanager
def workers(weight: Path, count: int) -> Iterator[Workers]:
    """Start processes for the weight in an .npy file; they are warm when this returns."""
    context = get_context("spawn")
    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_prepare, initargs=(str(weight),)
    ) as pool:
        ready = Workers(pool, count)
        for name in SOLVERS:
            ready.solve(name, [0] * count)
        yield ready


def _prepare(weight: str) -> None:
    threadpool_limits(1)
    _WEIGHT.append(np.load(weight))


def _solve(name: str, k: int) -> tuple[bool, float]:
    start = time.perf_counter()
    verdict = SOLVERS[name](_WEIGHT[0], k)
    return verdict, time.perf_counter() - start
