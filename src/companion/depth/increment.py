"""What one step of an optimiser does to the loss: to first order, and in fact."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from companion.errors import DataError, ShapeError

__all__ = ["Increment", "loss_increment"]


class Increment(NamedTuple):
    """The change of a loss in one step, predicted by the gradient and measured.

    Both may be infinite or NaN; that is what was found, and ``finite`` says so.
    """

    predicted: float
    actual: float

    @property
    def finite(self) -> bool:
        """Whether both numbers are finite."""
        return math.isfinite(self.predicted) and math.isfinite(self.actual)


def loss_increment(
    model: nn.Module,
    loss_fn: Callable[[nn.Module, Any], Tensor],
    batch: Any,
    optimizer: Optimizer,
) -> Increment:
    r"""Take one step, measure the change of the loss, and undo the step.

    .. math:: \text{predicted} = \langle\nabla L,\Delta\theta\rangle,\qquad
              \text{actual} = L(\theta+\Delta\theta) - L(\theta)

    (eq-depth-increment.) Parameters, gradients and the state of the optimiser are afterwards what
    they were. A loss that overflows is a result, not an error.

    Args:
        model: has the parameters that the optimiser changes.
        loss_fn: ``loss_fn(model, batch)`` gives a scalar, the same each time it is asked.
        batch: handed to ``loss_fn`` as it is.
        optimizer: any optimiser of torch, on parameters of the model.

    Raises:
        DataError: if the optimiser holds a parameter that is not of the model.
        ShapeError: if the loss is no scalar.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.5)
    >>> loss_increment(model, lambda model, x: 3 * model(x).sum(), torch.ones(1, 1), sgd)
    Increment(predicted=-4.5, actual=-4.5)
    """
    thetas = [theta for group in optimizer.param_groups for theta in group["params"]]
    own = {id(theta) for theta in model.parameters()}
    if any(id(theta) not in own for theta in thetas):
        raise DataError("the optimiser holds a parameter that is none of the model's")
    kept = [(theta.detach().clone(), theta.grad) for theta in thetas]
    state = deepcopy(optimizer.state_dict())
    try:
        for theta in thetas:
            theta.grad = None
        loss = _scalar(loss_fn(model, batch))
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            after = _scalar(loss_fn(model, batch))
            predicted = sum(
                float(theta.grad.double().flatten() @ (theta.double() - old.double()).flatten())
                for theta, (old, _) in zip(thetas, kept, strict=True)
                if theta.grad is not None
            )
        return Increment(float(predicted), float(after.double() - loss.detach().double()))
    finally:
        with torch.no_grad():
            for theta, (old, gradient) in zip(thetas, kept, strict=True):
                theta.copy_(old)
                theta.grad = gradient
        optimizer.load_state_dict(state)


def _scalar(loss: Tensor) -> Tensor:
    if loss.ndim:
        raise ShapeError(f"loss has shape {list(loss.shape)}; expected a scalar")
    return loss
