"""Every operation at the opsets where its signature changes, and with one input too many."""

from __future__ import annotations

import gzip
from fractions import Fraction
from typing import Any, NamedTuple

import pytest

from hybrid_ai.checker import onnx_reader, property_form, tensors
from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.property_form import Atom, Connective
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.checker.stages import Network, evaluate
from tests.checker.models import f32, helper, i64, model, node, np, numpy_helper

X = [Fraction(-3), Fraction(-1, 2), Fraction(2), Fraction(7)]
CONSTANTS: dict[str, Any] = {
    "c": f32(2),
    "one": np.float32(1),
    "five": np.float32(5),
    "w": np.eye(4, dtype=np.float32),
    "i": i64(3, 0),
    "shape": i64(2, -1),
    "pads": i64(1, 2),
    "all_pads": i64(0, 1, 0, 2),
    "n0": i64(0),
    "n1": i64(1),
    "n2": i64(2),
    "n4": i64(4),
}


def read(kind: str, opset: int, inputs: str, **attributes: Any) -> Network:
    """A network of one operation on x of shape (1, 4); unused constants are left out."""
    constants = {name: value for name, value in CONSTANTS.items() if name in inputs.split()}
    return read_model(model([node(kind, inputs, **attributes)], [1, 4], constants, opset=opset))


def answer(kind: str, opset: int, inputs: str, **attributes: Any) -> list[Fraction]:
    return evaluate(read(kind, opset, inputs, **attributes), X)


# ---- where an argument is an attribute, and where an input


class Change(NamedTuple):
    """An operation whose arguments were attributes before opset `since`, and are inputs from there on."""

    kind: str
    since: int
    inputs: str
    attributes: dict[str, Any]
    result: list[Any]


CHANGES = {
    "Clip": Change("Clip", 11, "x one five", {"min": 1.0, "max": 5.0}, [1, 1, 2, 5]),
    "Clip from below": Change("Clip", 11, "x one", {"min": 1.0}, [1, 1, 2, 7]),
    "Clip from above": Change("Clip", 11, "x _ five", {"max": 5.0}, [-3, "-1/2", 2, 5]),
    "Dropout": Change("Dropout", 12, "x one", {"ratio": 1.0}, [-3, "-1/2", 2, 7]),
    "Pad": Change(
        "Pad", 11, "x all_pads", {"pads": [0, 1, 0, 2], "mode": "constant"}, [0, -3, "-1/2", 2, 7, 0, 0]
    ),
    "Pad with a value": Change(
        "Pad", 11, "x all_pads five", {"pads": [0, 1, 0, 2], "value": 5.0}, [5, -3, "-1/2", 2, 7, 5, 5]
    ),
    "Slice": Change("Slice", 10, "x n2 n4 n1", {"starts": [2], "ends": [4], "axes": [1]}, [2, 7]),
    "Slice of the first axis": Change(
        "Slice", 10, "x n0 n4", {"starts": [0], "ends": [4]}, [-3, "-1/2", 2, 7]
    ),
    "Squeeze": Change("Squeeze", 13, "x n0", {"axes": [0]}, [-3, "-1/2", 2, 7]),
    "Unsqueeze": Change("Unsqueeze", 13, "x n2", {"axes": [2]}, [-3, "-1/2", 2, 7]),
}
OLDEST, NEWEST = 8, 28


@pytest.mark.parametrize("name", CHANGES)
def test_attributes_become_inputs(name: str) -> None:
    kind, since, inputs, attributes, result = CHANGES[name]
    expected = [Fraction(number) for number in result]
    for opset in (OLDEST, since - 1):
        assert answer(kind, opset, "x", **attributes) == expected
        with pytest.raises(Rejected, match=rf"(too many in opset {opset}|is missing)"):
            read(kind, opset, inputs)
        with pytest.raises(Malformed, match=rf"too many in opset {opset}"):
            read(kind, opset, inputs, **attributes)
    for opset in (since, NEWEST):
        assert answer(kind, opset, inputs) == expected
        with pytest.raises(Rejected, match=rf"(in opset {opset}|is missing)"):
            read(kind, opset, "x", **{name: attributes[name] for name in attributes if name != "mode"})
        with pytest.raises(Unsupported, match=rf"in opset {opset}"):
            read(kind, opset, inputs, **{name: attributes[name] for name in attributes if name != "mode"})


@pytest.mark.parametrize(
    ("kind", "since", "inputs", "before"),
    [
        ("Pad", 18, "x pads five n1", "x all_pads five"),
        ("Slice", 10, "x n0 n4 n1 n2", None),
    ],
)
def test_inputs_that_came_late(kind: str, since: int, inputs: str, before: str | None) -> None:
    attributes = {"starts": [0], "ends": [4], "axes": [1]} if kind == "Slice" else {}
    expected = [Fraction(-3), Fraction(2)] if kind == "Slice" else [Fraction(5), *X, Fraction(5), Fraction(5)]
    for opset in (since, NEWEST):
        assert answer(kind, opset, inputs) == expected
    with pytest.raises(Malformed, match=rf"too many in opset {since - 1}"):
        read(kind, since - 1, inputs, **attributes)
    if kind == "Slice":
        with pytest.raises(Malformed, match=r"inputs \['n2'\] are too many in opset 9"):
            read(kind, 9, "x _ _ _ n2", **attributes)
    for opset in (since - 1, since):  # neither opset has such an attribute
        with pytest.raises(Unsupported, match=rf"in opset {opset}"):
            name = "steps" if kind == "Slice" else "axes"
            own = attributes if opset < since else {}
            given = "x" if own else "x n0 n4" if kind == "Slice" else str(before)
            read(kind, opset, given, **own, **{name: [1]})


# attribute -> operation, first opset, value, value of its default
LATE: dict[str, tuple[str, str, int, Any]] = {
    "seed": ("Dropout", "x", 12, 7),
    "allowzero": ("Reshape", "x shape", 14, 0),
}


@pytest.mark.parametrize("name", LATE)
def test_attributes_that_came_late(name: str) -> None:
    kind, inputs, since, value = LATE[name]
    for opset in (since, NEWEST):
        assert answer(kind, opset, inputs, **{name: value}) == X
    with pytest.raises(Unsupported, match=rf"'{name}'.* in opset {since - 1}"):
        read(kind, since - 1, inputs, **{name: value})


def of_constant(opset: int, first: Any, kind: str) -> list[Fraction]:
    """x times what an operation without tensor yields, as float32."""
    second = [node("Cast", "k", "f", to=1), node("Mul", "x f")]
    return evaluate(read_model(model([first, *second], [1, 4], opset=opset)), X)


@pytest.mark.parametrize(
    ("name", "value", "factors"),
    [
        ("value_float", 0.5, ["1/2"] * 4),
        ("value_int", 3, [3] * 4),
        ("value_ints", [2, 0, 1, 3], [2, 0, 1, 3]),
    ],
)
def test_numbers_of_constants_came_late(name: str, value: Any, factors: list[Any]) -> None:
    first = helper.make_node("Constant", [], ["k"], **{name: value})
    expected = [x * Fraction(factor) for x, factor in zip(X, factors, strict=True)]
    for opset in (12, NEWEST):
        assert of_constant(opset, first, name) == expected
    with pytest.raises(Unsupported, match="in opset 11"):
        of_constant(11, first, name)
    tensor = helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(f32(3)))
    for opset in (OLDEST, NEWEST):
        assert of_constant(opset, tensor, "value") == [3 * x for x in X]


@pytest.mark.parametrize(
    ("limits", "factors"),
    [({"start": 1}, [4]), ({"end": 1}, [1]), ({"start": -1}, [4]), ({"start": 0, "end": 2}, [1, 4, 1, 4])],
)
def test_limits_of_shape_came_late(limits: dict[str, int], factors: list[int]) -> None:
    first = [node("Shape", "x", "s", **limits), node("Cast", "s", "f", to=1)]
    if len(factors) == 1:
        nodes = [*first, node("Mul", "x f")]
    else:
        nodes = [*first, node("Concat", "f f", "g", axis=0), node("Mul", "x g")]
    expected = [x * factor for x, factor in zip(X, factors * (4 // len(factors)), strict=True)]
    for opset in (15, NEWEST):
        assert evaluate(read_model(model(nodes, [1, 4], opset=opset)), X) == expected
    with pytest.raises(Unsupported, match="in opset 14"):
        read_model(model(nodes, [1, 4], opset=14))


# ---- one input too many

# (operation, opset) -> all inputs it takes, attributes
TAKES: dict[tuple[str, int], tuple[str, dict[str, Any]]] = {
    ("Add", 13): ("x c", {}),
    ("Cast", 13): ("x", {"to": 1}),
    ("Clip", 10): ("x", {}),
    ("Clip", 13): ("x one five", {}),
    ("Div", 13): ("x c", {}),
    ("Dropout", 10): ("x", {}),
    ("Dropout", 13): ("x one", {}),
    ("Flatten", 13): ("x", {}),
    ("Gather", 13): ("x i", {"axis": 1}),
    ("Gemm", 13): ("x w c", {}),
    ("Identity", 13): ("x", {}),
    ("LeakyRelu", 13): ("x", {}),
    ("MatMul", 13): ("x w", {}),
    ("Mul", 13): ("x c", {}),
    ("Pad", 10): ("x", {"pads": [0, 1, 0, 2]}),
    ("Pad", 17): ("x all_pads five", {}),
    ("Pad", 18): ("x pads five n1", {}),
    ("Relu", 13): ("x", {}),
    ("Reshape", 13): ("x shape", {}),
    ("Slice", 9): ("x", {"starts": [0], "ends": [4]}),
    ("Slice", 13): ("x n0 n4 n1 n1", {}),
    ("Squeeze", 12): ("x", {"axes": [0]}),
    ("Squeeze", 13): ("x n0", {}),
    ("Sub", 13): ("x c", {}),
    ("Transpose", 13): ("x", {}),
    ("Unsqueeze", 12): ("x", {"axes": [0]}),
    ("Unsqueeze", 13): ("x n0", {}),
}


@pytest.mark.parametrize(("kind", "opset"), TAKES)
def test_inputs_are_counted(kind: str, opset: int) -> None:
    inputs, attributes = TAKES[kind, opset]
    assert read(kind, opset, inputs, **attributes).n_inputs == 4
    assert read(kind, opset, f"{inputs} _", **attributes) == read(kind, opset, inputs, **attributes)
    for last in ("c", "n0", "x", "_ c"):
        with pytest.raises(Malformed, match=rf"inputs \['{last[-2:].strip('_ ')}'\] are too many"):
            read(kind, opset, f"{inputs} {last}", **attributes)


def test_operations_without_tensors_take_none() -> None:
    first = helper.make_node("Constant", ["x"], ["k"], value=numpy_helper.from_array(f32(3)))
    with pytest.raises(Malformed, match=r"inputs \['x'\] are too many"):
        of_constant(13, first, "value")
    shape = [node("Shape", "x x", "s"), node("Cast", "s", "f", to=1), node("Add", "x x")]
    assert read_model(model(shape, [1, 4])).n_inputs == 4  # nothing depends on it
    with pytest.raises(Malformed, match=r"inputs \['x'\] are too many"):
        read_model(
            model([*shape[:2], node("Gather", "f n1", "g"), node("Mul", "x g")], [1, 4], {"n1": i64(1)})
        )


def test_the_longest_concatenation() -> None:
    names = " ".join(["x"] * 10_000)
    assert len(read_model(model([node("Concat", names, axis=0)], [1, 1])).stages[0].bias) == 10_000
    with pytest.raises(Malformed, match=r"inputs \['x'\] are too many"):
        read_model(model([node("Concat", f"{names} x", axis=0)], [1, 1]))


# ---- defaults and limits


def test_defaults() -> None:
    assert answer("LeakyRelu", 13, "x") == [x if x > 0 else x * Fraction(float(np.float32(0.01))) for x in X]
    nodes = [node("Reshape", "x s", "r"), node("Flatten", "r", "f"), node("MatMul", "f w")]
    flat = model(nodes, [1, 4], {"s": i64(2, 1, 2), "w": np.float32([[1], [1]])})
    assert evaluate(read_model(flat), X) == [X[0] + X[1], X[2] + X[3]]
    rows = read_model(
        model([node("Reshape", "x s", "r"), node("Gather", "r i")], [1, 4], {"s": i64(2, 2), "i": i64(1)})
    )
    assert evaluate(rows, X) == X[2:]


def test_the_largest_model(monkeypatch: pytest.MonkeyPatch) -> None:
    assert onnx_reader.LARGEST_MODEL == 2**30
    content = model([node("Relu", "x")], [1, 4])
    monkeypatch.setattr(onnx_reader, "LARGEST_MODEL", len(content) + 1)
    assert read_model(gzip.compress(content)) == read_model(content)
    monkeypatch.setattr(onnx_reader, "LARGEST_MODEL", len(content))
    with pytest.raises(Unsupported, match=f"unpacks to {len(content)} bytes or more"):
        read_model(gzip.compress(content))


@pytest.mark.parametrize(("constant", "largest"), [(True, 2_000_000), (False, 100_000)])
def test_the_largest_tensors(constant: bool, largest: int) -> None:
    tensors.check_size((largest,), constant, "here")
    tensors.check_size((2, largest // 2), constant, "here")
    for shape in ((largest + 1,), (2, largest // 2 + 1), (largest, 2)):
        with pytest.raises(Unsupported, match=f"1 to {largest} elements"):
            tensors.check_size(shape, constant, "here")


def test_the_longest_shape_and_number() -> None:
    tensors.check_size((1,) * 16, False, "here")
    with pytest.raises(Unsupported, match="a shape of 17 axes; 16 are read"):
        tensors.check_size((1,) * 17, False, "here")
    last = Fraction(2**4096 - 1)
    one = tensors.Form({}, Fraction(1))
    for number in (last, -last, 1 / last):
        assert tensors.weighted_sum([one], [number], "here").constant == number
    for number in (last + 1, -last - 1, 1 / (last + 1), -1 / (last + 1)):
        with pytest.raises(Unsupported, match="a number of more than 4096 bits"):
            tensors.weighted_sum([one], [number], "here")


@pytest.mark.parametrize(
    "shape",
    [(-1,), (-1, -1), (-1, -2), (-1, 2), (2, -1), (-3,), (0, 3), (3, 0), (0, 0), (0, -1), (-1, -1, 1)],
)
def test_shapes_of_no_tensor(shape: tuple[int, ...]) -> None:
    for constant in (True, False):
        with pytest.raises(Unsupported, match="elements"):
            tensors.check_size(shape, constant, "here")
    count = abs(int(np.prod(shape)))

    def change(message: Any) -> None:
        message.graph.initializer[0].dims[:] = shape

    with pytest.raises(Unsupported, match="elements"):
        read_model(model([node("Add", "x c")], [1, 1], {"c": np.ones(count, "f4")}, change=change))


def test_the_empty_list_is_a_constant_alone() -> None:
    tensors.check_size((0,), True, "here")
    with pytest.raises(Unsupported, match="depends on the input of shape"):
        tensors.check_size((0,), False, "here")


@pytest.mark.parametrize(("element", "bits"), [(tensors.INT32, 31), (tensors.INT64, 63)])
def test_integers_have_a_range(element: int, bits: int) -> None:
    for number in (2**bits - 1, -(2**bits)):
        assert tensors.constant((1,), element, [number], "here").forms[0].constant == number
    for numbers in ([2**bits], [-(2**bits) - 1], [0, 2**bits], [2**bits, 0]):
        with pytest.raises(Malformed, match="outside the range of int"):
            tensors.constant((len(numbers),), element, numbers, "here")


# ---- disjunctive forms

ATOM = Atom(((0, Fraction(1)),), (), Fraction(0), False)
Steps = tuple[Atom | Connective, ...]


def joined(conjunction: bool, *parts: Steps) -> Steps:
    """The parts in postfix order, then their connective."""
    return (*(step for part in parts for step in part), Connective(conjunction, len(parts)))


def either(count: int) -> Steps:
    return joined(False, *([(ATOM,)] * count))


def both(count: int) -> Steps:
    return joined(True, *([(ATOM,)] * count))


# formula -> conjuncts at most, over all steps; atoms written over all steps
FORMULAS: dict[str, tuple[Steps, int, int]] = {
    "one atom": ((ATOM,), 1, 0),
    "conjunction": (both(5), 1, 5),
    "disjunction": (either(7), 7, 7),
    "product": (joined(True, either(2), either(3)), 6, 5 + 12),
    "sum of products": (
        joined(False, joined(True, either(2), either(2)), (ATOM,), (ATOM,)),
        6,
        4 + 8 + 8 + 2,
    ),
    "long conjuncts": (joined(False, both(3), (ATOM,)), 2, 3 + 4),
    "product of long conjuncts": (joined(True, joined(False, both(3), (ATOM,)), either(2)), 4, 7 + 2 + 8 + 4),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_disjunctive_forms_are_limited(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (property_form.MOST_CONJUNCTS, property_form.MOST_ATOMS_WRITTEN) == (100_000, 60_000_000)
    formula, conjuncts, written = FORMULAS[name]
    monkeypatch.setattr(property_form, "MOST_CONJUNCTS", conjuncts)
    monkeypatch.setattr(property_form, "MOST_ATOMS_WRITTEN", written)
    assert len(property_form._conjuncts(formula)) == conjuncts
    if len(formula) > 1:
        monkeypatch.setattr(property_form, "MOST_ATOMS_WRITTEN", written - 1)
        with pytest.raises(Unsupported, match=f"more than {conjuncts} conjuncts or {written - 1} atoms"):
            property_form._conjuncts(formula)
        monkeypatch.setattr(property_form, "MOST_ATOMS_WRITTEN", written)
        monkeypatch.setattr(property_form, "MOST_CONJUNCTS", conjuncts - 1)
        with pytest.raises(Unsupported, match=f"more than {conjuncts - 1} conjuncts or {written} atoms"):
            property_form._conjuncts(formula)
