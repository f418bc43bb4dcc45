"""What the dossier is made of: a CycloneDX 1.6 bill of materials with model cards."""

import hashlib
import uuid
from typing import Any

from hybrid_ai.audit.description import Description, Licence, ModelFile, Software, Verification
from hybrid_ai.audit.verification.canonical import encode

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"

_Json = dict[str, Any]

_SUBJECT = "dossier"
_CLAIMS = {
    "proved": "no input satisfies the unsafe condition of {property}, in {arithmetic} arithmetic",
    "refuted": "an input satisfies the unsafe condition of {property}, in {arithmetic} arithmetic",
}


def bill_of_materials(description: Description) -> bytes:
    """Write ``bom.cdx.json``: models with their cards, properties, software, and the verdicts.

    Args:
        description: the dossier; of its files only models, properties and evidence are used.

    Returns:
        Canonical JSON, the same for the same description. The serial number is derived from all the rest, so
        that two bills of materials share it only when they are equal.

    Source: CycloneDX 1.6 (ECMA-424), JSON schema bom-1.6; UUID version 8 from SHA-256: RFC 9562, sections 5.8
    and B.2. Verdicts are claims with evidence (``declarations``): of results, a model card holds performance
    metrics only, and a verdict is none.
    """
    bill: _Json = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": _metadata(description),
        "components": _components(description),
        "dependencies": _dependencies(description),
        # What the packages in turn depend on is not listed.
        "compositions": [
            {"aggregate": "incomplete", "dependencies": [entry.purl for entry in description.software]}
        ],
    }
    declarations = _declarations(description.verifications)
    if declarations:
        bill["declarations"] = declarations
    return encode({**bill, "serialNumber": _serial_number(encode(bill))})


def _serial_number(content: bytes) -> str:
    digest = bytearray(hashlib.sha256(content).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(digest)).urn


def _metadata(description: Description) -> _Json:
    tool = description.tool
    subject: _Json = {
        "type": "data",
        "bom-ref": _SUBJECT,
        "name": description.name,
        "description": description.summary,
    }
    if description.licence is not None:
        subject["licenses"] = [{"license": _licence(description.licence)}]
    metadata: _Json = {
        "timestamp": description.created,
        "tools": {
            "components": [
                {"type": "application", "name": tool.name, "version": tool.version, "purl": tool.purl}
            ]
        },
        "component": subject,
    }
    if description.organisation is not None:
        metadata["manufacturer"] = {"name": description.organisation}
    return metadata


def _licence(licence: Licence) -> _Json:
    return {"name": licence.name} if licence.url is None else {"name": licence.name, "url": licence.url}


def _components(description: Description) -> list[_Json]:
    models = [_model(model, description.file(model.path).sha256) for model in description.models]
    properties = [
        {"type": "file", "bom-ref": path, "name": path, "hashes": _hashes(description.file(path).sha256)}
        for path in description.properties
    ]
    return [*models, *properties, *(_software(entry) for entry in description.software)]


def _model(model: ModelFile, sha256: str) -> _Json:
    parameters = {
        "inputs": [{"format": str(tensor)} for tensor in model.inputs],
        "outputs": [{"format": str(tensor)} for tensor in model.outputs],
    }
    card: _Json = {"modelParameters": parameters}
    if model.intended_use is not None:
        card["considerations"] = {"useCases": [model.intended_use]}
    component: _Json = {
        "type": "machine-learning-model",
        "bom-ref": model.path,
        "name": model.path,
        "hashes": _hashes(sha256),
        "modelCard": card,
    }
    properties = [{"name": "hybrid-ai:onnx:operation", "value": name} for name in model.operations]
    if model.producer is not None:
        properties.append({"name": "hybrid-ai:onnx:producer", "value": model.producer})
    if properties:
        component["properties"] = properties
    return component


def _software(software: Software) -> _Json:
    is_package = not software.purl.startswith("pkg:generic/")  # the interpreter is none
    return {
        "type": "library" if is_package else "platform",
        "bom-ref": software.purl,
        "name": software.name,
        "version": software.version,
        "purl": software.purl,
    }


def _dependencies(description: Description) -> list[_Json]:
    parts = [*(model.path for model in description.models), *description.properties]
    runtime = [entry.purl for entry in description.software[1:]]
    return [
        {"ref": _SUBJECT, "dependsOn": [*parts, description.tool.purl]},
        {"ref": description.tool.purl, "dependsOn": runtime},
    ]


def _declarations(verifications: tuple[Verification, ...]) -> _Json:
    """State proved and refuted verdicts with their evidence; an unknown one claims nothing."""
    claims: list[_Json] = []
    evidence: list[_Json] = []
    for number, run in enumerate(verifications):
        texts = [
            _CLAIMS[verdict].format(property=run.property, arithmetic=arithmetic)
            for arithmetic, verdict in run.arithmetics
            if verdict in _CLAIMS
        ]
        if not texts:
            continue
        reference = f"evidence-{number:04d}"
        claims += [{"target": run.model, "predicate": text, "evidence": [reference]} for text in texts]
        files = [path for path in (run.evidence, run.statement) if path is not None]
        evidence.append(
            {
                "bom-ref": reference,
                "description": f"Verification of {run.model} against {run.property}",
                "created": run.ended,
                "data": [{"name": path, "contents": {"url": path}} for path in files],
            }
        )
    return {"claims": claims, "evidence": evidence} if claims else {}


def _hashes(sha256: str) -> list[_Json]:
    return [{"alg": "SHA-256", "content": sha256}]
