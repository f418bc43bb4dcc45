"""The dossier described for research-data tools: RO-Crate 1.2."""

from collections.abc import Iterable, Mapping
from typing import Any

from hybrid_ai.audit.description import Description, DossierFile, ModelFile, TensorInfo, Verification
from hybrid_ai.audit.verification.canonical import encode

CONTEXT = "https://w3id.org/ro/crate/1.2/context"
SPECIFICATION = "https://w3id.org/ro/crate/1.2"

_Entity = dict[str, Any]

_ROOT = "./"
_ORGANISATION = "#organisation"
_MODEL_TYPE = "http://www.w3.org/ns/mls#Model"  # W3C Machine Learning Schema; schema.org has no such type
_NO_LICENCE = "No licence is stated; permission has to be asked of whoever made this dossier."

# Registered media types; ONNX, VNN-LIB, DSSE envelopes and Python sources have none of their own.
_MEDIA_TYPES = (
    (".cdx.json", "application/vnd.cyclonedx+json"),
    (".json", "application/json"),
    (".md", "text/markdown"),
    (".csv", "text/csv"),
    (".pdf", "application/pdf"),
    (".html", "text/html"),
    (".gz", "application/gzip"),
    (".zip", "application/zip"),
    (".vnnlib", "text/plain"),
    (".py", "text/plain"),
    (".pem", "text/plain"),
    (".note", "text/plain"),
    (".toml", "text/plain"),
    (".txt", "text/plain"),
)
_ANY_BYTES = "application/octet-stream"

_ROLES = {
    "results.json": "All results, machine-readable.",
    "bom.cdx.json": "Bill of materials: models, properties and software.",
    "README.md": "What this dossier is and how to verify it.",
    "verify.py": "Verifies the dossier; obtain it from elsewhere to rely on it.",
}


def crate_metadata(description: Description) -> bytes:
    """Write ``ro-crate-metadata.json``.

    Args:
        description: the dossier; its files are those present but for the metadata file itself.

    Returns:
        Canonical JSON; the same for the same description, whatever the order of its files.

    Source: RO-Crate 1.2, sections "Root Data Entity", "Data Entities", "Contextual Entities" and "Software
    used to create files"; ML-Schema (W3C Machine Learning Schema Community Group) for the type of models.
    """
    graph = [_descriptor(), _root(description), *_contextual(description)]
    graph += [_file(file, description) for file in _in_order(description.files)]
    for number, run in enumerate(description.verifications):
        graph += _action(number, run, description)
    return encode({"@context": CONTEXT, "@graph": graph})


def _descriptor() -> _Entity:
    return {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "name": "Description of this dossier",
        "about": _reference(_ROOT),
        "conformsTo": _reference(SPECIFICATION),
    }


def _root(description: Description) -> _Entity:
    actions = [_action_id(number) for number in range(len(description.verifications))]
    licence = description.licence
    root: _Entity = {
        "@id": _ROOT,
        "@type": "Dataset",
        "name": description.name,
        "description": description.summary,
        "datePublished": description.created,
        "license": _NO_LICENCE if licence is None else licence.name,
        "author": None if description.organisation is None else _reference(_ORGANISATION),
        "hasPart": _references(file.path for file in _in_order(description.files)),
        "mentions": _references(actions),
    }
    if licence is not None and licence.url is not None:
        root["license"] = _reference(licence.url)
    return _stated(root)


def _contextual(description: Description) -> list[_Entity]:
    """Describe what is not a file: licence, organisation, kind of model, software."""
    entities: list[_Entity] = []
    licence = description.licence
    if licence is not None and licence.url is not None:
        about = f"The dossier may be used under the terms of {licence.name}."
        entities.append(
            {"@id": licence.url, "@type": "CreativeWork", "name": licence.name, "description": about}
        )
    if description.organisation is not None:
        entities.append({"@id": _ORGANISATION, "@type": "Organization", "name": description.organisation})
    if description.models:
        entities.append({"@id": _MODEL_TYPE, "@type": "DefinedTerm", "name": "Machine-learning model"})
    tool, *runtime = description.software
    for software in description.software:
        entity: _Entity = {
            "@id": software.purl,
            "@type": "SoftwareApplication",
            "name": software.name,
            "version": software.version,
            "url": software.purl,  # required; a web address could only be guessed
        }
        if software is tool:
            entity["softwareRequirements"] = _references(other.purl for other in runtime)
        entities.append(_stated(entity))
    return entities


def _file(file: DossierFile, description: Description) -> _Entity:
    entity: _Entity = {
        "@id": file.path,
        "@type": "File",
        "name": file.path,
        "encodingFormat": _media_type(file.path),
        "contentSize": str(file.bytes),
        "sha256": file.sha256,
        "description": _ROLES.get(file.path),
    }
    model = next((model for model in description.models if model.path == file.path), None)
    if model is not None:
        entity["additionalType"] = _reference(_MODEL_TYPE)
        entity["description"] = _model_text(model)
    else:
        entity |= _subject(file.path, description)
    return _stated(entity)


def _subject(path: str, description: Description) -> _Entity:
    """Say what a file other than a model is about: what was verified, else the dossier."""
    runs = description.verifications
    if path in description.properties:
        models = _references(run.model for run in runs if run.property == path)
        return {"about": models or _reference(_ROOT), "description": "Property in VNN-LIB."}
    evidence_for = [run for run in runs if run.evidence == path]
    stated_for = [run for run in runs if run.statement == path]
    if evidence_for:
        text = "Evidence for the verdict: certificate or counterexample."
        return {"about": _references(_verified(evidence_for)), "description": text}
    if stated_for:
        text = "Signed statement of the result (in-toto Statement in a DSSE envelope)."
        return {"about": _references(_verified(stated_for)), "description": text}
    return {"about": _reference(_ROOT)}


def _verified(runs: Iterable[Verification]) -> list[str]:
    return [path for run in runs for path in (run.model, run.property)]


def _model_text(model: ModelFile) -> str:
    parts = ["Neural network in ONNX."]
    parts += [f"Inputs: {_tensors(model.inputs)}.", f"Outputs: {_tensors(model.outputs)}."]
    if model.operations:
        parts.append(f"Operations: {', '.join(model.operations)}.")
    if model.producer is not None:
        parts.append(f"Produced by {model.producer}.")
    if model.intended_use is not None:
        parts.append(f"Intended use: {model.intended_use}")
    return " ".join(parts)


def _tensors(tensors: tuple[TensorInfo, ...]) -> str:
    return "; ".join(str(tensor) for tensor in tensors) or "none"


def _action(number: int, run: Verification, description: Description) -> list[_Entity]:
    """Describe a verification: an action that reads model and property, and the verdicts it gave."""
    verdicts = [_verdict(number, "verdict", "Verdict", run.verdict)]
    verdicts += [
        _verdict(number, name, f"Verdict in {name} arithmetic", verdict) for name, verdict in run.arithmetics
    ]
    files = [path for path in (run.evidence, run.statement) if path is not None]
    action: _Entity = {
        "@id": _action_id(number),
        "@type": "CreateAction",
        "name": f"Verification of {run.model} against {run.property}",
        "description": f"The verdict is {run.verdict}, after {run.seconds:.3f} seconds.",
        "agent": None if description.organisation is None else _reference(_ORGANISATION),
        "instrument": _reference(description.tool.purl),
        "object": _references([run.model, run.property]),
        "result": _references([*files, *(verdict["@id"] for verdict in verdicts)]),
        "startTime": run.started,
        "endTime": run.ended,
    }
    return [_stated(action), *verdicts]


def _verdict(number: int, key: str, name: str, verdict: str) -> _Entity:
    return {"@id": f"{_action_id(number)}-{key}", "@type": "PropertyValue", "name": name, "value": verdict}


def _action_id(number: int) -> str:
    return f"#verification-{number:04d}"


def _media_type(path: str) -> str:
    return next((kind for suffix, kind in _MEDIA_TYPES if path.endswith(suffix)), _ANY_BYTES)


def _in_order(files: Iterable[DossierFile]) -> list[DossierFile]:
    return sorted(files, key=lambda file: file.path)


def _reference(identifier: str) -> dict[str, str]:
    return {"@id": identifier}


def _references(identifiers: Iterable[str]) -> dict[str, str] | list[dict[str, str]] | None:
    """Refer to entities, each once: a single one without a list (as RO-Crate recommends), none not at all."""
    references = [_reference(identifier) for identifier in dict.fromkeys(identifiers)]
    return references[0] if len(references) == 1 else references or None


def _stated(entity: Mapping[str, Any]) -> _Entity:
    return {key: value for key, value in entity.items() if value is not None}
