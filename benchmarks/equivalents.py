"""Writes copies of a suite that must get the same verdicts.

    python benchmarks/equivalents.py INSTANCES.csv --kind neurons -o FOLDER [--seed N]

Kinds: `neurons` (hidden neurons of every layer in another order), `scales` (what enters a hidden neuron
multiplied by a power of two, what leaves it divided by it), `inputs` and `outputs` (in another order, in
model and property) compute exactly the same function; `boxes` shrinks every input box to nine tenths around
its centre, so that what held still holds. Models are chains of layers (MatMul with Add, or Gemm) with Relu,
LeakyRelu or Clip between them; others are refused.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from hybrid_ai.spec import And, Atom, InputPolytope, Or, Property, normal_form, read_vnnlib, to_vnnlib

KINDS = ("neurons", "scales", "inputs", "outputs", "boxes")
LARGEST_EXPONENT = 4
SHRINK = Fraction(1, 20)  # off each end: nine tenths are left
COLUMNS = ("onnx", "vnnlib", "timeout_s", "verdict")

SHAPES = {"Flatten", "Identity"}
ELEMENTWISE = {"Add", "Sub", "Mul", "Div"}
HOMOGENEOUS = {"Relu", "LeakyRelu"}  # f(2^k z) = 2^k f(z)
ACTIVATIONS = HOMOGENEOUS | {"Clip"}

Array = NDArray[np.float32]
Arrays = dict[str, Array]
Order = tuple[int, ...]  # the new element i is the old element order[i]
Row = dict[str, str]


class NotAChain(ValueError):
    """A model of which no copies are made; says which operation and why."""


@dataclass(frozen=True)
class Layer:
    """An affine layer: names of weights and bias, whether the weights are stored (outputs, inputs), and what
    follows it."""

    weights: str
    bias: str | None
    transposed: bool
    activation: str | None = None


@dataclass(frozen=True)
class Chain:
    """Layers in order, with the constants of element-wise operations before the first and after the last."""

    layers: tuple[Layer, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class ModelCopy:
    """The copy's bytes; for `inputs` and `outputs` their order, else empty."""

    model: bytes
    order: Order


def read_chain(model: onnx.ModelProto) -> Chain:
    """Find the layers. Raises NotAChain for any other structure."""
    constants = {tensor.name for tensor in model.graph.initializer}
    (current,) = (value.name for value in model.graph.input if value.name not in constants)
    used: list[str] = []
    layers: list[Layer] = []
    before: list[str] = []
    after: list[str] = []
    needs_bias = False
    for node in model.graph.node:
        named = [name for name in node.input if name in constants]
        if [name for name in node.input if name not in constants] != [current] or len(node.output) != 1:
            raise NotAChain(f"{node.op_type} {node.output[0]}: does more than continue a chain")
        used += named
        if node.op_type in ("MatMul", "Gemm"):
            layers.append(_layer(node, current))
            after = []
        elif node.op_type == "Add" and needs_bias:
            layers[-1] = Layer(layers[-1].weights, named[0], layers[-1].transposed)
        elif node.op_type in ELEMENTWISE:
            (after if layers else before).append(named[0])
        elif node.op_type in ACTIVATIONS and layers and not after and layers[-1].activation is None:
            layers[-1] = Layer(layers[-1].weights, layers[-1].bias, layers[-1].transposed, node.op_type)
        elif node.op_type not in SHAPES:
            raise NotAChain(f"{node.op_type} {node.output[0]}: not supported here")
        needs_bias = node.op_type == "MatMul"
        current = node.output[0]
    _require_simple(layers, used, current, model)
    return Chain(tuple(layers), tuple(before), tuple(after))


def _require_simple(layers: list[Layer], used: list[str], last: str, model: onnx.ModelProto) -> None:
    if len(used) != len(set(used)):
        raise NotAChain("a constant is used twice")
    if not layers or [value.name for value in model.graph.output] != [last]:
        raise NotAChain("no layer, or the output is not the end of the chain")
    if any(layer.activation is None for layer in layers[:-1]) or layers[-1].activation is not None:
        raise NotAChain("two layers without an activation between them, or an activation at the end")


def _layer(node: onnx.NodeProto, data: str) -> Layer:
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    transposed = bool(attributes.pop("transB", 0))
    if node.input[0] != data or any(
        value != (0 if name == "transA" else 1) for name, value in attributes.items()
    ):
        raise NotAChain(f"{node.op_type} {node.output[0]}: transA, alpha, beta or data on the right")
    return Layer(node.input[1], node.input[2] if len(node.input) > 2 else None, transposed)


def reorder_entering(arrays: Arrays, layer: Layer, order: Order) -> None:
    """Reorder what a layer reads."""
    weights = arrays[layer.weights]
    arrays[layer.weights] = weights[:, order] if layer.transposed else weights[list(order)]


def reorder_leaving(arrays: Arrays, layer: Layer, order: Order) -> None:
    """Reorder what a layer writes."""
    weights = arrays[layer.weights]
    arrays[layer.weights] = weights[list(order)] if layer.transposed else weights[:, order]
    if layer.bias is not None:
        arrays[layer.bias] = reordered(arrays[layer.bias], order)


def reordered(constant: Array, order: Order) -> Array:
    """Reorder a constant over its last axis; one number for all stays as it is."""
    if constant.size == 1 and len(order) > 1:
        return constant
    if constant.size != len(order) or constant.shape[-1] != len(order):
        raise NotAChain(f"a constant of shape {constant.shape} for {len(order)} elements")
    return constant[..., list(order)]


def width_after(arrays: Arrays, layer: Layer) -> int:
    return int(arrays[layer.weights].shape[0 if layer.transposed else 1])


def width_before(arrays: Arrays, layer: Layer) -> int:
    return int(arrays[layer.weights].shape[1 if layer.transposed else 0])


def shuffled(count: int, random: np.random.Generator) -> Order:
    return tuple(int(index) for index in random.permutation(count))


def permute_neurons(arrays: Arrays, chain: Chain, random: np.random.Generator) -> Order:
    for layer, following in zip(chain.layers, chain.layers[1:], strict=False):
        order = shuffled(width_after(arrays, layer), random)
        reorder_leaving(arrays, layer, order)
        reorder_entering(arrays, following, order)
    return ()


def scale_neurons(arrays: Arrays, chain: Chain, random: np.random.Generator) -> Order:
    for layer, following in zip(chain.layers, chain.layers[1:], strict=False):
        if layer.activation not in HOMOGENEOUS:
            continue
        width = width_after(arrays, layer)
        exponents = random.integers(-LARGEST_EXPONENT, LARGEST_EXPONENT + 1, width)
        column = exponents[:, None] if layer.transposed else exponents
        arrays[layer.weights] = scaled(arrays[layer.weights], column)
        if layer.bias is not None:
            if arrays[layer.bias].size != width:
                raise NotAChain(f"one bias for {width} neurons cannot be scaled by neuron")
            arrays[layer.bias] = scaled(arrays[layer.bias], exponents)
        row = -exponents if following.transposed else -exponents[:, None]
        arrays[following.weights] = scaled(arrays[following.weights], row)
    return ()


def scaled(values: Array, exponents: NDArray[np.int64]) -> Array:
    """Multiply by powers of two; raises NotAChain where float32 cannot hold the product exactly."""
    result: Array = np.ldexp(values, exponents).astype(np.float32)
    if not (np.isfinite(result).all() and (np.ldexp(result, -exponents) == values).all()):
        raise NotAChain("a weight is too large or too small to be scaled exactly")
    return result


def permute_inputs(arrays: Arrays, chain: Chain, random: np.random.Generator) -> Order:
    order = shuffled(width_before(arrays, chain.layers[0]), random)
    for name in chain.before:
        arrays[name] = reordered(arrays[name], order)
    reorder_entering(arrays, chain.layers[0], order)
    return order


def permute_outputs(arrays: Arrays, chain: Chain, random: np.random.Generator) -> Order:
    order = shuffled(width_after(arrays, chain.layers[-1]), random)
    reorder_leaving(arrays, chain.layers[-1], order)
    for name in chain.after:
        arrays[name] = reordered(arrays[name], order)
    return order


CHANGES: dict[str, Callable[[Arrays, Chain, np.random.Generator], Order]] = {
    "neurons": permute_neurons,
    "scales": scale_neurons,
    "inputs": permute_inputs,
    "outputs": permute_outputs,
}


def copy_model(data: bytes, kind: str, random: np.random.Generator) -> ModelCopy:
    """Return a model's copy of one kind; `boxes` leaves the bytes as they are.

    Raises:
        NotAChain: the model has another structure.
    """
    if kind == "boxes":
        return ModelCopy(data, ())
    model = onnx.load_from_string(data)
    chain = read_chain(model)
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    order = CHANGES[kind](arrays, chain, random)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(arrays[tensor.name]), tensor.name))
    return ModelCopy(model.SerializeToString(), order)


def copy_property(path: Path, kind: str, order: Order) -> str:
    """Return the text of a property that goes with a model's copy."""
    if kind == "boxes":
        return to_vnnlib(shrunk(read_vnnlib(path)))
    text = path.read_text(encoding="utf-8")
    if kind in ("inputs", "outputs"):
        return renamed(text, "X" if kind == "inputs" else "Y", order)
    return text


def renamed(text: str, letter: str, order: Order) -> str:
    """Give the variables of one letter their new numbers; declarations stay: they name all of them anyway."""
    new = {old: position for position, old in enumerate(order)}

    def rename(match: re.Match[str]) -> str:
        return match[0] if match[1] else f"{letter}_{new[int(match[2])]}"

    return re.sub(rf"(\(declare-[^)]*\))|\b{letter}_(\d+)\b", rename, text)


def shrunk(prop: Property) -> Property:
    """The property on nine tenths of each box; finite decimals stay finite decimals."""
    parts = tuple(_shrunk_part(polytope) for polytope in normal_form(prop).polytopes)
    return Property(prop.n_inputs, prop.n_outputs, Or(parts))


def _shrunk_part(polytope: InputPolytope) -> And:
    atoms: list[Atom] = []
    one = Fraction(1)
    for axis, (lower, upper) in enumerate(zip(polytope.lower, polytope.upper, strict=True)):
        margin = (upper - lower) * SHRINK
        atoms.append(Atom(((axis, -one),), (), lower + margin, False))
        atoms.append(Atom(((axis, one),), (), margin - upper, False))
    disjuncts = Or(tuple(And(rows) for rows in polytope.disjuncts))
    return And((*atoms, *polytope.constraints, disjuncts))


def read_rows(instances: Path) -> list[Row]:
    with open(instances, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def write_suite(instances: Path, rows: Iterable[Row]) -> None:
    with open(instances, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def write_copies(source: Path, rows: Iterable[Row], kind: str, folder: Path, seed: int) -> Path:
    """Write the copies of rows of a suite, and a suite of them with as many rows in the same order.

    Args:
        source: folder the rows' paths are relative to.
        rows: of the suite.
        kind: one of KINDS.
        folder: receives `onnx/`, `vnnlib/` and `instances.csv`; made where it is missing.
        seed: of the choices; equal seeds give equal files.

    Returns:
        The path of the new suite.

    Raises:
        NotAChain: a model has another structure.
    """
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    (folder / "vnnlib").mkdir(exist_ok=True)
    copies: dict[str, ModelCopy] = {}
    written = []
    for row in rows:
        model, prop = source / row["onnx"], source / row["vnnlib"]
        target = f"onnx/{model.name}"
        if row["onnx"] not in copies:
            random = np.random.default_rng([seed, KINDS.index(kind), zlib.crc32(row["onnx"].encode())])
            copies[row["onnx"]] = copy_model(model.read_bytes(), kind, random)
            (folder / target).write_bytes(copies[row["onnx"]].model)
        claim = f"vnnlib/{model.stem}-{prop.name}"
        text = copy_property(prop, kind, copies[row["onnx"]].order)
        (folder / claim).write_text(text, encoding="utf-8")
        written.append({**row, "onnx": target, "vnnlib": claim})
    suite = folder / "instances.csv"
    write_suite(suite, written)
    return suite


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write equivalent copies of a suite.")
    parser.add_argument("instances", type=Path, metavar="INSTANCES.csv")
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rows = read_rows(options.instances)
    try:
        print(write_copies(options.instances.parent, rows, options.kind, options.output, options.seed))
    except NotAChain as error:
        print(f"no copies of this suite: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
