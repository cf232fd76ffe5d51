"""The tool under test, and one good notebook to break."""

from pathlib import Path
from types import ModuleType

import pytest
from loading import load_tool


@pytest.fixture(scope="session")
def tool() -> ModuleType:
    return load_tool("notebooks")


@pytest.fixture(scope="session")
def good(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with one good text and the notebook made from it. Copy it before breaking it."""
    root = tmp_path_factory.mktemp("good")
    (root / "text" / "attic").mkdir(parents=True)
    text = (Path(__file__).parent / "good.md").read_text("utf-8")
    (root / "text" / "attic" / "good.md").write_text(text, "utf-8")
    assert tool.main(["run"], root) == 0
    return root
