"""Manifests: every member, and the files that they list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.manifest import ListedFile, read_manifest, require_files
from hybrid_ai.audit.verification.rejected import Refused
from tests.audit_builder import LOG, sha256, write_folder

FILES = {"a/b": b"one", "c": b"", "results.json": b"{}"}


def manifest(**members: Any) -> dict[str, Any]:
    listed = [{"path": path, "bytes": len(data), "sha256": sha256(data)} for path, data in FILES.items()]
    content = {"format": "hybrid-ai-dossier", "version": 1, "kind": "certification", "log": LOG}
    return {**content, "files": listed, **members}


def changed(number: int, **members: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["files"][number].update(members)


def test_a_manifest_is_read_as_it_stands() -> None:
    data = encode(manifest())
    found = read_manifest(data)
    assert (found.kind, found.log, found.digest) == ("certification", LOG, sha256(data))
    assert list(found.files.items()) == [
        (path, ListedFile(len(content), sha256(content))) for path, content in FILES.items()
    ]
    assert read_manifest(encode(manifest(kind="folder"))).kind == "folder"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"format": "other"}, "format"),
        ({"version": 2}, "another version"),
        ({"version": True}, "another version"),
        ({"kind": "other"}, "kind"),
        ({"kind": None}, "kind"),
        ({"log": "1"}, "log"),
        ({"log": None}, "log"),
        ({"files": []}, "is empty"),
        ({"files": {}}, "must be an array"),
        ({"more": 1}, "unknown 'more'"),
    ],
)
def test_wrong_members(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused, match=rf"dossier\.json.*{reason}"):
        read_manifest(encode(manifest(**members)))


@pytest.mark.parametrize("missing", ["format", "version", "kind", "log", "files"])
def test_missing_members(missing: str) -> None:
    content = manifest()
    del content[missing]
    with pytest.raises(Refused, match=f"lacks '{missing}'"):
        read_manifest(encode(content))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed(0, path="c"), "twice or out of order"),
        (changed(0, path="d"), "twice or out of order"),
        (changed(0, path="../b"), "no name for a file"),
        (changed(2, path="dossier.json"), "out of order|no place"),
        (changed(2, path="keys/a.pem"), "no place in the manifest"),
        (changed(2, path="trace/entries.jsonl"), "no place in the manifest"),
        (changed(2, path="pending/a"), "no place in the manifest"),
        (changed(1, path=""), "is empty"),
        (changed(1, bytes=-1), "bytes"),
        (changed(1, bytes=2**31 + 1), "bytes"),
        (changed(1, bytes=True), "bytes"),
        (changed(1, bytes=0.5), "bytes"),
        (changed(1, sha256="0" * 63), "sha256"),
        (changed(1, more=1), "unknown 'more'"),
        (lambda content: content["files"][1].pop("bytes"), "lacks 'bytes'"),
    ],
)
def test_wrong_files(change: Callable[[dict[str, Any]], None], reason: str) -> None:
    content = manifest()
    change(content)
    with pytest.raises(Refused, match=reason):
        read_manifest(encode(content))


def test_manifests_are_canonical() -> None:
    with pytest.raises(Refused, match="canonical"):
        read_manifest(encode(manifest()) + b"\n")


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("a/b", b"two", "a/b: was changed"),
        ("a/b", b"on", "a/b: has 2 bytes instead of 3"),
        ("results.json", None, r"results\.json: is missing"),
    ],
)
def test_files_are_compared(path: str, data: bytes | None, reason: str, tmp_path: Path) -> None:
    files: dict[str, bytes] = {**FILES}
    found = read_manifest(encode(manifest()))
    require_files(open_container(write_folder(files, tmp_path / "right")), found)
    if data is None:
        del files[path]
    else:
        files[path] = data
    with pytest.raises(Refused, match=reason):
        require_files(open_container(write_folder(files, tmp_path / "wrong")), found)
