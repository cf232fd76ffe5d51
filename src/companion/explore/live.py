"""An explorable in JupyterLab: the same knobs as ipywidgets, with Python behind them."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from .knobs import Knob, Stops
from .page import Page

__all__ = ["widget"]


def slider(knob: Knob | Stops) -> Any:
    """Return the ipywidget of one knob."""
    import ipywidgets

    wide = {"description_width": "initial"}
    layout = ipywidgets.Layout(width="28em")
    if isinstance(knob, Stops):
        options = [(knob.shown(i), i) for i in range(len(knob.values))]
        return ipywidgets.SelectionSlider(
            options=options, value=knob.start, description=knob.label, style=wide, layout=layout
        )
    return ipywidgets.FloatSlider(
        min=knob.low,
        max=knob.high,
        step=knob.step,
        value=knob.value,
        description=f"{knob.label} {knob.unit}".strip(),
        readout_format=f".{knob.decimals}f",
        style=wide,
        layout=layout,
    )


def widget(page: Page, draw: Callable[[dict[str, Any]], tuple[str, str]]) -> Any:
    """Return picture, sliders and readouts; each move of a slider calls `draw` once."""
    import ipywidgets

    sliders = [slider(knob) for knob in page.knobs]
    picture, read = ipywidgets.HTML(), ipywidgets.HTML()
    picture.layout.width = "34em"

    def redraw(_: object = None) -> None:
        values = {
            knob.name: knob.values[each.value] if isinstance(knob, Stops) else each.value
            for knob, each in zip(page.knobs, sliders, strict=True)
        }
        svg, said = draw(values)
        # the static figure may stand in the same notebook: no id twice, no reference to its words
        named = f'aria-labelledby="{page.ident}-title" aria-describedby="{page.ident}-about"'
        svg = svg.replace(named, f'aria-label="{escape(page.title)}"')
        picture.value = svg.replace(page.ident, f"{page.ident}-live")
        read.value = said

    for each in sliders:
        each.observe(redraw, "value")
    redraw()
    return ipywidgets.HBox(
        [picture, ipywidgets.VBox([*sliders, read])], layout=ipywidgets.Layout(flex_flow="row wrap")
    )
