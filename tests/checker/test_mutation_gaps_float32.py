"""Costs where they begin and where they are capped: sums of nothing, last factors, their inverses."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from hybrid_ai.checker.float32 import (
    EXACT,
    MOST_ROUNDINGS,
    NO_SCALE,
    UNKNOWN,
    Cost,
    Scale,
    constants,
    contracted,
    multiplied,
    scaled,
    scaled_group,
)
from hybrid_ai.checker.onnx_reader import read_model
from tests.checker.models import f32, model, node, np

MOST, LARGEST_GAIN = MOST_ROUNDINGS + 2, 2**200
ONE = constants([Fraction(1)])


@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_sums_of_products(length: int) -> None:
    a, b = Cost(3, 4, 5), Cost(7, 2, 11)
    count = max(length, 1)
    assert contracted(a, b, length) == (21 * count, 6, 110 * count)
    assert contracted(EXACT, EXACT, length) == (count, 2, 2 * count)
    assert multiplied(a, b) == (21, 6, 110)


@pytest.mark.parametrize(
    ("numbers", "gain"),
    [
        (["1"], 1),
        (["1", "-1"], 1),
        (["4"], 4),
        (["1/4"], 4),
        (["-4", "1/2"], 4),
        (["-4", "-1/2"], 4),
        (["-1/5", "2"], 5),
        (["2", "-7", "1"], 7),
        (["3/2"], 2),
        (["2/5"], 3),
        (["0"], LARGEST_GAIN),
        (["1", "0", "-2"], LARGEST_GAIN),
    ],
)
def test_gain_of_last_factors(numbers: list[str], gain: int) -> None:
    """The largest of |c| and |1 / c|, rounded up; nothing bounds it where one is zero."""
    factors = [Fraction(number) for number in numbers]
    assert scaled(NO_SCALE, ONE, factors) == Scale(1, gain)
    assert scaled(Scale(3, 10), Cost(9, 2, 9), factors) == Scale(5, min(10 * gain, LARGEST_GAIN))


@pytest.mark.parametrize(
    ("before", "degree", "after"),
    [
        (0, 1, 1),
        (0, 2, 2),
        (2, 1, 3),
        (2, 2, 4),
        (MOST - 2, 1, MOST - 1),
        (MOST - 2, 2, MOST),
        (MOST - 1, 2, MOST),
        (MOST, MOST, MOST),
    ],
)
def test_number_of_last_factors(before: int, degree: int, after: int) -> None:
    found = scaled(Scale(before, 1), Cost(1, degree, 1), [Fraction(1)])
    assert found == Scale(after, 1)
    assert scaled_group(found) == Cost(1, min(1 + 2 * after, MOST), 1)


def test_gain_of_many_factors_is_capped() -> None:
    found = scaled(Scale(1, 2**150), ONE, [Fraction(2**60)])
    assert found == Scale(2, LARGEST_GAIN)
    assert scaled_group(found) == Cost(1, 5, LARGEST_GAIN)


EYE = np.eye(4, dtype=np.float32)
START = [node("MatMul", "x u", "a")]
END = node("MatMul", "b v")
# name -> operations from a to b, constants, cost of the last stage, which contracts b over four
LAST: dict[str, tuple[list[Any], dict[str, Any], tuple[int, int, int]]] = {
    "nothing": ([node("Identity", "a", "b")], {}, (4, 2, 8)),
    "a factor": ([node("Mul", "a c", "b")], {"c": f32(1, -4, 0.5, 1)}, (4, 4, 32)),
    "a small negative factor": ([node("Mul", "c a", "b")], {"c": f32(2, -0.125, 2, 2)}, (4, 4, 64)),
    "a factor of zero": ([node("Mul", "a c", "b")], {"c": f32(1, 0, 1, 1)}, (4, 4, LARGEST_GAIN)),
    "factors of one": ([node("Mul", "a c", "b")], {"c": f32(1)}, (4, 4, 8)),
    "three factors": (
        [node("Mul", "a c", "f"), node("Mul", "f c", "g"), node("Mul", "g d", "b")],
        {"c": f32(3), "d": f32(-0.25)},
        (4, 8, 8 * 36),
    ),
    "a quotient and a factor": (
        [node("Div", "a c", "f"), node("Mul", "f d", "b")],
        {"c": f32(3), "d": f32(5)},
        (4, 8, 8 * 15),
    ),
    "factors before a sum": (
        [node("Mul", "a c", "f"), node("Add", "f d", "b")],
        {"c": f32(3), "d": f32(1)},
        (4, 4, 24),
    ),
    "a sum with zeros and others": (
        [node("Mul", "a c", "f"), node("Add", "f d", "b")],
        {"c": f32(3), "d": f32(0, 0, 1, 0)},
        (4, 4, 24),
    ),
    "a sum with zeros": (
        [node("Mul", "a c", "f"), node("Sub", "f d", "b")],
        {"c": f32(3), "d": f32(0)},
        (4, 4, 24),
    ),
    "alpha": ([node("Gemm", "a u", "b", alpha=-0.25)], {}, (4, 4, 32)),
    "many factors": (
        [
            node("Mul", "a c", "f1"),
            *(node("Mul", f"f{k} c", f"f{k + 1}") for k in range(1, 40)),
            node("Mul", "f40 c", "b"),
        ],
        {"c": f32(-1)},
        (4, 84, 8),
    ),
}


@pytest.mark.parametrize("name", LAST)
def test_factors_that_a_runtime_may_apply_late(name: str) -> None:
    nodes, own, cost = LAST[name]
    content = model([*START, *nodes, END], [1, 4], {"u": EYE, "v": EYE} | own)
    assert read_model(content).stages[-1].cost == cost


def test_computed_constants_are_no_last_factors() -> None:
    # The constant was multiplied, the tensor beside it was not.
    nodes = [*START, node("Mul", "c c", "d"), node("Concat", "a d", "b", axis=1), END]
    content = model(nodes, [1, 4], {"u": EYE, "v": np.eye(5, dtype=np.float32), "c": np.float32([[3]])})
    assert read_model(content).stages[-1].cost == (5, 2, 10)


def test_a_product_of_nothing_counts_as_one() -> None:
    empty = np.zeros(0, np.float32)
    nodes = [node("MatMul", "e e", "z"), node("Add", "x z")]
    (stage,) = read_model(model(nodes, [1, 2], {"e": empty})).stages
    assert (stage.cost, stage.bias) == (Cost(2, 2, 3), (0, 0))


def test_nothing_is_known_after_a_division_by_what_was_computed() -> None:
    assert UNKNOWN == (MOST, 1, 1)
    assert multiplied(EXACT, UNKNOWN) == (MOST, 2, 2)
