"""Runs the compiled CUDA C++ kernels on a device, through the driver's own interface.

Sound because: boxes and known bounds are rounded outward, and the kernels add what they may lose by rounding
(docs/theory/rounding-of-the-dense-kernels.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from hybrid_ai.bounds.arrays import Floats
from hybrid_ai.bounds.backends.cuda_cpp import CudaCppError, Phase
from hybrid_ai.bounds.backends.cuda_cpp_layout import (
    SHARED,
    BlockedNetwork,
    Geometry,
    boxes_record,
    geometry,
    network_record,
    node_geometry,
    nodes_record,
)
from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.bounds.boxes import OutputBounds, require_boxes, round_outward, shown
from hybrid_ai.bounds.dense import Slopes

NAMES: dict[Phase, str] = {"dense": "bound_boxes", "nodes": "bound_nodes"}


class NoDevice(CudaCppError):
    """There is no CUDA device, or no driver for it."""


class DeviceFailed(CudaCppError):
    """The driver refused a call."""


@dataclass(frozen=True)
class Device:
    """A device whose context is current.

    Attributes:
        driver: the module `cuda.bindings.driver`.
        capability: major and minor.
        processors: multiprocessors.
        most_shared: bytes of shared memory that a block may ask for.
    """

    driver: Any
    capability: tuple[int, int]
    processors: int
    most_shared: int

    def call(self, name: str, *arguments: Any) -> Any:
        """Call the driver; return what it gives beside the status.

        Raises:
            DeviceFailed: the status is not success.
        """
        return _call(self.driver, name, *arguments)


@dataclass(frozen=True)
class Loaded:
    """A network and its kernel on a device; `loaded` makes it.

    Attributes:
        device: where it is.
        network: as it was packed.
        record: the record `Network` with the device's addresses.
        function: the kernel.
        shape: of its blocks.
    """

    device: Device
    network: BlockedNetwork
    record: np.ndarray
    function: Any
    shape: Geometry


def open_device(number: int = 0) -> Device:
    """Make a device's primary context current in this thread.

    Args:
        number: of the device.

    Raises:
        NoDevice: the Python package, the driver or the device is missing.
    """
    try:
        driver = import_module("cuda.bindings.driver")
        _call(driver, "cuInit", 0)
        handle = _call(driver, "cuDeviceGet", number)
        _call(driver, "cuCtxSetCurrent", _call(driver, "cuDevicePrimaryCtxRetain", handle))
        kinds = driver.CUdevice_attribute
        names = (
            "COMPUTE_CAPABILITY_MAJOR",
            "COMPUTE_CAPABILITY_MINOR",
            "MULTIPROCESSOR_COUNT",
            "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN",
        )
        found = [
            int(_call(driver, "cuDeviceGetAttribute", getattr(kinds, f"CU_DEVICE_ATTRIBUTE_{name}"), handle))
            for name in names
        ]
    except (ImportError, OSError, RuntimeError, DeviceFailed) as error:  # RuntimeError: no driver library
        raise NoDevice(
            f"no CUDA device can be used ({error}): install NVIDIA's driver and hybrid-ai[cuda12]"
        ) from error
    return Device(driver, (found[0], found[1]), found[2], found[3])


@contextmanager
def loaded(device: Device, network: BlockedNetwork, phase: Phase, cubin: bytes) -> Iterator[Loaded]:
    """A network and the kernel that bounds it on a device, for as long as the context lasts.

    Args:
        device: `open_device()`.
        network: packed for the phase.
        phase: which kernel.
        cubin: `compile_kernels` for the network's width and the device's capability.

    Raises:
        DeviceFailed: the network has too many groups for the device, or the driver refused a call.
    """
    shape_of = geometry if phase == "dense" else node_geometry
    shape = shape_of(network.width, network.precision, len(network.size))
    if shape.shared_bytes > device.most_shared:
        raise DeviceFailed(
            f"a network of {len(network.size)} groups needs {shape.shared_bytes} bytes of shared memory, the "
            f"device has {device.most_shared} for a block"
        )
    with ExitStack() as stack:
        module = device.call("cuModuleLoadData", cubin)
        stack.callback(device.call, "cuModuleUnload", module)
        name = f"{NAMES[phase]}_{network.precision}"
        function = device.call("cuModuleGetFunction", module, name.encode())
        if shape.shared_bytes > SHARED:
            kind = device.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            device.call("cuFuncSetAttribute", function, kind, shape.shared_bytes)
        record = network_record(network, lambda array: _upload(device, stack, array))
        yield Loaded(device, network, record, function, shape)


def bound_boxes(
    kernel: Loaded,
    lower: Floats,
    upper: Floats,
    method: Method = "crown",
    *,
    slopes: Slopes = "format",
    intersect: bool = True,
) -> OutputBounds:
    """As `boxes.bound_boxes`, on the device.

    Args:
        kernel: loaded for the phase "dense".
        lower: of the boxes, (boxes, n_inputs) float64.
        upper: of the boxes, at least lower, (boxes, n_inputs) float64.
        method: what bounds the neurons.
        slopes: lower slope of a neuron, see `boxes.bound_boxes`.
        intersect: whether backward bounds are intersected with intervals.

    Raises:
        ValueError: shapes that do not fit, or a lower end above its upper end.
        DeviceFailed: the driver refused a call.
    """
    ends = _ends(kernel.network, lower, upper)
    out = np.full((len(lower), 2, int(kernel.network.size[-1])), np.nan, kernel.network.bias.dtype)
    if len(lower):
        with ExitStack() as stack:
            low, high, place = (_upload(kernel.device, stack, array) for array in (*ends, out))
            given = boxes_record(low, high, place, len(lower), method, slopes, intersect)
            _launch(kernel, given, -(-len(lower) // kernel.shape.boxes))
            _download(kernel.device, out, place)
    return shown(out)


def bound_nodes(
    kernel: Loaded, lower: Floats, upper: Floats, held: Floats, *, slopes: Slopes = "format"
) -> Floats:
    """Bounds of every pre-activation over nodes, intersected with those known.

    Args:
        kernel: loaded for the phase "nodes", its network packed with NODE_PANEL.
        lower: of the nodes' boxes, (nodes, n_inputs) float64.
        upper: of the nodes' boxes, at least lower, (nodes, n_inputs) float64.
        held: known lower and upper bounds, (nodes, 2, groups, width) float64, infinite where there are none.
        slopes: lower slope of a neuron, see `boxes.bound_boxes`.

    Returns:
        Bounds in the shape of ``held``; places without a neuron are as they were there.

    Raises:
        ValueError: shapes that do not fit, or a lower end above its upper end.
        DeviceFailed: the driver refused a call.
    """
    network, device = kernel.network, kernel.device
    ends = _ends(network, lower, upper)
    wanted = (len(lower), 2, len(network.size), network.width)
    if held.shape != wanted:
        raise ValueError(f"known bounds of shape {held.shape}, expected {wanted}")
    dtype = network.bias.dtype
    known = np.stack(round_outward(held[:, 0], held[:, 1], dtype), axis=1)
    out = known.copy()
    if len(lower):
        with ExitStack() as stack:
            low, high, there, place = (_upload(device, stack, array) for array in (*ends, known, out))
            taken = _upload(device, stack, np.zeros(1, np.int32))
            given = nodes_record(low, high, there, place, 0, taken, len(lower), slopes)
            _launch(kernel, given, min(len(lower), device.processors * _blocks_held(kernel)))
            _download(device, out, place)
    return out.astype(np.float64)


def _ends(network: BlockedNetwork, lower: Floats, upper: Floats) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the boxes in the precision, rounded outward."""
    require_boxes(lower, upper, int(network.size[0]))
    return round_outward(lower, upper, network.bias.dtype)


def _blocks_held(kernel: Loaded) -> int:
    """Blocks that a multiprocessor holds at once."""
    shape = kernel.shape
    name = "cuOccupancyMaxActiveBlocksPerMultiprocessor"
    return max(1, int(kernel.device.call(name, kernel.function, shape.threads, shape.shared_bytes)))


def _launch(kernel: Loaded, given: np.ndarray, blocks: int) -> None:
    """Run the kernel to its end on the two records."""
    parameters = np.array([kernel.record.ctypes.data, given.ctypes.data], np.uint64)
    shape = kernel.shape
    kernel.device.call(
        "cuLaunchKernel",
        kernel.function,
        *(blocks, 1, 1),
        *(shape.threads, 1, 1),
        shape.shared_bytes,
        0,
        parameters.ctypes.data,
        0,
    )
    kernel.device.call("cuCtxSynchronize")


def _reserve(device: Device, stack: ExitStack, size: int) -> int:
    """Memory of the device, freed when the stack is left."""
    pointer = device.call("cuMemAlloc", size)
    stack.callback(device.call, "cuMemFree", pointer)
    return int(pointer)


def _upload(device: Device, stack: ExitStack, array: np.ndarray) -> int:
    whole = np.ascontiguousarray(array)
    place = _reserve(device, stack, whole.nbytes)
    device.call("cuMemcpyHtoD", place, whole.ctypes.data, whole.nbytes)
    return place


def _download(device: Device, out: np.ndarray, place: int) -> None:
    device.call("cuMemcpyDtoH", out.ctypes.data, place, out.nbytes)


def _call(driver: Any, name: str, *arguments: Any) -> Any:
    status, *values = getattr(driver, name)(*arguments)
    if status != driver.CUresult.CUDA_SUCCESS:
        raise DeviceFailed(f"{name}: {getattr(status, 'name', status)}")
    return values[0] if values else None
