"""Time contestants side by side and write what was measured, with all that is needed to repeat it.

Every contestant runs on the same input in the same process. Each must first pass a check of its
result; one that does not is recorded with the reason and is not timed. Rounds are interleaved, so
that a busy moment of the machine falls on all alike. Medians stand beside the 20 % and 80 %
quantiles, and the raw seconds are kept.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits  # comes with scikit-learn

ROOT = Path(__file__).resolve().parents[1]
MEMORY = {
    "cuda": "growth of torch.cuda.max_memory_allocated over one call",
    "linux": (
        "growth of the process's peak resident set (VmHWM) over one call: a lower bound, since "
        "memory that the allocator kept from before is not counted again"
    ),
    "none": "not measured on this system",
}


@dataclass(frozen=True)
class Contestant:
    """One way to solve a case. ``error`` judges its result; above ``allowed`` it is not timed."""

    name: str
    solve: Callable[[], Any]
    error: Callable[[Any], float]
    allowed: float


def present(name: str) -> torch.device:
    """Return the device of that name, which must be there."""
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(name.partition(":")[0]):
        found = ", ".join(kind for kind, available in there.items() if available)
        raise argparse.ArgumentTypeError(f"no device {name!r} here; there is: {found}")
    return torch.device(name)


def arguments(description: str | None, *, tables: Sequence[str] = ()) -> argparse.Namespace:
    """Read the options that every benchmark has, and set the number of threads.

    ``tables``: what the script can record, each in a file of its own; ``--tables`` picks of them.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small cases only, a few seconds")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--device", type=present, default=torch.device("cpu"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    if tables:
        parser.add_argument("--tables", nargs="+", choices=tables, default=[*tables])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    threadpool_limits(options.threads)  # NumPy's and SciPy's libraries too
    torch.manual_seed(options.seed)
    options.commit = _git("rev-parse", "HEAD")  # now: by the end somebody may have gone on
    options.clean = _git("status", "--porcelain", "--", "src", "benchmarks/*.py") == ""
    return options


def race(
    contestants: Sequence[Contestant],
    device: torch.device,
    *,
    warmup: int = 2,
    rounds: int = 20,
    budget: float = 3.0,
) -> dict[str, dict[str, Any]]:
    """Check every contestant, then time those that passed in turn.

    At most ``rounds`` rounds, at least 5; none begins after ``budget`` seconds.
    """
    results, ready = {}, []
    for one in contestants:
        results[one.name] = _examine(one)
        if results[one.name]["passed"]:
            ready.append(one)
            for _ in range(warmup - 1):
                one.solve()
    seconds: dict[str, list[float]] = {one.name: [] for one in ready}
    start = time.perf_counter()
    for finished in range(rounds):
        if finished >= 5 and time.perf_counter() - start > budget:
            break
        for one in ready:
            seconds[one.name].append(_time(one.solve, device))
    for one in ready:
        results[one.name] |= summary(seconds[one.name])
        results[one.name]["peak_bytes"] = peak_bytes(one.solve, device)
    return results


def _examine(one: Contestant) -> dict[str, Any]:
    try:
        error = one.error(one.solve())
    except Exception as problem:  # a peer may raise anything: what it raised is the result
        return {"passed": False, "raised": f"{type(problem).__name__}: {problem}"[:200]}
    passed = error <= one.allowed  # False for NaN
    return {"passed": passed, "error": error if math.isfinite(error) else str(error)}


def _time(solve: Callable[[], Any], device: torch.device) -> float:
    gc.disable()
    _wait(device)
    start = time.perf_counter()
    solve()
    _wait(device)
    seconds = time.perf_counter() - start
    gc.enable()
    return seconds


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def summary(seconds: Sequence[float]) -> dict[str, Any]:
    """Return median, 20 % and 80 % quantile, and the raw values."""
    cuts = statistics.quantiles(seconds, n=5, method="inclusive")
    return {
        "median_s": statistics.median(seconds),
        "q20_s": cuts[0],
        "q80_s": cuts[3],
        "raw_s": [float(f"{value:.4g}") for value in seconds],
    }


def peak_bytes(solve: Callable[[], Any], device: torch.device) -> int | None:
    """Return the growth of peak memory over one call, or None; ``MEMORY`` says what it is."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        solve()
        return torch.cuda.max_memory_allocated(device) - before
    if _memory_kind(device) == "none":
        return None
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is held now
    before = _resident("VmHWM")
    solve()
    return _resident("VmHWM") - before


def _resident(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise LookupError(field)


def _memory_kind(device: torch.device) -> str:
    if device.type == "cuda":
        return "cuda"
    clear = "/proc/self/clear_refs"
    return "linux" if device.type == "cpu" and os.access(clear, os.W_OK) else "none"


def matmul_ceiling(precision: str, device: torch.device) -> dict[str, Any]:
    """Return the floating-point operations a second of one large product: the best of ten."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = torch.randn(2, side, side, device=device)
    if precision == "bf16":
        a, b = a.bfloat16(), b.bfloat16()
    seconds = min(_time(lambda: torch.mm(a, b), device) for _ in range(10))
    return {"side": side, "flop_per_s": 2 * side**3 / seconds}


def copy_ceiling(device: torch.device) -> dict[str, Any]:
    """Return the bytes a second, read and written, of copying one large tensor: the best of ten."""
    numbers = 2**28 if device.type == "cuda" else 2**25
    a, b = torch.zeros(2, numbers, device=device)
    seconds = min(_time(lambda: a.copy_(b), device) for _ in range(10))
    return {"bytes": 4 * numbers, "bytes_per_s": 8 * numbers / seconds}


def write(
    name: str, options: argparse.Namespace, peers: Sequence[str], record: dict[str, Any]
) -> Path:
    """Write ``<name>-<device>.json`` in one step, and return its path."""
    device_name = _device_name(options.device)
    slug = "cpu" if options.device.type == "cpu" else device_name.lower().replace(" ", "-")
    path = options.out / f"{name}-{slug}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "benchmark": name,
        "date": datetime.now(UTC).date().isoformat(),
        "device": device_name,
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} logical cores",
        "load_average_at_end": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "threads": options.threads,
        "seed": options.seed,
        "quick": options.quick,
        "command": _command(),
        "commit": options.commit,
        "clean": options.clean,
        "versions": {"python": platform.python_version(), "cuda": torch.version.cuda}
        | {package: _version(package) for package in ("torch", "numpy", "scipy", *peers)},
        "memory": MEMORY[_memory_kind(options.device)],
    }
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(about | record, indent=1, ensure_ascii=False) + "\n")
    draft.replace(path)
    return path


def _command() -> str:
    """Return the command line, without the folder of the record, which changes no number."""
    words = [Path(sys.executable).name, *sys.argv]
    if "--out" in words:
        at = words.index("--out")
        del words[at : at + 2]
    return " ".join(words)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpu = Path("/proc/cpuinfo")
    if device.type == "cpu" and cpu.exists():
        for line in cpu.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*command: str) -> str | None:
    done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
