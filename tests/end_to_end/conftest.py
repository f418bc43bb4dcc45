from __future__ import annotations

import subprocess
import sys

import pytest

from hybrid_ai.search.kernel_cache import kernels_ready
from tests.end_to_end.command import Command


@pytest.fixture(scope="session", autouse=True)
def kernels() -> None:
    """Compiled before the first test: what is tested here are not the first 40 seconds."""
    if not kernels_ready():
        subprocess.run([sys.executable, "-m", "hybrid_ai.search.warm_up"], check=True)


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(capfd)
