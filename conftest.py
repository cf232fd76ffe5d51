"""For every test and doctest: shapes are checked at run time, and digits repeat."""

import pkgutil
from collections.abc import Iterator

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# Before anything imports companion: every annotation of a shape in it becomes a check. The hook
# stands in the root, so that `pytest src` (doctests) has it as well as `pytest tests`.
install_import_hook("companion", "beartype.beartype")

import companion  # noqa: E402  (after the hook)

# pytest reads the __init__.py of a package past any hook, unless the package is there already, and
# walking imports them all. One that cannot be imported is left to its own tests to report.
for _ in pkgutil.walk_packages(companion.__path__, "companion.", onerror=lambda name: None):
    pass

collect_ignore = ["_build", "benchmarks", "tools"]  # scripts, with their own folder on the path

settings.register_profile("book", derandomize=True, deadline=None)  # the same draws in every run
settings.load_profile("book")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--browser",
        choices=["optional", "required"],
        default="optional",
        help="tests of the site: skip without a browser (optional), or fail (required)",
    )
    parser.addoption(
        "--gau-alpha",
        metavar="FOLDER",
        default=None,
        help="a folder with the published weights of GAU-α, to test what they guess",
    )


@pytest.fixture(autouse=True)
def _repeatable_digits() -> Iterator[None]:
    """Same seeds, one torch thread and deterministic kernels for every test."""
    import torch

    companion.seed_everything(0, threads=1)
    yield
    torch.use_deterministic_algorithms(False)
