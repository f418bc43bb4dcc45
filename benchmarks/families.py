"""Trains families of small networks on simulated systems and writes them with properties, as suites.

    python benchmarks/families.py -o FOLDER [--steps 3000] [--family NAME]

Three systems are simulated here: a pendulum under a saturated controller (2 inputs), a lander that brakes
under a guidance law (6) and a battery module with a cooling loop (12). A network learns where each is a while
later. Written are, per family, `NAME/onnx/NAME.onnx`, `NAME/vnnlib/*.vnnlib` and `NAME/instances.csv`, as
`hybrid-ai verify --suite` and `hybrid-ai bench suite` read them. The same number of steps gives the same
files on the same machine.

The properties follow one rule. Box k of a family has its centre at the k-th point of a Kronecker sequence in
the middle half of every input's range, and sides of one share of that range. Widths, shares and slacks were
sized so that our search takes seconds at most; nothing was chosen by what other verifiers do with them. With
`span` the range of an output over 100,000 points of the box and `slack` a share of the family, claim k is

    k = 0, 3, 6   the first output stays below the sampled maximum plus slack * span  (likely holds)
    k = 1, 4, 7   the second output stays within the sampled range plus slack * span  (likely holds)
    k = 2, 5, 8   the first output stays below the sampled maximum less 0.5 % of span (fails)

Only what fails has a known verdict, by the sampled witness; the others are `open` in the suite.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float64]
Layers = list[tuple[Array, Array]]

BOXES = 9
SAMPLES = 100_000
EXAMPLES = 50_000  # to learn from
STEPS = 3000
BATCH = 256
RATE = 4e-3
TIMEOUT = 60
SHORT = 0.005  # share of the sampled range
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
COLUMNS = ("onnx", "vnnlib", "timeout_s", "verdict")


@dataclass(frozen=True)
class Family:
    """A system and the network that learns it.

    Attributes:
        name: of the family.
        inputs: name with unit, least and greatest value of each input.
        outputs: names with units.
        hidden: widths of the hidden layers.
        side: of a property's box, as a share of each input's range.
        slack: between what was sampled and what is claimed, as a share of the sampled range.
        simulate: outputs (n, n_outputs) of inputs (n, n_inputs), in the units above.
    """

    name: str
    inputs: tuple[tuple[str, float, float], ...]
    outputs: tuple[str, ...]
    hidden: tuple[int, ...]
    side: float
    slack: float
    simulate: Callable[[Array], Array]

    @property
    def lower(self) -> Array:
        return np.array([low for _, low, _ in self.inputs])

    @property
    def upper(self) -> Array:
        return np.array([high for _, _, high in self.inputs])


def pendulum(x: Array) -> Array:
    """Angle, speed and energy of a pendulum after 0.6 s; a motor of limited strength pumps energy."""
    angle, speed = x.T.copy()
    step = 0.03
    for _ in range(20):
        energy = speed**2 / 2 + 9.81 * (1 - np.cos(angle))
        torque = np.clip(0.8 * (9.81 - energy) * speed, -4.0, 4.0)
        speed = speed + step * (torque - 0.1 * speed - 9.81 * np.sin(angle))
        angle = angle + step * speed
    return np.stack([angle, speed, speed**2 / 2 + 9.81 * (1 - np.cos(angle))], axis=1)


def lander(x: Array) -> Array:
    """Descent speed, height and sideways speed after 4 s of guided braking with limited thrust."""
    height, descent, sideways, mass, efficiency, wind = x.T.copy()
    step = 0.1
    for _ in range(40):
        wanted = 3.71 + 0.6 * (descent - 1.0 - 0.12 * height)
        thrust = np.clip(wanted, 0.0, efficiency * 9000.0 / mass)
        descent = descent + step * (3.71 - thrust - 0.002 * descent * np.abs(descent))
        sideways = sideways + step * (
            0.25 * np.tanh(wind - sideways) - 0.3 * thrust * np.tanh(sideways) / 3.71
        )
        height = height - step * descent
    return np.stack([descent, height, sideways], axis=1)


def battery(x: Array) -> Array:
    """Hottest, mean and spread of the temperatures of eight cells in a row after 150 s."""
    cells, current, coolant, flow, ambient = x[:, :8].copy(), *(x[:, k : k + 1] for k in range(8, 12))
    step = 5.0
    for _ in range(30):
        padded = np.concatenate([cells[:, :1], cells, cells[:, -1:]], axis=1)
        conduction = 0.004 * (padded[:, 2:] - 2 * cells + padded[:, :-2])
        heat = 0.012 * current**2 * (1 + 0.02 * np.maximum(cells - 30.0, 0.0))
        cells = cells + step * (
            heat + conduction - 0.006 * flow * (cells - coolant) - 0.0006 * (cells - ambient)
        )
    spread = cells.max(axis=1) - cells.min(axis=1)
    return np.stack([cells.max(axis=1), cells.mean(axis=1), spread], axis=1)


FAMILIES = (
    Family(
        "pendulum",
        (("angle, rad", -2.0, 2.0), ("speed, rad/s", -4.0, 4.0)),
        ("angle, rad", "speed, rad/s", "energy, J/kg"),
        (64, 64, 64),
        0.5,
        0.02,
        pendulum,
    ),
    Family(
        "lander",
        (
            ("height, m", 20.0, 120.0),
            ("descent speed, m/s", 2.0, 20.0),
            ("sideways speed, m/s", -5.0, 5.0),
            ("mass, kg", 900.0, 1500.0),
            ("engine efficiency", 0.8, 1.0),
            ("wind, m/s", -8.0, 8.0),
        ),
        ("descent speed, m/s", "height, m", "sideways speed, m/s"),
        (48, 48, 48),
        0.3,
        0.02,
        lander,
    ),
    Family(
        "battery",
        (
            *((f"cell {k}, degrees C", 15.0, 40.0) for k in range(1, 9)),
            ("current, C rate", 0.0, 3.0),
            ("coolant, degrees C", 10.0, 30.0),
            ("coolant flow, share", 0.2, 1.0),
            ("ambient, degrees C", -5.0, 35.0),
        ),
        ("hottest cell, degrees C", "mean cell, degrees C", "spread, K"),
        (40, 40),
        0.2,
        0.12,
        battery,
    ),
)


def train(family: Family, steps: int) -> Layers:
    """Layers (weights of shape (in, out), biases) from physical inputs to physical outputs, in float32.

    Adam with a cosine-decayed rate on simulated examples; the scaling of inputs and outputs is folded into
    the first and the last layer before rounding.
    """
    rng = np.random.default_rng(len(family.inputs))
    centre, half = (family.lower + family.upper) / 2, (family.upper - family.lower) / 2
    examples = rng.uniform(-1.0, 1.0, (EXAMPLES, len(centre)))
    targets = family.simulate(centre + examples * half)
    mean, scale = targets.mean(axis=0), targets.std(axis=0)
    targets = (targets - mean) / scale
    layers = _initial(rng, (len(centre), *family.hidden, len(mean)))
    parameters = [array for layer in layers for array in layer]
    moments = [(np.zeros_like(array), np.zeros_like(array)) for array in parameters]
    for step in range(1, steps + 1):
        batch = rng.integers(0, EXAMPLES, BATCH)
        slopes = _gradients(layers, examples[batch], targets[batch])
        rate = RATE * (1 + math.cos(math.pi * step / steps)) / 2
        for array, slope, (first, second) in zip(parameters, slopes, moments, strict=True):
            first += 0.1 * (slope - first)
            second += 0.001 * (slope * slope - second)
            array -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    weights, bias = layers[0]
    layers[0] = (weights / half[:, None], bias - (centre / half) @ weights)
    weights, bias = layers[-1]
    layers[-1] = (weights * scale, bias * scale + mean)
    return [(_rounded(weights), _rounded(bias)) for weights, bias in layers]


def _initial(rng: np.random.Generator, widths: Sequence[int]) -> Layers:
    return [
        (rng.normal(0.0, math.sqrt(2 / fan_in), (fan_in, fan_out)), np.zeros(fan_out))
        for fan_in, fan_out in itertools.pairwise(widths)
    ]


def _gradients(layers: Layers, inputs: Array, targets: Array) -> list[Array]:
    """Gradient of the mean squared error, in the order of the parameters."""
    hidden = [inputs]
    for weights, bias in layers[:-1]:
        hidden.append(np.maximum(hidden[-1] @ weights + bias, 0.0))
    back = 2.0 * (hidden[-1] @ layers[-1][0] + layers[-1][1] - targets) / targets.size
    found: list[Array] = []
    for (weights, _), before in zip(reversed(layers), reversed(hidden), strict=True):
        found = [before.T @ back, back.sum(axis=0), *found]
        back = (back @ weights.T) * (before > 0)
    return found


def _rounded(values: Array) -> Array:
    """The nearest float32 values, as float64."""
    return values.astype(np.float32).astype(np.float64)


def evaluate(layers: Layers, inputs: Array) -> Array:
    """The network's outputs (n, n_outputs) of physical inputs (n, n_inputs)."""
    values = inputs
    for weights, bias in layers[:-1]:
        values = np.maximum(values @ weights + bias, 0.0)
    result: Array = values @ layers[-1][0] + layers[-1][1]
    return result


def to_onnx(family: Family, layers: Layers) -> onnx.ModelProto:
    """The network as MatMul, Add and Relu, which verifiers read alike, in float32."""
    nodes, constants = [], {}
    value = "X"
    for k, (weights, bias) in enumerate(layers, start=1):
        last = k == len(layers)
        constants |= {f"weights_{k}": weights, f"bias_{k}": bias}
        nodes.append(helper.make_node("MatMul", [value, f"weights_{k}"], [f"product_{k}"], f"matmul_{k}"))
        value = "Y" if last else f"linear_{k}"
        nodes.append(helper.make_node("Add", [f"product_{k}", f"bias_{k}"], [value], f"add_{k}"))
        if not last:
            nodes.append(helper.make_node("Relu", [value], [f"hidden_{k}"], f"relu_{k}"))
            value = f"hidden_{k}"
    graph = helper.make_graph(
        nodes,
        family.name,
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, len(family.inputs)])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1, len(family.outputs)])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="hybrid-ai")
    model.ir_version = 7
    onnx.checker.check_model(model, full_check=True)
    return model


def box(family: Family, k: int) -> tuple[Array, Array]:
    """Bounds of the k-th box, rounded to six decimals."""
    steps = np.sqrt(np.array(PRIMES[: len(family.inputs)], dtype=np.float64))
    centre = 0.25 + 0.5 * np.modf((k + 1) * steps)[0]
    span = family.upper - family.lower
    low = np.maximum(centre - family.side / 2, 0.0) * span + family.lower
    high = np.minimum(centre + family.side / 2, 1.0) * span + family.lower
    return np.round(low, 6), np.round(high, 6)


def claim(family: Family, layers: Layers, k: int) -> tuple[str, str]:
    """The k-th property file and what is known of it: sat or open."""
    lower, upper = box(family, k)
    rng = np.random.default_rng(1000 + k)
    share = rng.uniform(0.0, 1.0, (SAMPLES, len(lower)))
    share = np.where(rng.uniform(size=share.shape) < 0.3, np.round(share), share)
    kind = k % 3
    j = 1 if kind == 1 else 0
    values = evaluate(layers, lower + share * (upper - lower))[:, j]
    low, high = float(values.min()), float(values.max())
    span = high - low
    if kind == 1:
        ends = (
            f"(and (<= Y_1 {low - family.slack * span:.6f})) (and (>= Y_1 {high + family.slack * span:.6f}))"
        )
        return _vnnlib(family, lower, upper, f"(assert (or {ends}))"), "open"
    limit = high + family.slack * span if kind == 0 else high - SHORT * span
    return _vnnlib(family, lower, upper, f"(assert (>= Y_0 {limit:.6f}))"), "sat" if kind else "open"


def _vnnlib(family: Family, lower: Array, upper: Array, violation: str) -> str:
    lines = [f"(declare-const X_{i} Real) ; {name}" for i, (name, _, _) in enumerate(family.inputs)]
    lines += [f"(declare-const Y_{j} Real) ; {name}" for j, name in enumerate(family.outputs)]
    for i, (low, high) in enumerate(zip(lower, upper, strict=True)):
        lines += [f"(assert (>= X_{i} {low:.6f}))", f"(assert (<= X_{i} {high:.6f}))"]
    return "\n".join([*lines, violation, ""])


def write_family(family: Family, folder: Path, steps: int) -> Path:
    """Train the network and write model, properties and suite below `folder/NAME`; the suite's path."""
    layers = train(family, steps)
    home = folder / family.name
    for name in ("onnx", "vnnlib"):
        (home / name).mkdir(parents=True, exist_ok=True)
    model = f"onnx/{family.name}.onnx"
    (home / model).write_bytes(to_onnx(family, layers).SerializeToString(deterministic=True))
    rows = []
    for k in range(BOXES):
        text, verdict = claim(family, layers, k)
        name = f"vnnlib/{family.name}_{k}.vnnlib"
        (home / name).write_text(text, encoding="utf-8")
        rows.append((model, name, TIMEOUT, verdict))
    with open(home / "instances.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])
    return home / "instances.csv"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the families")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of training ({STEPS})")
    parser.add_argument("--family", choices=[family.name for family in FAMILIES], help="only this one")
    options = parser.parse_args(arguments)
    for family in FAMILIES:
        if options.family in (None, family.name):
            print(write_family(family, options.output, options.steps))


if __name__ == "__main__":
    main()
