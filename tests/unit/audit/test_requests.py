"""Requests for signatures made elsewhere: what goes out comes back, and nothing else."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.requests import SignatureRequest, read_request, write_request
from hybrid_ai.audit.verification.canonical import encode
from tests.certified import OTHER, RUN

REQUEST = SignatureRequest(
    size=7,
    public_key=OTHER.public_key,
    role="approver",
    statement="",
    organisation=None,
    name="A. Person",
    time="2026-01-02T03:04:05.678Z",
    run=RUN,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "request"
    write_request(target, REQUEST, (b"one", b"two"))
    (target / "envelope.sig").write_bytes(b"e" * 64)
    (target / "checkpoint.sig").write_bytes(b"c" * 64)
    return target


def test_what_goes_out_comes_back(folder: Path) -> None:
    assert read_request(folder) == (REQUEST, [b"e" * 64, b"c" * 64])
    assert (folder / "envelope.bin").read_bytes() == b"one"
    assert (folder / "checkpoint.bin").read_bytes() == b"two"


def test_a_request_needs_a_new_folder(folder: Path) -> None:
    before = (folder / "request.json").read_bytes()
    with pytest.raises(AuditError, match="File exists: name a new folder"):
        write_request(folder, replace(REQUEST, size=8), (b"1", b"2"))
    with pytest.raises(AuditError, match="No such file or directory"):
        write_request(folder / "a" / "b", REQUEST, (b"1", b"2"))
    assert (folder / "request.json").read_bytes() == before


@pytest.mark.parametrize("name", ["envelope", "checkpoint"])
def test_signatures_are_64_raw_bytes(folder: Path, name: str) -> None:
    path = folder / f"{name}.sig"
    path.write_bytes(b"e" * 63)
    with pytest.raises(AuditError, match=rf"{name}\.sig: has 63 bytes: sign {name}\.bin, raw"):
        read_request(folder)
    path.unlink()
    with pytest.raises(AuditError, match=rf"{name}\.sig: cannot be read: No such file"):
        read_request(folder)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("format", "another"),
        ("version", 2),
        ("size", "7"),
        ("size", True),
        ("key", "AAAA"),
        ("key", "not base64!"),
        ("role", "owner"),
        ("role", ["author"]),
        ("statement", None),
        ("organisation", ""),
        ("name", 3),
        ("time", "yesterday"),
        ("run", "../../x"),
        ("path", "../../x"),
    ],
)
def test_malformed_requests_are_refused_with_the_file_named(folder: Path, member: str, value: Any) -> None:
    content = json.loads((folder / "request.json").read_bytes())
    (folder / "request.json").write_bytes(encode({**content, member: value}))
    with pytest.raises(AuditError, match=r"request\.json.*: export it again"):
        read_request(folder)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"{ }"])
def test_what_is_no_request_is_refused(folder: Path, data: bytes) -> None:
    (folder / "request.json").write_bytes(data)
    with pytest.raises(AuditError, match=r"request\.json.*: export it again"):
        read_request(folder)


def test_enormous_files_are_not_read(folder: Path) -> None:
    with open(folder / "envelope.sig", "r+b") as stream:
        stream.truncate(2**24 + 1)
    with pytest.raises(AuditError, match=r"envelope\.sig: has more than"):
        read_request(folder)


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    (folder / "envelope.sig").unlink()
    os.mkfifo(folder / "envelope.sig")
    with pytest.raises(AuditError, match=r"envelope\.sig: is no regular file: give the folder of an export"):
        read_request(folder)
