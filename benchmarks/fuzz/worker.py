"""One fuzzing process: `python -m benchmarks.fuzz.worker READER FOLDER SECONDS SEED`."""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter, process_time

from benchmarks.fuzz.findings import keep
from benchmarks.fuzz.guard import observe
from benchmarks.fuzz.targets import TARGETS

LONGEST_INPUT = 20_000
HANG = 60  # seconds after which libFuzzer ends a process that does not come back to Python
MOST_MEMORY = 6000  # MiB at which libFuzzer ends the process
FAILED = 3  # exit status when the fuzzer itself is at fault
BYTE_LEVEL = 0.3  # share of changes that know nothing of the structure


@dataclass
class Count:
    """What a worker did so far; kept in a file, since a process may be ended at any time."""

    file: Path
    executions: int = 0
    start: float = field(default_factory=perf_counter)

    def write(self) -> None:
        content = {"executions": self.executions, "cpu": process_time(), "wall": perf_counter() - self.start}
        self.file.write_text(json.dumps(content), encoding="utf-8")


def run(name: str, folder: Path, seconds: float, seed: int) -> None:
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

    target = TARGETS[name]
    with atheris.instrument_imports(include=["hybrid_ai"]):
        reader, mutate, mend = target.load(), target.load_mutator(), target.load_mender()
    count = Count(folder / f"count-{seed}.json")
    count.write()
    # the end: in CPU time, so that a busy machine does not shorten the run
    end = process_time() + seconds

    def one(data: bytes) -> None:
        count.executions += 1
        finding = observe(reader, data)
        if finding is not None:
            keep(folder / "findings", finding, data)
        if count.executions % 64 == 0 or finding is not None:
            count.write()
            if process_time() > end:
                os._exit(0)  # atheris offers no other way out

    def changed(data: bytes, most: int, number: int) -> bytes:
        rng = Random(number)
        byte_level = rng.random() < BYTE_LEVEL
        try:
            data = bytes(atheris.Mutate(data, most)) if byte_level else mutate(data, rng)
            return mend(data, rng)[:most]
        except Exception:
            # atheris waits for ever where this function raises
            traceback.print_exc()
            os._exit(FAILED)

    options = [
        f"-artifact_prefix={folder}/process-",
        f"-timeout={HANG}",
        f"-rss_limit_mb={MOST_MEMORY}",
        f"-max_len={LONGEST_INPUT}",
        f"-seed={seed}",
        "-reload=1",
    ]
    atheris.Setup(["fuzz", str(folder / "corpus"), *options], one, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
