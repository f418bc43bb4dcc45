"""Run a model file in ONNX Runtime, for refutations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import RuntimeFailure
from .source import unpack


@dataclass(frozen=True)
class RuntimeOptions:
    """What an evaluation ran with; threads 0 is ONNX Runtime's own choice."""

    version: str
    provider: str
    graph_optimization: str
    threads: int


def run_onnxruntime(
    data: bytes, x: NDArray[np.float32], *, optimised: bool
) -> tuple[NDArray[Any], RuntimeOptions]:
    """Return the flattened outputs of ONNX Runtime (CPU) at one input, and the options used.

    data: an ONNX file, gzip or not. x: the flattened input (n,), numbers of the model's input type (float32
    or float64). optimised: False for one thread and no graph optimisation, True for the default options.
    Raises RuntimeFailure where ONNX Runtime refuses file or input.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
    record = RuntimeOptions(
        onnxruntime.__version__,
        "CPUExecutionProvider",
        options.graph_optimization_level.name,
        options.intra_op_num_threads,
    )
    try:
        session = onnxruntime.InferenceSession(unpack(data, "model"), options, providers=[record.provider])
        (declared,) = session.get_inputs()
        outputs = session.run(None, {declared.name: _shaped(x, declared.type, declared.shape)})
    except _runtime_errors() as error:
        raise RuntimeFailure(f"ONNX Runtime {record.version} cannot run it: {error}") from error
    return np.asarray(outputs[0]).ravel(), record


def _shaped(x: NDArray[Any], element: str, declared: list[int | str | None]) -> NDArray[Any]:
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in declared]
    if x.ndim != 1 or x.size != math.prod(shape):
        raise ValueError(f"an input of shape {shape} has {math.prod(shape)} elements, got shape {x.shape}")
    wanted = {"tensor(float)": np.float32, "tensor(double)": np.float64}.get(element)
    if wanted is None or not np.array_equal(x.astype(wanted), x):
        raise ValueError(f"the values are not exactly of the model's input type {element}")
    return x.astype(wanted).reshape(shape)


def _runtime_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        ValueError,
        state.EPFail,
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
    )
