"""MNIST: nothing wrong, and how many are decided within a minute each."""

from __future__ import annotations

from benchmarks.lab_items.base import Bench, Item, Report, plain
from benchmarks.lab_items.processes import warm_up
from benchmarks.lab_items.suites import choose, report, rows_of, run_suite

SECONDS_EACH = 60.0
SMALL_SECONDS_EACH = 10.0


def run(bench: Bench) -> Report:
    rows = choose(bench, rows_of(bench, "mnist_fc"))
    warm_up()
    seconds = SMALL_SECONDS_EACH if bench.small else SECONDS_EACH
    suite = run_suite(bench, "mnist", bench.data / "mnist_fc", rows, ["--timeout", f"{seconds:g}"])
    figures = [
        plain("decided", suite.verdicts("proved") + suite.verdicts("refuted")),
        *(plain(name, suite.verdicts(name)) for name in ("proved", "refuted", "unknown")),
        plain("wall seconds in all", suite.wall, "s"),
    ]
    return report(suite, figures)


ITEM = Item(
    "mnist", "30 instances of MNIST, 60 s each: nothing wrong, how many decided", "up to 30 minutes", run
)
