"""The tool that makes stubs, and the exercises as the texts show them."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tool() -> ModuleType:
    """`tools/exercises.py`, loaded as it is when run: with its own folder on the path."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module("exercises")
    finally:
        sys.path.pop(0)
