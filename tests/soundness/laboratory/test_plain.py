"""The plain verifier must be fooled: else the cases test nothing."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.soundness.laboratory.case import make, prop
from tests.soundness.laboratory.collection import FAMILIES, all_cases, family
from tests.soundness.laboratory.graph import Graph
from tests.soundness.laboratory.plain import Answer, ask, table
from tests.soundness.laboratory.prover import Said


@pytest.mark.parametrize("name", FAMILIES)
def test_it_proves_a_third_of_what_is_false(name: str) -> None:
    false = [case for case in family(name) if "fails" in (case.real, case.float32)]
    fooled = [case for case in false if ask(case).proved]
    assert len(fooled) >= Fraction(len(false), 3)


def test_it_proves_falsehoods_over_the_reals_and_refutes_truths() -> None:
    answers = [(case, ask(case)) for case in all_cases()]
    false = [answer.proved for case, answer in answers if case.real == "fails"]
    true = [answer.refuted64 for case, answer in answers if case.real == "holds"]
    assert sum(false) >= Fraction(len(false), 3)
    assert sum(true) >= 10


@pytest.mark.parametrize(
    ("unsafe", "answer"),
    [
        ("(>= Y_0 1.5)", Answer(True, False, False)),
        ("(>= Y_0 0.5)", Answer(False, True, True)),
    ],
)
def test_it_is_right_where_nothing_is_hidden(unsafe: str, answer: Answer) -> None:
    graph = Graph(2)
    y = graph.gemm(graph.relu(graph.gemm("x", [[1.0, -1.0], [-1.0, 1.0]])), [[1.0, 1.0]])
    case = make("difference", "plain", graph.model(y), prop([(0, 1)] * 2, unsafe), "y = |x0 - x1|")
    assert ask(case) == answer


def test_the_table_has_a_line_for_each_family() -> None:
    cases = [case for name in ("boundary", "folding") for case in family(name)]
    unknown = Said({"real": "unknown", "float32": "unknown"})
    lines = table(cases, lambda case: unknown).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["boundary", "folding", "all"]
    assert len({line.count("|") for line in lines}) == 1
