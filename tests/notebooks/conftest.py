"""The tool under test, and one good notebook to break."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tool() -> ModuleType:
    """`tools/notebooks.py`, loaded as it is when run: with its own folder on the path."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module("notebooks")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="session")
def good(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with one good text and the notebook made from it. Copy it before breaking it."""
    root = tmp_path_factory.mktemp("good")
    (root / "text" / "attic").mkdir(parents=True)
    text = (Path(__file__).parent / "good.md").read_text("utf-8")
    (root / "text" / "attic" / "good.md").write_text(text, "utf-8")
    assert tool.main(["run"], root) == 0
    return root
