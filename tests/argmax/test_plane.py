"""Words in the plane: hull, distances and arcs against Qhull and scans; the page's model too."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from companion.argmax.plane import distance_from_hull, hull_corners, winning_arcs
from companion.errors import DataError
from companion.multitask import common_descent

ASSETS = Path(__file__).parents[2] / "book" / "_assets"
SQUARE = [(1.0, 2.0), (2.0, 1.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
seeds = st.integers(0, 2**20)


def cloud(seed: int, count: int) -> list[tuple[float, float]]:
    rows = np.random.default_rng(seed).standard_normal((count, 2))
    return [(float(x), float(y)) for x, y in rows]


@settings(max_examples=40)
@given(seed=seeds, count=st.integers(3, 12))
def test_corners_are_those_of_qhull_and_lie_outside_the_others(seed: int, count: int) -> None:
    points = cloud(seed, count)
    found = hull_corners(points)
    assert sorted(found) == sorted(ConvexHull(points).vertices.tolist())
    for k, point in enumerate(points):
        others = points[:k] + points[k + 1 :]
        assert (distance_from_hull(point, others) > 0) == (k in found)


@settings(max_examples=40)
@given(seed=seeds, count=st.integers(2, 9))
def test_distance_is_the_shortest_mixture_of_chapter_1(seed: int, count: int) -> None:
    point, *others = cloud(seed, count)
    differences = torch.tensor(np.subtract(point, others))
    shortest = float(common_descent(differences).update.norm())
    assert distance_from_hull(point, others) == pytest.approx(shortest, abs=1e-9)


@settings(max_examples=40)
@given(seed=seeds, count=st.integers(2, 8), biased=st.booleans())
def test_arcs_are_where_a_scan_sees_each_word_win(seed: int, count: int, biased: bool) -> None:
    points = cloud(seed, count)
    rng = np.random.default_rng(seed + 1)
    bias = (0.7 * rng.standard_normal(count)).tolist() if biased else []
    radius = float(rng.uniform(0.3, 4))
    angles = np.linspace(0, 2 * np.pi, 721)[:-1] + 1e-4
    z = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    logits = z @ np.array(points).T + np.array(bias or [0.0] * count)
    total = 0.0
    for k in range(count):
        arcs = winning_arcs(points, k, bias=bias, radius=radius)
        lead = logits[:, k] - np.delete(logits, k, axis=1).max(axis=1)
        inside = np.zeros(len(angles), dtype=bool)
        for start, width in arcs:
            assert 0 <= start < 2 * math.pi
            inside |= (angles - start) % (2 * math.pi) < width
        clear = np.abs(lead) > 1e-9
        assert (inside == (lead > 0))[clear].all()
        assert [start for start, _ in arcs] == sorted(start for start, _ in arcs)
        assert len(arcs) <= (1 if not biased else count)
        total += sum(width for _, width in arcs)
    assert total == pytest.approx(2 * math.pi, abs=1e-6)


def test_the_picture_of_the_chapter() -> None:
    assert hull_corners(SQUARE) == [3, 2, 1, 0]
    assert winning_arcs(SQUARE, 4) == []
    widths = [winning_arcs(SQUARE, k)[0][1] for k in range(4)]
    assert widths == pytest.approx([math.pi / 2] * 4)
    lifted = [0, 0, 0, 0, 0.5]
    pieces = [winning_arcs(SQUARE, 4, bias=lifted, radius=r) for r in (0.4, 0.6, 0.8, 10.0)]
    assert [len(arcs) for arcs in pieces] == [1, 4, 0, 0]
    assert pieces[0] == [(0.0, 2 * math.pi)]


def test_copies_edges_and_single_points() -> None:
    twins = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
    assert hull_corners(twins) == [0, 1, 3]
    assert winning_arcs(twins, 1) == []
    assert hull_corners([(2.0, 3.0)] * 3) == [0]
    assert hull_corners([(0, 0), (2, 2), (1, 1)]) == [0, 1]
    assert distance_from_hull((1.0, 0.0), twins[:2]) == 0
    assert distance_from_hull((0.5, 0.5), [twins[1], twins[3]]) == 0
    assert distance_from_hull((3.0, 4.0), [(0.0, 0.0)]) == 5
    with pytest.raises(DataError, match="expected one at least"):
        distance_from_hull((0.0, 0.0), [])
    with pytest.raises(DataError, match="as many biases as points"):
        winning_arcs(SQUARE, 0, bias=[1.0])
    with pytest.raises(DataError, match="radius 0"):
        winning_arcs(SQUARE, 0, radius=0)
    with pytest.raises(DataError, match="word 5"):
        winning_arcs(SQUARE, 5)


# the model of the page


@pytest.fixture
def model(browser: Any) -> Any:
    page = browser.new_page()
    page.set_content("<p>no figure</p>")
    page.evaluate("window.Explore = { model: (name, f) => { window[name] = f; } }")
    page.add_script_tag(path=ASSETS / "explorables" / "argmax-fan.js")
    yield lambda many: page.evaluate("(many) => many.map(window['argmax-fan'])", many)
    page.close()


def drawn_knobs(count: int) -> list[dict[str, float]]:
    rng = np.random.default_rng(3)
    many = []
    for _ in range(count):
        places = (rng.integers(-5, 46, 6) / 20).tolist()
        drawn = dict(zip(("x5", "y5", "x1", "y1", "x2", "y2"), places, strict=True))
        bias, radius = rng.integers(-20, 21) / 20, rng.integers(1, 51) / 5
        many.append({**drawn, "bias": float(bias), "radius": float(radius)})
    start = {"x5": 1, "y5": 1, "x1": 1, "y1": 2, "x2": 2, "y2": 1, "bias": 0, "radius": 1}
    changes = [{}, {"bias": 0.5, "radius": 0.4}, {"bias": 0.5, "radius": 0.6}, {"x5": 0, "y5": 1},
               {"x5": 1.5, "y5": 1.5}, {"x1": 1, "y1": 1, "x2": 1, "y2": 1}]  # fmt: skip
    return many + [{**start, **change} for change in changes]


def test_the_page_computes_what_the_package_computes(model: Any) -> None:
    many = drawn_knobs(60)
    for one, found in zip(many, model(many), strict=True):
        words = [(one["x1"], one["y1"]), (one["x2"], one["y2"]), (1.0, 0.0), (0.0, 1.0)]
        words.append((one["x5"], one["y5"]))
        assert [tuple(p) for p in found["hull"]] == [words[i] for i in hull_corners(words)]
        for k, word in enumerate(words):
            n = k + 1
            arcs = winning_arcs(words, k, bias=[0, 0, 0, 0, one["bias"]], radius=one["radius"])
            slots = [found[f"arc{n}{slot}"] for slot in ("abcd" if n == 5 else "ab")]
            assert len(arcs) <= len(slots)
            assert [bool(slot) for slot in slots] == [i < len(arcs) for i in range(len(slots))]
            for (start, width), slot in zip(arcs, slots, strict=False):
                ends = [slot[0], slot[15]]
                for angle, end in zip((start, start + width), ends, strict=True):
                    expected = (1 + 2.2 * math.cos(angle), 1 + 2.2 * math.sin(angle))
                    assert math.dist(end, expected) < 1e-8
            far = distance_from_hull(word, words[:k] + words[k + 1 :])
            assert found[f"far{n}"] == pytest.approx(far, abs=1e-12)
            share = 100 * sum(width for _, width in arcs) / (2 * math.pi)
            assert found[f"share{n}"] == pytest.approx(share, abs=1e-8)
            assert bool(found[f"never{n}"]) == (not arcs)
        assert found["lead5"] == pytest.approx(one["radius"] * found["far5"] + one["bias"])
