"""The first kind of explorable: a plane whose quantities the page computes anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from . import knobs as controls
from . import marks as drawing
from .axes import canvas
from .figure import Explorable, ident
from .knobs import Handle, Knob
from .marks import Mark, Raster, Text
from .page import Page, Table, legend, reading
from .picture import drawn, words
from .quantities import evaluate, names_in, plain, rounded
from .view import View, pixel

__all__ = ["plane"]

Number = float | int
Axis = tuple[Number, Number, str]
Compute = Callable[..., Mapping[str, Any]]


def plane(
    *,
    name: str,
    title: str,
    description: str,
    knobs: Sequence[Knob],
    compute: Compute,
    client: str,
    marks: Sequence[Mark],
    x: Axis,
    y: Axis,
    handles: Sequence[Handle] = (),
    readouts: Sequence[str | Table] = (),
    height: Number | None = None,
) -> Explorable:
    """Return a figure that the page recomputes as its knobs move.

    Args:
        name: short and unique in the book; the figure's id is ``explorable-<name>``.
        title: names the figure; for readers who do not see it too.
        description: what is drawn and what to try; it stands under the title.
        knobs: what can be set, in the order of `compute`'s arguments.
        compute: from the knobs, by keyword, to a dict of named numbers, points, lists of points.
        client: the model that computes the same in the page: the file
            ``book/_assets/explorables/<client>.js``, see `companion.explore`.
        marks: what is drawn, later ones on top; places are fixed or names of quantities.
        x: the axis as ``(low, high, label)``.
        y: likewise.
        handles: points that can be dragged.
        readouts: lines such as ``"λ₁ = {lambda1}"`` (``{lambda1:3}`` for 3 decimals), and tables.
        height: of the picture, whose width is 520; without it both axes have the same scale.

    Raises:
        DataError: an unknown or doubled name, a quantity of the wrong kind, a bad range.
        NumericsError: `compute` returned NaN or infinity.
    """
    here = ident(name, title)
    controls.check(knobs)
    found, view = drawing.check(marks), View.of(x, y, height)
    page = Page(here, title, description, tuple(knobs))

    def quantities(settings: dict[str, Any]) -> dict[str, Any]:
        said = ", ".join(f"{key}={value:g}" for key, value in settings.items())
        values = evaluate(compute(**settings), where=f"explorable {name!r} at {said}")
        for handle in handles:
            handle.check(settings, values)
        return values

    def draw(settings: dict[str, Any]) -> tuple[str, str]:
        values = quantities(settings)
        inside = drawn(view, found, values)
        extra = words(view, found, values) + grips(view, handles, values)
        return canvas(view, inside, name=here, extra=extra) + legend(found), reading(
            readouts, values
        )

    settings = controls.samples(knobs)
    picture, read = draw(settings[0])
    checks = [[s, {k: rounded(v) for k, v in quantities(s).items()}] for s in settings]
    payload = {
        "client": client,
        "knobs": [{"name": k.name, "unit": k.unit, "decimals": k.decimals} for k in knobs],
        "handles": [{"point": h.point, "polar": h.polar is not None, "knobs": h.knobs}
                    for h in handles],
        "view": {"x": x[:2], "y": y[:2], "frame": view.frame},
        "marks": [spec(mark) for mark in found],
        "checks": checks,
    }  # fmt: skip
    html = page.figure(kind="plane", picture=picture, readouts=read, payload=payload)
    return Explorable(page, html, draw)


def grips(view: View, handles: Sequence[Handle], quantities: Mapping[str, Any]) -> str:
    """Return the discs to drag; hidden where nothing listens, and from screen readers.

    The range inputs are the way for keyboard and screen reader, and set the same knobs.
    """
    found = []
    for index, handle in enumerate(handles):
        px, py = (pixel(v) for v in view.to_pixels(quantities[handle.point]))
        found.append(
            f'<g class="explorable-handle" data-handle="{index}" aria-hidden="true" '
            f'display="none" transform="translate({px} {py})">'
            f'<circle r="22" style="fill:transparent"/><circle r="13"/></g>'
        )
    return "".join(found)


def spec(mark: Mark) -> dict[str, Any]:
    """Return what the script must know of a mark: only its kind, if the mark never changes."""
    found: dict[str, Any] = {"kind": type(mark).__name__.lower()}
    places = drawing.places(mark)
    label = mark.text if isinstance(mark, Text) else getattr(mark, "label", "")
    moves = any(isinstance(value, str) for value in places.values())
    if isinstance(mark, Raster) or not (moves or label):
        return found
    for field in fields(mark):
        value = getattr(mark, field.name)
        if field.name in places:
            named = isinstance(value, str)
            found[field.name] = value if named else plain(value, what=drawing.describe(mark))
        elif field.name in {"width", "radius"}:
            found[field.name] = value
    found["label"] = label
    if isinstance(mark, Text):
        found["template"] = bool(names_in(mark.text))
    return found
