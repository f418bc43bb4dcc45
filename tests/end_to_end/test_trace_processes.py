"""Many processes write one log while some are killed: nothing acknowledged is lost, the log stays whole."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PROCESSES, EACH, KILLED = 8, 300, 3

# Appends without waiting; a second thread notes, durably, what was acknowledged.
WRITER = """
import os, queue, sys, threading
from pathlib import Path
from hybrid_ai.audit.trace import Trace
log, side, worker, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
receipts = queue.Queue(20)
def note():
    with open(side, "a") as stream:
        while (item := receipts.get()) is not None:
            stream.write(f"{item[0]} {item[1].wait()}\\n")
            stream.flush()
            os.fsync(stream.fileno())
with Trace(log, interval=0.005) as trace:
    noting = threading.Thread(target=note)
    noting.start()
    for number in range(count):
        receipts.put((number, trace.append("test/entry", parameters={"worker": worker, "number": number})))
    receipts.put(None)
    noting.join()
"""


def start(log: Path, side: Path, worker: int) -> subprocess.Popen[bytes]:
    arguments = [str(log), str(side), str(worker), str(EACH)]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stderr=subprocess.PIPE)


def noted(side: Path) -> dict[int, int]:
    """What a process knows to be acknowledged: sequence by its own number; a torn last line says nothing."""
    lines = side.read_text().split("\n")[:-1] if side.exists() else []
    return {int(number): int(sequence) for number, sequence in map(str.split, lines)}


def read_plainly(log: Path) -> list[dict[str, Any]]:
    """The entries by the words of the format alone."""
    data = log.read_bytes()
    assert data.endswith(b"\n")
    found = []
    for line in data[:-1].split(b"\n"):
        entry = json.loads(line)
        assert json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == line
        found.append(entry)
    assert [entry["sequence"] for entry in found] == list(range(len(found)))
    assert [entry["action"] for entry in found].count("log/open") == 1
    assert found[0]["action"] == "log/open"
    return found


def test_nothing_acknowledged_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    chance = random.Random(7)
    log = tmp_path / "trace" / "entries.jsonl"
    sides = [tmp_path / f"{worker}.txt" for worker in range(PROCESSES)]
    processes = [start(log, side, worker) for worker, side in enumerate(sides)]
    victims = {worker: chance.randrange(20, EACH // 2) for worker in chance.sample(range(PROCESSES), KILLED)}
    deadline = time.monotonic() + 120
    while victims:
        assert time.monotonic() < deadline
        for worker in [worker for worker, least in victims.items() if len(noted(sides[worker])) >= least]:
            processes[worker].kill()
            del victims[worker]
    codes = []
    for process in processes:
        _, errors = process.communicate(timeout=120)
        codes.append(process.returncode)
        assert process.returncode == -signal.SIGKILL or not errors, errors.decode()
    assert sorted(codes) == [-signal.SIGKILL] * KILLED + [0] * (PROCESSES - KILLED)
    found = read_plainly(log)
    for worker, side in enumerate(sides):
        acknowledged = noted(side)
        assert len(acknowledged) >= (EACH if codes[worker] == 0 else 20)
        for number, sequence in acknowledged.items():
            assert found[sequence]["parameters"] == {"worker": worker, "number": number}
        own = [
            entry["parameters"]["number"] for entry in found[1:] if entry["parameters"]["worker"] == worker
        ]
        assert own == list(range(len(own)))


def run(program: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def test_one_of_many_processes_opens_a_log(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from hybrid_ai.audit.trace import Trace\n"
        "sys.stdin.read()\n"
        "with Trace(Path(sys.argv[1])) as trace: print(trace.log)"
    )
    log = tmp_path / "entries.jsonl"
    reading, writing = os.pipe()
    command = [sys.executable, "-c", program, str(log)]
    processes = [
        subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    os.close(reading)
    time.sleep(1)
    os.close(writing)  # now they all begin
    printed = {process.communicate(timeout=120)[0] for process in processes}
    (opening,) = read_plainly(log)
    assert printed == {opening["parameters"]["log"] + "\n"}


LIMITED = """
import sys
from pathlib import Path
from hybrid_ai.audit.trace import Trace, WriteFailed
with Trace(Path(sys.argv[1]), interval=0) as trace:
    done = 0
    try:
        while True:
            trace.append("test/entry", parameters={"text": "x" * 100}).wait()
            done += 1
    except WriteFailed as error:
        print(done, error)
    try:
        trace.flush()
    except WriteFailed:
        pass
"""


def test_a_disk_without_room_fails_the_batch_and_leaves_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "entries.jsonl"
    result = run(LIMITED, log, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)))
    assert result.returncode == 0, result.stderr
    done = int(result.stdout.split()[0])
    assert "File too large" in result.stdout and done > 5
    assert len(read_plainly(log)) == done + 1


UNCLOSED = """
import logging, sys
from pathlib import Path
from hybrid_ai.audit.logging_handler import TraceHandler
from hybrid_ai.audit.trace import Trace
trace = Trace(Path(sys.argv[1]), interval=3600)
logging.getLogger().addHandler(TraceHandler(trace, logging.INFO))
logging.getLogger().setLevel(logging.INFO)
for number in range(100):
    logging.info("%d", number)
other = Trace(Path(sys.argv[1] + "2"), interval=3600)  # nobody flushes this one
other.append("test/last")
if len(sys.argv) > 2:
    raise SystemExit(3)
"""


@pytest.mark.parametrize("how", [[], ["exit"]])
def test_a_program_that_ends_without_closing_loses_nothing(tmp_path: Path, how: list[str]) -> None:
    log = tmp_path / "entries.jsonl"
    result = run(UNCLOSED, log, *how)
    assert (result.returncode, result.stdout, result.stderr) == (3 if how else 0, "", "")
    found = read_plainly(log)[1:]
    assert [entry["parameters"]["message"] for entry in found] == [str(number) for number in range(100)]
    assert [entry["action"] for entry in read_plainly(Path(f"{log}2"))] == ["log/open", "test/last"]
    assert {entry["action"] for entry in found} == {f"log/{logging.getLevelName(logging.INFO).lower()}"}


FORKING = """
import multiprocessing, sys, warnings
from pathlib import Path
from hybrid_ai.audit.trace import Trace, TraceForked
warnings.simplefilter("ignore", DeprecationWarning)
def work(log):
    try:
        trace.append("test/inherited")
    except TraceForked:
        with Trace(log) as own:
            own.append("test/own").wait()
trace = Trace(Path(sys.argv[1]), interval=0)
context = multiprocessing.get_context("fork")
children = [context.Process(target=work, args=(trace.path,)) for _ in range(4)]
for child in children:
    child.start()
    trace.append("test/parent")
for child in children:
    child.join()
    assert child.exitcode == 0
trace.close()
"""


def test_forked_processes_open_traces_of_their_own(tmp_path: Path) -> None:
    log = tmp_path / "entries.jsonl"
    result = run(FORKING, log)
    assert (result.returncode, result.stderr) == (0, "")
    found = read_plainly(log)
    actions = [entry["action"] for entry in found]
    assert sorted(actions) == ["log/open"] + ["test/own"] * 4 + ["test/parent"] * 4
    assert len({entry["run"] for entry in found}) == 5


def without_chance(text: str) -> str:
    """The text without identities and times, which differ from run to run."""
    return re.sub(r"\b[0-9a-f]{32}\b|[0-9]{4}-[0-9-]+T[0-9:.]+Z", "*", text)


def test_the_example_of_the_guide_prints_what_it_says(tmp_path: Path) -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "trace.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    (_, program), (_, output) = blocks[:2]
    result = run(program, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert without_chance(result.stdout) == without_chance(output)
    assert len(read_plainly(tmp_path / "trace" / "entries.jsonl")) == 5
