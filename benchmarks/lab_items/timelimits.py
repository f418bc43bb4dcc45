"""Limits are kept: time, memory, interruption."""

from __future__ import annotations

import json
import signal
from typing import Any

from benchmarks.lab_items.base import Bench, Figure, Item, Report, at_most, plain
from benchmarks.lab_items.processes import TOOL, Measured, measure, succeed, warm_up

LIMITS = (2.0, 5.0, 10.0)
GRACE = 1.0
HARD = {
    "mnist 13_0.05": ("mnist_fc", "onnx/mnist-net_256x2.onnx", "vnnlib/prop_13_0.05.vnnlib"),
    "acasxu 1_9/prop_7": ("acasxu", "onnx/ACASXU_run2a_1_9_batch_2000.onnx", "vnnlib/prop_7.vnnlib"),
    "acasxu 1_1/prop_6": ("acasxu", "onnx/ACASXU_run2a_1_1_batch_2000.onnx", "vnnlib/prop_6.vnnlib"),
}
INTERRUPTED = "mnist 13_0.05"  # undecided for long enough
FULL = "acasxu 1_1/prop_6"
INTERRUPT_AFTER = 3.0
MEMORY = 200_000
VERDICTS = (0, 10, 20)


def verify(bench: Bench, name: str, *options: str) -> list[str]:
    suite, model, claim = HARD[name]
    return [
        TOOL,
        "verify",
        str(bench.data / suite / model),
        str(bench.data / suite / claim),
        "--json",
        *options,
    ]


def limited(bench: Bench, name: str, seconds: float) -> tuple[Figure, dict[str, Any]]:
    command = verify(bench, name, "--timeout", f"{seconds:g}")
    measured = succeed(measure(command), command, VERDICTS)
    answer = json.loads(measured.output)
    figure = at_most(f"{name}, --timeout {seconds:g}: seconds over", measured.wall - seconds, GRACE, "s")
    return figure, {"verdict": answer["verdict"], "reason": answer["reason"], "wall": round(measured.wall, 3)}


def interrupted(bench: Bench, number: signal.Signals) -> tuple[list[Figure], dict[str, Any]]:
    command = verify(bench, INTERRUPTED, "--timeout", "60")
    measured = succeed(measure(command, signal_after=(INTERRUPT_AFTER, number)), command, VERDICTS)
    told = said(measured)
    after = measured.after_signal
    ended = f"{number.name}: seconds until it ends"
    figures = [
        plain(ended, "ended before") if after is None else at_most(ended, after, GRACE, "s"),
        Figure(f"{number.name}: says", told, "", "unknown", told.startswith("unknown")),
    ]
    return figures, {"wall": round(measured.wall, 3), "code": measured.code, "said": told}


def said(measured: Measured) -> str:
    """Verdict and reason, from the JSON object or the line that a signal leaves."""
    try:
        answer = json.loads(measured.output)
    except ValueError:
        return measured.output.strip()
    return f"{answer['verdict']}: {answer['reason']}"


def without_memory(bench: Bench) -> tuple[Figure, dict[str, Any]]:
    command = verify(bench, FULL, "--memory", str(MEMORY), "--timeout", "60")
    measured = succeed(measure(command), command, VERDICTS)
    told = said(measured)
    name = f"{FULL}, --memory {MEMORY}: says"
    return Figure(name, told, "", "unknown: memory", told.startswith("unknown: memory")), {
        "wall": round(measured.wall, 3)
    }


def run(bench: Bench) -> Report:
    warm_up()
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    for name in HARD:
        for seconds in LIMITS[:1] if bench.small else LIMITS:
            figure, detail = limited(bench, name, seconds)
            figures.append(figure)
            details[figure.name] = detail
    for number in (signal.SIGINT, signal.SIGTERM):
        ends, detail = interrupted(bench, number)
        figures += ends
        details[number.name] = detail
    figure, details["memory"] = without_memory(bench)
    return Report((*figures, figure), details)


ITEM = Item("timelimits", "time and memory limits and signals are obeyed", "about 2 minutes", run)
