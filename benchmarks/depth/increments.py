"""The first step of three optimisers against depth, and what it leaves out. No timings.

Run: ``python benchmarks/depth/increments.py`` (``--quick``: two depths, one seed).
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.harness import arguments, write
from companion.depth import (
    Attention,
    DepthScaling,
    FeedForward,
    ResidualStack,
    first_step,
    loss_increment,
)

DIM, HIDDEN, HEADS, ROWS, SEQ = 16, 32, 2, 4, 6
RATE = 1e-3  # of the Adam step that is really taken
RULES: dict[str, Callable[[int, str], DepthScaling]] = {
    "none": lambda layers, norm: DepthScaling(),
    **{
        name: lambda layers, norm, name=name: DepthScaling.for_optimizer(name, layers, norm)
        for name in ("sgd", "adam", "lamb")
    },
    "deepnet": lambda layers, norm: DepthScaling.deepnet("encoder", layers),
}
LAYER = (lambda: Attention(DIM, HEADS), lambda: FeedForward(DIM, HIDDEN))


class Probe(nn.Module):
    """A stack, LN, and the inner product with a fixed random direction: a loss of slope one."""

    def __init__(self, stack: ResidualStack) -> None:
        super().__init__()
        self.stack = stack

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(self.stack(x), (DIM,))


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    x, direction = batch
    return (model(x) * direction).sum() / direction.numel() ** 0.5


def measure(norm: str, rule: str, layers: int, seed: int) -> dict[str, object]:
    torch.manual_seed(seed)
    scaling = RULES[rule](layers, norm)
    stack = ResidualStack(LAYER, layers, norm=norm, scaling=scaling, affine=DIM)
    model = Probe(stack).double()
    x = F.layer_norm(torch.randn(ROWS, SEQ, DIM).double(), (DIM,))
    batch = x, torch.randn(ROWS, SEQ, DIM).double()
    weights = [p for branch in stack.branches for p in branch.parameters()]
    found: dict[str, object] = {"first_step": first_step(loss(model, batch), weights)._asdict()}
    if norm == "post":
        norms = [*stack.gains, *stack.biases]
        found["first_step_of_norms"] = first_step(loss(model, batch), norms)._asdict()
        adam = torch.optim.Adam(weights, lr=RATE, fused=True)
        found["adam_actual"] = abs(loss_increment(model, loss, batch, adam).actual)
    with torch.no_grad():
        out = model(x).flatten(0, 1)
    return found | {"cosine": float(F.cosine_similarity(out[:1], out[1:], dim=1).mean())}


def main() -> None:
    options = arguments(__doc__)
    options.device = torch.device("cpu")  # digits of record are those of a CPU
    depths = [10, 30] if options.quick else [10, 30, 100, 300, 1000]
    seeds = [0] if options.quick else [0, 1, 2]
    cases = []
    for norm in ("post", "pre"):
        for rule in RULES:
            if (norm, rule) == ("pre", "deepnet"):  # its constants are for the norm after
                continue
            rows = [[measure(norm, rule, n, seed) for seed in seeds] for n in depths]
            cases.append({"norm": norm, "rule": rule, "rows": rows})
            print(norm, rule, rows[-1][0]["first_step"], flush=True)
    record = {"depths": depths, "seeds": seeds, "rate": RATE, "dim": DIM, "cases": cases}
    print(write("depth-increments", options, [], record))


if __name__ == "__main__":
    main()
