"""What this machine has, what it lacks, and how to mend it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from companion.cli.bench import checkout

__all__ = ["Finding", "examine"]

SETUP = "run `make setup`"
BROWSERS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
PLACES = (
    "/Applications/Google Chrome.app",
    "/Applications/Chromium.app",
    "~/.cache/ms-playwright/chromium*",
    "~/Library/Caches/ms-playwright/chromium*",
)


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``mend`` says what to do, and is empty when all is well."""

    words: str
    mend: str = ""
    needed: bool = True

    def __str__(self) -> str:
        if not self.mend:
            return f"  ✓ {self.words}"
        return f"  {'✗' if self.needed else '·'} {self.words}: {self.mend}"


def examine() -> int:
    """Print the report; return 1 if something needed is missing, else 0."""
    root = checkout()
    machine = f"{platform.system()} {platform.release()} {platform.machine()}"
    print(f"companion {importlib.metadata.version('companion')}, {where(root)}")
    print(f"Python {platform.python_version()} at {sys.executable}, {machine}\n")
    packages = list(examine_packages(expected(root)))
    fine = [finding.words for finding in packages if not finding.mend]
    print("packages")
    if fine:
        glued = ", ".join(words.replace(" ", "\xa0") for words in fine)
        lines = textwrap.wrap(glued, 92, break_on_hyphens=False)
        print("  ✓ " + "\n    ".join(lines).replace("\xa0", " "))
    findings = [finding for finding in packages if finding.mend]
    print(*findings, sep="\n", end="\n" if findings else "")
    for title, part in (("devices", examine_devices()), ("tools", examine_tools())):
        print(f"\n{title}")
        for finding in part:
            print(finding)
            findings.append(finding)
    missing = sum(bool(finding.mend) and finding.needed for finding in findings)
    print(f"\n{missing} needed, but missing" if missing else "\nnothing needed is missing")
    return 1 if missing else 0


def where(root: Path | None) -> str:
    return f"checkout {root}" if root else f"installed in {Path(__file__).parents[1]}"


def expected(root: Path | None) -> dict[str, str]:
    """Return the packages that should be here, and their pins ("" where any version does)."""
    if root:
        lines = (root / "requirements.txt").read_text("utf-8").splitlines()
    else:
        lines = [r for r in importlib.metadata.requires("companion") or [] if "extra ==" not in r]
    wanted = [Requirement(entry) for line in lines if (entry := line.partition("#")[0].strip())]
    here = [one for one in wanted if one.marker is None or one.marker.evaluate()]
    return {
        one.name: str(one.specifier).removeprefix("==") if "==" in str(one.specifier) else ""
        for one in here
    }


def examine_packages(pins: dict[str, str]) -> Iterator[Finding]:
    for name, pin in pins.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(
                f"{name} is missing", f"{SETUP}, or pip install {name}=={pin}".rstrip("=")
            )
            continue
        if pin and version.split("+")[0] != pin:
            yield Finding(f"{name} {version} instead of {pin}", SETUP, needed=False)
        else:
            yield Finding(f"{name} {version}")


def examine_devices() -> Iterator[Finding]:
    yield Finding(f"CPU, {os.cpu_count()} threads")
    cards = output(
        "nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"
    )
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding(f"torch cannot be loaded ({str(error).splitlines()[0]})", SETUP)
        return
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            lines = cards.splitlines()
            card = lines[index] if index < len(lines) else torch.cuda.get_device_name(index)
            yield Finding(f"cuda:{index} {card}, CUDA {torch.version.cuda}")
        yield from examine_triton()
    elif cards:
        remedy = (
            f"install a CUDA build of torch {torch.__version__.split('+')[0]}, or a newer driver"
        )
        yield Finding(
            f"{cards.splitlines()[0]} is not seen by torch {torch.__version__}",
            remedy,
            needed=False,
        )
    if torch.backends.mps.is_available():
        yield Finding("mps, Apple's Metal")


def examine_triton() -> Iterator[Finding]:
    try:
        yield Finding(f"triton {importlib.metadata.version('triton')}")
    except importlib.metadata.PackageNotFoundError:
        remedy = "pip install triton, for the fast kernels; without it the references run"
        yield Finding("triton is missing", remedy, needed=False)


def examine_tools() -> Iterator[Finding]:
    for tool, needed in (("make", True), ("git", False)):
        first = output(tool, "--version").partition("\n")[0]
        mend = f"sudo apt install {tool}, or xcode-select --install on macOS"
        yield Finding(first) if first else Finding(f"{tool} is missing", mend, needed)
    yield examine_isolation()
    browser = find_browser()
    mend = (
        "sudo apt install chromium-headless-shell (Debian), or .venv/bin/playwright install "
        "chromium (for site tests)"
    )
    yield Finding(f"browser {browser}") if browser else Finding("no browser", mend, needed=False)


def examine_isolation() -> Finding:
    """Whether `companion grade` can shut submissions in."""
    try:
        from companion.grading.sandbox import isolation
    except ImportError as error:
        return Finding(f"grading cannot be loaded ({error})", SETUP, needed=False)
    found = isolation()
    mend = (
        "for `companion grade`; without it a submission's time and memory are bounded, but it can "
        "read and write what you can, and use the network"
    )
    return Finding(found.words, "" if found.program else mend, needed=False)


def find_browser() -> str:
    """Return the path of a Chromium, "" if there is none."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    for place in map(Path, map(os.path.expanduser, PLACES)):
        if found := sorted(place.parent.glob(place.name)):
            return str(found[-1])
    return ""


def output(*command: str) -> str:
    """Return what a command prints, "" if it is not there, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
