"""The tools of this folder: rounding, enumeration and evaluation do what they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from tests.soundness.float32 import arithmetic
from tests.soundness.float32.arithmetic import Singles
from tests.soundness.float32.enumeration import Freedom, Term, product, single, tree_sums
from tests.soundness.float32.evaluator import evaluate
from tests.soundness.float32.networks import KINDS, draw
from tests.soundness.float32.program import load_program
from tests.soundness.float32.runtimes import SETTINGS, run_onnxruntime
from tests.soundness.float32.sums import ORDERS, Execution
from tests.unit.network.builder import model, node


def _is_nearest_even(value: np.float32, exact: Fraction) -> bool:
    """Say whether a float32 is the rounding of a rational, to nearest and ties to even."""
    own = abs(Fraction(float(value)) - exact)
    others = [np.nextafter(value, np.float32(end)) for end in (-np.inf, np.inf)]
    apart = [abs(Fraction(float(other)) - exact) for other in others]
    even = int(value.view(np.int32)) % 2 == 0
    return all(own < gap or (own == gap and even) for gap in apart)


def _hard_triples(rng: np.random.Generator, count: int) -> tuple[Singles, Singles, Singles]:
    """Operands of fused operations: many near ties, cancelling, subnormal results."""
    a, b = ((1 + rng.integers(0, 1 << 12, count) / (1 << 12)).astype(np.float32) for _ in range(2))
    c = (rng.choice([-1, 1], count) * 2.0 ** rng.integers(-50, 30, count)).astype(np.float32)
    near = (-(a * b)).astype(np.float32)
    c = np.where(rng.random(count) < 0.3, near, c).astype(np.float32)
    down = np.where(rng.random(count) < 0.3, 2.0**-70, 1.0).astype(np.float32)
    halfway = np.float32(1 + 2.0**-12)  # its square is the middle of two float32, and 2^-60 decides
    a, b, c = np.append(a * down, halfway), np.append(b * down, halfway), np.append(c * down * down, 2.0**-60)
    return a, b, c.astype(np.float32)


def test_fused_operations_round_once() -> None:
    a, b, c = _hard_triples(np.random.default_rng(50), 3000)
    found = arithmetic.multiply_add(a, b, c)
    twice = (a.astype(np.float64) * b + c).astype(np.float32)
    for x, y, z, value in zip(a, b, c, found, strict=True):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        assert _is_nearest_even(value, exact), (x, y, z)
    assert np.any(found != twice), "no case in which rounding twice differs"


def test_numpy_rounds_to_nearest_and_keeps_subnormals() -> None:
    a, b, c = _hard_triples(np.random.default_rng(51), 1000)
    for x, y, z in zip(a, b, c, strict=True):
        p, q, r = (Fraction(float(v)) for v in (x, y, z))
        pairs = zip(arithmetic.multiply(x, y)[None], arithmetic.add(x, z)[None], strict=True)
        for times, plus in pairs:
            assert _is_nearest_even(np.float32(times), p * q)
            assert _is_nearest_even(np.float32(plus), p + r)
        assert q != 0 and _is_nearest_even(np.float32(arithmetic.divide(x, y)), p / q)


def test_flushing_takes_subnormal_operands_and_results() -> None:
    small, half = np.array([2.0**-127], np.float32), np.array([0.5], np.float32)
    least = np.array([2.0**-126], np.float32)
    assert arithmetic.add(small, half * 0, flush=True) == 0
    assert arithmetic.multiply(least, half, flush=True) == 0
    assert arithmetic.multiply(least, half) == small
    assert arithmetic.multiply_add(least, half, half * 0, flush=True) == 0


def _trees(values: Sequence[np.float32]) -> Iterator[np.float32]:
    """Yield the sum by every binary tree over the values in this order."""
    if len(values) == 1:
        yield values[0]
    for cut in range(1, len(values)):
        for left in _trees(values[:cut]):
            for right in _trees(values[cut:]):
                yield np.float32(left + right)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_subsets_reach_what_all_trees_over_all_orders_reach(n: int) -> None:
    rng = np.random.default_rng(52)
    values = (rng.normal(size=n) * 10.0 ** rng.integers(-4, 4, n)).astype(np.float32)
    wanted = sorted({float(total) for order in permutations(values) for total in _trees(order)})
    plain = Freedom(fused=False, flush=False, folded=False)
    assert tree_sums([Term(np.array([v])) for v in values], plain).tolist() == wanted


def test_every_execution_sums_to_what_enumeration_reaches() -> None:
    rng = np.random.default_rng(53)
    w, x = (rng.normal(size=(2, 6))).astype(np.float32)
    freedom = Freedom(fused=True, flush=False, folded=False)
    terms = [
        product(single(float(a), freedom), single(float(b), freedom), freedom)
        for a, b in zip(w, x, strict=True)
    ]
    reached = set(tree_sums([*terms, Term(np.array([np.float32(0.3)]))], freedom).tolist())
    data = model([node("Gemm", "x w b")], {"w": w[:, None], "b": np.array([0.3])}, x=(1, 6))
    for order in ORDERS:
        for fused in (False, True):
            y = evaluate(load_program(data), x, Execution(order, fused=fused))["y"]
            assert y.item() in reached


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_executions_agree_but_for_roundings(kind: str) -> None:
    network = draw(np.random.default_rng(54), kind)
    program = load_program(network.data)
    x = np.array([float(v) for v in network.lower]).astype(np.float32)
    expected = run_onnxruntime(network.data, x, SETTINGS[0])[program.output]
    scale = max(1.0, float(np.abs(expected).max()))
    for folding in ("none", "earlier", "later"):
        for order in ORDERS:
            found = evaluate(program, x, Execution(order, folding=folding))
            assert np.allclose(found[program.output], expected, rtol=0, atol=2e-4 * scale)


def test_folding_leaves_one_contraction_of_a_chain() -> None:
    network = draw(np.random.default_rng(55), "normalised")
    program = load_program(network.data)
    x = np.array([float(v) for v in network.lower]).astype(np.float32)
    kept, folded = (evaluate(program, x, Execution(folding=f)) for f in ("none", "earlier"))
    assert {"n0", "n1", "last", "s"} <= set(kept)
    assert not {"n0", "n1", "last", "s"} & set(folded)


def test_data_movement_agrees_with_onnx_runtime() -> None:
    lists = {
        "shape": [2, 6],
        "axes": [0],
        "one": [1],
        "end": [4],
        "last": [-1],
        "pads": [0, 1, 0, 2],
        "two": [2],
    }
    nodes = [
        node("Dropout", "x", "a"),
        node("Reshape", "a shape", "b"),
        node("Transpose", "b", "c", perm=[1, 0]),
        node("Unsqueeze", "c axes", "d"),
        node("Squeeze", "d axes", "e"),
        node("Slice", "e one end axes", "f"),
        node("Slice", "e end one axes last", "g"),
        node("Concat", "f g", "h", axis=1),
        node("Pad", "h pads filler", "i"),
        node("Constant", "", "k", value_float=2.0),
        node("Mul", "i k", "j"),
        node("Flatten", "j", "m", axis=0),
        node("Clip", "m filler", "n"),
        node("Identity", "n"),
    ]
    data = model(nodes, {**lists, "filler": np.array(-0.25)}, x=(1, 12))
    x = np.linspace(-1, 1, 12).astype(np.float32)
    found = evaluate(load_program(data), x, Execution())["y"]
    assert np.array_equal(found, run_onnxruntime(data, x, SETTINGS[0])["y"])
