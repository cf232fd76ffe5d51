"""What passes through the pipe comes out as it went in, and nothing that is read can run."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from companion.errors import DataError
from companion.grading.message import Courier, Opaque, read_message

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=8,
)


def carried(value: object) -> object:
    """Write on one side, read on the other, as JSON in between."""
    here, there = Courier(lambda *_: None), Courier(lambda *_: None)
    return there.read(json.loads(json.dumps(here.write(value))))


@given(VALUES)
def test_plain_values_come_out_as_they_went_in(value: object) -> None:
    found = carried(value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(2, 3, dtype=torch.float64),
        torch.zeros(0, 4),
        torch.tensor(True),
        torch.tensor([1, 2**40]),
        torch.randn(3, 4).to(torch.bfloat16).T,
        torch.tensor(math.nan),
    ],
    ids=lambda tensor: f"{tensor.dtype}-{tensor.ndim}",
)
def test_tensors_keep_shape_type_and_bits(tensor: torch.Tensor) -> None:
    found = carried(tensor)
    assert isinstance(found, torch.Tensor)
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(found.nan_to_num(7.0), tensor.nan_to_num(7.0))


def test_infinity_and_nan_are_numbers() -> None:
    assert carried(-math.inf) == -math.inf
    assert math.isnan(carried(math.nan))  # pyright: ignore[reportArgumentType]


def test_any_other_value_stays_and_can_be_handed_back() -> None:
    here, there = Courier(lambda *_: None), Courier(lambda *_: None)
    state = SimpleNamespace(tokens=3)
    found = there.read(here.write(state))
    assert isinstance(found, Opaque)
    assert type(found).__name__ == "SimpleNamespace"
    assert here.read(there.write(found)) is state


def test_a_function_is_called_where_it_lives() -> None:
    here = Courier(lambda *_: None)
    there = Courier(lambda handle, arguments: here.kept[handle](*arguments))
    assert there.read(here.write(lambda x: x + 1))(2) == 3


@pytest.mark.parametrize(
    "told",
    [
        {"tensor": [[2], "AAAA"], "dtype": "torch.float64"},
        {"tensor": [[2], "AAAA"], "dtype": "torch.load"},
        {"tensor": [[2**31, 2], ""], "dtype": "torch.float64"},
        {"yours": 3},
        {"pickle": "gASVAA=="},
        {"float": "x"},
        {},
        [1],
    ],
    ids=str,
)
def test_what_is_no_value_is_refused(told: object) -> None:
    with pytest.raises(DataError, match="holds no value"):
        Courier(lambda *_: None).read(told)


@pytest.mark.parametrize("line", [b"", b"x", b"[1]", b"\xff", b"[" * 100_000], ids=len)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(DataError, match="no message"):
        read_message(line)
