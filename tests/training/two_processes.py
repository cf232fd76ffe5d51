"""What each process runs in test_processes.py: train, and tell what came out.

Usage: python -m training.two_processes FOLDER, from the folder of the tests.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from training.small_run import DATA, RECIPE, loss, net, timeless

from companion.training import fit

RANK = int(os.environ.get("RANK", "0"))


def curve(folder: Path | None, *, stop: int | None = None) -> dict[str, Any]:
    """Train; with ``stop``, a signal reaches the second process in that step."""
    calls = 0

    def watched(model, batch, draws):
        nonlocal calls
        calls += 1
        if calls == stop and RANK == 1:
            signal.raise_signal(signal.SIGTERM)
        return loss(model, batch, draws)

    def measure(model):
        return {"rank": float(RANK), "weight": next(model.parameters()).sum().item()}

    model = net(seed=RANK, dropout=0.0, norm=False)  # the main process's weights count
    recipe = replace(RECIPE, log_every=1 if stop else 5)
    run = fit(model, watched, DATA, recipe, folder=folder, measure=measure, progress=False)
    total = next(run.average.parameters()).sum().item()
    return {"history": timeless(run.history), "sum": total}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    (folder / f"curve.{RANK}").write_text(json.dumps(curve(folder / "curve")))
    try:
        curve(folder / "stopped", stop=9)
    except KeyboardInterrupt as interruption:
        (folder / f"stopped.{RANK}").write_text(json.dumps(str(interruption)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
