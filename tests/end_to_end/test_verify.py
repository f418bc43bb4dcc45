"""Verdicts, their JSON and their evidence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import hybrid_ai
from tests.end_to_end.command import FAILS, HOLDS, MODELS, Command
from tests.end_to_end.problems import box, write_endless, write_identity, write_property, write_tenth

FIELDS = {
    "verdict", "arithmetics", "reason", "reasons", "vacuous", "counterexample", "certificate", "checked_by",
    "leaves", "bounded", "repairs", "assumptions", "seconds", "model_sha256", "property_sha256", "version",
}  # fmt: skip


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_proved_is_0_and_both_engines_prove_it_again(command: Command, tmp_path: Path) -> None:
    certificate = tmp_path / "c"
    ended = command("verify", *HOLDS, "--certificate", certificate, "--json")
    assert (ended.code, ended.err.count("Traceback")) == (0, 0)
    content = json.loads(ended.out)
    assert content.keys() >= FIELDS
    assert content["verdict"] == "proved"
    assert content["arithmetics"] == {"real": "proved", "float32": "proved"}
    assert content["margin"] > content["float32_penalty"] > 0
    assert (content["vacuous"], content["counterexample"], content["repairs"]) == (False, None, 0)
    assert content["checked_by"] == f"fast {hybrid_ai.__version__}"
    assert content["leaves"] >= 1
    assert content["seconds"].keys() == {"search", "check", "total"}
    assert (content["model_sha256"], content["property_sha256"]) == (digest(HOLDS[0]), digest(HOLDS[1]))
    written = {"path": str(certificate), "sha256": digest(certificate), "bytes": certificate.stat().st_size}
    assert content["certificate"] == written
    for engine in ("fast", "exact"):
        again = command("check", *HOLDS, certificate, "--engine", engine)
        assert again.code == 0
        assert again.out.startswith(f"valid: certificate in real and float32 arithmetic, engine {engine}")


def test_refuted_is_10_and_the_counterexample_is_evidence(command: Command, tmp_path: Path) -> None:
    evidence = tmp_path / "x.json"
    ended = command("verify", *FAILS, "--certificate", evidence, "--json")
    assert ended.code == 10
    found = json.loads(ended.out)["counterexample"]
    assert len(found["x"]) == 5
    assert found["violates"] == {"real": True, "float32": True}
    assert found["outputs"]["real"][0] >= 1206
    assert found["atom"] == "(>= Y_0 1206)"
    assert (found["runtime"]["threads"], found["runtime"]["graph_optimization"]) == (1, "ORT_DISABLE_ALL")
    assert found["file"]["sha256"] == digest(evidence)
    again = command("check", *FAILS, evidence)
    assert (again.code, again.out) == (0, "valid: counterexample in real arithmetic, engine exact\n")


@pytest.mark.parametrize("name", ["branches", "leaky_clip", "residual"])
@pytest.mark.parametrize(("word", "code"), [("holds", 0), ("fails", 10)])
def test_small_models(command: Command, name: str, word: str, code: int) -> None:
    ended = command("verify", MODELS / f"{name}.onnx", MODELS / f"{name}_{word}.vnnlib")
    assert ended.code == code, ended
    assert ended.out.count("\n") == 1


@pytest.mark.clock
def test_unknown_is_20_and_keeps_its_time(command: Command, tmp_path: Path) -> None:
    ended = command("verify", *write_endless(tmp_path), "--timeout", 1.5, "--json")
    content = json.loads(ended.out)
    assert (ended.code, content["verdict"]) == (20, "unknown")
    assert content["reason"].startswith("timeout")
    assert content["seconds"]["total"] < 1.5 + 5  # a compilation on a busy machine ends between two functions


def test_memory_limit(command: Command, tmp_path: Path) -> None:
    ended = command("verify", *write_endless(tmp_path), "--memory", 1)
    assert ended.code == 20
    assert ended.out.startswith("unknown: memory")


def test_unsupported_operation_is_20_and_named(command: Command, tmp_path: Path) -> None:
    model = write_identity(tmp_path / "m.onnx", last="Tanh")
    ended = command("verify", model, write_property(tmp_path / "p.vnnlib", [*box(0, 1), "(>= Y_0 3)"]))
    assert ended.code == 20
    assert ended.out.startswith("unknown: unsupported Tanh at ")
    assert "act1" in ended.out


def test_unsupported_property_is_20(command: Command, tmp_path: Path) -> None:
    model = write_identity(tmp_path / "m.onnx")
    ended = command("verify", model, write_property(tmp_path / "p.vnnlib", ["(>= X_0 0)", "(>= Y_0 3)"]))
    assert ended.code == 20
    assert ended.out.startswith("unknown: unsupported property at ")


def test_vacuous_is_proved_only_when_allowed(command: Command, tmp_path: Path) -> None:
    model = write_identity(tmp_path / "m.onnx")
    empty = write_property(tmp_path / "p.vnnlib", ["(>= X_0 2)", "(<= X_0 1)", *box(0, 3), "(>= Y_0 3)"])
    refused = command("verify", model, empty)
    assert (refused.code, refused.out) == (2, "")
    assert "X_0 >= 2 (line 4) contradicts X_0 <= 1 (line 5)" in refused.err
    certificate = tmp_path / "c"
    allowed = command("verify", model, empty, "--allow-vacuous", "--json", "--certificate", certificate)
    assert allowed.code == 0
    assert json.loads(allowed.out)["vacuous"] is True
    assert command("check", model, empty, certificate).code == 0


def test_contradictory_constraints_name_their_lines(command: Command, tmp_path: Path) -> None:
    model = write_identity(tmp_path / "m.onnx")
    asserts = [*box(0, 1), "(<= (+ X_0 X_1) 0.5)", "(>= (+ X_0 X_1) 0.6)", "(>= Y_0 3)"]
    refused = command("verify", model, write_property(tmp_path / "p.vnnlib", asserts))
    assert (refused.code, refused.out) == (2, "")
    assert "the linear constraints in line 8, 9 contradict each other" in refused.err


def test_the_same_seed_gives_the_same_certificate(command: Command, tmp_path: Path) -> None:
    for name, threads in (("a", 1), ("b", 2)):
        command("verify", *HOLDS, "--certificate", tmp_path / name, "--threads", threads, "--seed", 3)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_library_takes_bytes_and_loaded_objects(tmp_path: Path) -> None:
    model, claim = (path.read_bytes() for path in HOLDS)
    first = hybrid_ai.verify(model, claim, certificate=tmp_path / "c")
    second = hybrid_ai.verify(hybrid_ai.load(model), hybrid_ai.read_vnnlib(claim))
    assert (first.verdict, second.verdict) == ("proved", "proved")
    assert first.property_sha256 == second.property_sha256 == digest(HOLDS[1])
    assert hybrid_ai.check(model, claim, (tmp_path / "c").read_bytes(), engine="exact").status == "valid"


def test_a_property_built_in_python_is_hashed_as_text(tmp_path: Path) -> None:
    from hybrid_ai.spec import to_vnnlib

    path = write_property(tmp_path / "p.vnnlib", [*box(0, 1), "(>= Y_0 3)"])
    read = hybrid_ai.read_vnnlib(path)
    built = hybrid_ai.Property(read.n_inputs, read.n_outputs, read.unsafe)
    result = hybrid_ai.verify(write_identity(tmp_path / "m.onnx"), built)
    assert result.verdict == "proved"
    assert result.property_sha256 == hashlib.sha256(to_vnnlib(built).encode()).hexdigest()


def test_a_counterexample_that_float32_cannot_reach_says_so(command: Command, tmp_path: Path) -> None:
    content = json.loads(command("verify", *write_tenth(tmp_path), "--json").out)
    assert content["verdict"] == "refuted"
    assert content["counterexample"]["x"] == ["0.1"]
    assert content["counterexample"]["violates"] == {"real": True, "float32": False}
