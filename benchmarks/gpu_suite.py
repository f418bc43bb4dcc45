"""Everything that needs a graphics card, in one command, for whoever has one.

    python benchmarks/gpu_suite.py [--small] [-o FILE.json]

Every kernel against the reference on random data, its results poisoned before; boxes bounded in a second by
method, precision and batch, with the share of the card's measured peak; the same by auto_LiRPA on the card
where it is installed; on the first ACAS Xu network where HYBRID_AI_DATA is set. Writes one JSON object to
benchmarks/results/. Exit status: 0 all agree, 1 a kernel does not, 2 there is no usable card.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.gpu_peers import measure_auto_lirpa
from benchmarks.lab_items.base import ROOT
from benchmarks.lab_items.machine import describe_commit
from hybrid_ai.bench.machine import describe_machine
from hybrid_ai.bench.throughput import products
from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.backends.cuda_geometry import WIDEST
from hybrid_ai.bounds.boxes import OutputBounds, bound_boxes
from hybrid_ai.bounds.dense import METHODS, Precision, pack
from hybrid_ai.bounds.device import DeviceError, pack_for_device, pack_for_device_without_errors
from hybrid_ai.bounds.device_boxes import DeviceBoxes, UnsoundDenseDeviceBoxes
from hybrid_ai.network import StagedNetwork, load_model
from tests.gpu.simulator import NodeCase
from tests.soundness.backends import BACKENDS, unbounded
from tests.soundness.random_networks import WEIGHTS, draw, network, stage

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
SLACK = {"single": 1e-3, "double": 1e-9}  # of the largest bound: what the charges may differ by
FAR = 1e300  # no bound at all
BATCHES = (64, 1024, 8192, 65536, 262144)
ACAS_XU = ("acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx", (5, 50, 50, 50, 50, 50, 50, 5))


def random_chain(rng: np.random.Generator, sizes: tuple[int, ...]) -> StagedNetwork:
    """A relu network with weights that keep its outputs near 1."""
    stages = []
    for k, (m, n) in enumerate(pairwise(sizes)):
        weights = (rng.normal(size=(n, m)) / np.sqrt(m)).astype(np.float32).astype(np.float64)
        kind = "linear" if k == len(sizes) - 2 else "relu"
        stages.append(stage(kind, {k: weights.tolist()}, (rng.normal(size=n) / 8.0).tolist()))
    return network(sizes[0], *stages)


def random_boxes(rng: np.random.Generator, inputs: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    lower = rng.uniform(-0.5, 0.45, size=(count, inputs))
    return lower, lower + 0.05


def networks(rng: np.random.Generator, small: bool) -> Iterator[StagedNetwork]:
    """Shapes that fill a block, leave it half empty, and need every width."""
    for _ in range(3 if small else 20):
        yield draw(rng, WEIGHTS["eighths"], 6, 12, chain=True).staged
    for sizes in ((3, 8, 8, 2), (1, 1, 1), ACAS_XU[1], (WIDEST, WIDEST, 3), (2, 33, 17, 130)):
        yield random_chain(rng, sizes)


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Largest difference of bounds, relative to the largest of them; FAR where one is not finite."""
    if not np.all(np.isfinite(found)):
        return FAR
    return float(np.max(np.abs(found - wanted)) / (1.0 + np.max(np.abs(wanted))))


def compare(small: bool) -> dict[str, Any]:
    """Largest difference from the reference, relative to the largest bound; every way of bounding."""
    rng, rows = np.random.default_rng(2024), []
    for staged in networks(rng, small):
        lower, upper = random_boxes(rng, staged.n_inputs, 7)
        net = flatten(staged).net
        for precision in PRECISIONS:
            boxes = DeviceBoxes(pack_for_device(staged, precision))
            for method in METHODS:
                for area, intersect in ((False, True), (True, False)):
                    wanted = np.stack(reference.bound_boxes(net, lower, upper, method, area, intersect))
                    slopes = "area" if area else "format"
                    found = np.stack(boxes(lower, upper, method, slopes=slopes, intersect=intersect))
                    worst = difference(found, wanted)
                    agrees = worst <= SLACK[precision]
                    rows.append((list(staged.group_sizes), precision, method, slopes, worst, agrees))
    names = ("group_sizes", "precision", "method", "slopes", "worst", "agrees")
    table = [dict(zip(names, row, strict=True)) for row in rows]
    return {"cases": len(table), "disagree": [row for row in table if not row["agrees"]]}


def compare_search(small: bool) -> dict[str, Any]:
    """The same of the search's kernels: bounds and relaxations, rows, values at a point."""
    rng, worst = np.random.default_rng(7), {"tighten": 0.0, "backward": 0.0, "forward_point": 0.0}
    cases = 0
    for _ in range(3 if small else 20):
        staged = draw(rng, WEIGHTS["eighths"], 6, 40).staged
        net = flatten(staged).net
        lower, upper = random_boxes(rng, staged.n_inputs, 5)
        held = np.stack([unbounded(net)] * len(lower))
        table, offsets = rng.normal(size=(4, net.bias.shape[0])), rng.normal(size=4)
        found = NodeCase(staged, lower, upper, held, table, offsets, threads=64).run()
        for b in range(len(lower)):
            node = BACKENDS["reference"].bound(net, lower[b], upper[b], held[b])
            assert node is not None
            rows = BACKENDS["reference"].rows(net, lower[b], upper[b], held[b], table, offsets)
            ends = np.stack([found.node.lower[b], found.node.upper[b]])
            pairs = (
                ("tighten", ends, np.stack([node.lower, node.upper])),
                ("backward", found.value[b], rows.value),
                ("forward_point", found.outputs[b], reference.forward_point(net, lower[b])),
            )
            for name, mine, theirs in pairs:
                worst[name] = max(worst[name], difference(mine, theirs))
            cases += 3
    return {
        "cases": cases,
        "disagree": [name for name in worst if not worst[name] <= SLACK["double"]],
        **worst,
    }


def timed(run: Callable[[], object], seconds: float) -> float:
    """Median wall seconds of a call that ends with its results on the host; one before does not count."""
    run()
    began, turns = time.perf_counter(), []
    while len(turns) < 3 or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        run()
        turns.append(time.perf_counter() - start)
    return median(turns)


def on_device(staged: StagedNetwork, precision: Precision, sound: bool) -> Callable[..., OutputBounds]:
    if sound:
        return DeviceBoxes(pack_for_device(staged, precision))
    return UnsoundDenseDeviceBoxes(pack_for_device_without_errors(staged, precision))


def measure(staged: StagedNetwork, peaks: dict[Precision, float], small: bool) -> list[dict[str, Any]]:
    """Boxes in a second by method, precision, error terms and batch, and the share of the card's peak."""
    rng, rows = np.random.default_rng(0), []
    for precision in PRECISIONS:
        for sound in (True, False):
            boxes = on_device(staged, precision, sound)
            for method in METHODS:
                for batch in BATCHES[:2] if small else BATCHES:
                    ends = random_boxes(rng, staged.n_inputs, batch)
                    rate = batch / timed(lambda b=boxes, e=ends, m=method: b(*e, m), 0.2 if small else 2.0)
                    share = rate * 2.0 * products(staged, method) / peaks[precision]
                    rows.append(
                        {
                            "precision": precision,
                            "error_terms": sound,
                            "method": method,
                            "batch": batch,
                            "boxes_per_second": round(rate),
                            "peak_fraction": round(share, 4),
                        }
                    )
                    print(json.dumps(rows[-1]), file=sys.stderr)
    return rows


def compare_with_processor(staged: StagedNetwork) -> dict[str, float]:
    """Differences of card and processor over 4096 boxes, and the processor's speed on one core."""
    lower, upper = random_boxes(np.random.default_rng(1), staged.n_inputs, 4096)
    found: dict[str, float] = {}
    for precision in PRECISIONS:
        packed = pack(staged, precision)
        mine = np.stack(DeviceBoxes(pack_for_device(staged, precision))(lower, upper))
        theirs = np.stack(bound_boxes(packed, lower, upper))
        found[f"{precision}_largest_difference"] = float(np.max(np.abs(mine - theirs)))
        seconds = timed(lambda p=packed: bound_boxes(p, lower, upper), 1.0)
        found[f"{precision}_processor_boxes_per_second"] = round(len(lower) / seconds)
    return found


def acas_xu() -> tuple[str, StagedNetwork]:
    """The first network of the suite, or one of its shape where HYBRID_AI_DATA is not set."""
    folder = os.environ.get("HYBRID_AI_DATA")
    if folder and (path := Path(folder) / ACAS_XU[0]).is_file():
        return ACAS_XU[0], load_model(path.read_bytes()).staged
    return "random weights, the shape of ACAS Xu", random_chain(np.random.default_rng(5), ACAS_XU[1])


def run(small: bool) -> dict[str, Any]:
    """All parts, on the card.

    Raises:
        DeviceError: there is no card, or it fails.
    """
    DeviceBoxes(pack_for_device(random_chain(np.random.default_rng(0), (1, 1)), "single"))
    from hybrid_ai.bench.device import describe_device, measure_device_peak

    device = describe_device()
    print(f"measuring on {device['name']}", file=sys.stderr)
    peaks = {precision: measure_device_peak(precision) for precision in PRECISIONS}
    name, staged = acas_xu()
    return {
        "command": "gpu_suite.py" + (" --small" if small else ""),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **describe_commit(),
        "machine": describe_machine(),
        "device": device,
        "peak_flops": peaks,
        "against_the_reference": compare(small),
        "search_against_the_reference": compare_search(small),
        "network": name,
        "throughput": measure(staged, peaks, small),
        "against_the_processor": compare_with_processor(staged),
        "auto_lirpa": measure_auto_lirpa(
            staged, *random_boxes(np.random.default_rng(2), staged.n_inputs, 1024)
        ),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="gpu_suite.py", description="Measure and check the CUDA kernels.")
    parser.add_argument("--small", action="store_true", help="a small form that shows that it works")
    parser.add_argument(
        "-o", "--output", type=Path, help="file for the JSON (benchmarks/results/gpu-DATE.json)"
    )
    options = parser.parse_args(arguments)
    try:
        found = run(options.small)
    except DeviceError as error:
        print(f"gpu_suite: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    stamp = found["date"][:19].replace(":", "")
    target = options.output or ROOT / "benchmarks" / "results" / f"gpu-{stamp}.json"
    target.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    parts = [found["against_the_reference"], found["search_against_the_reference"]]
    disagree = [one for part in parts for one in part["disagree"]]
    print(f"{target}: {sum(part['cases'] for part in parts)} comparisons, {len(disagree)} disagree")
    return 1 if disagree else 0


if __name__ == "__main__":
    sys.exit(main())
