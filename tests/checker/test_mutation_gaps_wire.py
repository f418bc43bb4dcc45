"""The wire format to the last byte, its schemas against those of onnx, and what a graph may define."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from hybrid_ai.checker import protobuf
from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.protobuf import FIXED32, FIXED64, LENGTH, VARINT, Schema, parse
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from tests.checker.models import f32, helper, i64, model, node, np, onnx


def numbers() -> Schema:
    """Made anew, so that the functions that make fields run in the test."""
    return Schema("Numbers", {
        1: protobuf.integer("one"), 2: protobuf.many(protobuf.integer("many")),
        3: protobuf.real("single", FIXED32), 4: protobuf.real("double", FIXED64),
        5: protobuf.text("text"), 6: protobuf.blob("blob"),
    })  # fmt: skip


def test_what_is_absent() -> None:
    absent = {"one": 0, "many": [], "single": 0.0, "double": 0.0, "text": "", "blob": None}
    assert parse(numbers(), b"") == absent
    outer = Schema("Outer", {1: protobuf.message("inner", numbers())})
    assert parse(outer, b"") == {"inner": None}
    assert parse(outer, b"\x0a\x00") == {"inner": absent}


def test_fields_of_each_kind() -> None:
    data = b"\x08\x05\x10\x06\x10\x07" + b"\x1d" + struct.pack("<f", 0.5) + b"\x21" + struct.pack("<d", 2.5)
    data += b"\x2a\x02hi\x32\x01\xff"
    expected = {"one": 5, "many": [6, 7], "single": 0.5, "double": 2.5, "text": "hi", "blob": b"\xff"}
    assert parse(numbers(), data) == expected


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x7f", 127),
        (b"\x80\x01", 128),
        (b"\xff" * 8 + b"\x3f", 2**62 - 1),
        (b"\x80" * 8 + b"\x40", 2**62),
        (b"\xff" * 8 + b"\x7f", 2**63 - 1),
        (b"\x80" * 9 + b"\x01", -(2**63)),
        (b"\x81" + b"\x80" * 8 + b"\x01", -(2**63) + 1),
        (b"\xff" * 9 + b"\x01", -1),
        (b"\x80" * 9 + b"\x00", 0),
    ],
)
def test_integers_of_64_bits(data: bytes, value: int) -> None:
    assert parse(numbers(), b"\x08" + data)["one"] == value
    assert parse(numbers(), b"\x12" + bytes([2 * len(data)]) + 2 * data)["many"] == [value, value]


@pytest.mark.parametrize(
    "data", [b"\x80" * 9 + b"\x02", b"\x80" * 10 + b"\x00", b"\x80" * 10 + b"\x01", b"\x80" * 30 + b"\x00"]
)
def test_integers_beyond_64_bits(data: bytes) -> None:
    for start in (b"\x08", b"\x10", b"", b"\x12" + bytes([len(data)])):
        with pytest.raises(Malformed, match="longer than 64 bits"):
            parse(numbers(), start + data)


def test_lengths_beyond_the_end() -> None:
    before = b"\x10\x01" * 40
    for size in (3, 4, 40, 80, 84):
        with pytest.raises(Malformed, match=f"byte 82: truncated: {size} bytes announced, 2 left"):
            parse(numbers(), before + b"\x2a" + bytes([size]) + b"hi")
    for tag, size in ((b"\x1d", 4), (b"\x21", 8)):
        with pytest.raises(Malformed, match=f"byte 81: truncated: {size} bytes announced, 3 left"):
            parse(numbers(), before + tag + b"\0\0\0")


def test_offsets_in_messages_within_messages() -> None:
    middle = Schema("Middle", {1: protobuf.message("inner", numbers()), 2: protobuf.text("name")})
    outer = Schema("Outer", {1: protobuf.message("middle", middle), 2: protobuf.text("name")})
    for inner, where, error in (
        (b"\x10\x01\x78\x00", "byte 9: field 15", Unsupported),
        (b"\x10\x01\x0d\x00\x00\x00\x00", r"byte 9: Numbers.one has wire type 5", Malformed),
        (b"\x10\x01\x2a\x01\xff", "byte 11: text is not UTF-8", Malformed),
        (b"\x08\x01\x08\x02", "byte 9: Numbers.one is given twice", Malformed),
        (b"\x10\x01\x10\xff", "byte 10: varint truncated", Malformed),
        (b"\x10\x01\x2a\x09", "byte 11: truncated: 9 bytes announced, 0 left", Malformed),
    ):
        data = b"\x12\x01a" + b"\x0a" + bytes([len(inner) + 2]) + b"\x0a" + bytes([len(inner)]) + inner
        with pytest.raises(error, match=where):
            parse(outer, data)


# ---- schemas

# message of onnx -> name of the schema, names of the fields that mean nothing here
SCHEMAS: dict[str, tuple[str, str]] = {
    "TensorShapeProto.Dimension": ("DIMENSION", "dim_param denotation"),
    "TensorShapeProto": ("SHAPE", ""),
    "TypeProto.Tensor": ("TENSOR_TYPE", ""),
    "TypeProto": ("TYPE", "denotation"),
    "ValueInfoProto": ("VALUE_INFO", "doc_string metadata_props"),
    "TensorProto": ("TENSOR", "doc_string metadata_props"),
    "AttributeProto": ("ATTRIBUTE", "doc_string"),
    "NodeProto": ("NODE", "doc_string metadata_props"),
    "GraphProto": ("GRAPH", "name doc_string value_info metadata_props"),
    "OperatorSetIdProto": ("OPERATOR_SET", ""),
    "ModelProto": (
        "MODEL",
        "ir_version producer_name producer_version domain model_version doc_string metadata_props",
    ),
}
# types of descriptor.proto: double, float, int64, uint64, int32, enum; all others have a length
WIRES = {1: FIXED64, 2: FIXED32, 3: VARINT, 4: VARINT, 5: VARINT, 14: VARINT}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_those_of_onnx(name: str) -> None:
    constant, ignored = SCHEMAS[name]
    schema: Schema = getattr(protobuf, constant)
    kind: Any = onnx
    for part in name.split("."):
        kind = getattr(kind, part)
    described = kind.DESCRIPTOR
    for number, field in schema.fields.items():
        other = described.fields_by_number[number]
        assert (field.name, field.wire) == (other.name, WIRES.get(other.type, LENGTH))
        assert field.repeated == hasattr(getattr(kind(), other.name), "append")
    assert set(schema.ignored) == {described.fields_by_name[field].number for field in ignored.split()}
    assert schema.name == name
    for number in set(range(1, 100)) - set(schema.fields) - set(schema.ignored):
        tag = (
            (number << 3).to_bytes(1, "big")
            if number < 16
            else bytes([(number << 3) & 0x7F | 0x80, number >> 4])
        )
        with pytest.raises(Unsupported, match=f"field {number} of {name} is not read"):
            parse(schema, tag + b"\x00")


# ---- graphs


def test_the_version_of_the_default_domain_counts() -> None:
    def imports(*pairs: tuple[str, int]) -> Any:
        def change(message: Any) -> None:
            del message.opset_import[:]
            message.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in pairs)

        return model([node("Clip", "x", min=0.0)], [1, 2], change=change)

    for pairs in ([("", 10)], [("ai.onnx", 10)], [("ai.onnx.ml", 13), ("", 10)], [("", 10), ("other", 99)]):
        assert read_model(imports(*pairs)).n_inputs == 2
    for pairs in (
        [],
        [("ai.onnx.ml", 10)],
        [("other", 10)],
        [("", 10), ("ai.onnx", 10)],
        [("", 10), ("", 10)],
    ):
        with pytest.raises(Malformed, match="one version of the default domain"):
            read_model(imports(*pairs))
    for pairs in ([("", 13), ("other", 10)], [("other", 10), ("", 13)], [("", 7), ("other", 10)]):
        with pytest.raises(Unsupported, match="opset"):
            read_model(imports(*pairs))


def test_outputs_that_are_left_out_are_no_tensors() -> None:
    nodes = [node("Dropout", "x", "a _"), node("Dropout", "a", "y _")]
    for item in nodes:
        item.output[1] = ""
    assert read_model(model(nodes, [1, 2])).stages == ()
    for again in ("x", "a", "c"):
        nodes = [node("Relu", "x", "a"), node("Relu", "a", again), node("Add", "a c")]
        with pytest.raises(Rejected, match=f"tensor '{again}' is defined twice"):
            read_model(model(nodes, [1, 2], {"c": f32(1)}))


def test_what_nothing_depends_on_is_not_read() -> None:
    def change(message: Any) -> None:
        message.graph.initializer[0].data_type = 16

    for name in ("unused", "x"):
        kind = node("Add", "x c") if name == "x" else node("Relu", "x")
        content = model([kind], [1, 1], {"c": f32(1)}, change=change)
        if name == "unused":
            assert read_model(content).n_inputs == 1
        else:
            with pytest.raises(Unsupported, match="element type 16"):
                read_model(content)
    # An input and an output that are left out have nothing to do with each other.
    aside = node("Dropout", "x", "d _")
    aside.output[1] = ""
    nodes = [aside, node("Clip", "x _ c")]
    assert len(read_model(model(nodes, [1, 1], {"c": np.float32(1)})).stages) == 2


def test_inputs_need_a_type_and_a_shape() -> None:
    def without(field: str) -> bytes:
        def change(message: Any) -> None:
            info = message.graph.input[0]
            if field == "type":
                info.ClearField("type")
            elif field == "tensor_type":
                info.type.ClearField("tensor_type")
            else:
                info.type.tensor_type.ClearField(field)

        return model([node("Relu", "x")], [1, 2], change=change)

    for field in ("type", "tensor_type", "shape", "elem_type"):
        with pytest.raises(Unsupported, match="input 'x': not declared as a tensor of float32 or float64"):
            read_model(without(field))


@pytest.mark.parametrize(("element", "double"), [(1, False), (11, True)])
def test_inputs_of_64_bits_are_known(element: int, double: bool) -> None:
    assert read_model(model([node("Relu", "x")], [1, 2], element=element)).double is double


def test_casts_do_not_change_the_type_of_the_input() -> None:
    nodes = [node("Cast", "x", "w", to=11), node("Relu", "w")]
    assert not read_model(model(nodes, [1, 2], output_element=11)).double


def test_what_older_opsets_allow() -> None:
    constants = {"w": np.eye(2, dtype="f4"), "c": f32(1, 2), "i": i64(1)}

    def read(*nodes: Any) -> Any:
        names = {name for item in nodes for name in item.input}
        own = {name: value for name, value in constants.items() if name in names}
        return read_model(model(list(nodes), [1, 2], own, opset=10))

    assert read(node("Gemm", "x w c")).stages[-1].bias == (1, 2)
    assert read(node("Squeeze", "x", "s"), node("Relu", "s")).n_inputs == 2
    assert len(read(node("Concat", "x x", axis=0)).stages[-1].bias) == 4
    assert read(node("Flatten", "x", axis=0)).n_inputs == 2
    # From the first version on, the axis of Gather may count from the end.
    assert len(read(node("Gather", "x i", axis=-1)).stages[-1].bias) == 1


@pytest.mark.parametrize("number", [0, 5, 6, 8, 14])
def test_attributes_of_types_that_are_not_read(number: int) -> None:
    def change(message: Any) -> None:
        message.graph.node[0].attribute[0].type = number

    with pytest.raises(Unsupported, match=f"attribute 'alpha' of type {number}"):
        read_model(model([node("LeakyRelu", "x", alpha=0.5)], [1, 2], change=change))


def test_results_of_no_elements_are_refused() -> None:
    nodes = [node("Reshape", "e s", "z", allowzero=1), node("Shape", "z", "n"), node("Cast", "n", "f", to=1)]
    content = model([*nodes, node("Mul", "x f")], [1, 2], {"e": f32(), "s": i64(5, 0)}, opset=14)
    with pytest.raises(Unsupported, match=r"\(Reshape\): constant of shape \(5, 0\)"):
        read_model(content)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_constant_inputs_are_lists_or_numbers(rank: int) -> None:
    outline = (1,) * rank
    clip = model([node("Clip", "x c")], [1, 2], {"c": np.ones(outline, "f4")})
    lists = {"n": np.zeros(outline, "i8"), "m": np.ones(outline, "i8")}
    cut = model([node("Slice", "x n m m")], [1, 2], lists)
    for content in (clip, cut):
        if rank == 1:
            assert read_model(content).n_inputs == 2
        else:
            with pytest.raises(Malformed, match="input 1 has the wrong type or shape"):
                read_model(content)
