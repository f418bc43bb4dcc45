"""Whole files: binding to model and property, counterexamples, the program, and what it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hybrid_ai.checker.__main__ import judge
from hybrid_ai.checker.check import check
from hybrid_ai.checker.compiled_loop import Loader
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from tests.checker import build as b

onnx = pytest.importorskip("onnx")

LEAF = b.leaf(b"\0")


def make_model(outputs: int = 1) -> bytes:
    """y_i = max(x0 + x1, 0)."""
    helper = onnx.helper
    weights = onnx.numpy_helper.from_array(np.ones((2, outputs), dtype=np.float32), "W")
    nodes = [helper.make_node("MatMul", ["x", "W"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
    infos = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, size])
        for name, size in (("x", 2), ("y", outputs))
    ]
    graph = helper.make_graph(nodes, "g", infos[:1], infos[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    return bytes(model.SerializeToString())


def make_property(assertion: str, low: str = "-1", high: str = "1") -> bytes:
    lines = ["(declare-const X_0 Real)", "(declare-const X_1 Real)", "(declare-const Y_0 Real)"]
    for axis in range(2):
        lines += [f"(assert (>= X_{axis} {low}))", f"(assert (<= X_{axis} {high}))"]
    return "\n".join([*lines, assertion]).encode()


MODEL = make_model()
HIGH = make_property("(assert (>= Y_0 2.5))")
REACHED = make_property("(assert (>= Y_0 1.5))")
STRICT = make_property("(assert (> Y_0 2.0))")
EMPTY = make_property("(assert (>= Y_0 0.0))", low="2")
TWO = make_property("(assert (or (and (<= X_0 0.5) (>= Y_0 2.5)) (and (>= X_0 0.5) (>= Y_0 2.5))))")
NO_INPUTS = make_property("(assert (>= (+ X_0 X_1) 3.0))")
GOOD = b.certificate(MODEL, HIGH, LEAF)


def counterexample(claim: bytes = REACHED, **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "format": "hybrid-ai-counterexample",
        "version": 1,
        "model_sha256": sha256(MODEL).hexdigest(),
        "property_sha256": sha256(claim).hexdigest(),
        "arithmetic": {"real": True, "float32": None},
        "x": ["0.75", "3/4"],
        "outputs": {"real": ["1.5"]},
    }
    return json.dumps(fields | changes).encode()


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize(
    ("claim", "trees", "totals", "vacuous"),
    [
        (HIGH, [LEAF], (1, 1, 1), False),
        (HIGH, [b.split(0) + LEAF * 2], (1, 3, 2), False),
        (TWO, [LEAF, b.split(1) + LEAF * 2], (2, 4, 3), False),
        (EMPTY, [], (1, 0, 0), True),
        (NO_INPUTS, [b.leaf(b.closing(0, constraints=b.terms((0, 1))))], (1, 1, 1), True),
    ],
)
def test_accepted(
    engine: Any, claim: bytes, trees: list[bytes], totals: tuple[int, int, int], vacuous: bool
) -> None:
    found = check(MODEL, claim, b.certificate(MODEL, claim, *trees), engine=engine)
    assert (found.kind, found.status, found.arithmetic, found.engine) == (
        "certificate",
        "valid",
        "real",
        engine,
    )
    assert (found.polytopes, found.nodes, found.leaves) == totals
    assert found.vacuous is vacuous
    assert found.seconds > 0


def test_strict_rows_need_the_exact_engine() -> None:
    evidence = b.certificate(MODEL, STRICT, b.split_neuron(0, b.dyadic(0, 0)) + LEAF * 2)
    assert check(MODEL, STRICT, evidence, engine="exact").leaves == 2
    with pytest.raises(Rejected, match="closing: tree 0, node 2"):
        check(MODEL, STRICT, evidence)


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize(
    ("claim", "evidence", "rule", "where"),
    [
        (HIGH, b"", "header", "byte 0x0"),
        (HIGH, b"HYBRAICE", "truncated", "byte 0x8"),
        (HIGH, b.certificate(MODEL + b"x", HIGH, LEAF), "model-hash", "byte 0xb"),
        (HIGH, b.certificate(MODEL, HIGH + b" ", LEAF), "property-hash", "byte 0x2b"),
        (HIGH, b.certificate(MODEL, HIGH), "trees", "header"),
        (HIGH, b.certificate(MODEL, HIGH, LEAF, LEAF), "trees", "header"),
        (TWO, b.certificate(MODEL, TWO, LEAF), "trees", "header"),
        (EMPTY, b.certificate(MODEL, EMPTY, LEAF), "trees", "header"),
        (HIGH, GOOD + b"\0", "trailing", f"byte 0x{len(GOOD):x}"),
        (HIGH, GOOD[:-1], "truncated", "tree 0, byte 0x4c"),
        (TWO, b.certificate(MODEL, TWO, LEAF, b"\x50"), "truncated", "tree 1, node 0, byte 0x50"),
        (HIGH, b.certificate(MODEL, HIGH, LEAF, flags=0), "closing", "tree 0, node 0, byte 0x4d"),
        (REACHED, b.certificate(MODEL, REACHED, LEAF), "closing", "tree 0, node 0, byte 0x4d"),
        (HIGH, b.certificate(MODEL, HIGH, LEAF, arithmetic=4), "arithmetic", "byte 0x9"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_certificate_is_refused(engine: Any, claim: bytes, evidence: bytes, rule: str, where: str) -> None:
    with pytest.raises(Rejected) as caught:
        check(MODEL, claim, evidence, engine=engine)
    assert (type(caught.value), caught.value.rule, caught.value.where) == (Rejected, rule, where)


def test_every_changed_byte_is_refused_or_harmless() -> None:
    evidence = b.certificate(MODEL, HIGH, b.split(0) + b.tighten([0]) + LEAF * 2)
    accepted = 0
    for position in range(len(evidence)):
        for change in (1, 0x40, 0x80):
            data = bytearray(evidence)
            data[position] ^= change
            try:
                check(MODEL, HIGH, bytes(data), engine="exact")
            except Rejected:
                continue
            accepted += 1
    # flag 1 off (TIGHTEN is missing in the second child, so refused), the split axis changed: harmless
    assert accepted == 1


def test_model_and_property_must_fit() -> None:
    model = make_model(2)
    with pytest.raises(Malformed, match="1 outputs are declared, the model has 2 and 2"):
        check(model, HIGH, b.certificate(model, HIGH, LEAF))
    with pytest.raises(Malformed):
        check(MODEL[:-3], HIGH, b.certificate(MODEL[:-3], HIGH, LEAF))
    claim = HIGH.replace(b"(declare-const Y_0 Real)", b"(declare-const Y_0 Real)(declare-const Z Int)")
    with pytest.raises((Malformed, Unsupported)):
        check(MODEL, claim, b.certificate(MODEL, claim, LEAF))


@pytest.mark.parametrize(
    "x", [["0.75", "3/4"], ["+1", "1"], ["7.5e-1", "1e0"], ["1", "500000000001/1000000000000"]]
)
def test_counterexample_is_valid(x: list[str]) -> None:
    found = check(MODEL, REACHED, counterexample(x=x))
    assert (found.kind, found.status, found.arithmetic, found.vacuous) == (
        "counterexample",
        "valid",
        "real",
        False,
    )


def test_float32_counterexample_is_not_reevaluated() -> None:
    found = check(MODEL, REACHED, counterexample(arithmetic={"real": False, "float32": True}, x=["0", "0"]))
    assert (found.status, found.arithmetic) == ("not_reevaluated", "float32")


@pytest.mark.parametrize(
    ("changes", "rule", "where"),
    [
        ({"x": ["0.75", "0.7499999999999999999999999"]}, "counterexample", "x"),
        ({"x": ["1", "1.0000000000000000000001"]}, "counterexample", "x"),
        ({"x": ["1"]}, "counterexample", "x"),
        ({"x": ["1", "1", "1"]}, "counterexample", "x"),
        ({"x": "11"}, "counterexample", "x"),
        ({"x": [1, 1]}, "counterexample", "x[0]"),
        *(
            ({"x": ["1", text]}, "counterexample", "x[1]")
            for text in (
                "nan",
                "inf",
                "1/0",
                "0x1",
                "1_0",
                " 1",
                "1 ",
                "",
                "1e9999",
                "1.",
                "1/2.5",
                "--1",
                "١",
                "1" * 4097,
            )
        ),
        ({"format": "other"}, "counterexample", "format"),
        ({"version": 2}, "counterexample", "format"),
        ({"version": True}, "counterexample", "format"),
        ({"model_sha256": "0" * 64}, "model-hash", "model_sha256"),
        ({"property_sha256": None}, "property-hash", "property_sha256"),
        ({"arithmetic": None}, "counterexample", "arithmetic"),
        ({"arithmetic": {"real": 1}}, "counterexample", "arithmetic"),
        ({"arithmetic": {"real": False, "float32": False}}, "counterexample", "arithmetic"),
        ({"arithmetic": {"real": False}}, "counterexample", "arithmetic"),
    ],
)
def test_counterexample_is_refused(changes: dict[str, Any], rule: str, where: str) -> None:
    with pytest.raises(Rejected) as caught:
        check(MODEL, REACHED, counterexample(**changes))
    assert (type(caught.value), caught.value.rule, caught.value.where) == (Rejected, rule, where)


@pytest.mark.parametrize(
    "evidence",
    [
        b"{",
        b"{}x",
        b'{"format": 1, "format": 2}',
        b'{"a": \xff}',
        b'{"a":' * 100_000,
        b'{"a":' + b"9" * 10_000 + b"}",
    ],
)
def test_broken_json_is_refused(evidence: bytes) -> None:
    with pytest.raises(Rejected, match="counterexample: f"):
        check(MODEL, REACHED, evidence)


# ---- the program


def run(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hybrid_ai.checker", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(name="files")
def write_files(tmp_path: Path) -> dict[str, Path]:
    contents = {
        "model": MODEL,
        "property": HIGH,
        "good": GOOD,
        "bad": GOOD + b"\0",
        "unsupported": b"",
        "float32": counterexample(HIGH, arithmetic={"real": False, "float32": True}),
    }
    contents["unsupported"] = HIGH + b"(push 1)"
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in contents}


def test_program(files: dict[str, Path]) -> None:
    valid = run(files["model"], files["property"], files["good"], "--engine", "exact")
    assert (valid.returncode, valid.stderr) == (0, "")
    assert valid.stdout == (
        "valid: certificate, real arithmetic, engine exact, 1 nodes, 1 leaves, vacuous: false\n"
    )
    rejected = run(files["model"], files["property"], files["bad"], "--json")
    assert rejected.returncode == 30
    assert json.loads(rejected.stdout) == {
        "status": "rejected",
        "rule": "trailing",
        "where": f"byte 0x{len(GOOD):x}",
        "reason": "bytes after the last tree",
    }
    assert run(files["model"], files["property"], files["property"]).returncode == 30
    assert run(files["model"], files["model"], "missing").returncode == 2
    assert run(files["model"]).returncode == 2


def test_server(files: dict[str, Path]) -> None:
    paths = {name: str(path) for name, path in files.items()}
    base = {"model": paths["model"], "property": paths["property"]}
    requests: list[Any] = [
        base | {"evidence": paths["good"]},
        base | {"evidence": paths["bad"], "engine": "exact"},
        base | {"evidence": paths["good"], "engine": "other"},
        base,
        [1],
        base | {"evidence": 7},
        base | {"evidence": paths["float32"]},
        base | {"evidence": paths["good"], "engine": "exact"},
    ]
    lines = [json.dumps(request) for request in requests]
    done = run("--serve", stdin="\n".join([*lines, "{", "[" * 100_000, lines[0]]) + "\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [answer["status"] for answer in answers] == [
        "valid",
        "rejected",
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "not_reevaluated",
        "valid",
        "malformed",
        "malformed",
        "valid",
    ]
    assert answers[0]["kind"] == "certificate"


def imported(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


def test_imports_nothing_but_itself() -> None:
    modules = imported("import hybrid_ai.checker.__main__")
    ours = {name for name in modules if name.split(".")[0] == "hybrid_ai"}
    assert all(name == "hybrid_ai" or name.startswith("hybrid_ai.checker") for name in ours)
    assert not modules & {"numpy", "onnx", "onnxruntime", "numba", "scipy", "z3"}


def test_fast_engine_loads_numpy_alone() -> None:
    modules = imported("import hybrid_ai.checker.fast")
    assert "numpy" in modules
    assert not modules & {"onnx", "onnxruntime", "numba", "scipy", "z3"}


@pytest.mark.parametrize("numba", [True, False])
def test_the_compiled_loop_changes_no_answer(files: dict[str, Path], tmp_path: Path, numba: bool) -> None:
    """Whether or not it is ready when a request comes, and without numba."""
    (tmp_path / "numba.py").write_text("raise ImportError('there is no numba')\n", encoding="utf-8")
    missing = {} if numba else {"PYTHONPATH": str(tmp_path)}
    paths = {name: str(path) for name, path in files.items()}
    base = {"model": paths["model"], "property": paths["property"]}
    lines = [json.dumps(base | {"evidence": paths[name]}) + "\n" for name in ("good", "bad")]
    command = [sys.executable, "-m", "hybrid_ai.checker", "--serve"]
    answers = []
    for options in ([], ["--compiled"]):
        with subprocess.Popen(
            [*command, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **missing},
            text=True,
        ) as process:
            assert process.stdin and process.stdout and process.stderr
            own = []
            for wait in (0, 15 if options and numba else 0):
                time.sleep(wait)
                process.stdin.writelines(lines)
                process.stdin.flush()
                own += [json.loads(process.stdout.readline()) for _ in lines]
            if options and not numba:
                assert process.stderr.readline() == "no compiled loop: ImportError: there is no numba\n"
            process.stdin.close()
            assert (process.wait(), process.stderr.read()) == (0, "")
        answers.append([{**answer, "seconds": 0} for answer in own])
    assert answers[0] == answers[1]
    assert [answer["status"] for answer in answers[0]] == ["valid", "rejected"] * 2


def test_devices_and_folders_are_not_read(tmp_path: Path) -> None:
    for evidence in ("/dev/zero", str(tmp_path), str(tmp_path / "missing")):
        answer = judge({"model": __file__, "property": __file__, "evidence": evidence}, Loader())
        assert answer["status"] == "malformed"
        assert "no regular file" in answer["reason"]
