"""Checked access to the protobuf of a model: names, attributes and tensors, nothing taken on trust."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CHECK_EXPORT, ModelError, Where
from .forms import Constant, Shape
from .limits import MAX_CONSTANT_ELEMENTS, MAX_RANK

# Element type of TensorProto: name, format of raw_data, field otherwise used, type that holds it here.
_ELEMENTS: Mapping[int, tuple[str, str, str, Any]] = {
    1: ("float32", "<f4", "float_data", np.float64),
    11: ("float64", "<f8", "double_data", np.float64),
    6: ("int32", "<i4", "int32_data", np.int64),
    7: ("int64", "<i8", "int64_data", np.int64),
}
_EXTERNAL = 1
REAL_ELEMENTS = ("float32", "float64")


def parse_model(data: bytes, file: str) -> Any:
    """Return the onnx.ModelProto.

    Raises ModelError where the bytes are none, UnsupportedModel where they hold fields unknown to onnx.
    """
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        reason = "is no ONNX file (its protobuf cannot be read)"
        raise ModelError(reason, file=file, remedy=CHECK_EXPORT) from error
    if not model.HasField("graph"):
        raise ModelError("is no ONNX model (it has no graph)", file=file, remedy=CHECK_EXPORT)
    _refuse_unknown_fields(model, Where(file))
    return model


def _refuse_unknown_fields(model: Any, where: Where) -> None:
    """Refuse what protobuf passes over: unknown fields, other wire types, undefined enumeration values.

    Sound because: each of them may change what the model means; taken for absent it would have its default.
    """
    from google.protobuf.message import Message
    from google.protobuf.unknown_fields import UnknownFieldSet

    todo = [("model", model)]
    while todo:
        path, message = todo.pop()
        for unknown in UnknownFieldSet(message):
            field = message.DESCRIPTOR.fields_by_number.get(unknown.field_number)
            if field is None:
                reason = f"{path} has field {unknown.field_number}, which the installed onnx does not know"
                raise where.unsupported(reason, "install a newer onnx, or export the model again")
            reason = f"has wire type {unknown.wire_type}, or an undefined value"
            raise where.malformed(f"{path}.{field.name} {reason}")
        for field, value in message.ListFields():
            if isinstance(value, Message):
                todo.append((f"{path}.{field.name}", value))
            elif field.message_type is not None:
                todo += [(f"{path}.{field.name}[{index}]", part) for index, part in enumerate(value)]


def text(value: object, where: Where) -> str:
    """Return a protobuf string; raise ModelError where it is not UTF-8 (protobuf hands out bytes then)."""
    if not isinstance(value, str):
        raise where.malformed(f"the name {_quoted(value)} is not UTF-8")
    return value


def _quoted(value: object) -> str:
    """Return the value as a message quotes it, of at most 40 characters."""
    quoted = repr(value)
    return quoted if len(quoted) <= 40 else quoted[:37] + "..."


def element_name(number: int) -> str:
    """Return the element type's name in lower case, or its number."""
    import onnx

    values = onnx.TensorProto.DataType.values()
    if number not in values:
        return f"number {number}"
    name = str(onnx.TensorProto.DataType.Name(number))
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())


def real_element(number: int, what: str, where: Where) -> str:
    """Return "float32" or "float64".

    Raises ModelError for an undefined element type, UnsupportedModel for others.
    """
    name = element_name(number)
    if number == 0 or name.startswith("number"):
        raise where.malformed(f"{what} has undefined element type {number}")
    if name not in REAL_ELEMENTS:
        raise where.unsupported(f"{what} has element type {name}", "export the model in float32 or float64")
    return name


def check_tensor(tensor: Any, what: str, where: Where) -> Shape:
    """Return the shape of a TensorProto, having checked that it holds as many elements as it claims.

    Raises ModelError for external data, negative dimensions, data missing or left over, UnsupportedModel
    for huge ones. Contents of
    an element type that the reader does not know are not looked at.
    """
    if tensor.data_location == _EXTERNAL or len(tensor.external_data):
        raise where.malformed(f"{what} has external data", "save the model as one file")
    shape = tuple(tensor.dims)
    if len(shape) > MAX_RANK or any(size < 0 for size in shape):
        raise where.malformed(f"{what} has shape {list(shape)[:MAX_RANK]}")
    count = math.prod(shape)
    if math.prod(max(size, 1) for size in shape) > MAX_CONSTANT_ELEMENTS:
        reason = f"{what} has shape {list(shape)}, more than {MAX_CONSTANT_ELEMENTS} elements"
        raise where.unsupported(reason, "use a smaller model")
    if tensor.data_type not in _ELEMENTS:
        return shape
    _, packed, field, _ = _ELEMENTS[tensor.data_type]
    raw, listed = len(tensor.raw_data), len(getattr(tensor, field))
    if raw and listed:
        raise where.malformed(f"{what} has its data twice")
    held = raw / np.dtype(packed).itemsize if raw else listed
    if held != count:
        raise where.malformed(f"{what} has shape {list(shape)} ({count} elements) and data for {held:g}")
    return shape


def read_tensor(tensor: Any, what: str, where: Where) -> Constant:
    """Return a TensorProto's contents.

    Raises ModelError as check_tensor does and for NaN and infinity, UnsupportedModel for element types other
    than float32, float64, int32 and int64, and for no elements but an empty list.
    """
    shape = check_tensor(tensor, what, where)
    if tensor.data_type not in _ELEMENTS:
        name = element_name(tensor.data_type)
        if tensor.data_type == 0 or name.startswith("number"):
            raise where.malformed(f"{what} has undefined element type {tensor.data_type}")
        raise where.unsupported(f"{what} has element type {name}", "export the model in float32 or float64")
    if tensor.HasField("segment"):
        raise where.unsupported(f"{what} is stored in segments", "save the model as one file")
    if 0 in shape and shape != (0,):
        raise where.unsupported(f"{what} has shape {list(shape)}, which is empty")
    element, packed, field, held = _ELEMENTS[tensor.data_type]
    values: NDArray[Any]
    if tensor.raw_data:
        with np.errstate(invalid="ignore"):  # a signalling NaN, refused below
            values = np.frombuffer(tensor.raw_data, packed).astype(held)
    else:
        values = np.array(getattr(tensor, field), dtype=held)
    if element in REAL_ELEMENTS and not np.all(np.isfinite(values)):
        raise where.malformed(f"{what} holds NaN or infinity", "replace it by a finite number")
    return Constant(values.reshape(shape), element)


def read_attributes(node: Any, where: Where) -> dict[str, Any]:
    """Return a node's attributes by name: int, float, bytes, tuples of them, or a TensorProto.

    Attributes of other kinds (graphs, ...) are returned as the AttributeProto. Raises ModelError for a
    repeated or unnamed attribute, one that refers to a function's, NaN or infinity.
    """
    result: dict[str, Any] = {}
    for attribute in node.attribute:
        name = text(attribute.name, where)
        if not name or name in result:
            raise where.malformed(f"attribute '{name}' is repeated or has no name")
        if attribute.ref_attr_name:
            raise where.malformed(f"attribute '{name}' refers to an attribute of a function")
        result[name] = _attribute_value(attribute)
        numbers = result[name] if isinstance(result[name], tuple) else (result[name],)
        if any(isinstance(value, float) and not math.isfinite(value) for value in numbers):
            raise where.malformed(f"attribute '{name}' is NaN or infinite", "replace it by a finite number")
    return result


def _attribute_value(attribute: Any) -> Any:
    kind = attribute.type
    if kind == attribute.FLOAT:
        return float(attribute.f)
    if kind == attribute.INT:
        return int(attribute.i)
    if kind == attribute.STRING:
        return bytes(attribute.s)
    if kind == attribute.TENSOR:
        return attribute.t
    if kind == attribute.FLOATS:
        return tuple(float(value) for value in attribute.floats)
    if kind == attribute.INTS:
        return tuple(int(value) for value in attribute.ints)
    return attribute
