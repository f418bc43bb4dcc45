"""Dossiers of earlier versions, kept as files: every later version verifies them at all levels."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.standalone import generate
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import LEVELS, verify_dossier
from hybrid_ai.audit.verification.keys import read_trust
from hybrid_ai.audit.verification.releases import RELEASED
from hybrid_ai.audit.verification.reproof import Reprover
from hybrid_ai.pipeline.checking import COMMAND

FOLDER = Path(__file__).resolve().parents[2] / "vectors"
Found = dict[str, Any]


@dataclass(frozen=True)
class Vector:
    """What is known about a vector, kept apart from it.

    Attributes:
        digest: the dossier's.
        results: property, proved and refuted arithmetics of each.
        additions: path and role of what was added later.
    """

    digest: str
    results: list[tuple[str, list[str], list[str]]]
    additions: list[tuple[str, str | None]]


VECTORS = {
    "dossier-1": Vector(
        "f002bb4e13d630ca79fbb454e723e5a2bd06925653afefb974bca8998d86b545",
        [
            ("properties/braking_limit.vnnlib", ["real", "float32"], []),
            ("properties/braking_envelope.vnnlib", ["real", "float32"], []),
            ("properties/braking_short_runway.vnnlib", [], ["real", "float32"]),
        ],
        [("attachments/0001/attached.txt", None), ("signatures/0001-author.dsse.json", "author")],
    )
}


def by_package(dossier: Path, key: Path) -> Found:
    report = verify_dossier(
        open_container(dossier),
        levels=set(LEVELS),
        trust=read_trust(key.read_bytes(), key.name),
        reprover=Reprover(COMMAND, "fast"),
        own_sha256=sha256(generate()).hexdigest(),
    )
    found: Found = json.loads(json.dumps(asdict(report)))
    assert found["proof"]["fallback"] is None
    return found


def by_verifier(dossier: Path, key: Path) -> Found:
    """With the verify.py of today and Python alone."""
    program = key.with_name("verify.py")
    program.write_bytes(generate())
    command = [sys.executable, "-I", "-S", str(program), str(dossier), "--trust", str(key), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    found: Found = json.loads(done.stdout)
    assert found.pop("status") == "established"
    return found


def expected_flags(dossier: Path) -> list[str]:
    """Its verify.py is the one of its time; it is reported until it is one of a release."""
    with zipfile.ZipFile(dossier) as archive:
        inside = sha256(archive.read("verify.py")).hexdigest()
    if inside in {sha256(generate()).hexdigest(), *RELEASED.values()}:
        return []
    return [f"verify.py in the dossier (SHA-256 {inside}) is of no released version: do not run it"]


def test_every_vector_is_known() -> None:
    assert {path.stem for path in FOLDER.glob("*.zip")} == set(VECTORS)
    assert {path.stem for path in FOLDER.glob("*.pem")} == set(VECTORS)


@pytest.mark.parametrize("verify", [by_package, by_verifier])
@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_verifies_at_all_levels(
    name: str, verify: Callable[[Path, Path], Found], tmp_path: Path
) -> None:
    dossier, key = FOLDER / f"{name}.zip", tmp_path / f"{name}.pem"
    key.write_bytes((FOLDER / key.name).read_bytes())
    (signer,) = read_trust(key.read_bytes(), key.name)
    found, vector = verify(dossier, key), VECTORS[name]
    assert [(each["level"], each["established"]) for each in found["levels"]] == [
        (level, True) for level in LEVELS
    ]
    assert (found["digest"], found["seal_key"], found["seal_pinned"]) == (vector.digest, signer, True)
    results = [(each["property"], each["proved"], each["refuted"]) for each in found["results"]]
    assert results == vector.results
    assert [(each["path"], each["role"]) for each in found["additions"]] == vector.additions
    assert all(each["pinned"] for each in found["additions"])
    assert len(found["proof"]["reproved"]) == len(vector.results) and not found["proof"]["not_reproved"]
    assert found["flags"] == expected_flags(dossier)
