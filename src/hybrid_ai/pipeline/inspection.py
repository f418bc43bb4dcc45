"""What is in a model, and what is supported."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hybrid_ai.pipeline.inputs import ModelSource, read_model

# What the two sides read; a test compares the element types with the reader's.
MODEL_ELEMENT_TYPES = ("float32", "float64")
# What verdicts can be about, in VNN-LIB 2.0's words: float64 models are analysed over the reals alone.
ELEMENT_TYPES = ("real", "float32")
SUPPORTED_ARITHMETICS = ("real", "float32", "both")
SUPPORTED_BACKENDS = ("cpu",)
ENGINES = ("fast", "exact")
PROPERTY_FORMATS = ("VNN-LIB 1.0", "VNN-LIB 2.0")


def inspect_model(model: ModelSource) -> dict[str, Any]:
    """Describe a model: shapes, parameters, neurons, stages, operations, and what is supported of it.

    Args:
        model: ONNX file: its path, its bytes, or loaded.

    Returns:
        Values that JSON can hold. That a model could be read means that its operations are supported for
        bounds and certificates in the arithmetics listed.

    Raises:
        BadInput: it is missing or no valid model.
        UnsupportedInput: it uses something that is not supported, which is named.
    """
    loaded = read_model(model)
    graph = loaded.graph
    reads, gives = (graph.input_name, graph.input_shape), (graph.output_name, graph.output_shape)
    return {
        "model_sha256": loaded.sha256,
        "opset": graph.opset,
        "element_type": graph.element,
        "input": {"name": reads[0], "shape": list(reads[1]), "elements": loaded.n_inputs},
        "output": {"name": gives[0], "shape": list(gives[1]), "elements": loaded.n_outputs},
        "parameters": loaded.parameters,
        "neurons": loaded.neuron_count,
        "stages": [{"kind": stage.kind, "size": stage.size} for stage in loaded.staged.stages],
        "operations": dict(Counter(operation.op_type for operation in graph.operations if operation.used)),
        "unused_operations": [operation.label for operation in graph.operations if not operation.used],
        "bounds": _arithmetics(graph.element),
        "certificate": _arithmetics(graph.element),
    }


def _arithmetics(element: str) -> list[str]:
    return list(SUPPORTED_ARITHMETICS) if element == "float32" else ["real"]


def supported() -> dict[str, Any]:
    """List what is supported: operations, element types, arithmetics, backends, engines, formats."""
    from hybrid_ai.network import supported_operations

    operations = {
        name: {"opsets": list(support.opsets), "notes": support.notes}
        for name, support in supported_operations().items()
    }
    return {
        "operations": operations,
        "element_types": list(ELEMENT_TYPES),
        "model_element_types": list(MODEL_ELEMENT_TYPES),
        "arithmetics": list(SUPPORTED_ARITHMETICS),
        "backends": list(SUPPORTED_BACKENDS),
        "engines": list(ENGINES),
        "property_formats": list(PROPERTY_FORMATS),
    }
