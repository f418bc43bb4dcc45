"""Runs the command line: in this process where that says as much, else as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from hybrid_ai.cli.main import main

COMMAND = (sys.executable, "-m", "hybrid_ai.cli.main")
ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "src" / "hybrid_ai" / "demo"
MODELS = ROOT / "tests" / "data" / "models"
HOLDS = (DEMO / "braking.onnx", DEMO / "braking_limit.vnnlib")
FAILS = (DEMO / "braking.onnx", DEMO / "braking_short_runway.vnnlib")


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


class Command:
    """Calls the command line in this process and captures its streams."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: object) -> Ended:
        self._capfd.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as error:
            code = int(str(error.code))
        out, err = self._capfd.readouterr()
        return Ended(code, out, err)


def start(arguments: Sequence[object], **options: object) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, **options)  # type: ignore[call-overload,no-any-return]
