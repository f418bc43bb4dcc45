"""Networks made to fool verifiers: their truths are checked first, then what the prover says about them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import pytest

from hybrid_ai import verify
from hybrid_ai.bounds import Arithmetic
from hybrid_ai.spec import read_vnnlib
from tests.differential.judge import warm_up
from tests.soundness.laboratory.case import Case
from tests.soundness.laboratory.collection import FAMILIES, all_cases, family
from tests.soundness.laboratory.executions import execute, violates
from tests.soundness.laboratory.prover import ARITHMETICS, Said, ask, wrong
from tests.soundness.laboratory.random_cases import random_case
from tests.soundness.laboratory.steps import outputs, read
from tests.soundness.laboratory.truth import holds_in_float32, in_the_input_set, unsafe_point

SECONDS = 1.0
RANDOM_GROUPS, RANDOM_PER_GROUP = 3, 14


def untrue(case: Case) -> list[str]:
    """What the case says of itself that is not so."""
    program, found = read(case.model), []
    if (unsafe_point(program, case.property) is None) != (case.real == "holds"):
        found.append(f"it does not {case.real[:-1]} over the reals")
    if case.witness is not None:
        y = outputs(program, case.witness)
        inside = in_the_input_set(case.property, case.witness)
        if not inside or not read_vnnlib(case.property.encode()).holds_unsafe(case.witness, y):
            found.append("the witness is none")
    if case.witness32 is not None:
        values = execute(case.model, case.witness32.x, case.witness32.execution)
        if not violates(case.property, case.witness32.x, values):
            found.append(f"the float32 witness is none: {values}")
    if case.float32 == "holds" and not holds_in_float32(program, case.property):
        found.append("that it holds in float32 is not shown")
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_the_truths_are_true(name: str) -> None:
    cases = family(name)
    assert {case.name: found for case in cases if (found := untrue(case))} == {}
    assert {case.family for case in cases} == {name}
    assert len(cases) >= 10


def test_the_laboratory_is_large_enough() -> None:
    cases = all_cases()
    counts = Counter((case.real, case.float32) for case in cases)
    assert len({case.name for case in cases}) == len(cases) >= 60
    assert min(counts["holds", "fails"], counts["fails", "fails"], counts["holds", "holds"]) >= 8


@pytest.fixture(scope="module")
def kernels() -> None:
    """Compiled outside any budget."""
    warm_up()


def chosen(cases: list[Case], arithmetic: Arithmetic) -> list[Case]:
    """All for "both", a part of them for each arithmetic alone, which is mostly the same search."""
    whole = arithmetic == "both" or bool(os.environ.get("HYBRID_AI_LAB"))
    return cases if whole else cases[::6]


def judged(cases: list[Case], arithmetic: Arithmetic) -> tuple[dict[str, list[str]], dict[str, Said]]:
    said = {case.name: ask(case, arithmetic, SECONDS) for case in cases}
    return {case.name: found for case in cases if (found := wrong(case, said[case.name]))}, said


def shown(name: str, said: dict[str, Said], capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counter(" ".join(pair) for answer in said.values() for pair in answer.verdicts.items())
    with capsys.disabled():
        print(f"\n{name}, {len(said)} cases: {', '.join(f'{counts[key]} {key}' for key in sorted(counts))}")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("name", FAMILIES)
def test_the_prover_is_not_fooled(
    name: str, arithmetic: Arithmetic, capsys: pytest.CaptureFixture[str]
) -> None:
    """Undecided is allowed; wrong is not. The controls, without any trap, must be decided."""
    cases = chosen(family(name), arithmetic)
    contradictions, said = judged(cases, arithmetic)
    assert contradictions == {}
    controls = [said[case.name] for case in cases if case.name.startswith("control")]
    assert {verdict for answer in controls for verdict in answer.verdicts.values()} <= {"proved"}
    shown(f"{name}, {arithmetic}", said, capsys)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("group", range(RANDOM_GROUPS))
def test_random_cases(group: int, arithmetic: Arithmetic, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = range(group * RANDOM_PER_GROUP, (group + 1) * RANDOM_PER_GROUP)
    cases = chosen([random_case(number) for number in numbers], arithmetic)
    assert {case.name: found for case in cases if (found := untrue(case))} == {}
    contradictions, said = judged(cases, arithmetic)
    assert contradictions == {}
    shown(f"random {group}, {arithmetic}", said, capsys)


WHOLE = (
    "absorbed input 2^54", "backdoor open in floats 2^54", "below the smallest float32, above",
    "0.1 plus 0.2 is 0.3", "Clip with its limits exchanged",
)  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_program_is_not_fooled(name: str) -> None:
    case = next(case for case in all_cases() if case.name == name)
    result = verify(case.model, case.property.encode(), arithmetic="real", timeout=6.0, threads=1)
    assert not result.failed, result.reason
    assert wrong(case, Said({"real": result.verdict})) == []


def test_a_wrong_verdict_is_noticed() -> None:
    case = next(case for case in all_cases() if (case.real, case.float32) == ("holds", "fails"))
    assert wrong(case, Said({"real": "proved", "float32": "unknown"})) == []
    assert wrong(case, Said({"real": "refuted"})) == ["real refuted, but it holds"]
    assert wrong(case, Said({"real": "proved", "float32": "proved"})) == ["float32 proved, but it fails"]
    assert wrong(case, Said({"real": "unknown"}, finding="f")) == ["f"]
    assert wrong(replace(case, float32="either", witness32=None), Said({"float32": "proved"})) == []


def test_an_untrue_case_is_noticed() -> None:
    case = next(case for case in all_cases() if case.float32 == "holds")
    assert len(untrue(replace(case, property=case.property.replace("(>= Y_0", "(<= Y_0")))) == 2
