"""Random networks as ONNX files, with a box: what the evaluations of this folder run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from onnx import NodeProto

from tests.unit.network.builder import model, node

Constants = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A model file and an exact input box."""

    data: bytes
    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]


def _single(values: Any) -> Any:
    return np.asarray(values, np.float32)


def _sizes(rng: np.random.Generator) -> list[int]:
    return [int(rng.integers(2, 6)), *(int(k) for k in rng.integers(8, 21, size=3)), 3]


def _layers(
    rng: np.random.Generator, activate: Callable[[int], list[NodeProto]], first: str = "x"
) -> tuple[list[NodeProto], Constants, list[int]]:
    """Gemm layers named z0, z1, ...; activate(k) makes h<k> of z<k>; the last layer's result is `last`."""
    sizes, nodes, constants = _sizes(rng), [], {}
    for k in range(4):
        constants[f"w{k}"] = _single(rng.normal(size=(sizes[k], sizes[k + 1])))
        constants[f"b{k}"] = _single(rng.normal(size=sizes[k + 1]))
        name = "last" if k == 3 else f"z{k}"
        nodes.append(node("Gemm", f"{first if k == 0 else f'h{k - 1}'} w{k} b{k}", name))
        nodes += [] if k == 3 else activate(k)
    return nodes, constants, sizes


def _relu(k: int) -> list[NodeProto]:
    return [node("Relu", f"z{k}", f"h{k}")]


def _gemm(rng: np.random.Generator) -> tuple[list[NodeProto], Constants, list[int]]:
    nodes, constants, sizes = _layers(rng, _relu)
    return [*nodes, node("Identity", "last")], constants, sizes


def _normalised(rng: np.random.Generator) -> tuple[list[NodeProto], Constants, list[int]]:
    """(x - mean) / deviation first; scaled back at the end."""
    nodes, constants, sizes = _layers(rng, _relu, "n1")
    constants |= {
        "mean": _single(rng.normal(size=sizes[0]) * 3),
        "dev": _single(rng.uniform(0.3, 3, sizes[0])),
    }
    constants |= {"scale": _single(373.9), "offset": _single(7.5)}
    begin = [node("Sub", "x mean", "n0"), node("Div", "n0 dev", "n1")]
    end = [node("Mul", "last scale", "s"), node("Add", "s offset")]
    return [*begin, *nodes, *end], constants, sizes


def _leaky(rng: np.random.Generator) -> tuple[list[NodeProto], Constants, list[int]]:
    nodes, constants, sizes = _layers(
        rng, lambda k: [node("LeakyRelu", f"z{k}", f"h{k}", alpha=0.1 * (k + 1))]
    )
    return [*nodes, node("Identity", "last")], constants, sizes


def _clip(rng: np.random.Generator) -> tuple[list[NodeProto], Constants, list[int]]:
    nodes, constants, sizes = _layers(rng, lambda k: [node("Clip", f"z{k} low high", f"h{k}")])
    return [*nodes, node("Clip", "last low")], constants | {"low": _single(-0.7), "high": _single(1.1)}, sizes


def _chained(rng: np.random.Generator) -> tuple[list[NodeProto], Constants, list[int]]:
    """MatMul, Add, Mul and Div around the activations, a Gemm with factors, and a skip connection."""
    n, sizes = int(rng.integers(8, 17)), [4]
    constants = {f"w{k}": _single(rng.normal(size=(4 if k == 0 else n, n))) for k in range(3)}
    constants |= {f"c{k}": _single(rng.uniform(0.2, 2, n)) for k in range(5)}
    nodes = [
        node("MatMul", "x w0", "a0"),
        node("Add", "a0 c0", "a1"),
        node("Mul", "a1 c1", "z0"),
        node("Relu", "z0", "h0"),
        node("Mul", "h0 c2", "m0"),
        node("Sub", "m0 c3", "m1"),
        node("MatMul", "m1 w1", "p"),
        node("Add", "p h0", "z1"),
        node("Relu", "z1", "h1"),
        node("Gemm", "h1 w2 c4", "g", alpha=0.3, beta=1.7, transB=1),
        node("Div", "g c2"),
    ]
    return nodes, constants, sizes


def _undone(rng: np.random.Generator) -> tuple[list[NodeProto], Constants, list[int]]:
    """Divided and multiplied again, added and taken off again: as forms, nothing happened."""
    n, large = int(rng.integers(8, 17)), float(rng.choice([2.0**8, 2.0**24]))
    constants = {"three": _single(3.0), "large": _single(large), "less": _single(2.0**10)}
    constants |= {"w0": _single(rng.normal(size=(3, n))), "b0": _single(rng.normal(size=n))}
    constants |= {"w1": _single(rng.normal(size=(n, 3))), "b1": _single(rng.normal(size=3))}
    nodes = [
        node("Div", "x three", "a0"),
        node("Mul", "a0 three", "z0"),
        node("LeakyRelu", "z0", "h0", alpha=0.3),
        node("Gemm", "h0 w0 b0", "g"),
        node("Add", "g less", "a1"),
        node("Sub", "a1 less", "z1"),
        node("Relu", "z1", "h1"),
        node("Add", "h1 large", "a2"),
        node("Sub", "a2 large", "z2"),
        node("Relu", "z2", "h2"),
        node("Gemm", "h2 w1 b1"),
    ]
    return nodes, constants, [3]


def _joined(rng: np.random.Generator) -> tuple[list[NodeProto], Constants, list[int]]:
    """Sums of tensors, and tensors side by side of which one was computed and one was not."""
    n = int(rng.integers(6, 11))
    constants = {"w0": _single(rng.normal(size=(3, n))), "b0": _single(rng.normal(size=n))}
    constants |= {"c": _single(rng.normal(size=n)), "d": _single(rng.normal(size=n))}
    constants |= {"w1": _single(rng.normal(size=(2 * n, n))), "w2": _single(rng.normal(size=(n + 3, 2)))}
    nodes = [
        node("Gemm", "x w0 b0", "z0"),
        node("Relu", "z0", "h0"),
        node("Mul", "h0 c", "s"),
        node("Sub", "s h0", "t"),
        node("Concat", "h0 t", "u", axis=1),
        node("MatMul", "u w1", "p"),
        node("Add", "p d", "q"),
        node("Add", "q t", "z1"),
        node("Relu", "z1", "h1"),
        node("Concat", "x h1", "v", axis=1),
        node("MatMul", "v w2"),
    ]
    return nodes, constants, [3]


def _computed(rng: np.random.Generator) -> tuple[list[NodeProto], Constants, list[int]]:
    """Constants that are computed from others, one of them by a difference."""
    n = int(rng.integers(6, 13))
    constants = {"a": _single(rng.normal(size=3) * 100), "b": _single(rng.normal(size=3))}
    constants |= {"w": _single(rng.normal(size=(3, n))), "s": _single(rng.uniform(0.2, 2, n))}
    constants |= {"v": _single(rng.normal(size=(n, 2))), "e": _single(rng.normal(size=2))}
    nodes = [
        node("Add", "a b", "sum"),
        node("Sub", "sum a", "difference"),
        node("Mul", "x difference", "m"),
        node("Div", "w s", "quotient"),
        node("MatMul", "m quotient", "z"),
        node("Relu", "z", "h"),
        node("Mul", "s s", "square"),
        node("Div", "h square", "d"),
        node("MatMul", "d v", "r"),
        node("Sub", "e r"),
    ]
    return nodes, constants, [3]


def _underflowing(rng: np.random.Generator) -> tuple[list[NodeProto], Constants, list[int]]:
    """Pre-activations around the least normal float32."""
    n = int(rng.integers(6, 13))
    constants = {"tiny": _single(2.0**-68), "huge": _single(2.0**50)}
    constants |= {"w0": _single(rng.normal(size=(3, n)) * 2.0**-60), "w1": _single(rng.normal(size=(n, 2)))}
    nodes = [
        node("Mul", "x tiny", "a"),
        node("MatMul", "a w0", "z"),
        node("Relu", "z", "h"),
        node("Mul", "h huge", "b"),
        node("MatMul", "b w1"),
    ]
    return nodes, constants, [3]


KINDS: Mapping[str, Callable[[np.random.Generator], tuple[list[NodeProto], Constants, list[int]]]] = {
    "gemm": _gemm,
    "normalised": _normalised,
    "leaky": _leaky,
    "clip": _clip,
    "chained": _chained,
    "undone": _undone,
    "joined": _joined,
    "computed": _computed,
    "underflowing": _underflowing,
}


def draw(rng: np.random.Generator, kind: str) -> Network:
    """A network of up to three hidden layers of 6 to 20 neurons, and a small box."""
    nodes, constants, sizes = KINDS[kind](rng)
    center = [Fraction(int(rng.integers(-30, 31)), 10) for _ in range(sizes[0])]
    width = Fraction(1, int(rng.choice([10, 1000, 100000])))
    data = model(nodes, constants, x=(1, sizes[0]))
    return Network(data, tuple(c - width for c in center), tuple(c + width for c in center))
