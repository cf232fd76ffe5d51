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
    return _gradients(losses, _checked_parameters(parameters), retain_graph=retain_graph)[0]


def _gradients(
    losses: Iterable[Tensor], parameters: list[Tensor], *, retain_graph: bool = False
) -> tuple[Float[Tensor, "task dim"], list[bool]]:
    """Return the rows of ``task_gradients`` and, for each parameter, if any loss depends on it."""
    losses = _checked_losses(losses)
    rows, reached = [], [False] * len(parameters)
    for index, loss in enumerate(losses):
        keep = retain_graph or index + 1 < len(losses)
        parts = torch.autograd.grad(loss, parameters, retain_graph=keep, allow_unused=True)
        reached = [old or part is not None for old, part in zip(reached, parts, strict=True)]
        pairs = zip(parts, parameters, strict=True)
        dense = [p.new_zeros(p.shape) if g is None else g.to_dense() for g, p in pairs]
        rows.append(torch.cat([part.reshape(-1) for part in dense]))
    return torch.stack(rows), reached


def backward_primary(
    primary_loss: Tensor, auxiliary_losses: Sequence[Tensor], parameters: Iterable[Tensor]
) -> Direction:
    r"""Add ``primary_descent`` to ``.grad``, as ``primary_loss.backward()`` would add :math:`g_0`.

    Any optimiser can follow; the promise that no auxiliary loss goes up is one about ``u`` itself,
    so plain gradient descent keeps it to first order and momentum or Adam need not
    (``eq-primary-dual``). Frozen parameters are passed over, those that no loss depends on keep
    their ``.grad``, and one that is given twice counts once: again as ``backward()`` does.

    Args:
        primary_loss: the scalar that matters.
        auxiliary_losses: scalars that must not go up; may be empty.
        parameters: e.g. ``model.parameters()``; the direction has those that require a gradient.

    Raises:
        DataError, ShapeError: as ``task_gradients``, but for frozen parameters only if all are.
        NumericsError: if a gradient holds NaN or infinity; ``.grad`` is then untouched.

    >>> x = torch.tensor([1.0, 0.0], requires_grad=True)
    >>> direction = backward_primary(x[0], [x[1] - x[0]], [x])
    >>> x.grad
    tensor([0.5000, 0.5000])
    """
    trained = _trained(parameters)
    gradients, reached = _gradients([primary_loss, *_listed(auxiliary_losses)], trained)
    direction = primary_descent(gradients[0], gradients[1:])
    _accumulate(direction.update, trained, reached)
    return direction


def backward_common(losses: Sequence[Tensor], parameters: Iterable[Tensor]) -> Direction:
    r"""Add ``common_descent`` of the losses to ``.grad``, as ``loss.backward()`` would.

    Equation ``eq-primary-parallel``. Arguments and errors as for ``backward_primary``.

    >>> x = torch.tensor([1.0, 1.0], requires_grad=True)
    >>> direction = backward_common([2 * x[0], x[1]], [x])
    >>> x.grad
    tensor([0.4000, 0.8000])
    """
    trained = _trained(parameters)
    gradients, reached = _gradients(losses, trained)
    direction = common_descent(gradients)
    _accumulate(direction.update, trained, reached)
    return direction


def _accumulate(update: Tensor, parameters: list[Tensor], reached: list[bool]) -> None:
    parts = update.split([parameter.numel() for parameter in parameters])
    for part, parameter, wanted in zip(parts, parameters, reached, strict=True):
        if not wanted:  # a gradient of 0 would let AdamW decay it, and momentum push it on
            continue
        gradient = part.view(parameter.shape).to(parameter.dtype)
        if parameter.grad is None:
            parameter.grad = gradient.clone()  # ``update`` stays what it is when .grad is clipped
        elif parameter.grad.is_sparse:
            parameter.grad = gradient + parameter.grad
        else:
            parameter.grad.add_(gradient)


def _trained(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The parameters that ``backward()`` would write to, each once."""
    found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    _check_tensors("parameter", found)
    trained = list(dict.fromkeys(parameter for parameter in found if parameter.requires_grad))
    if found and not trained:
        raise DataError(f"none of the {len(found)} parameters requires a gradient")
    return _checked_parameters(trained)


def _checked_parameters(parameters: Iterable[Tensor]) -> list[Tensor]:
    found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not found:
        raise DataError("no parameters; expected at least one tensor (an exhausted iterator?)")
    _check_tensors("parameter", found)
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


def _listed(losses: Iterable[Tensor]) -> list[Tensor]:
    if isinstance(losses, Tensor) and losses.ndim == 0:
        raise DataError("found one loss where a list of losses is expected; write [loss]")
    return list(losses)


def _checked_losses(losses: Iterable[Tensor]) -> list[Tensor]:
    found = _listed(losses)
    if not found:
        raise DataError("no losses; expected at least one")
    _check_tensors("loss", found)
    for index, loss in enumerate(found):
        if loss.numel() != 1:
            raise ShapeError(f"loss {index} has shape {tuple(loss.shape)}; expected a scalar")
        if not loss.requires_grad:
            raise DataError(f"loss {index} has no gradient: it depends on no parameter")
    return found


def _check_tensors(name: str, found: Sequence[object]) -> None:
    for index, item in enumerate(found):
        if not isinstance(item, Tensor):
            raise DataError(f"{name} {index} is a {type(item).__name__}, expected a tensor")
