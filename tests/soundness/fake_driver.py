"""A CUDA driver without a device: its memory is the host's, and a launch calls the host-compiled kernels."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.soundness.host_kernels import HostKernels

GOOD, BAD = "CUDA_SUCCESS", SimpleNamespace(name="CUDA_ERROR_INVALID_VALUE")
ATTRIBUTES = {"COMPUTE_CAPABILITY_MAJOR": 7, "COMPUTE_CAPABILITY_MINOR": 0, "MULTIPROCESSOR_COUNT": 80}
ALIGNMENT = 256


@dataclass
class FakeDriver:
    """What `cuda.bindings.driver` offers of what is used; counts what is still held."""

    kernels: HostKernels
    width: int
    most_shared: int = 96 * 1024
    memory: dict[int, np.ndarray] = field(default_factory=dict)
    modules: list[bytes] = field(default_factory=list)
    launches: list[tuple[Any, ...]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    CUresult = SimpleNamespace(CUDA_SUCCESS=GOOD)
    CUfunction_attribute = SimpleNamespace(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES="most")

    @property
    def CUdevice_attribute(self) -> SimpleNamespace:  # noqa: N802
        values = {**ATTRIBUTES, "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN": self.most_shared}
        return SimpleNamespace(**{f"CU_DEVICE_ATTRIBUTE_{name}": value for name, value in values.items()})

    def cuInit(self, flags: int) -> tuple[Any, ...]:  # noqa: N802
        return (GOOD,)

    def cuDeviceGet(self, number: int) -> tuple[Any, ...]:  # noqa: N802
        return (GOOD, "device") if number == 0 else (BAD, None)

    def cuDevicePrimaryCtxRetain(self, device: str) -> tuple[Any, ...]:  # noqa: N802
        return GOOD, "context"

    def cuCtxSetCurrent(self, context: str) -> tuple[Any, ...]:  # noqa: N802
        return (GOOD,) if context == "context" else (BAD,)

    def cuDeviceGetAttribute(self, value: int, device: str) -> tuple[Any, ...]:  # noqa: N802
        return GOOD, value

    def cuModuleLoadData(self, cubin: bytes) -> tuple[Any, ...]:  # noqa: N802
        self.modules.append(cubin)
        return GOOD, cubin

    def cuModuleUnload(self, module: bytes) -> tuple[Any, ...]:  # noqa: N802
        self.modules.remove(module)
        return (GOOD,)

    def cuModuleGetFunction(self, module: bytes, name: bytes) -> tuple[Any, ...]:  # noqa: N802
        return GOOD, name.decode()

    def cuFuncSetAttribute(self, function: str, kind: str, value: int) -> tuple[Any, ...]:  # noqa: N802
        self.asked.append(value)
        return (GOOD,)

    def cuMemAlloc(self, size: int) -> tuple[Any, ...]:  # noqa: N802
        whole = np.full(size + ALIGNMENT, 0xFF, np.uint8)
        first = -whole.ctypes.data % ALIGNMENT
        part = whole[first : first + size]
        self.memory[part.ctypes.data] = part
        return GOOD, part.ctypes.data

    def cuMemFree(self, place: int) -> tuple[Any, ...]:  # noqa: N802
        del self.memory[place]
        return (GOOD,)

    def cuMemcpyHtoD(self, place: int, source: int, size: int) -> tuple[Any, ...]:  # noqa: N802
        assert self.memory[place].nbytes == size
        ctypes.memmove(place, source, size)
        return (GOOD,)

    def cuMemcpyDtoH(self, target: int, place: int, size: int) -> tuple[Any, ...]:  # noqa: N802
        assert self.memory[place].nbytes == size
        ctypes.memmove(target, place, size)
        return (GOOD,)

    def cuOccupancyMaxActiveBlocksPerMultiprocessor(self, *arguments: Any) -> tuple[Any, ...]:  # noqa: N802
        return GOOD, 2

    def cuLaunchKernel(self, function: str, *arguments: Any) -> tuple[Any, ...]:  # noqa: N802
        *shape, stream, parameters, extra = arguments
        if len(shape) != 7 or stream or extra:
            return (BAD,)
        self.launches.append((function, *shape))
        pointers = [ctypes.c_void_p(p) for p in (ctypes.c_uint64 * 2).from_address(parameters)]
        phase, precision = function.rsplit("_", 1)
        name = {"bound_boxes": "hybrid_ai_bound", "bound_nodes": "hybrid_ai_bound_nodes"}[phase]
        flags = (1, 0) if phase == "bound_boxes" else (0,)
        return (
            (GOOD,)
            if getattr(self.kernels.library, f"{name}_{precision}")(self.width, *pointers, *flags) == 0
            else (BAD,)
        )

    def cuCtxSynchronize(self) -> tuple[Any, ...]:  # noqa: N802
        return (GOOD,)
