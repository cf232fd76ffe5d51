"""LAMB, the optimiser whose steps are proportional to the size of each matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from companion.errors import DataError

__all__ = ["Lamb"]


class Lamb(Optimizer):
    r"""LAMB (You et al., arXiv 1904.00962, algorithm 2), each parameter being one "layer".

    .. math:: r = \frac{\hat m}{\sqrt{\hat v}+\epsilon} + w\theta,\qquad
              \theta \leftarrow \theta - \eta\,\frac{\|\theta\|}{\|r\|}\,r

    with the moments of Adam, corrected for their start unless told otherwise. In its first step r
    is nearly the sign of the gradient, so the change is
    :math:`-\eta\|\theta\|\,\mathrm{sign}(g)/\sqrt n` for the n entries of a matrix (eq-depth-lamb).
    Where θ or r is zero the quotient of norms is taken as 1.

    Args:
        params: as for every optimiser of torch.
        lr: η.
        betas: of the two moments.
        eps: ε.
        weight_decay: w, as in the formula.
        bias_correction: whether the moments are corrected for their start. GAU-α was trained
            without. The correction is one factor for all of m̂/√v̂, which the quotient of norms
            takes out again, so that only the weight of ε and w beside it differs.

    Raises:
        DataError: if a value is out of its range.

    >>> w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> (w * torch.tensor([1.0, -2.0])).sum().backward()
    >>> Lamb([w], lr=0.1, eps=0.0).step()
    >>> w.detach()  # a step of 0.1 ‖θ‖ = 0.5, in equal parts
    tensor([2.6464, 4.3536])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float | int = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float | int = 1e-6,
        weight_decay: float | int = 0.0,
        *,
        bias_correction: bool = True,
    ) -> None:
        for name, value in (("lr", lr), ("eps", eps), ("weight_decay", weight_decay)):
            if not 0 <= value < float("inf"):
                raise DataError(f"{name} is {value}; expected 0 or more, and finite")
        if not all(0 <= beta < 1 for beta in betas):
            raise DataError(f"betas are {betas}; expected 0 <= beta < 1")
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        defaults["bias_correction"] = bias_correction
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take one step; ``closure`` computes loss and gradients again, and its loss comes back."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, theta: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        state = self.state[theta]
        if not state:
            state["step"] = 0
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(g), torch.zeros_like(g)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        m = state["exp_avg"].lerp_(g, 1 - beta1)
        v = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        m_hat, v_hat = m, v
        if group["bias_correction"]:
            m_hat = m / (1 - beta1 ** state["step"])
            v_hat = v / (1 - beta2 ** state["step"])
        r = m_hat / (v_hat.sqrt() + group["eps"]) + group["weight_decay"] * theta
        size, length = theta.norm(), r.norm()
        trust = torch.where((size > 0) & (length > 0), size / length, 1.0)
        theta.sub_(group["lr"] * trust * r)
