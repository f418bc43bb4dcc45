"""Small problems that the shipped files do not have, and one that no search finishes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float64]


def write_network(path: Path, layers: Sequence[tuple[Array, Array]], last: str = "Identity") -> Path:
    """Dense layers with Relu between them and one operation at the end."""
    nodes, constants, name = [], [], "x"
    for k, (weights, bias) in enumerate(layers):
        constants.append(numpy_helper.from_array(weights.T.astype(np.float32), f"w{k}"))
        constants.append(numpy_helper.from_array(bias.astype(np.float32), f"b{k}"))
        kind = "Relu" if k + 1 < len(layers) else last
        nodes.append(helper.make_node("Gemm", [name, f"w{k}", f"b{k}"], [f"z{k}"], name=f"gemm{k}"))
        nodes.append(helper.make_node(kind, [f"z{k}"], [f"h{k}"], name=f"act{k}"))
        name = f"h{k}"
    sizes = layers[0][0].shape[1], layers[-1][0].shape[0]
    ends = [
        helper.make_tensor_value_info(tensor, TensorProto.FLOAT, [1, size])
        for tensor, size in zip(("x", name), sizes, strict=True)
    ]
    graph = helper.make_graph(nodes, "network", [ends[0]], [ends[1]], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def write_identity(path: Path, last: str = "Identity", weight: float = 1.0) -> Path:
    """Y_0 = X_0 + X_1, computed with a hidden layer."""
    first = np.array([[1.0, 1.0], [-1.0, -1.0]]), np.zeros(2)
    return write_network(path, [first, (np.array([[weight, -1.0]]), np.zeros(1))], last)


def write_tenth(folder: Path) -> tuple[Path, Path]:
    """Y_0 = X_0; the only unsafe point is 0.1 exactly, which is no float32."""
    layers = [(np.array([[1.0], [-1.0]]), np.zeros(2)), (np.array([[1.0, -1.0]]), np.zeros(1))]
    asserts = ["(>= X_0 0.1)", "(<= X_0 0.1)", "(<= Y_0 0.1)"]
    return write_network(folder / "m.onnx", layers), write_property(folder / "p.vnnlib", asserts, 1)


def write_property(path: Path, asserts: Sequence[str], inputs: int = 2, outputs: int = 1) -> Path:
    names = [f"X_{i}" for i in range(inputs)] + [f"Y_{i}" for i in range(outputs)]
    lines = [f"(declare-const {name} Real)" for name in names] + [f"(assert {text})" for text in asserts]
    path.write_text("\n".join(lines) + "\n")
    return path


def box(lower: float, upper: float, inputs: int = 2) -> list[str]:
    return [text for i in range(inputs) for text in (f"(>= X_{i} {lower})", f"(<= X_{i} {upper})")]


def write_endless(folder: Path) -> tuple[Path, Path]:
    """A random network and a limit that no box but a tiny one decides: true, and hopeless."""
    generator = np.random.default_rng(1)
    sizes = (12, 40, 40, 40, 1)
    layers = [
        (generator.normal(size=(after, before)) / math.sqrt(before), generator.normal(size=after) * 0.1)
        for before, after in pairwise(sizes)
    ]
    model = write_network(folder / "endless.onnx", layers)
    # Far above what attacks reach, far below what bounds on anything but tiny boxes show.
    return model, write_property(folder / "endless.vnnlib", [*box(-1, 1, 12), "(>= Y_0 4.0)"], 12)
