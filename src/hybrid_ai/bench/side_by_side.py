"""Instances of a suite decided by several engines side by side: verdicts, boxes, CPU seconds.

For every engine, ours included: the whole process, with whatever it started. From a peer's seconds those of
starting it are taken off (*solving*); our counterpart, measured besides, is reading both files and searching
in one process that is already there. Our check is in our whole process and in none of a peer's.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import hybrid_ai
from hybrid_ai.bench.engines import OURS, Engine, Job, find_engines
from hybrid_ai.bench.machine import describe_machine, load_average, source_commit
from hybrid_ai.bench.metered import metered
from hybrid_ai.bench.warm_search import search_once, warm_up
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.suite import Instance, read_suite
from hybrid_ai.pipeline.verify import Arithmetic

Content = dict[str, Any]
STARTS = 3
# Engines overrun what they are told; beyond this they are ended.
LIMIT_FACTOR, LIMIT_MORE = 1.5, 30.0
DECIDED = ("proved", "refuted")
PACKAGES = ("torch", "numpy", "scipy", "onnx", "onnxruntime", "swiglpk")
VERSIONS = (
    "import importlib.metadata as m, json, platform\n"
    "found = {one.metadata['Name']: one.version for one in m.distributions()}\n"
    f"found = {{name: found[name] for name in {PACKAGES!r} if name in found}}\n"
    "print(json.dumps({'python': platform.python_version(), **found}))"
)


@dataclass(frozen=True)
class Plan:
    """What to measure.

    threads: threads or processes of every engine; repeats: of every instance, medians are taken; arithmetic:
    of our verdicts; longest: cap of the instances' time limits in seconds, None for none.
    """

    threads: int = 1
    repeats: int = 1
    arithmetic: Arithmetic = "real"
    longest: float | None = None


@dataclass(frozen=True)
class Field:
    """Who takes part.

    Attributes:
        engines: that are here, ours first.
        skipped: peer -> remedy, of those that are not.
        starts: peer -> CPU seconds of starting it, a median.
        versions: peer -> digest of its sources, its Python and packages.
    """

    engines: tuple[Engine, ...]
    skipped: dict[str, str]
    starts: dict[str, float]
    versions: dict[str, Content]


def require_plan(plan: Plan) -> None:
    """Raise BadInput where the plan is meaningless."""
    if plan.threads < 1:
        raise BadInput("--threads: must be at least 1")
    if plan.repeats < 1:
        raise BadInput("--repeat: must be at least 1")
    if plan.longest is not None and not plan.longest > 0.0:
        raise BadInput("--timeout: must be above 0")


def assemble(plan: Plan) -> Field:
    """Find the engines, have our kernels compiled, and measure what starting the others costs.

    Raises:
        BadInput: an engine is named that is not there or does not start.
    """
    engines, skipped = find_engines()
    warm_up()
    peers = [engine for engine in engines if engine.start is not None]
    starts = {engine.name: _start_seconds(engine, plan.threads) for engine in peers}
    return Field(engines, skipped, starts, {engine.name: _versions(engine) for engine in peers})


def _start_seconds(engine: Engine, threads: int) -> float:
    assert engine.start is not None
    found = []
    for _ in range(STARTS + 1):  # the first reads its files from disk
        with tempfile.TemporaryDirectory() as folder:
            run = metered(
                engine.start, limit=600.0, folder=Path(folder), environment=engine.environment(threads)
            )
        if run.code or run.timed_out:
            said = (run.output.strip().splitlines() or ["it says nothing"])[-1]
            raise BadInput(f"{engine.name} does not start: {said}: see docs/benchmarks.md for what it needs")
        found.append(run.cpu)
    return median(found[1:])


def _versions(engine: Engine) -> Content:
    assert engine.start is not None
    done = subprocess.run([engine.start[0], "-c", VERSIONS], capture_output=True, text=True, check=False)
    packages = json.loads(done.stdout) if done.returncode == 0 else {}
    return {"sources_sha256": engine.sources, **packages}


def measure_instance(field: Field, instance: Instance, folder: Path, plan: Plan, turn: int) -> Content:
    """Have every engine decide one instance, each repeat in another order.

    Args:
        field: who takes part.
        instance: its paths are relative to `folder`.
        folder: of the suite.
        plan: what to measure.
        turn: number of the instance, from which the order begins.

    Raises:
        BadInput: model or property is missing or malformed.
    """
    runs: dict[str, list[Content]] = {engine.name: [] for engine in field.engines}
    model, prop = (folder / instance.onnx).absolute(), (folder / instance.vnnlib).absolute()
    searches = []
    for repeat in range(plan.repeats):
        searches.append(search_once(model, prop, instance.timeout, plan.threads, plan.arithmetic))
        first = (turn + repeat) % len(field.engines)
        for engine in field.engines[first:] + field.engines[:first]:
            runs[engine.name].append(_run(engine, model, prop, instance.timeout, plan))
    row = {name: _joined(found) for name, found in runs.items()}
    return {**asdict(instance), "search": _joined(searches), "engines": row}


def _run(engine: Engine, model: Path, prop: Path, seconds: float, plan: Plan) -> Content:
    with tempfile.TemporaryDirectory() as folder:
        # Copies: what an engine keeps beside a file (alpha-beta-CROWN does) neither stays nor helps it later.
        own = _copied(model, Path(folder) / "model"), _copied(prop, Path(folder) / "property")
        job = Job(*own, seconds, plan.threads, plan.arithmetic, Path(folder))
        run = metered(
            engine.command(job),
            limit=seconds * LIMIT_FACTOR + LIMIT_MORE,
            folder=job.folder,
            environment=engine.environment(plan.threads),
        )
        answer = engine.answer(job, run)
    return {"verdict": answer.verdict, "boxes": answer.boxes, "cpu": run.cpu, "wall": run.wall}


def _copied(file: Path, folder: Path) -> Path:
    folder.mkdir()
    return Path(shutil.copy(file, folder))


def _joined(runs: Sequence[Content]) -> Content:
    """Medians of the numbers; verdicts and boxes of the first run, every verdict where they differ."""
    verdicts = [run["verdict"] for run in runs]
    numbers = {
        name: median(run[name] for run in runs) for name in runs[0] if name not in ("verdict", "boxes")
    }
    varied = {"verdicts": verdicts} if len(set(verdicts)) > 1 else {}
    return {"verdict": verdicts[0], **varied, "boxes": runs[0]["boxes"], **numbers}


def disagree(row: Content) -> bool:
    """Tell whether one engine proved what another, or our search, refuted."""
    found: set[str] = set()
    for one in (*row["engines"].values(), row["search"]):
        found.update(one.get("verdicts", [one["verdict"]]))
    return "refuted" in found and bool(found & {"proved", "claimed"})


def summarize(field: Field, rows: Sequence[Content]) -> Content:
    """Sums over rows: of every engine, of our search, and how many times more CPU each peer took."""
    engines = {engine.name: _sum(engine.name, field, rows) for engine in field.engines}
    searches = [row["search"] for row in rows]
    own = {
        "decided": sum(one["verdict"] in ("claimed", "refuted") for one in searches),
        "boxes": sum(one["boxes"] for one in searches),
        "cpu_reading": sum(one["cpu_reading"] for one in searches),
        "cpu_searching": sum(one["cpu_searching"] for one in searches),
    }
    for name, one in engines.items():
        if name != OURS and rows:
            one["times_our_search"] = one["cpu_solving"] / own["cpu_searching"]
            one["times_our_reading_and_search"] = one["cpu_solving"] / (
                own["cpu_reading"] + own["cpu_searching"]
            )
            one["times_our_process"] = one["cpu"] / engines[OURS]["cpu"]
    return {"engines": engines, "search": own, "disagreements": sum(map(disagree, rows))}


def _sum(name: str, field: Field, rows: Sequence[Content]) -> Content:
    found = [row["engines"][name] for row in rows]
    boxes = [one["boxes"] for one in found if one["boxes"] is not None]
    content: Content = {
        "decided": sum(one["verdict"] in DECIDED for one in found),
        "errors": sum(one["verdict"] == "error" for one in found),
        "boxes": sum(boxes),
        "boxes_told": len(boxes),
        "cpu": sum(one["cpu"] for one in found),
        "wall": sum(one["wall"] for one in found),
    }
    if name in field.starts:
        content["cpu_starting_once"] = field.starts[name]
        content["cpu_solving"] = sum(max(one["cpu"] - field.starts[name], 0.0) for one in found)
    return content


def compare(suite: Path, plan: Plan, on_row: Callable[[Content], None]) -> Content:
    """Run a suite with every engine there is.

    Args:
        suite: CSV file as of `verify --suite`.
        plan: what to measure.
        on_row: told of each row when it is done.

    Returns:
        Values that JSON can hold: machine, versions, who was skipped, rows, sums.

    Raises:
        BadInput: the suite, a file of it or the plan is meaningless, or an engine does not start.
    """
    require_plan(plan)
    instances = read_suite(suite, plan.longest)
    if not instances:
        raise BadInput(f"{suite}: no instances: name at least one")
    load, began, field = load_average(), time.time(), assemble(plan)
    rows = []
    for turn, instance in enumerate(instances):
        rows.append(measure_instance(field, instance, suite.parent, plan, turn))
        on_row(rows[-1])
    return {
        "command": "bench suite",
        "version": hybrid_ai.__version__,
        "commit": source_commit(),
        "machine": describe_machine(),
        "load_average": load,
        "plan": asdict(plan),
        "peers": field.versions,
        "skipped": field.skipped,
        "seconds": time.time() - began,
        "rows": rows,
        "sums": summarize(field, rows),
    }
