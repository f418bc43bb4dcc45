"""Malformed and unsupported models: type of the error, phrase, place and remedy; never another exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper

from hybrid_ai.network import ModelError, NetworkError, UnsupportedModel, load_model
from tests.unit.network.builder import DOUBLE, node, proto, weights

BAD, NOT = ModelError, UnsupportedModel
W = weights(4, 3)
Edit = Callable[[ModelProto], object]


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=np.int64)


def ops(
    error: type[NetworkError],
    phrase: str,
    *nodes: NodeProto,
    constants: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """A case made of operations."""
    return pytest.param(
        proto(nodes, constants, **options), error, phrase, id=phrase + f" {nodes[-1].op_type}"
    )


def edited(error: type[NetworkError], phrase: str, edit: Edit) -> Any:
    """A case made by editing a good model: Gemm, then Relu."""
    message = proto([node("Gemm", "x w", "z"), node("Relu", "z")], {"w": W})
    edit(message)
    return pytest.param(message, error, phrase, id=phrase)


def weight(message: ModelProto) -> TensorProto:
    found: TensorProto = message.graph.initializer[0]
    return found


def set_weight(**fields: Any) -> Edit:
    def edit(message: ModelProto) -> None:
        replaced = weight(message)
        for name, value in fields.items():
            replaced.ClearField(name)
            if isinstance(value, list):
                getattr(replaced, name).extend(value)
            else:
                setattr(replaced, name, value)

    return edit


def first_type(message: ModelProto) -> Any:
    return message.graph.input[0].type.tensor_type


def set_input(*sizes: int | str | None) -> Edit:
    def edit(message: ModelProto) -> None:
        message.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes))

    return edit


def set_output(sizes: list[int | str | None], element: int = 1) -> Edit:
    def edit(message: ModelProto) -> None:
        message.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", element, sizes))

    return edit


def external(message: ModelProto) -> None:
    weight(message).ClearField("raw_data")
    weight(message).data_location = TensorProto.EXTERNAL
    weight(message).external_data.add(key="location", value="weights.bin")


def nan_weights(value: float) -> bytes:
    values = W.astype(np.float32)
    values[1, 2] = value
    return values.tobytes()


def reverse_nodes(message: ModelProto) -> None:
    nodes = list(message.graph.node)[::-1]
    del message.graph.node[:]
    message.graph.node.extend(nodes)


STRUCTURE = [
    edited(BAD, "IR version 0", lambda m: m.ClearField("ir_version")),
    edited(BAD, "IR version 99", lambda m: setattr(m, "ir_version", 99)),
    edited(BAD, "unknown opset 99", lambda m: setattr(m.opset_import[0], "version", 99)),
    edited(BAD, "unknown opset 0", lambda m: setattr(m.opset_import[0], "version", 0)),
    edited(BAD, "unknown opset -3", lambda m: setattr(m.opset_import[0], "version", -3)),
    edited(NOT, "opset 7", lambda m: setattr(m.opset_import[0], "version", 7)),
    edited(BAD, "0 opset versions", lambda m: m.ClearField("opset_import")),
    edited(BAD, "2 opset versions", lambda m: m.opset_import.add(domain="ai.onnx", version=9)),
    edited(NOT, "functions", lambda m: m.functions.add(name="Relu", domain="")),
    edited(NOT, "training information", lambda m: m.training_info.add()),
    edited(NOT, "quantization annotations", lambda m: m.graph.quantization_annotation.add()),
    edited(NOT, "sparse initialisers", lambda m: m.graph.sparse_initializer.add()),
    edited(BAD, "no graph", lambda m: m.ClearField("graph")),
    edited(BAD, "has no input", lambda m: m.graph.ClearField("input")),
    edited(NOT, "0 inputs that are no initialisers", lambda m: setattr(m.graph.input[0], "name", "w")),
    edited(NOT, "2 inputs", lambda m: m.graph.input.add(name="x2")),
    edited(BAD, "two inputs have the same name", lambda m: m.graph.input.add(name="x")),
    edited(BAD, "has no output", lambda m: m.graph.ClearField("output")),
    edited(NOT, "2 outputs", lambda m: m.graph.output.add(name="z")),
    edited(BAD, "nothing computes the output 'q'", lambda m: setattr(m.graph.output[0], "name", "q")),
    edited(BAD, "input 'x' has no type", lambda m: m.graph.input[0].ClearField("type")),
    edited(NOT, "is no tensor", lambda m: m.graph.input[0].type.sequence_type.SetInParent()),
    edited(NOT, "input 'x' has no shape", lambda m: first_type(m).ClearField("shape")),
    edited(BAD, "undefined element type 0", lambda m: setattr(first_type(m), "elem_type", 0)),
    edited(BAD, "undefined element type 77", lambda m: setattr(first_type(m), "elem_type", 77)),
    edited(NOT, "element type float16", lambda m: setattr(first_type(m), "elem_type", TensorProto.FLOAT16)),
    edited(NOT, "element type bfloat16", lambda m: setattr(first_type(m), "elem_type", TensorProto.BFLOAT16)),
    edited(NOT, "input 'x' has element type int64", lambda m: setattr(first_type(m), "elem_type", 7)),
    edited(NOT, "has batch 2", set_input(2, 4)),
    edited(NOT, "open dimension beside the batch", set_input(1, "n")),
    edited(NOT, "open dimension beside", set_input(1, 0)),
    edited(BAD, "a dimension of -5", set_input(1, -5)),
    edited(NOT, "input 'x' has shape", set_input(1, 2**40)),
    edited(NOT, "input 'x' has shape [1, 1, 1", set_input(*[1] * 40)),
    edited(BAD, "shapes [1, 5] and [4, 3] do not fit", set_input(1, 5)),
    edited(BAD, "a factor has shape [4]", set_input(4)),
    edited(
        BAD, "mixes element types float32 and float64", lambda m: setattr(first_type(m), "elem_type", DOUBLE)
    ),
    edited(BAD, "output 'y' is declared with shape [1, 4]", set_output([1, 4])),
    edited(BAD, "declared with shape [?, 3, 1]", set_output(["n", 3, 1])),
    edited(BAD, "is declared as float64", set_output([1, 3], DOUBLE)),
    edited(BAD, "reads 'w', which is no input", lambda m: m.graph.ClearField("initializer")),
    edited(BAD, "unsorted or cyclic", reverse_nodes),
    edited(BAD, "reads 'y' before it is computed", lambda m: m.graph.node[0].input.__setitem__(0, "y")),
    edited(BAD, "'z' is made twice", lambda m: m.graph.node[1].output.__setitem__(0, "z")),
    edited(BAD, "'x' is made twice", lambda m: m.graph.node[1].output.__setitem__(0, "x")),
    edited(BAD, "'w' is made twice", lambda m: m.graph.node[0].output.__setitem__(0, "w")),
    edited(BAD, "'z' is made twice", lambda m: m.graph.node[0].output.append("z")),
    edited(BAD, "two operations are called", lambda m: setattr(m.graph.node[0], "name", "Relu of y")),
    edited(BAD, "has no output", lambda m: m.graph.node.add(op_type="Relu", input=["x"])),
    edited(BAD, "has no type", lambda m: m.graph.node.add(input=["x"], output=["k"])),
    edited(BAD, "two initialisers are called 'w'", lambda m: m.graph.initializer.append(weight(m))),
    edited(BAD, "an initialiser has no name", lambda m: m.graph.initializer.add()),
    edited(NOT, "domain 'com.example'", lambda m: setattr(m.graph.node[1], "domain", "com.example")),
]

TENSORS = [
    edited(BAD, "has external data", external),
    edited(BAD, "holds NaN or infinity", set_weight(raw_data=nan_weights(float("nan")))),
    edited(BAD, "holds NaN or infinity", set_weight(raw_data=nan_weights(float("-inf")))),
    edited(BAD, "holds NaN", set_weight(raw_data=b"", float_data=[float("inf")] * 12)),
    edited(NOT, "more than 2000000 elements", set_weight(dims=[2**20, 2**20])),
    edited(NOT, "more than 2000000 elements", set_weight(dims=[0, 2**62])),
    edited(NOT, "[0, 3], which is empty", set_weight(dims=[0, 3], raw_data=b"")),
    edited(BAD, "(20 elements) and data for 12", set_weight(dims=[4, 5])),
    edited(BAD, "data for 11.75", set_weight(raw_data=W.astype(np.float32).tobytes()[:-1])),
    edited(BAD, "data for 0", set_weight(raw_data=b"")),
    edited(BAD, "data twice", set_weight(float_data=[1.0])),
    edited(BAD, "has shape [4, -3]", set_weight(dims=[4, -3])),
    edited(BAD, "has shape [1, 1, 1", set_weight(dims=[1] * 70)),
    edited(NOT, "initialiser 'w' has element type float16", set_weight(data_type=10)),
    edited(NOT, "initialiser 'w' has element type string", set_weight(data_type=8)),
    edited(BAD, "undefined element type 0", set_weight(data_type=0)),
    edited(BAD, "undefined element type 55", set_weight(data_type=55)),
    edited(NOT, "is stored in segments", lambda m: weight(m).segment.SetInParent()),
    ops(NOT, "element type bool", node("Cast", "b", "f", to=1), node("Add", "x f"),
        constants={"b": np.array([True])}),
]  # fmt: skip


def huge_attribute(value: float) -> NodeProto:
    return node("LeakyRelu", "x", alpha=value)


def repeated_attribute() -> NodeProto:
    result = node("LeakyRelu", "x", alpha=0.5)
    result.attribute.append(helper.make_attribute("alpha", 0.25))
    return result


def referring_attribute() -> NodeProto:
    result = node("LeakyRelu", "x", alpha=0.5)
    result.attribute[0].ref_attr_name = "other"
    return result


OPERATIONS = [
    *(ops(NOT, f"{name} is not supported", node(name, "x")) for name in
      ("Sigmoid", "Tanh", "Softmax", "Abs", "MaxPool", "Erf", "Neg", "Sum", "Split", "NoSuchOperation")),
    ops(NOT, "irrational square root", node("BatchNormalization", "x s b m v"),
        constants={"s": weights(4), "b": weights(4), "m": weights(4), "v": weights(4)}),
    ops(NOT, "attribute 'gamma' is not supported", node("Relu", "x", gamma=1.0)),
    ops(NOT, "attribute 'axes' is not supported in opset 13", node("Squeeze", "x", axes=[0]), opset=13),
    ops(NOT, "attribute 'value_string'", node("Constant", "", "c", value_string="a"), node("Add", "x c")),
    ops(BAD, "attribute 'axis' is not of type INT", node("Flatten", "x", axis=1.0)),
    ops(BAD, "attribute 'axis' is missing", node("Concat", "x x")),
    ops(BAD, "is NaN or infinite", huge_attribute(float("nan"))),
    ops(BAD, "is NaN or infinite", huge_attribute(float("inf"))),
    ops(BAD, "'alpha' is repeated", repeated_attribute()),
    ops(BAD, "refers to an attribute of a function", referring_attribute()),
    ops(BAD, "has 3 inputs, opset 17 wants 2 to 2", node("Add", "x x x")),
    ops(BAD, "has 1 inputs", node("Gemm", "x")),
    ops(BAD, "has 2 outputs", node("Relu", "x", "y z")),
    ops(BAD, "input 1 is missing", node("Add", "x _")),
    ops(
        NOT,
        "the output does not depend",
        node("Div", "e f"),
        constants={"e": np.zeros((0,)), "f": np.zeros((0,))},
        y=(0,),
    ),
    ops(NOT, "the output does not depend", node("Identity", "c"), constants={"c": W}),
    ops(NOT, "optional output that is not supported", node("Dropout", "x", "h m"), node("Identity", "m")),
    ops(NOT, "has training_mode", node("Dropout", "x _ m"), constants={"m": ints(0)}),
    ops(NOT, "attribute 'value_floats'", node("Constant", "", "c", value_floats=[0.5]), node("Add", "x c")),
    ops(NOT, "attribute 'saturate'", node("Cast", "x", to=1, saturate=1), opset=19),
    ops(BAD, "'transB' is neither 0 nor 1", node("Gemm", "x w", transB=2), constants={"w": weights(3, 4)}),
    ops(NOT, "backwards from before", node("Slice", "x s e a t"),
        constants={"s": ints(-9), "e": ints(-10), "a": ints(1), "t": ints(-1)}),
    ops(NOT, "cannot hold it", node("Cast", "c", "i", to=7), node("Gather", "x i", axis=1),
        constants={"c": np.array([1.5])}),
    ops(NOT, "Add of element type int64", node("Add", "i i", "k"), node("Reshape", "x k"),
        constants={"i": ints(2)}),
    ops(NOT, "two tensors that depend", node("Transpose", "x", "t"), node("MatMul", "x t")),
    ops(NOT, "two tensors that depend", node("Gemm", "x x", transB=1)),
    ops(NOT, "two tensors that depend", node("Mul", "x x")),
    ops(NOT, "divides by a tensor that depends", node("Div", "c x"), constants={"c": W[:, 0]}),
    ops(BAD, "divides by zero", node("Div", "x c"), constants={"c": np.array(0.0)}),
    ops(NOT, "C depends on the input", node("Gemm", "x w x"), constants={"w": weights(4, 4)}),
    ops(BAD, "do not broadcast", node("Add", "x c"), constants={"c": weights(3)}),
    ops(BAD, "do not fit together", node("Gemm", "x w c"), constants={"w": W, "c": weights(2, 3)}),
    ops(BAD, "do not fit together", node("MatMul", "x w"), constants={"w": weights(3, 4)}),
    ops(BAD, "do not fit together", node("MatMul", "x w"), constants={"w": np.array(1.0)}),
    ops(NOT, "a stack of matrices", node("MatMul", "x w"), constants={"w": weights(2, 4, 3)}),
    ops(NOT, "Add of element type int64", node("Add", "x c"), constants={"c": ints(1)}),
    ops(BAD, "mixes element types", node("Concat", "x c", axis=1), constants={"c": np.array([[1]])}),
    ops(BAD, "do not fit together", node("Reshape", "x s"), constants={"s": ints(3, -1)}),
    ops(NOT, "which is too large", node("Reshape", "x s"), constants={"s": ints(2**40, 2)}),
    ops(BAD, "do not fit together", node("Reshape", "x s"), constants={"s": ints(1, 4, 0)}),
    ops(BAD, "is meaningless", node("Reshape", "x s"), constants={"s": ints(-1, -1)}),
    ops(BAD, "do not fit together", node("Reshape", "x s", allowzero=1), constants={"s": ints(0, 4)}),
    ops(BAD, "both 0 and -1", node("Reshape", "x s", allowzero=1), constants={"s": ints(0, -1)}),
    ops(BAD, "no list of integers", node("Reshape", "x s"), constants={"s": weights(2)}),
    ops(NOT, "the shape depends on the input", node("Reshape", "x x")),
    ops(NOT, "rank 20", node("Reshape", "x s"), constants={"s": ints(*[1] * 18, 2, 2)}),
    ops(NOT, "rank 42", node("Unsqueeze", "x a"), constants={"a": ints(*range(40))}),
    ops(BAD, "axis 5 of a tensor of rank 2", node("Flatten", "x", axis=5)),
    ops(BAD, "axis -1 is negative", node("Flatten", "x", axis=-1), opset=9),
    ops(BAD, "no permutation", node("Transpose", "x", perm=[0, 0])),
    ops(BAD, "not all of size 1", node("Squeeze", "x a"), constants={"a": ints(1)}),
    ops(BAD, "name one axis twice", node("Unsqueeze", "x a"), constants={"a": ints(0, -4)}),
    ops(BAD, "do not fit together", node("Concat", "x c", axis=1), constants={"c": weights(2, 4)}),
    ops(BAD, "a step is 0", node("Slice", "x s s s s"), constants={"s": ints(0)}),
    ops(BAD, "differ in length", node("Slice", "x s e"), constants={"s": ints(0), "e": ints(1, 1)}),
    ops(BAD, "input 1 is missing", node("Slice", "x _ e"), constants={"e": ints(1)}),
    ops(NOT, "the result is an empty tensor", node("Slice", "x s e"), constants={"s": ints(0), "e": ints(0)}),
    ops(NOT, "mode 'reflect'", node("Pad", "x p", mode="reflect"), constants={"p": ints(0, 0, 0, 0)}),
    ops(BAD, "3 pads for 2 axes", node("Pad", "x p"), constants={"p": ints(0, 0, 0)}),
    ops(NOT, "are negative", node("Pad", "x p"), constants={"p": ints(0, -1, 0, 2)}),
    ops(NOT, "needs a tensor of", node("Pad", "x p"), constants={"p": ints(0, 2**40, 0, 0)}),
    ops(NOT, "constant_value depends", node("Pad", "x p x"), constants={"p": ints(0, 0, 0, 0)}),
    ops(BAD, "no single number", node("Pad", "x p c"), constants={"p": ints(0, 0, 0, 0), "c": weights(2)}),
    ops(BAD, "an index is outside", node("Gather", "x i", axis=1), constants={"i": ints(4)}),
    ops(NOT, "the indices depends", node("Gather", "x x", axis=1)),
    ops(NOT, "Relu of a constant", node("Relu", "c", "h"), node("Add", "x h"), constants={"c": W[:, 0]}),
    ops(NOT, "Clip of a constant", node("Clip", "c", "h"), node("Add", "x h"), constants={"c": W[:, 0]}),
    ops(NOT, "min depends on the input", node("Clip", "x x")),
    ops(BAD, "no single number", node("Clip", "x c"), constants={"c": weights(2)}),
    ops(NOT, "casts from float32 to float16", node("Cast", "x", to=10)),
    ops(NOT, "casts from float32 to int64", node("Cast", "x", to=7)),
    ops(BAD, "undefined element type 99", node("Cast", "x", to=99)),
    ops(NOT, "which rounds it", node("Cast", "i", "f", to=1), node("Add", "x f"),
        constants={"i": ints(2**24 + 1)}),
    ops(NOT, "casts from float64 to float32", node("Cast", "x", to=1), element=DOUBLE),
    ops(BAD, "has 2 values instead of one", node("Constant", "", "c", value_int=1, value_float=1.0),
        node("Add", "x c")),
    ops(NOT, "Mul of element type int64", node("Mul", "i i", "j"), node("Reshape", "x j"),
        constants={"i": ints(2**40)}),
    ops(NOT, "Div of element type int64", node("Div", "i j", "k"), node("Reshape", "x k"),
        constants={"i": ints(4), "j": ints(2)}),
    ops(NOT, "more than 4096 bits", *(node("Mul", f"c{k} c{k}", f"c{k + 1}") for k in range(8)),
        node("Add", "x c8"), constants={"c0": np.array(1.1)}),
    ops(NOT, "bits", *(node("Mul", f"c{k} c{k}", f"c{k + 1}") for k in range(40)), node("Add", "x c40"),
        constants={"c0": np.array(1.1)}),
    ops(NOT, "beyond the largest double", node("Mul", "c c", "d"), node("Add", "x d"),
        constants={"c": np.array(1e300)}, element=DOUBLE),
    ops(NOT, "needs a tensor of", node("Concat", "x x", "t0", axis=1),
        *(node("Concat", f"t{k} t{k}", f"t{k + 1}", axis=1) for k in range(40)), node("Identity", "t40")),
]  # fmt: skip


@pytest.mark.parametrize(("message", "error", "phrase"), STRUCTURE + TENSORS + OPERATIONS)
def test_refused(message: ModelProto, error: type[NetworkError], phrase: str) -> None:
    with pytest.raises(NetworkError) as caught:
        load_model(message.SerializeToString())
    assert type(caught.value) is error
    assert phrase in str(caught.value)
    assert caught.value.file == "model"
    assert caught.value.remedy
    assert caught.value.exit_code == (2 if error is ModelError else 20)


def test_there_are_many_kinds() -> None:
    assert len({case.values[2] for case in STRUCTURE + TENSORS + OPERATIONS}) >= 55


def test_unnamed_operations_are_numbered() -> None:
    unnamed = node("Sigmoid", "h")
    unnamed.name = ""
    with pytest.raises(UnsupportedModel) as caught:
        load_model(proto([node("Relu", "x", "h"), unnamed]).SerializeToString())
    assert caught.value.operation == "number 1 (Sigmoid)"
    assert (caught.value.op_type, caught.value.reason) == ("Sigmoid", "Sigmoid is not supported")


def test_a_name_that_is_no_text() -> None:
    data = proto([node("Relu", "x", "hidden"), node("Relu", "hidden")]).SerializeToString()
    with pytest.raises(ModelError, match="is not UTF-8"):
        load_model(data.replace(b"hidden", b"hid\xff\xfen"))


def test_initialisers_listed_as_inputs_are_no_inputs() -> None:
    message = proto([node("Gemm", "x w")], {"w": W})
    message.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3]))
    assert load_model(message.SerializeToString()).n_inputs == 4


@pytest.mark.parametrize("batch", ["batch", 0, -1, None, 1])
def test_an_open_batch_is_one(batch: int | str | None) -> None:
    message = proto([node("Gemm", "x w")], {"w": W}, x=(batch, 4), y=(batch, 3))
    loaded = load_model(message.SerializeToString())
    assert (loaded.input_shape, loaded.output_shape) == ((1, 4), (1, 3))


GOOD = proto(
    [
        node("Gemm", "x w c", "a", alpha=0.5, transB=1),
        node("LeakyRelu", "a", "b", alpha=0.25),
        node("Slice", "b s e ax", "d"),
        node("Concat", "d a", "k", axis=1),
        node("Pad", "k p", "q"),
        node("Reshape", "q sh", "r"),
        node("Clip", "r lo hi", "t"),
        node("Transpose", "t"),
    ],
    {"w": weights(3, 4), "c": weights(3), "s": ints(0), "e": ints(2), "ax": ints(1), "p": ints(0, 1, 0, 0),
     "sh": ints(2, -1), "lo": np.array(0.0), "hi": np.array(1.0)},
    x=("batch", 4),
).SerializeToString()  # fmt: skip


def survives(data: bytes) -> bool:
    """Load; any exception but NetworkError fails the test."""
    try:
        load_model(data)
    except NetworkError as error:
        assert error.reason and error.remedy
        return False
    return True


def test_truncated_models_are_refused_or_read() -> None:
    assert survives(GOOD)
    results = [survives(GOOD[:length]) for length in range(len(GOOD))]
    assert not all(results)


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_give_an_error_or_a_model(seed: int) -> None:
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(250):
        data = bytearray(GOOD)
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            data[place] ^= 1 << int(rng.integers(8))
        refused += not survives(bytes(data))
    assert 0 < refused < 250


@pytest.mark.parametrize("seed", range(4))
def test_replaced_bytes_give_an_error_or_a_model(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    results = []
    for _ in range(250):
        data = bytearray(GOOD)
        start = int(rng.integers(len(data)))
        data[start : start + int(rng.integers(1, 9))] = rng.bytes(int(rng.integers(0, 12)))
        results.append(survives(bytes(data)))
    assert not all(results)


def test_noise_is_refused() -> None:
    rng = np.random.default_rng(5)
    assert not any(survives(rng.bytes(int(rng.integers(1, 200)))) for _ in range(500))


def test_deeply_nested_bytes_are_refused() -> None:
    data = b""
    for _ in range(2000):
        message = onnx.AttributeProto(name="g").SerializeToString()
        data = b"\x32" + _varint(len(data) + len(message)) + message + data
        if len(data) > 200_000:
            break
    assert not survives(b"\x3a" + _varint(len(data)) + data)


def _varint(value: int) -> bytes:
    result = bytearray()
    while value > 127:
        result.append(value & 127 | 128)
        value >>= 7
    return bytes([*result, value])
