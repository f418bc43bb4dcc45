"""The checker's ONNX reader: what it refuses and how it says so."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import onnx
import pytest

from hybrid_ai.checker import arithmetic_operations
from hybrid_ai.checker.onnx_reader import NEWEST_OPSET, read_model
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.network import UnsupportedModel, load_model
from tests.checker.models import f32, helper, i64, model, node, np, reals


def tensor_change(**fields: Any) -> Callable[[Any], None]:
    """Overwrite fields of the first initialiser."""

    def change(message: Any) -> None:
        tensor = message.graph.initializer[0]
        for name, value in fields.items():
            if isinstance(value, list):
                tensor.ClearField(name)
                getattr(tensor, name).extend(value)
            else:
                setattr(tensor, name, value)

    return change


def graph_change(edit: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Edit the message; the edit's value is dropped."""

    def change(message: Any) -> None:
        edit(message)

    return change


def external(message: Any) -> None:
    message.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")


def text_attribute(message: Any) -> None:
    message.graph.node[0].attribute[0].CopyFrom(helper.make_attribute("axis", "one"))


def repeat_attribute(message: Any) -> None:
    message.graph.node[0].attribute.append(message.graph.node[0].attribute[0])


RELU = [node("Relu", "x")]
ADD = [node("Add", "x c")]
C = {"c": f32(1, 2, 3)}
W = {"w": reals(3, 2)}
BIG = 10**12

# name -> (bytes, error, phrase)
BAD: dict[str, tuple[bytes, type[Rejected], str]] = {
    "nan": (model(ADD, [1, 3], {"c": f32(1, float("nan"), 0)}), Malformed, "'c': a number is not finite"),
    "inf": (model(ADD, [1, 3], {"c": f32(1, float("inf"), 0)}), Malformed, "a number is not finite"),
    "nan attribute": (model([node("LeakyRelu", "x", alpha=float("nan"))], [1, 3]), Malformed, "finite"),
    "infinite clip": (model([node("Clip", "x", max=float("inf"))], [1, 3], opset=10), Malformed, "finite"),
    "external": (model(ADD, [1, 3], C, change=external), Malformed, "external data is refused"),
    "external location": (
        model(ADD, [1, 3], C, change=tensor_change(data_location=1)),
        Malformed,
        "external",
    ),
    "huge dims": (model(ADD, [1, 3], C, change=tensor_change(dims=[BIG, BIG])), Unsupported, "elements"),
    "dims beyond data": (
        model(ADD, [1, 3], C, change=tensor_change(dims=[4])),
        Malformed,
        "shape [4], data for 3",
    ),
    "negative dims": (
        model(ADD, [1, 3], C, change=tensor_change(dims=[-1, -3])),
        Unsupported,
        "shape [-1, -3]",
    ),
    "zero dims": (
        model(ADD, [1, 3], C, change=tensor_change(dims=[0, 3], raw_data=b"")),
        Unsupported,
        "shape [0, 3]",
    ),
    "ragged raw": (
        model(ADD, [1, 3], C, change=tensor_change(raw_data=b"1234567")),
        Malformed,
        "shape [3], data for 1.75",
    ),
    "two data fields": (
        model(ADD, [1, 3], C, change=tensor_change(float_data=[1.0])),
        Malformed,
        "float_data",
    ),
    "wrong data field": (
        model(
            ADD,
            [1, 3],
            C,
            change=lambda m: (
                (
                    m.graph.initializer[0].ClearField("raw_data"),
                    m.graph.initializer[0].double_data.append(1.0),
                )
                and None
            ),
        ),
        Malformed,
        "float32 data in double_data",
    ),
    "float16": (model(ADD, [1, 3], {"c": np.zeros(3, np.float16)}), Unsupported, "tensor of element type 10"),
    "strange element type": (
        model(ADD, [1, 3], C, change=tensor_change(data_type=99)),
        Unsupported,
        "element type 99",
    ),
    "string initializer": (
        model(ADD, [1, 3], C, change=tensor_change(data_type=8)),
        Unsupported,
        "tensor of element type 8",
    ),
    "unnamed initializer": (
        model(ADD, [1, 3], C, change=tensor_change(name="")),
        Malformed,
        "'c' is not defined",
    ),
    "initializer twice": (
        model(
            ADD, [1, 3], C, change=graph_change(lambda m: m.graph.initializer.append(m.graph.initializer[0]))
        ),
        Malformed,
        "defined twice",
    ),
    "tensor defined twice": (
        model([node("Relu", "x"), node("Neg", "x")], [1, 3]),
        Malformed,
        "'y' is defined twice",
    ),
    "used before defined": (
        model([node("Relu", "a"), node("Neg", "x", "a")], [1, 3]),
        Malformed,
        "'a' is not defined before",
    ),
    "undefined": (model([node("Relu", "nowhere")], [1, 3]), Malformed, "operation 'Relu_y' (Relu)"),
    "no output": (model([node("Relu", "x", "z")], [1, 3]), Malformed, "no operation computes it"),
    "missing input": (model([node("Add", "x _")], [1, 3]), Malformed, "input 1 is missing"),
    "too many inputs": (model([node("Relu", "x x")], [1, 3]), Malformed, "are too many in opset 13"),
    "clip inputs before opset 11": (
        model([node("Clip", "x a")], [1, 3], {"a": np.float32(0)}, opset=10),
        Malformed,
        "inputs ['a'] are too many in opset 10",
    ),
    "mask used": (model([node("Dropout", "x", "z y")], [1, 3]), Unsupported, "second output"),
    "unknown operation": (
        model([node("Conv", "x x")], [1, 3]),
        Unsupported,
        "'Conv_y' (Conv): operation Conv",
    ),
    "unknown attribute": (
        model([node("Relu", "x", slope=1.0)], [1, 3]),
        Unsupported,
        "[('slope', 1)] in opset 13",
    ),
    "late attribute": (
        model([node("Reshape", "x s", allowzero=1)], [1, 3], {"s": i64(3)}),
        Unsupported,
        "[('allowzero', 2)] in opset 13",
    ),
    "early attribute": (
        model([node("Squeeze", "x", axes=[0])], [1, 3]),
        Unsupported,
        "[('axes', 7)] in opset 13",
    ),
    "attribute type": (
        model([node("Flatten", "x", axis=1)], [1, 3], change=text_attribute),
        Unsupported,
        "[('axis', 3)]",
    ),
    "attribute twice": (
        model([node("Flatten", "x", axis=1)], [1, 3], change=repeat_attribute),
        Unsupported,
        "given twice",
    ),
    "attribute reference": (
        model(
            [node("Flatten", "x", axis=1)],
            [1, 3],
            change=lambda m: setattr(m.graph.node[0].attribute[0], "ref_attr_name", "a"),
        ),
        Unsupported,
        "field 21 of AttributeProto",
    ),
    "domain": (
        model(RELU, [1, 3], change=lambda m: setattr(m.graph.node[0], "domain", "com.x")),
        Unsupported,
        "'com.x'",
    ),
    "overload": (
        model(RELU, [1, 3], change=lambda m: setattr(m.graph.node[0], "overload", "o")),
        Unsupported,
        "field 8 of NodeProto",
    ),
    "opset too old": (model(RELU, [1, 3], opset=7), Unsupported, "opset 7, read are 8 to"),
    "opset too new": (model(RELU, [1, 3], opset=NEWEST_OPSET + 1), Unsupported, "opset"),
    "opset missing": (
        model(RELU, [1, 3], change=lambda m: m.ClearField("opset_import")),
        Malformed,
        "one version of the default domain",
    ),
    "opset twice": (
        model(
            RELU, [1, 3], change=lambda m: m.opset_import.append(helper.make_opsetid("ai.onnx", 13)) and None
        ),
        Malformed,
        "one version of the default domain",
    ),
    "no graph": (model(RELU, [1, 3], change=lambda m: m.ClearField("graph")), Malformed, "needs one graph"),
    "functions": (
        model(RELU, [1, 3], change=lambda m: m.functions.add() and None),
        Unsupported,
        "field 25 of ModelProto",
    ),
    "training": (
        model(RELU, [1, 3], change=lambda m: m.training_info.add() and None),
        Unsupported,
        "field 20 of ModelProto",
    ),
    "sparse": (
        model(RELU, [1, 3], change=lambda m: m.graph.sparse_initializer.add() and None),
        Unsupported,
        "field 15 of GraphProto",
    ),
    "two inputs": (
        model(
            RELU, [1, 3], change=lambda m: m.graph.input.append(helper.make_tensor_value_info("z", 1, [1]))
        ),
        Unsupported,
        "are (2, 1)",
    ),
    "no outputs": (
        model(RELU, [1, 3], change=lambda m: m.graph.ClearField("output")),
        Unsupported,
        "are (1, 0)",
    ),
    "integer input": (
        model([node("Identity", "x")], [1, 3], element=7),
        Unsupported,
        "not declared as a tensor of float32",
    ),
    "input without shape": (model(RELU, None), Unsupported, "with a shape"),
    "sequence input": (
        model(
            RELU,
            [1, 3],
            change=lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", 1, [3])),
        ),
        Unsupported,
        "field 4 of TypeProto",
    ),
    "batch": (model(RELU, [2, 3]), Unsupported, "[2, 3], batch above one"),
    "symbolic feature": (model(RELU, [1, "n"]), Unsupported, "shape [1, 0]"),
    "symbolic vector": (model(RELU, ["n"]), Unsupported, "shape [0]"),
    "empty input": (model(RELU, [1, 0]), Unsupported, "shape [1, 0]"),
    "huge input": (model(RELU, [1, BIG]), Unsupported, "depends on the input of shape [1, 1000000000000]"),
    "integer output": (model([node("Shape", "x")], [1, 3], output_element=7), Unsupported, "no reals"),
    "mixed types": (model(ADD, [1, 3], {"c": np.zeros(3)}), Unsupported, "float32, float64"),
    "integer arithmetic": (
        model([node("Add", "s s", "t"), node("Reshape", "x t")], [1, 3], {"s": i64(1)}),
        Unsupported,
        "arithmetic on",
    ),
    "no broadcast": (model(ADD, [1, 3], {"c": f32(1, 2)}), Malformed, "do not broadcast"),
    "broadcast too large": (
        model(
            [node("Add", "x c", "a"), node("Add", "a d")],
            [1, 1500],
            {"c": f32(1), "d": np.zeros((1500, 1), "f4")},
        ),
        Unsupported,
        "of shape [1500, 1500]",
    ),
    "product of tensors": (model([node("Mul", "x x")], [1, 3]), Unsupported, "product of two tensors"),
    "matmul of tensors": (model([node("MatMul", "x x")], [1, 1]), Unsupported, "product of two tensors"),
    "division by tensor": (model([node("Div", "c x")], [1, 3], C), Unsupported, "division by a tensor"),
    "division by zero": (model([node("Div", "x c")], [1, 3], {"c": f32(0)}), Malformed, "division by zero"),
    "matmul shapes": (model([node("MatMul", "x w")], [1, 2], W), Malformed, "do not multiply"),
    "matmul scalar": (
        model([node("MatMul", "x c")], [1, 3], {"c": np.float32(1)}),
        Malformed,
        "with a scalar",
    ),
    "gemm rank": (model([node("Gemm", "x w")], [1, 1, 3], W), Malformed, "is no matrix"),
    "gemm flag": (model([node("Gemm", "x w", transB=2)], [1, 3], W), Malformed, "neither 0 nor 1"),
    "gemm bias": (
        model([node("Gemm", "x w c")], [1, 3], W | {"c": reals(4, 2)}),
        Malformed,
        "does not broadcast to",
    ),
    "contraction too large": (
        model([node("MatMul", "w x")], [1, 1, 1000], {"w": np.zeros((101_000, 1), "f4")}),
        Unsupported,
        "over 100000000 products",
    ),
    "clip bound tensor": (model([node("Clip", "x x")], [1, 1]), Unsupported, "input 1 is not constant"),
    "clip bound vector": (
        model([node("Clip", "x c")], [1, 3], C),
        Malformed,
        "input 1 has the wrong type or shape",
    ),
    "flatten axis": (model([node("Flatten", "x", axis=3)], [1, 3]), Malformed, "axis 3 is outside"),
    "reshape count": (
        model([node("Reshape", "x s")], [1, 3], {"s": i64(2, 2)}),
        Malformed,
        "does not reshape",
    ),
    "reshape two rests": (
        model([node("Reshape", "x s")], [1, 4], {"s": i64(-1, -1)}),
        Malformed,
        "does not reshape",
    ),
    "reshape rest": (
        model([node("Reshape", "x s")], [1, 3], {"s": i64(2, -1)}),
        Malformed,
        "does not reshape",
    ),
    "reshape copy": (
        model([node("Reshape", "x s")], [1, 3], {"s": i64(1, 3, 0)}),
        Malformed,
        "copies an axis",
    ),
    "reshape negative": (
        model([node("Reshape", "x s")], [1, 6], {"s": i64(-2, -3)}),
        Malformed,
        "does not reshape",
    ),
    "reshape by floats": (
        model([node("Reshape", "x s")], [1, 3], {"s": f32(3)}),
        Malformed,
        "wrong type or shape",
    ),
    "reshape by tensor": (model([node("Reshape", "x x")], [1, 3]), Unsupported, "not constant"),
    "perm": (model([node("Transpose", "x", perm=[0, 0])], [1, 3]), Malformed, "no permutation"),
    "squeeze size": (model([node("Squeeze", "x a")], [1, 3], {"a": i64(1)}), Malformed, "not all of size 1"),
    "squeeze axis": (model([node("Squeeze", "x a")], [1, 3], {"a": i64(2)}), Malformed, "axis 2 is outside"),
    "squeeze twice": (
        model([node("Squeeze", "x a")], [1, 1], {"a": i64(1, -1)}),
        Malformed,
        "one axis twice",
    ),
    "unsqueeze axes": (model([node("Unsqueeze", "x")], [1, 3], opset=11), Malformed, "'axes' is missing"),
    "cast to integer": (
        model([node("Cast", "x", to=7)], [1, 3], output_element=7),
        Unsupported,
        "cast from float32",
    ),
    "cast narrows": (
        model([node("Cast", "x", to=1)], [1, 3], element=11, output_element=1),
        Unsupported,
        "float64 to float32 may round",
    ),
    "cast without type": (model([node("Cast", "x")], [1, 3]), Malformed, "'to' is missing"),
    "cast rounds": (
        model([node("Cast", "c", "d", to=1), node("Add", "x d")], [1, 1], {"c": np.array([0.1])}),
        Unsupported,
        "float64 to float32 may round",
    ),
    "cast overflows": (
        model([node("Cast", "c", "d", to=1), node("Add", "x d")], [1, 1], {"c": np.array([1e300])}),
        Unsupported,
        "float64 to float32 may round",
    ),
    "cast wraps": (
        model([node("Cast", "s", "t", to=6), node("Reshape", "x t")], [1, 3], {"s": i64(2**31)}),
        Unsupported,
        "int64 to int32 may round",
    ),
    "empty constant": (
        model([node("Constant", "", "c"), node("Add", "x c")], [1, 3]),
        Malformed,
        "exactly one value",
    ),
    "constant string": (
        model([node("Constant", "", "c", value_string="a"), node("Add", "x c")], [1, 3]),
        Unsupported,
        "value_string",
    ),
    "constant without tensor": (
        model(
            [node("Constant", "", "c", value=helper.make_tensor("t", 1, [1], [1.0])), node("Add", "x c")],
            [1, 3],
            change=lambda m: m.graph.node[0].attribute[0].ClearField("t"),
        ),
        Malformed,
        "holds no tensor",
    ),
    "concat axis missing": (model([node("Concat", "x x")], [1, 3]), Malformed, "'axis' is missing"),
    "concat axis": (model([node("Concat", "x x", axis=2)], [1, 3]), Malformed, "axis 2 is outside"),
    "concat shapes": (
        model([node("Concat", "x c", axis=1)], [1, 3], {"c": reals(2, 2)}),
        Malformed,
        "do not join",
    ),
    "slice step": (
        model([node("Slice", "x s s a s")], [1, 3], {"s": i64(0), "a": i64(1)}),
        Unsupported,
        "step 0",
    ),
    "slice before start": (
        model([node("Slice", "x s e a t")], [1, 3], {"s": i64(-9), "e": i64(-10), "a": i64(1), "t": i64(-1)}),
        Unsupported,
        "backward slice",
    ),
    "slice lengths": (
        model([node("Slice", "x s e")], [1, 3], {"s": i64(0), "e": i64(1, 1)}),
        Malformed,
        "length",
    ),
    "slice empty": (
        model([node("Slice", "x s s a")], [1, 3], {"s": i64(1), "a": i64(1)}),
        Unsupported,
        "shape [1, 0]",
    ),
    "slice without ends": (model([node("Slice", "x", starts=[0])], [1, 3], opset=9), Malformed, "missing"),
    "pad mode": (
        model([node("Pad", "x p", mode="edge")], [1, 3], {"p": i64(0, 0, 0, 0)}),
        Unsupported,
        "'edge'",
    ),
    "pad negative": (
        model([node("Pad", "x p")], [1, 3], {"p": i64(0, -1, 0, 0)}),
        Unsupported,
        "none negative",
    ),
    "pad length": (
        model([node("Pad", "x p")], [1, 3], {"p": i64(0, 1)}),
        Unsupported,
        "two numbers per axis",
    ),
    "pad large": (
        model([node("Pad", "x p")], [1, 3], {"p": i64(0, 0, 0, 10**6)}),
        Unsupported,
        "of shape (1, 1000003)",
    ),
    "pad huge": (model([node("Pad", "x p")], [1, 3], {"p": i64(0, 0, 0, BIG)}), Unsupported, "elements"),
    "gather index": (
        model([node("Gather", "x i", axis=1)], [1, 3], {"i": i64(3)}),
        Malformed,
        "an index is outside",
    ),
    "gather floats": (
        model([node("Gather", "x i", axis=1)], [1, 3], {"i": f32(0)}),
        Unsupported,
        "no constant integers",
    ),
    "gather by tensor": (model([node("Gather", "x x")], [1, 3]), Unsupported, "no constant integers"),
    "stack of matrices": (
        model([node("MatMul", "x w")], [1, 2, 2, 3], {"w": reals(2, 3, 2)}),
        Unsupported,
        "stack of matrices",
    ),
    "stack of matrices on the left": (
        model([node("MatMul", "w x")], [1, 2, 3, 2], {"w": reals(5, 1, 2, 3)}),
        Unsupported,
        "stack of matrices",
    ),
    "negation": (model([node("Neg", "x")], [1, 3]), Unsupported, "operation Neg"),
    "sum": (model([node("Sum", "x x")], [1, 3]), Unsupported, "operation Sum"),
    "split": (model([node("Split", "x", "y", axis=1)], [1, 3]), Unsupported, "operation Split"),
    "dropout flag": (
        model([node("Dropout", "x r t", "y m")], [1, 3], {"r": np.float32(0.5), "t": np.array(False)}),
        Unsupported,
        "tensor of element type 9",
    ),
    "constant floats": (
        model([node("Constant", "", "c", value_floats=[0.3]), node("Add", "x c")], [1, 3]),
        Unsupported,
        "field 7 of AttributeProto",
    ),
    "integers of several products": (
        model([node("Mul", "s s", "t"), node("Reshape", "x t")], [1, 3], {"s": i64(1)}),
        Unsupported,
        "arithmetic on int64",
    ),
    "number too long": (
        model(
            [node("Mul", f"c{i} c{i}", f"c{i + 1}") for i in range(60)] + [node("Mul", "x c60")],
            [1, 1],
            {"c0": f32(1.1)},
        ),
        Unsupported,
        "more than 4096 bits",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_model_is_refused(name: str) -> None:
    data, error, phrase = BAD[name]
    with pytest.raises(Rejected) as caught:
        read_model(data)
    assert type(caught.value) is error
    assert phrase in str(caught.value)
    assert caught.value.rule == "model"


def test_contraction_size_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    data = model([node("MatMul", "x w")], [1, 3], W)
    monkeypatch.setattr(arithmetic_operations, "LARGEST_CONTRACTION", 5)
    with pytest.raises(Unsupported, match="over 5 products"):
        read_model(data)
    monkeypatch.setattr(arithmetic_operations, "LARGEST_CONTRACTION", 6)
    assert len(read_model(data).stages) == 1


def test_tensor_segments_are_refused() -> None:
    def segment(message: Any) -> None:
        message.graph.initializer[0].segment.begin = 0

    with pytest.raises(Unsupported, match="field 3 of TensorProto"):
        read_model(model(ADD, [1, 3], C, change=segment))


@pytest.mark.clock
def test_damaged_bytes_raise_nothing_but_rejected() -> None:
    nodes = [
        node("Gemm", "x w b", "a", transB=1),
        node("Clip", "a lo hi", "c"),
        node("Pad", "c p", "d"),
        node("Reshape", "d s", "e"),
        node("Slice", "e one two", "f"),
        node("LeakyRelu", "f"),
    ]
    constants = {
        "w": reals(2, 3),
        "b": reals(2),
        "lo": np.float32(0),
        "hi": np.float32(1),
        "p": i64(0, 1, 0, 1),
        "s": i64(2, -1),
        "one": i64(0),
        "two": i64(2),
    }
    data = model(nodes, [1, 3], constants)
    assert len(read_model(data).stages) > 0
    source = random.Random(5)
    started, refused = time.monotonic(), 0
    for trial in range(1500):
        damaged = bytearray(data)
        if trial % 3 == 0:
            damaged = damaged[: source.randrange(len(data))]
        for _ in range(source.randrange(1, 4)):
            if damaged:
                damaged[source.randrange(len(damaged))] ^= 1 << source.randrange(8)
        try:
            read_model(bytes(damaged))
        except Rejected as error:
            refused += type(error) in (Malformed, Unsupported)
    assert refused > 500
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("opset", [11, 13])
def test_empty_axes_of_squeeze_are_refused(opset: int) -> None:
    """Runtimes squeeze every axis of size one there, or none."""
    constants = {"a": np.zeros(0, np.int64)} if opset >= 13 else {}
    inputs = ["x", "a"] if opset >= 13 else ["x"]
    squeeze = onnx.helper.make_node("Squeeze", inputs, ["y"], "s")
    if opset < 13:
        squeeze.attribute.extend([onnx.AttributeProto(name="axes", type=onnx.AttributeProto.INTS)])
    graph = onnx.helper.make_graph(
        [squeeze],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 2, 1])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)
    with pytest.raises(Unsupported, match="empty axes"):
        read_model(model.SerializeToString())
    with pytest.raises(UnsupportedModel, match="empty axes"):
        load_model(model.SerializeToString())


def test_names_cannot_forge_lines_of_output() -> None:
    refused = Unsupported("model", "operation 0 'a\nvalid: certificate'", "Sin\r is not read")
    assert "\n" not in str(refused) and "\r" not in str(refused)
    assert refused.where == r"operation 0 'a\nvalid: certificate'"
