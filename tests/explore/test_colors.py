"""The shades of explore.css: the book's names, and enough contrast in light and dark."""

import re
from pathlib import Path

import pytest

from companion.plotting import COLORS

CSS = (Path(__file__).parents[2] / "book" / "_assets" / "explore.css").read_text(encoding="utf-8")


def shades(selector: str) -> dict[str, str]:
    block = CSS.split(selector + " {")[1].split("}")[0]
    return dict(re.findall(r"--x-(\w+): (#[0-9a-f]{6})(?:;|\s)", block))


THEMES = {"light": shades(":root"), "dark": shades('html[data-theme="dark"]')}


def channels(color: str) -> list[float]:
    return [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(rgb: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: list[float], b: list[float]) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_light_shades_are_those_of_the_figures():
    assert {name: THEMES["light"][name] for name in COLORS} == COLORS


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*COLORS])
def test_contrast_of_lines_and_of_words(theme, name):
    found = THEMES[theme]
    color, ink, paper = (channels(found[n]) for n in (name, "ink", "paper"))
    words = [0.65 * c + 0.35 * i for c, i in zip(color, ink, strict=True)]
    assert contrast(color, paper) >= 3
    assert contrast(words, paper) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "card"])
@pytest.mark.parametrize("name", ["ink", "quiet"])
def test_contrast_of_text(theme, ground, name):
    found = THEMES[theme]
    assert contrast(channels(found[name]), channels(found[ground])) >= 4.5
