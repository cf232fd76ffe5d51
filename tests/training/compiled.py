"""What test_compile.py runs in a process of its own, where no import hook is in the way.

Usage: python -m training.compiled, from the folder of the tests; prints the greatest differences.
"""

import json
from dataclasses import replace

import torch
from torch._inductor import config
from training.small_run import DATA, RECIPE, loss, net

from companion.training import fit


def main() -> None:
    torch.set_num_threads(1)
    config.compile_threads = 1  # workers cost more than they save
    calls, found = [], {}
    compiler = torch.compile
    torch.compile = lambda *options, **more: calls.append(options) or compiler(*options, **more)
    for precision in ("float32", "bf16"):
        runs = []
        for compiled in (False, True):
            recipe = replace(RECIPE, steps=6, precision=precision, compile=compiled, log_every=1)
            model = net(dropout=0.0, norm=False)
            runs.append(fit(model, loss, DATA, recipe, progress=False))
        pairs = zip(*(run.history for run in runs), strict=True)
        found[precision] = max(abs(plain["loss"] - fast["loss"]) for plain, fast in pairs)
    print(json.dumps({"compiled": len(calls), **found}))


if __name__ == "__main__":
    main()
