"""Writes the small networks of tests/data/models, each with a property that holds and one that fails.

    python tests/data/make_models.py -o tests/data/models

They exercise operations that the demo lacks: LeakyRelu and Clip; Slice and Concat; MatMul and a residual Add.
Weights are random multiples of 1/32, so that exact arithmetic stays readable. Limits follow from sampling.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Array = NDArray[np.float32]
SAMPLES = 200_000


@dataclass(frozen=True)
class Form:
    """A linear expression over outputs and inputs: as VNN-LIB text and as coefficients."""

    text: str
    outputs: tuple[float, ...]
    inputs: tuple[float, ...]


@dataclass(frozen=True)
class Network:
    """Operations from X of shape [1, inputs] to Y of shape [1, outputs], and what is claimed about them.

    The claims are about inputs in [-1, 1], where `constraint` (if any) is <= 0.5. Unsafe is a point where one
    of `forms` reaches its limit.
    """

    nodes: list[NodeProto]
    constants: dict[str, NDArray[np.generic]]
    inputs: int
    outputs: int
    forms: tuple[Form, ...]
    constraint: Form | None = None


def weights(rng: np.random.Generator, *shape: int) -> Array:
    """Random multiples of 1/32 in [-1.5, 1.5]."""
    return (rng.integers(-48, 49, shape) / 32).astype(np.float32)


def leaky_clip(rng: np.random.Generator) -> Network:
    """Gemm, LeakyRelu, Gemm with transposed weights, Clip on both sides, Gemm."""
    return Network(
        nodes=[
            helper.make_node("Gemm", ["X", "W1", "b1"], ["z1"], "gemm_1"),
            helper.make_node("LeakyRelu", ["z1"], ["h1"], "leaky_1", alpha=0.125),
            helper.make_node("Gemm", ["h1", "W2", "b2"], ["z2"], "gemm_2", transB=1),
            helper.make_node("Clip", ["z2", "low", "high"], ["h2"], "clip_2"),
            helper.make_node("Gemm", ["h2", "W3", "b3"], ["Y"], "gemm_3"),
        ],
        constants={
            "W1": weights(rng, 2, 6),
            "b1": weights(rng, 6),
            "W2": weights(rng, 5, 6),
            "b2": weights(rng, 5),
            "low": np.array(-0.5, np.float32),
            "high": np.array(1.0, np.float32),
            "W3": weights(rng, 5, 2),
            "b3": weights(rng, 2),
        },
        inputs=2,
        outputs=2,
        forms=(Form("Y_0", (1, 0), (0, 0)), Form("(- Y_1 Y_0)", (-1, 1), (0, 0))),
    )


def branches(rng: np.random.Generator) -> Network:
    """Two slices of the input, a dense Relu layer on each, concatenated, and a dense layer on both."""
    return Network(
        nodes=[
            helper.make_node("Slice", ["X", "zero", "two", "axis"], ["left"], "slice_left"),
            helper.make_node("Slice", ["X", "two", "four", "axis"], ["right"], "slice_right"),
            helper.make_node("Gemm", ["left", "W1", "b1"], ["z1"], "gemm_left"),
            helper.make_node("Relu", ["z1"], ["h1"], "relu_left"),
            helper.make_node("Gemm", ["right", "W2", "b2"], ["z2"], "gemm_right"),
            helper.make_node("Relu", ["z2"], ["h2"], "relu_right"),
            helper.make_node("Concat", ["h1", "h2"], ["h"], "concat", axis=1),
            helper.make_node("Gemm", ["h", "W3", "b3"], ["z3"], "gemm_both"),
            helper.make_node("Relu", ["z3"], ["h3"], "relu_both"),
            helper.make_node("Gemm", ["h3", "W4", "b4"], ["Y"], "gemm_out"),
        ],
        constants={
            "zero": np.array([0], np.int64),
            "two": np.array([2], np.int64),
            "four": np.array([4], np.int64),
            "axis": np.array([1], np.int64),
            "W1": weights(rng, 2, 4),
            "b1": weights(rng, 4),
            "W2": weights(rng, 2, 4),
            "b2": weights(rng, 4),
            "W3": weights(rng, 8, 6),
            "b3": weights(rng, 6),
            "W4": weights(rng, 6, 2),
            "b4": weights(rng, 2),
        },
        inputs=4,
        outputs=2,
        forms=(Form("(- Y_0 Y_1)", (1, -1), (0, 0, 0, 0)),),
        constraint=Form("(+ X_0 X_2)", (0, 0), (1, 0, 1, 0)),
    )


def residual(rng: np.random.Generator) -> Network:
    """MatMul and Add, Relu; a block of the same whose input is added to its output; a dense layer."""
    return Network(
        nodes=[
            helper.make_node("MatMul", ["X", "W1"], ["m1"], "matmul_1"),
            helper.make_node("Add", ["m1", "b1"], ["z1"], "add_1"),
            helper.make_node("Relu", ["z1"], ["h1"], "relu_1"),
            helper.make_node("MatMul", ["h1", "W2"], ["m2"], "matmul_2"),
            helper.make_node("Add", ["m2", "b2"], ["z2"], "add_2"),
            helper.make_node("Relu", ["z2"], ["h2"], "relu_2"),
            helper.make_node("Add", ["h1", "h2"], ["sum"], "skip"),
            helper.make_node("MatMul", ["sum", "W3"], ["m3"], "matmul_3"),
            helper.make_node("Add", ["b3", "m3"], ["Y"], "add_3"),
        ],
        constants={
            "W1": weights(rng, 3, 8),
            "b1": weights(rng, 8),
            "W2": weights(rng, 8, 8),
            "b2": weights(rng, 8),
            "W3": weights(rng, 8, 1),
            "b3": weights(rng, 1),
        },
        inputs=3,
        outputs=1,
        forms=(Form("(- Y_0 (* 2.0 X_1))", (1,), (0, -2, 0)),),
    )


def to_onnx(network: Network, name: str, batch: int = 1) -> onnx.ModelProto:
    """The network as an ONNX model with a leading axis of `batch`."""
    graph = helper.make_graph(
        network.nodes,
        name,
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [batch, network.inputs])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [batch, network.outputs])],
        [numpy_helper.from_array(value, key) for key, value in network.constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="hybrid-ai")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def sampled_values(network: Network, rng: np.random.Generator) -> list[Array]:
    """Per form its values at samples of the input set, a third of the coordinates at an end of the range."""
    points = rng.uniform(-1.0, 1.0, (SAMPLES, network.inputs)).astype(np.float32)
    points = np.where(rng.uniform(size=points.shape) < 1 / 3, np.sign(points), points)
    model = to_onnx(network, "batch", SAMPLES).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {"X": points})
    keep = np.ones(SAMPLES, bool)
    if network.constraint is not None:
        keep = points @ np.array(network.constraint.inputs, np.float32) <= 0.5
    return [
        (outputs @ np.array(form.outputs, np.float32) + points @ np.array(form.inputs, np.float32))[keep]
        for form in network.forms
    ]


def vnnlib(title: str, network: Network, violation: str) -> str:
    """The text of a property file."""
    lines = [f"; {title}", ""]
    lines += [f"(declare-const X_{i} Real)" for i in range(network.inputs)]
    lines += [f"(declare-const Y_{i} Real)" for i in range(network.outputs)]
    lines.append("")
    for i in range(network.inputs):
        lines += [f"(assert (>= X_{i} -1.0))", f"(assert (<= X_{i} 1.0))"]
    if network.constraint is not None:
        lines.append(f"(assert (<= {network.constraint.text} 0.5))")
    return "\n".join([*lines, f"(assert {violation})", ""])


def properties(network: Network, rng: np.random.Generator) -> dict[str, str]:
    """Texts of a property that holds (2 % of the range above the sampled maxima) and of one that fails."""
    values = sampled_values(network, rng)
    limits = [f"{v.max() + 0.02 * np.ptp(v):.3f}" for v in values]
    rows = [f"(>= {form.text} {limit})" for form, limit in zip(network.forms, limits, strict=True)]
    holds = rows[0] if len(rows) == 1 else f"(or {' '.join(f'(and {row})' for row in rows)})"
    reached = f"{values[0].max() - 0.05 * np.ptp(values[0]):.3f}"
    return {
        "holds": vnnlib(
            f"Holds. Sampled maxima: {', '.join(f'{v.max():.3f}' for v in values)}.", network, holds
        ),
        "fails": vnnlib(
            f"Fails: the form reaches {values[0].max():.3f} in sampling.",
            network,
            f"(>= {network.forms[0].text} {reached})",
        ),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the result")
    folder = parser.parse_args(arguments).output
    folder.mkdir(parents=True, exist_ok=True)
    for seed, make in enumerate((leaky_clip, branches, residual)):
        rng = np.random.default_rng(seed)
        network = make(rng)
        name = make.__name__
        (folder / f"{name}.onnx").write_bytes(to_onnx(network, name).SerializeToString(deterministic=True))
        for verdict, text in properties(network, rng).items():
            (folder / f"{name}_{verdict}.vnnlib").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
