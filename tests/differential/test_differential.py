"""A small part of benchmarks/differential.py: random networks with known exact optima."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest

from benchmarks import differential
from hybrid_ai.search import Refuted
from hybrid_ai.search.outcome import Effort
from hybrid_ai.spec import read_vnnlib
from tests.differential import judge
from tests.differential.judge import DECISIVE, Instance, Query
from tests.differential.program import evaluate
from tests.differential.questions import optimum, unsafe

SEED = 1
# Every structure and both kinds of weights, each decided in milliseconds: a busy machine changes nothing.
NUMBERS = (1, 4, 7, 10, 12, 15, 17, 18, 21)


@pytest.fixture(scope="module")
def instance() -> Instance:
    made = judge.make_instance(SEED, 0)
    assert made is not None
    return made


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fifty_queries_agree_with_the_exact_optima() -> None:
    """No disagreement; at the wider gaps every query is decided."""
    judge.warm_up()
    asked = 0
    for number in NUMBERS:
        made = judge.make_instance(SEED, number)
        assert made is not None
        for query, said in judge.answers(
            made, SEED, number, lambda delta: 10.0 if delta in DECISIVE else 0.5
        ):
            assert said.disagreement == "", (number, query, said)
            assert said.verdict != "unknown" or query.delta not in DECISIVE, (number, query, said)
            asked += 1
    assert asked >= 50


@pytest.mark.parametrize("number", range(8))
def test_thresholds_are_on_their_side_and_the_text_says_so(number: int) -> None:
    """The package's reader and the oracle agree, at the optimal point, on the text of every query."""
    made = judge.make_instance(SEED, number)
    assert made is not None
    program = made.network.program
    found = optimum(program, made.question, 5.0)
    assert found is not None
    y = evaluate(program, found.x)
    for query in judge.queries(made, number):
        assert (query.t < found.value) or not query.holds or query.strict
        assert unsafe(made.question, query.t, query.strict, found.x, y) is not query.holds
        read = read_vnnlib(judge.text_of(made, query))
        assert read.holds_unsafe(found.x, y) is not query.holds


def test_rounding_of_thresholds_stays_near() -> None:
    value, gap = Fraction(1, 3), Fraction(1, 1000)
    below, above = judge.rounded(value, gap, up=False), judge.rounded(value, gap, up=True)
    assert value - gap / 100 <= below < value < above <= value + gap / 100


def below(instance: Instance) -> Query:
    return Query("1e-2", True, Fraction(floor(instance.value) - 1), False)


EFFORT = Effort(0, 0, 0.0, 0.0)


def test_a_refutation_of_what_holds_is_noticed(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    x = instance.question.cases[0].lower
    outcome = Refuted(x, evaluate(instance.network.program, x), EFFORT)
    monkeypatch.setattr(judge, "search", lambda *_: outcome)
    holds = below(instance)
    assert judge.answer(instance, holds, seconds=1.0, seed=0).disagreement == "refuted, but it holds"
    fails = replace(holds, holds=False)
    assert "not unsafe" in judge.answer(instance, fails, seconds=1.0, seed=0).disagreement
    wrong = replace(outcome, outputs=tuple(value + 1 for value in outcome.outputs))
    monkeypatch.setattr(judge, "search", lambda *_: wrong)
    assert "outputs" in judge.answer(instance, fails, seconds=1.0, seed=0).disagreement


def test_an_exception_in_the_search_is_noticed(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(judge, "search", broken)
    said = judge.answer(instance, below(instance), seconds=1.0, seed=0)
    assert (said.verdict, said.reason, said.disagreement) == (
        "error",
        "RuntimeError: broken",
        "the search raised",
    )


def record(number: int, changes: dict[str, str] | None = None) -> differential.Record:
    row = {"delta": "1e-2", "strict": False, "reason": "", "fast": "accepted", "exact": "accepted"}
    row |= {"disagreement": "", "search_seconds": 0.1, "check_seconds": 0.1}
    holds = row | {"side": "holds", "verdict": "claimed"} | (changes or {})
    fails = row | {"side": "fails", "verdict": "refuted"}
    return {"seed": 0, "number": number, "discarded": False, "queries": [holds, fails], "seconds": 1.0}


@pytest.mark.parametrize(
    ("changes", "passed"),
    [({}, True), ({"disagreement": "wrong"}, False), ({"verdict": "unknown"}, False)],
)
def test_the_summary_decides(changes: dict[str, str], passed: bool) -> None:
    summary = differential.summarize([record(0), record(1, changes)])
    assert summary["passed"] is passed
    assert summary["queries"] == 4


def test_an_interrupted_run_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("".join(json.dumps(record(n)) + "\n" for n in range(2)) + '{"seed": 0, "numb')
    assert [r["number"] for r in differential.read_records(path, 0)] == [0, 1]
    assert path.read_text().endswith("\n")
    assert [r["number"] for r in differential.run(0, 2, 1, path)] == [0, 1]
    with pytest.raises(SystemExit, match="another seed"):
        differential.read_records(path, 5)
