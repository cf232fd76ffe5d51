"""An experiment: auxiliary tasks that help, that do not, and that harm, under three rules."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from companion.multitask.descent import primary_descent
from companion.multitask.digits import load_images
from companion.multitask.gradients import task_gradients

__all__ = ["Classroom", "Run", "train_beside"]

OUTPUTS = {"row sums": 8, "coarse label": 4, "shuffled label": 10}


@dataclass(frozen=True)
class Classroom:
    """Few images with labels for the primary task, all others for the auxiliary ones."""

    labelled: int = 40
    images: int = 900
    steps: int = 400
    batch: int = 64
    rate: float = 0.05


@dataclass(frozen=True)
class Run:
    """Accuracy of the primary task on unseen images, and how each auxiliary was held off.

    ``push`` is :math:`\\lambda_i |g_i| / |g_0|` at every step: the length of the correction, in
    units of the primary gradient. ``harm`` is the share of steps at which the step really taken
    has a negative inner product with :math:`g_i`. Both are empty or NaN where nothing is guarded.
    """

    accuracy: float
    push: Float[Tensor, "step task"]
    harm: Float[Tensor, " task"]


class _Network(nn.Module):
    """A trunk that all tasks share and one linear head for each."""

    def __init__(self, tasks: list[str]) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.primary = nn.Linear(64, 10)
        self.heads = nn.ModuleList([nn.Linear(64, OUTPUTS[task]) for task in tasks])


def train_beside(
    tasks: list[str],
    *,
    rule: str,
    seed: int,
    optimizer: str = "momentum",
    room: Classroom | None = None,
) -> Run:
    """Train the primary classifier beside ``tasks`` and report how it does.

    Args:
        tasks: among ``OUTPUTS``: the sums of the eight rows of pixels, the digit's parity and half
            (four classes), or a label drawn at random for each image, once and for all.
        rule: ``"alone"`` (auxiliaries ignored), ``"sum"`` of all gradients, or ``"primary"``.
        seed: of the split, the weights and the batches.
        optimizer: ``"sgd"``, ``"momentum"`` (0.9) or ``"adam"`` (at a fiftieth of the rate).
    """
    room = room or Classroom()
    draws = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    images, labels = load_images()
    order = torch.randperm(len(images), generator=draws)
    labelled, seen, unseen = order[: room.labelled], order[: room.images], order[room.images :]
    targets = _targets(images, labels, draws)
    network = _Network(tasks).double()
    parameters = list(network.parameters())
    step = _optimizer(optimizer, parameters, room.rate)
    push, harm = [], torch.zeros(len(tasks))
    for _ in range(room.steps):
        few = labelled[torch.randint(len(labelled), (room.batch,), generator=draws)]
        many = seen[torch.randint(len(seen), (room.batch,), generator=draws)]
        primary = cross_entropy(network.primary(network.trunk(images[few])), labels[few])
        shared = network.trunk(images[many])
        heads = zip(tasks, network.heads, strict=True)
        losses = [_loss(task, head(shared), targets[task][many]) for task, head in heads]
        gradients = task_gradients([primary, *losses], parameters)
        if rule == "primary":
            direction = primary_descent(gradients[0], gradients[1:])
            push.append(direction.weights * gradients[1:].norm(dim=1) / gradients[0].norm())
            update = direction.update
        else:
            update = gradients[0] if rule == "alone" else gradients.sum(dim=0)
        moved = _move(step, parameters, update)
        harm += gradients[1:] @ moved < -1e-10 * gradients[1:].norm(dim=1) * moved.norm()
    with torch.no_grad():
        right = network.primary(network.trunk(images[unseen])).argmax(dim=1) == labels[unseen]
    track = torch.stack(push) if push else torch.empty(0, len(tasks))
    return Run(float(right.double().mean()), track, harm / room.steps)


def _move(
    step: torch.optim.Optimizer, parameters: list[nn.Parameter], update: Float[Tensor, " dim"]
) -> Float[Tensor, " dim"]:
    """Let the optimiser follow ``update`` and return what it took away from the parameters."""
    before = nn.utils.parameters_to_vector(parameters).detach()
    sizes = [parameter.numel() for parameter in parameters]
    for parameter, part in zip(parameters, update.split(sizes), strict=True):
        parameter.grad = part.view_as(parameter)
    step.step()
    return before - nn.utils.parameters_to_vector(parameters).detach()


def _targets(
    images: Float[Tensor, "image 64"], labels: Int[Tensor, " image"], draws: torch.Generator
) -> dict[str, Tensor]:
    return {
        "row sums": images.view(-1, 8, 8).sum(dim=2) / 2,
        "coarse label": labels % 2 + 2 * (labels >= 5),
        "shuffled label": torch.randint(10, labels.shape, generator=draws),
    }


def _loss(task: str, output: Tensor, target: Tensor) -> Tensor:
    return mse_loss(output, target) if task == "row sums" else cross_entropy(output, target)


def _optimizer(name: str, parameters: list[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    if name == "adam":
        return torch.optim.Adam(parameters, lr=rate / 50)
    return torch.optim.SGD(parameters, lr=rate, momentum=0.9 if name == "momentum" else 0.0)
