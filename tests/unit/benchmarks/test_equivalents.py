"""Copies of shipped models are equivalent in rationals, and shrunk boxes lie inside the boxes."""

from __future__ import annotations

import csv
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.equivalents import (
    NotAChain,
    Order,
    copy_model,
    copy_property,
    main,
    read_chain,
    renamed,
    shrunk,
)
from hybrid_ai.network import evaluate_exact, load_model
from hybrid_ai.spec import InputPolytope, normal_form, read_vnnlib

ROOT = Path(__file__).resolve().parents[3]
BRAKING = ROOT / "src/hybrid_ai/demo/braking.onnx"
LEAKY_CLIP = ROOT / "tests/data/models/leaky_clip.onnx"
SKIPPING = ROOT / "tests/data/models/residual.onnx"
PROBLEMS = [
    (BRAKING, BRAKING.with_name("braking_limit.vnnlib")),
    (BRAKING, BRAKING.with_name("braking_envelope.vnnlib")),
    (LEAKY_CLIP, LEAKY_CLIP.with_name("leaky_clip_fails.vnnlib")),
]
EXACT_KINDS = ("neurons", "scales", "inputs", "outputs")
POINTS = 12


def points(polytope: InputPolytope) -> list[tuple[Fraction, ...]]:
    choose = random.Random(3)
    return [
        tuple(
            lower + (upper - lower) * Fraction(choose.randrange(1001), 1000)
            for lower, upper in zip(polytope.lower, polytope.upper, strict=True)
        )
        for _ in range(POINTS)
    ]


def in_order(values: tuple[Fraction, ...], order: Order) -> tuple[Fraction, ...]:
    return tuple(values[old] for old in order)


def constants(model: bytes) -> list[object]:
    initializers = onnx.load_from_string(model).graph.initializer
    return [onnx.numpy_helper.to_array(tensor).tolist() for tensor in initializers]


@pytest.mark.parametrize("kind", EXACT_KINDS)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("model", "prop"), PROBLEMS, ids=lambda path: path.stem)
def test_copies_are_exactly_equivalent(model: Path, prop: Path, seed: int, kind: str, tmp_path: Path) -> None:
    made = copy_model(model.read_bytes(), kind, np.random.default_rng(seed))
    assert (made.order == ()) == (kind in ("neurons", "scales"))
    copied = tmp_path / "copy.vnnlib"
    copied.write_text(copy_property(prop, kind, made.order))
    old, new = load_model(model), load_model(made.model)
    old_property, new_property = read_vnnlib(prop), read_vnnlib(copied)
    assert (new.n_inputs, new.n_outputs) == (old.n_inputs, old.n_outputs)
    for x in points(normal_form(old_property).polytopes[0]):
        new_x = in_order(x, made.order) if kind == "inputs" else x
        y, new_y = tuple(evaluate_exact(old.staged, x)), tuple(evaluate_exact(new.staged, new_x))
        assert new_y == (in_order(y, made.order) if kind == "outputs" else y)
        assert new_property.holds_unsafe(new_x, new_y) == old_property.holds_unsafe(x, y)


@pytest.mark.parametrize("kind", EXACT_KINDS)
def test_copies_differ_from_their_models(kind: str) -> None:
    model = BRAKING if kind != "outputs" else LEAKY_CLIP
    made = [copy_model(model.read_bytes(), kind, np.random.default_rng(seed)) for seed in range(4)]
    assert any(constants(copy.model) != constants(model.read_bytes()) for copy in made)


def test_equal_seeds_give_equal_copies() -> None:
    first, second = (copy_model(BRAKING.read_bytes(), "scales", np.random.default_rng(5)) for _ in range(2))
    assert first == second


def test_shrunk_boxes_are_nine_tenths_around_the_same_centre() -> None:
    prop = read_vnnlib(BRAKING.with_name("braking_limit.vnnlib"))
    (old,), (new,) = normal_form(prop).polytopes, normal_form(shrunk(prop)).polytopes
    assert new.disjuncts == old.disjuncts
    for sides in zip(old.lower, old.upper, new.lower, new.upper, strict=True):
        lower, upper, new_lower, new_upper = sides
        assert new_lower + new_upper == lower + upper
        assert 10 * (new_upper - new_lower) == 9 * (upper - lower)


def test_shrunk_properties_are_written_as_decimals() -> None:
    text = copy_property(BRAKING.with_name("braking_limit.vnnlib"), "boxes", ())
    assert "(/" not in text


def test_shrinking_keeps_every_disjunct_of_every_box(tmp_path: Path) -> None:
    path = tmp_path / "two.vnnlib"
    path.write_text(
        "(declare-const X_0 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)"
        "(assert (or (and (>= X_0 0) (<= X_0 1)) (and (>= X_0 2) (<= X_0 4))))"
        "(assert (or (<= Y_0 1) (and (<= Y_1 0) (>= Y_0 X_0))))"
    )
    prop = read_vnnlib(path)
    old, new = normal_form(prop).polytopes, normal_form(shrunk(prop)).polytopes
    assert [part.disjuncts for part in new] == [part.disjuncts for part in old]
    bounds = [(part.lower[0], part.upper[0]) for part in new]
    assert bounds == [(Fraction("0.05"), Fraction("0.95")), (Fraction("2.1"), Fraction("3.9"))]


def test_renaming_leaves_declarations_and_longer_names() -> None:
    text = "(declare-const X_0 Real)(assert (<= X_1 X_10))(assert (<= Y_1 X_0))"
    order = (1, 0, 2, 3, 4, 5, 6, 7, 8, 10, 9)
    expected = "(declare-const X_0 Real)(assert (<= X_0 X_9))(assert (<= Y_1 X_1))"
    assert renamed(text, "X", order) == expected


def test_models_with_skip_connections_are_refused() -> None:
    with pytest.raises(NotAChain, match="chain"):
        read_chain(onnx.load(SKIPPING))


def test_weights_that_cannot_be_scaled_are_refused() -> None:
    model = onnx.load(LEAKY_CLIP)
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == "W1")
    tiny = np.full(tuple(tensor.dims), np.finfo(np.float32).smallest_subnormal, np.float32)
    tensor.CopyFrom(onnx.numpy_helper.from_array(tiny, "W1"))
    with pytest.raises(NotAChain, match="exactly"):
        copy_model(model.SerializeToString(), "scales", np.random.default_rng(0))


def test_a_suite_is_written_row_by_row(tmp_path: Path) -> None:
    source = tmp_path / "instances.csv"
    source.write_text(f"onnx,vnnlib,timeout_s,verdict\n{BRAKING},{PROBLEMS[0][1]},60,unsat\n")
    assert main([str(source), "--kind", "inputs", "-o", str(tmp_path / "copies")]) == 0
    with open(tmp_path / "copies" / "instances.csv", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["timeout_s"], row["verdict"]) == ("60", "unsat")
    copy = load_model(tmp_path / "copies" / row["onnx"])
    assert copy.n_inputs == read_vnnlib(tmp_path / "copies" / row["vnnlib"]).n_inputs == 5
