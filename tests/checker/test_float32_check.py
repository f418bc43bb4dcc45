"""Whole certificates and counterexamples about float32 executions: what is accepted in which arithmetic."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from hybrid_ai.checker.check import check
from hybrid_ai.checker.decode import read_header
from hybrid_ai.checker.rejected import Rejected
from tests.checker import build as b
from tests.checker.models import f32, model, node, np

LEAF = b.leaf(b"\0")
NAMES = {1: "real", 2: "float32", 3: "both"}
ONES = np.ones((2, 1), dtype=np.float32)

# y = x, without any rounding
SAME = model([node("Relu", "x")], [1, 1])
# y = max(x0 + x1, 0): N = D = 2, E = 2^-23 / (1 - 2^-23) 2 for inputs within 1, a little above 2.384e-7
SUM = model([node("MatMul", "x w", "z"), node("Relu", "z")], [1, 2], {"w": ONES})
SUM64 = model(
    [node("MatMul", "x w", "z"), node("Relu", "z")], [1, 2], {"w": ONES.astype(np.float64)}, element=11
)
# the same from float32 to float64
CAST = model(
    [node("MatMul", "x w", "z"), node("Relu", "z", "h"), node("Cast", "h", to=11)],
    [1, 2],
    {"w": ONES},
    output_element=11,
)
QUOTIENT = model(
    [node("Sub", "c d", "e"), node("Div", "x e", "q"), node("Relu", "q")],
    [1, 2],
    {"c": f32(3), "d": f32(2)},
)
LARGE = model([node("Mul", "x c", "z"), node("Relu", "z")], [1, 1], {"c": f32(2.0**96)})
# y = x, in float32 only up to 2^24
SHIFTED = model(
    [node("Add", "x c", "a"), node("Sub", "a c", "z"), node("Relu", "z")], [1, 1], {"c": f32(2**24)}
)


def query(unsafe: str, low: str = "-1", high: str = "1", inputs: int = 2, outputs: int = 1) -> bytes:
    lines = [f"(declare-const X_{i} Real)" for i in range(inputs)]
    lines += [f"(declare-const Y_{i} Real)" for i in range(outputs)]
    for axis in range(inputs):
        lines += [f"(assert (>= X_{axis} {low}))", f"(assert (<= X_{axis} {high}))"]
    return "\n".join([*lines, f"(assert {unsafe})"]).encode()


def verdicts(content: bytes, claim: bytes, engine: Any, *trees: bytes) -> str:
    """For the arithmetics 1, 2, 3: + for accepted, else the first letters of the rule."""
    found = []
    for number, name in NAMES.items():
        evidence = b.certificate(content, claim, *(trees or (LEAF,)), arithmetic=number)
        try:
            accepted = check(content, claim, evidence, engine=engine)
        except Rejected as error:
            found.append(error.rule)
        else:
            assert (accepted.arithmetic, accepted.status) == (name, "valid")
            found.append("+")
    return " ".join(found)


CASES: dict[str, tuple[bytes, bytes, str]] = {
    "far from the unsafe set": (SUM, query("(>= Y_0 2.5)"), "+ + +"),
    "just beyond what roundings change": (SUM, query("(>= Y_0 2.00000024)"), "+ + +"),
    "within what roundings change": (SUM, query("(>= Y_0 2.0000002)"), "+ closing closing"),
    "unsafe": (SUM, query("(>= Y_0 1.9)"), "closing closing closing"),
    # fl(0.1) > 0.1, fl(0.7) < 0.7
    "read upward, from above": (
        SAME,
        query("(>= Y_0 0.100000001)", "0", "0.1", 1),
        "+ closing closing",
    ),
    "read upward, from below": (
        SAME,
        query("(<= Y_0 0.100000001)", "0.1", "0.2", 1),
        "closing + closing",
    ),
    "read downward, from below": (
        SAME,
        query("(<= Y_0 0.69999999)", "0.7", "1", 1),
        "+ closing closing",
    ),
    "read downward, from above": (
        SAME,
        query("(>= Y_0 0.69999999)", "0", "0.7", 1),
        "closing + closing",
    ),
    "pinned": (SAME, query("(>= Y_0 0.70000001)", "0.7", "0.7", 1), "+ + +"),
    "pinned, read upward": (SAME, query("(>= Y_0 0.100000001)", "0.1", "0.1", 1), "+ closing closing"),
    "flushed": (
        SAME,
        query("(<= Y_0 0.0)", "1e-40", "2e-40", 1),
        "+ closing closing",
    ),
    "float64": (SUM64, query("(>= Y_0 2.5)"), "+ float32 float32"),
    "float32 as float64": (CAST, query("(>= Y_0 2.5)"), "+ + +"),
    "a computed divisor": (QUOTIENT, query("(>= Y_0 2.5)", outputs=2), "+ float32 float32"),
    "a large number and back": (SHIFTED, query("(>= Y_0 1.5)", inputs=1), "+ closing closing"),
    "a large number and back, far": (SHIFTED, query("(>= Y_0 8.5)", inputs=1), "+ + +"),
    "a large input": (SAME, query("(>= Y_0 3e30)", "0", "2e30", 1), "+ float32 float32"),
    "an empty input set": (SAME, query("(>= Y_0 0.0)", "2", "1", 1), "trees trees trees"),
}


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_certificates(engine: Any, name: str) -> None:
    content, claim, expected = CASES[name]
    if name == "a large input" and engine == "fast":
        # the fast engine does not read it in any arithmetic
        expected = "range float32 float32"
    assert verdicts(content, claim, engine) == expected


def test_overflow() -> None:
    # G (1 + H) is 2^97 (1 + H)
    claim = query("(>= Y_0 1e30)", "0", "7", 1)
    for engine in b.ENGINES:
        assert verdicts(LARGE, claim, engine) == "+ + +"
    claim = query("(>= Y_0 1e30)", "0", "7.5", 1)
    assert verdicts(LARGE, claim, "exact") == "+ float32 float32"
    assert verdicts(LARGE, claim, "fast") == "+ closing closing"


@pytest.mark.parametrize("engine", b.ENGINES)
def test_an_empty_input_set_needs_no_arithmetic(engine: Any) -> None:
    content, claim, _ = CASES["an empty input set"]
    # even where rounded bounds would leave a point
    near = query("(>= Y_0 0.0)", "0.10000000001", "0.1", 1)
    for text in (claim, near):
        for number in NAMES:
            found = check(content, text, b.certificate(content, text, arithmetic=number), engine=engine)
            assert found.vacuous and found.polytopes == 1


@pytest.mark.parametrize("engine", b.ENGINES)
def test_input_constraints_are_relaxed(engine: Any) -> None:
    # No x has x0 + x1 <= -2.00000001, but points that round to (-1, -1) are not far.
    tree = b.leaf(b.closing(0, constraints=b.terms((0, 1))))
    near = query("(<= (+ X_0 X_1) -2.00000001)")
    far = query("(<= (+ X_0 X_1) -2.0000002)")
    assert verdicts(SUM, near, engine, tree) == "+ closing closing"
    assert verdicts(SUM, far, engine, tree) == "+ + +"


@pytest.mark.parametrize("engine", b.ENGINES)
def test_splits_are_over_the_rounded_box(engine: Any) -> None:
    # the midpoint of [0.1, 0.7], and assumptions about what is computed
    claim = query("(>= Y_0 1.5)", "0.1", "0.7")
    for tree in (b.split(1) + LEAF * 2, b.split_neuron(0, b.dyadic(1, 0)) + LEAF * 2):
        assert verdicts(SUM, claim, engine, tree) == "+ + +"


def test_the_header_names_the_arithmetic() -> None:
    claim = CASES["pinned"][1]
    for number in range(256):
        evidence = b.certificate(SAME, claim, LEAF, arithmetic=number)
        if number in NAMES:
            assert read_header(evidence)[0].arithmetic == NAMES[number]
            continue
        with pytest.raises(Rejected) as caught:
            read_header(evidence)
        assert (caught.value.rule, caught.value.where) == ("arithmetic", "byte 0x9")


# ---- queries in VNN-LIB 2.0


def second(element: str, networks: int = 1, limit: str = "2.5") -> bytes:
    """Inputs within 1; unsafe: the output of the last network is at least the limit."""
    text = "(vnnlib-version <2.0>)\n"
    for number in range(networks):
        equal = "(equal-to n0)" if number else ""
        text += f"(declare-network n{number} {equal} (declare-input X{number} {element} [1, 2])"
        text += f"(declare-output Y{number} {element} [1, 1]))\n"
        for axis in range(2):
            place = f"X{number}[0, {axis}]"
            bounds = f"(assert (and (>= {place} -1) (<= {place} 1)))\n"
            text = text if networks > 1 else text + bounds
    if networks > 1:
        places = [f"X{number}[0, {axis}]" for number in range(networks) for axis in range(2)]
        bounds = " ".join(f"(>= {place} -1) (<= {place} 1)" for place in places)
        text += f"(assert (and {bounds}))\n"
    return (text + f"(assert (>= Y{networks - 1}[0, 0] {limit}))").encode()


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize("networks", [1, 2, 3])
@pytest.mark.parametrize(
    ("element", "limit", "expected"),
    [
        ("real", "2.5", "+ arithmetic +"),
        ("float32", "2.5", "arithmetic + +"),
        ("real", "2.0000001", "+ arithmetic closing"),
        ("float32", "2.0000001", "arithmetic closing closing"),
    ],
)
def test_typed_queries(engine: Any, networks: int, element: str, limit: str, expected: str) -> None:
    claim = second(element, networks, limit)
    assert verdicts(SUM, claim, engine) == expected


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize("element", ["real", "float32"])
def test_typed_queries_about_float64_models(engine: Any, element: str) -> None:
    expected = "+ float32 float32" if element == "real" else "arithmetic float32 float32"
    assert verdicts(SUM64, second(element), engine) == expected


def test_the_reason_names_both_arithmetics() -> None:
    claim = second("real")
    with pytest.raises(
        Rejected, match="the query is about real numbers, the certificate about float32"
    ) as caught:
        check(SUM, claim, b.certificate(SUM, claim, LEAF, arithmetic=2))
    assert caught.value.where == "byte 0x9"
    claim = query("(>= Y_0 2.5)")
    with pytest.raises(Rejected, match="the model reads float64") as caught:
        check(SUM64, claim, b.certificate(SUM64, claim, LEAF, arithmetic=2))
    assert caught.value.where == "model"


# ---- counterexamples


def point(content: bytes, claim: bytes, x: list[str], real: bool, float32: bool | None) -> bytes:
    fields = {
        "format": "hybrid-ai-counterexample",
        "version": 1,
        "model_sha256": sha256(content).hexdigest(),
        "property_sha256": sha256(claim).hexdigest(),
        "arithmetic": {"real": real, "float32": float32},
        "x": x,
    }
    return json.dumps(fields).encode()


@pytest.mark.parametrize("networks", [1, 2])
def test_counterexamples_of_typed_queries(networks: int) -> None:
    x = ["1", "1"] * networks
    for element in ("real", "float32"):
        claim = second(element, networks, "1.5")
        answers = {"real": point(SUM, claim, x, True, None), "float32": point(SUM, claim, x, False, True)}
        found = check(SUM, claim, answers[element])
        status = "valid" if element == "real" else "not_reevaluated"
        assert (found.kind, found.status, found.arithmetic) == ("counterexample", status, element)
        # a claim about both answers a query about reals
        both = point(SUM, claim, x, True, True)
        other = answers["float32"] if element == "real" else answers["real"]
        refused = [other] if element == "real" else [other, both]
        assert element == "float32" or check(SUM, claim, both).status == "valid"
        for evidence in refused:
            with pytest.raises(Rejected, match="the query is about") as caught:
                check(SUM, claim, evidence)
            assert (caught.value.rule, caught.value.where) == ("counterexample", "arithmetic")


@pytest.mark.parametrize(
    ("x", "where"),
    [
        (["1", "1", "0", "1"], "x"),
        (["1", "1"], "x"),
        (["1", "1", "1", "1", "1", "1"], "x"),
        (["1", "2", "1", "1"], "x"),
    ],
)
def test_counterexamples_of_two_networks_are_judged(x: list[str], where: str) -> None:
    claim = second("real", 2, "1.5")
    with pytest.raises(Rejected) as caught:
        check(SUM, claim, point(SUM, claim, x, True, None))
    assert (caught.value.rule, caught.value.where) == ("counterexample", where)
    assert check(SUM, claim, point(SUM, claim, ["0", "0", "1", "1"], True, None)).status == "valid"
