"""The second kind of explorable: a slider through pictures drawn beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import knobs as controls
from . import marks as drawing
from .axes import canvas
from .figure import Explorable, ident
from .knobs import Stops
from .marks import Mark
from .page import Page, legend, reading
from .picture import drawn, words
from .view import View

__all__ = ["Frame", "frames"]

Number = float | int
Axis = tuple[Number, Number, str]
HIDDEN = ' display="none"'


@dataclass(frozen=True)
class Frame:
    """What one setting of the stops shows: its marks, and lines of text under the knobs."""

    marks: Sequence[Mark]
    readouts: Sequence[str] = ()


def frames(
    *,
    name: str,
    title: str,
    description: str,
    knob: Stops | Sequence[Stops],
    draw: Callable[..., Frame | Sequence[Mark]],
    x: Axis,
    y: Axis,
    background: Sequence[Mark] = (),
    height: Number | None = None,
) -> Explorable:
    """Return a slider (or two) through pictures that Python has drawn beforehand.

    Args:
        name: short and unique in the book; the figure's id is ``explorable-<name>``.
        title: names the figure; for readers who do not see it too.
        description: what is drawn and what to try; it stands under the title.
        knob: the stops of the slider; two of them make a grid of frames.
        draw: from the value of each stop, by keyword, to marks or a `Frame` (marks and words).
        x: the axis as ``(low, high, label)``; with an empty label it has no ticks and no grid.
        y: likewise.
        background: marks that are the same in all frames, drawn once, below.
        height: of the picture, whose width is 520; without it both axes have the same scale.

    Raises:
        DataError: a doubled name, a mark that is none, a coordinate that is no number.
        NumericsError: a coordinate is NaN or infinite.
    """
    here = ident(name, title)
    stops = (knob,) if isinstance(knob, Stops) else tuple(knob)
    controls.check(stops)
    below, view = drawing.check(background), View.of(x, y, height)
    page = Page(here, title, description, stops)

    def one(settings: dict[str, Any]) -> tuple[str, Sequence[str]]:
        result = draw(**settings)
        frame = result if isinstance(result, Frame) else Frame(result)
        found = drawing.check(list(frame.marks))
        return drawn(view, found, {}) + words(view, found, {}), tuple(frame.readouts)

    ground = drawn(view, below, {}) + words(view, below, {})

    def live(settings: dict[str, Any]) -> tuple[str, str]:
        inside, said = one(settings)
        return canvas(view, ground + inside, name=here) + legend(below), reading(said, {})

    grid = [dict(zip([s.name for s in stops], values, strict=True))
            for values in itertools.product(*(s.values for s in stops))]  # fmt: skip
    pictures = [one(settings) for settings in grid]
    at = 0
    for s in stops:
        at = at * len(s.values) + s.start
    groups = "".join(
        f'<g data-frame="{i}"{"" if i == at else HIDDEN}>{inside}</g>'
        for i, (inside, _) in enumerate(pictures)
    )
    payload = {
        "stops": [[s.shown(i) for i in range(len(s.values))] for s in stops],
        "readouts": [said for _, said in pictures],
    }
    return Explorable(
        page,
        page.figure(
            kind="frames",
            picture=canvas(view, ground + groups, name=here) + legend(below),
            readouts=reading(pictures[at][1], {}),
            payload=payload,
        ),
        live,
    )
