"""Processes append to one log while some are killed: what is lost, how fast it is, what verifying costs."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.lab_items.base import Bench, Item, LabError, Report, at_least, at_most, count, plain
from benchmarks.lab_items.processes import PYTHON, measure, succeed
from hybrid_ai.audit.keys import Signer
from hybrid_ai.audit.sealing import seal
from hybrid_ai.audit.trace import Trace
from hybrid_ai.audit.verification.log import read_log

PROCESSES, KILLED, EACH, SMALL_EACH = 8, 3, 10_000, 1_000
VERIFIED, SMALL_VERIFIED = 100_000, 5_000
LEAST_APPENDS = 2000.0
MOST_SECONDS_PACKAGE, MOST_SECONDS_ALONE = 10.0, 60.0
SEED = 20260101

# Keeps 256 entries on their way. A line of the second file survives a kill once it is written: no fsync here,
# which would be measured too.
WRITER = """
import os, queue, sys, threading, time
from pathlib import Path
from hybrid_ai.audit.trace import Trace
log, side, worker, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
receipts = queue.Queue(256)
def note():
    descriptor = os.open(side, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while (item := receipts.get()) is not None:
        number, begin, receipt = item
        sequence = receipt.wait()
        os.write(descriptor, f"{number} {sequence} {begin:.6f} {time.monotonic():.6f}\\n".encode())
with Trace(log) as trace:
    noting = threading.Thread(target=note)
    noting.start()
    for number in range(count):
        begin = time.monotonic()
        receipt = trace.append("lab/entry", parameters={"worker": worker, "number": number})
        receipts.put((number, begin, receipt))
    receipts.put(None)
    noting.join()
"""


def run(bench: Bench) -> Report:
    each = SMALL_EACH if bench.small else EACH
    verified = SMALL_VERIFIED if bench.small else VERIFIED
    one = bench.once("one", lambda: write_together(bench.folder / "one", 1, 0, each))
    many = bench.once("many", lambda: write_together(bench.folder / "many", PROCESSES, KILLED, each))
    costs = bench.once("costs", lambda: verification_costs(bench.folder / "dossier", verified))
    names = {f"{PROCESSES} processes, {KILLED} killed": many, "one process": one}
    figures = [
        count("acknowledged entries lost", one["lost"] + many["lost"], 0),
        count("processes killed while they wrote", many["killed"], KILLED),
    ]
    for name, found in names.items():
        figures += [
            at_least(f"acknowledged appends per second, {name}", found["rate"], LEAST_APPENDS),
            plain(f"from append to acknowledgement, 99 %, {name}", found["p99"], "s"),
            plain(f"from append to acknowledgement, largest, {name}", found["max"], "s"),
        ]
    figures += [
        at_most(f"{verified} entries read by the package", costs["package"], MOST_SECONDS_PACKAGE, "s"),
        at_most(f"{verified} entries, verify.py by itself", costs["alone"], MOST_SECONDS_ALONE, "s"),
    ]
    return Report(tuple(figures), {"one": one, "many": many, "costs": costs, "seed": SEED})


def write_together(folder: Path, processes: int, killed: int, each: int) -> dict[str, Any]:
    """Have processes append to one log, kill some of them, and compare the log with what they know.

    Raises:
        LabError: a process failed by itself.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    log = folder / "entries.jsonl"
    sides = [folder / f"{worker}.txt" for worker in range(processes)]
    running = [
        subprocess.Popen(
            [PYTHON, "-c", WRITER, str(log), str(side), str(worker), str(each)], stderr=subprocess.PIPE
        )
        for worker, side in enumerate(sides)
    ]
    try:
        _kill_some(running, sides, killed, each)
        ends = [(process.communicate()[1].decode(), process.returncode) for process in running]
    finally:
        for process in running:
            process.kill()
    for errors, code in ends:
        if code not in (0, -9):
            raise LabError(f"a process that appends ended with exit status {code}: {errors.strip()[-400:]}")
    acknowledged = [_acknowledged(side) for side in sides]
    waits = sorted(end - begin for rows in acknowledged for _, _, begin, end in rows)
    first = min(begin for rows in acknowledged for _, _, begin, _ in rows)
    last = max(end for rows in acknowledged for _, _, _, end in rows)
    data = log.read_bytes()
    read_log(data, log.name)  # refuses a log that is not whole
    # What entries say beyond their files, the verifier forgets.
    entries = [json.loads(line) for line in data.splitlines()]
    return {
        "lost": _lost(acknowledged, entries),
        "killed": sum(code == -9 for _, code in ends),
        "acknowledged": len(waits),
        "entries": len(entries),
        "seconds": last - first,
        "rate": len(waits) / (last - first),
        "p99": waits[int(0.99 * len(waits))],
        "max": waits[-1],
    }


def _kill_some(
    running: Sequence[subprocess.Popen[bytes]], sides: Sequence[Path], killed: int, each: int
) -> None:
    """Kill some processes, each once it knows of a random number of acknowledged entries."""
    chance = random.Random(SEED)
    victims = {
        worker: chance.randrange(each // 10, each // 2)
        for worker in chance.sample(range(len(running)), killed)
    }
    while victims:
        for worker, least in list(victims.items()):
            if running[worker].poll() is not None:
                raise LabError("a process ended before it could be killed: repeat it")
            if len(_acknowledged(sides[worker])) >= least:
                running[worker].kill()
                del victims[worker]
        time.sleep(0.01)


def _acknowledged(side: Path) -> list[tuple[int, int, float, float]]:
    """What a process knows: its own numbers, numbers in the log, when appended and when acknowledged."""
    lines = side.read_text().split("\n")[:-1] if side.exists() else []
    rows = [line.split() for line in lines]
    return [(int(number), int(sequence), float(begin), float(end)) for number, sequence, begin, end in rows]


def _lost(acknowledged: Sequence[Sequence[tuple[int, int, float, float]]], entries: Sequence[Any]) -> int:
    """Acknowledged entries that are not in the log under their number, or that are out of order."""
    lost = 0
    for worker, rows in enumerate(acknowledged):
        for number, sequence, _, _ in rows:
            is_there = sequence < len(entries) and entries[sequence]["parameters"] == {
                "worker": worker,
                "number": number,
            }
            lost += not is_there
        lost += sum(earlier[1] >= later[1] for earlier, later in pairwise(rows))
    return lost


def verification_costs(folder: Path, size: int) -> dict[str, float]:
    """Seconds to read a log of so many entries, and of verify.py, started anew, for a dossier around it."""
    shutil.rmtree(folder, ignore_errors=True)
    with Trace(folder / "trace" / "entries.jsonl") as trace:
        for number in range(size - 2):  # the first entry opens the log, the last one seals the dossier
            trace.append("lab/entry", parameters={"worker": 0, "number": number})
    (folder / "attachment.txt").write_text("a file", encoding="utf-8")
    seal(folder, "folder", Signer(Ed25519PrivateKey.generate()), trace.run)
    start = perf_counter()
    with open(trace.path, "rb") as stream:
        entries = read_log(stream, trace.path.name).entries
    package = perf_counter() - start
    if len(entries) != size:
        raise LabError(f"the log has {len(entries)} entries instead of {size}")
    verifier = str(folder.with_name("verify.py"))
    generate = [PYTHON, "-m", "hybrid_ai.audit.standalone", "-o", verifier]
    succeed(measure(generate), generate)
    bare = getattr(sys, "_base_executable", PYTHON)
    command = [bare, "-I", "-S", verifier, str(folder), "--level", "integrity"]
    return {
        "package": package,
        "alone": succeed(measure(command, environment=dict(os.environ)), command).wall,
    }


ITEM = Item(
    "trace", "8 processes append to one log, 3 are killed; cost of verifying it", "about a minute", run
)
