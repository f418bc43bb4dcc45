"""The sanity cases."""

from __future__ import annotations

from benchmarks.lab_items.base import Bench, Item, Report
from benchmarks.lab_items.suites import verdicts_only


def run(bench: Bench) -> Report:
    return verdicts_only(bench, "tiny")


ITEM = Item("tiny", "5 sanity cases: verdicts", "under a minute", run)
