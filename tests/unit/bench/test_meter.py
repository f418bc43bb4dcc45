"""CPU seconds of all descendants, and a limit that ends all of them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from hybrid_ai.bench.metered import metered
from hybrid_ai.pipeline.errors import BadInput

BURN = "import time\nwhile time.process_time() < 0.4: pass\n"
# Starts a child that burns, is given up by its parent, and lives in a session of its own.
ORPHAN = (
    "import subprocess, sys, time\n"
    f"subprocess.Popen([sys.executable, '-c', {BURN!r} + 'print(1, flush=True); time.sleep(60)'], "
    "start_new_session=True, stdout=open('burnt', 'w'))\n"
    "while not open('burnt').read(): time.sleep(0.01)\n"
    "import os; print(os.getpid())\n"
)


def test_what_a_process_leaves_behind_is_counted_and_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    run = metered((sys.executable, "-c", ORPHAN), limit=50.0, folder=tmp_path, environment=dict(os.environ))
    assert (run.code, run.timed_out) == (0, False), run.output
    assert run.cpu > 0.4
    assert time.monotonic() - began < 50.0


def test_the_limit_ends_the_whole_family(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        "print(child.pid, flush=True); time.sleep(60)"
    )
    run = metered((sys.executable, "-c", program), limit=1.0, folder=tmp_path, environment=dict(os.environ))
    assert run.timed_out and run.code < 0 and 1.0 <= run.wall < 8.0
    if run.output.strip():
        assert not Path(f"/proc/{int(run.output)}").exists()


def test_the_command_sees_its_own_environment_and_folder(tmp_path: Path) -> None:
    program = "import os, sys; print(os.getcwd(), os.environ.get('GIVEN'), file=sys.stderr); sys.exit(3)"
    run = metered((sys.executable, "-c", program), limit=50.0, folder=tmp_path, environment={"GIVEN": "7"})
    assert (run.code, run.output.split()) == (3, [str(tmp_path), "7"])


def test_what_cannot_be_started_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="none: cannot be run and measured"):
        metered((str(tmp_path / "none"),), limit=1.0, folder=tmp_path, environment={})
