"""Numbers on the way to the page: ticks, digits, and the settings at which both sides compare."""

import math
from itertools import pairwise

import pytest

from companion import explore
from companion.explore import axes, knobs, quantities


@pytest.mark.parametrize(("low", "high"), [(-2, 2), (0, 1), (-1.2, 1.2), (0, 1e-3), (3, 47000)])
def test_ticks_are_few_evenly_spaced_and_inside(low, high):
    found = axes.ticks(low, high)
    steps = [b - a for a, b in pairwise(found)]
    assert 3 <= len(found) <= 12
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)
    assert max(steps) - min(steps) <= 1e-6 * max(steps)


@pytest.mark.parametrize("value", [-0.004, 0.005, -1.995, 12.3456, 0.0, -7])
def test_numbers_in_text_are_right_to_the_last_digit(value):
    text = quantities.fill("{a}", {"a": float(value)}, what="here").replace("−", "-")
    assert abs(float(text) - value) <= 0.005 + 1e-12
    assert text != "-0.00"


def test_rounding_keeps_four_digits_and_drops_noise():
    assert quantities.rounded(math.pi * 1e5) == 314200
    assert quantities.rounded([(1e-17, -2 / 3)]) == [[0, -0.6667]]


def test_samples_are_settings_of_the_knob_and_spread_out():
    found = knobs.samples(
        [explore.Knob("a", "a", 0, 360, 5, 30), explore.Knob("b", "b", -1, 1, 0.1, 0)]
    )
    assert found[0] == {"a": 30, "b": 0}
    assert len(found) == 24
    assert all(s["a"] % 5 == 0 and abs(s["b"] * 10 - round(s["b"] * 10)) < 1e-6 for s in found)
    quadrants = {(s["a"] > 180, s["b"] > 0) for s in found}
    assert len(quadrants) == 4
