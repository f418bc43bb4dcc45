"""`check` rejects what was tampered with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.command import FAILS, HOLDS, Command


@pytest.fixture
def certificate(command: Command, tmp_path: Path) -> Path:
    path = tmp_path / "c"
    assert command("verify", *HOLDS, "--certificate", path).code == 0
    return path


@pytest.mark.parametrize("engine", ["fast", "exact"])
def test_tampered_certificates_are_30(command: Command, certificate: Path, engine: str) -> None:
    whole = certificate.read_bytes()
    for changed in (
        whole[:-1],
        whole + b"\0",
        whole[:8] + b"\2" + whole[9:],
        b"",
        whole[:40] + b"x" + whole[41:],
    ):
        certificate.write_bytes(changed)
        ended = command("check", *HOLDS, certificate, "--engine", engine)
        assert ended.code == 30, changed
        assert ended.out.startswith("rejected: ")


def test_a_certificate_of_another_property_is_30(command: Command, certificate: Path) -> None:
    ended = command("check", *FAILS, certificate, "--json")
    assert ended.code == 30
    assert json.loads(ended.out)["rule"] == "property-hash"


def test_a_moved_counterexample_is_30(command: Command, tmp_path: Path) -> None:
    evidence = tmp_path / "x.json"
    command("verify", *FAILS, "--certificate", evidence)
    content = json.loads(evidence.read_text())
    content["x"][0] = "110"
    evidence.write_text(json.dumps(content))
    ended = command("check", *FAILS, evidence)
    assert (ended.code, ended.out.split(":")[0]) == (30, "rejected")


def test_json_has_the_judgement(command: Command, certificate: Path) -> None:
    content = json.loads(command("check", *HOLDS, certificate, "--json").out)
    assert (content["status"], content["kind"], content["engine"]) == ("valid", "certificate", "fast")
    assert content["nodes"] >= content["leaves"] >= 1
