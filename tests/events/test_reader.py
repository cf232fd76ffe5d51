"""Files of DuEE: read, written, read again; and what is said of a file that is wrong."""

import json
import warnings

import pytest
from events.strategies import SCHEMA, TEXT, document, drawn
from hypothesis import given, settings

from companion.errors import DataError
from companion.events import (
    TRIGGER,
    Argument,
    Document,
    Event,
    EventType,
    Role,
    Schema,
    SkippedLines,
    answers,
    read_duee,
    read_submission,
    write_duee,
    write_submission,
)

STAGES = ("plan", "done")
LISTING = Schema((EventType("listing", (Role("company"), Role("stage", STAGES)), "money"),))
BEATS = {
    "event_type": "p",
    "trigger": "beats",
    "trigger_start_index": 3,
    "arguments": [
        {"role": "x", "argument": "Li", "argument_start_index": 0, "alias": ["Li Na"]},
        {"role": "y", "argument": "B", "argument_start_index": 9, "alias": []},
    ],
    "class": "sport",
}
LINE = {"text": "Li beats B", "id": "1", "event_list": [BEATS]}


def changed(path: str, value: object) -> dict:
    """The line with another value somewhere, or without it (``...``)."""
    line = json.loads(json.dumps(LINE))
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inside = line
    for part in way:
        inside = inside[part]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return line


def write(path, *lines, end=b"\n", mark=b""):
    raw = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines]
    path.write_bytes(mark + b"".join(line + end for line in raw))
    return path


def test_a_line_becomes_a_document(tmp_path):
    (found,) = read_duee(write(tmp_path / "f.json", LINE), SCHEMA)
    arguments = {
        Argument("x", 0, 2, "Li"),
        Argument("y", 9, 10, "B"),
        Argument(TRIGGER, 3, 8, "beats"),
    }
    assert found == Document("1", "Li beats B", (Event("p", frozenset(arguments)),))
    assert found.source == f"{tmp_path / 'f.json'}:1"
    assert [one.aliases for one in sorted(found.events[0].arguments)] == [("Li Na",), (), ()]


def test_marks_blank_lines_and_line_ends_do_not_matter(tmp_path):
    text = "Li\u2028beats\x85B"  # line ends of Unicode inside a text are no ends of a line
    odd = changed("text", text)
    odd["event_list"] = []
    lines = [b"", LINE, b"  \t", changed("id", 2), odd | {"id": "3"}, b""]
    path = write(tmp_path / "f.json", *lines, end=b"\r\n", mark=b"\xef\xbb\xbf")
    found = read_duee(path, SCHEMA)
    assert [one.id for one in found] == ["1", "2", "3"]
    assert [one.source.rpartition(":")[2] for one in found] == ["2", "4", "5"]
    assert found[2].text == text


def test_test_data_has_no_labels(tmp_path):
    path = write(tmp_path / "t.json", {"text": "ab", "id": "9"}, LINE)
    found = read_duee(path, SCHEMA)
    assert [one.labelled for one in found] == [False, True]
    assert found[0].events == ()
    write_duee(tmp_path / "again.json", found, SCHEMA)
    assert read_duee(tmp_path / "again.json", SCHEMA) == found


def test_schema_without_triggers_leaves_them_out(tmp_path):
    path = write(tmp_path / "f.json", LINE)
    without = Schema(SCHEMA.types, triggers=False)
    (found,) = read_duee(path, without)
    assert {one.role for one in found.events[0].arguments} == {"x", "y"}
    bare = changed("event_list.0.trigger", ...)
    (again,) = read_duee(write(tmp_path / "g.json", bare), without)
    assert again == found
    with pytest.raises(DataError, match=r"g.json:1: event_list\[0\].trigger is missing"):
        read_duee(tmp_path / "g.json", SCHEMA)


@given(drawn())
@settings(max_examples=60)
def test_what_is_written_is_read(tmp_path_factory, some):
    events = tuple(
        Event(event.type, event.arguments | {Argument(TRIGGER, 0, 1, "a")})
        for event in document(some).events
        if event.trigger is None
    )
    documents = [Document("1", TEXT, events), Document("2", TEXT)]
    path = tmp_path_factory.getbasetemp() / "written.json"
    write_duee(path, documents, SCHEMA)
    assert read_duee(path, SCHEMA) == documents


BAD = {
    "broken": (b'{"text": "ab", "id"', r"no JSON at column 20"),
    "not UTF-8": (b'{"text": "\xff\xfe"}', r"byte 10 of the line is 0xff .*; expected UTF-8"),
    "nested": (b"[" * 100_000, "no JSON that can be read"),
    "list": (b"[1]", r"the line is \[1\]; expected an object"),
    "no text": (changed("text", ...), "text is missing; expected a text"),
    "empty text": (changed("text", " \n"), "text is empty"),
    "text of another kind": (changed("text", 5), "text is 5; expected a text"),
    "half a pair": (changed("text", "a\ud800b"), r"text holds '\\ud800' at 1; expected characters"),
    "no id": (changed("id", ...), "id is missing"),
    "truth as id": (changed("id", True), "id is true; expected a text or a whole number"),
    "same id": (LINE, r"id is '1', as at .*f.json:1; expected a new one"),
    "no list": (changed("event_list", {}), r"event_list is \{\}; expected a list of objects"),
    "null": (changed("event_list", None), "event_list is null; expected a list"),
    "no object": (changed("event_list", [3]), r"event_list\[0\] is 3; expected an object"),
    "no type": (changed("event_list.0.event_type", ...), r"event_list\[0\].event_type is missing"),
    "type": (
        changed("event_list.0.event_type", "r"),
        r"event_list\[0\].event_type is 'r'; the schema has 'p', 'q'",
    ),
    "no arguments": (changed("event_list.0.arguments", ...), r"event_list\[0\].arguments is miss"),
    "role": (
        changed("event_list.0.arguments.1.role", "w"),
        r"event_list\[0\].arguments\[1\].role is 'w'; 'p' has 'x', 'y', 'z'",
    ),
    "trigger as role": (
        changed("event_list.0.arguments.1.role", TRIGGER),
        rf"arguments\[1\].role is '{TRIGGER}'; 'p' has 'x', 'y', 'z'",
    ),
    "no role": (changed("event_list.0.arguments.1.role", ...), r"arguments\[1\].role is missing"),
    "no index": (
        changed("event_list.0.arguments.0.argument_start_index", ...),
        r"arguments\[0\].argument_start_index is missing; expected a whole number, 0 or more",
    ),
    "text as index": (
        changed("event_list.0.arguments.0.argument_start_index", "0"),
        r'argument_start_index is "0"; expected a whole number',
    ),
    "truth as index": (
        changed("event_list.0.arguments.0.argument_start_index", False),
        "argument_start_index is false; expected a whole number",
    ),
    "negative index": (
        changed("event_list.0.arguments.0.argument_start_index", -10),
        "argument_start_index is -10; expected a whole number, 0 or more",
    ),
    "wrong index": (
        changed("event_list.0.arguments.1.argument_start_index", 8),
        r"argument_start_index is 8, where ' ' stands; expected 'B' \(it stands at 9\)",
    ),
    "words that are not there": (
        changed("event_list.0.arguments.1.argument", "C"),
        r"argument_start_index is 9, where 'B' stands; expected 'C' \(it stands nowhere",
    ),
    "index behind the end": (
        changed("event_list.0.trigger_start_index", 99),
        r"event_list\[0\].trigger_start_index is 99, where '' stands; expected 'beats'",
    ),
    "empty argument": (changed("event_list.0.arguments.0.argument", ""), "argument is empty"),
    "empty trigger": (changed("event_list.0.trigger", ""), r"event_list\[0\].trigger is empty"),
    "alias": (
        changed("event_list.0.arguments.0.alias", ["x", 1]),
        r"alias\[1\] is 1; expected",
    ),
    "aliases": (changed("event_list.0.arguments.0.alias", "x"), 'alias is "x"; expected a list'),
}


@pytest.mark.parametrize("name", BAD)
def test_line_that_is_wrong_is_named_or_left_out(name, tmp_path):
    line, message = BAD[name]
    path = write(tmp_path / "f.json", LINE, b"", line, changed("id", "last"))
    with pytest.raises(DataError, match=rf"^{path}:3: .*{message}"):
        read_duee(path, SCHEMA)
    with pytest.warns(SkippedLines, match=rf"{path}: 1 of 3 lines skipped; the first: {path}:3: "):
        found = read_duee(path, SCHEMA, on_error="skip")
    assert [one.id for one in found] == ["1", "last"]
    (skipped,) = found.skipped
    with pytest.raises(DataError, match=message):
        raise DataError(skipped)


def test_all_lines_left_out_are_counted(tmp_path):
    path = write(tmp_path / "f.json", b"{", changed("id", 7), b"}", b"3")
    with pytest.warns(SkippedLines, match="3 of 4 lines skipped"):
        found = read_duee(path, SCHEMA, on_error="skip")
    assert [message.split(": ")[0][-1] for message in found.skipped] == ["1", "3", "4"]


def test_nothing_left_out_gives_no_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_duee(write(tmp_path / "f.json", LINE), SCHEMA, on_error="skip").skipped == ()


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_file_without_lines(content, tmp_path):
    (tmp_path / "f.json").write_bytes(content)
    with pytest.raises(DataError, match=r"f.json is empty; expected JSON lines"):
        read_duee(tmp_path / "f.json", SCHEMA, on_error="skip")


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"none.json cannot be read: No such file"):
        read_duee(tmp_path / "none.json", SCHEMA)
    with pytest.raises(DataError, match=r"none.json cannot be read: No such file"):
        Schema.load(tmp_path / "none.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_duee(tmp_path / "file" / "f.json", [], SCHEMA)


@pytest.mark.usefixtures("_as_for_a_user")
def test_on_error_that_is_neither(tmp_path):
    with pytest.raises(DataError, match="on_error is 'ignore'; expected 'raise' or 'skip'"):
        read_duee(write(tmp_path / "f.json", LINE), SCHEMA, on_error="ignore")  # pyright: ignore[reportArgumentType]


# ---------------------------------------------------------------------------------------
# enumerated roles, and data without indices (DuEE-fin)

FIN = {
    "text": "Anchor plans to list, Bridge listed.",
    "id": "f",
    "event_list": [
        {
            "event_type": "listing",
            "trigger": "list",
            "arguments": [
                {"role": "stage", "argument": "plan"},
                {"role": "company", "argument": "Anchor"},
            ],
        }
    ],
}


def test_value_of_an_enumerated_role_is_a_role_with_the_span_of_the_trigger(tmp_path):
    assert [role for _, role in LISTING.labels] == [TRIGGER, "company", "stage=plan", "stage=done"]
    (found,) = read_duee(write(tmp_path / "f.json", FIN), LISTING, locate=True)
    (event,) = found.events
    assert {(one.role, one.start, one.end) for one in event.arguments} == {
        (TRIGGER, 16, 20),
        ("stage=plan", 16, 20),
        ("company", 0, 6),
    }
    assert answers([event], LISTING) == [
        ("listing", (("company", "Anchor"), ("stage", "plan"))),
    ]
    write_duee(tmp_path / "g.json", [found], LISTING)
    written = json.loads((tmp_path / "g.json").read_text())["event_list"][0]
    assert {"role": "stage", "argument": "plan", "alias": []} in written["arguments"]
    assert written["class"] == "money"
    assert read_duee(tmp_path / "g.json", LISTING) == [found]
    without = Schema(LISTING.types, triggers=False)
    (bare,) = read_duee(tmp_path / "g.json", without)
    assert {one.role for one in bare.events[0].arguments} == {"company", "stage=plan"}


@pytest.mark.parametrize(
    ("change", "triggers", "message"),
    [
        (
            {"argument": "cancelled"},
            True,
            r"argument is 'cancelled'; 'stage' has \['plan', '",
        ),
        ({}, False, "argument is 'plan'; expected a trigger, whose span stands for 'stage'"),
    ],
)
def test_value_that_there_is_not_and_trigger_that_is_missing(change, triggers, message, tmp_path):
    line = json.loads(json.dumps(FIN))
    line["event_list"][0]["arguments"][0] |= change
    if not triggers:
        del line["event_list"][0]["trigger"]
    schema = Schema(LISTING.types, triggers=triggers)
    with pytest.raises(DataError, match=message):
        read_duee(write(tmp_path / "f.json", line), schema, locate=True)


def test_words_without_an_index_that_stand_nowhere(tmp_path):
    line = json.loads(json.dumps(FIN).replace('"Anchor"}', '"Anker"}'))
    with pytest.raises(DataError, match=r"\[1\].argument is 'Anker', which does not stand"):
        read_duee(write(tmp_path / "f.json", line), LISTING, locate=True)


# ---------------------------------------------------------------------------------------
# schema


def test_schema_is_written_and_read(tmp_path):
    schema = Schema((*SCHEMA.types, *LISTING.types))
    schema.save(tmp_path / "s.json")
    assert Schema.load(tmp_path / "s.json") == schema
    first = json.loads((tmp_path / "s.json").read_text().splitlines()[0])
    assert first == {"event_type": "p", "role_list": [{"role": role} for role in "xyz"]}
    assert Schema.load(tmp_path / "s.json", triggers=False).labels[:2] == (("p", "x"), ("p", "y"))


def test_labels_are_numbered_in_their_order():
    assert [SCHEMA.index(*label) for label in SCHEMA.labels] == list(range(7))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"role_list": []}], r"s.json:1: event_type is missing"),
        ([{"event_type": "p"}], r"s.json:1: role_list is missing"),
        ([{"event_type": "p", "role_list": [{}]}], r"s.json:1: role_list\[0\].role is missing"),
        ([{"event_type": "p", "role_list": []}] * 2, r"s.json: the schema has the type 'p' twice"),
        ([{"event_type": "p", "role_list": [{"role": "x"}] * 2}], "'p' has the role 'x' twice"),
        ([{"event_type": "p", "role_list": [{"role": TRIGGER}]}], "the trigger's name"),
        ([{"event_type": "p", "role_list": [{"role": "x", "enum_items": []}]}], "is empty; exp"),
        ([{"event_type": "p", "role_list": [{"role": "x", "enum_items": "a"}]}], "a list of texts"),
        ([b"{"], "s.json:1: no JSON"),
    ],
)
def test_schema_that_is_wrong(lines, message, tmp_path):
    with pytest.raises(DataError, match=message):
        Schema.load(write(tmp_path / "s.json", *lines))


def test_schema_of_nothing():
    with pytest.raises(DataError, match="the schema has no types"):
        Schema(())
    with pytest.raises(DataError, match="the type 'p' has no roles"):
        Schema((EventType("p", ()),), triggers=False)


# ---------------------------------------------------------------------------------------
# submissions


def test_submission_has_the_words_alone(tmp_path):
    (one,) = read_duee(write(tmp_path / "f.json", LINE), SCHEMA)
    write_submission(tmp_path / "s.json", {"1": one.events, "2": []}, SCHEMA)
    first, second = map(json.loads, (tmp_path / "s.json").read_text().splitlines())
    arguments = [{"role": "x", "argument": "Li"}, {"role": "y", "argument": "B"}]
    assert first == {"id": "1", "event_list": [{"event_type": "p", "arguments": arguments}]}
    assert second == {"id": "2", "event_list": []}
    found = read_submission(tmp_path / "s.json", SCHEMA)
    assert found == {"1": answers(one.events, SCHEMA), "2": []}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"event_list": []}, "s.json:2: id is missing"),
        ({"id": "1", "event_list": []}, "s.json:2: id is '1', as before"),
        ({"id": "2"}, "s.json:2: event_list is missing"),
        ({"id": "2", "event_list": [{"event_type": "r", "arguments": [{"role": "x"}]}]},
         r"s.json:2: event_list\[0\].*event_type is 'r'"),
        ({"id": "2", "event_list": [{"event_type": "r", "arguments": []}]},
         r"s.json:2: event_list\[0\].event_type is 'r'"),
        ({"id": "2", "event_list": [{"event_type": "p", "arguments": [{"role": "w"}]}]},
         r"s.json:2: event_list\[0\].arguments\[0\].role is 'w'; 'p' has 'x'"),
        ({"id": "2", "event_list": [{"event_type": "p", "arguments": [{"role": "x"}]}]},
         r"s.json:2: event_list\[0\].arguments\[0\].argument is missing"),
    ],
)  # fmt: skip
def test_submission_that_is_wrong(line, message, tmp_path):
    path = write(tmp_path / "s.json", {"id": "1", "event_list": []}, line)
    with pytest.raises(DataError, match=message):
        read_submission(path, SCHEMA)


def test_value_in_a_submission_that_there_is_not(tmp_path):
    entry = {"event_type": "listing", "arguments": [{"role": "stage", "argument": "maybe"}]}
    path = write(tmp_path / "s.json", {"id": "1", "event_list": [entry]})
    with pytest.raises(DataError, match=r"arguments\[0\].argument is 'maybe'; 'stage' has"):
        read_submission(path, LISTING)


def test_half_a_pair_cannot_be_written(tmp_path):
    texts = [Document("1", "ab"), Document("2", "a\ud800")]
    with pytest.raises(DataError, match=r"f.json: line 2 would hold '\\ud800'; expected char"):
        write_duee(tmp_path / "f.json", texts, SCHEMA)
    assert list(tmp_path.iterdir()) == []


def test_two_triggers_have_no_place_in_a_file(tmp_path):
    event = Event("p", frozenset(Argument(TRIGGER, at, at + 1, "ab"[at]) for at in (0, 1)))
    with pytest.raises(DataError, match=r"'p' has the triggers .*; expected one"):
        write_duee(tmp_path / "f.json", [Document("1", "ab", (event,))], SCHEMA)
    assert not (tmp_path / "f.json").exists()
    assert answers([event], SCHEMA) == [("p", ())]
