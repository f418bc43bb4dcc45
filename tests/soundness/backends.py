"""The backends under one roof: the bounds of a node and of rows, as each of them gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hybrid_ai.bounds.arrays import Net
from hybrid_ai.bounds.backends import numba_cpu, reference
from hybrid_ai.search.compiled import closing
from hybrid_ai.search.compiled.records import Spec, make_rows


class NodeBounds(NamedTuple):
    """Of every position (N,): pre-activation bounds, relaxation, output size, substitution error."""

    lower: np.ndarray
    upper: np.ndarray
    low_slope: np.ndarray
    high_slope: np.ndarray
    intercept: np.ndarray
    magnitude: np.ndarray
    step_error: np.ndarray


class RowBounds(NamedTuple):
    """Of every row (R,): least value by the backward pass, and what rounding may have lost."""

    value: np.ndarray
    lost: np.ndarray


class Backend(NamedTuple):
    """bound(net, lower, upper, held): None when out of range; rows(... , table, offsets) after it."""

    bound: Callable[[Net, np.ndarray, np.ndarray, np.ndarray], NodeBounds | None]
    rows: Callable[[Net, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], RowBounds]


def unbounded(net: Net) -> np.ndarray:
    """What the root of a tree holds."""
    return np.stack([np.full(net.bias.shape[0], -np.inf), np.full(net.bias.shape[0], np.inf)])


def _reference_bound(net: Net, lower: np.ndarray, upper: np.ndarray, held: np.ndarray) -> NodeBounds | None:
    found = reference.tighten(net, lower, upper, held)
    if found is None:
        return None
    groups = found[0]
    parts = [(g.lower, g.upper, *g.lines, g.magnitude, g.step_error) for g in groups]
    return NodeBounds(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _reference_rows(
    net: Net, lower: np.ndarray, upper: np.ndarray, held: np.ndarray, table: np.ndarray, offsets: np.ndarray
) -> RowBounds:
    found = reference.tighten(net, lower, upper, held)
    assert found is not None
    rows = reference.bound_rows(net, found[0], table, offsets)
    return RowBounds(rows.value, rows.lost)


def _compiled_node(net: Net, lower: np.ndarray, upper: np.ndarray, held: np.ndarray):  # type: ignore[no-untyped-def]
    node, work = numba_cpu.make_node(net, held[0], held[1]), numba_cpu.make_work(net)
    numba_cpu.set_box(net, node, lower, upper)
    return (node, work) if numba_cpu.tighten(net, node, work) else None


def _compiled_bound(net: Net, lower: np.ndarray, upper: np.ndarray, held: np.ndarray) -> NodeBounds | None:
    found = _compiled_node(net, lower, upper, held)
    if found is None:
        return None
    node = found[0]
    node.low_slope[: net.size[0]], node.high_slope[: net.size[0]] = 1.0, 1.0  # left out by the kernels
    node.intercept[: net.size[0]], node.step_error[: net.size[0]] = 0.0, 0.0
    return NodeBounds(
        node.lower,
        node.upper,
        node.low_slope,
        node.high_slope,
        node.intercept,
        node.magnitude,
        node.step_error,
    )


def _compiled_rows(
    net: Net, lower: np.ndarray, upper: np.ndarray, held: np.ndarray, table: np.ndarray, offsets: np.ndarray
) -> RowBounds:
    found = _compiled_node(net, lower, upper, held)
    assert found is not None
    spec = Spec(table, offsets, np.array([0, table.shape[0]], np.int64), np.array([table.shape[0]], np.int64))
    rows = make_rows(net, spec)
    closing.bound_rows(net, found[0], spec, np.ones(1, np.bool_), rows, found[1])
    return RowBounds(rows.bound, rows.lost)


BACKENDS = {
    "reference": Backend(_reference_bound, _reference_rows),
    "numba_cpu": Backend(_compiled_bound, _compiled_rows),
}
