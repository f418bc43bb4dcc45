"""auto_LiRPA beside us: the same boxes, slopes and bounds of neurons, in turns, on one core."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution, version
from itertools import product
from statistics import median
from types import MappingProxyType
from typing import Any, get_args

import numpy as np

from hybrid_ai.bench.auto_lirpa import LABEL, AutoLirpaMissing, PeerBounds, PeerNetwork, require_auto_lirpa
from hybrid_ai.bench.throughput import FEWEST_REPEATS, SAMPLE, SHORTEST, Plan, measure, random_boxes
from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.bounds.bounder import Backend
from hybrid_ai.bounds.boxes import OutputBounds, bound_boxes
from hybrid_ai.bounds.dense import METHODS, Precision, pack
from hybrid_ai.network import StagedNetwork
from hybrid_ai.pipeline.inputs import ModelSource, read_model

ON_DEVICE = "a device was measured; benchmarks/gpu_suite.py runs both on one"
# Added to the plan's batches: where auto_LiRPA is fastest, which is not where we are.
BATCHES = (16, 64, 128, 256, 1024, 4096)
MOST_BYTES = 2**30  # of the coefficients that auto_LiRPA holds at once
# Of the time: full CROWN takes most of it, the others are quick.
SHARES: Mapping[Method, float] = MappingProxyType({"interval": 0.1, "crown_interval": 0.1, "crown": 0.8})
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Turns:
    """Both on one batch: medians of repeats in turns, None where it was left out for time or memory."""

    method: Method
    precision: Precision
    batch: int
    ours: float | None
    theirs: float | None
    repeats: int


@dataclass(frozen=True)
class Compared:
    """Both at their best batches, in boxes per CPU second of one core, and how our bounds compare.

    ours and theirs with their batches; ratio: of the two. looser: most by which one of our bounds is looser
    than auto_LiRPA's in double precision, as a share of 1 + |bound|; rows_looser: bounds looser by more than
    TOLERANCE of that, of how many (rows).
    """

    method: Method
    precision: Precision
    ours: float
    ours_batch: int
    theirs: float
    theirs_batch: int
    ratio: float
    looser: float
    rows_looser: int
    rows: int


def measure_beside(
    model: ModelSource,
    plan: Plan,
    *,
    backend: Backend = "cpu",
    notice: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """What `throughput.measure` finds, with auto_LiRPA beside it where it is installed.

    Args:
        model: ONNX file: its path, its bytes, or loaded.
        plan: what to measure; with auto_LiRPA, half of the time goes to the comparison.
        backend: as `throughput.measure`; the comparison is about one core.
        notice: as `throughput.measure`.

    Returns:
        The result with one more entry, ``auto_lirpa``: versions, turns, comparisons; or why it was skipped.

    Raises:
        BadInput, UnsupportedInput: as `throughput.measure`.
    """
    try:
        libraries = require_auto_lirpa()
    except AutoLirpaMissing as error:
        result = measure(model, plan, backend=backend, notice=notice)
        return {**result, "auto_lirpa": {"skipped": str(error)}}
    loaded = read_model(model)
    halved = replace(plan, seconds=0.5 * plan.seconds)
    result = measure(loaded, halved, backend=backend, notice=notice)
    if result["device"] is not None:
        return {**result, "auto_lirpa": {"skipped": ON_DEVICE}}
    turns = list(_turns(loaded.staged, halved))
    beside = {
        "version": libraries.auto_lirpa.__version__,
        "commit": _commit(),
        "torch": version("torch"),
        "label": LABEL,
        "options": "lower slope by area, backward passes for all neurons, not intersected with intervals",
        "turns": [asdict(one) for one in turns],
        "compared": [asdict(one) for one in _compared(loaded.staged, plan, turns)],
    }
    return {**result, "auto_lirpa": beside}


def _commit() -> str | None:
    """Commit that auto_LiRPA was installed from, None where the installer did not keep it."""
    try:
        text = distribution("auto_LiRPA").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    found: str | None = json.loads(text or "{}").get("vcs_info", {}).get("commit_id")
    return found


def _ours(staged: StagedNetwork, precision: Precision) -> Callable[..., OutputBounds]:
    """Our bounds with the slopes and bounds of neurons that auto_LiRPA has."""
    return partial(bound_boxes, pack(staged, precision), slopes="area", intersect=False)


def _turns(staged: StagedNetwork, plan: Plan) -> Iterator[Turns]:
    batches = sorted({*plan.batches, *BATCHES})
    for method, precision in product(METHODS, get_args(Precision)):
        share = plan.seconds * SHARES[method] / (len(get_args(Precision)) * len(batches))
        ours, theirs = _ours(staged, precision), PeerNetwork(staged, precision)
        slowest: float | None = None
        for batch in batches:
            fits = batch * max(staged.group_sizes) ** 2 * 16 <= MOST_BYTES
            quick = slowest is None or batch / slowest * FEWEST_REPEATS <= 2.0 * max(share, SHORTEST)
            if not (fits and quick):
                yield Turns(method, precision, batch, None, None, 0)
                continue
            lower, upper = random_boxes(staged, plan, batch)
            runs = (
                partial(ours, lower, upper, method),
                partial(theirs.run, theirs.boxes(lower, upper), method),
            )
            taken = _in_turns(runs, share)
            mine, others = (batch / median(seconds) for seconds in taken)
            slowest = min(mine, others)
            yield Turns(method, precision, batch, mine, others, len(taken[0]))


def _in_turns(runs: tuple[Callable[[], object], ...], share: float) -> list[list[float]]:
    """CPU seconds of one run of each, again and again in turns for about ``share`` seconds."""
    counts = []
    for run in runs:
        run()  # compiles, allocates
        began = time.process_time()
        run()
        counts.append(max(1, int(SHORTEST / max(time.process_time() - began, 1e-6))))
    taken: list[list[float]] = [[] for _ in runs]
    started = time.perf_counter()
    while len(taken[0]) < FEWEST_REPEATS or time.perf_counter() - started < share:
        for run, count, seconds in zip(runs, counts, taken, strict=True):
            began = time.process_time()
            for _ in range(count):
                run()
            seconds.append((time.process_time() - began) / count)
    return taken


def _compared(staged: StagedNetwork, plan: Plan, turns: list[Turns]) -> Iterator[Compared]:
    sample = random_boxes(staged, plan, SAMPLE)
    judge = PeerNetwork(staged, "double")
    for method, precision in product(METHODS, get_args(Precision)):
        mine = [one for one in turns if (one.method, one.precision) == (method, precision)]
        ours, ours_batch = max((one.ours, one.batch) for one in mine if one.ours is not None)
        theirs, theirs_batch = max((one.theirs, one.batch) for one in mine if one.theirs is not None)
        looser = _looser(_ours(staged, precision)(*sample, method), judge.bounds(*sample, method))
        worst, many = float(looser.max()), int((looser > TOLERANCE).sum())
        speeds = (ours, ours_batch, theirs, theirs_batch, ours / theirs)
        yield Compared(method, precision, *speeds, worst, many, looser.size)


def _looser(ours: OutputBounds, theirs: PeerBounds) -> np.ndarray:
    """How much looser each of our bounds is, as a share of 1 + |bound|; below 0 where it is tighter."""
    gaps = (theirs.lower - ours.lower) / (1.0 + np.abs(theirs.lower))
    return np.asarray(np.stack([gaps, (ours.upper - theirs.upper) / (1.0 + np.abs(theirs.upper))]))
