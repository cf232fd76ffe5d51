"""What each process runs in test_processes.py: train, and tell what came out.

Usage: python -m training.two_processes FOLDER RESULT [STOP], from the folder of the tests.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
from training.small_run import DATA, RECIPE, loss, net, timeless

from companion.training import fit

torch.set_num_threads(1)


def main(folder: str, result: str, stop: int = 0) -> None:
    rank = int(os.environ.get("RANK", "0"))
    calls = 0

    def watched(model, batch, draws):
        nonlocal calls
        calls += 1
        if calls == stop and rank == 1:  # the signal reaches one of the two
            signal.raise_signal(signal.SIGTERM)
        return loss(model, batch, draws)

    def measure(model):
        return {"rank": float(rank), "weight": next(model.parameters()).sum().item()}

    model = net(seed=rank, dropout=0.0, norm=False)  # the main process's weights count
    recipe = replace(RECIPE, log_every=1 if stop else 5)
    try:
        run = fit(model, watched, DATA, recipe, folder=folder, measure=measure, progress=False)
    except KeyboardInterrupt as interruption:
        Path(f"{result}.{rank}").write_text(json.dumps(str(interruption)))
        return
    told = {"history": timeless(run.history), "sum": next(run.average.parameters()).sum().item()}
    Path(f"{result}.{rank}").write_text(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
