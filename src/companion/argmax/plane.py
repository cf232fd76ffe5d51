"""Words as points of the plane: corners of their hull, and the directions in which each wins.

Everything is exact up to rounding, by cases, in Python numbers: the figures of the chapter rest
on it, and the page computes the same in JavaScript.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from companion.errors import DataError

__all__ = ["distance_from_hull", "hull_corners", "winning_arcs"]

Number = float | int
Pair = tuple[Number, Number]
NARROW = 1e-9  # radians: what is narrower is a tie


def cross(a: Pair, b: Pair, c: Pair) -> float:
    """Return twice the area of a triangle, positive when it turns to the left."""
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def hull_corners(points: Sequence[Pair]) -> list[int]:
    """Return the positions of the corners of the hull, counterclockwise from the lowest x.

    A point on an edge is no corner; of equal points the first one counts.

    >>> hull_corners([(0, 0), (1, 0), (1, 1), (0, 1), (0.5, 0.5), (0.5, 0)])
    [0, 1, 2, 3]
    """
    first = {(x, y): index for index, (x, y) in reversed([*enumerate(points)])}
    order = sorted(first)
    chains: list[list[Pair]] = []
    for run in (order, order[::-1]):  # the lower side, then the upper one (Andrew, 1979)
        chain: list[Pair] = []
        for point in run:
            while len(chain) > 1 and cross(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        chains.append(chain[:-1])
    return [first[point] for point in chains[0] + chains[1]] or [0]


def distance_from_hull(point: Pair, others: Sequence[Pair]) -> float:
    """Return how far a point lies outside the hull of others, 0 if it is inside.

    That is the greatest lead of its word over the others in a state of length 1.

    >>> distance_from_hull((1, 2), [(0, 0), (2, 0), (1, 1)])
    1.0
    """
    if not others:
        raise DataError("others: found none, expected one at least")
    for a, b, c in combinations(others, 3):
        turns = cross(a, b, point), cross(b, c, point), cross(c, a, point)
        if cross(a, b, c) and (min(turns) >= 0 or max(turns) <= 0):
            return 0.0
    nearest = math.dist(point, others[0])
    for a, b in combinations(others, 2):
        ways = (b[0] - a[0], b[1] - a[1])
        square = ways[0] ** 2 + ways[1] ** 2
        along = (point[0] - a[0]) * ways[0] + (point[1] - a[1]) * ways[1]
        share = min(1.0, max(0.0, along / square)) if square else 0.0
        spot = (a[0] + share * ways[0], a[1] + share * ways[1])
        nearest = min(nearest, math.dist(point, spot))
    return nearest


def winning_arcs(
    points: Sequence[Pair], word: int, *, bias: Sequence[Number] = (), radius: Number = 1.0
) -> list[tuple[float, float]]:
    r"""Return the arcs of the circle :math:`\|z\| = r` on which a word wins, as (start, width).

    Word k beats word i where :math:`r|\Delta w_i|\cos(\theta - \varphi_i) > -\Delta b_i`, on one
    arc around the direction :math:`\varphi_i` of :math:`\Delta w_i`; it wins where it beats all.
    In radians, the starts from 0 to 2π and rising; without bias there is one arc at most.

    >>> square = [(1, 2), (2, 1), (1, 0), (0, 1), (1, 1)]
    >>> [[round(math.degrees(a)) for a in arc] for arc in winning_arcs(square, 0)]
    [[45, 90]]
    >>> winning_arcs(square, 4)                    # in the middle: never
    []
    """
    shifts = bias or [0.0] * len(points)
    if not (len(shifts) == len(points) and 0 <= word < len(points) and radius > 0):
        found = f"{len(points)} points, {len(shifts)} biases, word {word}, radius {radius}"
        raise DataError(f"{found}; expected as many biases as points, a word of them, radius > 0")
    limits: list[tuple[float, float]] = []  # the middle of an arc, and half its width
    for point, shift in zip(
        [*points[:word], *points[word + 1 :]], [*shifts[:word], *shifts[word + 1 :]], strict=True
    ):
        dx, dy = points[word][0] - point[0], points[word][1] - point[1]
        reach, lead = radius * math.hypot(dx, dy), float(shifts[word] - shift)
        if lead > reach:
            continue
        if lead <= -reach:
            return []
        limits.append((math.atan2(dy, dx), math.acos(-lead / reach)))
    if not limits:
        return [(0.0, 2 * math.pi)]
    return [arc for arc in _between(limits) if arc[1] > NARROW]


def _between(limits: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Cut the circle at the ends of all arcs; keep the pieces that lie in every one."""
    ends = sorted(_turn(middle + sign * half) for middle, half in limits for sign in (-1, 1))
    found = []
    for start, end in zip(ends, [*ends[1:], ends[0] + 2 * math.pi], strict=True):
        angle = (start + end) / 2
        if all(abs(_turn(angle - m + math.pi) - math.pi) < half for m, half in limits):
            found.append((start, end - start))
    return found


def _turn(angle: float) -> float:
    """The angle from 0 to 2π; rounded first, so that what should be 0 is."""
    return math.floor(angle * 1e12 + 0.5) / 1e12 % (2 * math.pi)
