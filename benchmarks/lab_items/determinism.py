"""Equal seeds give equal certificates, byte by byte, whatever the number of threads."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lab_items.base import Bench, Item, Report, count, plain
from benchmarks.lab_items.processes import warm_up
from benchmarks.lab_items.suites import Content, SuiteRun, choose, label, rows_of, run_suite

SUBSET = 12
RUNS = {"first": 1, "again": 1, "two_threads": 2}


def evidence(content: Content) -> bytes | None:
    """The certificate or counterexample that was written, None where there is none."""
    certificate, counterexample = content.get("certificate"), content.get("counterexample")
    file = certificate or (counterexample and counterexample["file"])
    return Path(file["path"]).read_bytes() if file else None


def differing(first: SuiteRun, other: SuiteRun) -> list[str]:
    return [
        label(row)
        for row, before, after in zip(first.rows, first.contents, other.contents, strict=True)
        if evidence(before) != evidence(after)
    ]


def run(bench: Bench) -> Report:
    rows = rows_of(bench, "acasxu")
    if bench.small:
        rows = choose(bench, rows)
    elif not bench.everything:
        rows = [rows[k * len(rows) // SUBSET] for k in range(SUBSET)]
    warm_up()
    source = bench.data / "acasxu"
    runs = {
        name: run_suite(bench, name, source, rows, ["--threads", str(threads), "--seed", "0"])
        for name, threads in RUNS.items()
    }
    first = runs["first"]
    again, threads = differing(first, runs["again"]), differing(first, runs["two_threads"])
    figures = (
        plain("instances", len(rows)),
        plain("certificates", first.verdicts("proved")),
        plain("counterexamples", first.verdicts("refuted")),
        count("evidence missing", sum(evidence(content) is None for content in first.contents), 0),
        count("differing between two runs with one seed", len(again), 0),
        count("differing between 1 and 2 threads", len(threads), 0),
    )
    details = {"again": again, "threads": threads, "rows": first.details()}
    return Report(figures, details, any(suite.resumed for suite in runs.values()))


ITEM = Item(
    "determinism",
    "equal certificates from equal seeds and from 1 and 2 threads (12 instances, --all: 76)",
    "about 2 minutes (--all: about 10)",
    run,
)
