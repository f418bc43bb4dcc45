"""Models in bytes for the tests of the ONNX reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
helper = onnx.helper
numpy_helper = onnx.numpy_helper


def node(kind: str, inputs: str, output: str = "y", **attributes: Any) -> Any:
    """An operation; inputs and outputs are names separated by blanks, '_' for an absent one."""
    names = ["" if name == "_" else name for name in inputs.split()]
    return helper.make_node(kind, names, output.split(), name=f"{kind}_{output.split()[0]}", **attributes)


def model(
    nodes: list[Any],
    shape: list[int | str | None] | None,
    constants: dict[str, Any] | None = None,
    *,
    opset: int = 13,
    element: int = 1,
    output_element: int | None = None,
    output_shape: list[int] | None = None,
    change: Callable[[Any], None] | None = None,
) -> bytes:
    """Bytes of a model from x to y; `change` edits the message last."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", element, shape)],
        [helper.make_tensor_value_info("y", output_element or element, output_shape)],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    message = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    if change is not None:
        change(message)
    return bytes(message.SerializeToString())


def reals(*shape: int, seed: int = 1) -> Any:
    """Random float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def f32(*numbers: float) -> Any:
    return np.array(numbers, dtype=np.float32)


def i64(*numbers: int) -> Any:
    return np.array(numbers, dtype=np.int64)
