"""Chains of fully connected stages, packed for a CUDA device, and what can go wrong with one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hybrid_ai.bounds.backends.cuda_geometry import WIDEST, Geometry, choose_geometry
from hybrid_ai.bounds.dense import (
    DTYPES,
    NotDense,
    Precision,
    chain_weights,
    error_terms,
    largest_entry,
)
from hybrid_ai.network import StagedNetwork

REMEDY = "pip install 'hybrid-ai[cuda12]' (or cuda13), and see that nvidia-smi lists the card"
OUT_OF_MEMORY = 2  # CUresult
FAILURES = {"CudaAPIError", "CudaDriverError", "CudaRuntimeError", "CUDAError", "DeadMemoryError"}
MISSING = {
    "CCSupportError",
    "CudaSupportError",
    "DynamicLibNotFoundError",
    "LinkerError",
    "NvrtcError",
    "NvrtcSupportError",
    "NvvmError",
    "NvvmSupportError",
}


class DeviceError(Exception):
    """The device cannot bound boxes; the message says why."""


class NoDevice(DeviceError):
    """There is no CUDA device, no driver, or nothing to compile kernels with."""


class OutOfDeviceMemory(DeviceError):
    """The device has too little free memory for any batch of boxes."""


class DeviceLost(DeviceError):
    """The driver reports a failure, after which nothing on the device can be trusted in this process."""


class TooWide(NotDense):
    """A group has more elements than the kernels hold; the message names the limit."""


class DeviceNet(NamedTuple):
    """A chain as the CUDA kernels read it; V is the precision's type.

    size: elements of each group, int64; first: rows of all stages before a group's, int64; relu: whether a
    group is a relu stage's output; weights (rows, geometry.width), V: of all stages one below the other,
    padded by zeros; bias (rows,), V; terms (5,), V: as in `dense.DenseNet`.
    """

    geometry: Geometry
    size: Any
    first: Any
    relu: Any
    weights: Any
    bias: Any
    terms: Any


class DeviceWork(NamedTuple):
    """Work space on the device, V.

    lines (boxes, groups, width, LINES): relaxations; values (boxes, groups, width, VALUES): of outputs their
    middle, radius and magnitude, and the largest pre-activation up to them.
    """

    lines: Any
    values: Any


@dataclass(frozen=True, eq=False)
class DeviceNetwork:
    """A chain packed for a device with error terms: its bounds hold in real arithmetic."""

    net: DeviceNet
    precision: Precision


@dataclass(frozen=True, eq=False)
class UnsoundDenseDeviceNetwork:
    """The same without error terms: its bounds may be wrong by rounding, and serve to time only."""

    net: DeviceNet
    precision: Precision


def pack_for_device(staged: StagedNetwork, precision: Precision) -> DeviceNetwork:
    """Pack a chain of fully connected stages for the CUDA kernels.

    Args:
        staged: the network; each stage reads the group before it only.
        precision: what the kernels compute in.

    Raises:
        TooWide: a group that is read has more than WIDEST elements.
        NotDense: the network is no such chain, or out of the range of the precision.

    Sound because: gamma is above the relative error of any sum, with the roundings of its stored terms
    (docs/theory/rounding-on-a-device.md).
    """
    return DeviceNetwork(_packed(staged, precision, sound=True), precision)


def pack_for_device_without_errors(staged: StagedNetwork, precision: Precision) -> UnsoundDenseDeviceNetwork:
    """Pack a chain so that nothing is added for rounding: what the error terms cost is measured against it.

    Raises:
        TooWide, NotDense: as `pack_for_device`.
    """
    return UnsoundDenseDeviceNetwork(_packed(staged, precision, sound=False), precision)


def _packed(staged: StagedNetwork, precision: Precision, *, sound: bool) -> DeviceNet:
    matrices = chain_weights(staged)
    size, dtype = np.array(staged.group_sizes, np.int64), DTYPES[precision]
    widest = int(size[:-1].max())
    if widest > WIDEST:
        raise TooWide(f"a group of {widest} elements: the CUDA kernels hold {WIDEST}; use the processor")
    geometry = choose_geometry(widest, np.dtype(dtype).itemsize)
    weights = np.zeros((int(size[1:].sum()), geometry.width), dtype)
    first = np.concatenate([[0, 0], np.cumsum(size[1:])[:-1]]).astype(np.int64)
    with np.errstate(over="ignore", under="ignore"):
        bias = np.concatenate([stage.bias for stage in staged.stages]).astype(dtype)
        for begin, matrix in zip(first[1:].tolist(), matrices, strict=True):
            weights[begin : begin + matrix.shape[0], : matrix.shape[1]] = matrix
    largest = largest_entry((weights, bias), precision)
    # One sum per stage, as long as the widest group, and one of the stages' sums.
    terms = error_terms(size, largest, precision, int(size.max()) + len(size), sound=sound)
    relu = np.array([False, *(stage.kind == "relu" for stage in staged.stages)])
    return DeviceNet(geometry, size, first, relu, weights, bias, terms)


@contextmanager
def device_errors() -> Iterator[None]:
    """Turn what the CUDA libraries raise into a `DeviceError`.

    Raises:
        DeviceError: of the kind that the failure calls for.
    """
    try:
        yield
    except Exception as error:
        told = describe_failure(error)
        if told is None:
            raise
        raise told from error


def describe_failure(error: Exception) -> DeviceError | None:
    """What a failure of the CUDA libraries means, None for any other; they are told apart by name, as they
    come from several packages, of which none need be installed.
    """
    names, text = {kind.__name__ for kind in type(error).__mro__}, " ".join(str(error).split()).rstrip(" :.")
    code = getattr(error, "code", None)
    if names & FAILURES:
        if "OUT_OF_MEMORY" in text or (code is not None and int(code) == OUT_OF_MEMORY):
            return OutOfDeviceMemory(f"the device is out of memory: {text}")
        return DeviceLost(f"the device failed: {text}; nothing it holds is used any more")
    if names & MISSING or isinstance(error, ImportError):
        return NoDevice(f"no usable CUDA device: {text}; {REMEDY}")
    return None
