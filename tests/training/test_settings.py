"""Settings by name, on a dataclass of no room: types, places, and what is near a wrong name.

What files and options say in a room is tested there (``tests/diffusion/test_config.py``).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from companion.errors import DataError
from companion.training.settings import amend, plain, read_options, read_yaml


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int = 1
    share: float = 0.5
    kind: Literal["round", "square"] = "round"
    sides: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise DataError(f"size {self.size}; expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    name: str | None = None
    fast: bool = False


def amended(**changes: object) -> Outer:
    return amend(Outer(), changes, lambda key: f"here: {key}")


def test_values_are_taken_over_and_the_rest_stays() -> None:
    found = amended(inner={"size": 3, "sides": [4]}, fast=True)
    assert found == Outer(inner=Inner(size=3, sides=(4,)), fast=True)
    assert amended() == Outer()
    assert amended(name=None, inner={}) == Outer()


def test_numbers_are_what_their_field_says() -> None:
    found = amended(inner={"size": "2e3", "share": 1}).inner
    assert (found.size, type(found.size)) == (2000, int)
    assert (found.share, type(found.share)) == (1.0, float)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"innre": {}}, "here: innre is unknown; the nearest known key is inner"),
        ({"size": 3}, "here: size is unknown; the nearest known key is inner.size"),
        ({"zebra": 3}, "here: zebra is unknown; known keys are inner, name, fast"),
        ({"inner": 3}, "here: inner is 3; expected some of the keys size, share, kind, sides"),
        ({"inner": {"kind": "oval"}}, "here: inner.kind is 'oval'; expected one of round, square"),
        ({"inner": {"size": 1.5}}, "here: inner.size is 1.5; expected a whole number"),
        ({"inner": {"share": "inf"}}, "here: inner.share is 'inf'; expected a finite number"),
        ({"inner": {"sides": 4}}, "here: inner.sides is 4; expected a list such as"),
        ({"inner": {"size": -1}}, "here: inner: size -1; expected 0 or more"),
        ({"fast": 1}, "here: fast is 1; expected true or false"),
        ({"name": 7}, "here: name is 7; expected text"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(changes: dict, complaint: str) -> None:
    with pytest.raises(DataError) as caught:
        amended(**changes)
    assert complaint in str(caught.value)


def test_plain_values_come_back() -> None:
    config = Outer(inner=Inner(size=5, kind="square", sides=(7, 8)), name="a", fast=True)
    assert plain(config)["inner"]["sides"] == [7, 8]
    assert amend(Outer(), plain(config), str) == config


def test_files_and_options_say_where(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("inner:\n  size: 4\n")
    values, place = read_yaml(path)
    assert amend(Outer(), values, place).inner.size == 4
    assert place("inner.size") == f"{path}:2: inner.size"
    assert place("name") == f"{path}: name"
    assert read_options(["inner.size=4", "name=x y"]) == {"inner": {"size": 4}, "name": "x y"}
