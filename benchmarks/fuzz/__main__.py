"""Coverage-guided fuzzing of the readers of models, properties and certificates.

    python -m benchmarks.fuzz READER [--seconds N] [--jobs N] [--folder DIR] [--json]

Seconds are CPU seconds of each job; 0 judges what an earlier run left. Needs atheris:
pip install -r requirements/fuzz.txt. Continues from the inputs in its folder (build/fuzz/READER). Prints
executions, the share of the lines of the reader's functions (targets.py says which modules are the reader)
that the inputs kept run, and findings: any exception but the documented ones, more than 5 s or 1 GiB for an
input, a message of several lines, false evidence that is accepted. Exit status: 0 without findings, 1 with
some, 2 when it cannot be run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import subprocess
import sys
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.fuzz.findings import Kept, confirmed, keep, say
from benchmarks.fuzz.guard import Finding
from benchmarks.fuzz.lines import Covered, measure, ranges
from benchmarks.fuzz.seeds import ROOT
from benchmarks.fuzz.targets import TARGETS
from benchmarks.fuzz.worker import FAILED

REMEDY = "atheris is not installed: pip install -r requirements/fuzz.txt"
LEAST_SECONDS = 1.0
SMALLER_SECONDS = 20.0
TAIL = 2000


def has_atheris() -> bool:
    return importlib.util.find_spec("atheris") is not None


def sow(reader: str, folder: Path) -> None:
    """Put the seeds into the folder of inputs."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in TARGETS[reader].seeds():
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)


def fuzz(reader: str, folder: Path, seconds: float, jobs: int) -> dict[str, float]:
    """Run the workers; one that ends early is a finding and another goes on.

    Returns:
        Executions, and CPU and wall seconds of the workers together.

    Raises:
        ChildProcessError: a worker ends before its first input, or by its own fault.
    """
    total = {"executions": 0.0, "cpu": 0.0, "wall": 0.0}
    left = seconds
    while left >= LEAST_SECONDS:
        seeds = [random.SystemRandom().randrange(1, 2**31) for _ in range(jobs)]
        commands = [
            [sys.executable, "-m", "benchmarks.fuzz.worker", reader, str(folder), str(left), str(seed)]
            for seed in seeds
        ]
        started = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for command in commands
        ]
        said = [process.communicate()[1].decode(errors="replace") for process in started]
        used = 0.0
        for seed, process, text in zip(seeds, started, said, strict=True):
            done = _count(folder / f"count-{seed}.json")
            if not done["executions"] or process.returncode == FAILED:
                raise ChildProcessError(text[-TAIL:])
            total = {key: total[key] + done[key] for key in total}
            used = max(used, done["cpu"])
            if process.returncode:
                _keep_ended(folder, process.returncode, text)
        left -= max(used, LEAST_SECONDS)
    return total


def _count(file: Path) -> dict[str, float]:
    content: dict[str, float] = {"executions": 0.0, "cpu": 0.0, "wall": 0.0}
    if file.exists():
        content = json.loads(file.read_text(encoding="utf-8"))
        file.unlink()
    return content


def _keep_ended(folder: Path, code: int, said: str) -> None:
    """A worker was ended: its last input, where libFuzzer could write it, is a finding."""
    for artifact in folder.glob("process-*"):
        finding = Finding("process", artifact.name, f"exit status {code}\n{said[-TAIL:]}")
        keep(folder / "findings-process", finding, artifact.read_bytes())
        artifact.unlink()


def report(reader: str, folder: Path) -> tuple[Covered, list[Kept]]:
    """Coverage of the inputs kept, and the findings."""
    target = TARGETS[reader]
    found = confirmed(folder / "findings", target.load(), SMALLER_SECONDS)
    for file in sorted((folder / "findings-process").glob("*.input")):
        said = file.with_suffix(".txt").read_text(encoding="utf-8")
        found.append(Kept(Finding("process", said.partition("\n")[0], said), file))
    inputs = [path.read_bytes() for path in sorted((folder / "corpus").iterdir())]
    return measure(target, inputs), found


def summary(reader: str, ran: dict[str, float], covered: Covered, found: list[Kept]) -> dict[str, Any]:
    return {
        "reader": reader,
        "executions": int(ran["executions"]),
        "cpu_seconds": round(ran["cpu"], 1),
        "executions_per_second": round(ran["executions"] / max(ran["cpu"], 1e-9), 1),
        "coverage": round(covered.percent, 2),
        "lines": covered.lines,
        "missing": {file: ranges(lines) for file, lines in covered.missing.items()},
        "findings": [{**asdict(kept.finding), "input": str(kept.file)} for kept in found],
    }


def show(content: dict[str, Any]) -> None:
    print(
        f"{content['reader']}: {content['executions']} executions in {content['cpu_seconds']} CPU s "
        f"({content['executions_per_second']}/s), {content['coverage']} % of {content['lines']} lines, "
        f"{len(content['findings'])} findings"
    )
    for file, numbers in content["missing"].items():
        print(f"  not run: {file}: {numbers}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description="Fuzz one reader.")
    parser.add_argument("reader", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU seconds of each job")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="for inputs and findings (build/fuzz/READER)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.seconds and not has_atheris():
        print(f"fuzz: {REMEDY}", file=sys.stderr)
        return 2
    folder = (options.folder or ROOT / "build" / "fuzz" / options.reader).resolve()
    sow(options.reader, folder)
    try:
        ran = fuzz(options.reader, folder, options.seconds, options.jobs)
    except ChildProcessError as error:
        print(f"fuzz: a fuzzing process failed: {error}", file=sys.stderr)
        return 2
    covered, found = report(options.reader, folder)
    content = summary(options.reader, ran, covered, found)
    if options.json:
        print(json.dumps(content))
    else:
        show(content)
    for kept in found:
        say(kept)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
