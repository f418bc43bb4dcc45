"""Models that compute what a proof about exact values would take for granted: each was once accepted."""

from __future__ import annotations

import hashlib
from decimal import Decimal, getcontext
from fractions import Fraction
from time import monotonic
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from hybrid_ai.checker.check import check
from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.rejected import Rejected, Unsupported
from hybrid_ai.network import UnsupportedModel, load_model
from hybrid_ai.search import Budget, Claimed, Unknown, run_search
from hybrid_ai.spec import read_vnnlib

BIG = 2.0**24
getcontext().prec = 200


def _single(*values: float) -> np.ndarray[Any, Any]:
    return np.array(values, np.float32)


def _model(nodes: list[Any], constants: dict[str, np.ndarray[Any, Any]], inputs: int = 1) -> bytes:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, inputs])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", [given], [result], stored)
    opsets = [helper.make_opsetid("", 13)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def _node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(
        kind, ["" if name == "_" else name for name in inputs.split()], [output], **attributes
    )


LIMIT = _model(
    [_node("Add", "a b", "lo"), _node("Clip", "x lo", "y")],
    {"a": np.array(BIG, np.float32), "b": np.array(1, np.float32)},
)
FILL = _model(
    [_node("Add", "a b", "v"), _node("Pad", "x p v", "y")],
    {"a": np.array(BIG, np.float32), "b": np.array(1, np.float32), "p": np.array([0, 0, 0, 1])},
)
INDEX = _model(
    [
        _node("Add", "a b", "s"), _node("Sub", "s a", "t"), _node("Cast", "t", "i", to=TensorProto.INT64),
        _node("Gather", "x i", "y", axis=1),
    ],
    {"a": _single(BIG), "b": _single(1)},
    inputs=2,
)  # fmt: skip


@pytest.mark.parametrize(
    "data", [LIMIT, FILL, INDEX], ids=["limit of Clip", "fill of Pad", "index of Gather"]
)
def test_numbers_that_a_runtime_computes_are_no_constants(data: bytes) -> None:
    """2^24 + 1 is exact in rationals and 2^24 in float32."""
    with pytest.raises(UnsupportedModel):
        load_model(data)
    with pytest.raises(Unsupported):
        read_model(data)


def _claim(lower: float, upper: float, unsafe: str) -> bytes:
    text = (
        f"(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 {lower}))(assert (<= X_0 {upper}))"
    )
    return f"{text}(assert {unsafe})".encode()


VANISHING = {
    # (x 2^40) 0 + 1: infinity times zero in float32.
    "times zero": (
        _model(
            [_node("Mul", "x c", "a"), _node("Mul", "a z", "b"), _node("Add", "b o", "y")],
            {"c": _single(2.0**40), "z": _single(0.0), "o": _single(1.0)},
        ),
        _claim(2.0**90, 2.0**91, "(or (<= Y_0 0.5) (>= Y_0 1.5))"),
    ),
    # (x + 2^24) - 2^24 and (x / 3) 3 are the identity, and not in float32.
    "swallowed": (
        _model([_node("Add", "x c", "a"), _node("Sub", "a c", "y")], {"c": _single(BIG)}),
        _claim(0.25, 0.75, "(<= Y_0 0.1)"),
    ),
    "thirds": (
        _model([_node("Div", "x c", "a"), _node("Mul", "a c", "y")], {"c": _single(3.0)}),
        _claim(1.25, 1.5, "(<= Y_0 1.24999999)"),
    ),
}


def _scaled(kind: str, scale: float, first: float, second: float, shift: float) -> bytes:
    nodes = [
        _node("MatMul", "x v", "a"), _node("Add", "a b", "z"), _node(kind, "z s", "t"),
        _node("MatMul", "t w", "y"),
    ]  # fmt: skip
    constants = {"v": _single(first), "w": _single(second)}
    constants = {name: value.reshape(1, 1) for name, value in constants.items()}
    return _model(nodes, {**constants, "b": _single(shift), "s": np.array(scale, np.float32)})


# ONNX Runtime multiplies the second product by the scale instead (its fusion of scales into MatMul).
VANISHING["scale moved up"] = (
    _scaled("Mul", 2.0**-100, 2.0**60, 2.0**80, 2.0**59), _claim(1, 1, "(>= Y_0 2000000000000)"),
)  # fmt: skip
VANISHING["divisor moved up"] = (
    _scaled("Div", 2.0**70, 2.0**60, 2.0**80, 2.0**59), _claim(1, 1, f"(>= Y_0 {3 * 10**21})"),
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(VANISHING))
def test_what_vanishes_from_the_form_is_computed_all_the_same(name: str) -> None:
    data, claim = VANISHING[name]
    digest = hashlib.sha256(claim).hexdigest()
    model, prop = load_model(data), read_vnnlib(claim)

    def ask(arithmetic: Any) -> Any:
        budget = Budget(monotonic() + 2.0, 1 << 26, 1)
        return run_search(model, prop, digest, budget=budget, backend="reference", arithmetic=arithmetic)

    real = ask("real")
    assert isinstance(real, Claimed)
    for engine in ("fast", "exact"):
        assert check(data, claim, real.certificate, engine=engine).arithmetic == "real"
        for arithmetic in (2, 3):
            relabelled = real.certificate[:9] + bytes([arithmetic]) + real.certificate[10:]
            with pytest.raises(Rejected):
                check(data, claim, relabelled, engine=engine)
    assert isinstance(ask("float32"), Unknown)


def test_a_sum_of_nothing_is_computed_all_the_same() -> None:
    """max(x 2^100 (e . e) + 1, 0) with vectors e of length zero: infinity times zero in float32."""
    nodes = [
        _node("MatMul", "e e", "z"), _node("Mul", "x c", "t"), _node("Mul", "t z", "u"),
        _node("Add", "u o", "w"), _node("Relu", "w", "y"),
    ]  # fmt: skip
    data = _model(nodes, {"e": _single(), "c": _single(2.0**100), "o": _single(1.0)})
    _require_rejected(data, _claim(1e29, 1.0000001e29, "(<= Y_0 0.5)"))


def _require_rejected(data: bytes, claim: bytes) -> None:
    """One leaf that closes by row 0 is no proof in float32 or both, though it is one in real arithmetic."""
    digests = hashlib.sha256(data).digest() + hashlib.sha256(claim).digest()
    for engine in ("fast", "exact"):
        for arithmetic in (1, 2, 3):
            certificate = b"HYBRAICE\x01" + bytes([arithmetic]) + b"\x01" + digests + b"\x01\x02\x50\x00"
            if arithmetic == 1:
                assert check(data, claim, certificate, engine=engine).status == "valid"
            else:
                with pytest.raises(Rejected):
                    check(data, claim, certificate, engine=engine)


def _moved(names: str) -> bytes:
    """Mul by a scale before a MatMul with two outputs; between them what the names say."""
    nodes = [_node("MatMul", "x v", "a"), _node("Add", "a b", "z"), _node("Mul", "z s", "t")]
    if names == "read by LeakyRelu":
        nodes += [_node("LeakyRelu", "t", "l", alpha=0.5), _node("MatMul", "t w", "p")]
        nodes += [_node("Concat", "p l", "y", axis=1)]
    elif names == "plus zero":
        nodes += [_node("Add", "t o", "u"), _node("MatMul", "u w", "y")]
    else:
        nodes += [_node("MatMul", "t w", "y")]
    weights = np.array([AWKWARD[2:]], np.float32)
    constants = {"v": np.ones((1, 1), np.float32), "b": _single(AWKWARD[0] - 1.0), "w": weights}
    return _model(nodes, {**constants, "s": np.array(AWKWARD[1], np.float32), "o": np.array(0, np.float32)})


def _awkward() -> tuple[float, float, float, float]:
    """z, s, w2, w3 in [1, 2) for which w3 ((z w2) s) - w2 ((z w3) s) rounds far from zero."""
    z, s, a, b = np.random.default_rng(5).uniform(1, 2, (4, 100_000)).astype(np.float32)
    wide = [part.astype(np.float64) for part in (a, b, (z * a) * s, (z * b) * s)]
    best = int(np.argmax((wide[1] * wide[2] - wide[0] * wide[3]) / (wide[0] * wide[1] * z * s)))
    return float(z[best]), float(s[best]), float(a[best]), float(b[best])


AWKWARD = _awkward()


def _decimal(value: Fraction) -> str:
    """All digits of a dyadic rational."""
    return format(Decimal(value.numerator) / Decimal(value.denominator), "f")


@pytest.mark.parametrize("names", ["alone", "read by LeakyRelu", "plus zero"])
def test_a_scale_that_a_runtime_applies_later(names: str) -> None:
    """What ONNX Runtime computes at its default level lies beyond what both products in turn may change."""
    z, s, a, b = map(Fraction, AWKWARD)
    single = [np.float32(value) for value in AWKWARD]
    y = [Fraction(float((single[0] * weight) * single[1])) for weight in single[2:]]
    limit = (b * y[0] - a * y[1]) * Fraction(999, 1000)
    assert limit > 3 * z * s * a * b / 2**24
    declared = "".join(f"(declare-const Y_{k} Real)" for k in range(3 if names == "read by LeakyRelu" else 2))
    row = f"(>= (- (* {_decimal(b)} Y_0) (* {_decimal(a)} Y_1)) {_decimal(limit)})"
    claim = f"(declare-const X_0 Real){declared}(assert (>= X_0 1))(assert (<= X_0 1))(assert {row})"
    _require_rejected(_moved(names), claim.encode())
