"""The ways in which our kernels are compiled; all keep compiled code in numba's cache."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])

# Contraction to fused multiply-add only removes roundings. Nothing else of fast-math is sound here:
# no assumption
# about NaN or infinity, no reciprocal. The numpy error model gives NaN instead of raising inside a
# parallel loop.
_OPTIONS: Any = {"error_model": "numpy", "cache": True, "nogil": True}


def compiled(function: Function) -> Function:
    """Compile with contraction only: every sum keeps the order in which it is written."""
    return cast(Function, njit(fastmath={"contract"}, **_OPTIONS)(function))


def compiled_in_order(function: Function) -> Function:
    """Compile without any licence: every operation rounds once, as written."""
    return cast(Function, njit(**_OPTIONS)(function))


def compiled_any_order(function: Function) -> Function:
    """Compile sums of products that may be added up in any order (the error terms hold for each)."""
    return cast(Function, njit(fastmath={"contract", "reassoc"}, **_OPTIONS)(function))


def compiled_parallel(function: Function) -> Function:
    """Compile a loop over independent nodes onto all threads."""
    return cast(Function, njit(parallel=True, **_OPTIONS)(function))
