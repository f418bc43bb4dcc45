"""Tiny models, and what the tests read off a loaded one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from hybrid_ai.network import Model, evaluate, evaluate_exact, load_model, run_onnxruntime

FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE
NEWEST_OF_RUNTIME = 26
Sizes = Sequence[int | str | None] | None


def node(op_type: str, inputs: str, output: str = "y", **attributes: Any) -> NodeProto:
    """An operation; input names are separated by blanks, `_` leaves an optional one out."""
    names = ["" if name == "_" else name for name in inputs.split()]
    return helper.make_node(op_type, names, output.split(), name=f"{op_type} of {output}", **attributes)


def proto(
    nodes: Sequence[NodeProto],
    constants: Mapping[str, Any] | None = None,
    x: Sizes = (1, 4),
    y: Sizes = None,
    opset: int = 17,
    element: int = FLOAT,
) -> onnx.ModelProto:
    """A model from `x` to `y`; constants that are lists of integers become int64, other numbers `element`."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", element, x)],
        [helper.make_tensor_value_info("y", element, y)],
        [tensor(name, value, element) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def tensor(name: str, value: Any, element: int = FLOAT) -> TensorProto:
    array = np.asarray(value)
    if array.dtype == np.float64:
        array = array.astype(helper.tensor_dtype_to_np_dtype(element))
    return numpy_helper.from_array(array, name)


def model(*arguments: Any, **options: Any) -> bytes:
    """The bytes of proto(...)."""
    return proto(*arguments, **options).SerializeToString()


def weights(*shape: int, seed: int = 1) -> NDArray[np.float64]:
    """Random float32 numbers, held as float64."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32).astype(np.float64)


def stages(loaded: Model) -> list[tuple[str, tuple[int, ...], int]]:
    """Kind, sources and size of each stage."""
    return [(s.kind, tuple(b.source for b in s.blocks), s.size) for s in loaded.staged.stages]


def reference(data: bytes, x: NDArray[Any]) -> NDArray[Any]:
    """The outputs by ONNX Runtime, or by onnx's own evaluator for opsets that the runtime lacks."""
    message = onnx.load_model_from_string(data)
    if message.opset_import[0].version <= NEWEST_OF_RUNTIME:
        return run_onnxruntime(data, x, optimised=False)[0]
    from onnx.reference import ReferenceEvaluator

    shape = load_model(data).input_shape
    (y,) = ReferenceEvaluator(message).run(None, {"x": x.reshape(shape)})
    return np.asarray(y).ravel()


def check_agreement(data: bytes, points: int = 3) -> Model:
    """Assert that exact, float64 and reference evaluation agree on random points; return the model."""
    loaded = load_model(data)
    element = np.float64 if loaded.graph.element == "float64" else np.float32
    rng = np.random.default_rng(0)
    for x in (rng.normal(size=(points, loaded.n_inputs)) * 2).astype(element):
        exact = evaluate_exact(loaded.staged, [Fraction(float(value)) for value in x])
        rounded = [float(value) for value in exact]
        assert np.allclose(evaluate(loaded.staged, x[None].astype(float))[0], rounded, rtol=1e-12, atol=1e-12)
        assert np.allclose(reference(data, x), rounded, rtol=1e-4, atol=1e-4)
        assert len(exact) == loaded.n_outputs == int(np.prod(loaded.output_shape))
    return loaded
