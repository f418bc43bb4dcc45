"""The Van der Pol surrogate."""

from __future__ import annotations

from benchmarks.lab_items.base import Bench, Item, Report
from benchmarks.lab_items.suites import verdicts_only


def run(bench: Bench) -> Report:
    return verdicts_only(bench, "vdp")


ITEM = Item("vdp", "12 instances of a Van der Pol surrogate: verdicts", "about 2 minutes", run)
