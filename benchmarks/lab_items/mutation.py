"""The mutation test of the checker."""

from __future__ import annotations

from benchmarks.lab_items.base import Bench, Figure, Item, LabError, Report, count, plain
from benchmarks.lab_items.processes import PYTHON, measure

SMALL = ("--module", "grid", "--sample", "4")


def parse_totals(output: str) -> dict[str, int]:
    """The last line of the table, by the names in its first line.

    Raises:
        LabError: there is no such table.
    """
    lines = [line.split() for line in output.splitlines()]
    heads = [line[1:] for line in lines if line[:2] == ["module", "mutants"]]
    totals = [line[1:] for line in lines if line[:1] == ["total"]]
    if not heads or not totals:
        raise LabError(f"benchmarks/mutate_checker.py wrote no table: {output.strip()[-300:]}")
    return {name: int(cell) for name, cell in zip(heads[-1], totals[-1], strict=True)}


def run(bench: Bench) -> Report:
    results = bench.folder / "mutants.jsonl"
    resumed = results.exists()
    command = [PYTHON, "-m", "benchmarks.mutate_checker", "--jobs", "2", "--results", str(results)]
    measured = measure([*command, *(SMALL if bench.small else ())], show=True)
    totals = parse_totals(measured.output)
    complaints = [line for line in measured.output.splitlines() if line.startswith(("SURVIVED", "LISTED"))]
    figures = (
        *(plain(name, value) for name, value in totals.items()),
        count("survivors not accepted, and accepted that do not survive", len(complaints), 0),
        Figure("exit status", measured.code, "", "= 0", measured.code == 0),
        plain("CPU seconds", measured.cpu, "s"),
    )
    return Report(figures, {"totals": totals, "complaints": complaints}, resumed)


ITEM = Item("mutation", "every small change of the checker is noticed by its tests", "up to an hour", run)
