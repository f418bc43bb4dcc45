"""The same model in the runtimes that people deploy: ONNX Runtime, and PyTorch where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime

from tests.soundness.float32.arithmetic import Singles
from tests.soundness.float32.evaluator import Tensors
from tests.soundness.float32.program import Program, Unsupported

LEVELS = ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")
THREADS = (1, 2)


@dataclass(frozen=True)
class Setting:
    """How ONNX Runtime runs a model."""

    level: str
    threads: int


SETTINGS = tuple(Setting(level, threads) for level in LEVELS for threads in THREADS)


def run_onnxruntime(data: bytes, x: Singles, setting: Setting, observed: Sequence[str] = ()) -> Tensors:
    """Return the output of a model, and the tensors observed (which become outputs, so that they are kept).

    x: the flattened input, float32.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, setting.level)
    options.intra_op_num_threads = setting.threads
    options.inter_op_num_threads = 1
    if observed:
        model = onnx.load_model_from_string(data)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in observed)
        data = model.SerializeToString()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    (declared,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    shape = [size if isinstance(size, int) else 1 for size in declared.shape]
    results = session.run(names, {declared.name: x.reshape(shape)})
    return dict(zip(names, (np.asarray(result) for result in results), strict=True))


def run_torch(torch: Any, program: Program, x: Singles) -> Tensors:
    """Return every tensor of the model rebuilt from PyTorch's functions, in eager mode on the CPU.

    torch: the imported module, version 2 or later; x: the flattened input, float32.
    """
    values = {name: torch.from_numpy(np.array(value)) for name, value in program.constants.items()}
    values[program.input] = torch.from_numpy(np.array(x)).reshape(program.input_shape)
    table = _torch_table(torch)
    with torch.no_grad():
        for node in program.nodes:
            if node.op_type not in table:
                raise Unsupported(f"{node.op_type} is not rebuilt in PyTorch")
            operands = [values[name] if name else None for name in node.inputs]
            values[node.output] = table[node.op_type](operands, node.attributes)
    return {n: v.numpy() for n, v in values.items() if n not in program.constants}


def _torch_table(torch: Any) -> Mapping[str, Callable[[list[Any], Mapping[str, Any]], Any]]:
    functional = torch.nn.functional

    def gemm(operands: list[Any], attributes: Mapping[str, Any]) -> Any:
        a = operands[0].T if attributes.get("transA", 0) else operands[0]
        b = operands[1].T if attributes.get("transB", 0) else operands[1]
        alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
        if len(operands) < 3 or operands[2] is None:
            return alpha * (a @ b)
        if alpha == beta == 1.0 and operands[2].ndim == 1:
            return functional.linear(a, b.T, operands[2])
        return torch.addmm(operands[2], a, b, beta=beta, alpha=alpha)

    def clip(operands: list[Any], _: Mapping[str, Any]) -> Any:
        limits = [*operands[1:], None, None][:2]
        return torch.clamp(operands[0], *limits)

    return {
        "Add": lambda o, a: o[0] + o[1],
        "Clip": clip,
        "Concat": lambda o, a: torch.cat(o, a["axis"]),
        "Div": lambda o, a: o[0] / o[1],
        "Dropout": lambda o, a: o[0],
        "Flatten": lambda o, a: torch.flatten(o[0], a.get("axis", 1)),
        "Gemm": gemm,
        "Identity": lambda o, a: o[0],
        "LeakyRelu": lambda o, a: functional.leaky_relu(o[0], a.get("alpha", 0.01)),
        "MatMul": lambda o, a: torch.matmul(o[0], o[1]),
        "Mul": lambda o, a: o[0] * o[1],
        "Relu": lambda o, a: torch.relu(o[0]),
        "Reshape": lambda o, a: torch.reshape(o[0], o[1].tolist()),
        "Sub": lambda o, a: o[0] - o[1],
        "Transpose": lambda o, a: o[0].permute(a["perm"]),
    }
