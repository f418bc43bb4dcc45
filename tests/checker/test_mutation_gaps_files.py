"""What is said about an accepted file, to the last field."""

from typing import Any

import pytest

from hybrid_ai.checker import check as module
from hybrid_ai.checker.counterexample import (
    LONGEST_NUMBER,
    _require_same_dimensions,
    judge_counterexample,
)
from hybrid_ai.checker.property_form import Property
from hybrid_ai.checker.rejected import Malformed, Rejected
from tests.checker import build as b
from tests.checker.test_check import GOOD, HIGH, LEAF, MODEL, REACHED, TWO, counterexample


def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 12.5])
    monkeypatch.setattr(module, "perf_counter", lambda: next(times))


@pytest.mark.parametrize("engine", b.ENGINES)
def test_an_accepted_certificate(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch)
    found = module.check(MODEL, HIGH, GOOD, engine=engine)
    assert found == module.Accepted("certificate", "valid", "real", engine, 1, 1, 1, False, 2.5)


@pytest.mark.parametrize(
    ("real", "float32", "status", "arithmetic"),
    [
        (True, None, "valid", "real"),
        (True, True, "valid", "real"),
        (False, True, "not_reevaluated", "float32"),
    ],
)
def test_an_accepted_counterexample(
    real: bool, float32: bool | None, status: str, arithmetic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(monkeypatch)
    found = module.check(MODEL, REACHED, counterexample(arithmetic={"real": real, "float32": float32}))
    assert found == module.Accepted("counterexample", status, arithmetic, "exact", 0, 0, 0, False, 2.5)


@pytest.mark.parametrize("engine", b.ENGINES)
def test_every_tree_is_judged(engine: Any) -> None:
    broken = b"\x51\0\0" + LEAF
    for trees in ((LEAF, broken), (broken, LEAF)):
        with pytest.raises(Rejected):
            module.check(MODEL, TWO, b.certificate(MODEL, TWO, *trees), engine=engine)
    evidence = b.certificate(MODEL, TWO, b.TIGHTEN + LEAF, LEAF, flags=0)
    with pytest.raises(Rejected, match="closing: tree 1"):
        module.check(MODEL, TWO, evidence, engine=engine)


def test_a_name_given_twice_is_refused_even_when_both_agree() -> None:
    evidence = counterexample()
    assert module.check(MODEL, REACHED, evidence).status == "valid"
    for repeated in (
        b'{"version": 1, ',
        b'{"x": ["1", "1"], ',
        b'{"arithmetic": {"real": true, "real": true}, ',
    ):
        with pytest.raises(Rejected, match="given twice"):
            module.check(MODEL, REACHED, repeated + evidence[1:])


def test_only_an_object_is_a_counterexample() -> None:
    for evidence in (b"[]", b"1", b'"x"', b"null"):
        with pytest.raises(Rejected, match="not a JSON object"):
            judge_counterexample(MODEL, REACHED, evidence)


def test_the_longest_number() -> None:
    exact = "1" + "." + "0" * (LONGEST_NUMBER - 2)
    assert LONGEST_NUMBER == len(exact) == 4096
    assert module.check(MODEL, REACHED, counterexample(x=[exact, "1"])).status == "valid"
    with pytest.raises(Rejected, match="counterexample"):
        module.check(MODEL, REACHED, counterexample(x=[exact + "0", "1"]))


@pytest.mark.parametrize(("inputs", "outputs"), [(2, 2), (2, 1), (1, 2), (3, 3)])
def test_outputs_that_are_the_inputs(inputs: int, outputs: int) -> None:
    network = b.Network(2, (b.stage(True, {0: [[1, 1]]}, [0]),), 0)
    claim = Property(inputs, outputs, (), ())
    if (inputs, outputs) == (2, 2):
        _require_same_dimensions(network, claim)
    else:
        with pytest.raises(Malformed, match="the model has 2 and 2"):
            _require_same_dimensions(network, claim)
