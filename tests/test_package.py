"""The package as it is installed: light to import, typed, and its annotations are enforced here."""

import random
import shutil
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import jaxtyping
import numpy
import pytest
import torch

import companion
import companion.verify

BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "triton", "numpy", "matplotlib"}:
            raise AssertionError(f"import companion asks for {name}")

sys.meta_path.insert(0, Blocked())
import companion
print(companion.__version__)
"""


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_import_needs_nothing_heavy():
    run = _python("-c", BLOCKED)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == companion.__version__


def test_the_guard_of_the_import_can_fail():
    run = _python("-c", BLOCKED.replace("import companion\n", "import companion.verify\n"))
    assert run.returncode != 0
    assert "asks for" in run.stderr


def test_import_takes_less_than_two_seconds():
    start = time.perf_counter()
    run = _python("-c", "import companion")
    assert run.returncode == 0, run.stderr
    assert time.perf_counter() - start < 2


def test_checks_import_without_triton():
    code = "import sys; sys.modules['triton'] = None; import companion.verify, companion.multitask"
    run = _python("-c", code)
    assert run.returncode == 0, run.stderr


def test_package_is_typed():
    assert files("companion").joinpath("py.typed").is_file()


def test_annotations_are_enforced():
    bad: list = [1.0]
    with pytest.raises(jaxtyping.TypeCheckError):
        companion.verify._first(bad)  # pyright: ignore[reportArgumentType]


def test_no_module_of_the_package_escapes_the_hook():
    loaded = [m for n, m in sys.modules.items() if n.partition(".")[0] == "companion"]
    escaped = [m.__name__ for m in loaded if "Jaxtyping" not in type(m.__loader__).__name__]
    assert len(loaded) > 3
    assert escaped == []


WRONG_DOCTEST = '''from jaxtyping import Float
from numpy import ndarray, zeros

def seed_everything(seed, *, threads):
    """Stands in for the real one."""

def total(x: Float[ndarray, " dim"]) -> float:
    """Called with two axes where one is declared.

    >>> total(zeros((2, 2)))
    0.0
    """
    return float(x.sum())
'''


def test_annotations_are_enforced_in_doctests(tmp_path: Path):
    root = Path(__file__).parents[1]
    package = tmp_path / "src" / "companion"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(WRONG_DOCTEST)
    shutil.copy(root / "conftest.py", tmp_path)
    shutil.copy(root / "pyproject.toml", tmp_path)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:nbval", "src"],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 1, run.stdout + run.stderr
    assert "TypeCheckError" in run.stdout


def test_torch_runs_on_one_thread_in_tests():
    assert torch.get_num_threads() == 1


def test_every_test_starts_from_the_same_seed():
    again = companion.seed_everything(0)
    drawn = torch.rand(4, generator=again)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(4), drawn)


@pytest.mark.parametrize(
    ("cuda", "metal", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_pick_device_prefers_cuda_then_metal(monkeypatch, cuda, metal, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: metal)
    assert companion.pick_device() == torch.device(expected)


def test_seed_everything_seeds_python_numpy_and_torch():
    def draw(seed: int) -> tuple[float, float, float, float]:
        generator = companion.seed_everything(seed)
        own = torch.rand(1, generator=generator).item()
        return random.random(), float(numpy.random.rand()), torch.rand(1).item(), own

    first, again, other = draw(3), draw(3), draw(4)
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_seed_everything_sets_threads_only_when_told():
    companion.seed_everything(0, threads=2)
    assert torch.get_num_threads() == 2
    companion.seed_everything(0)
    assert torch.get_num_threads() == 2


def test_seed_everything_asks_for_deterministic_kernels():
    torch.use_deterministic_algorithms(False)
    companion.seed_everything(0)
    assert torch.are_deterministic_algorithms_enabled()


def test_command_line_says_what_it_can_do():
    script = Path(sys.executable).with_name("companion")
    run = subprocess.run(
        [script, "--help"], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "Usage" in run.stdout
    assert "doctor" in run.stdout
