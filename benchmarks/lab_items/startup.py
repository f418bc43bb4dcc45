"""What a call costs before and besides the work: whole processes, medians."""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import median

from benchmarks.lab_items.base import ROOT, Bench, Item, Report, at_most, plain
from benchmarks.lab_items.processes import PYTHON, TOOL, Measured, measure, succeed, warm_up

TIMES = 7
MOST_VERIFY = 1.5
MOST_HELP = 0.3
LOADED = (
    "import json, sys; before = set(sys.modules); import hybrid_ai; "
    "print(json.dumps(sorted(set(sys.modules) - before)))"
)


def repeated(command: Sequence[str], times: int) -> list[Measured]:
    """Measure a command that must succeed, after one run that does not count."""
    return [succeed(measure(command), command) for _ in range(times + 1)][1:]


def run(bench: Bench) -> Report:
    times = 2 if bench.small else TIMES
    demo = ROOT / "src/hybrid_ai/demo"
    files = [str(demo / "braking.onnx"), str(demo / "braking_envelope.vnnlib")]
    certificate = str(bench.folder / "certificate")
    warm_up()
    commands = {
        "verify": [TOOL, "verify", *files, "--certificate", certificate],
        "help": [TOOL, "--help"],
        "check": [TOOL, "check", *files, certificate],
        "python": [PYTHON, "-c", "pass"],
    }
    runs = {name: repeated(command, times) for name, command in commands.items()}
    seconds = {name: median(one.wall for one in measured) for name, measured in runs.items()}
    modules = json.loads(succeed(measure([PYTHON, "-c", LOADED]), [PYTHON, "-c", LOADED]).output)
    figures = (
        at_most("hybrid-ai verify, an easy instance", seconds["verify"], MOST_VERIFY, "s"),
        at_most("hybrid-ai --help", seconds["help"], MOST_HELP, "s"),
        plain("hybrid-ai check of its certificate", seconds["check"], "s"),
        plain("python alone", seconds["python"], "s"),
        plain("modules that `import hybrid_ai` adds", len(modules)),
    )
    walls = {name: [round(one.wall, 4) for one in measured] for name, measured in runs.items()}
    cpus = {name: round(median(one.cpu for one in measured), 4) for name, measured in runs.items()}
    return Report(figures, {"wall_seconds": walls, "cpu_seconds": cpus, "modules": modules})


ITEM = Item("startup", "seconds of whole processes: verify, --help, check", "about a minute", run)
