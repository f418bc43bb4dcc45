"""Commands as whole processes: CPU seconds of all their descendants, and a time limit that holds for all."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.isolation import python_command

METER = "hybrid_ai.bench.meter"
OUTPUT = "output.txt"


@dataclass(frozen=True)
class Metered:
    """What a command took.

    Attributes:
        code: exit status, negative for a signal.
        timed_out: it was ended at the limit.
        wall: seconds until it ended.
        cpu: CPU seconds of it and of all its descendants, whoever waited for them.
        output: what it wrote to both streams.
    """

    code: int
    timed_out: bool
    wall: float
    cpu: float
    output: str


def metered(command: Sequence[str], *, limit: float, folder: Path, environment: Mapping[str, str]) -> Metered:
    """Run a command to its end, or end it and all its descendants at the limit.

    Args:
        command: program and arguments.
        limit: wall seconds.
        folder: to run it in; receives its output.
        environment: of the command, nothing else is inherited.

    Raises:
        BadInput: it cannot be started.
    """
    output = folder / OUTPUT
    request = {
        "command": list(command),
        "limit": limit,
        "folder": str(folder),
        "environment": dict(environment),
        "output": str(output),
    }
    pipe = subprocess.PIPE
    with subprocess.Popen(python_command(METER), stdin=pipe, stdout=pipe, stderr=pipe, text=True) as meter:
        try:
            answer, errors = meter.communicate(json.dumps(request))
        except BaseException:
            meter.terminate()  # it ends what it started
            meter.wait()
            raise
    if meter.returncode:
        reason = (errors.strip().splitlines() or ["no reason given"])[-1]
        raise BadInput(f"{command[0]}: cannot be run and measured: {reason}")
    return Metered(**json.loads(answer), output=output.read_text(encoding="utf-8", errors="replace"))
