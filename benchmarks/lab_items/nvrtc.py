"""The CUDA C++ kernels through NVRTC and ptxas for two devices: registers, spills, blocks that fit."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from time import process_time
from typing import get_args

from benchmarks.cuda_compile import CARDS, Card
from benchmarks.lab_items.base import Bench, Figure, Item, LabError, Report, at_least, count, plain
from benchmarks.lab_items.ptxas import (
    LOOSE,
    VECTOR_LOAD,
    Refused,
    ToolMissing,
    Usage,
    compile_ptx,
    usages,
)
from hybrid_ai.bounds.backends.cuda_cpp import Phase, Request
from hybrid_ai.bounds.backends.cuda_cpp_layout import geometry, node_geometry
from hybrid_ai.bounds.dense import Precision

# Width of the kernels, and groups of the network: the widest that is held, and ACAS Xu.
CASES = ((64, 10), (52, 8))
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
KERNELS: dict[Phase, str] = {"dense": "bound_boxes", "nodes": "bound_nodes"}
GEOMETRIES = {"dense": geometry, "nodes": node_geometry}


def figures_of(phase: Phase, width: int, groups: int, card: Card, found: dict[str, Usage]) -> list[Figure]:
    """Registers, spills and blocks; bars are those of single precision."""
    figures = []
    major, minor = card.capability
    for precision in PRECISIONS:
        usage = found[f"{KERNELS[phase]}_{precision}"]
        shape = GEOMETRIES[phase](width, precision, groups)
        name = f"{phase}, sm_{major}{minor}, width {width}, {precision}"
        blocks = card.blocks_held(shape.threads, usage.registers, shape.shared_bytes)
        barred = precision == "single"
        spilled = usage.spilled + usage.stack
        figures += [
            plain(f"{name}: registers of a thread", usage.registers),
            plain(f"{name}: shared memory of a block, {groups} groups", shape.shared_bytes, "bytes"),
            count(f"{name}: spilled and on the stack", spilled, 0)
            if barred
            else plain(f"{name}: spilled and on the stack", spilled, "bytes"),
            at_least(f"{name}: blocks on a multiprocessor", blocks, 2)
            if barred
            else plain(f"{name}: blocks on a multiprocessor", blocks),
        ]
    return figures


def run(bench: Bench) -> Report:
    figures: list[Figure] = []
    details = {}
    cases = CASES[: 1 if bench.small else None]
    for phase, (width, groups), card in product(KERNELS, cases, CARDS):
        major, minor = card.capability
        began = process_time()
        try:
            ptx = compile_ptx(Request(phase, width, card.capability))
            seconds = process_time() - began
            found = usages(ptx, card.capability)
        except (ToolMissing, Refused) as error:
            raise LabError(str(error)) from error
        name = f"{phase}, sm_{major}{minor}, width {width}"
        figures += figures_of(phase, width, groups, card, found)
        figures += [
            count(f"{name}: operations that are not one to nearest", len(LOOSE.findall(ptx)), 0),
            plain(f"{name}: loads of 16 bytes from shared memory", len(VECTOR_LOAD.findall(ptx))),
            plain(f"{name}: NVRTC, CPU seconds for {len(found)} kernels", seconds, "s"),
        ]
        details[name] = {kernel: asdict(usage) for kernel, usage in sorted(found.items())}
    return Report(
        tuple(figures), {"usage": details, "note": "compiled and assembled; nothing ran on a device"}
    )


ITEM = Item("nvrtc", "the CUDA C++ kernels compiled for two devices, without one", "under a minute", run)
