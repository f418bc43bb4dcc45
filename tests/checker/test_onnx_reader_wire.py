"""What protobuf passes over, and names without end: prover's and checker's reader refuse it alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
import pytest

from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.network import ModelError, NetworkError, UnsupportedModel, load_model
from tests.checker.models import model, node, reals


def changed(edit: Callable[[Any], object]) -> bytes:
    """A matrix product of one input and one weight, edited."""
    message = onnx.load_model_from_string(model([node("MatMul", "x w")], [1, 3], {"w": reals(3, 2)}))
    edit(message)
    return bytes(message.SerializeToString())


def shape(message: Any) -> Any:
    return message.graph.input[0].type.tensor_type.shape


def flipped(part: Any, field: str, wire: bytes) -> None:
    """Replace a field by the same number in another encoding."""
    part.ClearField(field)
    part.MergeFromString(wire)


# edit, error of the checker, error of the prover, part of the prover's place
PASSED_OVER = {
    "dimension as text": (
        lambda m: flipped(shape(m).dim[1], "dim_value", b"\x0a\x01\x03"),
        Malformed,
        ModelError,
        "model.graph.input[0].type.tensor_type.shape.dim[1].dim_value has wire type 2",
    ),
    "dimension as fixed64": (
        lambda m: flipped(shape(m).dim[1], "dim_value", b"\x09\x03" + bytes(7)),
        Malformed,
        ModelError,
        "dim[1].dim_value has wire type 1",
    ),
    "batch dimension as text": (
        lambda m: flipped(shape(m).dim[0], "dim_value", b"\x0a\x00"),
        Malformed,
        ModelError,
        "dim[0].dim_value has wire type 2",
    ),
    "shape as a number": (
        lambda m: flipped(m.graph.input[0].type.tensor_type, "shape", b"\x10\x00"),
        Malformed,
        ModelError,
        "tensor_type.shape has wire type 0",
    ),
    "operation type as a number": (
        lambda m: flipped(m.graph.node[0], "op_type", b"\x20\x00"),
        Malformed,
        ModelError,
        "model.graph.node[0].op_type has wire type 0",
    ),
    "domain as a number": (
        lambda m: m.graph.node[0].MergeFromString(b"\x38\x01"),
        Malformed,
        ModelError,
        "model.graph.node[0].domain has wire type 0",
    ),
    "undefined place of the data": (
        lambda m: m.graph.initializer[0].MergeFromString(b"\x70\x07"),
        Malformed,
        ModelError,
        "model.graph.initializer[0].data_location has wire type 0, or an undefined value",
    ),
    "field of the future": (
        lambda m: m.graph.MergeFromString(b"\xc0\x3e\x01"),
        Unsupported,
        UnsupportedModel,
        "model.graph has field 1000, which the installed onnx does not know",
    ),
}


@pytest.mark.parametrize("name", PASSED_OVER)
def test_what_protobuf_passes_over_is_refused(name: str) -> None:
    edit, of_checker, of_prover, place = PASSED_OVER[name]
    data = changed(edit)
    with pytest.raises(Rejected) as caught:
        read_model(data)
    assert type(caught.value) is of_checker
    with pytest.raises(NetworkError) as refused:
        load_model(data)
    assert type(refused.value) is of_prover
    assert place in str(refused.value)


def test_the_model_itself_is_read() -> None:
    data = changed(lambda message: None)
    assert read_model(data).n_inputs == load_model(data).n_inputs == 3


LONG = 100_000


@pytest.mark.parametrize("letter", ["a", "a b' ", "\n", "\U0001f600"])
def test_messages_do_not_repeat_endless_names(letter: str) -> None:
    name = (letter * LONG)[:LONG]
    broken = (
        lambda m: m.graph.node[0].MergeFrom(onnx.NodeProto(name=name, input=["x"])),
        lambda m: m.graph.node[0].MergeFrom(onnx.NodeProto(op_type=name)),
        lambda m: m.graph.node[0].input.__setitem__(0, name),
        lambda m: m.graph.initializer[0].MergeFrom(onnx.TensorProto(name=name, dims=[7])),
    )
    for edit in broken:
        data = changed(edit)
        with pytest.raises(NetworkError) as refused:
            load_model(data)
        with pytest.raises(Rejected) as caught:
            read_model(data)
        for message in (str(refused.value), str(caught.value)):
            assert len(message) < 8_000 and "\n" not in message
            if letter == "a":
                assert len(message) < 1_000


@pytest.mark.parametrize("length", [300, LONG])
def test_a_long_name_is_shown_at_both_ends_with_its_length(length: int) -> None:
    name = "first" + "-" * (length - 9) + "last"
    data = changed(lambda m: m.graph.node[0].MergeFrom(onnx.NodeProto(name=name, op_type="Sin")))
    with pytest.raises(UnsupportedModel) as refused:
        load_model(data)
    with pytest.raises(Unsupported) as caught:
        read_model(data)
    for place, whole in (
        (refused.value.operation, f"'{name}' (Sin)"),
        (caught.value.where, f"operation '{name}' (Sin)"),
    ):
        assert "first-" in place and "-last" in place
        assert (place == whole) == (length != LONG)
        assert (f"... ({len(whole)} characters) ..." in place) == (length == LONG)
