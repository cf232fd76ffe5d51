"""The tool that makes stubs, and the exercises as the texts show them."""

from types import ModuleType

import pytest
from loading import load_tool


@pytest.fixture(scope="session")
def tool() -> ModuleType:
    return load_tool("exercises")
