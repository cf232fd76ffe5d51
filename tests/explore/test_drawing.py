"""What Python draws: exact places, the same text every time, and errors that name the culprit."""

import json
import re
from html.parser import HTMLParser

import pytest
import torch

from companion import explore
from companion.errors import DataError, NumericsError
from companion.explore import knobs, labels, marks, picture
from companion.explore.axes import ground
from companion.explore.view import View

VIEW = View.of((-2, 2, "x"), (-1, 3, "y"), None)


def build(*, drawn, values, handles=(), readouts=(), knob=None):
    """A plane of one knob whose compute returns fixed values."""
    return explore.plane(
        name="test",
        title="A test.",
        description="Nothing to see.",
        knobs=[knob or explore.Knob("t", "t", 0, 10, 1, 5)],
        compute=lambda t: values,
        client="none",
        marks=drawn,
        handles=handles,
        readouts=readouts,
        x=(-1, 1, "x"),
        y=(-1, 1, "y"),
    )


def test_view_puts_corners_of_the_plane_on_corners_of_the_frame():
    left, top, right, bottom = VIEW.frame
    assert VIEW.to_pixels((-2, -1)) == (left, bottom)
    assert VIEW.to_pixels((2, 3)) == (right, top)
    assert (right - left) / 4 == pytest.approx((bottom - top) / 4, abs=0.5)


def test_axis_without_a_label_has_no_ticks_and_no_grid():
    labelled = ground(View.of((0, 8, "steps"), (0, 4, "height"), None))
    bare = ground(View.of((0, 8, ""), (0, 4, ""), None))
    half = ground(View.of((0, 8, "steps"), (0, 4, ""), None))
    assert labelled.count("<text x=") > half.count("<text x=") > bare.count("<text x=") == 1
    assert not re.search(r"[MVH]\d", bare)  # the one text left is the empty label itself


def test_arrow_ends_at_its_tip_and_length_zero_is_a_disc():
    shaft, head = picture.arrow((0, 0), (30, 40), 2.5)
    assert shaft.startswith("M0 0L")
    assert head.startswith("M30 40L")
    shaft, disc = picture.arrow((7, 7), (7, 7), 2.5)
    assert shaft == ""
    assert disc == picture.ring(7, 7, 5.5)


def test_named_and_fixed_places_draw_the_same():
    values = {"p": torch.tensor([0.5, 0.25])}
    named = build(drawn=[explore.Arrow("p")], values=values)
    fixed = build(drawn=[explore.Arrow([0.5, 0.25])], values=values)
    paths = [re.findall(r'data-mark="0">(.*?)</g>', e.html) for e in (named, fixed)]
    assert paths[0] == paths[1]
    assert paths[0][0].count("<path") == 2


def test_labels_of_equal_arrows_do_not_cover_each_other():
    arrows = [explore.Arrow((1, 1), label=name) for name in ("u*", "g₀", "m")]
    spots = labels.arranged(VIEW, arrows, {})
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        apart_x, apart_y = (abs(spots[a][i] - spots[b][i]) for i in (0, 1))
        assert apart_x >= 15 or apart_y >= 20


def test_raster_keeps_every_cell():
    rows = [[0, 3, 3, 15], [15, 0, 3, 0]]
    cells = [[0] * 4 for _ in rows]
    for level in range(1, 16):
        for x, y, run in re.findall(r"M(\d+) (\d*)\.5h(\d+)", picture.runs(rows, level)):
            for column in range(int(x), int(x) + int(run)):
                cells[int(y or 0)][column] = level
    assert cells == rows


class Tags(HTMLParser):
    """Counts opened and closed tags, and collects ids and what refers to them."""

    VOID = frozenset({"input", "br", "meta"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.ids, self.references = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in {"for", "aria-labelledby", "aria-describedby"}:
                self.references.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("kind", ["cone", "frames"])
def test_html_is_balanced_ids_are_unique_and_references_resolve(kind, request):
    tags = Tags(request.getfixturevalue(kind).html)
    assert tags.open == []
    assert len(set(tags.ids)) == len(tags.ids)
    assert set(tags.references) <= set(tags.ids)


def test_same_call_gives_same_text(cone, frames, make):
    assert make["cone"]().html == cone.html
    assert make["frames"]().html == frames.html
    bundle = cone._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert "\n" not in bundle["text/plain"]
    assert " at 0x" not in bundle["text/plain"]


def test_no_number_has_more_than_four_digits_behind_it(cone):
    payload = json.loads(re.findall(r'json">(.*?)</script>', cone.html)[0])
    for settings, found in payload["checks"]:
        assert set(settings) == {"angle1", "length1", "angle2", "length2"}
        for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", json.dumps(found)):
            assert float(f"{float(number):.4g}") == float(number)


def test_words_are_escaped():
    explorable = build(
        drawn=[explore.Point("p", label="<b>")],
        values={"p": (0, 0)},
        readouts=["</script><i>{p}"],
    )
    assert "<b>" not in explorable.html
    assert "<i>" not in explorable.html
    assert explorable.html.count("</script>") == 1


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (explore.Arrow("g9"), ["Arrow", "g9", "p, s, path"]),
        (explore.Arrow("s"), ["Arrow", "'s'", "expected a point"]),
        (explore.Line("p"), ["Line", "'p'", "list of points"]),
        (explore.Point((0, float("nan"))), ["Point", "nan"]),
        (explore.Point("p", color="pink"), ["Point", "pink", "orange"]),
        (explore.Segment("p", "p", dash="wavy"), ["Segment", "wavy", "dotted"]),
        (explore.Text("p", "{nobody}"), ["Text", "nobody"]),
        (explore.Raster([[1, 16]], (0, 0), (1, 1)), ["[0][1]", "16"]),
        (explore.Raster([[1], [1, 2]], (0, 0), (1, 1)), ["[1, 2]"]),
    ],
)
def test_a_bad_mark_is_named(mark, words):
    with pytest.raises((DataError, NumericsError)) as error:
        build(drawn=[mark], values={"p": (0.5, 0.5), "s": 1.0, "path": [(0, 0), (1, 1)]})
    for word in words:
        assert word in str(error.value)


def test_what_is_no_mark_is_refused():
    with pytest.raises(DataError, match="mark 1: found str"):
        marks.check([explore.Arrow("p"), "arrow"])


def test_nan_from_compute_names_quantity_and_setting():
    with pytest.raises(NumericsError, match=r"t=5: p.*nan"):
        build(drawn=[explore.Point("p")], values={"p": (0.0, float("nan"))})


def test_a_handle_must_sit_where_its_knobs_say():
    with pytest.raises(DataError, match="handle 'p'"):
        explore.plane(
            name="test", title="T.", description="d", client="none",
            knobs=[explore.Knob("a", "a", 0, 90, 1, 45), explore.Knob("r", "r", 0, 1, 0.1, 1)],
            compute=lambda a, r: {"p": (r, 0.0)},
            marks=[explore.Point("p")],
            handles=[explore.Handle("p", polar=("a", "r"))],
            x=(-1, 1, "x"), y=(-1, 1, "y"),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: explore.Knob("t", "t", 0, 1, 0.1, 2), "value 2"),
        (lambda: explore.Knob("t", "t", 1, 0, 0.1, 1), "low < high"),
        (lambda: explore.Knob("two words", "t", 0, 1, 0.1, 0), "argument"),
        (lambda: explore.Stops("t", "t", [1, 2], start=2), "start 2 of 2"),
        (lambda: explore.Stops("t", "t", [1, 2], labels=["one"]), "1 labels for 2"),
        (lambda: explore.Handle("p"), "either"),
        (lambda: explore.Table(["a", "b"], [["c"]]), "1 cells"),
        (lambda: knobs.check([explore.Knob("t", "t", 0, 1, 0.1, 0)] * 2), "given twice"),
        (lambda: knobs.check([]), "at least one"),
        (lambda: View.of((1, 1, "x"), (0, 1, "y"), None), "low < high"),
    ],
)
def test_bad_knobs_and_axes_are_refused(wrong, words):
    with pytest.raises(DataError, match=words):
        wrong()


def test_a_name_that_is_no_id_is_refused():
    with pytest.raises(DataError, match="My figure"):
        explore.frames(
            name="My figure", title="T.", description="d", knob=explore.Stops("t", "t", [1]),
            draw=lambda t: [], x=(0, 1, "x"), y=(0, 1, "y"),
        )  # fmt: skip


def test_live_recomputes_when_a_slider_moves(cone):
    widget = cone.live()
    picture_box, panel = widget.children
    before, said = picture_box.value, panel.children[-1].value
    assert len(panel.children) == 5
    panel.children[0].value = 90.0
    assert picture_box.value != before
    assert panel.children[-1].value != said
    assert 'id="explorable-primary-cone-clip"' not in picture_box.value


def test_live_frames_go_through_the_stops(frames):
    _, panel = frames.live().children
    time, chords, said = panel.children
    chords.value = 1
    time.value = 0
    assert "sin(1) = 0.841, 5 steps" in said.value
