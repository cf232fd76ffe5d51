"""The layers that are timed: how each is built, called, and judged before it is timed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from companion.attention import (
    Architecture,
    GatedAttentionUnit,
    MultiHeadAttention,
    gau_attention,
    mixed_chunk_attention,
)
from companion.attention.cost import cost_of
from companion.attention.encoder import Block

PEERS = ["FLASH-pytorch", "triton"]
REFERENCES = {"quad": gau_attention, "mixed_chunk": mixed_chunk_attention}
ALLOWED = {"fp32": 1e-4, "autocast": 5e-2, "bf16": 2e-2}  # errors, as shares of what is compared


@dataclass(frozen=True)
class Case:
    """What is timed: a batch of sequences, there, or there and back."""

    kind: str  # "quad" or "mixed_chunk"
    causal: bool
    n: int
    batch: int
    dim: int
    precision: str  # "fp32", "autocast" (bf16), or "bf16" throughout
    backward: bool
    compiled: bool = False
    key_dim: int = 128
    units: int = 1

    @property
    def parameters(self) -> int:
        """So many have the units: 3de + ds each."""
        return self.units * (6 * self.dim**2 + self.dim * self.key_dim)

    def about(self) -> dict[str, Any]:
        """Return what a record says about the case."""
        names = ("causal", "n", "batch", "dim", "key_dim", "precision")
        mode = "forward and backward" if self.backward else "forward"
        return {name: getattr(self, name) for name in names} | {"mode": mode}


Build = Callable[[Case], nn.Module]  # of x, [batch, n, dim], to as much


def companion(case: Case) -> nn.Module:
    """Pre-norm, unit, residual connection; attention by the kernel where there is one."""
    unit = GatedAttentionUnit(
        case.dim,
        key_dim=case.key_dim,
        causal=case.causal,
        attention="quad" if case.kind == "quad" else "mixed_chunk",
        rope=False,  # the peer's layers have none
    )
    return Block(unit, case.dim, norm="layer")


def reference(case: Case) -> nn.Module:
    """The same, by the definition on every device."""
    return plain(companion(case))


def flash_pytorch(case: Case) -> nn.Module:
    """The peer's layer as published: norm and residual connection are inside."""
    package: Any = import_module("flash_pytorch")
    kind = package.GAU if case.kind == "quad" else package.FLASH
    return kind(dim=case.dim, query_key_dim=case.key_dim, causal=case.causal)


def pair(layers: str, *, fused: bool = True) -> Build:
    """One Transformer layer, or two units, with pre-norms, as this package's models have them."""

    def build(case: Case) -> nn.Module:
        sizes: dict[str, Any] = {"dim": case.dim, "key_dim": case.key_dim, "layers": layers}
        return Architecture(depth=1, fused=fused, **sizes).encoder(causal=case.causal)

    return build


def plain(layer: nn.Module, *, fused: bool = False) -> nn.Module:
    """Let every part compute by its definition: no kernel; if not ``fused``, no torch's either."""
    for part in layer.modules():
        if isinstance(part, GatedAttentionUnit):
            part.attend = REFERENCES[part.attention]
        elif isinstance(part, MultiHeadAttention):
            part.fused = fused
    return layer


class Runner:
    """A contestant: built at its first call, so that a package that is missing is recorded."""

    def __init__(self, name: str, build: Build, case: Case, x: Tensor, towards: Tensor) -> None:
        self.name, self.build, self.case = name, build, case
        self.x = x.detach().requires_grad_(case.backward)
        self.towards = towards  # the gradient that comes from above
        self.layer: nn.Module | None = None
        self.call: Callable[[Tensor], Tensor]

    def __call__(self) -> list[Tensor]:
        """Return the output of the first sequence, and the gradient of its x if there is one."""
        if self.layer is None:
            torch.manual_seed(0)
            self.layer = self.build(self.case).to(self.x.device, self.x.dtype)
            compiled = self.case.compiled
            self.call = torch.compile(self.layer, dynamic=False) if compiled else self.layer
        self.layer.zero_grad()
        self.x.grad = None
        return passes(self.call, self.x, self.towards, self.case)

    def error(self, found: list[Tensor]) -> float:
        """At most 1: parameters within 3 %, the numbers of the definition, causal if asked for.

        What is compared is the branch, without the x that is added to it (with x where bf16 has
        rounded the sum), against the layer's own definition in float64; in float32 beyond 4096
        tokens, where the peer's and the Transformer's memory would not do (the fused Transformer
        is then its own definition).
        """
        assert self.layer is not None
        exact = torch.float64 if self.case.n <= 4096 else torch.float32
        twin = plain(deepcopy(self.layer).to(dtype=exact), fused=exact == torch.float32)
        x = self.x[:1].detach().to(exact).requires_grad_(self.case.backward)
        towards = self.towards[:1].to(exact)
        wanted = passes(twin, x, towards, replace(self.case, precision="fp32"))
        share = 0 if self.case.precision == "bf16" else 1
        errors = [
            relative(one.to(exact) - share * kept, other - share * kept)
            for one, other, kept in zip(found, wanted, (x, towards), strict=False)
        ]
        errors += [self._leak()] if self.case.causal else []
        wrong_size = abs(self._parameters() / self.case.parameters - 1) / 0.03
        scaled = [error / ALLOWED[self.case.precision] for error in errors] + [wrong_size]
        return max(scaled) if all(map(math.isfinite, scaled)) else math.nan

    @torch.no_grad()
    def _leak(self) -> float:
        """Return how much the first half hears of other random tokens in the second."""
        first = self.case.n // 2
        other = torch.cat([self.x[:, :first], torch.randn_like(self.x[:, first:])], dim=1)
        forward = replace(self.case, backward=False)
        before, after = (passes(self.call, x, x, forward)[0] for x in (self.x.detach(), other))
        return relative(after[:, :first], before[:, :first])

    def _parameters(self) -> int:
        assert self.layer is not None
        return sum(parameter.numel() for parameter in self.layer.parameters())

    def facts(self, seconds: float) -> dict[str, Any]:
        """Return what the time means; operations are those of the definition, forward."""
        assert self.layer is not None
        n, dim = self.case.n, self.case.dim
        definition = plain(deepcopy(self.layer)).to("meta", torch.float32)
        cost = cost_of(definition, torch.empty(1, n, dim, device="meta"), length=n)
        return {
            "parameters": self._parameters(),
            "operations_per_token": cost.operations / n,
            "tokens_per_s": self.case.batch * n / seconds,
        }


def passes(
    call: Callable[[Tensor], Tensor], x: Tensor, towards: Tensor, case: Case
) -> list[Tensor]:
    """Go there, or there and back: the first sequence's output, and the gradient of its x."""
    with precise(case.precision, x.device), torch.set_grad_enabled(case.backward):
        out = call(x)
    if not case.backward:
        return [out[:1]]
    out.backward(towards.to(out.dtype))
    assert x.grad is not None
    return [out[:1].detach(), x.grad[:1]]


@torch.no_grad()
def relative(found: Tensor, expected: Tensor) -> float:
    """Return the length of the difference as a share of the length; NaN if a number is none."""
    found, expected = found.double(), expected.double()
    return float((found - expected).norm() / expected.norm().clamp_min(1e-30))


def precise(name: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return the context of a precision: float32 is float32, not TF32."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    if name == "autocast":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
