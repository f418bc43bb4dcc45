"""Operations called one by one: shapes and values against numpy, types, missing inputs, sizes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from hybrid_ai.checker import arithmetic_operations as arithmetic
from hybrid_ai.checker import tensors
from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.operation import Operation
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.checker.stages import StageBuilder, evaluate
from hybrid_ai.checker.tensors import Form, Tensor, constant, weighted_sum
from tests.checker.models import f32, model, node, np, reals


def product(left: Any, right: Any, variable: str) -> tuple[Tensor, list[Fraction]]:
    """MatMul of two arrays of integers, one of them the input; the result, and its values there."""
    arrays = {"left": left, "right": right}
    numbers = [Fraction(int(number)) for number in arrays[variable].ravel()]
    builder = StageBuilder([len(numbers)])
    values = {
        name: builder.group_tensor(0, array.shape, 1)
        if name == variable
        else constant(array.shape, 1, [float(number) for number in array.ravel()], name)
        for name, array in arrays.items()
    }
    result = arithmetic.matmul(Operation("product", ("left", "right"), {}, values, builder))
    assert builder.stages == []
    found = [
        form.constant + sum(value * numbers[index] for (_, index), value in form.terms.items())
        for form in result.forms
    ]
    return result, found


@pytest.mark.parametrize("variable", ["left", "right"])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3,)),
        ((2, 3), (3, 4)),
        ((1, 3), (3, 1)),
        ((1, 2, 3), (3,)),
        ((5, 2, 3), (3,)),
        ((5, 2, 3), (3, 4)),
        ((2, 5, 2, 3), (3, 4)),
        ((2, 5, 2, 3), (3,)),
        ((3,), (1, 3, 4)),
        ((3,), (1, 1, 3, 4)),
        ((2, 3), (1, 3, 4)),
        ((2, 3), (1, 1, 3, 4)),
        ((5, 2, 3), (1, 1, 3, 4)),
        ((1, 1, 2, 3), (1, 3, 4)),
        ((1, 1, 2, 3), (3,)),
        ((3,), (5, 3, 4)),
        ((2, 3), (5, 3, 4)),
        ((1, 2, 3), (5, 3, 4)),
        ((2, 3), (2, 5, 3, 4)),
    ],
)
def test_shapes_and_values_of_products(left: tuple[int, ...], right: tuple[int, ...], variable: str) -> None:
    source = np.random.default_rng(7)
    a, b = (source.integers(-9, 9, size=shape) for shape in (left, right))
    fixed = right if variable == "left" else left
    if np.prod(fixed[:-2]) != 1:
        with pytest.raises(Unsupported, match="stack of matrices"):
            product(a, b, variable)
        return
    result, found = product(a, b, variable)
    expected = np.matmul(a, b)
    assert result.shape == expected.shape
    assert found == [int(number) for number in np.ravel(expected)]
    assert (result.constant, result.contracted) == (False, True)


MIXED: dict[str, list[Any]] = {
    "MatMul on the right": [node("MatMul", "x w")],
    "MatMul on the left": [node("MatMul", "w x")],
    "Gemm": [node("Gemm", "x w")],
    "Add": [node("Add", "x w")],
    "Mul": [node("Mul", "x w")],
    "Div": [node("Div", "x w")],
}


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize(
    ("kind", "types"),
    [("f8", "float32, float64"), ("i8", "float32, int64"), ("i4", "float32, int32")],
)
def test_types_are_not_mixed(name: str, kind: str, types: str) -> None:
    content = model(MIXED[name], [1, 1], {"w": np.ones((1, 1), kind)})
    with pytest.raises(Unsupported, match=f"arithmetic on {types}; one real type is read"):
        read_model(content)
    assert read_model(model(MIXED[name], [1, 1], {"w": np.ones((1, 1), "f4")})).stages


def test_integers_are_not_multiplied() -> None:
    # Machine integers wrap.
    w = np.ones((2, 2), "i8")
    for kind in ("MatMul", "Gemm", "Add", "Mul", "Div"):
        nodes = [node(kind, "w w", "z"), node("Cast", "z", "f", to=1), node("Add", "x f")]
        with pytest.raises(Unsupported, match="arithmetic on int64"):
            read_model(model(nodes, [1, 2], {"w": w}))


@pytest.mark.parametrize("numbers", [(0, 0, 0), (1, 0, 3), (0, 1, 1), (1, 1, 0), (-0.0, 2, 2)])
def test_division_by_a_zero_among_others(numbers: tuple[float, ...]) -> None:
    with pytest.raises(Malformed, match=r"\(Div\): division by zero"):
        read_model(model([node("Div", "x c")], [1, 3], {"c": f32(*numbers)}))


@pytest.mark.parametrize("inputs", ["c x", "x c", "c c"])
def test_products_with_a_scalar(inputs: str) -> None:
    nodes = [node("MatMul", inputs, "z"), node("Add", "x z")]
    with pytest.raises(Malformed, match="product with a scalar"):
        read_model(model(nodes, [1, 1], {"c": np.float32(2)}))


@pytest.mark.parametrize(
    ("kind", "arguments"), [("Relu", {}), ("LeakyRelu", {}), ("Cast", {"to": 1}), ("Identity", {})]
)
def test_the_first_input_is_read(kind: str, arguments: dict[str, Any]) -> None:
    for inputs in ("", "_"):
        with pytest.raises(Malformed, match="input 0 is missing"):
            read_model(model([node(kind, inputs, **arguments)], [1, 2]))
    # An optional input that is left out may be named by an empty name.
    plain, empty = (model([node(kind, inputs, **arguments)], [1, 2]) for inputs in ("x", "x _"))
    assert read_model(empty) == read_model(plain)


def test_constants_are_cast_when_all_of_them_fit() -> None:
    nodes = [node("Cast", "c", "i", to=7), node("Gather", "x i", axis=1)]
    for numbers, fit in (
        ((1, 0), True),
        ((1, 0.5), False),
        ((0.5, 1), False),
        ((0.5, 1.5), False),
        ((1, 2.0**63), False),
    ):
        content = model(nodes, [1, 2], {"c": f32(*numbers)})
        if fit:
            assert read_model(content).stages
        else:
            with pytest.raises(Unsupported, match="cast from float32 to int64 may round"):
                read_model(content)


@pytest.mark.parametrize("constants", [{}, {"c": f32(1, 2)}])
def test_casts_to_types_that_are_not_read(constants: dict[str, Any]) -> None:
    nodes = [node("Cast", "c" if constants else "x", "h", to=10), node("Add", "x h")]
    with pytest.raises(Unsupported, match="cast from float32 to element type 10 may round"):
        read_model(model(nodes, [1, 2], constants))


def test_equal_limits_are_two_stages() -> None:
    """Only limits that contradict each other give a constant (section 3 of the format)."""
    for low, high, kinds in ((3, 3, [True, True, False]), (3, 4, [True, True, False]), (4, 3, [False])):
        content = model([node("Clip", "x a b")], [1, 2], {"a": np.float32(low), "b": np.float32(high)})
        network = read_model(content)
        assert [stage.relu for stage in network.stages] == kinds
        assert evaluate(network, [Fraction(-9), Fraction(9)]) == [min(low, high), high]


def test_a_clip_that_contradicts_itself_keeps_a_constant_constant() -> None:
    # Clip(-2, 5, 3) is the constant 3, a factor like any other.
    nodes = [node("Clip", "c a b", "d"), node("Mul", "x d")]
    constants = {"a": np.float32(5), "b": np.float32(3), "c": f32(-2)}
    network = read_model(model(nodes, [1, 2], constants))
    assert evaluate(network, [Fraction(1, 3), Fraction(-1)]) == [1, -3]


@pytest.mark.parametrize("weight", [Fraction(1), Fraction(-2, 3), Fraction(0), tensors.ONE, tensors.ZERO])
def test_sums_do_not_depend_on_which_zero_and_one_they_are_of(weight: Fraction) -> None:
    def forms(one: Fraction, zero: Fraction) -> list[Form]:
        mixed = Form({(1, 1): one, (1, 2): Fraction(5)}, zero)
        return [Form({(1, 0): one}, zero), mixed, Form({}, one), Form({(1, 0): -one}, zero, None, one)]

    weights = [weight, Fraction(3), weight, Fraction(7)]
    found = weighted_sum(forms(tensors.ONE, tensors.ZERO), weights, "here")
    assert found == weighted_sum(forms(Fraction(1), Fraction(0)), weights, "here")
    point = {(1, 0): Fraction(2), (1, 1): Fraction(-1, 3), (1, 2): Fraction(11)}
    terms = sum(value * point[key] for key, value in found.terms.items())
    each = [Fraction(2), Fraction(-1, 3) + 55, Fraction(1), Fraction(-2)]
    assert found.constant + terms == sum(w * value for w, value in zip(weights, each, strict=True))


def test_products_are_refused_before_they_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object) -> None:
        raise AssertionError("a form was computed")

    monkeypatch.setattr(arithmetic, "weighted_sum", never)
    with pytest.raises(Unsupported, match=r"\(MatMul\): tensor that depends on the input of shape"):
        read_model(model([node("MatMul", "x w")], [1, 400, 1], {"w": reals(1, 251)}))
    with pytest.raises(Rejected, match="constant of shape"):
        nodes = [node("MatMul", "c d", "e"), node("Add", "x e")]
        read_model(model(nodes, [1, 1], {"c": reals(1500, 1), "d": reals(1, 1500)}))
    with pytest.raises(AssertionError, match="a form was computed"):
        read_model(model([node("MatMul", "x w")], [1, 400, 1], {"w": reals(1, 250)}))
