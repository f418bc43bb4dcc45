"""Whole networks in many executions: every tensor lies in intervals of exact rationals."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest
from onnx import NodeProto

from tests.soundness.float32.adversary import extreme, settings
from tests.soundness.float32.block_error import (
    Block,
    Contraction,
    NothingShown,
    Operation,
    block_form,
    error_bound,
)
from tests.soundness.float32.blocks import carries
from tests.soundness.float32.enumeration import Freedom, block_values
from tests.soundness.float32.evaluations import evaluations, points, read
from tests.soundness.float32.evaluator import Tensors, evaluate
from tests.soundness.float32.lab import LAB
from tests.soundness.float32.networks import KINDS, draw
from tests.soundness.float32.program import Program, load_program
from tests.soundness.float32.reference import Bounds, Interval
from tests.soundness.float32.runtimes import run_torch
from tests.soundness.float32.sums import Execution
from tests.unit.network.builder import model, node

NETWORKS = 2  # of each kind
POINTS = 2
LAB_NETWORKS, LAB_POINTS = 20, 6


def _outside(tensors: Tensors, bounds: dict[str, list[Interval]]) -> list[str]:
    """Say which computed elements lie outside their intervals; asserts that something was compared."""
    wrong, compared = [], 0
    for name, values in tensors.items():
        for k, (value, (low, high)) in enumerate(zip(values.flat, bounds.get(name, []), strict=False)):
            compared += 1
            if not low <= Fraction(float(value)) <= high:
                wrong.append(f"{name}[{k}] = {value!r} not in [{float(low)!r}, {float(high)!r}]")
    assert compared > 0
    return wrong


def _check(kind: str, networks: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(networks):
        network = draw(rng, kind)
        program = load_program(network.data)
        box = Bounds(program, network.lower, network.upper).intervals
        for point in points(rng, network, count):
            pinned = Bounds(program, point, point).intervals
            for how, tensors in evaluations(network, program, read(point)):
                assert _outside(tensors, box) == [], how
                assert _outside(tensors, pinned) == [], how


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_intervals_contain_every_tensor(kind: str) -> None:
    _check(kind, NETWORKS, POINTS, seed=40)


@LAB
@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_intervals_contain_every_tensor_of_many_networks(kind: str) -> None:
    _check(kind, LAB_NETWORKS, LAB_POINTS, seed=41)


@pytest.mark.parametrize("kind", ["gemm", "normalised", "leaky"])
def test_an_adversary_stays_inside_and_beats_the_usual_orders(kind: str) -> None:
    rng = np.random.default_rng(42)
    network = draw(rng, kind)
    program = load_program(network.data)
    (point,) = points(rng, network, 1)
    x, pinned = read(point), Bounds(program, point, point).intervals
    outputs = [evaluate(program, x, execution)[program.output].ravel() for execution in settings(("none",))]
    row = np.zeros(len(outputs[0]))
    row[0] = 1.0
    found = []
    for sign in (1.0, -1.0):
        pushed = extreme(program, x, sign * row, Execution(fused=True), rng)
        assert _outside(pushed.tensors, pinned) == []
        found.append(sign * pushed.value)
    usual = [float(values[0]) for values in outputs]
    assert found[0] - found[1] > max(usual) - min(usual)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_torch_stays_inside(kind: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(43)
    network = draw(rng, kind)
    program = load_program(network.data)
    for point in points(rng, network, POINTS):
        pinned = Bounds(program, point, point).intervals
        assert _outside(run_torch(torch, program, read(point)), pinned) == []


def _one_to_one(nodes: list[NodeProto], constants: Mapping[str, object]) -> Program:
    return load_program(model(nodes, constants, x=(1, 1)))


@pytest.mark.parametrize("end", ["Identity", "LeakyRelu"])
def test_a_factor_that_is_undone_keeps_its_roundings(end: str) -> None:
    """(x 3) / 3 is x as a form and as a size form, and one unit away in float32."""
    chain = [node("Mul", "x three", "a"), node("Div", "a three", "b"), node(end, "b")]
    program = _one_to_one(chain, {"three": np.array([3.0])})
    x = Fraction(1 + 3252726 * 2**-23)
    computed = evaluate(program, np.array([float(x)], np.float32), Execution())["y"]
    assert Fraction(computed.item()) != x
    assert _outside({"y": computed}, Bounds(program, [x], [x]).intervals) == []


@pytest.mark.parametrize("end", ["Identity", "LeakyRelu"])
def test_a_form_that_is_plain_again_keeps_its_roundings(end: str) -> None:
    """(x + 1) - 1 is x as a form, and zero in float32: it must not be taken for the input itself."""
    chain = [node("Add", "x one", "a"), node("Sub", "a one", "b"), node(end, "b")]
    program = _one_to_one(chain, {"one": np.array([1.0])})
    x = Fraction(1, 2**30)
    computed = evaluate(program, np.array([float(x)], np.float32), Execution())["y"]
    assert computed.item() == 0.0
    assert _outside({"y": computed}, Bounds(program, [x], [x]).intervals) == []


def test_the_usual_folding_from_the_left_needs_the_folded_sum() -> None:
    """(x + c) W as x W + c W, both sums from the left, bias first: two sums of n terms, not one."""
    n = 6
    shift, weights, x = carries(n), (1.0,) * n, (carries(2)[1],) * n
    constants = {"c": np.array(shift), "w": np.array(weights)[:, None]}
    program = load_program(model([node("Add", "x c", "a"), node("MatMul", "a w")], constants, x=(1, n)))
    computed = evaluate(program, np.array(x, np.float32), Execution(folding="earlier"))["y"].item()
    exact = [Fraction(v) for v in x]
    block = Block((Operation("add", shift),), Contraction(weights))
    error = abs(Fraction(computed) - block_form(block).value(exact))
    assert error > error_bound(block_form(block, "folded sum"), exact)
    assert error <= error_bound(block_form(block), exact)


def test_a_computed_factor_counts_with_its_size() -> None:
    """(2^24 + 1) - 2^24 is one, but zero in float32: the factor's size is 2^25 + 1, not one."""
    constants = {"a": np.array([2.0**24]), "b": np.array([1.0])}
    chain = [node("Add", "a b", "c"), node("Sub", "c a", "d")]
    program = _one_to_one([*chain, node("Mul", "x d")], constants)
    computed = evaluate(program, np.array([1.0], np.float32), Execution())
    assert computed["y"].item() == 0.0
    bounds = Bounds(program, [Fraction(1)], [Fraction(1)]).intervals
    assert _outside({"y": computed["y"]}, bounds) == []


def test_nothing_is_shown_of_a_quotient_by_a_computed_constant() -> None:
    constants = {"a": np.array([2.0**24]), "b": np.array([1.0])}
    chain = [node("Add", "a b", "c"), node("Sub", "c a", "d")]
    program = _one_to_one([*chain, node("Div", "x d")], constants)
    with np.errstate(divide="ignore"):
        assert np.isinf(evaluate(program, np.array([1.0], np.float32), Execution())["y"].item())
    with pytest.raises(NothingShown):
        Bounds(program, [Fraction(1)], [Fraction(1)])


def test_constants_between_two_contractions_belong_to_the_first() -> None:
    """Folded into the second instead, two of its equal rows may differ by more than both their errors.

    t = h + 4096 by the first contraction, z = t - 4096, y = w z. At h = 0 all z are zero. Folded into the
    second, y = w t - fl(4096 w), whose roundings are of numbers that the second's bound does not know.
    """
    n = 4
    later = Block((Operation("sub", (4096.0,) * n),), Contraction(carries(n)))
    values = block_values(later, (4096.0,) * n, Freedom(fused=False, flush=False))
    apart = Fraction(float(values[-1])) - Fraction(float(values[0]))
    first = block_form(Block((), Contraction((1.0,), bias=4096.0), (Operation("sub", (4096.0,)),)))
    computed_z = [error_bound(first, [Fraction(0)])] * n
    second = block_form(Block((), Contraction(carries(n))))
    assert apart > 2 * error_bound(second, computed_z)
