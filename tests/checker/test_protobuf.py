"""The checker's protobuf reader and gzip."""

from __future__ import annotations

import gzip
import struct

import pytest

from hybrid_ai.checker import protobuf
from hybrid_ai.checker.protobuf import FIXED32, FIXED64, Schema, integer, many, message, parse, real, text
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.checker.unpacking import unpacked

onnx = pytest.importorskip("onnx")

NUMBERS = Schema("Numbers", {
    1: integer("one"), 2: many(integer("integers")), 3: real("single", FIXED32),
    4: many(real("singles", FIXED32)), 5: many(real("doubles", FIXED64)),
}, ignored=(9,))  # fmt: skip
NESTED = Schema("Nested", {1: text("name"), 2: many(text("names")), 3: message("inner", NUMBERS)})


def test_values_and_defaults() -> None:
    empty = {"one": 0, "integers": [], "single": 0.0, "singles": [], "doubles": []}
    assert parse(NUMBERS, b"") == empty
    assert parse(NUMBERS, b"\x08\x96\x01")["one"] == 150
    assert parse(NUMBERS, b"\x08" + b"\xff" * 9 + b"\x01")["one"] == -1
    assert parse(NUMBERS, b"\x08\x80\x00")["one"] == 0  # a longer form of zero is legal protobuf
    assert parse(NUMBERS, b"\x1d" + struct.pack("<f", 0.5))["single"] == 0.5
    assert parse(NESTED, b"") == {"name": "", "names": [], "inner": None}
    inner = parse(NESTED, b"\x0a\x02hi\x12\x01a\x12\x00\x1a\x02\x08\x07")
    assert inner == {"name": "hi", "names": ["a", ""], "inner": {**empty, "one": 7}}


def test_ignored_fields_are_skipped_whatever_they_hold() -> None:
    assert parse(NUMBERS, b"\x48\x01" + b"\x4a\x02\xff\xff" + b"\x08\x03" + b"\x48\x02")["one"] == 3


def test_packed_and_unpacked_agree() -> None:
    assert parse(NUMBERS, b"\x10\x01\x12\x02\x02\x03\x10\x04")["integers"] == [1, 2, 3, 4]
    half, two = struct.pack("<f", 0.5), struct.pack("<f", 2.0)
    assert parse(NUMBERS, b"\x22\x08" + half + two + b"\x25" + half)["singles"] == [0.5, 2.0, 0.5]
    assert parse(NUMBERS, b"\x29" + struct.pack("<d", 0.1))["doubles"] == [0.1]


@pytest.mark.parametrize(
    ("schema", "data", "error", "phrase"),
    [
        (NUMBERS, b"\x08", Malformed, "byte 1: varint truncated"),
        (NUMBERS, b"\x08\xff", Malformed, "byte 1: varint truncated"),
        (NUMBERS, b"\x08" + b"\xff" * 10, Malformed, "longer than 64 bits"),
        (NUMBERS, b"\x08" + b"\xff" * 9 + b"\x02", Malformed, "longer than 64 bits"),
        (NESTED, b"\x0a\x05hi", Malformed, "byte 2: truncated: 5 bytes announced, 2 left"),
        (NESTED, b"\x0a" + b"\xff" * 8 + b"\x7f", Malformed, "truncated"),
        (NUMBERS, b"\x1d\x00", Malformed, "truncated: 4 bytes"),
        (NUMBERS, b"\x29\x00", Malformed, "truncated: 8 bytes"),
        (NUMBERS, b"\x0b\x0c", Malformed, "wire type 3 (groups are refused)"),
        (NUMBERS, b"\x4b\x4c", Malformed, "wire type 3 (groups are refused)"),
        (NUMBERS, b"\x0c", Malformed, "wire type 4"),
        (NUMBERS, b"\x0f", Malformed, "wire type 7"),
        (NUMBERS, b"\x00\x00", Unsupported, "byte 0: field 0 of Numbers is not read"),
        (NUMBERS, b"\x80\x80\x80\x80\x20\x00", Unsupported, "is not read"),
        (NUMBERS, b"\x38\x00", Unsupported, "byte 0: field 7 of Numbers is not read"),
        (NUMBERS, b"\x08\x01\x08\x01", Malformed, "byte 2: Numbers.one is given twice"),
        (NUMBERS, b"\x08\x00\x08\x00", Malformed, "given twice"),
        (NESTED, b"\x0a\x00\x0a\x00", Malformed, "Nested.name is given twice"),
        (NESTED, b"\x1a\x00\x1a\x00", Malformed, "Nested.inner is given twice"),
        (NUMBERS, b"\x0a\x00", Malformed, "Numbers.one has wire type 2"),
        (NUMBERS, b"\x18\x00", Malformed, "Numbers.single has wire type 0"),
        (NUMBERS, b"\x1a\x00", Malformed, "Numbers.single has wire type 2"),
        (NESTED, b"\x08\x00", Malformed, "Nested.name has wire type 0"),
        (NESTED, b"\x10\x00", Malformed, "Nested.names has wire type 0"),
        (NUMBERS, b"\x15\x00\x00\x00\x00", Malformed, "Numbers.integers has wire type 5"),
        (NUMBERS, b"\x20\x00", Malformed, "Numbers.singles has wire type 0"),
        (NUMBERS, b"\x22\x03\x00\x00\x00", Malformed, "byte 2: packed numbers end inside a number"),
        (NESTED, b"\x0a\x01\xff", Malformed, "byte 2: text is not UTF-8"),
        (NUMBERS, b"\x12\x01\xff", Malformed, "byte 2: varint truncated"),
        (NESTED, b"\x1a\x02\x08\xff", Malformed, "byte 3: varint truncated"),
    ],
)
def test_broken_wire_format(schema: Schema, data: bytes, error: type[Rejected], phrase: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse(schema, data)
    assert type(caught.value) is error
    assert phrase in str(caught.value)


# fields of ONNX that name, describe or repeat, and so mean nothing to the reader
COMMENTS = {
    "ir_version", "producer_name", "producer_version", "domain", "model_version", "doc_string",
    "metadata_props", "name", "value_info", "dim_param", "denotation",
}  # fmt: skip


def test_field_numbers_are_those_of_onnx() -> None:
    schemas = [
        (protobuf.MODEL, onnx.ModelProto),
        (protobuf.OPERATOR_SET, onnx.OperatorSetIdProto),
        (protobuf.GRAPH, onnx.GraphProto),
        (protobuf.NODE, onnx.NodeProto),
        (protobuf.ATTRIBUTE, onnx.AttributeProto),
        (protobuf.TENSOR, onnx.TensorProto),
        (protobuf.VALUE_INFO, onnx.ValueInfoProto),
        (protobuf.TYPE, onnx.TypeProto),
        (protobuf.TENSOR_TYPE, onnx.TypeProto.Tensor),
        (protobuf.SHAPE, onnx.TensorShapeProto),
        (protobuf.DIMENSION, onnx.TensorShapeProto.Dimension),
    ]
    for schema, theirs in schemas:
        fields = {item.number: item for item in theirs.DESCRIPTOR.fields}
        for number, field in schema.fields.items():
            assert fields[number].name == field.name
            assert (fields[number].is_repeated) == field.repeated
        assert {fields[number].name for number in schema.ignored} <= COMMENTS
        assert not set(schema.ignored) & set(schema.fields)


@pytest.mark.parametrize(
    ("data", "error", "phrase"),
    [
        (b"\x1f\x8bgarbage....", Malformed, "damaged"),
        (gzip.compress(b"x" * 50, mtime=0)[:-4], Malformed, "truncated"),
        (gzip.compress(b"x" * 50, mtime=0) + b"y", Malformed, "bytes after its end"),
        (gzip.compress(bytes(10**6)), Unsupported, "1000 bytes or more"),
    ],
)
def test_bad_gzip(data: bytes, error: type[Rejected], phrase: str) -> None:
    with pytest.raises(error, match=phrase):
        unpacked(data, "model", 1000)


def test_good_gzip() -> None:
    assert unpacked(gzip.compress(b"x" * 999, mtime=0), "model", 1000) == b"x" * 999
    assert unpacked(b"plain", "model", 1) == b"plain"
