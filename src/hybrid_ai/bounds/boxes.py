"""Bounds of many boxes at once by the dense kernels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hybrid_ai.bounds.arrays import Floats
from hybrid_ai.bounds.backends.lanes import lane_count
from hybrid_ai.bounds.backends.numba_dense import bound_vectors
from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.bounds.dense import (
    METHODS,
    DenseNet,
    DenseNetwork,
    Slopes,
    UnsoundDenseNetwork,
    make_work,
)


class OutputBounds(NamedTuple):
    """Bounds of the outputs of each box, (boxes, n_outputs) float64; infinite where nothing is shown."""

    lower: Floats
    upper: Floats


def bound_boxes(
    network: DenseNetwork,
    lower: Floats,
    upper: Floats,
    method: Method = "crown",
    *,
    slopes: Slopes = "format",
    intersect: bool = True,
) -> OutputBounds:
    """Bounds of a network's outputs over boxes, in real arithmetic.

    Args:
        network: packed with error terms.
        lower: of the boxes, (boxes, n_inputs) float64.
        upper: of the boxes, at least lower, (boxes, n_inputs) float64.
        method: what bounds the neurons.
        slopes: lower slope of a neuron: "format" 1 where 64 U >= -63 L, "area" 1 where U > -L, else 0.
        intersect: whether backward bounds are intersected with intervals.

    Raises:
        ValueError: shapes that do not fit, or a lower end above its upper end.

    Sound because: boxes are rounded outward, and the kernels add what they may lose by rounding
    (docs/theory/rounding-of-the-dense-kernels.md).
    """
    return _bound(network.net, lower, upper, method, slopes, intersect)


def time_boxes_without_errors(
    network: UnsoundDenseNetwork,
    lower: Floats,
    upper: Floats,
    method: Method = "crown",
    *,
    slopes: Slopes = "format",
    intersect: bool = True,
) -> OutputBounds:
    """What `bound_boxes` computes, less the error terms: not bounds, but what these cost.

    Raises:
        ValueError: as `bound_boxes`.
    """
    return _bound(network.net, lower, upper, method, slopes, intersect)


def _bound(
    net: DenseNet, lower: Floats, upper: Floats, method: Method, slopes: Slopes, intersect: bool
) -> OutputBounds:
    require_boxes(lower, upper, int(net.size[0]))
    lanes, boxes, outputs = lane_count(net.bias.dtype), lower.shape[0], int(net.size[-1])
    vectors = -(-boxes // lanes)
    out = np.empty((vectors, 2, outputs, lanes), net.bias.dtype)
    ends = [_vectors(end, vectors, lanes) for end in round_outward(lower, upper, net.bias.dtype)]
    bound_vectors(
        net, make_work(net), ends[0], ends[1], METHODS.index(method), intersect, slopes == "area", out
    )
    found = out.transpose(1, 0, 3, 2).reshape(2, vectors * lanes, outputs)[:, :boxes].astype(np.float64)
    return OutputBounds(found[0], found[1])


def require_boxes(lower: Floats, upper: Floats, inputs: int) -> None:
    """Refuse what are no boxes of a network's inputs.

    Raises:
        ValueError: shapes that do not fit, or a lower end above its upper end.
    """
    if lower.shape != upper.shape or lower.ndim != 2 or lower.shape[1] != inputs:
        raise ValueError(f"boxes of shapes {lower.shape} and {upper.shape}, expected (boxes, {inputs}) twice")
    if np.any(lower > upper):
        raise ValueError("a box whose lower end is above its upper end")


def round_outward(lower: Floats, upper: Floats, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Boxes in the precision that contain the given ones."""
    return outward(lower, dtype, -np.inf), outward(upper, dtype, np.inf)


def outward(ends: Floats, dtype: Any, way: float) -> np.ndarray:
    """The ends in the precision, moved one step towards ``way`` where rounding went the other way."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        stored = ends.astype(dtype)
        inward = stored.astype(np.float64) > ends if way < 0.0 else stored.astype(np.float64) < ends
        return np.where(inward, np.nextafter(stored, dtype.type(way)), stored)


def shown(found: np.ndarray) -> OutputBounds:
    """Bounds from a device's results, (boxes, 2, n_outputs): NaN, which it did not write, shows nothing."""
    wide = found.astype(np.float64)
    missing = np.isnan(wide)
    return OutputBounds(
        np.where(missing[:, 0], -np.inf, wide[:, 0]), np.where(missing[:, 1], np.inf, wide[:, 1])
    )


def _vectors(ends: np.ndarray, vectors: int, lanes: int) -> np.ndarray:
    """(vectors, n_inputs, lanes); the last box fills the last vector."""
    filled = np.concatenate([ends, np.repeat(ends[-1:], vectors * lanes - len(ends), axis=0)])
    return np.ascontiguousarray(filled.reshape(vectors, lanes, -1).transpose(0, 2, 1))
