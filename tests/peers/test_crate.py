"""The RO-Crate validator accepts the description of a dossier: no network, and no check passed over."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.crate import CONTEXT, crate_metadata
from hybrid_ai.audit.description import Description, Licence
from tests.unit.audit.described import CONTENTS, EXAMPLE

REASON = "roc-validator is not installed (requirements/peers.txt)"
services = pytest.importorskip("rocrate_validator.services", reason=REASON)
requests = pytest.importorskip("requests", reason=REASON)
requests_cache = pytest.importorskip("requests_cache", reason=REASON)
urllib3 = pytest.importorskip("urllib3", reason=REASON)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the validator's libraries

# The context as https://w3id.org/ro/crate/1.2/context serves it; from ResearchObject/ro-crate, CC0 1.0.
CONTEXT_FILE = Path(__file__).parent / "data" / "ro-crate-1.2-context.jsonld"
LEAST_CHECKS = 70  # version 0.13.0 has 72 required ones that apply
NOT_APPLICABLE = {"Detached RO-Crate: data entities MUST be web-based"}  # a dossier is an attached crate


class _Context(requests.adapters.BaseAdapter):
    """Answers every request with the context."""

    def send(self, request: Any, **options: Any) -> Any:
        body = io.BytesIO(CONTEXT_FILE.read_bytes())
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url, request
        response.headers["Content-Type"] = "application/ld+json"
        response.raw = urllib3.HTTPResponse(body, response.headers, 200, preload_content=False)
        return response

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*address: object) -> None:
        raise AssertionError(f"a connection was attempted: {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The validator's cache of web resources, holding the context alone."""
    path = tmp_path / "cache"
    with requests_cache.CachedSession(str(path), backend="sqlite") as session:
        session.mount("https://", _Context())
        assert session.get(CONTEXT).json()["version"] == "1.2.0"
    return path


@pytest.fixture
def judge(tmp_path: Path, cache: Path) -> Callable[[bytes], Any]:
    """Validates a dossier of the example's files with this metadata."""
    root = tmp_path / "dossier"
    for name, content in CONTENTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    def judged(metadata: bytes) -> Any:
        (root / "ro-crate-metadata.json").write_bytes(metadata)
        settings = services.ValidationSettings(
            rocrate_uri=str(root),
            profile_identifier="ro-crate-1.2",
            requirement_severity="REQUIRED",
            offline=True,
            cache_path=cache,
            enforce_availability=True,  # else checks of web resources are passed over; there are none here
        )
        return services.validate(settings)

    return judged


def _defects(result: Any) -> list[str]:
    """Why the validation is no acceptance: its findings, and checks that it left out."""
    defects = [f"{issue.message} ({issue.violatingEntity})" for issue in result.issues]
    left_out = {check.name for check in result.skipped_checks} - NOT_APPLICABLE
    defects += [f"left out: {name}" for name in sorted(left_out)]
    if len(result.executed_checks) < LEAST_CHECKS:
        defects.append(f"only {len(result.executed_checks)} checks were run")
    return defects


def _broken(change: Callable[[dict[str, dict[str, Any]]], None]) -> bytes:
    document = json.loads(crate_metadata(EXAMPLE))
    entities = {entity["@id"]: entity for entity in document["@graph"]}
    change(entities)
    return json.dumps({**document, "@graph": list(entities.values())}).encode()


@pytest.mark.parametrize(
    "description",
    [
        EXAMPLE,
        replace(EXAMPLE, licence=None, organisation=None),
        replace(EXAMPLE, licence=Licence("by agreement", None)),
        replace(EXAMPLE, verifications=()),
    ],
    ids=["full", "nobody named", "licence without address", "nothing verified"],
)
def test_the_description_meets_every_requirement(
    judge: Callable[[bytes], Any], description: Description
) -> None:
    result = judge(crate_metadata(description))

    assert _defects(result) == []
    assert result.passed()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda entities: entities["./"].pop("datePublished"), "datePublished"),
        (lambda entities: entities["./"].pop("license"), "license"),
        (lambda entities: entities.pop("ro-crate-metadata.json"), "descriptor"),
        (lambda entities: entities["README.md"].update({"@id": "READ.md"}), "READ.md"),
        (lambda entities: entities["pkg:pypi/hybrid-ai@0.1.0"].pop("url"), "url"),
    ],
    ids=["no date", "no licence", "no descriptor", "a file that is not there", "software without address"],
)
def test_a_broken_description_is_refused(
    judge: Callable[[bytes], Any], change: Callable[[dict[str, dict[str, Any]]], None], expected: str
) -> None:
    result = judge(_broken(change))

    assert not result.passed()
    assert any(expected in issue.message for issue in result.issues), [i.message for i in result.issues]


def test_validation_without_the_context_does_not_count(judge: Callable[[bytes], Any], cache: Path) -> None:
    cache.with_suffix(".sqlite").unlink()

    defects = _defects(judge(crate_metadata(EXAMPLE)))

    assert any("Unable to retrieve the JSON-LD context" in defect for defect in defects), defects
    assert any(defect.endswith("checks were run") for defect in defects), defects
