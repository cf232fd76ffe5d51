"""The cases on which answers to the exercises on chunks and on decoding are tried.

Right means: what ``mixed_chunk_attention`` gives, and for a probe, what is known of the suspects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from companion.attention.answers import Answer, as_float64, float64, off
from companion.attention.mixed_chunk import mixed_chunk_attention
from companion.attention.suspects import SUSPECTS
from companion.exercises import Case, draws

# the linear part


def chunk_cases() -> list[Case]:
    rng = draws(11)
    ones = [[1.0]] * 4
    counted = [[1.0], [2.0], [3.0], [4.0]]
    drawn = [(ones, ones, ones, 2), (ones, ones, counted, 2), (ones, ones, counted, 1)]
    drawn += [(ones, ones, counted, 3), (ones, counted, ones, 4), (ones, ones, ones, 5)]
    tensors = [(*(float64(rows) for rows in one[:3]), one[3]) for one in drawn]
    for number in range(10):
        seq = 5 + number
        q, k, v = (torch.randn(seq, width, generator=rng).double() for width in (2, 2, 3))
        tensors.append((q, k, v, 1 + number % 4))
    return [
        Case({"q": q, "k": k, "v": v, "chunk": float64(float(c))}, _linear_part(q, k, v, c))
        for q, k, v, c in tensors
    ]


def _linear_part(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    silent = torch.zeros_like(q)[None]  # queries and keys that leave nothing of the local part
    rows = (silent, silent, q[None], k[None], v[None])
    return mixed_chunk_attention(*rows, chunk=chunk, causal=True)[0]


def chunk_fault(case: Case, found: Tensor) -> str | None:
    chunk = int(case.inputs["chunk"])
    if found[:chunk].any():
        return "the first chunk has no earlier one, and gets nothing"
    return "not the sum over earlier chunks, by their tokens" if off(found, case.expected) else None


# the probe


def probe_cases() -> list[Case]:
    return [
        Case({"suspect": float64(float(number))}, float64(float(suspect.right)))
        for number, suspect in enumerate(SUSPECTS)
    ]


def tried(probe: Answer, number: Tensor) -> object:
    """Let the probe judge a suspect: 1 for True. What it draws is the same every time."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(0)
    try:
        return _as_number(probe(SUSPECTS[int(number)].attend))
    finally:
        torch.set_rng_state(before)


def _as_number(verdict: object) -> object:
    return float(verdict) if isinstance(verdict, bool) else verdict


def probe_fault(case: Case, found: Tensor) -> str | None:
    suspect = SUSPECTS[int(case.inputs["suspect"])]
    if float(found) == float(case.expected):
        return None
    verdict = "you refuse one that" if suspect.right else "you trust one that"
    return f"{verdict} {suspect.words}"


# one step of decoding

Shape = tuple[int, int, int, int]  # tokens, s, e, c


def decode_cases() -> list[Case]:
    rng = draws(13)
    shapes: list[Shape] = [(1, 1, 1, 1), (3, 1, 1, 1), (4, 1, 1, 2), (5, 1, 1, 3), (9, 2, 3, 4)]
    shapes += [(9, 2, 3, 3), (8, 3, 2, 2)]
    names = ("q_quad", "k_quad", "q_lin", "k_lin", "v")
    cases = []
    for seq, s, e, chunk in shapes:
        rows = [torch.randn(seq, width, generator=rng).double() for width in (s, s, s, s, e)]
        if s == e == 1:  # few digits, for the reader of a message
            rows = [1.0 + torch.arange(seq)[:, None].double() % (2 + number) for number in range(5)]
        mixed = mixed_chunk_attention(*(one[None] for one in rows), chunk=chunk, causal=True)[0]
        inputs = dict(zip(names, rows, strict=True)) | {"chunk": float64(float(chunk))}
        cases.append(Case(inputs, mixed))
    return cases


def decode_fault(case: Case, found: Tensor) -> str | None:
    for number, (one, two) in enumerate(zip(found, case.expected, strict=True)):
        if off(one, two):
            return f"token {number + 1} is not what the parallel pass gives"
    return None


def decoded(step: Answer, *inputs: Tensor) -> Tensor:
    """The outputs of a step that is called for one token after the other."""
    return torch.stack([output for output, _ in _walk(step, inputs)])


def _walk(step: Answer, inputs: Sequence[Tensor]) -> Iterator[tuple[Tensor, object]]:
    *rows, chunk = inputs
    state: object = None
    for token in zip(*rows, strict=True):
        output, state = step(state, *token, int(chunk))
        yield torch.as_tensor(as_float64(output)), state


def step_trouble(step: Answer) -> str | None:
    """Say what is wrong with the form of a step's answers, before their numbers are looked at."""
    *rows, chunk = decode_cases()[-2].inputs.values()
    state: object = None
    for token in zip(*rows, strict=True):
        before = [one.clone() if isinstance(one, Tensor) else one for one in _leaves(state)]
        try:
            answer = step(state, *(one.clone() for one in token), int(chunk))
        except Exception:
            return None  # the cases will show it, with their inputs
        if not _same(before, _leaves(state)):
            return CHANGED + "\nthe `state` that went in is not what it was before"
        if not isinstance(answer, tuple) or len(answer) != 2:
            found = f"a {type(answer).__name__}"
            found = f"{len(answer)} things" if isinstance(answer, tuple) else found
            return f"the function returned {found}, expected two: the output and the next state"
        given, state = answer
        output, wanted = as_float64(given), token[-1].shape
        if not isinstance(output, Tensor):
            return f"the output is a {type(output).__name__}, expected a torch.Tensor"
        if output.shape != wanted:
            return f"the output has shape {list(output.shape)}, expected {list(wanted)}"
    return None


CHANGED = (
    "You change `state` in place. Two continuations may start from the same state: return a new "
    "one, and leave the old as it is."
)
GROWS = (
    "The outputs are right, but your state grows with the text. Keep the sum of KᵀV over earlier "
    "chunks, which has s·e numbers, and of the tokens only those of the chunk that is under way."
)


def growth(step: Answer) -> str | None:
    """Say whether the state goes on growing from chunk to chunk."""
    chunk = 3
    rows = torch.ones(5, 6 * chunk, 2).double()
    walk = _walk(step, [*rows, float64(float(chunk))])
    sizes = [sum(map(_numbers, _leaves(state))) for _, state in walk]
    for early in range(2 * chunk, 3 * chunk):
        late = early + 3 * chunk
        if sizes[late] > sizes[early]:
            held = f"after {late + 1} tokens {sizes[late]}"
            return f"{GROWS}\nnumbers in it after {early + 1} tokens: {sizes[early]}; {held}"
    return None


def _leaves(state: object) -> list[object]:
    """Everything in a state that is no container."""
    if isinstance(state, dict):
        return [leaf for one in state.values() for leaf in _leaves(one)]
    if isinstance(state, list | tuple):
        return [leaf for one in state for leaf in _leaves(one)]
    if hasattr(state, "__dict__") and not isinstance(state, Tensor):
        return _leaves(vars(state))
    return [state]


def _numbers(leaf: object) -> int:
    return leaf.numel() if isinstance(leaf, Tensor) else 1


def _same(before: list[object], after: list[object]) -> bool:
    if len(before) != len(after):
        return False
    return all(
        torch.equal(one, two)
        if isinstance(one, Tensor) and isinstance(two, Tensor)
        else one is two or one == two
        for one, two in zip(before, after, strict=True)
    )
