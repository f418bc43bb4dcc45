"""Reader of the protobuf wire format, and the fields of ONNX messages.

A message becomes a dictionary that holds each field of its schema by name: a list where the field is
repeated, else its value or, where the file leaves it out, its default. A field that no schema names is
refused, since it may change the meaning; so is a second occurrence of a field that is not repeated, since
readers disagree on it. Schemas nest without cycles, which limits the depth.
"""

import struct
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

from hybrid_ai.checker.rejected import Malformed, Unsupported

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
Message = Mapping[str, Any]


class Field(NamedTuple):
    """A field of a message.

    `decode` turns one occurrence, an int for a varint, else bytes, and its offset in the file into values.
    """

    name: str
    wire: int
    decode: Callable[[Any, int], list[Any]]
    default: Any
    repeated: bool = False


class Schema(NamedTuple):
    """Name of a message type, its fields by number, and fields that mean nothing here: names, comments."""

    name: str
    fields: Mapping[int, Field]
    ignored: Collection[int] = ()


def _malformed(offset: int, reason: str) -> Malformed:
    return Malformed("model", f"byte {offset}", reason)


def _varint(data: bytes, position: int, base: int) -> tuple[int, int]:
    """The unsigned varint at `position` and the position after it; `base` is the offset of `data`."""
    value = 0
    for count, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80 and value < 2**64:
            return value, position + count + 1
    raise _malformed(base + position, "varint truncated or longer than 64 bits")


def _integers(value: int | bytes, offset: int) -> list[int]:
    """Signed 64-bit integers: one, or packed ones."""
    unsigned, position = [value] if isinstance(value, int) else [], 0
    while isinstance(value, bytes) and position < len(value):
        number, position = _varint(value, position, offset)
        unsigned.append(number)
    return [number - 2**64 if number >= 2**63 else number for number in unsigned]


def _floats(code: str, value: bytes, offset: int) -> list[float]:
    count, rest = divmod(len(value), struct.calcsize(code))
    if rest:
        raise _malformed(offset, "packed numbers end inside a number")
    return list(struct.unpack(f"<{count}{code}", value))


def _texts(value: bytes, offset: int) -> list[str]:
    try:
        return [value.decode("utf-8")]
    except UnicodeDecodeError as error:
        raise _malformed(offset, "text is not UTF-8") from error


def integer(name: str) -> Field:
    """A signed 64-bit integer, 0 when absent."""
    return Field(name, VARINT, _integers, 0)


def real(name: str, wire: int) -> Field:
    """A float32 or float64 by its wire type, 0 when absent."""
    return Field(name, wire, partial(_floats, {FIXED32: "f", FIXED64: "d"}[wire]), 0.0)


def text(name: str) -> Field:
    """A string, empty when absent."""
    return Field(name, LENGTH, _texts, "")


def blob(name: str) -> Field:
    """Bytes, None when absent."""
    return Field(name, LENGTH, lambda value, offset: [value], None)


def message(name: str, schema: Schema) -> Field:
    """A message, None when absent."""
    return Field(name, LENGTH, lambda value, offset: [parse(schema, value, offset)], None)


def many(field: Field) -> Field:
    """The same field repeated; numbers packed or not."""
    return field._replace(repeated=True)


def parse(schema: Schema, data: bytes, base: int = 0) -> Message:
    """Read a message.

    Args:
        schema: the fields that may occur.
        data: bytes of the message.
        base: offset of `data` in the file, for errors.

    Raises:
        Malformed: truncated, groups, wrong wire types, a field given twice; names the byte.
        Unsupported: a field that the schema does not know.
    """
    result = {field.name: [] if field.repeated else field.default for field in schema.fields.values()}
    seen: set[int] = set()
    position = 0
    while position < len(data):
        start = base + position
        tag, position = _varint(data, position, base)
        number, wire = tag >> 3, tag & 7
        field = schema.fields.get(number)
        value, position = _value(data, position, base, wire)
        if field is None:
            if number not in schema.ignored:
                raise Unsupported("model", f"byte {start}", f"field {number} of {schema.name} is not read")
            continue
        if wire != field.wire and not (field.repeated and wire == LENGTH):
            raise _malformed(start, f"{schema.name}.{field.name} has wire type {wire}")
        values = field.decode(value, base + position - len(value) if isinstance(value, bytes) else start)
        if field.repeated:
            result[field.name] += values
        elif number in seen:
            raise _malformed(start, f"{schema.name}.{field.name} is given twice")
        else:
            (result[field.name],) = values
        seen.add(number)
    return result


def _value(data: bytes, position: int, base: int, wire: int) -> tuple[int | bytes, int]:
    """The value at `position` and the position after it."""
    if wire == VARINT:
        return _varint(data, position, base)
    if wire == LENGTH:
        size, position = _varint(data, position, base)
    elif wire in _FIXED_SIZES:
        size = _FIXED_SIZES[wire]
    else:
        raise _malformed(base + position, f"wire type {wire} (groups are refused)")
    if size > len(data) - position:
        raise _malformed(base + position, f"truncated: {size} bytes announced, {len(data) - position} left")
    return data[position : position + size], position + size


DIMENSION = Schema("TensorShapeProto.Dimension", {1: integer("dim_value")}, ignored=(2, 3))
SHAPE = Schema("TensorShapeProto", {1: many(message("dim", DIMENSION))})
TENSOR_TYPE = Schema("TypeProto.Tensor", {1: integer("elem_type"), 2: message("shape", SHAPE)})
TYPE = Schema("TypeProto", {1: message("tensor_type", TENSOR_TYPE)}, ignored=(6,))
VALUE_INFO = Schema("ValueInfoProto", {1: text("name"), 2: message("type", TYPE)}, ignored=(3, 4))
TENSOR = Schema("TensorProto", {
    1: many(integer("dims")), 2: integer("data_type"), 4: many(real("float_data", FIXED32)),
    5: many(integer("int32_data")), 7: many(integer("int64_data")), 8: text("name"), 9: blob("raw_data"),
    10: many(real("double_data", FIXED64)), 13: many(blob("external_data")), 14: integer("data_location"),
}, ignored=(12, 16))  # fmt: skip
ATTRIBUTE = Schema("AttributeProto", {
    1: text("name"), 2: real("f", FIXED32), 3: integer("i"), 4: text("s"), 5: message("t", TENSOR),
    8: many(integer("ints")), 20: integer("type"),
}, ignored=(13,))  # fmt: skip
NODE = Schema("NodeProto", {
    1: many(text("input")), 2: many(text("output")), 3: text("name"), 4: text("op_type"),
    5: many(message("attribute", ATTRIBUTE)), 7: text("domain"),
}, ignored=(6, 9))  # fmt: skip
GRAPH = Schema("GraphProto", {
    1: many(message("node", NODE)), 5: many(message("initializer", TENSOR)),
    11: many(message("input", VALUE_INFO)), 12: many(message("output", VALUE_INFO)),
}, ignored=(2, 10, 13, 16))  # fmt: skip
OPERATOR_SET = Schema("OperatorSetIdProto", {1: text("domain"), 2: integer("version")})
MODEL = Schema("ModelProto", {
    7: message("graph", GRAPH), 8: many(message("opset_import", OPERATOR_SET)),
}, ignored=(1, 2, 3, 4, 5, 6, 14))  # fmt: skip
