"""Checks of checks: `verify` accepts what holds, refuses the rest, and prints the same line."""

import math
from fractions import Fraction

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from companion.errors import VerificationError
from companion.verify import SLOPE_FACTOR, WRONG_FACTOR, verify, verify_bound, verify_slope

FAR = {"far": [9.0, 9.0]}
NOT_FINITE = [math.nan, math.inf, -math.inf]
X = [1.0, 2.0, 4.0, 8.0]


def refused(message: str):
    return pytest.raises(VerificationError, match=message)


@pytest.fixture
def as_for_a_user():
    """Turn the run-time checks of annotations off: only tests have them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


# ---------------------------------------------------------------------------------------
# two sides


def test_line_of_an_array(capsys):
    wrong = {"λ unconstrained": [9.0, 9.0], "no λ": [8.0, 8.0]}
    assert verify("eq-primary-dual", [1.0, 2.0], [1.0, 2.0], tol=1e-8, wrong=wrong) is None
    line = "✓ eq-primary-dual   max |Δ| ≤ 1e-08   rejects: λ unconstrained, no λ\n"
    assert capsys.readouterr().out == line


@pytest.mark.parametrize(
    ("tol", "text"),
    [(1e-3, "1e-03"), (0.0025, "2.5e-03"), (1, "1e+00"), (1e-12, "1e-12"), (0.05, "5e-02")],
)
def test_line_of_a_number(capsys, tol, text):
    verify("eq-mean-variance", 4.0, 4.0, tol=tol, wrong={"σ/n": 40.0})
    assert capsys.readouterr().out == f"✓ eq-mean-variance   |Δ| ≤ {text}   rejects: σ/n\n"


def test_line_of_a_definition(capsys):
    assert verify.definition("eq-primary-objective") is None
    assert capsys.readouterr().out == "≡ eq-primary-objective   definition\n"


def test_line_does_not_depend_on_the_digits(capsys):
    for noise in (0.0, 1e-9, -3e-9):
        verify("eq-x", 1.0 + noise, 1.0, tol=1e-8, wrong={"two": 2.0 + noise})
    assert len(set(capsys.readouterr().out.splitlines())) == 1


def test_sides_that_differ_are_refused(capsys):
    with refused(r"eq-x: the sides differ by 0.5 at \(1,\) \(lhs 2, rhs 2.5\), tol 1e-08"):
        verify("eq-x", [1.0, 2.0], [1.0, 2.5], tol=1e-8, wrong=FAR)
    with refused(r"eq-x: the sides differ by 1 at \(\)"):
        verify("eq-x", 1, 2, tol=1e-8, wrong={"far": 9})
    assert capsys.readouterr().out == ""


def test_wrong_variant_that_is_not_wrong_is_refused(capsys):
    wrong = {"far": 9.0, "the same thing": 1.0}
    with refused("eq-x: not told apart: 'the same thing' misses lhs by 0,"):
        verify("eq-x", 1.0, 1.0, tol=1e-8, wrong=wrong)
    assert capsys.readouterr().out == ""


def test_wrong_variant_within_ten_tolerances_is_refused():
    verify("eq-x", 0.0, 0.0, tol=0.5, wrong={"off": 5.5})
    with refused("'off' misses lhs by 5, expected more than 10 tol"):
        verify("eq-x", 0.0, 0.0, tol=0.5, wrong={"off": 5.0})


def test_wrong_variant_that_only_its_own_precision_makes_wrong_is_refused():
    rounded = torch.tensor(1 / 3).half()
    with pytest.raises(VerificationError, match=r"not told apart: 'rounded'.*float16 resolves"):
        verify("eq-a", 1 / 3, 1 / 3, tol=1e-8, wrong={"rounded": rounded})


@pytest.mark.parametrize("wrong", [["a"], {"a"}, "a", 2.0, [("a", 2.0)]])
@pytest.mark.usefixtures("as_for_a_user")
def test_wrong_variants_that_are_no_dict_are_refused(wrong):
    with pytest.raises(VerificationError, match=r"eq-a: wrong is a \w+, expected a dict"):
        verify("eq-a", 1.0, 1.0, tol=1e-8, wrong=wrong)


@pytest.mark.parametrize("tol", [None, "1e-8", [1e-8], 1j])
@pytest.mark.usefixtures("as_for_a_user")
def test_tolerance_that_is_no_number_is_refused(tol):
    with pytest.raises(VerificationError, match=r"tol is .*, expected a number"):
        verify("eq-a", 1.0, 1.0, tol=tol, wrong={"a": 2.0})
    with pytest.raises(VerificationError, match=r"slack is .*, expected a number"):
        verify_bound("eq-a", 1.0, 2.0, slack=tol, wrong={"a": 0.0})
    cases = {"tol": (2, tol, 1), "exponent": (tol, 0.1, 1), "'a'": (2, 0.1, tol)}
    for name, (exponent, bound, other) in cases.items():
        with refused(f"{name} is .*, expected a number"):
            verify_slope("eq-a", X, X, exponent, tol=bound, wrong={"a": other})


@pytest.mark.usefixtures("as_for_a_user")
@pytest.mark.parametrize("label", [None, 3])
def test_label_that_is_no_text_is_refused(label):
    with refused("expected 'eq-' and then a-z, 0-9, '-'"):
        verify.definition(label)


def test_no_wrong_variant_is_refused():
    with refused("a check that cannot fail is no check"):
        verify("eq-x", 1.0, 1.0, tol=1e-8, wrong={})


@pytest.mark.parametrize("name", ["", "  ", "two\nlines"])
def test_name_of_a_wrong_variant_is_words_on_one_line(name):
    with refused("words on one line"):
        verify("eq-x", 1.0, 1.0, tol=1e-8, wrong={name: 2.0})


@pytest.mark.parametrize("bad", NOT_FINITE)
@pytest.mark.parametrize("place", ["lhs", "rhs", "wrong variant 'far'"])
def test_value_that_is_not_finite_is_refused_with_its_index(bad, place):
    good, spoilt = torch.ones(2, 2), torch.ones(2, 2)
    spoilt[1, 0] = bad
    lhs, rhs = (spoilt if place == name else good for name in ("lhs", "rhs"))
    wrong = {"far": spoilt if place.startswith("wrong") else good + 9}
    with refused(rf"{place}\[1, 0\] is {bad}, expected a finite number"):
        verify("eq-x", lhs, rhs, tol=1e-3, wrong=wrong)
    with refused(r"lhs\[1\] is"):
        verify("eq-x", [1.0, bad], [1.0, bad], tol=1e-3, wrong=FAR)
    with refused(f"lhs is {bad}"):
        verify("eq-x", bad, bad, tol=1e-3, wrong={"far": 9.0})


@pytest.mark.parametrize(
    ("left", "right"), [((3,), (3, 1)), ((1,), (3,)), ((), (3,)), ((1,), ()), ((2, 3), (3,))]
)
def test_shapes_that_broadcast_are_refused(left, right):
    one, other = torch.ones(left), np.ones(right)
    shapes = rf"\({str(left)[1:-1]}\), .* \({str(right)[1:-1]}\): nothing broadcasts"
    with refused(f"lhs has shape {shapes}"):
        verify("eq-x", one, other, tol=1e-3, wrong={"far": one + 9})
    with refused(f"lhs has shape {shapes}"):
        verify("eq-x", one, one, tol=1e-3, wrong={"far": other + 9})


def test_ragged_list_is_refused():
    with refused(r"lhs\[0\] has shape \(2,\), lhs\[1\] \(1,\)"):
        verify("eq-x", [[1.0, 2.0], [3.0]], 1.0, tol=1e-3, wrong=FAR)


def test_number_stands_for_a_tensor_without_axes(capsys):
    verify("eq-x", torch.tensor(2.0), 2, tol=1e-3, wrong={"far": np.float32(9)})
    assert "   |Δ| ≤ 1e-03" in capsys.readouterr().out


@pytest.mark.parametrize("empty", [[], torch.empty(0), np.empty((3, 0))])
def test_nothing_is_no_evidence(empty):
    with refused("lhs is empty, of shape .*: nothing to compare"):
        verify("eq-x", empty, empty, tol=1e-3, wrong={"far": empty})


@pytest.mark.parametrize("value", ["1.0", None, {"a": 1.0}, object(), Fraction(1, 2), 10**400])
def test_what_is_no_number_is_refused(value):
    with refused(f"lhs is of type {type(value).__name__}, expected numbers"):
        verify("eq-x", value, 1.0, tol=1e-3, wrong={"far": 9.0})


@pytest.mark.parametrize(
    "label", ["primary-dual", "eq-", "eq-Dual", "eq-a b", "eq-a_b", "", "eq-a\n"]
)
def test_label_that_is_none_is_refused(label):
    checks = [
        lambda: verify(label, 1.0, 1.0, tol=1e-3, wrong={"far": 9.0}),
        lambda: verify.definition(label),
        lambda: verify_slope(label, X, X, 1, tol=0.1, wrong={"flat": 0}),
        lambda: verify_bound(label, X, X, wrong={"zero": 0.0}),
    ]
    for check in checks:
        with refused("expected 'eq-' and then a-z, 0-9, '-'"):
            check()


@pytest.mark.parametrize("tol", [0.0, -1e-3, 0, *NOT_FINITE])
def test_tolerance_is_positive_and_finite(tol):
    with refused("tol is .*, expected a positive finite number"):
        verify("eq-x", 1.0, 1.0, tol=tol, wrong={"far": 9.0})
    with refused("tol is .*, expected a positive finite number"):
        verify_slope("eq-x", X, X, 1, tol=tol, wrong={"flat": 0})


# ---------------------------------------------------------------------------------------
# every kind of input


def test_float32_against_float64():
    exact = torch.tensor([1 / 3, 2 / 3], dtype=torch.float64)
    verify("eq-x", exact.float(), exact, tol=1e-6, wrong=FAR)
    assert float((exact.float().double() - exact).abs().max()) > 1e-9  # they do differ
    with refused("tol = 1e-12 is too fine: float32 resolves only 7.9e-08"):
        verify("eq-x", exact.float(), exact, tol=1e-12, wrong=FAR)
    with refused("tol = 1e-12 is too fine: float32 resolves"):
        verify("eq-x", exact, exact.float(), tol=1e-12, wrong=FAR)
    verify("eq-x", exact, exact, tol=1e-12, wrong=FAR)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (torch.tensor([1.0, 1000.0], dtype=torch.bfloat16), "bfloat16"),
        (torch.tensor([1.0, 1000.0], dtype=torch.float16), "float16"),
        (np.array([1.0, 1000.0], dtype=np.float16), "float16"),
        (torch.tensor([1.0, 1000.0], dtype=torch.complex64), "complex64"),
        ([torch.tensor(1.0), torch.tensor(1000.0)], "float32"),
        (torch.tensor([1.0, 1e9], dtype=torch.float64), "float64"),
    ],
)
def test_tolerance_is_not_finer_than_the_inputs(value, dtype):
    with refused(f"tol = 1e-09 is too fine: {dtype} resolves only"):
        verify("eq-x", value, value, tol=1e-9, wrong={"far": [0, 0]})
    verify("eq-x", value, value, tol=10, wrong={"far": [0, 0]})


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        (1.0, 2.0),
        [np.float32(1), torch.tensor(2)],
        np.array([1, 2], dtype=np.int8),
        np.array([1.0, 2.0], dtype=">f8"),
        np.array([2.0, 1.0])[::-1],
        torch.tensor([1, 2]),
        torch.tensor([1.0, 2.0], requires_grad=True),
        torch.tensor([1.0, 2.0]).to_sparse(),
        torch.tensor([1 + 0j, 2 + 0j]).conj(),
        torch.tensor([1j, 2j]).conj().imag.neg(),
        torch.nn.Parameter(torch.tensor([1.0, 2.0])),
    ],
)
def test_every_kind_of_number_is_compared_in_double(value):
    verify("eq-x", value, [1.0, 2.0], tol=1e-6, wrong=FAR)
    with refused("the sides differ by 0.001"):
        verify("eq-x", value, [1.0, 2.001], tol=1e-6, wrong=FAR)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
def test_low_precision_is_compared_in_double(dtype):
    value = torch.tensor([1.0, 2.0]).to(dtype)
    wrong = {"far": torch.tensor([99.0, 99.0]).to(dtype)}
    verify("eq-x", value, [1.0, 2.0], tol=0.5, wrong=wrong)
    with refused("the sides differ by 0.501"):  # 2.501 is no number of these dtypes
        verify("eq-x", value, [1.0, 2.501], tol=0.5, wrong=wrong)


def test_integers_do_not_wrap_around():
    low, high = torch.tensor([0], dtype=torch.uint8), torch.tensor([255], dtype=torch.uint8)
    with refused("the sides differ by 255"):
        verify("eq-x", low, high, tol=1.0, wrong={"far": [1000]})


def test_booleans_count_as_numbers():
    yes, no = torch.tensor([True, True]), torch.tensor([True, False])
    verify("eq-x", yes, [1, 1], tol=1e-3, wrong={"no": no})
    with refused("the sides differ by 1"):
        verify("eq-x", yes, no, tol=1e-3, wrong=FAR)


def test_complex_sides_differ_by_modulus():
    verify("eq-x", [1 + 1j], [1 + 1j], tol=1e-9, wrong={"conjugate": [1 - 1j]})
    with refused("the sides differ by 5 "):
        verify("eq-x", [3 + 4j], [0.0], tol=1e-9, wrong={"far": [99]})
    with refused("not told apart: 'real part'"):
        verify("eq-x", [1 + 0j], [1.0], tol=1e-9, wrong={"real part": [1.0]})


def test_gradients_are_left_alone():
    weight = torch.ones(2, requires_grad=True)
    verify("eq-x", weight * 2, [2.0, 2.0], tol=1e-6, wrong=FAR)
    assert weight.requires_grad
    assert weight.grad is None


def test_cuda_against_cpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here: comparing across devices needs one")
    values = torch.tensor([1.0, 2.0])
    verify("eq-x", values.cuda(), values, tol=1e-6, wrong={"far": values.cuda() + 9})
    with refused("the sides differ by 1"):
        verify("eq-x", values.cuda(), values + 1, tol=1e-6, wrong=FAR)


@given(
    pair=st.lists(st.tuples(st.integers(-99, 99), st.integers(-99, 99)), min_size=1, max_size=5),
    shifts=st.lists(st.integers(-99, 99), min_size=1, max_size=3),
    steps=st.integers(1, 20),
)
@example(pair=[(0, 2)], shifts=[21], steps=2)
@example(pair=[(0, 3)], shifts=[99], steps=2)
@example(pair=[(0, 0)], shifts=[20], steps=2)
def test_accepts_exactly_what_holds_and_tells_apart(pair, shifts, steps):
    """On a grid of eighths, which doubles hold exactly, so that the border can be met."""
    lhs = np.array([a for a, _ in pair]) / 8
    rhs, tol = np.array([b for _, b in pair]) / 8, steps / 8
    wrong = {f"shift {i}": lhs + shift / 8 for i, shift in enumerate(shifts)}
    holds = np.abs(lhs - rhs).max() <= tol
    apart = all(abs(shift) / 8 > WRONG_FACTOR * tol for shift in shifts)
    if holds and apart:
        verify("eq-x", lhs, rhs, tol=tol, wrong=wrong)
    else:
        with refused("not told apart" if holds else "the sides differ"):
            verify("eq-x", lhs, rhs, tol=tol, wrong=wrong)


# ---------------------------------------------------------------------------------------
# rates


def test_line_of_a_slope(capsys):
    wrong = {"η¹": 1, "η³": 3.0}
    assert verify_slope("eq-x", X, [3 * x**2 for x in X], 2, tol=0.05, wrong=wrong) is None
    assert capsys.readouterr().out == "✓ eq-x   slope 2 ± 0.05   rejects: η¹ (1), η³ (3)\n"
    verify_slope("eq-x", X, [x**-0.5 for x in X], -0.5, tol=0.01, wrong={"1/n": -1})
    assert capsys.readouterr().out == "✓ eq-x   slope -0.5 ± 0.01   rejects: 1/n (-1)\n"


def test_slope_of_another_exponent_is_refused_with_the_measured_one(capsys):
    with refused(r"eq-x: measured slope 3 with standard error \S+, expected 2 ± 0.1"):
        verify_slope("eq-x", X, [x**3 for x in X], 2, tol=0.1, wrong={"η¹": 1})
    assert capsys.readouterr().out == ""


def test_slope_and_its_error_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    y = [1.0, 4.5, 14.0, 70.0]
    fit = stats.linregress(np.log(X), np.log(y))
    found = f"measured slope {fit.slope:.4g} with standard error {fit.stderr:.2g}"
    with refused(found):
        verify_slope("eq-x", X, y, 9, tol=0.5, wrong={"flat": 0})


def test_slope_of_scattered_points_is_refused():
    y = [1.0, 9.0, 4.0, 30.0]
    with refused("an error of at most 0.3"):
        slope = float(np.polyfit(np.log(X), np.log(y), 1)[0])
        verify_slope("eq-x", X, y, slope, tol=0.3, wrong={"flat": -9})


def test_wrong_exponent_that_is_not_told_apart_is_refused():
    y = [x**2 for x in X]
    verify_slope("eq-x", X, y, 2, tol=0.25, wrong={"near": 2.75})
    message = "not told apart: 'near' has exponent 2.5, measured slope 2 with standard error"
    with refused(message):
        verify_slope("eq-x", X, y, 2, tol=0.3, wrong={"near": 2.5})
    with refused("a check that cannot fail is no check"):
        verify_slope("eq-x", X, y, 2, tol=0.25, wrong={})


@pytest.mark.parametrize("bad", NOT_FINITE)
def test_slope_needs_finite_numbers(bad):
    y = [1.0, 2.0, bad, 8.0]
    with refused(rf"y\[2\] is {bad}"):
        verify_slope("eq-x", X, y, 1, tol=0.1, wrong={"flat": 0})
    with refused(rf"x\[2\] is {bad}"):
        verify_slope("eq-x", y, X, 1, tol=0.1, wrong={"flat": 0})
    with refused("expected finite numbers"):
        verify_slope("eq-x", X, X, bad, tol=0.1, wrong={"flat": 0})
    with refused("expected finite numbers"):
        verify_slope("eq-x", X, X, 1, tol=0.1, wrong={"exponent": bad})


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0], "expected one axis of 3 points or more"),
        ([X], [X], "expected one axis of 3 points or more"),
        (2.0, 2.0, "expected one axis of 3 points or more"),
        (X, X[:3], "nothing broadcasts"),
        (X, [X], "nothing broadcasts"),
        ([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], "x is not positive everywhere"),
        ([1.0, 2.0, 3.0], [1.0, -2.0, 3.0], "y is not positive everywhere"),
        ([1.0, 2.0, 3.0], [1.0, 2j, 3.0], "y is not positive everywhere"),
        ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0], "all x are equal"),
        ([], [], "x is empty"),
    ],
)
def test_points_that_have_no_slope_are_refused(x, y, message):
    with refused(message):
        verify_slope("eq-x", x, y, 1, tol=0.1, wrong={"flat": 0})


@given(
    slope=st.floats(-4, 4),
    claimed=st.floats(-4, 4),
    other=st.floats(-8, 8),
    tol=st.floats(0.01, 1),
    scale=st.floats(0.1, 10),
)
def test_accepts_exactly_the_slopes_that_hold(slope, claimed, other, tol, scale):
    assume(abs(abs(slope - claimed) - tol) > 1e-6)  # not on the border, where rounding decides
    assume(abs(abs(slope - other) - SLOPE_FACTOR * tol) > 1e-6)
    y = [scale * x**slope for x in X]
    if abs(slope - claimed) <= tol and abs(slope - other) > SLOPE_FACTOR * tol:
        verify_slope("eq-x", X, y, claimed, tol=tol, wrong={"other": other})
    else:
        with refused("measured slope"):
            verify_slope("eq-x", X, y, claimed, tol=tol, wrong={"other": other})


# ---------------------------------------------------------------------------------------
# bounds


def test_line_of_a_bound(capsys):
    cases = torch.linspace(0, 1, 1000)
    wrong = {"half": cases / 2, "zero": 0}
    assert verify_bound("eq-x", cases, cases, wrong=wrong) is None
    line = "✓ eq-x   holds in 1000 of 1000 cases   rejects: half, zero\n"
    assert capsys.readouterr().out == line


def test_line_of_a_bound_with_slack(capsys):
    verify_bound("eq-x", [1.0, 2.0], [1.0, 1.9999], wrong={"zero": 0.0}, slack=1e-3)
    line = "✓ eq-x   holds in 2 of 2 cases, slack 0.001   rejects: zero\n"
    assert capsys.readouterr().out == line


def test_bound_that_breaks_is_refused_with_its_index(capsys):
    with refused(r"the bound breaks in 2 of 3 cases: at \(1,\), 2 > 1"):
        verify_bound("eq-x", [1.0, 2.0, 3.0], [1.0, 1.0, 1.0], wrong={"zero": 0.0})
    with refused("the bound breaks in 1 of 1 cases"):
        verify_bound("eq-x", 2, 1, wrong={"zero": 0})
    assert capsys.readouterr().out == ""


def test_wrong_bound_that_holds_is_refused():
    with refused("not told apart: 'twice' is exceeded by at most -1"):
        verify_bound("eq-x", [1.0, 2.0], [1.0, 2.0], wrong={"twice": [2.0, 4.0]})
    with refused("not told apart: 'same'"):
        verify_bound("eq-x", [1.0], [1.0], wrong={"same": [1.0]})
    with refused("a check that cannot fail is no check"):
        verify_bound("eq-x", [1.0], [1.0], wrong={})


def test_wrong_bound_is_not_broken_by_rounding_alone():
    below = np.nextafter(0.3, 0)
    assert below < 0.3
    with refused("not told apart: 'rounded'"):
        verify_bound("eq-x", [0.3], [0.3], wrong={"rounded": [below]})


def test_wrong_bound_within_ten_slacks_is_refused():
    verify_bound("eq-x", [2.0], [2.0], wrong={"low": [0.5]}, slack=0.125)
    with refused("'low' is exceeded by at most 1.25, expected more than 1.25"):
        verify_bound("eq-x", [2.0], [2.0], wrong={"low": [0.75]}, slack=0.125)


def test_bound_may_be_a_plain_number_on_either_side(capsys):
    verify_bound("eq-x", [0.5, 1.0], 1, wrong={"half": 0.5})
    verify_bound("eq-x", 0, [[0.0, 1.0]], wrong={"shifted": [[-1.0, 0.0]]})
    assert capsys.readouterr().out.count("holds in 2 of 2 cases") == 2


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [(torch.ones(3), torch.ones(3, 1)), (torch.ones(1), torch.ones(3)), (X, torch.tensor(9.0))],
)
def test_bounds_that_broadcast_are_refused(smaller, larger):
    with refused("nothing broadcasts"):
        verify_bound("eq-x", smaller, larger, wrong={"zero": 0.0})
    with refused("nothing broadcasts"):
        verify_bound("eq-x", smaller, smaller, wrong={"other": larger})


@pytest.mark.parametrize("bad", NOT_FINITE)
def test_bound_needs_finite_numbers(bad):
    with refused(r"smaller\[1\] is"):
        verify_bound("eq-x", [1.0, bad], [1.0, 1.0], wrong={"zero": 0.0})
    with refused(r"larger\[1\] is"):
        verify_bound("eq-x", [1.0, 1.0], [1.0, bad], wrong={"zero": 0.0})
    with refused(r"wrong variant 'bad' is"):
        verify_bound("eq-x", [1.0, 1.0], [1.0, 1.0], wrong={"bad": bad})
    with refused("slack is"):
        verify_bound("eq-x", [1.0], [1.0], wrong={"zero": 0.0}, slack=bad)


def test_bound_refuses_negative_slack_complex_and_nothing():
    with refused("slack is -1"):
        verify_bound("eq-x", [1.0], [1.0], wrong={"zero": 0.0}, slack=-1.0)
    with refused("complex values have no order"):
        verify_bound("eq-x", [1j], [1.0], wrong={"zero": 0.0})
    with refused("smaller is empty"):
        verify_bound("eq-x", [], [], wrong={"zero": 0.0})


@given(
    cases=st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1, max_size=5),
    wrong=st.integers(-99, 99),
    steps=st.integers(0, 9),
)
def test_accepts_exactly_the_bounds_that_hold(cases, wrong, steps):
    smaller = np.array([a for a, _ in cases]) / 8
    larger, slack = np.array([b for _, b in cases]) / 8, steps / 8
    holds = (smaller <= larger + slack).all()
    apart = smaller.max() - wrong / 8 > max(WRONG_FACTOR * slack, 1e-9)
    if holds and apart:
        verify_bound("eq-x", smaller, larger, wrong={"other": wrong / 8}, slack=slack)
    else:
        with refused("not told apart" if holds else "the bound breaks"):
            verify_bound("eq-x", smaller, larger, wrong={"other": wrong / 8}, slack=slack)
