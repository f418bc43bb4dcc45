"""The example of docs/formats/certificate.md, section 9, is built here, compared byte by byte and checked."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hybrid_ai.certificate import Header, Leaf, Row, Split, encode_certificate, encode_step
from hybrid_ai.checker.check import check

PAGE = Path(__file__).parents[3] / "docs" / "formats" / "certificate.md"

PROPERTY = b"""\
(declare-const X_0 Real)
(declare-const Y_0 Real)
(assert (>= X_0 -1))
(assert (<= X_0 1))
(assert (>= Y_0 1.25))
"""


def absolute_value() -> bytes:
    """Y_0 = relu(X_0) + relu(-X_0)."""
    constants = [
        numpy_helper.from_array(np.array([[1.0, -1.0]], np.float32), "W1"),
        numpy_helper.from_array(np.array([[1.0], [1.0]], np.float32), "W2"),
    ]
    nodes = [
        helper.make_node("MatMul", ["X", "W1"], ["z"], "z"),
        helper.make_node("Relu", ["z"], ["h"], "h"),
        helper.make_node("MatMul", ["h", "W2"], ["Y"], "Y"),
    ]
    graph = helper.make_graph(
        nodes,
        "absolute value",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, 1])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1, 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def certificate(model: bytes) -> bytes:
    """Split the axis once; each half is closed by the only row."""
    steps = (Split(0), Leaf((Row(0),)), Leaf((Row(0),)))
    tree = b"".join(encode_step(step, [1], [0]) for step in steps)
    header = Header(sha256(model).digest(), sha256(PROPERTY).digest())
    return encode_certificate(header, [tree])


def documented_hexadecimal() -> str:
    """The bytes printed on the page: hexadecimal pairs before two spaces, line by line."""
    section = PAGE.read_text(encoding="utf-8").split("## 9. Example")[1].split("```")[1]
    return "".join(line.split("   ")[0].strip().replace(" ", "") for line in section.strip().splitlines())


def test_the_page_shows_these_bytes() -> None:
    assert documented_hexadecimal() == certificate(absolute_value()).hex()


@pytest.mark.parametrize("engine", ["fast", "exact"])
def test_both_engines_accept_them(engine: str) -> None:
    model = absolute_value()
    accepted = check(model, PROPERTY, certificate(model), engine=engine)  # type: ignore[arg-type]
    assert (accepted.nodes, accepted.leaves, accepted.vacuous) == (3, 2, False)
