"""Run one command and count the CPU seconds of all its descendants: ``python -m hybrid_ai.bench.meter``.

Standard input is one JSON object (`command`, `limit` in seconds, `folder`, `environment`, `output`: file that
receives what the command writes); standard output is another: `code`, `timed_out`, `wall`, `cpu`.

A process's usage counts only children that it waited for. This process is nobody's but the command's: it
adopts what the command leaves behind (Linux: child subreaper), ends and reaps all of it, and reads the sum.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main() -> None:
    """Read the request, run the command, write what it took."""
    request = json.load(sys.stdin)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) or libc.prctl(
        PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0
    ):
        raise OSError(ctypes.get_errno(), "cannot adopt the command's descendants: Linux is needed")
    signal.signal(signal.SIGTERM, _interrupt)
    print(json.dumps(_measure(request)))


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _measure(request: dict[str, Any]) -> dict[str, Any]:
    with open(request["output"], "wb") as output:
        began = perf_counter()
        try:
            process = subprocess.Popen(
                request["command"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=request["folder"],
                env=request["environment"],
                start_new_session=True,
            )
            timed_out = not _ends_within(process.pid, request["limit"])
            if timed_out:
                process.kill()
            code, wall = process.wait(), perf_counter() - began
        finally:
            _end_descendants()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"code": code, "timed_out": timed_out, "wall": wall, "cpu": used.ru_utime + used.ru_stime}


def _ends_within(pid: int, seconds: float) -> bool:
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(1000.0 * seconds))
    finally:
        os.close(descriptor)


def _end_descendants() -> None:
    """Kill and reap until none is left: the children of one that ends become ours."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split():
            os.kill(int(pid), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


if __name__ == "__main__":
    main()
