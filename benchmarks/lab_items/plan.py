"""A plan of ACAS Xu in physical units: certified with one command, and again with ten interruptions."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from benchmarks.acasxu_plan import networks_of, write_plan
from benchmarks.lab_items.base import Bench, Item, LabError, Report, at_most, count, plain
from benchmarks.lab_items.processes import TOOL, measure, require_tool, succeed, warm_up

CELLS, SMALL_CELLS = 16, 2
MOST_SECONDS = 600.0
INTERRUPTIONS, SMALL_INTERRUPTIONS = 10, 2


def run(bench: Bench) -> Report:
    require_tool()
    warm_up()
    networks = networks_of(bench.data)[: 1 if bench.small else None]
    plan = write_plan(bench.data, bench.folder / "plan", networks, SMALL_CELLS if bench.small else CELLS)
    environment = os.environ | {
        "HYBRID_AI_KEYS": str(bench.folder / "keys"),
        "HYBRID_AI_PASSPHRASE": "only for this experiment",
    }
    if not (bench.folder / "keys").exists():
        new = [TOOL, "keys", "new", "experiment"]
        succeed(measure(new, environment=environment), new)
    dossier, other = bench.folder / "dossier", bench.folder / "interrupted"
    command = [TOOL, "certify", str(plan), "-o", str(dossier)]
    certified = bench.kept("certified")
    if certified is None:
        made = succeed(measure(command, environment=environment, show=True), command)
        certified = bench.keep("certified", {"seconds": made.wall, "cpu": made.cpu})
    assessment = json.loads((dossier / "assessment.json").read_bytes())
    stopped = bench.once(
        "interrupted", lambda: interrupted(bench, plan, other, environment, certified["seconds"])
    )
    same = documents(dossier) == documents(other)
    verify = [TOOL, "dossier", "verify", str(other), "--trust", str(bench.folder / "keys/experiment.pub.pem")]
    verified = measure(verify, environment=environment, show=True)
    figures = (
        plain("verifications", sum(assessment["counts"]["verifications"].values())),
        count("verifications unknown", assessment["counts"]["verifications"]["unknown"], 0),
        at_most("seconds of certify", certified["seconds"], MOST_SECONDS, "s"),
        plain("CPU seconds of certify", certified["cpu"], "s"),
        plain("interruptions that found it running", stopped),
        count("dossiers whose evidence, plan or assessment differs", int(not same), 0),
        count("exit status of dossier verify", verified.code, 0),
    )
    return Report(figures, {"requirements": assessment["requirements"]})


def interrupted(
    bench: Bench, plan: Path, output: Path, environment: Mapping[str, str], seconds: float
) -> int:
    """Certify with interruptions at random moments; how many of them came before the end.

    Raises:
        LabError: a run ended otherwise than by its interruption or by its end.
    """
    chance = random.Random(7)
    wanted = SMALL_INTERRUPTIONS if bench.small else INTERRUPTIONS
    command = [TOOL, "certify", str(plan), "-o", str(output)]
    done = 0
    while not output.exists():
        process = subprocess.Popen(
            command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if done < wanted:
            until = monotonic() + chance.uniform(0.3, max(0.6, 2 * seconds / wanted))
            while process.poll() is None and monotonic() < until:
                sleep(0.01)
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                done += 1
        if process.wait() not in (0, 20):
            raise LabError(f"{' '.join(command)} ended with exit status {process.returncode}")
    return done


def documents(dossier: Path) -> dict[str, Any]:
    """What has to be the same, interrupted or not; times and signatures need not."""
    names = [path for path in sorted((dossier / "evidence").iterdir()) if "dsse" not in path.name]
    names += [dossier / "plan/plan.json", dossier / "assessment.json"]
    return {path.relative_to(dossier).as_posix(): path.read_bytes() for path in names}


ITEM = Item("plan", "a plan of ACAS Xu certified, and again with ten interruptions", "about 8 minutes", run)
