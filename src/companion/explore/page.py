"""The HTML around a picture: caption, legend, knobs, readouts, and what stands there unscripted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ..errors import DataError
from .knobs import Knob, Stops
from .marks import Area, Arrow, Mark, Point, Raster, Text
from .picture import arrow, ring, styles, trace
from .quantities import Quantity, fill

__all__ = ["Page", "Table"]


@dataclass(frozen=True)
class Table:
    """Readouts in rows and columns: words and templates; the first column names the rows.

    Cells that come out negative are marked as such on the page.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                found = f"{len(row)} cells, the head {len(self.head)}"
                raise DataError(f"Table row {row[0]!r}: {found}; expected as many")


@dataclass(frozen=True)
class Page:
    """The words of an explorable and its knobs; `ident` is the id that its parts are named by."""

    ident: str
    title: str
    description: str
    knobs: Sequence[Knob | Stops]

    def figure(self, *, kind: str, picture: str, readouts: str, payload: object) -> str:
        """Return the figure as one piece of HTML."""
        data = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        name, start = self.ident, ", ".join(self.start())
        # "<" is escaped so that no string in it can end the script
        data = data.replace("<", "\\u003c")
        return (
            f'<figure class="explorable" id="{name}" data-explorable="{kind}">'
            f'<figcaption><strong class="explorable-title" id="{name}-title">{escape(self.title)}'
            f'</strong> <span class="explorable-about" id="{name}-about">'
            f"{escape(self.description)}</span></figcaption>"
            f'<div class="explorable-body"><div class="explorable-picture">{picture}</div>'
            f'<div class="explorable-panel">{self.controls()}'
            f'<div class="explorable-readouts" aria-live="polite">{readouts}</div></div></div>'
            f'<p class="explorable-static">Drawn for {escape(start)}. '
            f"On the published page, with scripting on, the knobs can be moved.</p>"
            f'<p class="explorable-kernel">In a notebook, put <code>.live()</code> after the '
            f"call: the knobs appear, and Python draws.</p>"
            f'<script type="application/json">{data}</script></figure>'
        )

    def start(self) -> list[str]:
        """Return each knob with the setting it starts at."""
        return [f"{knob.label} = {started(knob)}" for knob in self.knobs]

    def controls(self) -> str:
        """Return the range inputs, hidden until the script takes them over."""
        rows = "".join(self.control(knob) for knob in self.knobs)
        reset = '<button type="button" class="explorable-reset">Back to the start</button>'
        return (
            f'<div class="explorable-knobs" role="group" aria-labelledby="{self.ident}-title" '
            f"hidden>{rows}{reset}</div>"
        )

    def control(self, knob: Knob | Stops) -> str:
        """Return one range input with its label and its output."""
        if isinstance(knob, Knob):
            low, high, step, value = knob.low, knob.high, knob.step, knob.value
        else:
            low, high, step, value = 0, len(knob.values) - 1, 1, knob.start
        shown = started(knob)
        ident = f"{self.ident}-{knob.name.replace('_', '-')}"
        return (
            f'<div class="explorable-knob"><label for="{ident}">{escape(knob.label)}</label>'
            f'<output for="{ident}" aria-live="off">{escape(shown)}</output>'
            f'<input type="range" id="{ident}" data-knob="{knob.name}" min="{low}" max="{high}" '
            f'step="{step}" value="{value}" aria-valuetext="{escape(shown)}" '
            f'autocomplete="off"></div>'
        )


def started(knob: Knob | Stops) -> str:
    """Return the setting that a knob starts at, in words."""
    return knob.shown(knob.value) if isinstance(knob, Knob) else knob.shown(knob.start)


def readout(template: str, quantities: Mapping[str, Quantity]) -> str:
    """Return a template with its numbers, inside an element that the script can fill anew."""
    text = fill(template, quantities, what=f"readout {template!r}")
    if text == template:
        return escape(text)
    negative = ' data-negative=""' if text.startswith("−") else ""
    return f'<span data-template="{escape(template)}"{negative}>{escape(text)}</span>'


def reading(readouts: Sequence[str | Table], quantities: Mapping[str, Quantity]) -> str:
    """Return the HTML of all readouts."""
    found = []
    for item in readouts:
        if isinstance(item, str):
            found.append(f"<p>{readout(item, quantities)}</p>")
            continue
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in item.head[1:])
        corner = f'<th scope="col">{escape(item.head[0])}</th>' if item.head[0] else "<td></td>"
        rows = "".join(
            f'<tr><th scope="row">{readout(row[0], quantities)}</th>'
            + "".join(f"<td>{readout(cell, quantities)}</td>" for cell in row[1:])
            + "</tr>"
            for row in item.rows
        )
        found.append(f"<table><thead><tr>{corner}{head}</tr></thead><tbody>{rows}</tbody></table>")
    return "".join(found)


def legend(marks: Sequence[Mark]) -> str:
    """Return the list of what the marks mean, each beside a small drawing of its mark."""
    items = []
    for mark in marks:
        if isinstance(mark, Text | Raster) or not mark.legend:
            continue
        paths = "".join(
            f'<path d="{data}" style="{style}"/>'
            for data, style in zip(sample(mark), styles(mark), strict=True)
        )
        items.append(
            f'<li><svg viewBox="0 0 40 16" width="40" height="16" aria-hidden="true">{paths}</svg>'
            f" {escape(mark.legend)}</li>"
        )
    bare = 'style="list-style:none;padding:0"'
    return f'<ul class="explorable-legend" {bare}>{"".join(items)}</ul>' if items else ""


def sample(mark: Mark) -> Sequence[str]:
    """Return the paths of a mark drawn small, for the legend."""
    match mark:
        case Point():
            return [ring(20, 8, 5)]
        case Area():
            return [trace([(4, 2), (36, 2), (36, 14), (4, 14)]) + "Z"]
        case Arrow():
            return arrow((2, 8), (38, 8), mark.width)
        case _:
            return [trace([(3, 8), (37, 8)])]
