"""Boxes bounded in a second, and how tight the bounds are: random boxes, dense kernels, core or device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from statistics import median
from typing import Any, get_args

import numpy as np

import hybrid_ai
from hybrid_ai.bench.machine import describe_machine, load_average, source_commit
from hybrid_ai.bench.peak import measure_peak
from hybrid_ai.bounds.arrays import Floats
from hybrid_ai.bounds.backends.lanes import NoFusedMultiplyAdd, host_tile
from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.bounds.bounder import Backend
from hybrid_ai.bounds.boxes import OutputBounds, bound_boxes, time_boxes_without_errors
from hybrid_ai.bounds.dense import METHODS, NotDense, Precision, pack, pack_without_errors
from hybrid_ai.bounds.device import DeviceError, TooWide, pack_for_device, pack_for_device_without_errors
from hybrid_ai.bounds.device_boxes import DeviceBoxes, UnsoundDenseDeviceBoxes
from hybrid_ai.network import StagedNetwork
from hybrid_ai.pipeline.errors import BadInput, UnsupportedInput
from hybrid_ai.pipeline.inputs import ModelSource, read_model

FEWEST_REPEATS = 3
SHORTEST = 0.02  # seconds of one repeat: the clock and the call must not matter
SAMPLE = 256  # boxes on which tightness is measured

Bounder = Callable[[Floats, Floats, Method], OutputBounds]


@dataclass(frozen=True)
class Plan:
    """What to measure.

    batches: boxes bounded at once; seconds: of all measurements together, about; low, high: range of every
    input; side: of a box, as a share of that range, above 0 and at most 1; seed: of the boxes.
    """

    batches: tuple[int, ...]
    seconds: float
    low: float
    high: float
    side: float
    seed: int


@dataclass(frozen=True)
class Row:
    """One measurement; speeds are medians of repeats, None where it was left out because it takes too long.

    flops: operations per box of the products alone; peak_fraction: of the measured peak of one core;
    mean_width: of the outputs' bounds; unknown: share of boxes with an infinite bound.
    """

    method: Method
    precision: Precision
    error_terms: bool
    batch: int
    boxes_per_cpu_second: float | None
    boxes_per_second: float | None
    repeats: int
    flops: float
    peak_fraction: float | None
    mean_width: float
    unknown: float


@dataclass(frozen=True)
class Measured:
    """What is measured: what bounds boxes by precision and error terms, how fast it can be, and the clock.

    device: what the device is, None for one core of the processor; warm_up: CPU seconds to compile and load;
    peaks: operations in a second; clock: of the time that counts.
    """

    bounders: dict[tuple[Precision, bool], Bounder]
    device: dict[str, Any] | None
    warm_up: float
    peaks: dict[Precision, float]
    clock: Callable[[], float]


def measure(
    model: ModelSource,
    plan: Plan,
    *,
    backend: Backend = "cpu",
    notice: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Measure every method, precision and batch size, with and without error terms.

    Args:
        model: ONNX file: its path, its bytes, or loaded.
        plan: what to measure.
        backend: "cpu", one core; "cuda", a device, or the core where there is none; "auto", the device where
            there is one.
        notice: called with one line when the device that was asked for is missing or fails.

    Returns:
        Values that JSON can hold: network, machine, peaks, the time to compile (excluded), rows.

    Raises:
        BadInput: the model is missing or no valid model, or the plan is meaningless.
        UnsupportedInput: it is not a chain of fully connected stages, or the processor lacks an instruction.
    """
    require_plan(plan)
    loaded = read_model(model)
    staged = loaded.staged
    try:
        measured = _chosen(staged, plan, backend, notice)
        rows, ended = _measured_rows(staged, measured, plan)
    except (NotDense, NoFusedMultiplyAdd) as error:
        raise UnsupportedInput(f"bench throughput: {error}") from error
    return {
        "command": "bench throughput",
        "version": hybrid_ai.__version__,
        "commit": source_commit(),
        "model_sha256": loaded.sha256,
        "group_sizes": list(staged.group_sizes),
        "machine": describe_machine(),
        "load_average": load_average(),
        "vector_bytes": host_tile().bytes,
        "threads": 1,
        "backend": "cpu" if measured.device is None else "cuda",
        "device": measured.device,
        "ended": ended,
        "plan": asdict(plan),
        "warm_up_seconds": measured.warm_up,
        "peak_flops": measured.peaks,
        "rows": [asdict(row) for row in rows],
    }


def require_plan(plan: Plan) -> None:
    """Raise BadInput where a plan is meaningless."""
    if not plan.batches or min(plan.batches) < 1:
        raise BadInput("--batch: every size must be at least 1")
    if not plan.seconds > 0.0:
        raise BadInput("--seconds: must be above 0")
    if not (np.isfinite(plan.low) and np.isfinite(plan.high) and plan.low < plan.high):
        raise BadInput("--range: LOW and HIGH must be finite, and LOW below HIGH")
    if not 0.0 < plan.side <= 1.0:
        raise BadInput("--side: must be above 0 and at most 1")


def _chosen(
    staged: StagedNetwork, plan: Plan, backend: Backend, notice: Callable[[str], None] | None
) -> Measured:
    """The device where it was asked for and bounds a box, else one core."""
    one = random_boxes(staged, plan, 1)
    if backend != "cpu":
        try:
            return _on_device(staged, one)
        except (DeviceError, TooWide) as error:
            if backend == "cuda" and notice is not None:
                notice(f"one core is measured: {error}")
    bounders = _bounders(staged)
    warm_up = _warm_up(bounders, *one)
    peaks = {precision: measure_peak(precision) for precision in get_args(Precision)}
    return Measured(bounders, None, warm_up, peaks, time.process_time)


def _on_device(staged: StagedNetwork, one: tuple[Floats, Floats]) -> Measured:
    began = time.process_time()
    bounders: dict[tuple[Precision, bool], Bounder] = {}
    for precision in get_args(Precision):
        bounders[precision, True] = DeviceBoxes(pack_for_device(staged, precision))
        bounders[precision, False] = UnsoundDenseDeviceBoxes(
            pack_for_device_without_errors(staged, precision)
        )
    from hybrid_ai.bench.device import describe_device, measure_device_peak

    for bounder in bounders.values():
        bounder(*one, "crown")
    device, warm_up = describe_device(), time.process_time() - began
    peaks = {precision: measure_device_peak(precision) for precision in get_args(Precision)}
    return Measured(bounders, device, warm_up, peaks, time.perf_counter)


def _measured_rows(staged: StagedNetwork, measured: Measured, plan: Plan) -> tuple[list[Row], str]:
    """Every row, or those until the device failed, and why."""
    rows: list[Row] = []
    try:
        for row in _rows(staged, measured, plan):
            rows.append(row)
    except DeviceError as error:
        return rows, str(error)
    return rows, ""


def _bounders(staged: StagedNetwork) -> dict[tuple[Precision, bool], Bounder]:
    """What bounds boxes in each precision, with and without error terms."""
    found: dict[tuple[Precision, bool], Bounder] = {}
    for precision in get_args(Precision):
        found[precision, True] = partial(bound_boxes, pack(staged, precision))
        found[precision, False] = partial(time_boxes_without_errors, pack_without_errors(staged, precision))
    return found


def random_boxes(staged: StagedNetwork, plan: Plan, count: int) -> tuple[Floats, Floats]:
    """Random boxes inside the range of the inputs, (count, n_inputs) each."""
    span = plan.high - plan.low
    free = (1.0 - plan.side) * span
    shares = np.random.default_rng(plan.seed).uniform(size=(count, staged.n_inputs))
    lower = plan.low + shares * free
    return lower, lower + plan.side * span


def _warm_up(bounders: dict[tuple[Precision, bool], Bounder], lower: Floats, upper: Floats) -> float:
    """Compile whatever is measured later; CPU seconds."""
    began = time.process_time()
    for bounder in bounders.values():
        bounder(lower, upper, "crown")
    for precision in get_args(Precision):
        measure_peak(precision)
    return time.process_time() - began


def _rows(staged: StagedNetwork, measured: Measured, plan: Plan) -> Iterator[Row]:
    """Every measurement, batches from small to large."""
    cases = list(product(METHODS, measured.bounders))
    share = plan.seconds / (len(cases) * len(plan.batches))
    sample = random_boxes(staged, plan, SAMPLE)
    for method, (precision, sound) in cases:
        bounder = measured.bounders[precision, sound]
        width, unknown = _tightness(bounder(*sample, method))
        flops, rate = 2.0 * products(staged, method), None
        for batch in sorted(plan.batches):
            turns: list[tuple[float, float]] = []
            if rate is None or batch / rate * FEWEST_REPEATS <= max(share, SHORTEST * FEWEST_REPEATS) * 2.0:
                turns = _timed(
                    partial(bounder, *random_boxes(staged, plan, batch), method), share, measured.clock
                )
                rate = batch / median(turn[measured.device is not None] for turn in turns)
            cpu, wall = (batch / median(turn[k] for turn in turns) if turns else None for k in range(2))
            fraction = rate * flops / measured.peaks[precision] if turns and rate is not None else None
            yield Row(method, precision, sound, batch, cpu, wall, len(turns), flops, fraction, width, unknown)


def _timed(run: Callable[[], object], share: float, clock: Callable[[], float]) -> list[tuple[float, float]]:
    """CPU and wall seconds of one run, measured again and again for about ``share`` seconds."""
    began, first = time.perf_counter(), clock()
    run()
    runs = max(1, int(SHORTEST / max(clock() - first, 1e-6)))
    turns: list[tuple[float, float]] = []
    while len(turns) < FEWEST_REPEATS or time.perf_counter() - began < share:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(runs):
            run()
        turns.append(((time.process_time() - cpu) / runs, (time.perf_counter() - wall) / runs))
    return turns


def products(staged: StagedNetwork, method: Method) -> int:
    """Products of weights that a method needs for one box: what a perfect program cannot avoid.

    Intervals take two for each weight. Backward passes take one for each row's coefficient and weight, for
    lower and upper bounds; a row's first stage is its own weights and costs none.
    """
    size = staged.group_sizes
    below = [0]
    for g in range(1, len(size)):
        below.append(below[-1] + size[g] * size[g - 1])
    if method == "interval":
        return 2 * below[-1]
    if method == "crown_interval":
        return 2 * below[-2] + 2 * size[-1] * below[-2]
    return sum(2 * size[k] * below[k - 1] for k in range(1, len(size)))


def _tightness(found: OutputBounds) -> tuple[float, float]:
    """Mean width of the finite bounds, and the share of boxes that have an infinite one."""
    finite = np.all(np.isfinite(found.lower) & np.isfinite(found.upper), axis=1)
    width = (found.upper - found.lower)[finite]
    return (float(width.mean()) if width.size else 0.0), float(1.0 - finite.mean())
