"""The prover's and the checker's tables of operations: the same names, the same stages for each."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from hybrid_ai.checker.onnx_reader import NEWEST_OPSET, OLDEST_OPSET, RULES, evaluate, read_model
from hybrid_ai.checker.rejected import Unsupported
from tests.checker.models import f32, helper, i64, model, node, np, numpy_helper, reals

network = pytest.importorskip("hybrid_ai.network", reason="the prover's reader is not there")

# operation -> nodes from x of shape [1, 4], constants
MODELS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "Add": ([node("Add", "x c")], {"c": f32(1, 2, 3, 4)}),
    "Cast": ([node("Cast", "c", "d", to=1), node("Mul", "x d")], {"c": i64(3)}),
    "Clip": ([node("Clip", "x a b")], {"a": np.float32(-0.5), "b": np.float32(0.75)}),
    "Concat": ([node("Relu", "x", "r"), node("Concat", "x r", axis=1)], {}),
    "Constant": (
        [
            helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(f32(1, 2, 3, 4))),
            node("Add", "x c"),
        ],
        {},
    ),
    "Div": ([node("Div", "x c")], {"c": f32(3)}),
    "Dropout": ([node("Dropout", "x", "d"), node("Relu", "d")], {}),
    "Flatten": ([node("Flatten", "x", "f"), node("Relu", "f")], {}),
    "Gather": ([node("Gather", "x i", axis=1)], {"i": i64(2, 0)}),
    "Gemm": (
        [node("Gemm", "x w b", alpha=0.5, beta=2.0, transB=1)],
        {"w": reals(3, 4), "b": reals(3)},
    ),
    "Identity": ([node("Identity", "x", "i"), node("Relu", "i")], {}),
    "LeakyRelu": ([node("LeakyRelu", "x", alpha=0.25)], {}),
    "MatMul": ([node("MatMul", "x w")], {"w": reals(4, 3)}),
    "Mul": ([node("Mul", "x c")], {"c": f32(1, 2, 3, 0)}),
    "Pad": ([node("Pad", "x p v")], {"p": i64(0, 1, 0, 2), "v": np.float32(0.5)}),
    "Relu": ([node("Relu", "x")], {}),
    "Reshape": ([node("Reshape", "x s", "r"), node("Relu", "r")], {"s": i64(2, -1)}),
    "Shape": ([node("Shape", "x", "s"), node("Reshape", "x s", "r"), node("Relu", "r")], {}),
    "Slice": ([node("Slice", "x s e a")], {"s": i64(1), "e": i64(3), "a": i64(1)}),
    "Squeeze": ([node("Squeeze", "x a", "q"), node("Relu", "q")], {"a": i64(0)}),
    "Sub": ([node("Sub", "c x")], {"c": f32(1)}),
    "Transpose": ([node("Transpose", "x", "t", perm=[1, 0]), node("Relu", "t")], {}),
    "Unsqueeze": ([node("Unsqueeze", "x a", "u"), node("Relu", "u")], {"a": i64(1)}),
}


def test_the_two_tables_name_the_same_operations() -> None:
    supported = network.supported_operations()
    assert sorted(supported) == sorted(RULES) == sorted(MODELS)
    assert {row.opsets for row in supported.values()} == {(OLDEST_OPSET, NEWEST_OPSET)}


@pytest.mark.parametrize("name", MODELS)
def test_both_readers_read_an_operation_alike(name: str) -> None:
    nodes, constants = MODELS[name]
    assert name in {item.op_type for item in nodes}
    data = model(nodes, [1, 4], constants)
    mine, theirs = read_model(data), network.load_model(data).staged
    assert [stage.relu for stage in mine.stages] == [stage.kind == "relu" for stage in theirs.stages]
    assert mine.output_group == theirs.output_group
    for point in ([1, -2, 3, -4], [0, 0, 0, 0], [-1, 5, 2, 7]):
        x = [Fraction(value, 3) for value in point]
        assert evaluate(mine, x) == list(network.evaluate_exact(theirs, x))


B = np.array(False)
REFUSED = {
    "integer arithmetic": ([node("Mul", "s s", "t"), node("Reshape", "x t")], {"s": i64(2)}),
    "integer division": ([node("Div", "s s", "t"), node("Reshape", "x t")], {"s": i64(2)}),
    "truth values": ([node("Cast", "t", "f", to=1), node("Mul", "x f")], {"t": B}),
    "training mode": ([node("Dropout", "x _ t")], {"t": B}),
    "negative pads": ([node("Pad", "x p")], {"p": i64(0, -1, 0, 0)}),
    "fractions to integers": (
        [node("Cast", "c", "i", to=7), node("Gather", "x i", axis=1)],
        {"c": f32(1.5)},
    ),
    "stack of matrices": ([node("MatMul", "x w")], {"w": reals(2, 4, 3)}),
    "list of reals": ([node("Constant", "", "c", value_floats=[0.5]), node("Add", "x c")], {}),
    "saturating cast": ([node("Cast", "x", to=1, saturate=1)], {}),
    "backward slice": (
        [node("Slice", "x s e a t")],
        {"s": i64(-9), "e": i64(-10), "a": i64(1), "t": i64(-1)},
    ),
    "long constant": (
        [*(node("Mul", f"c{k} c{k}", f"c{k + 1}") for k in range(8)), node("Add", "x c8")],
        {"c0": f32(1.1)},
    ),
    **{name: ([node(name, "x", "y")], {}) for name in ("Neg", "Sum", "Split", "Abs", "Tanh")},
    **{name: ([node(name, "x c", "y")], {"c": f32(1)}) for name in ("Max", "Min", "Pow")},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_checker_does_not_read_the_prover_does_not(name: str) -> None:
    nodes, constants = REFUSED[name]
    data = model(nodes, [1, 4], constants, opset=19 if name == "saturating cast" else 13)
    with pytest.raises(Unsupported):
        read_model(data)
    with pytest.raises(network.UnsupportedModel):
        network.load_model(data)
