"""What the checker's ONNX reader refuses for its size, and what older opsets do not allow."""

from __future__ import annotations

from typing import Any

import pytest

from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from tests.checker.models import f32, i64, model, node, np, reals

Row = tuple[bytes, type[Rejected], str]
W = {"w": reals(3, 2)}
RELU = [node("Relu", "x")]
FACTOR = {"c": f32(1.1)}


def multiplied(times: int) -> list[Any]:
    """x times a constant, again and again."""
    names = ["x", *(f"t{i}" for i in range(times))]
    products = [node("Mul", f"{names[i]} c", names[i + 1]) for i in range(times)]
    return [*products, node("Relu", names[-1])]


def cancelled(times: int) -> list[Any]:
    """x, to which 1.1 x is added and from which it is taken, again and again: only its size grows."""
    nodes, name = [], "x"
    for i in range(times):
        nodes += [node("Mul", f"{name} c", f"a{i}"), node("Sub", f"a{i} a{i}", f"b{i}")]
        nodes.append(node("Add", f"b{i} x", f"t{i}"))
        name = f"t{i}"
    return [*nodes, node("Relu", name)]


# name -> (bytes, error, phrase)
BAD: dict[str, Row] = {
    "reshape to many axes": (
        model([node("Reshape", "x s")], [1, 3], {"s": i64(*[1] * 16, 3)}),
        Unsupported,
        "a shape of 17 axes; 16 are read",
    ),
    "unsqueeze to many axes": (
        model([node("Unsqueeze", "x a")], [1, 3], {"a": i64(*range(15))}),
        Unsupported,
        "a shape of 17 axes",
    ),
    "input of many axes": (model(RELU, [1] * 17), Unsupported, "a shape of 17 axes"),
    "constant of many axes": (
        model([node("Add", "x c")], [1, 3], {"c": reals(*[1] * 17)}),
        Unsupported,
        "a shape of 17 axes",
    ),
    "coefficient too long": (
        model(multiplied(200), [1, 1], FACTOR),
        Unsupported,
        "(Mul): a number of more than 4096 bits",
    ),
    "size too long": (model(cancelled(200), [1, 1], FACTOR), Unsupported, "a number of more than 4096 bits"),
    "sum of a product too long": (
        model(
            [node("Div", "c d", "e"), node("MatMul", "e f", "g"), node("Add", "x g")],
            [1, 1],
            {"c": f32(1), "d": f32(*range(1, 6000, 2)), "f": reals(3000, 1)},
        ),
        Unsupported,
        "'MatMul_g' (MatMul): a number of more than 4096 bits",
    ),
    "gemm without c before opset 11": (
        model([node("Gemm", "x w")], [1, 3], W, opset=10),
        Malformed,
        "input 2 is missing, which opset 10 needs",
    ),
    "reshape by a scalar": (
        model([node("Reshape", "x s")], [1, 3], {"s": np.array(3)}),
        Malformed,
        "no list of int64",
    ),
    "reshape by int32": (
        model([node("Reshape", "x s")], [1, 3], {"s": np.array([3], np.int32)}),
        Malformed,
        "no list of int64",
    ),
}
for kind, inputs, given in (
    ("Concat", "x x", {"axis": -1}),
    ("Flatten", "x", {"axis": -1}),
    ("Squeeze", "x", {"axes": [0, -2]}),
    ("Unsqueeze", "x", {"axes": [-1]}),
):
    data = model([node(kind, inputs, **given)], [1, 1, 3], opset=10)
    BAD[f"negative axis of {kind} before opset 11"] = (
        data,
        Malformed,
        "is negative, which opset 10 does not",
    )


@pytest.mark.parametrize("name", BAD)
def test_bad_model_is_refused(name: str) -> None:
    data, error, phrase = BAD[name]
    with pytest.raises(Rejected) as caught:
        read_model(data)
    assert type(caught.value) is error
    assert phrase in str(caught.value)


def test_what_is_just_within_the_limits_is_read() -> None:
    assert len(read_model(model(multiplied(150), [1, 1], FACTOR)).stages) == 1
    many_axes = model([node("Unsqueeze", "x a", "y")], [1, 3], {"a": i64(*range(14))})
    assert read_model(many_axes).stages == ()


@pytest.mark.parametrize("kind", ["Concat", "Flatten"])
def test_negative_axes_are_read_from_opset_11_on(kind: str) -> None:
    data = model([node(kind, "x", axis=-1)], [1, 3], opset=11)
    assert read_model(data).stages == ()
