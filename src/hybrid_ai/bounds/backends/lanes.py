"""Vector instructions for Numba kernels, one lane per box: an emitter of LLVM code for Numba's intrinsics.

Numba's own loops over lanes reach a third of what the processor can do: sums leave the registers, and lanes
are not always put into one instruction. What is emitted here is.

Sound because: each operation is one IEEE operation to nearest (`llvm.fma` rounds once) and nothing is
reassociated.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

INDEX = ir.IntType(64)


class NoFusedMultiplyAdd(Exception):
    """The processor lacks the instruction on which the dense kernels rest."""


class Tile(NamedTuple):
    """What one pass of the inner loop holds in registers.

    bytes: of a vector register; rows, columns: of the tile of sums, in vectors.
    """

    bytes: int
    rows: int
    columns: int


def emitted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that gives, for argument types, a signature and what emits the code."""
    return cast(Callable[..., Any], intrinsic(function))


@cache
def host_tile() -> Tile:
    """The tile for this processor.

    Raises:
        NoFusedMultiplyAdd: an x86 processor without FMA.
    """
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return Tile(64, 5, 5)  # 32 registers
    if features.get("fma"):
        return Tile(32, 5, 2)  # 16 registers
    if platform.machine() in ("x86_64", "AMD64"):
        raise NoFusedMultiplyAdd("the dense kernels need a processor with FMA; use the backend numba_cpu")
    return Tile(16, 5, 4)


def lane_count(dtype: Any) -> int:
    """Boxes that one vector of this precision holds."""
    return host_tile().bytes // int(np.dtype(dtype).itemsize)


class Lanes:
    """Emits operations on vectors of the lanes of one precision."""

    def __init__(self, context: Any, builder: Any, dtype: types.Float) -> None:
        self.context, self.builder = context, builder
        self.count = lane_count(str(dtype))
        self.bytes = dtype.bitwidth // 8
        element = ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
        self.type = ir.VectorType(element, self.count)
        self.zero = ir.Constant(self.type, [0.0] * self.count)
        self._suffix = f"v{self.count}f{dtype.bitwidth}"

    def data(self, array: types.Array, value: Any) -> Any:
        """Pointer to the first element of an array argument."""
        return self.context.make_array(array)(self.context, self.builder, value).data

    def at(self, pointer: Any, offset: Any) -> Any:
        """Pointer moved by a number of elements."""
        offset = ir.Constant(INDEX, offset) if isinstance(offset, int) else offset
        return self.builder.gep(pointer, [offset], inbounds=True)

    def load(self, pointer: Any, vector: int) -> Any:
        """The vector at a constant number of vectors behind a pointer."""
        place = self.builder.bitcast(self.at(pointer, vector * self.count), self.type.as_pointer())
        loaded = self.builder.load(place)
        loaded.align = self.bytes
        return loaded

    def store(self, value: Any, pointer: Any, vector: int) -> None:
        """Write a vector at a constant number of vectors behind a pointer."""
        place = self.builder.bitcast(self.at(pointer, vector * self.count), self.type.as_pointer())
        self.builder.store(value, place).align = self.bytes

    def spread(self, pointer: Any, offset: int) -> Any:
        """One element in all lanes."""
        none = ir.Constant(self.type, ir.Undefined)
        first = self.builder.insert_element(
            none, self.builder.load(self.at(pointer, offset)), ir.Constant(ir.IntType(32), 0)
        )
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.count), [0] * self.count)
        return self.builder.shuffle_vector(first, none, lanes)

    def _call(self, name: str, *values: Any) -> Any:
        signature = ir.FunctionType(self.type, [self.type] * len(values))
        full = f"llvm.{name}.{self._suffix}"
        function = self.builder.module.globals.get(full)
        if function is None:
            function = ir.Function(self.builder.module, signature, full)
        return self.builder.call(function, values)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """``a b + c``, rounded once."""
        return self._call("fma", a, b, c)

    def size(self, a: Any) -> Any:
        """Absolute value."""
        return self._call("fabs", a)

    def constant(self, value: float) -> Vector:
        """The same number in all lanes."""
        return Vector(self, ir.Constant(self.type, [value] * self.count))

    def get(self, pointer: Any, vector: int) -> Vector:
        """`load` as a `Vector`."""
        return Vector(self, self.load(pointer, vector))

    def put(self, vector: Vector, pointer: Any, place: int) -> None:
        """`store` of a `Vector`."""
        self.store(vector.value, pointer, place)

    def spread_vector(self, pointer: Any, offset: int) -> Vector:
        """`spread` as a `Vector`."""
        return Vector(self, self.spread(pointer, offset))

    def where(self, mask: Vector, yes: Vector, no: Vector) -> Vector:
        """``yes`` in the lanes in which the mask holds, else ``no``."""
        return Vector(self, self.builder.select(mask.value, yes.value, no.value))

    def choose(self, flag: Any, yes: Vector, no: Vector) -> Vector:
        """``yes`` in all lanes if the flag is set, else ``no``."""
        return Vector(self, self.builder.select(flag, yes.value, no.value))

    def parts(self, a: Any) -> tuple[Any, Any]:
        """``max(a, 0)`` and ``min(a, 0)``; NaN is kept in the second."""
        above = self.builder.fcmp_ordered("<", self.zero, a)
        return self.builder.select(above, a, self.zero), self.builder.select(above, self.zero, a)


class Vector:
    """A vector while code is emitted: arithmetic on it emits one instruction each."""

    __slots__ = ("_lanes", "value")

    def __init__(self, lanes: Lanes, value: Any) -> None:
        self._lanes, self.value = lanes, value

    def _of(self, value: Any) -> Vector:
        return Vector(self._lanes, value)

    def __add__(self, other: Vector) -> Vector:
        return self._of(self._lanes.builder.fadd(self.value, other.value))

    def __sub__(self, other: Vector) -> Vector:
        return self._of(self._lanes.builder.fsub(self.value, other.value))

    def __mul__(self, other: Vector) -> Vector:
        return self._of(self._lanes.builder.fmul(self.value, other.value))

    def __truediv__(self, other: Vector) -> Vector:
        return self._of(self._lanes.builder.fdiv(self.value, other.value))

    def __neg__(self) -> Vector:
        return self._of(self._lanes.builder.fneg(self.value))

    def __lt__(self, other: Vector) -> Vector:
        return self._of(self._lanes.builder.fcmp_ordered("<", self.value, other.value))

    def __le__(self, other: Vector) -> Vector:
        return self._of(self._lanes.builder.fcmp_ordered("<=", self.value, other.value))

    def __ge__(self, other: Vector) -> Vector:
        return other <= self

    def size(self) -> Vector:
        """Absolute value."""
        return self._of(self._lanes.size(self.value))

    def most(self, other: Vector) -> Vector:
        """The larger of the two; NaN where this one is, and where the other is."""
        return self._lanes.where(other <= self, self, self._lanes.where(self < other, other, self + other))

    def least(self, other: Vector) -> Vector:
        """The smaller of the two; NaN where either is."""
        return -((-self).most(-other))


class Loop:
    """A counted loop that runs at least once and carries values from turn to turn in registers."""

    def __init__(self, builder: Any, turns: Any, starts: Sequence[Any]) -> None:
        self._builder, self._turns = builder, turns
        before = builder.block
        self._body, self._after = builder.append_basic_block(), builder.append_basic_block()
        builder.branch(self._body)
        builder.position_at_end(self._body)
        self._index = builder.phi(INDEX)
        self._index.add_incoming(ir.Constant(INDEX, 0), before)
        self.values = [builder.phi(start.type) for start in starts]
        for value, start in zip(self.values, starts, strict=True):
            value.add_incoming(start, before)

    def end(self, following: Sequence[Any]) -> Sequence[Any]:
        """Close the loop, given the values of the next turn; returns those of the last one."""
        builder = self._builder
        turn = builder.add(self._index, ir.Constant(INDEX, 1))
        self._index.add_incoming(turn, builder.block)
        for value, new in zip(self.values, following, strict=True):
            value.add_incoming(new, builder.block)
        builder.cbranch(builder.icmp_signed("<", turn, self._turns), self._body, self._after)
        builder.position_at_end(self._after)
        return following
