"""The description of a dossier as RO-Crate: what it says, and that it says nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.crate import crate_metadata
from hybrid_ai.audit.description import Description, DossierFile, Licence, installed_software
from hybrid_ai.audit.verification.canonical import decode_canonical
from tests.unit.audit.described import EXAMPLE, MODEL, PROVED, TOOL, UNKNOWN

# The context that the metadata names, as published.
CONTEXT_FILE = Path(__file__).parents[2] / "peers" / "data" / "ro-crate-1.2-context.jsonld"


def _entities(description: Description) -> dict[str, dict[str, Any]]:
    graph = json.loads(crate_metadata(description))["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    assert len(entities) == len(graph)  # flattened: one entity for each identifier
    return entities


def _references(value: object) -> set[str]:
    if isinstance(value, dict):
        return {value["@id"]} if value.keys() == {"@id"} else set().union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def test_the_metadata_is_canonical_and_independent_of_the_order_of_files() -> None:
    data = crate_metadata(EXAMPLE)

    decode_canonical(data, "ro-crate-metadata.json")
    assert crate_metadata(replace(EXAMPLE, files=EXAMPLE.files[::-1])) == data


def test_the_descriptor_names_the_specification_and_the_root() -> None:
    document = json.loads(crate_metadata(EXAMPLE))
    descriptor = _entities(EXAMPLE)["ro-crate-metadata.json"]

    assert document["@context"] == "https://w3id.org/ro/crate/1.2/context"
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.2"}
    assert descriptor["about"] == {"@id": "./"}


def test_the_root_carries_name_date_licence_and_every_file() -> None:
    root = _entities(EXAMPLE)["./"]

    assert root["@type"] == "Dataset"
    assert root["name"] == EXAMPLE.name
    assert root["description"] == EXAMPLE.summary
    assert root["datePublished"] == "2026-11-20T10:02:00.000Z"
    assert root["license"] == {"@id": "https://creativecommons.org/licenses/by/4.0/"}
    assert root["author"] == {"@id": "#organisation"}
    assert _references(root["hasPart"]) == {file.path for file in EXAMPLE.files}


@pytest.mark.parametrize("file", EXAMPLE.files, ids=[file.path for file in EXAMPLE.files])
def test_every_file_has_its_size_hash_and_format(file: DossierFile) -> None:
    entity = _entities(EXAMPLE)[file.path]

    assert entity["@type"] == "File"
    assert entity["contentSize"] == str(file.bytes)
    assert entity["sha256"] == file.sha256
    assert entity["encodingFormat"].count("/") == 1


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("bom.cdx.json", "application/vnd.cyclonedx+json"),
        ("evidence/0000.dsse.json", "application/json"),
        ("evidence/0000.certificate", "application/octet-stream"),
        ("models/net.onnx", "application/octet-stream"),
        ("properties/brake.vnnlib", "text/plain"),
        ("README.md", "text/markdown"),
    ],
)
def test_media_types(path: str, media_type: str) -> None:
    assert _entities(EXAMPLE)[path]["encodingFormat"] == media_type


@pytest.mark.parametrize(
    ("path", "about"),
    [
        ("evidence/0000.certificate", {"models/net.onnx", "properties/brake.vnnlib"}),
        ("evidence/0001.dsse.json", {"models/net.onnx", "properties/limit.vnnlib"}),
        ("properties/brake.vnnlib", {"models/net.onnx"}),
        ("results.json", {"./"}),
    ],
)
def test_files_say_what_they_are_about(path: str, about: set[str]) -> None:
    assert _references(_entities(EXAMPLE)[path]["about"]) == about


def test_a_property_is_about_the_models_verified_against_it_each_once() -> None:
    other = replace(MODEL, path="models/other.onnx")
    described = replace(
        EXAMPLE,
        models=(MODEL, other),
        verifications=(PROVED, PROVED, replace(UNKNOWN, model=other.path)),
        files=(*EXAMPLE.files, DossierFile(other.path, 2, "ab" * 32)),
    )
    entities = _entities(described)

    # A single reference stands alone, without a list (RO-Crate 1.2 recommends it).
    assert entities["properties/brake.vnnlib"]["about"] == {"@id": "models/net.onnx"}
    assert entities["properties/limit.vnnlib"]["about"] == {"@id": "models/other.onnx"}


def test_a_property_that_nothing_was_verified_against_is_about_the_dossier() -> None:
    entities = _entities(replace(EXAMPLE, verifications=()))

    assert entities["properties/brake.vnnlib"]["about"] == {"@id": "./"}
    assert "mentions" not in entities["./"]


def test_a_model_is_typed_and_described() -> None:
    entities = _entities(EXAMPLE)
    model = entities["models/net.onnx"]

    assert entities[model["additionalType"]["@id"]]["@type"] == "DefinedTerm"
    assert model["description"] == (
        "Neural network in ONNX. Inputs: X: float32[1, 5]. Outputs: Y: float32[batch, ?]."
        " Operations: Gemm, Relu. Produced by pytorch 2.13.0. Intended use: Advice to a pilot who decides."
    )


def test_what_is_not_known_of_a_model_is_not_mentioned() -> None:
    bare = replace(MODEL, operations=(), producer=None, intended_use=None)
    text = _entities(replace(EXAMPLE, models=(bare,)))["models/net.onnx"]["description"]

    assert text == "Neural network in ONNX. Inputs: X: float32[1, 5]. Outputs: Y: float32[batch, ?]."


def test_a_verification_is_an_action_of_the_tool() -> None:
    entities = _entities(EXAMPLE)
    action = entities["#verification-0000"]

    assert action["@type"] == "CreateAction"
    assert action["instrument"] == {"@id": "pkg:pypi/hybrid-ai@0.1.0"}
    assert entities["pkg:pypi/hybrid-ai@0.1.0"]["version"] == "0.1.0"
    assert _references(action["object"]) == {"models/net.onnx", "properties/brake.vnnlib"}
    assert (action["startTime"], action["endTime"]) == (PROVED.started, PROVED.ended)
    assert action["description"] == "The verdict is proved, after 1.500 seconds."
    results = _references(action["result"])
    assert {"evidence/0000.certificate", "evidence/0000.dsse.json"} < results
    verdicts = {entities[name]["name"]: entities[name]["value"] for name in results if name.startswith("#")}
    assert verdicts == {
        "Verdict": "proved",
        "Verdict in real arithmetic": "proved",
        "Verdict in float32 arithmetic": "proved",
    }


def test_every_reference_but_the_specification_is_described() -> None:
    entities = _entities(EXAMPLE)

    assert _references(list(entities.values())) - entities.keys() == {"https://w3id.org/ro/crate/1.2"}


def test_every_term_is_one_of_the_context() -> None:
    """JSON-LD drops terms that its context does not define."""
    defined = json.loads(CONTEXT_FILE.read_text("utf-8"))["@context"].keys() | {"@id", "@type"}
    entities = _entities(EXAMPLE).values()

    assert {term for entity in entities for term in entity} <= defined
    assert {entity["@type"] for entity in entities} <= defined


def test_nobody_is_invented() -> None:
    entities = _entities(replace(EXAMPLE, organisation=None))

    assert not {"Person", "Organization"} & {entity["@type"] for entity in entities.values()}
    assert all("author" not in entity and "agent" not in entity for entity in entities.values())


def test_without_a_licence_the_root_says_so() -> None:
    assert "No licence is stated" in _entities(replace(EXAMPLE, licence=None))["./"]["license"]


def test_a_licence_without_address_is_text() -> None:
    described = replace(EXAMPLE, licence=Licence("by agreement", None))

    assert _entities(described)["./"]["license"] == "by agreement"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"files": (*EXAMPLE.files, EXAMPLE.files[0])}, EXAMPLE.files[0].path),
        (
            {"files": EXAMPLE.files[1:]} | {"properties": ("README.md", "properties/brake.vnnlib")},
            "README.md",
        ),
        ({"properties": ("properties/brake.vnnlib",)}, "properties/limit.vnnlib"),
        ({"properties": (*EXAMPLE.properties, "models/net.onnx")}, "models/net.onnx"),
        ({"models": ()}, "models/net.onnx"),
        ({"verifications": (replace(PROVED, evidence="evidence/0009.certificate"),)}, "0009.certificate"),
        ({"verifications": (replace(PROVED, statement="evidence/0009.dsse.json"),)}, "0009.dsse.json"),
        ({"software": ()}, "software"),
        ({"software": (TOOL, TOOL)}, "pkg:pypi/hybrid-ai@0.1.0"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=r"named twice|of the dossier|software") as error:
        replace(EXAMPLE, **change)

    assert named in str(error.value)


def test_a_licence_with_an_address_that_is_not_on_the_web_is_refused() -> None:
    with pytest.raises(ValueError, match="not on the web"):
        Licence("MIT", "LICENSE")


def test_the_installed_software_begins_with_the_tool_and_ends_with_python() -> None:
    pytest.importorskip("numpy", reason="hybrid-ai's own packages are not installed")
    software = {entry.name: entry for entry in installed_software()}

    assert next(iter(software)) == "hybrid-ai"
    assert list(software)[-1] == "python"
    import numpy

    assert software["numpy"].version == numpy.__version__
    assert software["numpy"].purl == f"pkg:pypi/numpy@{numpy.__version__}"
