"""What each arithmetic answers, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.end_to_end.command import Command

BOX = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 0.25))(assert (<= X_0 0.75))"
# (x + 2^24) - 2^24: the identity in real arithmetic, steps of two in float32.
SWALLOWED = (("Add", 2.0**24), ("Sub", 2.0**24))
HALVED = (("Mul", 0.5),)


def _write(path: Path, steps: tuple[tuple[str, float], ...], element: int = TensorProto.FLOAT) -> Path:
    kind = np.float32 if element == TensorProto.FLOAT else np.float64
    names = ["x", *(f"t{k}" for k in range(1, len(steps))), "y"]
    nodes = [helper.make_node(name, [names[k], f"c{k}"], [names[k + 1]]) for k, (name, _) in enumerate(steps)]
    constants = [
        numpy_helper.from_array(np.array([value], kind), f"c{k}") for k, (_, value) in enumerate(steps)
    ]
    ends = [helper.make_tensor_value_info(name, element, [1]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def _ask(
    command: Command, folder: Path, steps: tuple[tuple[str, float], ...], claim: str, *options: str
) -> dict:
    model, prop = _write(folder / "m.onnx", steps), folder / "p.vnnlib"
    prop.write_text(claim)
    return json.loads(command("verify", model, prop, "--json", "--timeout", "20", *options).out)


@pytest.mark.parametrize(
    ("options", "verdict", "arithmetics"),
    [
        ((), "refuted", {"real": "unknown", "float32": "refuted"}),
        (("--arithmetic", "both"), "refuted", {"real": "unknown", "float32": "refuted"}),
        (("--arithmetic", "real"), "proved", {"real": "proved"}),
        (("--arithmetic", "float32"), "refuted", {"float32": "refuted"}),
    ],
)
def test_what_float32_swallows(
    command: Command, tmp_path: Path, options: tuple[str, ...], verdict: str, arithmetics: dict[str, str]
) -> None:
    """y = x in real arithmetic, so y > 0.1; ONNX Runtime returns 0."""
    content = _ask(command, tmp_path, SWALLOWED, f"{BOX}(assert (<= Y_0 0.1))", *options)
    assert (content["verdict"], content["arithmetics"]) == (verdict, arithmetics)
    if verdict == "refuted":
        found = content["counterexample"]
        assert found["violates"] == {"real": False, "float32": True}
        said = "the counterexample does not violate in it, and the search ended there"
        assert content["reasons"] == {name: said for name in arithmetics if name != "float32"}
        assert found["outputs"]["float32"] == [0.0]
        assert 0.25 <= found["outputs"]["real"][0] <= 0.75
        assert content["checked_by"].startswith("ONNX Runtime ")


def test_a_margin_below_the_rounding_is_proved_in_real_arithmetic_alone(
    command: Command, tmp_path: Path
) -> None:
    """y = x / 2 >= 0.125 is missed by 1e-12; no execution that we know violates."""
    content = _ask(command, tmp_path, HALVED, f"{BOX}(assert (<= Y_0 0.124999999999))")
    assert content["arithmetics"] == {"real": "proved", "float32": "unknown"}
    assert content["verdict"] == "unknown"
    assert content["reason"].startswith("proved in real arithmetic alone; float32: the margin is smaller")
    assert content["reasons"].keys() == {"float32"}
    assert content["reasons"]["float32"].startswith("float32: the margin is smaller")


def test_one_certificate_shows_both(command: Command, tmp_path: Path) -> None:
    content = _ask(
        command, tmp_path, HALVED, f"{BOX}(assert (<= Y_0 0.1249))", "--certificate", str(tmp_path / "c")
    )
    assert content["arithmetics"] == {"real": "proved", "float32": "proved"}
    assert 0 < content["float32_penalty"] < content["margin"] < 1e-4
    again = command("check", tmp_path / "m.onnx", tmp_path / "p.vnnlib", tmp_path / "c", "--engine", "exact")
    assert (again.code, again.out.split(",")[0]) == (0, "valid: certificate in real and float32 arithmetic")


def test_a_model_in_float64_is_judged_over_the_reals(command: Command, tmp_path: Path) -> None:
    model, prop = _write(tmp_path / "m.onnx", HALVED, TensorProto.DOUBLE), tmp_path / "p.vnnlib"
    prop.write_text(f"{BOX}(assert (<= Y_0 0.1))")
    assert json.loads(command("verify", model, prop, "--json").out)["arithmetics"] == {"real": "proved"}
    ended = command("verify", model, prop, "--arithmetic", "float32")
    assert (ended.code, ended.out) == (
        20,
        "unknown: float32: the model reads float64; ask for real arithmetic\n",
    )


def _query(element: str, claim: str) -> str:
    return (
        f"(vnnlib-version <2.0>)(declare-network f (declare-input X {element} [1])"
        f"(declare-output Y {element} [1]))(assert (>= X[0] 0.25))(assert (<= X[0] 0.75))(assert {claim})"
    )


@pytest.mark.parametrize(
    ("element", "arithmetics"), [("real", {"real": "proved"}), ("float32", {"float32": "refuted"})]
)
def test_a_query_is_answered_for_the_numbers_it_declares(
    command: Command, tmp_path: Path, element: str, arithmetics: dict[str, str]
) -> None:
    content = _ask(command, tmp_path, SWALLOWED, _query(element, "(<= Y[0] 0.1)"))
    assert content["arithmetics"] == arithmetics


@pytest.mark.parametrize(
    ("element", "asked"), [("float32", "real"), ("float32", "both"), ("real", "float32"), ("real", "both")]
)
def test_other_numbers_than_declared_are_refused(
    command: Command, tmp_path: Path, element: str, asked: str
) -> None:
    model, prop = _write(tmp_path / "m.onnx", HALVED), tmp_path / "p.vnnlib"
    prop.write_text(_query(element, "(<= Y[0] 0.1)"))
    ended = command("verify", model, prop, "--arithmetic", asked)
    assert ended.code == 2
    assert f"declared over {element} numbers" in ended.err


def test_a_query_over_float32_of_a_model_in_float64_is_unsupported(command: Command, tmp_path: Path) -> None:
    model, prop = _write(tmp_path / "m.onnx", HALVED, TensorProto.DOUBLE), tmp_path / "p.vnnlib"
    prop.write_text(_query("float32", "(<= Y[0] 0.1)"))
    ended = command("verify", model, prop)
    assert ended.code == 20
    assert "the model reads float64" in ended.out


def test_the_atom_of_a_float32_refutation_is_the_one_that_is_violated(
    command: Command, tmp_path: Path
) -> None:
    """The rounding of 0.1 lies above 0.1, outside the box; atoms over inputs alone are judged at 0.1."""
    claim = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 0.1))(assert (<= X_0 0.1))"
    content = _ask(
        command, tmp_path, (("Mul", 1.0),), f"{claim}(assert (> Y_0 0.1))", "--arithmetic", "float32"
    )
    assert content["verdict"] == "refuted"
    assert content["counterexample"]["atom"] == "(> Y_0 0.1)"


def test_the_competitions_file_is_about_real_arithmetic(command: Command, tmp_path: Path) -> None:
    model, prop = _write(tmp_path / "m.onnx", SWALLOWED), tmp_path / "p.vnnlib"
    prop.write_text(f"{BOX}(assert (<= Y_0 0.1))")
    command("verify", model, prop, "--results-file", tmp_path / "r")
    assert (tmp_path / "r").read_text() == "unsat\n"


def test_two_instances_of_one_network(command: Command, tmp_path: Path) -> None:
    """y = x / 2 is increasing: with x1 <= x2 no y1 > y2 (by more than rounding)."""
    networks = "".join(
        f"(declare-network {name} {equal}(declare-input X{k} real [1])(declare-output Y{k} real [1]))"
        for k, (name, equal) in enumerate((("f", ""), ("g", "(equal-to f)")))
    )
    box = "".join(f"(assert (>= X{k}[0] 0))(assert (<= X{k}[0] 1))" for k in range(2))
    query = (
        f"(vnnlib-version <2.0>){networks}{box}(assert (<= X0[0] X1[0]))(assert (>= Y0[0] (+ Y1[0] 0.01)))"
    )
    content = _ask(command, tmp_path, HALVED, query, "--certificate", str(tmp_path / "c"))
    assert content["arithmetics"] == {"real": "proved"}
    again = command("check", tmp_path / "m.onnx", tmp_path / "p.vnnlib", tmp_path / "c")
    assert again.code == 0
    other = query.replace("(<= X0[0] X1[0])", "(>= X0[0] X1[0])")
    assert _ask(command, tmp_path, HALVED, other)["arithmetics"] == {"real": "refuted"}
