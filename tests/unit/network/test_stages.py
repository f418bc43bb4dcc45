"""The stage sequence: kinds, sources, exact matrices and biases."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto

from hybrid_ai.network import StagedNetwork, evaluate, evaluate_exact, load_model
from tests.unit.network.builder import DOUBLE, check_agreement, model, node, stages, tensor, weights

SQUARE, OTHER = weights(4, 4), weights(4, 4, seed=2)
LINEAR, RELU = "linear", "relu"
Stages = list[tuple[str, tuple[int, ...], int]]


def given(name: str, expected: Stages, *nodes: NodeProto, output: int | None = None, **constants: Any) -> Any:
    number = len(expected) if output is None else output
    return pytest.param(list(nodes), {"w": SQUARE, "v": OTHER} | constants, expected, number, id=name)


HALF, TWO = np.array(0.5), np.array(2.0)
SEQUENCES = [
    given("input as output", [], node("Identity", "x")),
    given("affine", [(LINEAR, (0,), 4)], node("MatMul", "x w")),
    given("relu as output", [(RELU, (0,), 4)], node("Gemm", "x w", "z"), node("Relu", "z")),
    given(
        "relu then movement",
        [(RELU, (0,), 4), (LINEAR, (1,), 2)],
        node("Relu", "x", "h"),
        node("Slice", "h s e a"),
        s=np.array([1]),
        e=np.array([3]),
        a=np.array([1]),
    ),
    given("reshape keeps a group", [(RELU, (0,), 4)], node("Relu", "x", "h"), node("Flatten", "h")),
    given(
        "two contractions are cut",
        [(LINEAR, (0,), 4), (LINEAR, (1,), 4)],
        node("MatMul", "x w", "z"),
        node("Add", "z c", "s"),
        node("MatMul", "s v"),
        c=weights(4),
    ),
    given(
        "relu ends a contraction",
        [(RELU, (0,), 4), (LINEAR, (1,), 4)],
        node("MatMul", "x w", "z"),
        node("Relu", "z", "h"),
        node("MatMul", "h v"),
    ),
    given(
        "the mark goes through movement",
        [(LINEAR, (0,), 4), (LINEAR, (1,), 4)],
        node("MatMul", "x w", "z"),
        node("Transpose", "z", "t"),
        node("MatMul", "v t"),
    ),
    given(
        "a cut tensor stays cut",
        [(LINEAR, (0,), 4), (LINEAR, (1,), 4)],
        node("MatMul", "x w", "z"),
        node("MatMul", "z v", "a"),
        node("Add", "z a"),
    ),
    given(
        "a copy made before the cut is not cut",
        [(LINEAR, (0,), 4), (LINEAR, (0, 1), 4)],
        node("MatMul", "x w", "z"),
        node("Identity", "z", "copy"),
        node("MatMul", "z v", "a"),
        node("Add", "copy a"),
    ),
    given(
        "two readers share one cut",
        [(LINEAR, (0,), 4), (LINEAR, (1,), 4)],
        node("MatMul", "x w", "z"),
        node("MatMul", "z v", "a"),
        node("MatMul", "z w", "b"),
        node("Sub", "a b"),
    ),
    given(
        "residual",
        [(RELU, (0,), 4), (LINEAR, (0, 1), 4)],
        node("MatMul", "x w", "z"),
        node("Relu", "z", "h"),
        node("Add", "h x"),
    ),
    given(
        "contracted residual",
        [(RELU, (0,), 4), (LINEAR, (0, 1), 4), (LINEAR, (2,), 4)],
        node("MatMul", "x w", "z"),
        node("Relu", "z", "h"),
        node("Add", "h z", "s"),
        node("MatMul", "s v"),
    ),
    given(
        "branches joined",
        [(RELU, (0,), 4), (RELU, (0,), 4), (LINEAR, (1, 2), 8)],
        node("MatMul", "x w", "z"),
        node("Relu", "z", "a"),
        node("Relu", "x", "b"),
        node("Concat", "a b", axis=1),
    ),
    given(
        "unused operations are ignored",
        [(RELU, (0,), 4)],
        node("Relu", "x", "unused"),
        node("Conv", "unused w", "unused2"),
        node("Relu", "x"),
    ),
    given(
        "a sum that cancels is computed all the same",
        [(RELU, (0,), 4), (RELU, (1,), 4), (LINEAR, (1,), 4)],
        node("Relu", "x", "h"),
        node("Relu", "h", "k"),
        node("Mul", "k zero", "n"),
        node("Add", "h n"),
        zero=np.array(0.0),
    ),
    given("leaky relu of a plain tensor", [(RELU, (0,), 4), (LINEAR, (0, 1), 4)], node("LeakyRelu", "x")),
    given(
        "leaky relu cuts",
        [(LINEAR, (0,), 4), (RELU, (1,), 4), (LINEAR, (1, 2), 4)],
        node("MatMul", "x w", "z"),
        node("LeakyRelu", "z"),
    ),
    given(
        "leaky relu is not contracted",
        [(LINEAR, (0,), 4), (RELU, (1,), 4), (LINEAR, (1, 2), 4)],
        node("MatMul", "x w", "z"),
        node("LeakyRelu", "z", "l"),
        node("MatMul", "l v"),
    ),
    given(
        "leaky relu cuts a plain product, which is computed",
        [(LINEAR, (0,), 4), (RELU, (1,), 4), (LINEAR, (1, 2), 4)],
        node("MatMul", "x one", "z"),
        node("LeakyRelu", "z", "l"),
        node("MatMul", "l v"),
        one=np.eye(4),
    ),
    given("leaky relu of slope 0", [(RELU, (0,), 4), (LINEAR, (1,), 4)], node("LeakyRelu", "x", alpha=0.0)),
    given(
        "clip", [(RELU, (0,), 4), (RELU, (1,), 4), (LINEAR, (2,), 4)], node("Clip", "x a b"), a=HALF, b=TWO
    ),
    given("clip below", [(RELU, (0,), 4), (LINEAR, (1,), 4)], node("Clip", "x a"), a=HALF),
    given("clip at zero", [(RELU, (0,), 4)], node("Clip", "x a"), a=np.array(0.0)),
    given("clip above", [(RELU, (0,), 4), (LINEAR, (1,), 4)], node("Clip", "x _ b"), b=TWO),
    given("clip to nothing", [(LINEAR, (), 4)], node("Clip", "x a b"), a=TWO, b=HALF),
    given(
        "clip is not contracted",
        [(RELU, (0,), 4), (LINEAR, (1,), 4)],
        node("MatMul", "x w", "z"),
        node("Clip", "z a", "c"),
        node("MatMul", "c v"),
        a=HALF,
    ),
    given(
        "clip without limits hands the mark on",
        [(LINEAR, (0,), 4), (LINEAR, (1,), 4)],
        node("MatMul", "x w", "z"),
        node("Clip", "z", "c"),
        node("MatMul", "c v"),
    ),
    given("difference of itself", [(LINEAR, (), 4)], node("Identity", "x", "t"), node("Sub", "x t")),
]


@pytest.mark.parametrize(("nodes", "constants", "expected", "output"), SEQUENCES)
def test_sequence(nodes: list[NodeProto], constants: dict[str, Any], expected: Stages, output: int) -> None:
    dead = any(operation.op_type == "Conv" for operation in nodes)
    data = model(nodes, constants)
    loaded = load_model(data) if dead else check_agreement(data)
    assert stages(loaded) == expected
    assert loaded.staged.output_group == output
    assert loaded.staged.group_sizes == (4, *(size for _, _, size in expected))
    assert loaded.neuron_count == sum(size for kind, _, size in expected if kind == RELU)


def matrix(staged: StagedNetwork, k: int, source: int) -> list[list[Fraction]]:
    (block,) = [block for block in staged.stage_exact(k).blocks if block.source == source]
    rows, columns = block.numerators.shape
    return [[block.entry(i, j) for j in range(columns)] for i in range(rows)]


def fractions(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        values = values.tolist()
    return [fractions(v) for v in values] if isinstance(values, Sequence) else Fraction(values)


def test_gemm_is_exact() -> None:
    c = weights(4)
    loaded = load_model(model([node("Gemm", "x w c", alpha=0.1, beta=0.7)], {"w": SQUARE, "c": c}))
    alpha, beta = Fraction(float(np.float32(0.1))), Fraction(float(np.float32(0.7)))
    expected = [[alpha * value for value in row] for row in fractions(SQUARE.T)]
    assert matrix(loaded.staged, 1, 0) == expected
    assert list(loaded.staged.stage_exact(1).bias) == [beta * value for value in fractions(c)]
    assert loaded.staged.stages[0].blocks[0].weights.tolist() == [[float(v) for v in row] for row in expected]


def test_normalisation_is_exact_and_weights_are_nearest() -> None:
    mean, spread = weights(4, seed=3), weights(4, seed=4) + 5
    nodes = [node("Sub", "x m", "c"), node("Div", "c r", "n"), node("MatMul", "n w")]
    staged = load_model(model(nodes, {"m": mean, "r": spread, "w": SQUARE})).staged
    m, r, w = fractions(mean), fractions(spread.astype(np.float32)), fractions(SQUARE)
    expected = [[w[j][i] / r[j] for j in range(4)] for i in range(4)]
    assert matrix(staged, 1, 0) == expected
    assert list(staged.stage_exact(1).bias) == [
        -sum(w[j][i] * m[j] / r[j] for j in range(4)) for i in range(4)
    ]
    assert staged.stages[0].blocks[0].weights.tolist() == [[float(v) for v in row] for row in expected]
    assert staged.stages[0].bias.tolist() == [float(v) for v in staged.stage_exact(1).bias]


def test_leaky_relu_is_exact() -> None:
    staged = load_model(model([node("LeakyRelu", "x", alpha=0.3)])).staged
    alpha = Fraction(float(np.float32(0.3)))
    identity = [[Fraction(i == j) for j in range(4)] for i in range(4)]
    assert matrix(staged, 1, 0) == identity
    assert matrix(staged, 2, 0) == [[alpha * v for v in row] for row in identity]
    assert matrix(staged, 2, 1) == [[(1 - alpha) * v for v in row] for row in identity]


def test_leaky_relu_default_is_a_float32() -> None:
    staged = load_model(model([node("LeakyRelu", "x")])).staged
    assert matrix(staged, 2, 0)[0][0] == Fraction(float(np.float32(0.01)))


def test_clip_is_exact() -> None:
    lower, upper = np.float32(-0.1), np.float32(0.7)
    staged = load_model(model([node("Clip", "x a b")], {"a": np.array(lower), "b": np.array(upper)})).staged
    lo, hi = Fraction(float(lower)), Fraction(float(upper))
    identity = [[Fraction(i == j) for j in range(4)] for i in range(4)]
    negated = [[-v for v in row] for row in identity]
    assert [matrix(staged, k, k - 1) for k in (1, 2, 3)] == [identity, negated, negated]
    assert [staged.stage_exact(k).bias[0] for k in (1, 2, 3)] == [-lo, hi - lo, hi]


def test_sums_of_doubles_are_not_rounded() -> None:
    """1e16 + 1 is no double: the forms must not pass through one."""
    nodes = [node("Add", "x c", "s"), node("Add", "s d")]
    constants = {"c": np.full(4, 1e16), "d": np.full(4, 1.0)}
    staged = load_model(model(nodes, constants, element=DOUBLE)).staged
    assert staged.stage_exact(1).bias == (Fraction(10**16 + 1),) * 4
    x = [Fraction(1, 3)] * 4
    assert evaluate_exact(staged, x) == [Fraction(10**16 + 1) + Fraction(1, 3)] * 4


def test_coefficients_of_doubles_are_not_rounded() -> None:
    big = np.nextafter(1.0, 2.0)
    nodes = [node("Mul", "x c", "s"), node("Mul", "s c", "t"), node("Add", "t x")]
    staged = load_model(model(nodes, {"c": np.array(big)}, element=DOUBLE)).staged
    assert matrix(staged, 1, 0)[2][2] == Fraction(float(big)) ** 2 + 1


def test_tiny_products_do_not_underflow() -> None:
    nodes = [node("Mul", "x c", "s"), node("Mul", "s c")]
    staged = load_model(model(nodes, {"c": np.array(1e-200)}, element=DOUBLE)).staged
    assert matrix(staged, 1, 0)[0][0] == Fraction(1e-200) ** 2 != 0
    assert staged.stages[0].blocks[0].weights[0, 0] == 0.0


def test_tiny_quotients_do_not_underflow() -> None:
    staged = load_model(model([node("Div", "x c")], {"c": np.array(2.0**600)}, element=DOUBLE)).staged
    assert matrix(staged, 1, 0)[0][0] == Fraction(1, 2**600)
    nodes = [node("Div", "a b", "q"), node("Add", "x q")]
    constants = {"a": np.array(5e-324), "b": np.array(2.0)}
    staged = load_model(model(nodes, constants, element=DOUBLE)).staged
    assert staged.stage_exact(1).bias == (Fraction(1, 2**1075),) * 4


def test_repeated_terms_are_added_exactly() -> None:
    """Three copies of each input meet in one contraction."""
    nodes = [node("Concat", "x x x", "t", axis=1), node("MatMul", "t m")]
    m = weights(12, 2)
    staged = load_model(model(nodes, {"m": m})).staged
    exact = fractions(m)
    expected = [[exact[j][i] + exact[j + 4][i] + exact[j + 8][i] for j in range(4)] for i in range(2)]
    assert matrix(staged, 1, 0) == expected


def test_evaluate_exact_uses_no_float() -> None:
    staged = load_model(model([node("MatMul", "x w", "z"), node("Relu", "z")], {"w": SQUARE})).staged
    x = [Fraction(1, 3), Fraction(-2, 7), Fraction(5), Fraction(10**30 + 1, 10**30)]
    w = fractions(SQUARE)
    expected = [max(Fraction(0), sum(w[j][i] * x[j] for j in range(4))) for i in range(4)]
    assert evaluate_exact(staged, x) == expected


def test_wrong_lengths_are_refused() -> None:
    staged = load_model(model([node("Relu", "x")])).staged
    with pytest.raises(ValueError, match="4 inputs, got 3"):
        evaluate_exact(staged, [Fraction(0)] * 3)
    with pytest.raises(ValueError, match=r"\(batch, 4\)"):
        evaluate(staged, np.zeros(4))
    with pytest.raises(IndexError, match="numbered from 1"):
        staged.stage_exact(0)


def test_graph_records() -> None:
    nodes = [
        node("Gemm", "x w c", "z"),
        node("Neg", "z", "unused"),
        node("Constant", "", "k", value=tensor("", TWO)),
        node("Mul", "z k", "s"),
        node("Gemm", "s w c"),
    ]
    loaded = load_model(model(nodes, {"w": SQUARE, "c": weights(4)}, x=("batch", 4)))
    operations = loaded.graph.operations
    assert [operation.used for operation in operations] == [True, False, True, True, True]
    assert [operation.parameters for operation in operations] == [20, 0, 1, 0, 0]
    assert loaded.parameters == 21
    assert operations[0].output_shapes == ((1, 4),)
    assert operations[0].label == "'Gemm of z' (Gemm)"
    assert (loaded.n_inputs, loaded.input_shape, loaded.n_outputs, loaded.output_shape) == (
        4,
        (1, 4),
        4,
        (1, 4),
    )


def test_arrays_cannot_be_changed() -> None:
    stage = load_model(model([node("MatMul", "x w")], {"w": SQUARE})).staged.stages[0]
    with pytest.raises(ValueError, match="read-only"):
        stage.blocks[0].weights[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        stage.bias[0] = 1.0
