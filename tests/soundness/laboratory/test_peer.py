"""The answers of another verifier are judged by what is known of each case."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.soundness.laboratory import peer
from tests.soundness.laboratory.case import Case


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return peer.portable_cases()


def first(cases: list[Case], real: str) -> Case:
    return next(case for case in cases if case.real == real and (real != "fails" or case.witness is not None))


def test_a_verified_property_that_fails_is_wrong(cases: list[Case]) -> None:
    assert peer.judge(first(cases, "fails"), "verified", []).wrong
    assert not peer.judge(first(cases, "holds"), "verified", []).wrong


def test_a_falsified_property_is_judged_at_the_point(cases: list[Case]) -> None:
    case = first(cases, "fails")
    assert case.witness is not None
    assert not peer.judge(case, "falsified", [str(value) for value in case.witness]).wrong
    holding = first(cases, "holds")
    assert peer.judge(holding, "falsified", ["0"] * len(case_inputs(holding))).wrong


def case_inputs(case: Case) -> list[str]:
    return [line for line in case.property.splitlines() if line.startswith("(declare-const X_")]


def test_unknown_words_and_missing_answers_are_refused(cases: list[Case]) -> None:
    with pytest.raises(ValueError, match="is no answer"):
        peer.judge(cases[0], "safe", [])
    with pytest.raises(ValueError, match="one for each case"):
        peer.read("", cases)


def test_files_and_table(cases: list[Case], tmp_path: Path) -> None:
    peer.write(tmp_path, cases)
    assert len(list(tmp_path.glob("*.onnx"))) == len(cases)
    names = [line.split(",")[0] for line in (tmp_path / "instances.csv").read_text().splitlines()]
    text = "\n".join(json.dumps({"onnx": name, "answer": "verified"}) for name in names)
    failing = sum(case.real == "fails" for case in cases)
    assert peer.table(peer.read(text, cases)).splitlines()[-1].split(" | ")[3].endswith(f", {failing}")
