"""A CUDA device under measurement: what it is, and the most multiply-adds it does."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
from numba import cuda

from hybrid_ai.bounds.backends.cuda_jit import launched
from hybrid_ai.bounds.dense import DTYPES, Precision
from hybrid_ai.bounds.device import device_errors

CHAINS = 8  # of each thread, enough to hide the latency of an addition with the threads there are
TURNS = 20_000
THREADS = 256
BLOCKS = 16  # for each multiprocessor
REPEATS = 5


def describe_device() -> dict[str, Any]:
    """Name, compute capability, multiprocessors and memory of the device, and the version of the driver.

    Raises:
        DeviceError: there is none.
    """
    with device_errors():
        device, context = cuda.get_current_device(), cuda.current_context()
        free, total = context.get_memory_info()
        name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
        return {
            "name": name,
            "compute_capability": ".".join(map(str, device.compute_capability)),
            "multiprocessors": int(device.MULTIPROCESSOR_COUNT),
            "memory_gib": round(total / 2**30, 1),
            "free_gib": round(free / 2**30, 1),
            "cuda_runtime": ".".join(map(str, cuda.runtime.get_version())),
        }


@cache
def _chains() -> Any:
    """Independent chains of multiply-adds in registers; ``values``: factor, addend, a place for the sum."""

    @launched
    def chains(values, turns):  # type: ignore[no-untyped-def]
        factor, addend = values[0], values[1]
        a, b, c, d = addend, factor, addend + factor, addend - factor
        e, f, g, h = a + a, b + b, c + c, d + d
        for _ in range(turns):
            a = a * factor + addend
            b = b * factor + addend
            c = c * factor + addend
            d = d * factor + addend
            e = e * factor + addend
            f = f * factor + addend
            g = g * factor + addend
            h = h * factor + addend
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
        if total == factor:  # never: the sum must not be known to be unused
            values[2] = total

    return chains


def measure_device_peak(precision: Precision) -> float:
    """Floating-point operations in a second of the whole device, a multiply-add counting as two; 1/s.

    Raises:
        DeviceError: there is no device, or it fails.
    """
    with device_errors():
        blocks = BLOCKS * int(cuda.get_current_device().MULTIPROCESSOR_COUNT)
        values = cuda.to_device(np.array([0.5, 0.25, 0.0], DTYPES[precision]))
        kernel = _chains()
        kernel[blocks, THREADS](values, 1)
        seconds = []
        for _ in range(REPEATS):
            cuda.synchronize()
            began = time.perf_counter()
            kernel[blocks, THREADS](values, TURNS)
            cuda.synchronize()
            seconds.append(time.perf_counter() - began)
    return 2.0 * CHAINS * TURNS * blocks * THREADS / min(seconds)
