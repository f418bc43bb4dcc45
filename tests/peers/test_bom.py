"""The CycloneDX library's strict 1.6 schema accepts the bill of materials."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hybrid_ai.audit.bom import bill_of_materials
from hybrid_ai.audit.description import Description, Licence
from tests.unit.audit.described import EXAMPLE, MODEL, PROVED

REASON = "cyclonedx-python-lib[json-validation] is not installed (requirements/peers.txt)"
schema = pytest.importorskip("cyclonedx.schema", reason=REASON)
validation = pytest.importorskip("cyclonedx.validation.json", reason=REASON)
pytest.importorskip("jsonschema", reason=REASON)
pytest.importorskip("rfc3987_syntax", reason=REASON)

REFUTED = replace(PROVED, verdict="refuted", arithmetics=(("real", "unknown"), ("float32", "refuted")))


def _defect(bill: bytes) -> str | None:
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    error = validator.validate_str(bill.decode("utf-8"))
    return None if error is None else str(error)


@pytest.mark.parametrize(
    "description",
    [
        EXAMPLE,
        replace(EXAMPLE, licence=None, organisation=None),
        replace(EXAMPLE, licence=Licence("by agreement", None), verifications=(REFUTED,)),
        replace(EXAMPLE, verifications=()),
        replace(EXAMPLE, models=(replace(MODEL, operations=(), producer=None, intended_use=None),)),
    ],
    ids=["full", "nobody named", "refuted", "nothing verified", "nothing known of the model"],
)
def test_the_bill_of_materials_is_valid(description: Description) -> None:
    assert _defect(bill_of_materials(description)) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda bill: bill.pop("bomFormat"), "bomFormat"),
        (lambda bill: bill["metadata"].update(timestamp="yesterday"), "yesterday"),
        (lambda bill: bill["components"][0]["hashes"][0].update(content="00"), "'00'"),
        (lambda bill: bill["components"][0]["modelCard"]["modelParameters"].update(verdict=1), "verdict"),
        (lambda bill: bill.update(serialNumber="urn:uuid:1"), "urn:uuid:1"),
    ],
    ids=["no format", "timestamp", "hash", "unknown member", "serial number"],
)
def test_a_broken_bill_of_materials_is_refused(
    change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    bill = json.loads(bill_of_materials(EXAMPLE))
    change(bill)

    defect = _defect(json.dumps(bill).encode())

    assert defect is not None
    assert expected in defect
