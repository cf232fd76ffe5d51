"""Gradients of several losses, and steps that follow them as ``loss.backward()`` would."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from companion.errors import DataError, ShapeError
from companion.multitask.descent import common_descent, primary_descent
from companion.multitask.direction import Direction

__all__ = ["backward_common", "backward_primary", "task_gradients"]


def task_gradients(
    losses: Sequence[Tensor], parameters: Iterable[Tensor], *, retain_graph: bool = False
) -> Float[Tensor, "task dim"]:
    r"""Return :math:`g_i = \nabla L_i`, one backward pass and one row per loss.

    All parameters are flattened and laid end to end, in the order given, as
    ``torch.nn.utils.parameters_to_vector`` does. A parameter that a loss does not use gives zeros.
    Nothing is written into ``.grad``.

    Args:
        losses: scalars, at least one.
        parameters: tensors that require a gradient, e.g. ``model.parameters()``, or one tensor,
            e.g. a representation that the losses share.
        retain_graph: keep the graph for another backward pass after the last of these.

    Raises:
        DataError: if there is no loss or no parameter, or one that has no gradient.
        ShapeError: if a loss is no scalar.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> task_gradients([x.square().sum(), x[0]], [x])
    tensor([[2., 4.],
            [1., 0.]])
    """
    parameters = _checked_parameters(parameters)
    _check_losses(losses)
    rows = []
    for index, loss in enumerate(losses):
        keep = retain_graph or index + 1 < len(losses)
        parts = torch.autograd.grad(loss, parameters, retain_graph=keep, allow_unused=True)
        pairs = zip(parts, parameters, strict=True)
        dense = [p.new_zeros(p.shape) if g is None else g.to_dense() for g, p in pairs]
        rows.append(torch.cat([part.reshape(-1) for part in dense]))
    return torch.stack(rows)


def backward_primary(
    primary_loss: Tensor, auxiliary_losses: Sequence[Tensor], parameters: Iterable[Tensor]
) -> Direction:
    r"""Add ``primary_descent`` to ``.grad``, as ``primary_loss.backward()`` would add :math:`g_0`.

    Any optimiser can follow; the promise that no auxiliary loss goes up is one about ``u`` itself,
    so plain gradient descent keeps it to first order and momentum or Adam need not
    (``eq-primary-dual``).

    Args:
        primary_loss: the scalar that matters.
        auxiliary_losses: scalars that must not go up; may be empty.
        parameters: as for ``task_gradients``.

    Raises:
        DataError, ShapeError: as ``task_gradients``.
        NumericsError: if a gradient holds NaN or infinity; ``.grad`` is then untouched.

    >>> x = torch.tensor([1.0, 0.0], requires_grad=True)
    >>> direction = backward_primary(x[0], [x[1] - x[0]], [x])
    >>> x.grad
    tensor([0.5000, 0.5000])
    """
    parameters = _checked_parameters(parameters)
    gradients = task_gradients([primary_loss, *auxiliary_losses], parameters)
    direction = primary_descent(gradients[0], gradients[1:])
    _accumulate(direction.update, parameters)
    return direction


def backward_common(losses: Sequence[Tensor], parameters: Iterable[Tensor]) -> Direction:
    r"""Add ``common_descent`` of the losses to ``.grad``, as ``loss.backward()`` would.

    Equation ``eq-primary-parallel``. Arguments and errors as for ``backward_primary``.

    >>> x = torch.tensor([1.0, 1.0], requires_grad=True)
    >>> direction = backward_common([2 * x[0], x[1]], [x])
    >>> x.grad
    tensor([0.4000, 0.8000])
    """
    parameters = _checked_parameters(parameters)
    direction = common_descent(task_gradients(losses, parameters))
    _accumulate(direction.update, parameters)
    return direction


def _accumulate(update: Tensor, parameters: list[Tensor]) -> None:
    parts = update.split([parameter.numel() for parameter in parameters])
    for part, parameter in zip(parts, parameters, strict=True):
        gradient = part.view(parameter.shape).to(parameter.dtype)
        if parameter.grad is None:
            parameter.grad = gradient.clone()  # ``update`` stays what it is when .grad is clipped
        else:
            parameter.grad.add_(gradient)


def _checked_parameters(parameters: Iterable[Tensor]) -> list[Tensor]:
    found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not found:
        raise DataError("no parameters; expected at least one tensor (an exhausted iterator?)")
    for index, parameter in enumerate(found):
        if not parameter.requires_grad:
            shape = tuple(parameter.shape)
            raise DataError(f"parameter {index} {shape} does not require a gradient; leave it out")
        if parameter.device != found[0].device:
            raise DataError(
                f"parameter {index} is on {parameter.device}, parameter 0 on {found[0].device}; "
                "expected one device"
            )
    return found


def _check_losses(losses: Sequence[Tensor]) -> None:
    if len(losses) == 0:
        raise DataError("no losses; expected at least one")
    for index, loss in enumerate(losses):
        if loss.numel() != 1:
            raise ShapeError(f"loss {index} has shape {tuple(loss.shape)}; expected a scalar")
        if not loss.requires_grad:
            raise DataError(f"loss {index} has no gradient: it depends on no parameter")
