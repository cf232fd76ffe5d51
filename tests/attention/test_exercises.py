"""The exercises on FLASH: what their texts claim, and other right and wrong answers."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from companion.attention import (
    GatedAttentionUnit,
    chunk_mistakes,
    chunk_problems,
    exercises,
    mistakes,
    mixed_chunk_attention,
    problems,
)
from companion.attention.suspects import SUSPECTS, Suspect
from companion.errors import AnswerError
from companion.exercises import NOT_SOLVED, Exercise, check

ALL = [getattr(exercises, name) for name in exercises.__all__]
ON_TENSORS = [exercises.WEIGHTS, exercises.CHUNKS, exercises.DECODE]
ALL_BUT_DECODE = [one for one in ALL if one is not exercises.DECODE]
EVERY = pytest.mark.parametrize("exercise", ALL, ids=lambda one: one.label)


def float64(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def said(exercise: Exercise, answer: object) -> str:
    with pytest.raises(AnswerError) as caught:
        check(exercise, answer)
    return " ".join(str(caught.value).split())


# what every exercise says of the form of an answer


@EVERY
def test_each_knows_five_mistakes(exercise: Exercise) -> None:
    assert len({one.message for one in exercise.mistakes}) >= 5


@pytest.mark.parametrize("exercise", ALL_BUT_DECODE, ids=lambda one: one.label)
@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, "the function returned None"),
        ("seven", "the function returned a str, expected"),
        (torch.ones(2, 3, 4), "has shape [2, 3, 4], expected"),
    ],
)
def test_each_names_an_answer_of_no_use(exercise: Exercise, returned: object, words: str) -> None:
    assert words in said(exercise, lambda *given: returned)


@EVERY
def test_each_names_what_is_no_function_and_what_is_not_solved(exercise: Exercise) -> None:
    def stub(*given: object) -> object:
        raise NotImplementedError

    assert NOT_SOLVED in said(exercise, stub)
    assert "the answer is a int, expected the function" in said(exercise, 7)


@pytest.mark.parametrize("exercise", ON_TENSORS, ids=lambda one: one.label)
def test_a_changed_input_is_named(exercise: Exercise) -> None:
    def changes(*given: object) -> object:
        tensors = [one for one in given if isinstance(one, Tensor) and one.is_floating_point()]
        tensors[0].zero_()
        return (tensors[-1], None) if exercise is exercises.DECODE else tensors[-1]

    assert "the function changed its input `q" in said(exercise, changes)


def test_half_precision_is_named() -> None:
    def halved(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        return mistakes.weights(q, k, mask).half()

    assert "the tensor is torch.float16, expected torch.float64" in said(exercises.WEIGHTS, halved)


# parameters


def counted(dim: int, inner: int, key_dim: int, bias: int) -> list[int]:
    return [problems.gau_count(dim, inner, key_dim, bias), problems.layer_count(dim, bias)]


def test_params_are_those_of_the_unit() -> None:
    for dim, key_dim in ((4, 2), (16, 8)):
        unit = GatedAttentionUnit(dim, key_dim=key_dim)
        size = sum(one.numel() for one in unit.parameters())
        assert counted(dim, 2 * dim, key_dim, 0)[0] == size
        assert counted(dim, 1, 1, 1)[1] == 12 * dim**2 + 9 * dim


@pytest.mark.parametrize(
    "form",
    [tuple, torch.tensor, lambda one: torch.tensor(one).float(), lambda one: [*map(float, one)]],
)
def test_params_may_come_in_any_form(form: Callable[[list[int]], object]) -> None:
    check(exercises.COUNTS, lambda *sizes: form(counted(*sizes)))


def test_params_say_which_count_is_wrong_and_by_how_much() -> None:
    def answer(*sizes: int) -> list[int]:
        gau, layer = counted(*sizes)
        return [gau, layer + 17]

    assert "the Transformer layer is off by +17 found" in said(exercises.COUNTS, answer)


# weights


def row_by_row(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    found = torch.zeros(len(q), len(q))  # float32, as somebody writes it
    for t in range(len(q)):
        for j in range(t + 1):
            if mask[t] and mask[j] and q[t] @ k[j] > 0:
                found[t, j] = (q[t] @ k[j]) ** 2 / q.shape[1] / mask[: t + 1].sum()
    return found


def test_weights_may_be_found_one_by_one_in_float32() -> None:
    check(exercises.WEIGHTS, row_by_row)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (lambda mask: 1.0 - mask[None].expand(len(mask), -1).double(), "a padded token is given"),
        (lambda mask: torch.outer(~mask, mask).double(), "the row of a padded token is not zero"),
        (lambda mask: torch.outer(mask, mask).triu(1).double(), "a token sees a later one"),
        (lambda mask: torch.outer(mask, mask).tril().double(), "not relu²(QKᵀ) / (s t)"),
    ],
)
def test_weights_say_what_an_unknown_mistake_breaks(
    extra: Callable[[Tensor], Tensor], words: str
) -> None:
    def answer(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        return mistakes.weights(q, k, mask) + extra(mask)

    message = said(exercises.WEIGHTS, answer)
    assert message.startswith("✗ ex-flash-weights on q =")
    assert words in message


def test_weights_draw_padding_everywhere() -> None:
    masks = [case.inputs["mask"].bool().tolist() for case in problems.weight_cases()]
    assert any(all(mask) for mask in masks)
    assert any(not any(mask) for mask in masks)
    assert any(not mask[0] and any(mask) for mask in masks)
    assert any(not mask[-1] and any(mask) for mask in masks)
    assert any(mask[0] and mask[-1] and not all(mask) for mask in masks)


# the crossing


def operations(n: int, c: int, s: int, e: int, *, way: int) -> tuple[int, int]:
    """Both forms, pair by pair and token by token."""
    dense = local = products = 0
    for t in range(n):
        for j in range(n):
            seen = j <= t or way == 0
            dense += seen * (2 * s + 2 * e)
            local += (seen and t // c == j // c) * (2 * s + 2 * e)
        asks, adds = t >= c or way < 2, t < n - c or way < 2
        products += (asks + adds) * 2 * s * e
    return dense, local + products


@pytest.mark.parametrize("way", [0, 1, 2])
@pytest.mark.parametrize(("c", "s", "e"), [(4, 3, 9), (8, 4, 12), (3, 6, 12)])
def test_crossings_lie_where_the_count_says(way: int, c: int, s: int, e: int) -> None:
    wanted = problems._crossing(c, s, e, problems.WAYS[way])
    for n in range(2 * c, 12 * c, c):  # whole chunks; a single one costs the same in both
        dense, chunks = operations(n, c, s, e, way=way)
        assert (dense > chunks) == (n > wanted), n
    dense, chunks = operations(c, c, s, e, way=2)
    assert dense == chunks


def test_crossings_may_be_a_tensor_and_name_the_one_that_is_wrong() -> None:
    def answer(c: int, s: int, e: int) -> Tensor:
        harmonic = 4 / (1 / s + 1 / e)
        return torch.tensor([c + harmonic / 2, c + harmonic, max(c, harmonic)])

    check(exercises.CROSSING, answer)
    message = said(exercises.CROSSING, lambda *sizes: answer(*sizes) + float64([0, 0, 5]))
    assert "not where the costs meet: with nothing in vain found" in message


def test_crossings_of_the_solution() -> None:
    stretch = 4 * 128 * 1536 / (128 + 1536)
    assert 256 < stretch < 256 + stretch / 2  # the careful decoder before the careless encoder
    assert problems._crossing(256, 128, 1536, problems.WAYS[2]) == pytest.approx(stretch)


# chunks


def masked(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """All n² products, and those cut off that are not with an earlier chunk."""
    number = torch.arange(len(q)) // chunk
    earlier = number[:, None] > number
    count = earlier.sum(dim=1, keepdim=True).clamp(min=1)
    return (q @ k.T * earlier) @ v / count


def test_chunks_may_be_masked() -> None:
    check(exercises.CHUNKS, masked)
    assert "the first chunk has no earlier one" in said(
        exercises.CHUNKS, lambda *given: masked(*given) + 1.0
    )


def test_chunks_draw_short_ends_and_single_chunks() -> None:
    sizes = [
        (len(case.inputs["q"]), int(case.inputs["chunk"])) for case in chunk_problems.chunk_cases()
    ]
    assert any(n % c for n, c in sizes)
    assert any(n < c for n, c in sizes)
    assert any(n == c for n, c in sizes)
    assert any(c == 1 for n, c in sizes)
    assert any(n > 3 * c and n % c for n, c in sizes)


def test_the_essay_s_divisor_is_right_when_c_is_the_root_of_n() -> None:
    """Why the slip can be overlooked: with as many chunks as tokens in a chunk it is no slip."""
    q = k = v = torch.ones(9, 1).double()
    printed = chunk_mistakes.by_number(lambda before, chunk, seq: max(before, 1) * seq / chunk)
    torch.testing.assert_close(printed(q, k, v, 3), masked(q, k, v, 3))
    assert not torch.allclose(printed(q[:6], k[:6], v[:6], 3), masked(q[:6], k[:6], v[:6], 3))


# how the output grows


def in_closed_form(gated: int, power: int, layers: int) -> float:
    seen = gated + 1 + 2 * power
    return (seen + 1) * (seen**layers - 1) / (seen - 1)


def test_powers_may_be_summed_in_closed_form() -> None:
    check(exercises.POWER, in_closed_form)
    assert [in_closed_form(1, 2, layers) for layers in (1, 2, 3)] == [7, 49, 301]
    assert in_closed_form(1, 1, 1) == 5
    assert 0.9**301 < 1e-13


@pytest.mark.parametrize(("power", "wanted"), [(2, 7), (1, 5)])
def test_powers_are_those_of_the_attentions_of_the_package(power: int, wanted: int) -> None:
    """A unit with relu in place of Swish, its middle by the package: quadratic, then linear."""
    rng = torch.Generator().manual_seed(0)
    x, weights = torch.randn(6, 4, generator=rng), torch.randn(4, 4, 4, generator=rng)

    def size(scale: float) -> float:
        w_u, w_v, w_z, w_o = (scale * weights).double()
        u, v, z = ((x.double() @ one).relu()[None] for one in (w_u, w_v, w_z))
        silent = torch.zeros_like(z)
        heads = (z, z, silent, silent) if power == 2 else (silent, silent, z, z)
        mixed = mixed_chunk_attention(*heads, v, chunk=2)
        return float((u * mixed @ w_o).norm())

    assert math.log2(size(2.0) / size(1.0)) == pytest.approx(wanted)


def test_init_may_go_by_logarithms_and_says_what_came_out() -> None:
    def answer(fan_in: int, rms: float, power: int) -> Tensor:
        return torch.tensor(-math.log(fan_in) / 2 - math.log(rms) / power).exp()

    check(exercises.INIT, answer)
    assert "the output comes out at 16" in said(exercises.INIT, lambda *one: 16 * answer(*one))
    assert "a standard deviation is positive" in said(exercises.INIT, lambda *one: -answer(*one))


def test_init_gives_size_one_where_factors_are_let_through() -> None:
    """A GAU with relu: the size with LeCun's weights tells the standard deviation, at once."""
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(64, 16, generator=rng).double()
    drawn = torch.randn(4, 16, 16, generator=rng).double()

    def size(std: float) -> float:
        u, v, z = (x @ (std * drawn[:3])).relu()
        mixed = (z @ z.T).square() / (len(x) * 16) @ v
        return float((u * mixed @ (std * drawn[3])).square().mean().sqrt())

    std = 16**-0.5
    assert size(problems._bisected(size)) == pytest.approx(1.0)
    assert problems._bisected(size) == pytest.approx(std * size(std) ** (-1 / 7))


def test_swish_makes_the_first_step_steeper() -> None:
    torch.manual_seed(0)
    unit = GatedAttentionUnit(128).requires_grad_(False)
    x, sizes = torch.randn(1, 512, 128), []
    for _ in range(2):
        sizes.append(float(unit(x).square().mean().sqrt()))
        for layer in (unit.to_hidden, unit.to_out):
            layer.weight *= sizes[0] ** (-1 / 7)
    power = math.log(sizes[1] / sizes[0]) / math.log(sizes[0] ** (-1 / 7))
    assert 8 < power < 9
    assert sizes[0] < 0.1  # a hundred times too small asks for less than twice the weights
    assert 100 ** (1 / 7) < 2


# the probe


def probed(suspect: Suspect, *, seed: int, seq: int = 12) -> tuple[float, float]:
    """The largest change by what is left off, and by padding in place of it."""
    rng = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, 1, seq, 4, generator=rng).double()
    tokens, off, padded = torch.ones(1, seq, dtype=torch.bool), 0.0, 0.0
    whole = suspect.attend(q, k, v, tokens)
    for m in range(1, seq):
        for span in (slice(m), slice(m, None)):
            alone = suspect.attend(*(one[:, span] for one in (q, k, v, tokens)))
            shown = torch.zeros_like(tokens)
            shown[:, span] = True
            change = suspect.attend(q, k, v, shown)[:, span] - alone
            padded = max(padded, float(change.abs().max()))
        off = max(
            off,
            float(
                (whole[:, :m] - suspect.attend(*(one[:, :m] for one in (q, k, v, tokens))))
                .abs()
                .max()
            ),
        )
    return off, padded


@pytest.mark.parametrize("suspect", SUSPECTS, ids=lambda one: one.attend.__name__)
def test_suspects_are_what_is_said_of_them(suspect: Suspect) -> None:
    for seed in (1, 2):
        worst = max(probed(suspect, seed=seed))
        assert (worst < 1e-5) if suspect.right else (worst > 1e-2)


def test_suspects_differ_in_what_they_break() -> None:
    broken = [tuple(one > 1e-4 for one in probed(suspect, seed=3)) for suspect in SUSPECTS]
    assert set(broken) == {(False, False), (True, True), (True, False), (False, True)}
    assert len(SUSPECTS) == 15
    assert sum(suspect.right for suspect in SUSPECTS) >= 5


def test_probe_may_answer_by_a_tensor() -> None:
    check(exercises.PROBE, chunk_mistakes.thorough)
    check(exercises.PROBE, lambda attend: torch.tensor(chunk_mistakes.thorough(attend)))
    check(exercises.PROBE, lambda attend: float(chunk_mistakes.thorough(attend)))


def test_probe_names_the_suspect_that_got_away() -> None:
    def answer(attend: object) -> bool:
        right = {one.attend: one.right for one in SUSPECTS}
        return right[attend] or attend.__name__ == "one_ahead"  # type: ignore[index, attr-defined]

    assert "you trust one that sees one token ahead found 1" in said(exercises.PROBE, answer)


def test_probe_draws_the_same_in_every_check_and_leaves_the_seed_alone() -> None:
    drawn: list[float] = []

    def answer(attend: object) -> bool:
        drawn.append(float(torch.rand(())))
        return True

    for seed in (5, 6):
        torch.manual_seed(seed)
        first = torch.rand(3)
        torch.manual_seed(seed)
        said(exercises.PROBE, answer)
        torch.testing.assert_close(torch.rand(3), first)
    assert len(set(drawn)) == 1


# decoding


@dataclass(frozen=True)
class Memory:
    """The state as an object, with room for one chunk set aside."""

    past: Tensor
    rows: Tensor
    seen: int


def with_room(state: Memory | None, qq, kq, ql, kl, v, chunk):
    s, e = len(kl), len(v)
    if state is None:
        state = Memory(torch.zeros(s, e).double(), torch.zeros(chunk, 2 * s + e).double(), 0)
    at = state.seen % chunk
    past, rows = state.past, state.rows.clone()
    if at == 0 and state.seen:
        past = past + rows[:, s : 2 * s].T @ rows[:, 2 * s :]
        rows = torch.zeros_like(rows)
    rows[at] = torch.cat([kq, kl, v])
    near = ((rows[:, :s] @ qq).relu() ** 2 / (chunk * s)) @ rows[:, 2 * s :]
    far = ql @ past / max(state.seen - at, 1)
    return near + far, Memory(past, rows, state.seen + 1)


def test_decode_may_keep_room_for_a_chunk_in_an_object() -> None:
    check(exercises.DECODE, with_room)


def in_dictionary(state, *token):
    out, memory = with_room(state and state["memory"], *token)
    return out.tolist(), {"memory": memory}


def test_decode_may_keep_a_dictionary() -> None:
    check(exercises.DECODE, in_dictionary)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda pair: pair[0], "returned a Tensor, expected two: the output and the next state"),
        (lambda pair: None, "returned a NoneType, expected two: the output and the next state"),
        (lambda pair: (None, pair[1]), "the output is a NoneType, expected a torch.Tensor"),
        (lambda pair: (*pair, 1), "returned 3 things, expected two"),
        (lambda pair: (pair[0][None], pair[1]), "the output has shape [1, 3], expected [3]"),
        (lambda pair: (pair[0] + 1, pair[1]), "token 1 is not what the parallel pass gives"),
    ],
)
def test_decode_says_what_is_wrong_with_the_pair(
    change: Callable[[tuple[Tensor, Memory]], object], words: str
) -> None:
    assert words in said(exercises.DECODE, lambda *given: change(with_room(*given)))


def test_decode_names_a_state_that_is_changed_in_place() -> None:
    def changes(state, *token):
        out, after = with_room(state, *token)
        if state is not None:
            state.past.add_(1.0)
        return out, after

    assert "You change `state` in place." in said(exercises.DECODE, changes)


def test_decode_names_a_state_that_grows_by_a_number_for_each_token() -> None:
    def grows(state, *token):
        out, after = with_room(state and state[0], *token)
        return out, (after, [*(state[1] if state else []), 0.0])

    assert "your state grows with the text" in said(exercises.DECODE, grows)


def test_decode_size_of_the_solution() -> None:
    s, e, c = 128, 1536, 256
    assert s * e / (s + e) == pytest.approx(118.15, abs=0.01)
    assert 256 * (s + e) < s * e + c * (2 * s + e) < 1024 * (s + e)
