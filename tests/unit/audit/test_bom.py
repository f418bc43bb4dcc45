"""The bill of materials: what it lists and claims, and that it is reproducible."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from typing import Any

import pytest

from hybrid_ai.audit.bom import bill_of_materials
from hybrid_ai.audit.description import Description
from hybrid_ai.audit.verification.canonical import decode_canonical
from tests.unit.audit.described import EXAMPLE, MODEL, PROVED, UNKNOWN


def _bill(description: Description) -> dict[str, Any]:
    return json.loads(bill_of_materials(description))


def _component(bill: dict[str, Any], reference: str) -> dict[str, Any]:
    return next(entry for entry in bill["components"] if entry["bom-ref"] == reference)


def test_the_bill_is_canonical_and_reproducible() -> None:
    data = bill_of_materials(EXAMPLE)

    decode_canonical(data, "bom.cdx.json")
    assert bill_of_materials(replace(EXAMPLE)) == data


def test_the_serial_number_is_a_uuid_of_the_content() -> None:
    serial = _bill(EXAMPLE)["serialNumber"]
    other = _bill(replace(EXAMPLE, summary="Something else."))["serialNumber"]

    assert re.fullmatch("urn:uuid:[0-9a-f-]{36}", serial)
    parsed = uuid.UUID(serial)
    assert (parsed.version, parsed.variant) == (8, uuid.RFC_4122)
    assert serial != other


def test_the_bill_says_what_it_is_about_and_what_made_it() -> None:
    bill = _bill(EXAMPLE)
    metadata = bill["metadata"]

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert metadata["timestamp"] == "2026-11-20T10:02:00.000Z"
    assert metadata["component"]["name"] == EXAMPLE.name
    assert metadata["component"]["licenses"][0]["license"]["name"] == "CC BY 4.0"
    assert metadata["manufacturer"] == {"name": "Example Institute"}
    (tool,) = metadata["tools"]["components"]
    assert (tool["name"], tool["version"], tool["purl"]) == ("hybrid-ai", "0.1.0", "pkg:pypi/hybrid-ai@0.1.0")


def test_a_model_has_its_hash_and_its_card() -> None:
    model = _component(_bill(EXAMPLE), "models/net.onnx")

    assert model["type"] == "machine-learning-model"
    assert model["hashes"] == [{"alg": "SHA-256", "content": EXAMPLE.file("models/net.onnx").sha256}]
    assert model["modelCard"] == {
        "modelParameters": {
            "inputs": [{"format": "X: float32[1, 5]"}],
            "outputs": [{"format": "Y: float32[batch, ?]"}],
        },
        "considerations": {"useCases": ["Advice to a pilot who decides."]},
    }
    assert model["properties"] == [
        {"name": "hybrid-ai:onnx:operation", "value": "Gemm"},
        {"name": "hybrid-ai:onnx:operation", "value": "Relu"},
        {"name": "hybrid-ai:onnx:producer", "value": "pytorch 2.13.0"},
    ]


def test_properties_are_listed_with_their_hashes() -> None:
    listed = _component(_bill(EXAMPLE), "properties/limit.vnnlib")

    assert listed["type"] == "file"
    assert listed["hashes"][0]["content"] == EXAMPLE.file("properties/limit.vnnlib").sha256


def test_software_is_listed_with_package_urls() -> None:
    bill = _bill(EXAMPLE)
    tool, numpy, python = (_component(bill, entry.purl) for entry in EXAMPLE.software)

    assert [entry["type"] for entry in (tool, numpy, python)] == ["library", "library", "platform"]
    assert (numpy["name"], numpy["version"], numpy["purl"]) == ("numpy", "2.3.4", "pkg:pypi/numpy@2.3.4")


def test_references_are_unique_and_dependencies_lead_somewhere() -> None:
    bill = _bill(EXAMPLE)
    references = [bill["metadata"]["component"]["bom-ref"]]
    references += [entry["bom-ref"] for entry in bill["components"]]
    references += [entry["bom-ref"] for entry in bill["declarations"]["evidence"]]

    assert len(references) == len(set(references))
    named = [reference for entry in bill["dependencies"] for reference in [entry["ref"], *entry["dependsOn"]]]
    assert set(named) <= set(references)
    assert {"dossier", "pkg:pypi/hybrid-ai@0.1.0"} == {entry["ref"] for entry in bill["dependencies"]}


def test_proved_verdicts_are_claims_with_their_evidence() -> None:
    declarations = _bill(EXAMPLE)["declarations"]

    assert [(claim["target"], claim["predicate"]) for claim in declarations["claims"]] == [
        (
            "models/net.onnx",
            f"no input satisfies the unsafe condition of properties/brake.vnnlib, in {name} arithmetic",
        )
        for name in ("real", "float32")
    ]
    (evidence,) = declarations["evidence"]
    assert all(claim["evidence"] == [evidence["bom-ref"]] for claim in declarations["claims"])
    assert evidence["created"] == PROVED.ended
    assert [entry["contents"]["url"] for entry in evidence["data"]] == [PROVED.evidence, PROVED.statement]


def test_a_refuted_verdict_claims_the_opposite_in_its_arithmetic_only() -> None:
    refuted = replace(PROVED, verdict="refuted", arithmetics=(("real", "unknown"), ("float32", "refuted")))
    (claim,) = _bill(replace(EXAMPLE, verifications=(refuted,)))["declarations"]["claims"]

    assert claim["predicate"] == (
        "an input satisfies the unsafe condition of properties/brake.vnnlib, in float32 arithmetic"
    )


def test_an_unknown_verdict_claims_nothing() -> None:
    assert "declarations" not in _bill(replace(EXAMPLE, verifications=(UNKNOWN,)))


@pytest.mark.parametrize("value", ["properties", "considerations"])
def test_what_is_not_known_is_left_out(value: str) -> None:
    bare = replace(MODEL, operations=(), producer=None, intended_use=None)
    bill = _bill(replace(EXAMPLE, models=(bare,), organisation=None, licence=None))
    model = _component(bill, "models/net.onnx")

    assert value not in model
    assert value not in model["modelCard"]
    assert "manufacturer" not in bill["metadata"]
    assert "licenses" not in bill["metadata"]["component"]
