"""Explorables: figures whose knobs work on the published page, with no kernel.

One call draws the figure in Python, for everyone who has no scripting; on the page the book's
own script takes over, and ``.live()`` gives the same knobs in JupyterLab, where Python computes.

`plane` recomputes: the quantities of the figure are computed by a Python function and, on the
page, by a model in JavaScript that does the same. The figure carries the quantities that Python
found at 24 settings, and ``Explore.selfTest()`` compares the model with them. A model is one file,
``book/_assets/explorables/<client>.js``, found by its name::

    Explore.model("parabola", ({ t }) => ({ point: [t, t * t], slope: 2 * t }));

It gets the knobs by name and returns every quantity that `compute` returns: numbers, points as
``[x, y]``, paths as lists of points of the same length as in Python.

`frames` shows pictures that Python has drawn beforehand, one for each stop of a slider or each
pair of stops of two; no JavaScript is to be written.

    >>> def compute(t):
    ...     return {"point": (t, t * t), "slope": 2 * t}
    >>> plane(
    ...     name="parabola", title="A point on a parabola.", description="Move it.",
    ...     knobs=[Knob("t", "t", -1, 1, 0.1, 0.5)], compute=compute, client="parabola",
    ...     marks=[Point("point", label="p")], readouts=["slope {slope}"],
    ...     x=(-1, 1, "t"), y=(0, 1, "t²"),
    ... )
    Explorable explorable-parabola: A point on a parabola. Knobs: t = 0.5.

The way to drag a point is `Handle`; it sets the same knobs as the range inputs, which are the way
for the keyboard and for screen readers. Colours are names of `companion.plotting.COLORS`, whose
shades for light and dark pages are in ``book/_assets/explore.css``.
"""

from .continuous import plane
from .figure import Explorable
from .knobs import Handle, Knob, Stops
from .marks import Area, Arrow, Line, Mark, Point, Raster, Segment, Text
from .page import Table
from .prerendered import Frame, frames

__all__ = [
    "Area",
    "Arrow",
    "Explorable",
    "Frame",
    "Handle",
    "Knob",
    "Line",
    "Mark",
    "Point",
    "Raster",
    "Segment",
    "Stops",
    "Table",
    "Text",
    "frames",
    "plane",
]
