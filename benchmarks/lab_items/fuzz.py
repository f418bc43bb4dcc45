"""Coverage-guided fuzzing of the readers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from benchmarks.fuzz.__main__ import REMEDY, has_atheris
from benchmarks.fuzz.targets import TARGETS
from benchmarks.lab_items.base import Bench, Figure, Item, LabError, Report, at_least, count, plain
from benchmarks.lab_items.processes import PYTHON, measure

SECONDS = 1800  # of CPU time for each reader
SMALL_SECONDS = 5
LEAST_COVERAGE = 90.0  # percent of the lines of a reader's functions


def run(bench: Bench) -> Report:
    if not has_atheris():
        raise LabError(REMEDY)
    seconds = SMALL_SECONDS if bench.small else SECONDS
    resumed = any(bench.kept(name) is not None or (bench.folder / name).exists() for name in TARGETS)
    found = {name: bench.once(name, partial(fuzz, bench, name, seconds)) for name in TARGETS}
    return Report(tuple(figures(found, bench.small)), found, resumed)


def fuzz(bench: Bench, name: str, seconds: float) -> dict[str, Any]:
    """What one reader's run says of itself.

    Raises:
        LabError: it did not run.
    """
    command = [PYTHON, "-m", "benchmarks.fuzz", name, "--json", "--seconds", str(seconds)]
    measured = measure([*command, "--folder", str(bench.folder / name)], show=True)
    if measured.code not in (0, 1):
        raise LabError(f"benchmarks.fuzz {name} ended with exit status {measured.code}, see above")
    content: dict[str, Any] = json.loads(measured.output)
    return content


def figures(found: Mapping[str, Mapping[str, Any]], small: bool) -> Iterator[Figure]:
    for name, content in found.items():
        yield plain(f"{name}: executions", content["executions"])
        yield plain(f"{name}: CPU seconds", content["cpu_seconds"], "s")
        name_of_coverage, coverage = f"{name}: lines run", content["coverage"]
        yield (
            plain(name_of_coverage, coverage, "%")
            if small
            else at_least(name_of_coverage, coverage, LEAST_COVERAGE, "%")
        )
        yield count(f"{name}: findings", len(content["findings"]), 0)


ITEM = Item(
    "fuzz", "six readers of models, properties and certificates, fuzzed", "three and a half hours", run
)
