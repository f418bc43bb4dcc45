"""Rules of the operations that move elements, and of those that yield constants."""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from hybrid_ai.checker import tensors
from hybrid_ai.checker.float32 import constants
from hybrid_ai.checker.operation import Operation
from hybrid_ai.checker.rejected import Unsupported
from hybrid_ai.checker.tensors import Form, Tensor


def identity(op: Operation) -> Tensor:
    """Identity, and Dropout at inference."""
    return op.value(0)


def flatten(op: Operation) -> Tensor:
    """Flatten to a matrix."""
    value, axis = op.value(0), op.arguments["axis"]
    if axis != len(value.shape):
        (axis,) = op.axes([axis], len(value.shape))
    return replace(value, shape=(math.prod(value.shape[:axis]), math.prod(value.shape[axis:])))


def reshape(op: Operation) -> Tensor:
    """Reshape, with 0 (copy, unless allowzero) and one -1 (the rest)."""
    value, wanted, given = op.value(0), op.arguments["shape"], op.value(1)
    is_list = given.element == tensors.INT64 and len(given.shape) == 1
    op.refuse_if(not is_list, "the shape is no list of int64")
    tensors.check_rank(len(wanted), op.where)
    keeps_zero = op.arguments["allowzero"] != 0
    lacking = not keeps_zero and 0 in wanted[len(value.shape) :]
    op.refuse_if(lacking, f"shape {wanted} copies an axis that the tensor lacks")
    shape = [value.shape[axis] if size == 0 and not keeps_zero else size for axis, size in enumerate(wanted)]
    count, known = len(value.forms), math.prod(size for size in shape if size != -1)
    if -1 in shape and known > 0 and count % known == 0:
        shape[shape.index(-1)] = count // known
    fits = all(size >= 0 for size in shape) and math.prod(shape) == count
    op.refuse_if(not fits, f"{value.shape} does not reshape to {wanted}")
    return replace(value, shape=tuple(shape))


def transpose(op: Operation) -> Tensor:
    """Transpose; without perm the axes are reversed."""
    value, perm = op.value(0), op.arguments["perm"]
    axes = list(range(len(value.shape)))
    order = axes[::-1] if perm is None else perm
    op.refuse_if(sorted(order) != axes, f"perm {order} is no permutation of {len(axes)} axes")
    offsets = tensors.axis_offsets(value.shape)
    return tensors.arranged(value, [offsets[axis] for axis in order], op.where)


def squeeze(op: Operation) -> Tensor:
    """Squeeze: drop axes of size one."""
    value, listed = op.value(0), op.arguments["axes"]
    op.refuse_if(listed == [], "empty axes, which runtimes read in two ways", Unsupported)
    ones = [axis for axis, size in enumerate(value.shape) if size == 1]
    dropped = ones if listed is None else op.axes(listed, len(value.shape))
    op.refuse_if(not set(dropped) <= set(ones), f"axes {listed} of {value.shape} are not all of size 1")
    return replace(value, shape=tuple(size for axis, size in enumerate(value.shape) if axis not in dropped))


def unsqueeze(op: Operation) -> Tensor:
    """Unsqueeze: insert axes of size one."""
    value, axes = op.value(0), op.arguments["axes"]
    rank = len(value.shape) + len(axes)
    tensors.check_rank(rank, op.where)
    inserted = op.axes(axes, rank)
    sizes = iter(value.shape)
    return replace(value, shape=tuple(1 if axis in inserted else next(sizes) for axis in range(rank)))


def _joined(op: Operation, values: Sequence[Tensor], axis: int) -> Tensor:
    """The values one after the other along an axis, which counts from zero."""
    outlines = {(v.element, len(v.shape), v.shape[:axis], v.shape[axis + 1 :]) for v in values}
    op.refuse_if(len(outlines) != 1, f"{[v.shape for v in values]} do not join along axis {axis}")
    first = values[0].shape
    shape = (*first[:axis], sum(value.shape[axis] for value in values), *first[axis + 1 :])
    tensors.check_size(shape, all(value.constant for value in values), op.where)
    forms: list[Form] = []
    for row in range(math.prod(first[:axis])):
        for value in values:
            length = math.prod(value.shape[axis:])
            forms += value.forms[row * length : (row + 1) * length]
    return tensors.derived(values, shape, forms)


def concat(op: Operation) -> Tensor:
    """Concat along one axis."""
    values = [op.value(index) for index in range(len(op.input_names))]
    (axis,) = op.axes([op.arguments["axis"]], len(op.value(0).shape))
    return _joined(op, values, axis)


def slice_tensor(op: Operation) -> Tensor:
    """Slice: starts and ends beyond the tensor are clamped, negative ones count from the end."""
    value = op.value(0)
    starts, ends = op.arguments["starts"], op.arguments["ends"]
    listed, steps = op.arguments["axes"], op.arguments["steps"]
    axes = op.axes(list(range(len(starts))) if listed is None else listed, len(value.shape))
    jumps = [1] * len(starts) if steps is None else steps
    op.refuse_if(len({len(starts), len(ends), len(axes), len(jumps)}) != 1, "lists differ in length")
    offsets = tensors.axis_offsets(value.shape)
    for start, end, axis, jump in zip(starts, ends, axes, jumps, strict=True):
        # ONNX clamps a backward start before the tensor to the first element, Python to before it
        beyond = jump < 0 and start < -value.shape[axis]
        op.refuse_if(jump == 0 or beyond, "step 0, or backward slice from before the tensor", Unsupported)
        offsets[axis] = offsets[axis][start:end:jump]
    return tensors.arranged(value, offsets, op.where)


def pad(op: Operation) -> Tensor:
    """Pad with a constant: along each axis, blocks of it join the tensor on both sides."""
    value, amounts = op.value(0), op.arguments["pads"]
    op.refuse_if(op.arguments["mode"] != "constant", f"mode '{op.arguments['mode']}'", Unsupported)
    listed, rank = op.arguments["axes"], len(value.shape)
    axes = list(range(rank)) if listed is None else op.axes(listed, rank)
    wrong = len(amounts) != 2 * len(axes) or min(amounts, default=0) < 0
    op.refuse_if(wrong, f"pads {amounts}; two numbers per axis, none negative, are read", Unsupported)
    for axis, before, after in zip(axes, amounts[: len(axes)], amounts[len(axes) :], strict=True):
        total = before + value.shape[axis] + after
        tensors.check_size((*value.shape[:axis], total, *value.shape[axis + 1 :]), value.constant, op.where)
        sides = [_filled(value, axis, amount, op.arguments["value"]) for amount in (before, after)]
        value = _joined(op, [sides[0], value, sides[1]], axis)
    return value


def _filled(like: Tensor, axis: int, amount: int, fill: Fraction) -> Tensor:
    """A constant that continues a tensor along an axis."""
    shape = (*like.shape[:axis], amount, *like.shape[axis + 1 :])
    forms = (Form({}, fill),) * math.prod(shape)
    return Tensor(shape, like.element, forms, constant=True, cost=constants([fill]))


def gather(op: Operation) -> Tensor:
    """Gather with constant indices along one axis."""
    value, indices = op.value(0), op.value(1)
    integral = indices.constant and indices.element in tensors.INTEGER_TYPES
    op.refuse_if(not integral, "indices are no constant integers", Unsupported)
    (axis,) = op.axes([op.arguments["axis"]], len(value.shape))
    size = value.shape[axis]
    chosen = [int(form.constant) for form in indices.forms]
    op.refuse_if(not all(-size <= i < size for i in chosen), f"an index is outside an axis of size {size}")
    offsets = tensors.axis_offsets(value.shape)
    offsets[axis] = [offsets[axis][index] for index in chosen]
    shape = value.shape[:axis] + indices.shape + value.shape[axis + 1 :]
    return replace(tensors.arranged(value, offsets, op.where), shape=shape)


def shape_of(op: Operation) -> Tensor:
    """Shape, or the part of it from start to end."""
    part = op.value(0).shape[op.arguments["start"] : op.arguments["end"]]
    return tensors.constant((len(part),), tensors.INT64, part, op.where)


def constant_of(op: Operation) -> Tensor:
    """Constant in any of its numeric forms."""
    given = [(name, value) for name, value in op.arguments.items() if value is not None]
    op.refuse_if(len(given) != 1, "needs exactly one value")
    ((name, value),) = given
    if isinstance(value, Tensor):
        return value
    shape, numbers = ((len(value),), value) if isinstance(value, list) else ((), [value])
    element = tensors.FLOAT if name == "value_float" else tensors.INT64
    return tensors.constant(shape, element, numbers, op.where)
