"""What each operation says of float32 executions: terms, degree, gain and size forms of its stages."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from hybrid_ai.checker import float32
from hybrid_ai.checker.float32 import MOST_ROUNDINGS, Cost
from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.rejected import Rejected, Unsupported
from hybrid_ai.checker.stages import Block, Stage
from hybrid_ai.checker.tensors import Tensor
from tests.checker.models import f32, i64, model, node, np

W43 = np.array([[1, -1.5, 0.25], [0.5, 1, 1], [1, 1, 1], [-1, 1, 1]], dtype=np.float32)
C43, D43 = np.full((4, 3), 3, np.float32), np.full((4, 3), -1, np.float32)
UNKNOWN = Cost(65538, 2, 2)

# name -> shape of x, nodes, constants, costs of the stages
COSTS: dict[str, tuple[list[int], list[Any], dict[str, Any], list[tuple[int, int, int]]]] = {
    "Relu": ([1, 4], [node("Relu", "x")], {}, [(1, 1, 1)]),
    "the input": ([1, 4], [node("Identity", "x")], {}, []),
    "Add of a constant": ([1, 4], [node("Add", "x c")], {"c": f32(1, 2, -2.5, 0)}, [(2, 1, 4)]),
    "Add of zero": ([1, 4], [node("Add", "x c")], {"c": f32(0)}, [(2, 1, 2)]),
    "Add of a small constant": ([1, 4], [node("Add", "c x")], {"c": f32(0.25)}, [(2, 1, 2)]),
    "Sub from a constant": ([1, 4], [node("Sub", "c x")], {"c": f32(1.5)}, [(2, 1, 3)]),
    "Sub of a constant": ([1, 4], [node("Sub", "x c")], {"c": f32(1.5)}, [(2, 1, 3)]),
    "Add of two tensors": (
        [1, 4],
        [node("Mul", "x c", "a"), node("Add", "x d", "b"), node("Add", "a b")],
        {"c": f32(3), "d": f32(4)},
        [(3, 2, 11)],
    ),
    "Add of the same": ([1, 4], [node("Add", "x x")], {}, [(2, 1, 2)]),
    "Mul": ([1, 4], [node("Mul", "x c")], {"c": f32(1, -2.5, 2, 1)}, [(1, 2, 6)]),
    "Mul by one": ([1, 4], [node("Mul", "c x")], {"c": f32(1)}, [(1, 2, 2)]),
    "Mul of a sum": (
        [1, 4],
        [node("Add", "x c", "a"), node("Mul", "a d")],
        {"c": f32(1), "d": f32(5)},
        [(2, 2, 20)],
    ),
    "Mul by a computed sum": (
        [1, 4],
        [node("Add", "c c", "d"), node("Add", "x e", "z"), node("Mul", "z d")],
        {"c": f32(1), "e": f32(3)},
        [(4, 2, 16)],
    ),
    "Div": ([1, 4], [node("Div", "x c")], {"c": f32(3)}, [(1, 3, 6)]),
    "Div by a small constant": ([1, 4], [node("Div", "x c")], {"c": f32(-0.25, 1, 1, 1)}, [(1, 3, 8)]),
    "Div by a large constant": ([1, 4], [node("Div", "x c")], {"c": f32(5, -7, 1, 1)}, [(1, 3, 14)]),
    "Div by a computed product": (
        [1, 4],
        [node("Mul", "c c", "d"), node("Div", "x d")],
        {"c": f32(0.5)},
        [(1, 4, 16)],
    ),
    "Div by a computed sum": (
        [1, 4],
        [node("Add", "c d", "e"), node("Div", "x e")],
        {"c": f32(1), "d": f32(2)},
        [UNKNOWN],
    ),
    "Div by a computed difference": (
        [1, 4],
        [node("Sub", "c d", "e"), node("Div", "x e")],
        {"c": f32(2), "d": f32(1)},
        [UNKNOWN],
    ),
    "Div by one difference of four": (
        [1, 4],
        [node("Add", "c d", "e"), node("Div", "x e")],
        {"c": f32(2), "d": f32(1, 1, -1, 1)},
        [UNKNOWN],
    ),
    "constant quotient by a difference": (
        [1, 4],
        [node("Sub", "c d", "e"), node("Div", "c e", "q"), node("Add", "x q")],
        {"c": f32(2), "d": f32(1)},
        [(65538, 2, 5)],
    ),
    "constants added": (
        [1, 4],
        [node("Add", "c d", "e"), node("Add", "x e")],
        {"c": f32(1), "d": f32(2)},
        [(3, 1, 4)],
    ),
    "constants multiplied": (
        [1, 4],
        [node("Mul", "c d", "e"), node("Add", "x e")],
        {"c": f32(3), "d": f32(5)},
        [(2, 2, 31)],
    ),
    "Gemm": ([1, 4], [node("Gemm", "x w")], {"w": W43}, [(4, 2, 16)]),
    "Gemm with C": ([1, 4], [node("Gemm", "x w b")], {"w": W43, "b": f32(1, 2, 3)}, [(5, 2, 19)]),
    "Gemm with alpha": ([1, 4], [node("Gemm", "x w", alpha=-2.5)], {"w": W43}, [(4, 3, 96)]),
    "Gemm with a small alpha": ([1, 4], [node("Gemm", "x w", alpha=0.5)], {"w": W43}, [(4, 3, 32)]),
    "Gemm with beta": (
        [1, 4],
        [node("Gemm", "x w b", beta=2.0)],
        {"w": W43, "b": f32(1, 2, 3)},
        [(5, 2, 28)],
    ),
    "Gemm with everything": (
        [1, 4],
        [node("Gemm", "x w b", alpha=0.5, beta=2.0, transB=1)],
        {"w": W43.T.copy(), "b": f32(1, 2, 3)},
        [(5, 3, 44)],
    ),
    "Gemm with a computed C": (
        [1, 4],
        [node("Mul", "b b", "c"), node("Mul", "c b", "d"), node("Gemm", "x w d")],
        {"w": W43, "b": f32(1, 2, 3)},
        [(5, 3, 124)],
    ),
    "MatMul on the right": ([1, 4], [node("MatMul", "x w")], {"w": W43}, [(4, 2, 16)]),
    "MatMul on the left": ([1, 4, 2], [node("MatMul", "w x")], {"w": W43.T.copy()}, [(4, 2, 16)]),
    "MatMul of a vector": ([4], [node("MatMul", "x w")], {"w": W43}, [(4, 2, 16)]),
    "MatMul by a vector": ([1, 2, 3], [node("MatMul", "x w")], {"w": f32(1, 2, 3)}, [(3, 2, 18)]),
    "MatMul of a sum": (
        [1, 4],
        [node("Add", "x c", "a"), node("MatMul", "a w")],
        {"c": f32(1), "w": W43},
        [(8, 2, 32)],
    ),
    "MatMul twice": (
        [1, 4],
        [node("MatMul", "x w", "a"), node("MatMul", "a v")],
        {"w": W43, "v": np.full((3, 2), 5, np.float32)},
        [(4, 2, 16), (3, 2, 30)],
    ),
    "constants contracted": (
        [1, 4],
        [node("MatMul", "c w", "d"), node("MatMul", "x d")],
        {"c": np.full((4, 4), 3, np.float32), "w": W43},
        [(16, 3, 384)],
    ),
    "LeakyRelu": ([1, 4], [node("LeakyRelu", "x", alpha=0.25)], {}, [(1, 1, 1), (1, 2, 4)]),
    "LeakyRelu, steep": ([1, 4], [node("LeakyRelu", "x", alpha=2.5)], {}, [(1, 1, 1), (1, 2, 10)]),
    "LeakyRelu, negative": ([1, 4], [node("LeakyRelu", "x", alpha=-2.5)], {}, [(1, 1, 1), (1, 2, 14)]),
    "LeakyRelu of what is computed": (
        [1, 4],
        [node("Mul", "x c", "a"), node("LeakyRelu", "a", alpha=0.25)],
        {"c": f32(2)},
        [(1, 2, 4), (1, 3, 2), (1, 2, 4)],
    ),
    "MatMul of what a factor was the last to change": (
        [1, 4],
        [node("MatMul", "x u", "a"), node("Div", "a c", "b"), node("MatMul", "b w")],
        {"u": np.eye(4, dtype=np.float32), "c": f32(4), "w": W43},
        [(4, 4, 64), (4, 6, 64)],
    ),
    "a sum with zero between them": (
        [1, 4],
        [node("MatMul", "x u", "a"), node("Mul", "a c", "b"), node("Add", "b o", "d"), node("MatMul", "d w")],
        {"u": np.eye(4, dtype=np.float32), "c": f32(4), "o": f32(0), "w": W43},
        [(5, 3, 65), (4, 4, 64)],
    ),
    "a sum with something between them": (
        [1, 4],
        [node("MatMul", "x u", "a"), node("Mul", "a c", "b"), node("Add", "b o", "d"), node("MatMul", "d w")],
        {"u": np.eye(4, dtype=np.float32), "c": f32(4), "o": f32(1), "w": W43},
        [(5, 3, 65), (4, 4, 64)],
    ),
    "a sum that is zero once it is folded between them": (
        [1, 4],
        [
            node("MatMul", "x u", "a"),
            node("Mul", "a c", "b"),
            node("Add", "o p", "q"),
            node("Sub", "q o", "z"),
            node("Add", "b z", "d"),
            node("MatMul", "d w"),
        ],
        {"u": np.eye(4, dtype=np.float32), "c": f32(4), "o": f32(1), "p": f32(2.0**-30), "w": W43},
        [(7, 3, 67), (4, 4, 64)],
    ),
    "a sum of tensors between them": (
        [1, 4],
        [node("MatMul", "x u", "a"), node("Mul", "a c", "b"), node("Add", "b x", "d"), node("MatMul", "d w")],
        {"u": np.eye(4, dtype=np.float32), "c": f32(4), "w": W43},
        [(5, 3, 65), (4, 4, 64)],
    ),
    "MatMul of LeakyRelu": (
        [1, 4],
        [node("LeakyRelu", "x", "a", alpha=0.25), node("MatMul", "a w")],
        {"w": W43},
        [(1, 1, 1), (4, 3, 64)],
    ),
    "MatMul of Clip": (
        [1, 4],
        [node("Clip", "x _ b", "a"), node("MatMul", "a w")],
        {"b": np.float32(4), "w": W43},
        [(1, 1, 5), (4, 2, 80)],
    ),
    "Clip": (
        [1, 4],
        [node("Clip", "x a b")],
        {"a": np.float32(-1.5), "b": np.float32(3.75)},
        [(1, 1, 3), (1, 1, 7), (1, 1, 5)],
    ),
    "Clip from below": ([1, 4], [node("Clip", "x a")], {"a": np.float32(-1.5)}, [(1, 1, 3), (1, 1, 3)]),
    "Clip from above": ([1, 4], [node("Clip", "x _ b")], {"b": np.float32(4)}, [(1, 1, 5), (1, 1, 5)]),
    "Clip of a contraction": (
        [1, 4],
        [node("MatMul", "x w", "a"), node("Clip", "a l")],
        {"w": W43, "l": np.float32(0)},
        [(4, 2, 17)],
    ),
    "Clip to nothing": (
        [1, 4],
        [node("Clip", "x a b")],
        {"a": np.float32(5), "b": np.float32(3)},
        [(1, 1, 4)],
    ),
    "Concat": (
        [1, 4],
        [node("Mul", "x c", "a"), node("Add", "x d", "s"), node("Concat", "x a s", axis=1)],
        {"c": f32(9), "d": f32(5)},
        [(2, 2, 18)],
    ),
    "Slice": (
        [1, 4],
        [node("Add", "x c", "a"), node("Slice", "a s e t")],
        {"c": f32(1, 1, 1, 7), "s": i64(0), "e": i64(2), "t": i64(1)},
        [(2, 1, 8)],
    ),
    "Pad": ([1, 4], [node("Pad", "x p v")], {"p": i64(0, 1, 0, 2), "v": np.float32(2.5)}, [(1, 1, 3)]),
    "Pad of a sum": (
        [1, 4],
        [node("Add", "x c", "a"), node("Pad", "a p v")],
        {"c": f32(6), "p": i64(0, 1, 0, 2), "v": np.float32(2.5)},
        [(2, 1, 7)],
    ),
    "Reshape": (
        [1, 4],
        [node("Add", "x c", "a"), node("Reshape", "a s")],
        {"c": f32(6), "s": i64(2, 2)},
        [(2, 1, 7)],
    ),
    "Transpose": (
        [1, 2, 2],
        [node("Mul", "x c", "a"), node("Transpose", "a", perm=[0, 2, 1])],
        {"c": f32(6)},
        [(1, 2, 12)],
    ),
    "Gather": (
        [1, 4],
        [node("Mul", "x c", "a"), node("Gather", "a i", axis=1)],
        {"c": f32(6), "i": i64(1, 0)},
        [(1, 2, 12)],
    ),
    "Reshape before Relu": (
        [1, 4],
        [node("Reshape", "x s", "r"), node("Relu", "r")],
        {"s": i64(4)},
        [(1, 1, 1)],
    ),
    "a third three times": (
        [1, 4],
        [node("Div", "x c", "a"), node("Mul", "a c")],
        {"c": f32(3)},
        [(1, 4, 36)],
    ),
    "a large number and back": (
        [1, 4],
        [node("Add", "x c", "a"), node("Sub", "a c")],
        {"c": f32(2**24)},
        [(3, 1, 2**25 + 1)],
    ),
    "many terms": (
        [1, 1],
        [*(node("Add", f"x{k} x{k}", f"x{k + 1}") for k in range(17)), node("Mul", "x17 c")],
        {"c": f32(1)},
        [(65538, 2, 2**18)],
    ),
    "a large gain": (
        [1, 1],
        [*(node("Mul", f"x{k} c", f"x{k + 1}") for k in range(3)), node("Add", "x3 c")],
        {"c": f32(2.0**70)},
        [(2, 4, 2**200)],
    ),
}


def stages(name: str) -> tuple[Stage, ...]:
    shape, nodes, constants, _ = COSTS[name]
    return read_model(data(name, shape, nodes, constants)).stages


def data(name: str, shape: list[int], nodes: list[Any], constants: dict[str, Any]) -> bytes:
    """A model; chains of operations start at x0, which is x."""
    chained = any("x0" in item.input for item in nodes)
    return model([node("Identity", "x", "x0"), *nodes] if chained else nodes, shape, constants)


@pytest.mark.parametrize("name", COSTS)
def test_costs(name: str) -> None:
    assert [tuple(stage.cost) for stage in stages(name)] == COSTS[name][3]


def matrix(blocks: tuple[Block, ...]) -> dict[int, list[list[Fraction]]]:
    """Dense rows by source."""
    return {
        block.source: [[dict(row).get(c, Fraction(0)) for c in range(block.width)] for row in block.rows]
        for block in blocks
    }


# ---- size forms: name -> shape, nodes, constants, A by source and a of the last stage, None for |W| and |b|
Sizes = dict[int, list[list[Any]]] | None
SIZES: dict[str, tuple[list[int], list[Any], dict[str, Any], Sizes, list[Any] | None]] = {
    "no cancellation": (
        [1, 2],
        [node("Gemm", "x w b")],
        {"w": W43[:2, :1], "b": f32(-3)},
        None,
        None,
    ),
    "signs that agree": (
        [1, 2],
        [
            node("Sub", "x c", "a"),
            node("Sub", "a c"),
        ],
        {"c": f32(1, -2)},
        None,
        None,
    ),
    "constants that cancel": (
        [1, 2],
        [node("Add", "x c", "a"), node("Sub", "a d")],
        {"c": f32(5, 1), "d": f32(3, -1)},
        None,
        [8, 2],
    ),
    "constants that vanish": (
        [1, 2],
        [node("Add", "x c", "a"), node("Sub", "a c")],
        {"c": f32(2**24)},
        None,
        [2**25, 2**25],
    ),
    "what vanished is multiplied": (
        [1, 2],
        [node("Add", "x c", "a"), node("Sub", "a c", "s"), node("Mul", "s d")],
        {"c": f32(5), "d": f32(-2)},
        None,
        [20, 20],
    ),
    "what cancelled is multiplied": (
        [1, 2],
        [node("Add", "x c", "a"), node("Sub", "a d", "s"), node("Mul", "s e")],
        {"c": f32(5), "d": f32(3), "e": f32(-2)},
        None,
        [16, 16],
    ),
    "what vanished is added": (
        [1, 2],
        [
            node("Relu", "x", "r"),
            node("Add", "r c", "a"),
            node("Sub", "a c", "s"),
            node("Add", "x d", "b"),
            node("Add", "b s"),
        ],
        {"c": f32(7), "d": f32(5)},
        None,
        [19, 19],
    ),
    "a computed addend": (
        [1, 2],
        [node("Sub", "c d", "e"), node("Add", "x e")],
        {"c": f32(5), "d": f32(3)},
        None,
        [8, 8],
    ),
    "a computed addend of zero": (
        [1, 2],
        [node("Sub", "c c", "e"), node("Add", "x e")],
        {"c": f32(5)},
        None,
        [10, 10],
    ),
    "a computed factor": (
        [1, 2],
        [node("Sub", "c d", "e"), node("Mul", "x e")],
        {"c": f32(5), "d": f32(3, -3)},
        {0: [[8, 0], [0, 8]]},
        [0, 0],
    ),
    "a computed factor of a sum": (
        [1, 2],
        [node("Sub", "c d", "e"), node("Add", "x f", "a"), node("Mul", "a e")],
        {"c": f32(5), "d": f32(3), "f": f32(-7)},
        {0: [[8, 0], [0, 8]]},
        [56, 56],
    ),
    "a computed matrix": (
        [1, 2],
        [node("Add", "c d", "e"), node("Add", "x f", "a"), node("MatMul", "a e")],
        {"c": np.float32([[1, 2], [3, 4]]), "d": np.float32([[-1, 0], [0, 0]]), "f": f32(10)},
        {0: [[2, 3], [2, 4]]},
        [50, 60],
    ),
    "a computed matrix on the left": (
        [1, 2, 1],
        [node("Add", "c d", "e"), node("MatMul", "e x")],
        {"c": np.float32([[1, 2], [3, 4]]), "d": np.float32([[-1, 0], [0, 0]])},
        {0: [[2, 2], [3, 4]]},
        [0, 0],
    ),
    "a contraction of constants that cancel": (
        [1, 2],
        [node("Add", "x c", "a"), node("MatMul", "a w")],
        {"c": f32(3, 2), "w": np.float32([[2], [-3]])},
        None,
        [12],
    ),
    "a computed matrix of one column in two": (
        [1, 2],
        [node("Sub", "c d", "e"), node("MatMul", "x e")],
        {"c": np.float32([[5, 5], [5, 5]]), "d": np.float32([[0, 1], [0, 1]])},
        {0: [[5, 5], [6, 6]]},
        [0, 0],
    ),
    "terms that meet": (
        [1, 2],
        [node("Mul", "x c", "a"), node("Sub", "a x")],
        {"c": f32(3, -1)},
        {0: [[4, 0], [0, 2]]},
        [0, 0],
    ),
    "terms that cancel": (
        [1, 2],
        [node("Relu", "x", "r"), node("Add", "x r", "a"), node("Sub", "a r")],
        {},
        {0: [[1, 0], [0, 1]], 1: [[2, 0], [0, 2]]},
        [0, 0],
    ),
    "terms that cancel are moved and scaled": (
        [1, 2],
        [
            node("Relu", "x", "r"),
            node("Add", "x r", "a"),
            node("Sub", "a r", "s"),
            node("Concat", "x s", "k", axis=1),
            node("Mul", "k c", "m"),
            node("Sub", "m d"),
        ],
        {"c": f32(1, 1, 1, -3), "d": f32(0, 0, 0, 4)},
        {0: [[1, 0], [0, 1], [1, 0], [0, 3]], 1: [[0, 0], [0, 0], [2, 0], [0, 6]]},
        [0, 0, 0, 4],
    ),
    "terms that cancel are contracted": (
        [1, 2],
        [node("Relu", "x", "r"), node("Add", "x r", "a"), node("Sub", "a r", "s"), node("MatMul", "s w")],
        {"w": np.float32([[2], [-3]])},
        {0: [[2, 3]], 1: [[4, 6]]},
        [0],
    ),
    "LeakyRelu is no sum": (
        [1, 2],
        [node("LeakyRelu", "x", alpha=0.25)],
        {},
        None,
        None,
    ),
    "Clip's shifts": (
        [1, 2],
        [node("Clip", "x a b")],
        {"a": np.float32(1), "b": np.float32(3)},
        None,
        None,
    ),
}


@pytest.mark.parametrize("name", SIZES)
def test_size_forms(name: str) -> None:
    shape, nodes, constants, size_blocks, sizes = SIZES[name]
    last = read_model(model(nodes, shape, constants)).stages[-1]
    found = None if last.size_blocks is None else matrix(last.size_blocks)
    assert found == size_blocks
    constants_found = None if last.sizes is None else list(last.sizes)
    if sizes is not None and constants_found is None:
        constants_found = [abs(value) for value in last.bias]
    assert constants_found == sizes


def test_clip_shifts_within_the_limits_add_sizes() -> None:
    shape, nodes, constants, _, _ = SIZES["Clip's shifts"]
    first, second, last = read_model(model(nodes, shape, constants)).stages
    # z - 1, then (3 - 1) - p as 3 - (1 + p), then 3 - q
    assert (first.bias, first.sizes) == ((-1, -1), None)
    assert (second.bias, second.sizes) == ((2, 2), (4, 4))
    assert (last.bias, last.sizes) == ((3, 3), None)


COMPUTED = [node("Mul", "c d", "e")]
ROUNDED: dict[str, list[Any]] = {
    "lower limit": [*COMPUTED, node("Clip", "x e")],
    "upper limit": [*COMPUTED, node("Clip", "x _ e")],
    "fill value": [*COMPUTED, node("Pad", "x p e")],
    "indices": [*COMPUTED, node("Cast", "e", "i", to=7), node("Gather", "x i", axis=1)],
    "cast to float64": [
        *COMPUTED,
        node("Cast", "e", "i", to=11),
        node("Cast", "x", "w", to=11),
        node("Add", "w i"),
    ],
}


@pytest.mark.parametrize("name", ROUNDED)
def test_computed_constants_that_are_no_operands_are_refused(name: str) -> None:
    constants = {"d": np.float32(0), "p": i64(0, 1, 0, 2)}
    output = 11 if name == "cast to float64" else None
    with pytest.raises(Unsupported, match=r"computed, which runtimes round|may round"):
        content = model(ROUNDED[name], [1, 2], constants | {"c": np.float32(1)}, output_element=output)
        read_model(content)
    content = model(ROUNDED[name][1:], [1, 2], constants | {"e": np.float32(0)}, output_element=output)
    assert read_model(content).stages


def test_a_computed_constant_may_be_cast_to_its_own_type() -> None:
    nodes = [*COMPUTED, node("Cast", "e", "i", to=1), node("Add", "x i")]
    (stage,) = read_model(model(nodes, [1, 2], {"c": f32(3), "d": f32(5)})).stages
    assert stage.cost == (2, 2, 31)


def test_what_is_computed_is_no_group() -> None:
    for name in ("a third three times", "a large number and back", "Mul by one", "Add of zero"):
        (stage,) = stages(name)
        assert not stage.relu
        assert stage.bias == (0,) * 4
        assert matrix(stage.blocks) == {0: [[Fraction(i == j) for j in range(4)] for i in range(4)]}


@pytest.mark.parametrize(("name", "kept"), [("Reshape before Relu", 1), ("the input", 0)])
def test_what_is_moved_is_the_group(name: str, kept: int) -> None:
    assert len(stages(name)) == kept


# ---- the recurrences


def test_group_elements_are_exact() -> None:
    assert float32.EXACT == (1, 1, 1)
    assert Tensor((), 1, ()).cost == Stage(True, (), ()).cost == float32.EXACT


def test_caps() -> None:
    huge = Cost(60_000, 60_000, 2**150)
    assert float32.summed(huge, huge) == Cost(65538, 60_000, 2**151)
    assert float32.multiplied(huge, huge) == Cost(65538, 65538, 2**200)
    assert float32.contracted(Cost(1, 1, 1), Cost(1, 1, 1), 2**20) == Cost(65538, 2, 2**21)
    assert float32.inverted(Cost(65538, 65538, 2**199), [Fraction(1, 3)]) == Cost(65538, 65538, 2**200)
    assert float32.shifted(Cost(3, 4, 2**200), Fraction(1)) == Cost(3, 4, 2**200)


def test_gains_of_constants() -> None:
    third = Fraction(1, 3)
    assert [float32.gain_of(c) for c in ([], [third], [1], [1 + third, -1], [1, -2 - third])] == [
        1,
        1,
        1,
        2,
        3,
    ]
    assert float32.constants([third, -4]) == Cost(1, 1, 4)
    assert float32.joined([Cost(1, 5, 2), Cost(3, 2, 1), Cost(2, 1, 7)]) == Cost(3, 5, 7)


@pytest.mark.parametrize(
    ("cost", "roundings"),
    [
        (Cost(1, 1, 9), 0),
        (Cost(2, 1, 9), 1),
        (Cost(1, 2, 9), 1),
        (Cost(5, 3, 9), 6),
        (Cost(2**16, 2, 1), 2**16),
        (Cost(2, 2**16, 1), 2**16),
    ],
)
def test_relative_error(cost: Cost, roundings: int) -> None:
    # K u / (1 - K u), u = 2^-24
    assert float32.relative(cost) == Fraction(roundings, 2**24 - roundings)


@pytest.mark.parametrize("cost", [Cost(2**16, 3, 1), Cost(2**16 + 1, 2, 1), UNKNOWN, float32.UNKNOWN])
def test_too_many_roundings(cost: Cost) -> None:
    with pytest.raises(Rejected) as caught:
        float32.relative(cost)
    assert (caught.value.rule, caught.value.where) == ("float32", "model")
    assert MOST_ROUNDINGS == 2**16
