"""Scripts of tools/ as modules, and of benchmarks/ as they are run, for the tests."""

import gc
import importlib.util
import runpy
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools"


def load_tool(name: str) -> ModuleType:
    """Import tools/<name>.py as it is when run: with its own folder on the path.

    Its name in here hides no module of Python's own (`site` is one).
    """
    known = f"tools_{name}"
    if known in sys.modules:
        return sys.modules[known]
    spec = importlib.util.spec_from_file_location(known, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[known] = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(TOOLS))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(TOOLS))
    return module


def run_benchmark(name: str, *options: str | Path) -> None:
    """Run benchmarks/<name>.py with these options, in this process, as if it were a new one.

    Its own folder comes first on the path, the root of the project is not on it, and no module of
    the benchmarks is there yet. Importing torch in another process would take seconds each time.
    """
    script = ROOT / "benchmarks" / f"{name}.py"
    argv, path = sys.argv, sys.path
    before = _benchmarks()
    for known in before:
        del sys.modules[known]
    sys.argv = [str(script), *map(str, options)]
    sys.path = [str(script.parent), *(one for one in path if Path(one).resolve() != ROOT)]
    gc.freeze()  # a new process would hold nothing of the tests to be searched for garbage
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        gc.unfreeze()
        sys.argv, sys.path = argv, path
        for known in _benchmarks():
            del sys.modules[known]
        sys.modules.update(before)


def _benchmarks() -> dict[str, ModuleType]:
    return {name: one for name, one in sys.modules.items() if name.split(".")[0] == "benchmarks"}
