"""An experiment: which deep Post-Norm networks learn without warm-up, from which start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from companion.attention.encoder import Encoder, TokenEncoder
from companion.attention.length_tasks import TextTask
from companion.attention.models import MaskedLanguageModel
from companion.attention.normalizers import softmax
from companion.attention.transformer import TransformerLayer
from companion.attention.unit import GatedAttentionUnit
from companion.errors import DataError, NumericsError
from companion.training import Recipe, fit

__all__ = ["NETS", "ColdStart", "build_net", "start_cold", "start_gain"]

NETS = {
    "GAU, scaled": ("gau", True),
    "GAU, unscaled": ("gau", False),
    "Transformer, scaled": ("transformer", True),
    "Transformer, unscaled": ("transformer", False),
}
"""By name: the kind of branches, and whether their weights start smaller in a deep network."""


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """What all runs have in common.

    Args:
        layers: Transformer layers of two branches each, or half the gated attention units.
        dim, key_dim, heads: of the model.
        length, batch, steps: of the training.
    """

    layers: int = 12
    dim: int = 32
    key_dim: int = 16
    heads: int = 4
    length: int = 64
    batch: int = 16
    steps: int = 80


def start_gain(branches: int, order: int) -> float:
    r"""Return λ, the factor of the weights of a branch: :math:`N^{-1/k}`.

    A branch that is a product of k matrices of size λ brings :math:`\lambda^k` to a step of LAMB,
    whose steps are in proportion to the weights; N of them bring :math:`N\lambda^k = 1`
    (``eq-alpha-start``; for k = 2 ``eq-depth-lamb`` with N there half of N here).

    Args:
        branches: N, at least 1.
        order: k, at least 1: 2 for attention and feed-forward, 3 for a gated attention unit.

    Raises:
        DataError: for a number below 1.

    >>> round(start_gain(24, 3), 4)
    0.3467
    """
    if branches < 1 or order < 1:
        raise DataError(f"branches {branches}, order {order}; expected at least 1")
    return branches ** (-1 / order)


def build_net(name: str, setting: ColdStart, *, vocabulary: int) -> MaskedLanguageModel:
    """Return an untrained Post-Norm model: GAU-α's norms for units, LayerNorm for the Transformer.

    Args:
        name: of ``NETS``.
        setting: the measures.
        vocabulary: how many tokens there are.

    Raises:
        DataError: for an unknown name.

    >>> model = build_net("GAU, scaled", ColdStart(layers=1, dim=8, key_dim=4), vocabulary=9)
    >>> len(model.encoder.encoder.blocks)
    2
    """
    if name not in NETS:
        raise DataError(f"no net is called {name!r}; there are: {', '.join(NETS)}")
    kind, scaled = NETS[name]
    d, branches = setting.dim, 2 * setting.layers
    layers: list[nn.Module]
    if kind == "gau":  # softmax_plus with the length of training as its base is softmax
        layers = [
            GatedAttentionUnit(d, key_dim=setting.key_dim, normalize=softmax)
            for _ in range(branches)
        ]
    else:
        layers = [TransformerLayer(d, setting.heads, ffn="mlp") for _ in range(setting.layers)]
    norm = "plain" if kind == "gau" else "layer"
    encoder = Encoder(layers, dim=d, norm=norm, placement="post")
    if scaled:
        gain = start_gain(branches, 3 if kind == "gau" else 2)
        with torch.no_grad():
            for module in encoder.modules():
                if isinstance(module, nn.Linear):
                    module.weight.mul_(gain)
    return MaskedLanguageModel(TokenEncoder(encoder, vocabulary=vocabulary, norm=norm))


def start_cold(
    name: str,
    setting: ColdStart,
    *,
    rate: float | int,
    warmup: int,
    optimizer: Callable[..., torch.optim.Optimizer],
    seed: int,
) -> list[float] | str:
    """Train on hidden letters, and return the mean losses of every tenth of the run.

    Args:
        name: of ``NETS``.
        setting: what all have in common.
        rate: learning rate; it falls linearly to 0.
        warmup: steps over which it rises; 0 for none.
        optimizer: from parameters to an optimiser.
        seed: of weights and batches.

    Returns:
        The losses; or, if one stops being finite, what was said of it.
    """
    task = TextTask()
    torch.manual_seed(seed)
    model = build_net(name, setting, vocabulary=task.tokens()[0])
    recipe = Recipe(
        steps=setting.steps, batch=setting.batch, rate=float(rate), warmup=warmup, decay="linear",
        clip=None, average=None, seed=seed, log_every=max(1, setting.steps // 10),
    )  # fmt: skip

    def loss(model: MaskedLanguageModel, batch: Tensor, draws: object) -> Tensor:
        return task.loss(model, batch, draws)  # pyright: ignore[reportArgumentType]

    try:
        run = fit(
            model, loss, task.data(setting.length), recipe, optimizer=optimizer, progress=False
        )
    except NumericsError as error:
        return str(error)
    return [float(row["loss"]) for row in run.history]
