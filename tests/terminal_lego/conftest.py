from pathlib import Path

import pytest

from tests.terminal_lego.reference import wheel


@pytest.fixture(scope="session")
def harbor_wheel() -> Path:
    """A recent version of the reference."""
    return wheel("0.25.0")


@pytest.fixture(scope="session")
def old_harbor_wheel() -> Path:
    """One with the earlier templates, the earlier parser and a fixed output limit."""
    return wheel("0.1.28")
