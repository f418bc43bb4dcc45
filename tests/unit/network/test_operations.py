"""Every operation and attribute form: exact, float64 and ONNX Runtime evaluation agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, helper

from hybrid_ai.network import load_model, supported_operations
from tests.unit.network.builder import (
    DOUBLE,
    check_agreement,
    model,
    node,
    stages,
    tensor,
    weights,
)

NEWEST = 28
W = weights(4, 3)


def case(name: str, *nodes: NodeProto, constants: dict[str, Any] | None = None, **options: Any) -> Any:
    return pytest.param(list(nodes), constants or {}, options, id=name)


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=np.int64)


CONTRACTIONS = [
    case("gemm", node("Gemm", "x w c"), constants={"w": W, "c": weights(3)}),
    case("gemm without C", node("Gemm", "x w"), constants={"w": W}),
    case("gemm C left out", node("Gemm", "x w _"), constants={"w": W}),
    case("gemm C (1, N)", node("Gemm", "x w c"), constants={"w": W, "c": weights(1, 3)}),
    case("gemm C scalar", node("Gemm", "x w c"), constants={"w": W, "c": np.array(0.7)}),
    case("gemm C (1, 1)", node("Gemm", "x w c"), constants={"w": W, "c": weights(1, 1)}),
    case("gemm C (1,)", node("Gemm", "x w c"), constants={"w": W, "c": weights(1)}),
    case("gemm transB", node("Gemm", "x w c", transB=1), constants={"w": W.T, "c": weights(3)}),
    case(
        "gemm alpha beta",
        node("Gemm", "x w c", alpha=0.3, beta=-1.7),
        constants={"w": W, "c": weights(3)},
    ),
    case(
        "gemm transA",
        node("Reshape", "x s", "t"),
        node("Gemm", "t w c", transA=1, alpha=0.5),
        constants={"s": ints(2, 2), "w": weights(2, 3), "c": weights(2, 3)},
    ),
    case(
        "gemm constant A", node("Gemm", "w x c", transB=1), constants={"w": weights(3, 4), "c": weights(3, 1)}
    ),
    case("matmul", node("MatMul", "x w"), constants={"w": W}),
    case("matmul left", node("MatMul", "w x"), constants={"w": weights(2, 5)}, x=(1, 5, 3)),
    case("matmul batch of 1", node("MatMul", "x w"), constants={"w": weights(1, 1, 4, 3)}),
    case("matmul left batch of 1", node("MatMul", "w x"), constants={"w": weights(1, 1, 2, 3)}, x=(1, 3, 4)),
    case("matmul stack", node("MatMul", "x w"), constants={"w": weights(3, 2)}, x=(1, 4, 2, 3)),
    case("matmul left stack", node("MatMul", "w x"), constants={"w": weights(5, 2)}, x=(1, 4, 2, 3)),
    case("matmul vector x", node("MatMul", "x w"), constants={"w": W}, x=(4,)),
    case("matmul vector x left", node("MatMul", "w x"), constants={"w": W.T}, x=(4,)),
    case("matmul vector w", node("MatMul", "x w"), constants={"w": weights(4)}, x=(1, 3, 4)),
    case("matmul vector w left", node("MatMul", "w x"), constants={"w": weights(4)}, x=(1, 4, 3)),
    case(
        "constants folded",
        node("MatMul", "a b", "w"),
        node("Gemm", "w b2 c", "v", alpha=2.5),
        node("MatMul", "x v"),
        constants={"a": W, "b": weights(3, 2), "b2": weights(2, 2), "c": weights(2)},
    ),
]

ARITHMETIC = [
    case("add", node("Add", "x c"), constants={"c": weights(4)}),
    case("add left, broadcast", node("Add", "c x"), constants={"c": weights(3, 1)}),
    case(
        "subtract a number that is no double",
        node("Div", "one three", "third"),
        node("Sub", "two third", "left"),
        node("Mul", "left third", "c"),
        node("Sub", "c third", "d"),
        node("Add", "x d"),
        constants={name: np.array(float(value)) for name, value in (("one", 1), ("two", 2), ("three", 3))},
    ),
    case("add higher rank", node("Add", "x c"), constants={"c": weights(2, 3, 1)}, x=(1, 4)),
    case("sub", node("Sub", "x c"), constants={"c": weights(1, 4)}),
    case("sub left", node("Sub", "c x"), constants={"c": weights(4)}),
    case("mul", node("Mul", "x c"), constants={"c": weights(4)}),
    case("mul left with zero", node("Mul", "c x"), constants={"c": np.array([0.0, 1.5, 0.3, -2])}),
    case("mul scalar", node("Mul", "x c"), constants={"c": np.array(0.3)}),
    case("div", node("Div", "x c"), constants={"c": weights(4) + 3}),
    case("div power of two", node("Div", "x c"), constants={"c": np.array(-4.0)}),
    case("add tensors", node("Mul", "x c", "t"), node("Add", "x t"), constants={"c": weights(4)}),
    case("sub tensors to zero", node("Identity", "x", "t"), node("Sub", "x t")),
    case("add broadcast tensors", node("Transpose", "x", "t"), node("Add", "x t")),
    case(
        "constant arithmetic",
        node("Div", "a b", "q"),
        node("Sub", "q b", "r"),
        node("Mul", "r a", "m"),
        node("Add", "m b", "s"),
        node("Mul", "x s"),
        constants={"a": weights(4), "b": weights(4, seed=2) + 4},
    ),
    case(
        "normalised",
        node("Sub", "x m", "c"),
        node("Div", "c r", "n"),
        node("MatMul", "n w"),
        constants={"m": weights(4), "r": weights(4) + 5, "w": W},
    ),
    case(
        "scaled by a constant and back",
        node("Div", "x c", "t"),
        node("Mul", "t c"),
        constants={"c": np.array(3.0)},
    ),
]

MOVEMENT = [
    case("flatten", node("Flatten", "x"), x=(1, 2, 3)),
    *(case(f"flatten {axis}", node("Flatten", "x", axis=axis), x=(1, 2, 3)) for axis in (0, 2, 3, -1)),
    case("reshape", node("Reshape", "x s"), constants={"s": ints(0, 2, -1)}, x=(1, 2, 3)),
    case("reshape allowzero", node("Reshape", "x s", allowzero=1), constants={"s": ints(3, 2)}, x=(1, 2, 3)),
    case("reshape to a vector", node("Reshape", "x s"), constants={"s": ints(-1)}, x=(1, 2, 3)),
    case("transpose", node("Transpose", "x"), x=(1, 2, 3)),
    case("transpose perm", node("Transpose", "x", perm=[0, 2, 1]), x=(1, 2, 3)),
    case("squeeze all", node("Squeeze", "x"), x=(1, 2, 1, 3)),
    case("squeeze input", node("Squeeze", "x a"), constants={"a": ints(-2)}, x=(1, 2, 1, 3)),
    case("squeeze attribute", node("Squeeze", "x", axes=[2]), x=(1, 2, 1, 3), opset=11),
    case("unsqueeze input", node("Unsqueeze", "x a"), constants={"a": ints(-1, 1)}, x=(1, 2, 3)),
    case("unsqueeze attribute", node("Unsqueeze", "x", axes=[0, 3]), x=(1, 2, 3), opset=9),
    case("identity", node("Identity", "x")),
    case("dropout", node("Dropout", "x"), opset=12),
    case("dropout 8", node("Dropout", "x", ratio=0.4), opset=8),
    case(
        "dropout ratio",
        node("Dropout", "x r", "y mask"),
        constants={"r": np.array(0.5)},
    ),
    case("concat", node("Relu", "x", "t"), node("Concat", "t x c", axis=1), constants={"c": weights(1, 2)}),
    case("concat axis -2", node("Concat", "x x", axis=-2), x=(1, 2, 3)),
    case("concat inner", node("Relu", "x", "t"), node("Concat", "x t", axis=2), x=(1, 2, 3)),
    case(
        "slice",
        node("Slice", "x s e a t"),
        constants={"s": ints(-1, 0), "e": ints(-4, 2), "a": ints(2, -2), "t": ints(-2, 1)},
        x=(1, 3, 5),
    ),
    case(
        "slice backwards",
        node("Slice", "x s e a t"),
        constants={"s": ints(99), "e": ints(-(2**63)), "a": ints(1), "t": ints(-1)},
    ),
    case(
        "slice clamped",
        node("Slice", "x s e a"),
        constants={"s": ints(-99), "e": ints(2**63 - 1), "a": ints(1)},
    ),
    case("slice without axes", node("Slice", "x s e"), constants={"s": ints(0, 1), "e": ints(1, 3)}),
    case("slice attributes", node("Slice", "x", axes=[1], starts=[1], ends=[-1]), opset=9),
    case("slice attributes without axes", node("Slice", "x", starts=[0, 1], ends=[1, 99]), opset=8),
    case(
        "slice int32",
        node("Slice", "x s e"),
        constants={"s": np.array([0, 1], np.int32), "e": np.array([1, 3], np.int32)},
    ),
    case("pad", node("Pad", "x p c"), constants={"p": ints(0, 1, 1, 2), "c": np.array(0.3)}),
    case("pad zero", node("Pad", "x p"), constants={"p": ints(0, 1, 0, 0)}),
    case("pad axes", node("Pad", "x p _ a"), constants={"p": ints(1, 2), "a": ints(-1)}, opset=18),
    case("pad attributes", node("Pad", "x", pads=[0, 1, 0, 2], value=0.7, mode="constant"), opset=10),
    case("gather", node("Gather", "x i", axis=1), constants={"i": np.array([[3, -1], [0, 0]])}),
    case("gather scalar", node("Gather", "x i", axis=-1), constants={"i": np.array(2)}, x=(1, 2, 3)),
    case(
        "pytorch view",
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n", axis=0),
        node("Unsqueeze", "n first", "u"),
        node("Concat", "u rest", "t", axis=0),
        node("Reshape", "x t"),
        constants={"zero": np.array(0), "first": ints(0), "rest": ints(-1)},
        x=("batch", 2, 3),
    ),
    case(
        "shape cast to and fro",
        node("Shape", "x", "s", start=1),
        node("Slice", "s z o", "n"),
        node("Cast", "n", "f", to=1),
        node("Cast", "f", "i", to=7),
        node("Concat", "i i", "p", axis=0),
        node("Slice", "p z o", "q"),
        node("Concat", "o q", "t", axis=0),
        node("Reshape", "x t"),
        constants={"z": ints(0), "o": ints(1)},
    ),
]

ACTIVATIONS = [
    case("relu", node("Relu", "x")),
    case("leaky relu", node("LeakyRelu", "x", alpha=0.3)),
    case("leaky relu default", node("LeakyRelu", "x")),
    case("leaky relu negative", node("LeakyRelu", "x", alpha=-1.5)),
    case("leaky relu steep", node("LeakyRelu", "x", alpha=3.0)),
    case("leaky relu after gemm", node("Gemm", "x w", "t"), node("LeakyRelu", "t"), constants={"w": W}),
    case("clip", node("Clip", "x a b"), constants={"a": np.array(-0.4), "b": np.array(0.9)}),
    case("clip min", node("Clip", "x a"), constants={"a": np.array(-0.4)}),
    case("clip max", node("Clip", "x _ b"), constants={"b": np.array(0.9)}),
    case("clip neither", node("Clip", "x")),
    case("clip attributes", node("Clip", "x", min=-0.4, max=0.9), opset=8),
    case("clip attribute max", node("Clip", "x", max=0.9), opset=10),
    case("clip limits reversed", node("Clip", "x a b"), constants={"a": np.array(2.0), "b": np.array(0.9)}),
]

CONSTANTS = [
    case("value", node("Constant", "", "c", value=tensor("", weights(4))), node("Add", "x c")),
    case("value_float", node("Constant", "", "c", value_float=0.3), node("Add", "x c")),
    case("value_int", node("Constant", "", "i", value_int=2), node("Gather", "x i", axis=1)),
    case("value_ints", node("Constant", "", "i", value_ints=[2, 0]), node("Gather", "x i", axis=1)),
    case("cast same", node("Cast", "x", to=1)),
    case("cast constants", node("Cast", "i", "f", to=1), node("Mul", "x f"), constants={"i": ints(3)}),
    case(
        "shape end",
        node("Shape", "x", "s", end=-1),
        node("Cast", "s", "f", to=1),
        node("Mul", "x f"),
        x=(1, 4),
    ),
    case(
        "double",
        node("Gemm", "x w c", "t", alpha=0.3),
        node("LeakyRelu", "t"),
        constants={"w": W / 3, "c": weights(3) / 7},
        element=DOUBLE,
    ),
]


@pytest.mark.parametrize(
    ("nodes", "constants", "options"), CONTRACTIONS + ARITHMETIC + MOVEMENT + ACTIVATIONS + CONSTANTS
)
def test_evaluations_agree(
    nodes: list[NodeProto], constants: dict[str, Any], options: dict[str, Any]
) -> None:
    check_agreement(model(nodes, constants, **options))


@pytest.mark.parametrize(
    ("nodes", "constants", "options"),
    [given for given in CONTRACTIONS + ARITHMETIC + MOVEMENT + ACTIVATIONS if "opset" not in given.values[2]],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_after_a_contraction_the_evaluations_agree(
    nodes: list[NodeProto], constants: dict[str, Any], options: dict[str, Any], dtype: type[np.floating[Any]]
) -> None:
    """The operation acts on forms of many terms instead of on the plain input."""
    x = options.get("x", (1, 4))
    fixed = [1 if isinstance(size, str) else size for size in x]
    count = int(np.prod(fixed))
    before = [
        node("MatMul", "raw mix", "flat"),
        node("Reshape", "flat its_shape", "x"),
    ]
    given = {**constants, "mix": weights(3, count, seed=7), "its_shape": np.array(fixed)}
    element = DOUBLE if dtype is np.float64 else 1
    message = onnx.load_model_from_string(model([*before, *nodes], given, x=(1, 3), element=element))
    message.graph.input[0].name = "raw"
    if element == DOUBLE:
        for operation in message.graph.node:
            for attribute in operation.attribute:
                if operation.op_type == "Cast" and attribute.i == 1:
                    attribute.i = DOUBLE
    loaded = check_agreement(message.SerializeToString())
    assert loaded.n_inputs == 3


OPSETS_OF = {
    "Gemm": (node("Gemm", "x w c", alpha=0.5), {"w": W, "c": weights(3)}),
    "MatMul": (node("MatMul", "x w"), {"w": W}),
    "Add": (node("Add", "x c"), {"c": weights(4)}),
    "Sub": (node("Sub", "c x"), {"c": weights(4)}),
    "Mul": (node("Mul", "x c"), {"c": weights(4)}),
    "Div": (node("Div", "x c"), {"c": weights(4) + 4}),
    "Flatten": (node("Flatten", "x", axis=1), {}),
    "Reshape": (node("Reshape", "x s"), {"s": ints(0, 2, -1)}),
    "Transpose": (node("Transpose", "x", perm=[1, 0]), {}),
    "Identity": (node("Identity", "x"), {}),
    "Dropout": (node("Dropout", "x"), {}),
    "Concat": (node("Concat", "x x", axis=1), {}),
    "Gather": (node("Gather", "x i", axis=1), {"i": ints(2, 0)}),
    "Relu": (node("Relu", "x"), {}),
    "LeakyRelu": (node("LeakyRelu", "x", alpha=0.2), {}),
    "Shape": ([node("Shape", "x", "s"), node("Reshape", "x s")], {}),
    "Constant": ([node("Constant", "", "c", value=tensor("", weights(4))), node("Add", "x c")], {}),
    "Cast": ([node("Cast", "i", "f", to=1), node("Add", "x f")], {"i": ints(3)}),
}


def by_opset(op_type: str, opset: int) -> tuple[list[NodeProto], dict[str, Any]]:
    """The operations whose inputs changed, written as the opset wants them."""
    if op_type == "Clip":
        if opset < 11:
            return [node("Clip", "x", min=-0.5, max=0.5)], {}
        return [node("Clip", "x a b")], {"a": np.array(-0.5), "b": np.array(0.5)}
    if op_type == "Slice":
        if opset < 10:
            return [node("Slice", "x", axes=[1], starts=[1], ends=[3])], {}
        return [node("Slice", "x s e a")], {"s": ints(1), "e": ints(3), "a": ints(1)}
    if op_type == "Pad":
        if opset < 11:
            return [node("Pad", "x", pads=[0, 1, 0, 0], value=0.5)], {}
        return [node("Pad", "x p c")], {"p": ints(0, 1, 0, 0), "c": np.array(0.5)}
    if op_type in ("Squeeze", "Unsqueeze"):
        if opset < 13:
            return [node(op_type, "x", axes=[0])], {}
        return [node(op_type, "x a")], {"a": ints(0)}
    nodes, constants = OPSETS_OF[op_type]
    return (nodes if isinstance(nodes, list) else [nodes]), constants


@pytest.mark.parametrize("op_type", list(supported_operations()))
def test_every_opset_that_changed_an_operation(op_type: str) -> None:
    history = {
        s.since_version
        for s in onnx.defs.get_all_schemas_with_history()
        if s.name == op_type and not s.domain
    }
    opsets = sorted(
        {opset for version in history for opset in (version - 1, version) if 8 <= opset} | {8, NEWEST}
    )
    assert max(history) <= NEWEST
    for opset in opsets:
        nodes, constants = by_opset(op_type, opset)
        loaded = check_agreement(model(nodes, constants, opset=opset), points=1)
        assert loaded.graph.opset == opset


def test_newest_opset_is_the_one_onnx_knows() -> None:
    assert NEWEST <= onnx.defs.onnx_opset_version()
    assert all(row.opsets == (8, NEWEST) for row in supported_operations().values())


def test_cast_to_double_keeps_the_numbers() -> None:
    nodes = [node("Cast", "x", "d", to=DOUBLE), node("Mul", "d c")]
    message = helper.make_model(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info("x", 1, [1, 4])],
            [helper.make_tensor_value_info("y", DOUBLE, [1, 4])],
            [tensor("c", np.array(1 / 3), DOUBLE)],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    loaded = check_agreement(message.SerializeToString())
    assert stages(loaded) == [("linear", (0,), 4)]


def test_table_is_sorted_and_noted() -> None:
    table = supported_operations()
    assert list(table) == sorted(table)
    assert "constant divisor" in table["Div"].notes


def test_loading_twice_gives_equal_numbers() -> None:
    data = model([node("Gemm", "x w", "t"), node("LeakyRelu", "t")], {"w": W})
    first, second = load_model(data), load_model(data)
    for one, other in zip(first.staged.stages, second.staged.stages, strict=True):
        assert np.array_equal(one.bias, other.bias)
        assert all(
            np.array_equal(a.weights, b.weights) for a, b in zip(one.blocks, other.blocks, strict=True)
        )
