"""`hybrid-ai bench`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hybrid_ai.cli.bench_suite import add as add_suite
from hybrid_ai.cli.output import emit, note

DESCRIPTION = "Measure how many boxes of a model's inputs are bounded in a second, and how tightly."
BATCHES = (1, 16, 256, 4096, 65536)


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    command = actions.add_parser(
        "throughput",
        help="boxes per second by method, precision and batch size",
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    command.add_argument("model", metavar="MODEL.onnx")
    command.add_argument("--seconds", type=float, default=60.0, help="of all measurements, about (60)")
    command.add_argument(
        "--batch", type=int, nargs="+", default=BATCHES, metavar="N", help="boxes at once (1 to 65536)"
    )
    command.add_argument(
        "--range",
        type=float,
        nargs=2,
        default=(-0.5, 0.5),
        metavar=("LOW", "HIGH"),
        help="of every input (-0.5 0.5)",
    )
    command.add_argument(
        "--side", type=float, default=0.05, metavar="SHARE", help="of a box, as a share of the range (0.05)"
    )
    command.add_argument("--seed", type=int, default=0, help="of the random boxes (0)")
    command.add_argument(
        "--backend",
        choices=("auto", "cpu", "cuda"),
        default="cpu",
        help="one core (cpu), or a CUDA device where there is one (cpu)",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--plot", metavar="FILE.png", help="draw the speeds (needs matplotlib)")
    add_suite(actions)


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    if options.action == "suite":
        from hybrid_ai.cli.bench_suite import execute as execute_suite

        return execute_suite(options)
    from hybrid_ai.bench.beside import measure_beside
    from hybrid_ai.bench.plot import draw_throughput, require_plotting
    from hybrid_ai.bench.throughput import Plan

    if options.plot:
        require_plotting(Path(options.plot))
    low, high = options.range
    plan = Plan(tuple(options.batch), options.seconds, low, high, options.side, options.seed)
    result = measure_beside(options.model, plan, backend=options.backend, notice=_tell)
    if result["ended"]:
        _tell(f"ended early: {result['ended']}")
    if options.plot:
        draw_throughput(result, Path(options.plot))
    emit(json.dumps(result, allow_nan=False) if options.json else "\n".join(_lines(result)))
    return 0


def _tell(line: str) -> None:
    note(f"hybrid-ai bench: {line}")


def _lines(result: dict[str, Any]) -> list[str]:
    """A table for people; compiling is not part of any speed."""
    machine, width = result["machine"], result["vector_bytes"]
    single, double = (result["peak_flops"][precision] / 1e9 for precision in ("single", "double"))
    what = f"{machine['cpu']}, one core, vectors of {width} bytes"
    if result["device"] is not None:
        what = f"{result['device']['name']}, compute capability {result['device']['compute_capability']}"
    head = [
        f"{what}, load {result['load_average']}",
        f"peak       {single:.1f} GFLOP/s single, {double:.1f} double, measured",
        f"warm-up    {result['warm_up_seconds']:.1f} s to compile and load, not counted below",
        f"{'method':<15} {'precision':<9} {'errors':<7} {'batch':>6} "
        f"{'boxes/CPU s':>12} {'boxes/s':>12} {'of peak':>8} {'mean width':>11}",
    ]
    return head + [_line(row) for row in result["rows"]] + _beside(result["auto_lirpa"])


def _beside(found: dict[str, Any]) -> list[str]:
    """auto_LiRPA's part of the table, or how to install it."""
    if "skipped" in found:
        return [f"auto_LiRPA skipped: {found['skipped']}"]
    head = [
        f"auto_LiRPA {found['version']} with torch {found['torch']}, {found['label']}: boxes per CPU second,",
        "in turns, each at its best batch; error terms are ours alone;",
        found["options"],
        f"{'method':<15} {'precision':<9} {'ours':>9} {'batch':>6} {'auto_LiRPA':>11} {'batch':>6} "
        f"{'ratio':>6} {'looser by at most':>18}",
    ]
    return head + [
        f"{one['method']:<15} {one['precision']:<9} {one['ours']:>9.0f} {one['ours_batch']:>6} "
        f"{one['theirs']:>11.0f} {one['theirs_batch']:>6} {one['ratio']:>6.1f} {one['looser']:>18.1e}"
        for one in found["compared"]
    ]


def _line(row: dict[str, Any]) -> str:
    speed = "left out: more --seconds needed".rjust(34)
    if row["repeats"]:
        speed = f"{row['boxes_per_cpu_second']:>12.0f} {row['boxes_per_second']:>12.0f} "
        speed += f"{row['peak_fraction']:>8.1%}"
    terms = "with" if row["error_terms"] else "without"
    return (
        f"{row['method']:<15} {row['precision']:<9} {terms:<7} {row['batch']:>6} {speed} "
        f"{row['mean_width']:>11.5g}"
    )
