"""Stages as later parts read them, networks side by side, and points outside the input set."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from hybrid_ai.checker import stages
from hybrid_ai.checker.counterexample import judge_counterexample
from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.rejected import Rejected, Unsupported
from hybrid_ai.checker.stages import Block, Network, Stage, evaluate, repeated
from tests.checker import build as b
from tests.checker.models import i64, model, node, np
from tests.checker.test_check import MODEL, REACHED, counterexample

ROW = ((0, Fraction(1)), (1, Fraction(-2)), (2, Fraction(3)))


def wide(rows: int, *, sized: int = 0) -> Network:
    """Three entries in each row, without memory for each; `sized` rows in the matrix of sizes."""
    block = Block(0, (ROW,) * rows, 3)
    sizes = (Block(0, (ROW,) * sized, 3),) if sized else None
    return Network(3, (Stage(False, (block,), (Fraction(0),) * rows, sizes),), 1)


# ---- several instances of a network


def test_weights_of_several_instances_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stages.MOST_ENTRIES == 2**24
    monkeypatch.setattr(stages, "MOST_ENTRIES", 36)
    assert len(repeated(wide(6), 2).stages[0].blocks[0].rows) == 12
    assert len(repeated(wide(4), 3).stages[0].blocks[0].rows) == 12
    assert len(repeated(wide(2, sized=4), 2).stages[0].blocks[0].rows) == 4
    for network, times in ((wide(7), 2), (wide(5), 3), (wide(1), 13), (wide(2, sized=5), 2)):
        with pytest.raises(Unsupported, match=f"{times} instances") as caught:
            repeated(network, times)
        assert caught.value.where == "declarations"


def test_instances_are_side_by_side() -> None:
    first = b.stage(True, {0: [[1, -2], [3, 4]]}, [5, 6])
    sized = replace(first, size_blocks=b.stage(True, {0: [[7, 8], [9, 10]]}, [0, 0]).blocks)
    one = b.network(
        2, replace(sized, sizes=(Fraction(11), Fraction(12))), b.stage(False, {1: [[1, 1]]}, [-1])
    )
    two = repeated(one, 2)
    expected = b.stage(True, {0: [[1, -2, 0, 0], [3, 4, 0, 0], [0, 0, 1, -2], [0, 0, 3, 4]]}, [5, 6, 5, 6])
    sizes = b.stage(True, {0: [[7, 8, 0, 0], [9, 10, 0, 0], [0, 0, 7, 8], [0, 0, 9, 10]]}, [11, 12] * 2)
    assert two.stages[0] == replace(expected, size_blocks=sizes.blocks, sizes=sizes.bias)
    assert two.stages[1] == b.stage(False, {1: [[1, 1, 0, 0], [0, 0, 1, 1]]}, [-1, -1])
    assert (two.n_inputs, two.output_group, two.double) == (4, 2, False)
    x = [Fraction(1, 3), Fraction(-2), Fraction(5), Fraction(1, 7)]
    assert evaluate(two, x) == evaluate(one, x[:2]) + evaluate(one, x[2:])
    assert repeated(replace(one, double=True), 2).double
    assert repeated(one, 1) == one


# ---- rows and groups


BACK = {"i": i64(3, 2, 1, 0)}


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([node("Gather", "x i", "a", axis=1), node("MatMul", "a w")], BACK | {"w": np.ones((4, 2), "f4")}),
        ([node("Gather", "x i", "a", axis=1), node("Add", "a x")], BACK),
        (
            [node("Gather", "x i", "a", axis=1), node("Sub", "a x", "s"), node("Add", "s a")],
            BACK,
        ),
    ],
)
def test_columns_increase_in_every_row(nodes: list[Any], constants: dict[str, Any]) -> None:
    (stage,) = read_model(model(nodes, [1, 4], constants)).stages
    for block in (*stage.blocks, *(stage.size_blocks or ())):
        for row in block.rows:
            columns = [column for column, _ in row]
            assert len(columns) >= 2 and columns == sorted(set(columns))


def test_what_cancels_is_no_entry() -> None:
    nodes = [node("Relu", "x", "r"), node("Add", "x r", "a"), node("Sub", "a r")]
    stage = read_model(model(nodes, [1, 4])).stages[-1]
    assert [block.source for block in stage.blocks] == [0]
    assert [block.source for block in stage.size_blocks or ()] == [0, 1]
    partly = [node("Gather", "x i", "g", axis=1), node("Sub", "x g")]
    stage = read_model(model(partly, [1, 4], {"i": i64(0, 0, 2, 2)})).stages[-1]
    assert [[column for column, _ in row] for row in stage.blocks[0].rows] == [[], [0, 1], [], [2, 3]]


def test_what_begins_like_a_group_is_none() -> None:
    # The first elements are those of the group of the Relu, the others not.
    nodes = [node("Relu", "x", "r"), node("Gather", "r i", axis=1)]
    for order in ((0, 1, 2, 2), (0, 1, 2), (0, 1, 2, 3, 0), (0, 2, 1, 3)):
        found = read_model(model(nodes, [1, 4], {"i": i64(*order)}))
        assert [stage.relu for stage in found.stages] == [True, False]
    joined = [node("Relu", "x", "r"), node("Concat", "r x", axis=1)]
    assert [stage.relu for stage in read_model(model(joined, [1, 4])).stages] == [True, False]
    whole = read_model(model(nodes, [1, 4], {"i": i64(0, 1, 2, 3)}))
    assert [stage.relu for stage in whole.stages] == [True]


# ---- points outside the input set


@pytest.mark.parametrize("arithmetic", [{"real": False, "float32": True}, {"real": True, "float32": True}])
@pytest.mark.parametrize("x", [["-1000001/1000000", "1"], ["1", "1.0000001"], ["2", "2"], ["1", "-3"]])
def test_a_point_outside_the_input_set_is_no_counterexample(
    arithmetic: dict[str, bool], x: list[str]
) -> None:
    inside = counterexample(arithmetic=arithmetic)
    assert judge_counterexample(MODEL, REACHED, inside) in ("valid", "not_reevaluated")
    with pytest.raises(Rejected, match="the point") as caught:
        judge_counterexample(MODEL, REACHED, counterexample(arithmetic=arithmetic, x=x))
    assert (caught.value.rule, caught.value.where) == ("counterexample", "x")


def test_a_float32_claim_is_judged_by_the_inputs_alone() -> None:
    # The outputs at this point are safe over the reals; in float32 they may be anything.
    only_float32 = counterexample(arithmetic={"real": False, "float32": True}, x=["0", "0"])
    assert judge_counterexample(MODEL, REACHED, only_float32) == "not_reevaluated"
    with pytest.raises(Rejected, match="does not satisfy the unsafe condition"):
        judge_counterexample(MODEL, REACHED, counterexample(x=["0", "0"]))
