"""Trains the braking-distance surrogate that the demo certifies, and writes its requirements.

    python benchmarks/train_demo.py -o src/hybrid_ai/demo

The data is a point mass decelerating on a runway, computed here. The same seed and number of steps give the
same files on the same machine. Written are `braking.onnx` and one VNN-LIB file per requirement; such a file
states the violation of its requirement. Limits in them follow from sampling the trained network, and their
comments say what the sampling saw.
"""

from __future__ import annotations

import argparse
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float64]
Layers = list[tuple[Array, Array]]

GRAVITY = 9.80665  # m/s^2
KNOT = 1852 / 3600  # m/s
AIR_DENSITY = 1.225  # kg/m^3
WING_AREA = 122.0  # m^2
DRAG_COEFFICIENT = 0.12  # spoilers out, flaps down
LIFT_COEFFICIENT = 0.05  # spoilers out

NAMES = ("ground speed, kt", "mass, t", "headwind, kt", "slope, % (uphill positive)", "braking coefficient")
# The domain the network is trained on.
LOWER = np.array([90.0, 44.0, -10.0, -2.0, 0.1])
UPPER = np.array([160.0, 68.0, 40.0, 2.0, 0.5])
CENTRE = (LOWER + UPPER) / 2
HALF_RANGE = (UPPER - LOWER) / 2
WIDTHS = (5, 24, 24, 1)
SCALE = 500.0  # m; the last operations of the network turn its unit into metres
OFFSET = 1000.0  # m
SAMPLES = 1_000_000


@dataclass(frozen=True)
class Region:
    """A box of inputs on which a requirement is stated, in physical units."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]


# Wet to dry runway, light tailwind at most.
NORMAL = Region((110.0, 48.0, -5.0, -1.0, 0.2), (150.0, 66.0, 30.0, 1.0, 0.45))
# Everything the network was trained on.
WHOLE = Region(tuple(LOWER.tolist()), tuple(UPPER.tolist()))


def stopping_distance(inputs: Array) -> Array:
    """Distance in metres to come to rest, shape (n,), of inputs of shape (n, 5) in the units of `NAMES`.

    The integral of v / a(v) from 0 to the ground speed, by 24-point Gauss-Legendre quadrature, with
    a(v) = g (mu + slope) + k w |w|, w = v + headwind, k from drag and from lift, which unloads the wheels.
    """
    speed, mass, wind, slope, braking = inputs.T
    nodes, weights = np.polynomial.legendre.leggauss(24)
    v = np.outer(speed * KNOT / 2, nodes + 1)
    air_speed = v + (wind * KNOT)[:, None]
    drag = AIR_DENSITY * WING_AREA * (DRAG_COEFFICIENT - braking * LIFT_COEFFICIENT) / (2 * 1000 * mass)
    deceleration = GRAVITY * (braking + slope / 100)[:, None] + drag[:, None] * air_speed * np.abs(air_speed)
    distance: Array = (v / deceleration) @ weights * (speed * KNOT / 2)
    return distance


def initial_layers(rng: np.random.Generator) -> Layers:
    """Random layers (weights of shape (in, out), zero biases)."""
    return [
        (rng.normal(0.0, math.sqrt(2 / fan_in), (fan_in, fan_out)), np.zeros(fan_out))
        for fan_in, fan_out in itertools.pairwise(WIDTHS)
    ]


def gradients(layers: Layers, inputs: Array, targets: Array) -> Layers:
    """Gradient of the mean squared error of normalised inputs (n, 5) and targets (n,)."""
    hidden = [inputs]
    for weights, bias in layers[:-1]:
        hidden.append(np.maximum(hidden[-1] @ weights + bias, 0.0))
    outputs = hidden[-1] @ layers[-1][0] + layers[-1][1]
    back = 2.0 * (outputs - targets[:, None]) / len(targets)
    result: Layers = []
    for (weights, _), before in zip(reversed(layers), reversed(hidden), strict=True):
        result.append((before.T @ back, back.sum(axis=0)))
        back = (back @ weights.T) * (before > 0)
    return result[::-1]


def rounded(values: Array) -> Array:
    """The nearest float32 values, as float64."""
    return values.astype(np.float32).astype(np.float64)


def train(steps: int, seed: int, batch: int = 512, rate: float = 4e-3) -> Layers:
    """Adam with a cosine-decayed rate on fresh samples of the domain; weights rounded to float32."""
    rng = np.random.default_rng(seed)
    layers = initial_layers(rng)
    parameters = [p for layer in layers for p in layer]
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    for step in range(1, steps + 1):
        normalised = rng.uniform(-1.0, 1.0, (batch, WIDTHS[0]))
        targets = (stopping_distance(CENTRE + normalised * HALF_RANGE) - OFFSET) / SCALE
        slopes = [g for layer in gradients(layers, normalised, targets) for g in layer]
        now = rate * (1 + math.cos(math.pi * step / steps)) / 2
        for parameter, slope, mean, square in zip(parameters, slopes, first, second, strict=True):
            mean += 0.1 * (slope - mean)
            square += 0.001 * (slope * slope - square)
            parameter -= now * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return [(rounded(weights), rounded(bias)) for weights, bias in layers]


def evaluate(layers: Layers, inputs: Array) -> Array:
    """The network's distance in metres, shape (n,), of inputs (n, 5) in physical units."""
    values = (inputs - CENTRE) / HALF_RANGE
    for weights, bias in layers[:-1]:
        values = np.maximum(values @ weights + bias, 0.0)
    result: Array = ((values @ layers[-1][0] + layers[-1][1]) * SCALE + OFFSET)[:, 0]
    return result


def to_onnx(layers: Layers) -> onnx.ModelProto:
    """The network as an ONNX model from float32 [1, 5] in physical units to float32 [1, 1] in metres."""
    constants = {
        "centre": CENTRE,
        "half_range": HALF_RANGE,
        "scale": np.array([SCALE]),
        "offset": np.array([OFFSET]),
    }
    nodes = [
        helper.make_node("Sub", ["X", "centre"], ["centred"], "centre_inputs"),
        helper.make_node("Div", ["centred", "half_range"], ["hidden_0"], "scale_inputs"),
    ]
    for k, (weights, bias) in enumerate(layers, start=1):
        constants |= {f"weights_{k}": weights, f"bias_{k}": bias}
        operands = [f"hidden_{k - 1}", f"weights_{k}", f"bias_{k}"]
        nodes.append(helper.make_node("Gemm", operands, [f"linear_{k}"], f"gemm_{k}"))
        if k < len(layers):
            nodes.append(helper.make_node("Relu", [f"linear_{k}"], [f"hidden_{k}"], f"relu_{k}"))
    nodes += [
        helper.make_node("Mul", [f"linear_{len(layers)}", "scale"], ["scaled"], "scale_output"),
        helper.make_node("Add", ["scaled", "offset"], ["Y"], "shift_output"),
    ]
    graph = helper.make_graph(
        nodes,
        "braking_distance",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, WIDTHS[0]])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
        doc_string=f"Stopping distance in m from: {'; '.join(NAMES)}.",
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="hybrid-ai")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def sample(region: Region, seed: int, at_ends: float) -> Array:
    """`SAMPLES` points of the region; a coordinate is at an end of its range with probability `at_ends`."""
    rng = np.random.default_rng(seed)
    lower, upper = np.array(region.lower), np.array(region.upper)
    share = rng.uniform(0.0, 1.0, (SAMPLES, len(lower)))
    share = np.where(rng.uniform(size=share.shape) < at_ends, np.round(share), share)
    points: Array = lower + share * (upper - lower)
    return points


def vnnlib(title: str, notes: list[str], region: Region, violation: str) -> str:
    """The text of a property file: comments, declarations, the region, and the violation."""
    lines = [f"; {line}" for line in (title, *notes)]
    lines += ["", *(f"(declare-const X_{i} Real) ; {name}" for i, name in enumerate(NAMES))]
    lines += ["(declare-const Y_0 Real) ; stopping distance, m", ""]
    for i, (lower, upper) in enumerate(zip(region.lower, region.upper, strict=True)):
        lines += [f"(assert (>= X_{i} {lower}))", f"(assert (<= X_{i} {upper}))"]
    return "\n".join([*lines, "", violation, ""])


def requirements(layers: Layers, seed: int) -> dict[str, str]:
    """The property files by name: two requirements that hold and one that fails."""
    how = f"{SAMPLES:,} points, each coordinate at an end of its range with probability 1/2"
    normal = evaluate(layers, sample(NORMAL, seed, at_ends=0.5))
    whole = evaluate(layers, sample(WHOLE, seed, at_ends=0.5))
    uniform_points = sample(NORMAL, seed, at_ends=0.0)
    uniform = evaluate(layers, uniform_points)
    limit = math.ceil(normal.max() * 1.025)
    margin = 0.025 * np.ptp(whole)
    low, high = math.floor(whole.min() - margin), math.ceil(whole.max() + margin)
    short = math.floor(np.quantile(uniform, 0.999))
    witness = uniform_points[uniform.argmax()]
    return {
        "braking_limit": vnnlib(
            f"Holds: on a wet or dry runway the predicted distance stays below {limit} m.",
            [f"Sampled maximum {normal.max():.1f} m ({how})."],
            NORMAL,
            f"(assert (>= Y_0 {limit}.0))",
        ),
        "braking_envelope": vnnlib(
            f"Holds: on everything it was trained on, the prediction stays between {low} m and {high} m.",
            [f"Sampled minimum {whole.min():.1f} m, maximum {whole.max():.1f} m ({how})."],
            WHOLE,
            f"(assert (or (and (<= Y_0 {low}.0)) (and (>= Y_0 {high}.0))))",
        ),
        "braking_short_runway": vnnlib(
            f"Fails: on a wet or dry runway the predicted distance stays below {short} m.",
            [
                f"Of {SAMPLES:,} uniform points {np.count_nonzero(uniform >= short)} violate it; the worst,",
                f"X = {', '.join(f'{v:.3f}' for v in witness)}, has Y_0 = {uniform.max():.1f} m.",
            ],
            NORMAL,
            f"(assert (>= Y_0 {short}.0))",
        ),
    }


def accuracy(layers: Layers, seed: int) -> str:
    """One line: root-mean-square and largest error against the physics on uniform samples of the domain."""
    points = sample(WHOLE, seed + 1, at_ends=0.0)[:100_000]
    error = evaluate(layers, points) - stopping_distance(points)
    root_mean_square, largest = np.sqrt(np.mean(error**2)), np.abs(error).max()
    return f"error against the physics: {root_mean_square:.1f} m RMS, {largest:.1f} m at most"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="folder for the model and its properties"
    )
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args(arguments)
    layers = train(options.steps, options.seed)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "braking.onnx").write_bytes(to_onnx(layers).SerializeToString(deterministic=True))
    for name, text in requirements(layers, options.seed).items():
        (options.output / f"{name}.vnnlib").write_text(text, encoding="utf-8")
    print(accuracy(layers, options.seed))


if __name__ == "__main__":
    main()
