"""What the CUDA kernels take on the cards they are made for: compiled and assembled, not run."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from typing import Any

from benchmarks.cuda_compile import (
    CARDS,
    V100,
    CannotCompile,
    Card,
    assemble,
    dense_kernels,
    search_kernels,
    toolkit,
)
from benchmarks.lab_items.base import Bench, Figure, Item, LabError, Report, at_least, at_most, count, plain
from hybrid_ai.bounds.backends.cuda_geometry import MOST_SHARED, WIDEST, choose_geometry

ITEMSIZE = {"single": 4, "double": 8}
WIDTHS = (8, 50, WIDEST)
ACAS_XU = 50  # neurons of a layer
FEWEST_BLOCKS = 2
THREADS = 64  # of a block of the search's kernels


def measured(precision: str, widest: int, card: Card) -> list[dict[str, Any]]:
    """The dense kernels of one precision and width on one card."""
    geometry = choose_geometry(widest, ITEMSIZE[precision])
    rows = []
    for name, function, signature in dense_kernels(geometry):
        found = assemble(name, function, signature, card)
        held = card.blocks_held(geometry.threads, found.registers, found.shared)
        row = {"card": card.name, "architecture": card.architecture, "precision": precision, "widest": widest}
        rows.append({**row, **geometry._asdict(), **asdict(found), "blocks_held": held})
    return rows


def of_the_search(card: Card) -> list[dict[str, Any]]:
    """The search's kernels on one card."""
    rows = []
    for name, function, signature in search_kernels():
        found = assemble(name, function, signature, card)
        held = card.blocks_held(THREADS, found.registers, found.shared)
        row = {"card": card.name, "architecture": card.architecture, "precision": "double", "widest": None}
        rows.append({**row, "threads": THREADS, **asdict(found), "blocks_held": held})
    return rows


def figures_of(rows: list[dict[str, Any]]) -> tuple[Figure, ...]:
    """The bars; double precision may spill."""
    figures = []
    for card in CARDS:
        mine = [row for row in rows if row["card"] == card.name and row["kernel"] == "stage"]
        single = [row for row in mine if row["precision"] == "single"]
        label = f"{card.architecture}, single precision"
        acas = next(row for row in single if row["widest"] == ACAS_XU)
        double = next(row for row in mine if row["precision"] == "double" and row["widest"] == ACAS_XU)
        spilled = sum(row["spill_stores"] + row["spill_loads"] for row in single)
        figures += [
            count(f"{label}: bytes spilled, all widths", spilled, 0),
            count(f"{label}: bytes of local memory, all widths", sum(row["stack"] for row in single), 0),
            plain(f"{label}, 50 neurons: registers", acas["registers"]),
            plain(f"{label}, 50 neurons: shared memory", acas["shared"], "B"),
            at_least(f"{label}, 50 neurons: blocks per multiprocessor", acas["blocks_held"], FEWEST_BLOCKS),
            plain(f"{card.architecture}, double precision, 50 neurons: registers", double["registers"]),
            plain(
                f"{card.architecture}, double precision, 50 neurons: bytes spilled",
                double["spill_stores"] + double["spill_loads"],
                "B",
            ),
        ]
    fewest = min(row["blocks_held"] for row in rows if row["card"] == V100.name)
    most = max(row["shared"] for row in rows)
    inexact = sorted({name for row in rows for name in row["inexact"]})
    figures += [
        at_least("V100: fewest blocks per multiprocessor, any kernel", fewest, FEWEST_BLOCKS),
        at_most("shared memory of a block, any kernel", most, MOST_SHARED, "B"),
        count("kinds of instructions that flush or do not round to nearest", len(inexact), 0),
    ]
    return tuple(figures)


def run(bench: Bench) -> Report:
    widths = (ACAS_XU,) if bench.small else WIDTHS
    try:
        cases = product(ITEMSIZE, widths, CARDS)
        rows = [row for precision, widest, card in cases for row in measured(precision, widest, card)]
        rows += [row for card in CARDS for row in of_the_search(card)]
    except CannotCompile as error:
        raise LabError(str(error)) from error
    return Report(figures_of(rows), {"kernels": rows, "versions": toolkit()})


ITEM = Item(
    "ptx", "registers, spills and shared memory of the CUDA kernels on V100 and H200", "a minute", run
)
