"""Usual wrong answers to the exercise on decoding with a constant state, as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Held = tuple[Tensor, tuple[tuple[Tensor, ...], ...], int]
State = Held | None
Stepped = tuple[Tensor, State]


def nothing_yet(k_lin: Tensor, v: Tensor) -> Held:
    """The sum over earlier chunks, the tokens of the chunk under way, how many came before it."""
    return torch.zeros(len(k_lin), len(v)).double(), (), 0


def stepped(
    state: State,
    q_quad: Tensor,
    k_quad: Tensor,
    q_lin: Tensor,
    k_lin: Tensor,
    v: Tensor,
    chunk: int,
    *,
    local: Callable[[int, int, int], float] = lambda held, chunk, key: chunk * key,
    far: Callable[[int, int, int], float] = lambda before, held, chunk: max(before, 1),
    sees_itself: bool = True,
    late: int = 0,
    remembers: bool = True,
    linear_keys: bool = True,
) -> Stepped:
    """One step, with one of its parts changed."""
    past, own, before = state or nothing_yet(k_lin, v)
    longer = (*own, (k_quad, k_lin, v))
    seen = longer if sees_itself else own
    out = q_lin @ past / far(before, len(longer), chunk)
    for key, _, value in seen:
        out = out + (q_quad @ key).relu().square() * value / local(len(seen), chunk, len(key))
    if len(longer) < chunk + late:
        return out, (past, longer, before)
    if remembers:
        past = past + sum(torch.outer(one[int(linear_keys)], one[2]) for one in longer)
    return out, (past, (), before + len(longer))


def at_once(state: Any, *token: Any) -> tuple[Tensor, object]:
    """The token goes into the sum in the step in which it comes, and is counted."""
    q_lin, k_lin, v = token[2:5]
    out, near = stepped(state and state[0], *token, far=lambda before, held, chunk: 1e300)
    past, seen = state[1:] if state else (torch.zeros(len(k_lin), len(v)).double(), 0)
    past, seen = past + torch.outer(k_lin, v), seen + 1
    return out + q_lin @ past / seen, (near, past, seen)


def sliding(state: State, *token: Any) -> Stepped:
    """The last c tokens, wherever the chunk began; what drops out goes into the sum."""
    *rows, chunk = token
    past, own, before = state or nothing_yet(rows[3], rows[4])
    full = len(own) == chunk
    if full:
        oldest, *rest = own
        past, own, before = past + torch.outer(oldest[1], oldest[2]), tuple(rest), before + 1
    out, _ = stepped((past, own, before), *token)
    return out, (past, (*own, (rows[1], rows[3], rows[4])), before)


def everything_kept(state: Any, *token: Any) -> tuple[Tensor, object]:
    """A cache of all tokens: right, and as long as the text."""
    out, short = stepped(state and state[0], *token)
    return out, (short, (*(state[1] if state else ()), token[1:5]))


def in_place(state: Any, *token: Any) -> tuple[Tensor, object]:
    """The outputs are right, and the state that went in is another one afterwards."""
    state = {"short": None} if state is None else state
    out, state["short"] = stepped(state["short"], *token)
    return out, state
