"""From nothing to a certified example: a fresh clone, a fresh virtual environment."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.lab_items.base import ROOT, Bench, Figure, Item, Report, plain
from benchmarks.lab_items.processes import Measured, measure, succeed

# What this run of make and this virtual environment leave behind would reach into the clone.
FOREIGN = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV", "NUMBA_CACHE_DIR", "PYTHONPATH"}


def logged(bench: Bench, name: str, measured: Measured) -> Figure:
    (bench.folder / f"{name}.log").write_text(measured.output, encoding="utf-8")
    return Figure(f"make {name}: exit status", measured.code, "", "= 0", measured.code == 0)


def run(bench: Bench) -> Report:
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    figures = []
    with tempfile.TemporaryDirectory() as name:
        clone = ["git", "clone", "--quiet", str(ROOT), str(Path(name) / "clone")]
        succeed(measure(clone, show=True), clone)
        for target in ("demo",) if bench.small else ("demo", "test"):
            folder = Path(name) / "clone"
            measured = measure(["make", target], show=True, folder=folder, environment=environment)
            figures += [
                logged(bench, target, measured),
                plain(f"make {target}: seconds", measured.wall, "s"),
                plain(f"make {target}: CPU seconds", measured.cpu, "s"),
            ]
    note = "packages come from pip's cache where they are in it; the clone is of the commit alone"
    return Report(tuple(figures), {"note": note})


ITEM = Item(
    "setup", "make demo and make test from a fresh clone (needs the network)", "about 10 minutes", run
)
