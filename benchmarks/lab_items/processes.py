"""Run a command as a whole process and measure it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import IO

from benchmarks.lab_items.base import ROOT, LabError

PYTHON = sys.executable
TOOL = str(Path(sys.executable).parent / "hybrid-ai")
TAIL = 400


@dataclass(frozen=True)
class Measured:
    """What a process did.

    Attributes:
        code: exit status, negative for a signal.
        output, errors: what it wrote; `errors` is empty when they were shown instead.
        wall: seconds from its start to its end.
        cpu: CPU seconds of it and of the children it waited for.
        after_signal: seconds from the signal to the end, None without one.
    """

    code: int
    output: str
    errors: str
    wall: float
    cpu: float
    after_signal: float | None = None


def measure(
    command: Sequence[str],
    *,
    show: bool = False,
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    request: str = "",
    signal_after: tuple[float, signal.Signals] | None = None,
) -> Measured:
    """Run a command to its end.

    Args:
        command: program and arguments.
        show: let what it writes to standard error through.
        folder: to run it in.
        environment: instead of ours.
        request: text for its standard input.
        signal_after: seconds after which it gets a signal, and which.
    """
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        given.write(request.encode())
        given.seek(0)
        start = perf_counter()
        process = subprocess.Popen(
            command, stdin=given, stdout=output, stderr=None if show else errors, cwd=folder, env=environment
        )
        sent: list[float] = []
        timer = _timer(process, sent, signal_after)
        try:
            # Not Popen.wait: only wait4 tells the CPU seconds of this process and no other's.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            timer.cancel()
        end = perf_counter()
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu = usage.ru_utime + usage.ru_stime
        after = end - sent[0] if sent else None
        return Measured(process.returncode, _text(output), _text(errors), end - start, cpu, after)


def _timer(
    process: subprocess.Popen[bytes], sent: list[float], signal_after: tuple[float, signal.Signals] | None
) -> threading.Timer:
    seconds, number = signal_after or (0.0, signal.SIGINT)

    def send() -> None:
        sent.append(perf_counter())
        os.kill(process.pid, number)

    timer = threading.Timer(seconds, send)
    if signal_after is not None:
        timer.start()
    return timer


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


def succeed(measured: Measured, command: Sequence[str], codes: Sequence[int] = (0,)) -> Measured:
    """Return what was measured.

    Raises:
        LabError: the exit status is none of `codes`.
    """
    if measured.code not in codes:
        said = (measured.errors.strip() or measured.output.strip())[-TAIL:]
        name = " ".join(Path(part).name for part in command[:4])
        raise LabError(f"{name} ... ended with exit status {measured.code}: {said}")
    return measured


def require_tool() -> None:
    """Raise LabError where the command is not installed beside this Python."""
    if not os.access(TOOL, os.X_OK):
        raise LabError("hybrid-ai is not installed for this Python: run this through `make lab ITEM=NAME`")


def warm_up() -> None:
    """Have the kernels compiled and read from disk once, so that nothing measured later pays for it."""
    demo = ROOT / "src/hybrid_ai/demo"
    for command in (
        [PYTHON, "-P", "-m", "hybrid_ai.search.warm_up"],
        [TOOL, "verify", str(demo / "braking.onnx"), str(demo / "braking_limit.vnnlib")],
    ):
        succeed(measure(command), command, (0, 10, 20))
