"""ACAS Xu: verdicts and seconds."""

from __future__ import annotations

from benchmarks.lab_items.base import Bench, Item, Report, at_most, plain
from benchmarks.lab_items.processes import warm_up
from benchmarks.lab_items.suites import choose, decided_figures, label, report, rows_of, run_suite, total

MOST_SECONDS = 90.0
MOST_SECONDS_EACH = 20.0


def run(bench: Bench) -> Report:
    rows = choose(bench, rows_of(bench, "acasxu"))
    warm_up()
    suite = run_suite(bench, "acasxu", bench.data / "acasxu", rows)
    slowest = max(range(len(rows)), key=lambda k: total(suite.contents[k]))
    figures = [
        *decided_figures(suite),
        at_most("wall seconds in all", suite.wall, MOST_SECONDS, "s"),
        at_most("slowest instance", total(suite.contents[slowest]), MOST_SECONDS_EACH, "s"),
        plain("slowest instance is", label(rows[slowest])),
        plain("boxes", sum(content.get("bounded", 0) for content in suite.contents)),
    ]
    return report(suite, figures)


ITEM = Item("acasxu", "76 instances of ACAS Xu in one process: verdicts, seconds", "about 2 minutes", run)
