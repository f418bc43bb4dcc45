"""A dossier of 20 instances of ACAS Xu: certified with one command, verified with and without packages."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.lab_items.base import Bench, Item, Report, at_most, count, plain
from benchmarks.lab_items.processes import PYTHON, TOOL, Measured, measure, require_tool, succeed, warm_up
from benchmarks.lab_items.suites import rows_of

INSTANCES, SMALL = 20, 2
# Of the integers and rationals of the engine `exact`, without any package.
MOST_BARE_SECONDS = 600.0


def run(bench: Bench) -> Report:
    require_tool()
    warm_up()
    suite = _suite(bench)
    environment = os.environ | {
        "HYBRID_AI_KEYS": str(bench.folder / "keys"),
        "HYBRID_AI_PASSPHRASE": "only for this experiment",
    }

    def ran(command: Sequence[str]) -> Measured:
        return succeed(measure(command, environment=environment, show=True), command)

    if not (bench.folder / "keys").exists():
        ran([TOOL, "keys", "new", "experiment"])
    dossier, key = bench.folder / "dossier", str(bench.folder / "keys" / "experiment.pub.pem")
    certified = bench.kept("certified")
    if certified is None:
        made = ran([TOOL, "certify", "--suite", str(suite), "-o", str(dossier)])
        certified = bench.keep("certified", {"seconds": made.wall})
    verified = ran([TOOL, "dossier", "verify", str(dossier), "--trust", key, "--json"])
    bare = [getattr(sys, "_base_executable", PYTHON), "-I", "-S", str(dossier / "verify.py"), str(dossier)]
    alone = ran([*bare, "--trust", key, "--json"])
    replayed = ran([TOOL, "dossier", "replay", str(dossier)])
    results = json.loads((dossier / "results.json").read_bytes())["results"]
    decided = sum(result["verdict"] in ("proved", "refuted") for result in results)
    size = sum(path.stat().st_size for path in dossier.rglob("*") if path.is_file())
    figures = (
        count("instances decided", decided, SMALL if bench.small else INSTANCES),
        plain("seconds of certify", certified["seconds"], "s"),
        count("exit status of dossier verify", verified.code, 0),
        plain("seconds of dossier verify", verified.wall, "s"),
        count("exit status of verify.py on bare Python", alone.code, 0),
        at_most("seconds of verify.py on bare Python", alone.wall, MOST_BARE_SECONDS, "s"),
        count("exit status of replay", replayed.code, 0),
        plain("bytes of the dossier", size),
    )
    return Report(figures, {"levels": json.loads(alone.output)})


def _suite(bench: Bench) -> Path:
    """Instances spread evenly over the benchmark's list."""
    rows = rows_of(bench, "acasxu")
    wanted = SMALL if bench.small else INSTANCES
    chosen = [rows[number * len(rows) // wanted] for number in range(wanted)]
    path = bench.folder / "instances.csv"
    folder = bench.data / "acasxu"
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("onnx", "vnnlib", "timeout_s"))
        for row in chosen:
            writer.writerow((folder / row["onnx"], folder / row["vnnlib"], row["timeout_s"]))
    return path


ITEM = Item("dossier", "20 instances of ACAS Xu certified, verified and replayed", "about 5 minutes", run)
