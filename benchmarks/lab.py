"""The experiments behind every figure of this project, one after the other, each alone on the machine.

    make lab                        lists them (or: python benchmarks/lab.py)
    make lab ITEM=acasxu            runs one; an interrupted one continues where it stopped
    python benchmarks/lab.py acasxu --small     shows quickly that it works; nothing is recorded

A finished run is one more line of JSON in benchmarks/results/ITEM.jsonl, with what it depends on. Exit
status: 0 when all bars are met, 1 when one is not, 2 when it cannot be run.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.lab_items.base import ROOT, Bench, Figure, Item, LabError, Report
from benchmarks.lab_items.machine import describe_commit, kernel_cache, sources_digest
from benchmarks.lab_items.processes import require_tool
from hybrid_ai.bench.machine import describe_machine

VARIABLE = "HYBRID_AI_DATA"
NAMES = (
    "acasxu",
    "tiny",
    "vdp",
    "mnist",
    "equivalents",
    "determinism",
    "startup",
    "certificates",
    "float32",
    "differential",
    "mutation",
    "fuzz",
    "unsound",
    "hints",
    "timelimits",
    "trace",
    "dossier",
    "plan",
    "ptx",
    "setup",
    "nvrtc",
    "peers",
)
LAB = ROOT / "build" / "lab"
RESULTS = ROOT / "benchmarks" / "results"
BUSY = 0.5  # load per core above which a time says little
MARKS = {True: "met", False: "NOT MET", None: ""}


def load_item(name: str) -> Item:
    item: Item = importlib.import_module(f"benchmarks.lab_items.{name}").ITEM
    return item


def list_items() -> None:
    for item in map(load_item, NAMES):
        print(f"{item.name:13} {item.summary}\n{'':13} {item.duration}")


def data_folder() -> Path:
    """The folder of the public benchmarks.

    Raises:
        LabError: HYBRID_AI_DATA names none.
    """
    value = os.environ.get(VARIABLE)
    if not value or not Path(value).is_dir():
        state = "is not set" if not value else f"is {value}, which is no folder"
        raise LabError(
            f"{VARIABLE} {state}: set it to the folder of the public benchmarks (docs/benchmarks.md says "
            f"where to get them), as in `{VARIABLE}=/path/to/data make lab ITEM=NAME`"
        )
    return Path(value).resolve()


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold the lock for as long as an item runs; it is released however this process ends.

    Raises:
        LabError: another item runs.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise LabError(
                f"process {stream.read().strip()} is running an item, and timed items run alone: "
                "wait for it, or end it"
            ) from None
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield


def open_folder(name: str, state: str) -> Path:
    """The item's folder; what an interrupted run left is kept only where nothing has changed since.

    Args:
        name: of the folder.
        state: digest of all that a step may depend on.
    """
    folder = LAB / name
    stamp = folder / "state"
    if folder.exists():
        if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
            print(f"continuing an interrupted run (its parts are in {shown(folder)})", file=sys.stderr)
            return folder
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    stamp.write_text(state, encoding="utf-8")
    return folder


def close_folder(folder: Path) -> None:
    """Put a finished run's files aside, in place of those of the run before."""
    done = folder.with_name(f"{folder.name}.last")
    shutil.rmtree(done, ignore_errors=True)
    folder.rename(done)


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def command_line(name: str, options: argparse.Namespace) -> str:
    flags = [f"--{flag}" for flag in ("all", "small") if getattr(options, flag)]
    return " ".join(["python benchmarks/lab.py", name, *flags])


def show(item: Item, report: Report) -> None:
    """Print the figures as a table against their bars."""
    cells = [("", "figure", "unit", "bar", "")]
    cells += [(one.name, str(one.value), one.unit, one.bar, MARKS[one.met]) for one in report.figures]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    print(f"\n{item.name}: {item.summary}")
    for name, value, unit, bar, mark in cells:
        line = f"{name:{widths[0]}}  {value:>{widths[1]}} {unit:{widths[2]}}  {bar:{widths[3]}}  {mark}"
        print(line.rstrip())


def passed(report: Report) -> bool:
    return all(one.met is not False for one in report.figures)


def figure_json(figure: Figure) -> dict[str, Any]:
    content: dict[str, Any] = {"name": figure.name, "value": figure.value, "unit": figure.unit}
    return content if figure.met is None else {**content, "bar": figure.bar, "met": figure.met}


def append(path: Path, record: dict[str, Any]) -> None:
    """Append one line; what stands there is never touched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(record, allow_nan=False) + "\n")


def without_paths(value: Any, data: Path) -> Any:
    """The value with the folders of this machine taken out of its texts."""
    if isinstance(value, str):
        return value.replace(f"{ROOT}/", "").replace(f"{data}/", "")
    if isinstance(value, dict):
        return {key: without_paths(one, data) for key, one in value.items()}
    return [without_paths(one, data) for one in value] if isinstance(value, list | tuple) else value


def run_item(name: str, options: argparse.Namespace) -> int:
    """Run one item, record it and show its table."""
    item, data, began = load_item(name), data_folder(), datetime.now(UTC)
    require_tool()
    os.environ.setdefault("NUMBA_CACHE_DIR", str(kernel_cache()))
    load = os.getloadavg()[0]
    commit = describe_commit()
    command = command_line(name, options)
    print(
        f"{name}: expected to take {'moments (small form)' if options.small else item.duration}",
        file=sys.stderr,
    )
    if load > BUSY * len(os.sched_getaffinity(0)):
        print(f"the machine is busy (load {load:.1f}): times will say little", file=sys.stderr)
    state = sha256(f"{sources_digest()} {command} {data}".encode()).hexdigest()
    folder = open_folder(f"{name}-small" if options.small else name, state)
    start = perf_counter()
    report = item.run(Bench(data, folder, options.small, options.all))
    if not options.small:
        record = {
            "item": name,
            "command": command,
            "date": began.isoformat(timespec="seconds"),
            **commit,
            "machine": {**describe_machine(), "load_before": round(load, 2)},
            "seconds": round(perf_counter() - start, 1),
            "resumed": report.resumed,
            "passed": passed(report),
            "figures": [figure_json(one) for one in report.figures],
            "details": report.details,
        }
        append(RESULTS / f"{name}.jsonl", without_paths(record, data))
    close_folder(folder)
    show(item, report)
    print("small form: not recorded" if options.small else f"recorded in {shown(RESULTS / name)}.jsonl")
    return 0 if passed(report) else 1


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="lab.py", description="Run one experiment, or list them when none is named."
    )
    parser.add_argument("item", nargs="?", choices=NAMES, metavar="ITEM")
    parser.add_argument("--small", action="store_true", help="a small form that records nothing")
    parser.add_argument("--all", action="store_true", help="the longest form, where there is one")
    options = parser.parse_args(arguments)
    if options.item is None:
        list_items()
        return 0
    try:
        with alone(LAB / "lock"):
            return run_item(options.item, options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lab: interrupted; the same command continues", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
