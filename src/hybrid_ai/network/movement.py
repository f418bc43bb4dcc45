"""Data movement: operations that only reorder, repeat or drop elements, or put constants beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import exact
from .call import Call, Row, positions
from .errors import TooLarge
from .forms import Constant, Forms, Indices, Shape, Value, as_forms, check_elements, folded, join, moved, take
from .limits import MAX_FOLDED_ELEMENTS
from .rounding import joined

Rearrange = Callable[[NDArray[Any]], NDArray[Any]]


def _pick(call: Call, parts: Sequence[Value], index: NDArray[Any]) -> tuple[Value, ...]:
    """Return the tensor of index's shape that picks from the elements of all parts laid end to end."""
    element = call.same_element(*parts)
    if all(isinstance(part, Constant) for part in parts):
        return (_picked([part for part in parts if isinstance(part, Constant)], element, index),)
    _check_not_empty(call, index)
    forms = [as_forms(part) for part in parts]
    joined = forms[0] if len(forms) == 1 else join(forms)
    return (take(joined, index),)


def _picked(parts: Sequence[Constant], element: str, index: NDArray[Any]) -> Constant:
    values = exact.concatenate([part.values.ravel() for part in parts])[index]
    simple = all(part.size is None for part in parts)
    size = None if simple else exact.concatenate([part.magnitude.ravel() for part in parts])[index]
    return folded(values, element, size, joined(*(part.cost for part in parts)))


def _check_not_empty(call: Call, index: Indices) -> None:
    if index.size == 0:
        raise call.where.unsupported("the result is an empty tensor")


def _moved(call: Call, value: Value, rearrange: Rearrange) -> Value:
    """Return the tensor whose elements the function moves, given as an array."""
    if isinstance(value, Constant):
        return moved(value, rearrange)
    index = rearrange(positions(value.shape))
    _check_not_empty(call, index)
    return take(value, index)


def _rearrange(call: Call, rearrange: Rearrange) -> tuple[Value, ...]:
    return (_moved(call, call.input(0), rearrange),)


def identity(call: Call) -> tuple[Value, ...]:
    """Return the input."""
    return (call.input(0),)


def dropout(call: Call) -> tuple[Value, ...]:
    """Return the input, as at inference."""
    if call.optional(2) is not None:
        raise call.where.unsupported("has training_mode", "export the model in evaluation mode")
    return (call.input(0),)


def reshape(call: Call) -> tuple[Value, ...]:
    """Give the tensor the shape of the second input, in which 0 copies a dimension and -1 is inferred."""
    value = call.input(0)
    wanted = call.shape_checked(call.required_numbers(1, "the shape"))
    keep_zero = bool(call.attributes.get("allowzero", 0))
    shape = list(wanted)
    if keep_zero and 0 in shape and -1 in shape:
        raise call.where.malformed(f"shape {shape} has both 0 and -1 with allowzero")
    for i, size in enumerate(shape):
        if size == 0 and not keep_zero:
            if i >= len(value.shape):
                raise call.mismatch(value.shape, wanted)
            shape[i] = value.shape[i]
    if shape.count(-1) > 1 or any(size < -1 for size in shape):
        raise call.where.malformed(f"shape {list(wanted)} is meaningless")
    count = math.prod(value.shape)
    if -1 in shape:
        known = math.prod(size for size in shape if size != -1)
        if known == 0 or count % known:
            raise call.mismatch(value.shape, wanted)
        shape[shape.index(-1)] = count // known
    if math.prod(shape) != count:
        raise call.mismatch(value.shape, wanted)
    return _rearrange(call, lambda index: index.reshape(shape))


def flatten(call: Call) -> tuple[Value, ...]:
    """Make the tensor a matrix, split before `axis`."""
    shape = call.input(0).shape
    axis, rank = call.attributes.get("axis", 1), len(shape)
    axis = rank if axis == rank else call.axis(axis, rank, negative_since=11) if rank else _zero(call, axis)
    rows = math.prod(shape[:axis])
    return _rearrange(call, lambda index: index.reshape(rows, math.prod(shape[axis:])))


def _zero(call: Call, axis: int) -> int:
    if axis != 0:
        raise call.where.malformed(f"axis {axis} of a tensor of rank 0")
    return 0


def transpose(call: Call) -> tuple[Value, ...]:
    """Permute the axes, reversed unless `perm` is given."""
    rank = len(call.input(0).shape)
    order = call.attributes.get("perm", tuple(reversed(range(rank))))
    if sorted(order) != list(range(rank)):
        raise call.where.malformed(f"perm {list(order)} is no permutation of {rank} axes")
    return _rearrange(call, lambda index: index.transpose(order))


def _listed_axes(call: Call) -> tuple[int, ...] | None:
    if call.opset < 13:
        return call.attributes.get("axes")
    return call.numbers(1, "axes")


def squeeze(call: Call) -> tuple[Value, ...]:
    """Drop axes of size 1, all of them unless axes are given."""
    shape = call.input(0).shape
    listed = _listed_axes(call)
    if listed is None:
        axes = tuple(i for i, size in enumerate(shape) if size == 1)
    elif len(listed) == 0:
        raise call.where.unsupported("has empty axes, which runtimes read in two ways")
    else:
        axes = call.axes(listed, len(shape), negative_since=11)
    if any(shape[axis] != 1 for axis in axes):
        raise call.where.malformed(f"squeezes axes {list(axes)} of shape {list(shape)}, not all of size 1")
    kept = [size for i, size in enumerate(shape) if i not in axes]
    return _rearrange(call, lambda index: index.reshape(kept))


def unsqueeze(call: Call) -> tuple[Value, ...]:
    """Insert axes of size 1, numbered as in the result."""
    shape = call.input(0).shape
    listed = _listed_axes(call) or ()  # the standard requires them; an empty list inserts nothing
    rank = len(shape) + len(listed)
    axes = call.axes(listed, rank, negative_since=11)
    rest = iter(shape)
    call.shape_checked((1,) * rank)
    result = tuple(1 if i in axes else next(rest) for i in range(rank))
    return _rearrange(call, lambda index: index.reshape(result))


def concat(call: Call) -> tuple[Value, ...]:
    """Join tensors along `axis`."""
    parts = [call.input(i) for i in range(len(call.inputs))]
    first = parts[0].shape
    axis = call.axis(call.attributes["axis"], len(first), negative_since=11)
    others = {part.shape[:axis] + part.shape[axis + 1 :] for part in parts}
    if len(others) != 1 or any(len(part.shape) != len(first) for part in parts):
        raise call.mismatch(*(part.shape for part in parts))
    indices, start = [], 0
    for part in parts:
        indices.append(positions(part.shape) + start)
        start += indices[-1].size
    return _pick(call, parts, np.concatenate(indices, axis=axis))


def slice_(call: Call) -> tuple[Value, ...]:
    """Take slices along axes; indices count from the end when negative and are clamped."""
    shape = call.input(0).shape
    if call.opset < 10:
        starts, ends = call.attributes["starts"], call.attributes["ends"]
        axes, steps = call.attributes.get("axes"), None
    else:
        starts, ends = call.required_numbers(1, "starts"), call.required_numbers(2, "ends")
        axes, steps = call.numbers(3, "axes"), call.numbers(4, "steps")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise call.where.malformed("starts, ends, axes and steps differ in length")
    if 0 in steps:
        raise call.where.malformed("a step is 0")
    chosen = [slice(None)] * len(shape)
    for axis, start, end, step in zip(
        call.axes(axes, len(shape), negative_since=10), starts, ends, steps, strict=True
    ):
        if step < 0 and start < -shape[axis]:
            raise call.where.unsupported("slices backwards from before the tensor")
        first, stop, step = slice(start, end, step).indices(shape[axis])
        chosen[axis] = slice(first, None if stop < 0 else stop, step)
    return _rearrange(call, lambda index: index[tuple(chosen)])


def pad(call: Call) -> tuple[Value, ...]:
    """Put a constant around the tensor."""
    mode = call.attributes.get("mode", b"constant")
    if mode != b"constant":
        raise call.where.unsupported(f"mode {mode.decode(errors='replace')!r}", "pad with a constant")
    value = call.input(0)
    fill: Value
    given = call.optional(2)
    if call.opset < 11:
        call.reals(value, "the input")
        pads = call.attributes["pads"]
        fill = Constant(np.array(call.attributes.get("value", 0.0)), value.element)
    else:
        pads = call.required_numbers(1, "pads")
        integral = isinstance(value, Constant) and not value.is_real
        zero = np.zeros((), np.int64 if integral else np.float64)
        fill = Constant(zero, value.element) if given is None else call.stored(given, "constant_value")
    if math.prod(fill.shape) != 1 or len(fill.shape) > 1:
        raise call.where.malformed("constant_value is no single number")
    before, after = _pads(call, pads, value.shape)
    sides = list(zip(before, value.shape, after, strict=True))
    if any(b < 0 or a < 0 for b, _, a in sides):
        raise call.where.unsupported(f"pads {list(pads)} are negative", "crop with Slice")
    shape = tuple(b + n + a for b, n, a in sides)
    _check_size(shape, value)
    index = np.full(shape, math.prod(value.shape), dtype=np.int64)
    index[tuple(slice(b, b + n) for b, n, _ in sides)] = positions(value.shape)
    return _pick(call, [value, fill], index)


def _pads(call: Call, pads: tuple[int, ...], shape: Shape) -> tuple[list[int], list[int]]:
    listed = call.numbers(3, "axes")
    axes = tuple(range(len(shape))) if listed is None else call.axes(listed, len(shape), negative_since=18)
    if len(pads) != 2 * len(axes):
        raise call.where.malformed(f"{len(pads)} pads for {len(axes)} axes")
    before, after = [0] * len(shape), [0] * len(shape)
    for i, axis in enumerate(axes):
        before[axis], after[axis] = pads[i], pads[i + len(axes)]
    return before, after


def _check_size(shape: Shape, value: Value) -> None:
    """Raise TooLarge for a result that is larger than the inputs and too large."""
    count = math.prod(max(size, 1) for size in shape)
    if isinstance(value, Forms):
        check_elements(count)
    elif count > MAX_FOLDED_ELEMENTS:
        raise TooLarge(f"a constant of {count} elements")


def gather(call: Call) -> tuple[Value, ...]:
    """Take slices by constant indices along `axis`."""
    value = call.input(0)
    chosen = call.constant(call.input(1), "the indices")
    axis = call.axis(call.attributes.get("axis", 0), len(value.shape), negative_since=11)
    size = value.shape[axis]
    if chosen.element not in ("int32", "int64"):
        raise call.where.malformed(f"the indices have element type {chosen.element}")
    lowest = -size if call.opset >= 11 else 0
    if np.any((chosen.values < lowest) | (chosen.values >= size)):
        raise call.where.malformed(f"an index is outside of axis {axis}, of size {size}")
    rest = value.shape[:axis] + value.shape[axis + 1 :]
    call.shape_checked(rest + chosen.shape)
    _check_size(rest + chosen.shape, value)
    return _rearrange(call, lambda index: np.take(index, chosen.values, axis=axis))


ROWS: Mapping[str, Row] = {
    "Concat": Row(concat, ("axis",)),
    "Dropout": Row(dropout, ("ratio", "seed"), "inference only"),
    "Flatten": Row(flatten, ("axis",)),
    "Gather": Row(gather, ("axis",), "constant indices"),
    "Identity": Row(identity),
    "Pad": Row(pad, ("mode", "pads", "value"), "constant mode, constant pads"),
    "Reshape": Row(reshape, ("allowzero",), "constant shape, or one computed from Shape"),
    "Slice": Row(slice_, ("axes", "ends", "starts"), "constant indices"),
    "Squeeze": Row(squeeze, ("axes",), "constant axes"),
    "Transpose": Row(transpose, ("perm",)),
    "Unsqueeze": Row(unsqueeze, ("axes",), "constant axes"),
}
