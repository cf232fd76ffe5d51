"""tools/environment.py: one clear line for a machine that cannot carry the book; the pins agree."""

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "tools" / "environment.py"

TOO_NEW = (
    ast.JoinedStr,
    ast.NamedExpr,
    ast.AnnAssign,
    ast.AsyncFunctionDef,
    ast.Match,
    ast.TryStar,
    ast.YieldFrom,
)


@pytest.fixture
def environment() -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def complaint(environment: ModuleType) -> str:
    """Return the one line with which the script stops."""
    with pytest.raises(SystemExit) as stop:
        environment.check_machine()
    message = str(stop.value.code)
    assert len(message.splitlines()) == 1
    assert message.startswith("setup: ")
    return message


def test_this_machine_passes(environment: ModuleType) -> None:
    environment.check_machine()


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 8, 10), (3, 10, 14)])
def test_an_old_python_is_told_so(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]
) -> None:
    plain = ".".join(map(str, version))
    old = SimpleNamespace(
        version_info=version, version=f"{plain} (main)", executable="/bin/python", exit=sys.exit
    )
    monkeypatch.setattr(environment, "sys", old)
    message = complaint(environment)
    assert "needs Python 3.11 or newer" in message
    assert f"found {plain} at /bin/python" in message
    assert "make PYTHON=" in message


def test_a_python_without_venv_is_told_what_to_install(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    message = complaint(environment)
    assert f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in message


def test_a_folder_that_cannot_be_written_is_named(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.os, "access", lambda path, mode: False)
    assert f"no permission to write in {ROOT}" in complaint(environment)


def test_a_command_that_fails_is_named(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.subprocess, "call", lambda command, cwd: 7)
    with pytest.raises(SystemExit, match="`pip install nothing` ended with status 7"):
        environment.run("pip", "install", "nothing")


def test_the_script_is_read_by_the_oldest_python() -> None:
    """A Python that cannot parse the script would answer with a SyntaxError instead."""
    tree = ast.parse(SCRIPT.read_text("utf-8"), feature_version=(3, 4))
    for node in ast.walk(tree):
        assert not isinstance(node, TOO_NEW), f"line {node.lineno}: {type(node).__name__}"
        if isinstance(node, ast.FunctionDef):
            names = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            assert not node.args.posonlyargs
            assert not node.args.kwonlyargs
            assert node.returns is None
            assert all(name.annotation is None for name in names)


def pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text("utf-8")
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def test_every_requirement_is_pinned() -> None:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pinned = r"#|[A-Za-z0-9._\[\]-]+==|triton>="  # a CUDA build of torch chooses its triton
    loose = [line for line in lines if line and not re.match(pinned, line)]
    assert loose == []


def test_the_full_resolution_agrees_with_the_requirements() -> None:
    resolved = pins("constraints.txt")
    for package, version in pins("requirements.txt").items():
        assert resolved.get(package) == version, package


def test_no_pin_is_bound_to_one_build_of_torch() -> None:
    """`+cpu` would shut out CUDA and macOS; CUDA's own packages would shut out macOS."""
    resolved = pins("constraints.txt")
    assert not any("+" in version for version in resolved.values())
    assert not any(package.startswith(("nvidia-", "triton")) for package in resolved)
