"""The ways in which our CUDA kernels are compiled.

No fast-math: subnormal numbers are kept, quotients are rounded to nearest, NaN and infinity are what IEEE
says. Products may be contracted with sums to fused multiply-adds, which only removes roundings.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from numba import cuda

# Few boxes fill no device; whoever asks for few knows.
warnings.filterwarnings("ignore", message="Grid size .* under-utilization")


def inlined(function: Callable[..., Any]) -> Any:
    """A device function, put into each kernel that calls it."""
    return cuda.jit(device=True, inline="always")(function)


def launched(function: Callable[..., None]) -> Any:
    """A kernel: index it with blocks and threads, then call it."""
    return cuda.jit(function)
