"""Operations that move elements, called one by one: shapes and order of elements against numpy."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import pytest

from hybrid_ai.checker import movement_operations as movement
from hybrid_ai.checker import tensors
from hybrid_ai.checker.operation import Operation
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.checker.stages import StageBuilder
from hybrid_ai.checker.tensors import Form, Tensor, constant
from tests.checker.models import np

SHAPES: list[tuple[int, ...]] = [(1,), (3,), (2, 3), (1, 3), (3, 1), (2, 3, 4), (2, 1, 3), (1, 2, 1, 3)]


def apply(read: Any, size: tuple[int, ...], /, *others: Tensor, **arguments: Any) -> tuple[Tensor, Any]:
    """The result for an input of that shape; its elements: places in the input, or constants negated."""
    builder = StageBuilder([int(np.prod(size))])
    values = {"x": builder.group_tensor(0, size, 1)} | {f"v{i}": other for i, other in enumerate(others)}
    result = read(Operation("operation", tuple(values), arguments, values, builder))
    assert builder.stages == []
    places = []
    for form in result.forms:
        assert form == (form.terms, form.constant, None, None)
        if form.terms:
            (((group, place), value),) = form.terms.items()
            assert (group, value, form.constant) == (0, 1, 0)
        places.append(place if form.terms else -int(form.constant))
    return result, places


def assert_moved(found: tuple[Tensor, Any], expected: Any) -> None:
    result, places = found
    assert (result.shape, places) == (expected.shape, list(expected.ravel()))
    assert not result.constant and result.element == 1


def ids(shape: tuple[int, ...]) -> Any:
    return np.arange(int(np.prod(shape))).reshape(shape)


def integers(*numbers: int, shape: tuple[int, ...] | None = None) -> Tensor:
    return constant((len(numbers),) if shape is None else shape, tensors.INT64, numbers, "list")


# ---- one tensor


@pytest.mark.parametrize("shape", [(), *SHAPES])
def test_flatten(shape: tuple[int, ...]) -> None:
    rank = len(shape)
    for axis in range(-rank, rank + 1):
        rows = int(np.prod(shape[:axis])) if axis != rank else int(np.prod(shape))
        assert_moved(apply(movement.flatten, shape, axis=axis), ids(shape).reshape(rows, -1))
    for axis in (-rank - 1, rank + 1):
        with pytest.raises(Malformed, match="outside"):
            apply(movement.flatten, shape, axis=axis)


@pytest.mark.parametrize(
    ("shape", "wanted", "expected"),
    [
        ((2, 3), [3, 2], (3, 2)),
        ((2, 3), [6], (6,)),
        ((2, 3), [-1], (6,)),
        ((2, 3), [-1, 2], (3, 2)),
        ((2, 3), [0, -1], (2, 3)),
        ((2, 3), [0, 3], (2, 3)),
        ((2, 3), [2, 0], (2, 3)),
        ((2, 3), [0, 0], (2, 3)),
        ((2, 3), [-1, 0], (2, 3)),
        ((2, 3), [1, 0, -1], (1, 3, 2)),
        ((2, 3), [0, 0, 1], (2, 3, 1)),
        ((2, 3), [6, 1, -1], (6, 1, 1)),
        ((2, 3, 4), [0, 0, 2, -1], (2, 3, 2, 2)),
        ((2, 3, 4), [-1, 0], (8, 3)),
        ((1,), [], ()),
        ((), [1, -1], (1, 1)),
        ((1,), [1] * 16, (1,) * 16),
    ],
)
def test_reshape(shape: tuple[int, ...], wanted: list[int], expected: tuple[int, ...]) -> None:
    found = apply(movement.reshape, shape, integers(*wanted), shape=wanted, allowzero=0)
    assert_moved(found, ids(shape).reshape(expected))
    if 0 not in wanted:
        found = apply(movement.reshape, shape, integers(*wanted), shape=wanted, allowzero=1)
        assert_moved(found, ids(shape).reshape(expected))


@pytest.mark.parametrize(
    ("shape", "wanted", "phrase"),
    [
        ((2, 3), [3, 0], "does not reshape"),
        ((2, 3), [2, 3, 0], "copies an axis that the tensor lacks"),
        ((2, 3), [0, 3, 0], "copies an axis that the tensor lacks"),
        ((2, 3), [4, -1], "does not reshape"),
        ((2, 3), [-1, 5], "does not reshape"),
        ((2, 3), [-1, -1], "does not reshape"),
        ((2, 3), [-1, -1, -1], "does not reshape"),
        ((2, 3), [-2, -3], "does not reshape"),
        ((2, 3), [-2, -3, 1], "does not reshape"),
        ((2, 3), [-2, -1], "does not reshape"),
        ((2, 3), [-2, 3, -1], "does not reshape"),
        ((2, 3), [2, 2], "does not reshape"),
        ((2, 3), [], "does not reshape"),
        ((1,), [1] * 17, "a shape of 17 axes"),
    ],
)
def test_reshape_is_refused(shape: tuple[int, ...], wanted: list[int], phrase: str) -> None:
    with pytest.raises(Rejected, match=phrase):
        apply(movement.reshape, shape, integers(*wanted), shape=wanted, allowzero=0)


def test_reshape_with_zeros_that_count() -> None:
    for wanted in ([0], [0, -1], [-1, 0], [0, 3], [2, 0], [2, 3, 0]):
        with pytest.raises(Malformed, match="does not reshape"):
            apply(movement.reshape, (2, 3), integers(*wanted), shape=wanted, allowzero=1)
    empty, values = integers(), {"x": integers()}
    for wanted, allowzero, expected in (
        ([0], 0, (0,)),
        ([0], 1, (0,)),
        ([-1], 0, (0,)),
        ([-1], 1, (0,)),
        ([5, 0], 1, (5, 0)),
    ):
        values["v"] = integers(*wanted)
        arguments = {"shape": wanted, "allowzero": allowzero}
        found = movement.reshape(Operation("here", ("x", "v"), arguments, values, StageBuilder([1])))
        assert (found.shape, found.forms) == (expected, empty.forms)


@pytest.mark.parametrize("shape", [(), *SHAPES])
def test_transpose(shape: tuple[int, ...]) -> None:
    for order in itertools.permutations(range(len(shape))):
        assert_moved(apply(movement.transpose, shape, perm=list(order)), np.transpose(ids(shape), order))
    assert_moved(apply(movement.transpose, shape, perm=None), np.transpose(ids(shape)))
    for order in ((*range(len(shape)), 0), (0,) * (len(shape) + 2), (-1,) * max(len(shape), 1)):
        with pytest.raises(Malformed, match="no permutation"):
            apply(movement.transpose, shape, perm=list(order))


@pytest.mark.parametrize("shape", [(), *SHAPES])
def test_squeeze(shape: tuple[int, ...]) -> None:
    rank = len(shape)
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    assert_moved(apply(movement.squeeze, shape, axes=None), np.squeeze(ids(shape)))
    for count in range(1, len(ones) + 1):
        for axes in itertools.combinations(ones, count):
            expected = np.squeeze(ids(shape), axes)
            assert_moved(apply(movement.squeeze, shape, axes=list(axes)), expected)
            assert_moved(apply(movement.squeeze, shape, axes=[axis - rank for axis in axes]), expected)
    for axis in set(range(rank)) - set(ones):
        for wrong in ([axis], [*ones, axis], [axis - rank]):
            with pytest.raises(Malformed, match="not all of size 1"):
                apply(movement.squeeze, shape, axes=wrong)
    with pytest.raises(Unsupported, match="empty axes"):
        apply(movement.squeeze, shape, axes=[])


@pytest.mark.parametrize("shape", [(), *SHAPES])
def test_unsqueeze(shape: tuple[int, ...]) -> None:
    for count in (1, 2):
        rank = len(shape) + count
        for axes in itertools.permutations(range(rank), count):
            expected = np.expand_dims(ids(shape), axes)
            assert_moved(apply(movement.unsqueeze, shape, axes=list(axes)), expected)
            assert_moved(apply(movement.unsqueeze, shape, axes=[axis - rank for axis in axes]), expected)
        for axis in (rank, -rank - 1):
            with pytest.raises(Malformed, match="outside"):
                apply(movement.unsqueeze, shape, axes=[axis, *range(count - 1)])
    with pytest.raises(Unsupported, match="a shape of 17 axes"):
        apply(movement.unsqueeze, shape, axes=list(range(17 - len(shape))))


@pytest.mark.parametrize("shape", [(5,), (2, 5), (5, 2), (3, 1, 4)])
def test_slice(shape: tuple[int, ...]) -> None:
    ends = [-7, -6, -5, -2, -1, 0, 1, 2, 4, 5, 6, 2**62]
    for axis in range(len(shape)):
        for start, end, step in itertools.product(ends, ends, (1, 2, -1, -3)):
            expected = ids(shape)[(*[slice(None)] * axis, slice(start, end, step))]
            lists = {"starts": [start], "ends": [end], "axes": [axis - len(shape)], "steps": [step]}
            if expected.size == 0 or (step < 0 and start < -shape[axis]):
                with pytest.raises(Unsupported):
                    apply(movement.slice_tensor, shape, **lists)
            else:
                assert_moved(apply(movement.slice_tensor, shape, **lists), expected)
                assert_moved(apply(movement.slice_tensor, shape, **lists | {"axes": [axis]}), expected)


def test_slices_of_several_axes() -> None:
    shape = (4, 3, 5)
    whole = {"starts": [1, 0, 2], "ends": [4, 2, 5], "axes": None, "steps": None}
    assert_moved(apply(movement.slice_tensor, shape, **whole), ids(shape)[1:4, 0:2, 2:5])
    two = {"starts": [4, 1], "ends": [0, 4], "axes": [-1, 0], "steps": [-2, 2]}
    assert_moved(apply(movement.slice_tensor, shape, **two), ids(shape)[1:4:2, :, 4:0:-2])
    first = {"starts": [1], "ends": [3], "axes": None, "steps": None}
    assert_moved(apply(movement.slice_tensor, shape, **first), ids(shape)[1:3])
    for name, value in (("starts", [0]), ("ends", [1, 2, 3]), ("axes", [0]), ("steps", [1]), ("starts", [])):
        with pytest.raises(Malformed, match="lists differ in length"):
            apply(movement.slice_tensor, shape, **two | {name: value})
    for changed in ({"steps": [0, 1]}, {"starts": [-6, 1]}):
        with pytest.raises(Unsupported, match="step 0, or backward slice"):
            apply(movement.slice_tensor, shape, **two | changed)


@pytest.mark.parametrize(
    ("shape", "pads", "axes"),
    [
        ((3,), [1, 2], None),
        ((3,), [0, 0], None),
        ((2, 3), [1, 0, 0, 2], None),
        ((2, 3), [0, 3, 1, 0], None),
        ((2, 3), [3, 1], [1]),
        ((2, 3), [3, 1], [-2]),
        ((2, 3, 2), [1, 2, 3, 4], [2, 0]),
        ((2, 1, 3), [1, 1, 1, 2, 2, 2], None),
    ],
)
def test_pad(shape: tuple[int, ...], pads: list[int], axes: list[int] | None) -> None:
    named = list(range(len(shape))) if axes is None else axes
    widths = [(0, 0)] * len(shape)
    for index, axis in enumerate(named):
        widths[axis] = (pads[index], pads[index + len(named)])
    for fill in (0, 9):
        found = apply(movement.pad, shape, pads=pads, axes=axes, mode="constant", value=Fraction(fill))
        assert_moved(found, np.pad(ids(shape), widths, constant_values=-fill))


def test_nothing_padded() -> None:
    arguments: dict[str, Any] = {"mode": "constant", "value": Fraction(9)}
    assert_moved(apply(movement.pad, (), **arguments, axes=None, pads=[]), ids(()))
    assert_moved(apply(movement.pad, (2, 3), **arguments, axes=[], pads=[]), ids((2, 3)))


def test_a_padded_constant_is_constant() -> None:
    arguments = {"axes": None, "mode": "constant", "value": Fraction(9), "pads": [1, 2]}
    operation = Operation("here", ("a",), arguments, {"a": integers(4, 5)}, StageBuilder([1]))
    found = movement.pad(operation)
    assert found.constant and [form.constant for form in found.forms] == [9, 4, 5, 9, 9]


def test_pads_that_are_refused() -> None:
    arguments: dict[str, Any] = {"axes": None, "mode": "constant", "value": Fraction(0)}
    for pads in ([1], [1, 1, 1], [], [0, 0, 0, 0, 0, 0], [0, 0, 0, -1], [-1, 5, 5, 5]):
        with pytest.raises(Unsupported, match="two numbers per axis, none negative"):
            apply(movement.pad, (2, 3), **arguments, pads=pads)
    for mode in ("reflect", "edge", "wrap"):
        with pytest.raises(Unsupported, match=f"mode '{mode}'"):
            apply(movement.pad, (2, 3), **arguments | {"mode": mode}, pads=[0, 0, 0, 0])


def test_pads_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = movement._filled

    def nothing(like: Tensor, axis: int, amount: int, fill: Fraction) -> Tensor:
        assert amount == 0, "a side was made"
        return made(like, axis, amount, fill)

    monkeypatch.setattr(movement, "_filled", nothing)
    arguments: dict[str, Any] = {"axes": None, "mode": "constant", "value": Fraction(0)}
    for pads in (
        [0, 10**12, 0, 0],
        [0, 0, 0, 10**12],
        [0, 49_998, 0, 0],
        [0, 24_999, 0, 24_999],
        [10**12, 0, 0, 0],
    ):
        with pytest.raises(Unsupported, match="1 to 100000 elements"):
            apply(movement.pad, (2, 3), **arguments, pads=pads)
    for shape, pads in (((1, 300), [399, 0, 0, 0]), ((300, 1), [0, 399, 0, 0])):
        with pytest.raises(Unsupported, match="1 to 100000 elements"):
            apply(movement.pad, shape, **arguments, pads=pads)


@pytest.mark.parametrize("shape", [(4,), (2, 4), (4, 2), (2, 4, 3)])
def test_gather(shape: tuple[int, ...]) -> None:
    for axis, (numbers, outline) in itertools.product(
        range(-len(shape), len(shape)),
        [((1,), ()), ((0,), (1,)), ((-1, 0), (2,)), ((1, 0, -2, 1), (2, 2)), ((0, 1, 0), (1, 3))],
    ):
        indices = integers(*numbers, shape=outline)
        expected = np.take(ids(shape), np.reshape(numbers, outline), axis)
        assert_moved(apply(movement.gather, shape, indices, axis=axis), expected)
    for axis in range(len(shape)):
        size = shape[axis]
        for number in (size, -size - 1):
            for numbers in ((number,), (0, number), (number, 0)):
                with pytest.raises(Malformed, match=f"outside an axis of size {size}"):
                    apply(movement.gather, shape, integers(*numbers), axis=axis)


def test_indices_are_constant_integers() -> None:
    reals = Tensor((1,), tensors.FLOAT, (Form({}, Fraction(1)),), constant=True)
    unknown = Tensor((1,), tensors.INT64, (Form({}, Fraction(1)),))
    for indices in (reals, unknown):
        with pytest.raises(Unsupported, match="no constant integers"):
            apply(movement.gather, (2, 3), indices, axis=0)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, None, [2, 3, 4]), (1, None, [3, 4]), (-1, None, [4]), (0, 2, [2, 3]), (0, -1, [2, 3]), (1, 2, [3])],
)
def test_shape_of(start: int, end: int | None, expected: list[int]) -> None:
    result, places = apply(movement.shape_of, (2, 3, 4), start=start, end=end)
    assert (result.shape, result.element, result.constant) == ((len(expected),), tensors.INT64, True)
    assert places == [-number for number in expected]


def test_the_shape_of_the_first_input() -> None:
    values, arguments = {"x": integers(1, 2, 3)}, {"start": 0, "end": None}
    for names in (("x",), ("x", ""), ("x", "y")):
        found = movement.shape_of(Operation("here", names, arguments, values, StageBuilder([1])))
        assert [form.constant for form in found.forms] == [3]
    missing: list[tuple[str, ...]] = [(), ("",), ("", "x")]
    for inputs in missing:
        with pytest.raises(Malformed, match="input 0 is missing"):
            movement.shape_of(Operation("here", inputs, arguments, values, StageBuilder([1])))


# ---- several tensors


@pytest.mark.parametrize(
    ("shape", "axis"), [((3,), 0), ((2, 3), 0), ((2, 3), 1), ((2, 1, 3), 1), ((2, 3, 4), 1), ((2, 3, 4), 2)]
)
def test_concat(shape: tuple[int, ...], axis: int) -> None:
    wider = (*shape[:axis], shape[axis] + 2, *shape[axis + 1 :])
    other = constant(wider, 1, [float(i) for i in range(1, int(np.prod(wider)) + 1)], "other")
    numbers = -(ids(wider) + 1)
    for number in (axis, axis - len(shape)):
        assert_moved(apply(movement.concat, shape, axis=number), ids(shape))
        found = apply(movement.concat, shape, other, axis=number)
        assert_moved(found, np.concatenate([ids(shape), numbers], axis))
        found = apply(movement.concat, shape, other, other, axis=number)
        assert_moved(found, np.concatenate([ids(shape), numbers, numbers], axis))


@pytest.mark.parametrize(
    ("shape", "other", "axis"),
    [
        ((2, 3), (2, 3, 1), 0),
        ((2, 3), (3, 3), 1),
        ((2, 3), (2, 4), 0),
        ((2, 3), (3,), 0),
        ((2, 3, 4), (1, 3, 5), 0),
    ],
)
def test_concat_is_refused(shape: tuple[int, ...], other: tuple[int, ...], axis: int) -> None:
    tensor = constant(other, 1, [1.0] * int(np.prod(other)), "other")
    with pytest.raises(Malformed, match=f"do not join along axis {axis}"):
        apply(movement.concat, shape, tensor, axis=axis)
    same = constant(shape, tensors.DOUBLE, [1.0] * int(np.prod(shape)), "other")
    with pytest.raises(Malformed, match="do not join"):
        apply(movement.concat, shape, same, axis=axis)


def test_constants_joined_are_constant() -> None:
    values = {"a": integers(1, 2), "b": integers(3)}
    found = movement.concat(Operation("here", ("a", "b"), {"axis": 0}, values, StageBuilder([1])))
    assert found.constant and [form.constant for form in found.forms] == [1, 2, 3]
    large = constant((100_000,), 1, [1.0] * 100_000, "large")
    found = movement.concat(Operation("here", ("a", "a"), {"axis": 0}, {"a": large}, StageBuilder([1])))
    assert found.constant and found.shape == (200_000,)
    with pytest.raises(Unsupported, match="depends on the input of shape"):
        apply(movement.concat, (1,), large, axis=0)
