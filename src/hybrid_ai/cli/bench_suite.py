"""`hybrid-ai bench suite`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_ai.cli.output import emit, note

if TYPE_CHECKING:
    from argparse import _SubParsersAction

DESCRIPTION = (
    "Decide the instances of a suite with every verifier there is on this machine, in turns, and count boxes "
    "and CPU seconds. HYBRID_AI_ABCROWN and HYBRID_AI_NNENUM name the folders of alpha-beta-CROWN and "
    "nnenum, HYBRID_AI_ABCROWN_PYTHON and HYBRID_AI_NNENUM_PYTHON their Pythons."
)


def add(actions: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    command = actions.add_parser(
        "suite",
        help="verdicts, boxes and CPU seconds beside other verifiers",
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    command.add_argument("suite", metavar="INSTANCES.csv", help="columns onnx, vnnlib, timeout_s")
    command.add_argument("--threads", type=int, default=1, help="threads or processes of each verifier (1)")
    command.add_argument("--repeat", type=int, default=1, metavar="N", help="times; medians are taken (1)")
    command.add_argument("--timeout", type=float, metavar="S", help="cap of the time limits")
    command.add_argument(
        "--arithmetic", choices=("real", "float32", "both"), default="real", help="of our verdicts (real)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")


def execute(options: argparse.Namespace) -> int:
    """Run the command; the exit status is 1 where two verifiers contradict each other."""
    from hybrid_ai.bench.side_by_side import Plan, compare

    plan = Plan(options.threads, options.repeat, options.arithmetic, options.timeout)
    result = compare(Path(options.suite), plan, lambda row: note(_row(row)))
    emit(json.dumps(result, allow_nan=False) if options.json else "\n".join(_lines(result)))
    return 1 if result["sums"]["disagreements"] else 0


def _row(row: dict[str, Any]) -> str:
    """One line of progress: verdict and CPU seconds of each verifier."""
    parts = [f"{name} {one['verdict']} {one['cpu']:.2f} s" for name, one in row["engines"].items()]
    search = row["search"]
    parts.insert(0, f"search {search['verdict']} {search['cpu_searching']:.3f} s")
    return f"{Path(row['onnx']).stem} {Path(row['vnnlib']).stem}: {', '.join(parts)}"


def _lines(result: dict[str, Any]) -> list[str]:
    """A table for people: sums over the suite."""
    sums, rows = result["sums"], len(result["rows"])
    search = sums["search"]
    head = [
        f"{result['machine']['cpu']}, threads {result['plan']['threads']}, load {result['load_average']}; "
        f"{rows} instances, CPU seconds",
        f"{'':<18} {'decided':>7} {'boxes':>10} {'whole':>10} {'start':>8} {'solving':>10} {'ours':>8}",
        f"{'our search':<18} {search['decided']:>7} {search['boxes']:>10} {'':>10} {'':>8} "
        f"{search['cpu_searching']:>10.3f} {'1':>8}",
    ]
    lines = head + [_line(name, one) for name, one in sums["engines"].items()]
    lines += [f"{name} skipped: {remedy}" for name, remedy in result["skipped"].items()]
    lines.append(f"reading models and properties, ours: {search['cpu_reading']:.3f}")
    return [*lines, f"{sums['disagreements']} disagreements"]


def _line(name: str, one: dict[str, Any]) -> str:
    line = f"{name:<18} {one['decided']:>7} {one['boxes']:>10} {one['cpu']:>10.2f}"
    if "cpu_solving" not in one:
        return line
    times = f"{one['times_our_search']:.1f}x"
    return f"{line} {one['cpu_starting_once']:>8.2f} {one['cpu_solving']:>10.2f} {times:>8}"
