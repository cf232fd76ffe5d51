"""An experiment: models trained at one length are tested at others, with one rule changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from companion.attention.entropy import Law, attention_entropy, scale_at
from companion.attention.length_tasks import LengthTask
from companion.attention.models import MaskedLanguageModel
from companion.attention.normalizers import (
    Normalizer,
    relu2,
    self_normalized_relu2,
    softmax,
    softmax_plus,
)
from companion.attention.unit import GatedAttentionUnit
from companion.errors import DataError
from companion.training import Recipe, fit

__all__ = ["TESTED", "TRAINED", "Transfer", "accuracies", "row_sums", "scaled_softmax", "train_at"]

TRAINED: dict[str, Normalizer] = {
    "relu²": relu2,
    "self-normalised relu²": self_normalized_relu2,
    "softmax": softmax,
}
"""The rules that are trained. At the training length those of ``TESTED`` that belong to one of
them are the same function, so that one set of weights serves all of them."""


def scaled_softmax(
    scores: Tensor, allowed: Tensor | None, length: Tensor, *, law: Law, base: int
) -> Tensor:
    """Return the softmax of the scores times ``scale_at(law, n)``, n being ``length``."""
    each = [scale_at(law, float(n), base=base) for n in length.flatten()]
    return softmax(scores * scores.new_tensor(each).view_as(length), allowed, length)


def near_softmax(scores: Tensor, allowed: Tensor | None, length: Tensor, *, reach: int) -> Tensor:
    """Return the softmax over keys at most ``reach`` away."""
    at = torch.arange(scores.shape[-1], device=scores.device)
    near = ((at[:, None] - at).abs() <= reach)[None]
    return softmax(scores, near if allowed is None else near & allowed, length)


def rules_for(trained: str, length: int) -> dict[str, tuple[Normalizer, int | None]]:
    """Return rule and fixed n of every test, for models trained with one rule at one length."""
    return {
        name: (rule, length if fixed else None)
        for name, (source, make, fixed) in TESTED.items()
        if source == trained
        for rule in [make(length)]
    }


TESTED = {
    "relu²/n, n of the text": ("relu²", lambda length: relu2, False),
    "relu²/n, n fixed": ("relu²", lambda length: relu2, True),
    "self-normalised relu²": (
        "self-normalised relu²",
        lambda length: self_normalized_relu2,
        False,
    ),
    "softmax": ("softmax", lambda length: softmax, False),
    "softmax_plus": ("softmax", lambda length: partial(softmax_plus, base=length), False),
    "softmax, root law": (
        "softmax",
        lambda length: partial(scaled_softmax, law="root", base=length),
        False,
    ),
    "softmax, near keys alone": (
        "softmax",
        lambda length: partial(near_softmax, reach=length // 2),
        False,
    ),
}
"""What is tested, by name: the rule of ``TRAINED`` that its weights come from, what makes the rule
from the length of training, and whether n is fixed at that length."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """How the models are trained.

    Args:
        length: tokens in a text, of which all rules that share weights agree.
        batch, steps, rate, warmup: as in ``Recipe``; the rate falls linearly to 0.
    """

    length: int = 64
    batch: int = 16
    steps: int = 400
    rate: float = 4e-3
    warmup: int = 80

    def recipe(self, seed: int) -> Recipe:
        """Return the recipe of one run."""
        return Recipe(
            steps=self.steps, batch=self.batch, rate=self.rate, warmup=self.warmup,
            decay="linear", average=None, seed=seed, log_every=max(1, self.steps // 20),
        )  # fmt: skip


def train_at(
    task: LengthTask, rule: str, setting: Transfer, *, seed: int
) -> tuple[MaskedLanguageModel, list[float]]:
    """Train one model; return it and the losses on the way.

    Args:
        task: what is learnt.
        rule: of ``TRAINED``.
        setting: how.
        seed: of weights, batches and hidden tokens.

    Raises:
        DataError: for an unknown rule.
    """
    if rule not in TRAINED:
        raise DataError(f"no rule is called {rule!r}; there are: {', '.join(TRAINED)}")
    torch.manual_seed(seed)
    model = task.model(TRAINED[rule], None)
    run = fit(model, task.loss, task.data(setting.length), setting.recipe(seed), progress=False)
    return model, [float(row["loss"]) for row in run.history]


@torch.no_grad()
def accuracies(
    task: LengthTask,
    trained: MaskedLanguageModel,
    rule: Normalizer,
    fixed: int | float | None,
    lengths: Sequence[int],
) -> list[float]:
    """Return the share of hidden places told right, with the trained weights and another rule.

    Args:
        task: that the model has learnt.
        trained: whose weights are taken; it stays as it is.
        rule, fixed: from scores to weights, and a fixed n or None.
        lengths: of the texts.
    """
    model = task.model(rule, fixed)
    model.load_state_dict(trained.state_dict())
    model.eval()
    found = []
    for length in lengths:
        right = torch.cat([task.answers(model, batch) for batch in task.batches(length)])
        found.append(float(right.double().mean()))
    return found


@torch.no_grad()
def row_sums(
    task: LengthTask, trained: MaskedLanguageModel, lengths: Sequence[int]
) -> tuple[Float[Tensor, "length layer"], Float[Tensor, "length layer"]]:
    r"""Return what the weights of a row would be divided by, and the entropy of the rows.

    .. math:: Z_i = \sum_j \mathrm{relu}^2(q_i k_j/\sqrt s), \qquad
              H_i = -\sum_j a_{ij}\log a_{ij},\ a = \mathrm{softmax}(q_i k_j/\sqrt s)

    (``eq-alpha-selfnorm``, ``eq-alpha-entropy``), each a mean over all queries of a layer.

    Args:
        task: that the model has learnt.
        trained: the model.
        lengths: of the texts.
    """
    seen: list[tuple[float, float]] = []

    def look(scores: Tensor, allowed: Tensor | None, length: Tensor) -> Tensor:
        total = scores.relu().square().sum(dim=-1).mean()
        seen.append((float(total), float(attention_entropy(scores).mean())))
        return rule(scores, allowed, length)

    units = [one for one in trained.modules() if isinstance(one, GatedAttentionUnit)]
    rule = units[0].normalize
    model = task.model(look, None)
    model.load_state_dict(trained.state_dict())
    model.eval()
    for length in lengths:
        _answer_once(task, model, length)
    both = torch.tensor(seen).view(len(lengths), len(units), 2)
    return both[..., 0], both[..., 1]


def _answer_once(task: LengthTask, model: nn.Module, length: int) -> None:
    task.answers(model, task.batches(length)[0])  # pyright: ignore[reportArgumentType]
