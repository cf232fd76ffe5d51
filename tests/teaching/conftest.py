"""The lesson plans, and the figures of the chapters: what their readouts say at any setting."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup, Tag
from py_mini_racer import MiniRacer

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
GUIDE = BOOK / "teaching"
FIELD = re.compile(r"\{(\w+)(?::(\d))?\}")
# What explore.js gives a model: a place to register. Models compute, they touch no page.
HOST = "var models = {}; var Explore = { model: (name, compute) => { models[name] = compute; } };"


def squeezed(text: str) -> str:
    """The text with every run of white space as one blank."""
    return " ".join(text.split())


def part(tree: Tag, selector: str) -> Tag:
    """The first element that the selector finds; there must be one."""
    found = tree.select_one(selector)
    assert found is not None, selector
    return found


@dataclass(frozen=True)
class Knob:
    """A range input of a figure: its label, and the settings that it can take, in words."""

    name: str
    label: str
    settings: Mapping[str, float]
    start: float


@dataclass(frozen=True)
class Figure:
    """An explorable as it stands in an executed notebook."""

    title: str
    knobs: tuple[Knob, ...]
    html: Tag
    data: dict

    def says(self, settings: Mapping[str, str]) -> str:
        """The readouts with these knobs set, by label and words; the others stay at the start.

        Raises:
            KeyError: a knob, or a setting of it, that the figure does not have.
        """
        chosen = {knob.name: knob.start for knob in self.knobs}
        by_label = {knob.label: knob for knob in self.knobs}
        for label, words in settings.items():
            knob = by_label[label]
            chosen[knob.name] = knob.settings[words]
        if "stops" in self.data:
            at = 0
            for knob in self.knobs:
                at = at * len(knob.settings) + int(chosen[knob.name])
            return squeezed(" ".join(self.data["readouts"][at]))
        found = quantities(self.data["client"], json.dumps(chosen))
        box = BeautifulSoup(str(part(self.html, ".explorable-readouts")), "html.parser")
        for span in box.select("[data-template]"):
            span.string = FIELD.sub(
                lambda match: written(found[match[1]], int(match[2] or 2)),
                str(span["data-template"]),
            )
        return squeezed(box.get_text(" "))


def written(value: float, decimals: int) -> str:
    """A number as the figure writes it."""
    scale = 10**decimals
    rounded = math.floor(value * scale + 0.5) / scale + 0.0  # no minus before a zero
    return f"{rounded:.{decimals}f}".replace("-", "−")


@cache
def quantities(client: str, settings: str) -> dict:
    """What a model computes for the knobs. (An engine left open can hang Python's exit.)"""
    script = (BOOK / "_assets" / "explorables" / f"{client}.js").read_text("utf-8")
    with MiniRacer() as engine:
        engine.eval(HOST + script)
        return json.loads(str(engine.eval(f"JSON.stringify(models[{client!r}]({settings}))")))


def knob_of(row: Tag, data: dict, number: int) -> Knob:
    """Read a knob from its row in the figure."""
    box, label = part(row, "input"), part(row, "label")
    low, high, step, start = (float(str(box[key])) for key in ("min", "max", "step", "value"))
    if "stops" in data:
        settings = {words: float(i) for i, words in enumerate(data["stops"][number])}
    else:
        knob = data["knobs"][number]
        values = [round(low + step * i, 10) for i in range(round((high - low) / step) + 1)]
        settings = {written(v, knob["decimals"]) + knob["unit"]: v for v in values}
    return Knob(str(box["data-knob"]), label.get_text(), settings, start)


def figures_of(notebook: Path) -> list[Figure]:
    """The explorables that an executed notebook holds, in order."""
    found = []
    for cell in nbformat.read(notebook, as_version=4).cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if 'class="explorable"' not in html:
                continue
            tree = part(BeautifulSoup(html, "html.parser"), "figure")
            title = part(tree, ".explorable-title").get_text()
            data = json.loads(str(part(tree, 'script[type="application/json"]').string))
            rows = tree.select(".explorable-knob")
            knobs = tuple(knob_of(row, data, i) for i, row in enumerate(rows))
            found.append(Figure(title, knobs, tree, data))
    return found


@dataclass(frozen=True)
class Plan:
    """A lesson plan: its text, its sections by heading, and the chapter that it teaches."""

    chapter: str
    text: str

    @property
    def name(self) -> str:
        return Path(self.chapter).name

    @property
    def sections(self) -> dict[str, str]:
        parts = re.split(r"^## (.+)$", self.text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))

    def rows(self, heading: str) -> list[list[str]]:
        """The cells of the table in a section, without its head."""
        lines = [line for line in self.sections[heading].splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def chapters() -> list[str]:
    """The chapters in the order of the book, as paths without suffix."""
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text("utf-8"))
    part = next(part for part in toc["parts"] if part["caption"] == "Chapters")
    return [entry["file"] for entry in part["chapters"]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that takes `plan` once for each chapter."""
    if "plan" in metafunc.fixturenames:
        metafunc.parametrize("plan", chapters(), indirect=True, ids=lambda c: Path(c).name)


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    path = GUIDE / f"{Path(request.param).name}.md"
    return Plan(request.param, path.read_text("utf-8"))


@pytest.fixture
def figures(plan: Plan) -> dict[str, Figure]:
    """The figures of the plan's chapter, by title."""
    return {one.title: one for one in figures_of(BOOK / f"{plan.chapter}.ipynb")}
