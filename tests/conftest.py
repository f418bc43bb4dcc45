"""What every test may use: the folder of public test data, and a count of the tests that missed it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

VARIABLE = "HYBRID_AI_DATA"
WITHOUT_DATA = f"{VARIABLE} not set"

# Kernels compile on first use and CI machines are shared: no deadline on a single example.
settings.register_profile("hybrid-ai", deadline=None, print_blob=True)
settings.load_profile("hybrid-ai")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of problems with known answers; the test is skipped where there is none."""
    value = os.environ.get(VARIABLE)
    if not value:
        pytest.skip(WITHOUT_DATA)
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"{VARIABLE} is set to {value}, which is no folder: correct it or unset it")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get(VARIABLE):
        return
    skipped = [
        report for report in terminalreporter.getreports("skipped") if VARIABLE in str(report.longrepr)
    ]
    terminalreporter.write_line(f"{len(skipped)} tests skipped: {WITHOUT_DATA}")
