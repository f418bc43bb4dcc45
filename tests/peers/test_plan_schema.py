"""The JSON Schema of plans is one, accepts right plans, and refuses those whose form is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hybrid_ai.pipeline.plans.schema import plan_schema
from tests.unit.pipeline.plans import broken_values
from tests.unit.pipeline.plans.broken_values import Broken
from tests.unit.pipeline.plans.plan_texts import GOOD, LEAST, edited

REASON = "jsonschema is not installed (requirements/peers.txt)"
jsonschema = pytest.importorskip("jsonschema", reason=REASON)

DEMO = Path(__file__).resolve().parents[2] / "src" / "hybrid_ai" / "demo"
# What the data no longer shows, or JSON Schema cannot say; `read_plan` refuses these.
BEYOND = {
    "decimal for a whole",
    "infinite",
    "not a number",
    "hexadecimal",
    "octal",
    "binary",
    "large exponent",
    "blank",
    "control",
    "carriage return",
}
CASES = {**broken_values.KEYS, **broken_values.NUMBERS, **broken_values.TEXTS, **broken_values.CHOICES}


def defects(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(plan_schema())
    return [error.json_path for error in validator.iter_errors(tomllib.loads(text))]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(plan_schema())


@pytest.mark.parametrize(
    "text", [GOOD, LEAST, (DEMO / "braking.toml").read_text()], ids=["full", "least", "demonstration"]
)
def test_right_plans_are_accepted(text: str) -> None:
    assert defects(text) == []


@pytest.mark.parametrize("case", [CASES[name] for name in sorted(CASES.keys() - BEYOND)])
def test_wrong_plans_are_refused(case: Broken) -> None:
    assert defects(edited(*case.edits))


def test_the_exceptions_are_cases() -> None:
    assert BEYOND <= CASES.keys()
