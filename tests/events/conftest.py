"""For tests of what a user sees, who runs without the checks of shapes."""

from collections.abc import Iterator

import jaxtyping
import pytest


@pytest.fixture
def _as_for_a_user() -> Iterator[None]:
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
