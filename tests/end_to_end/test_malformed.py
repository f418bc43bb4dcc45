"""Every malformed kind of file through the command line: exit status, and one line that names the place."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.network import ModelError
from tests.checker.test_decode import REJECTED
from tests.checker.test_tampering import CERTIFICATES, MODEL, PROPERTY, with_tree
from tests.end_to_end.command import DEMO, Command
from tests.unit.network.test_refused import OPERATIONS, STRUCTURE, TENSORS
from tests.unit.spec.test_read_rejected import (
    HEAD,
    MALFORMED_AFTER_HEAD,
    UNSUPPORTED_AFTER_HEAD,
    WHOLE_FILES,
)

MODELS = STRUCTURE + TENSORS + OPERATIONS
CLAIM = """(declare-const X_0 Real)(declare-const Y_0 Real)
(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= Y_0 9))
"""


def one_line(text: str) -> str:
    assert text.strip() and "\n" not in text.strip(), text
    assert "Traceback" not in text
    return text


def test_there_are_a_hundred_kinds() -> None:
    properties = MALFORMED_AFTER_HEAD + UNSUPPORTED_AFTER_HEAD + WHOLE_FILES
    certificates = {row[0] for row in REJECTED} | {row[0] for row in CERTIFICATES}
    assert len(properties) + len({case.values[2] for case in MODELS}) + len(certificates) >= 150


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [pytest.param(HEAD + row[1], *row[2:4], id=row[0]) for row in MALFORMED_AFTER_HEAD]
    + [pytest.param(*row[1:4], id=row[0]) for row in WHOLE_FILES],
)
def test_malformed_properties(command: Command, tmp_path: Path, text: str, line: int, column: int) -> None:
    file = tmp_path / "claim.vnnlib"
    file.write_text(text, encoding="utf-8")
    ended = command("verify", DEMO / "braking.onnx", file)
    assert ended.code == 2
    assert f"claim.vnnlib:{line}:{column}: " in one_line(ended.err)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [pytest.param(HEAD + row[1], *row[2:4], id=row[0]) for row in UNSUPPORTED_AFTER_HEAD],
)
def test_unsupported_properties(command: Command, tmp_path: Path, text: str, line: int, column: int) -> None:
    file = tmp_path / "claim.vnnlib"
    file.write_text(text, encoding="utf-8")
    ended = command("verify", DEMO / "braking.onnx", file)
    assert ended.code == 20
    assert f":{line}:{column}" in one_line(ended.out) and ended.out.startswith("unknown: ")


@pytest.mark.parametrize(("message", "error", "phrase"), MODELS)
def test_refused_models(command: Command, tmp_path: Path, message: Any, error: type, phrase: str) -> None:
    model, claim = tmp_path / "model.onnx", tmp_path / "claim.vnnlib"
    model.write_bytes(message.SerializeToString())
    claim.write_text(CLAIM, encoding="utf-8")
    ended = command("verify", model, claim)
    assert ended.code == (2 if error is ModelError else 20)
    assert phrase in one_line(ended.err if error is ModelError else ended.out)


def test_defective_certificates(tmp_path: Path) -> None:
    """One checker process judges them all: starting one for each would take minutes."""
    paths = {"model": tmp_path / "model.onnx", "property": tmp_path / "claim.vnnlib"}
    paths["model"].write_bytes(MODEL)
    paths["property"].write_bytes(PROPERTY)
    requests = []
    for case, (_, number, tree, _, _) in enumerate(CERTIFICATES):
        evidence = tmp_path / f"{case}.certificate"
        evidence.write_bytes(with_tree(number, tree))
        requests.append(
            json.dumps({key: str(path) for key, path in (*paths.items(), ("evidence", evidence))})
        )
    ended = subprocess.run(
        [sys.executable, "-m", "hybrid_ai.checker", "--serve"],
        input="\n".join(requests) + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ended.stderr == ""
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    for (name, number, _, rule, place), answer in zip(CERTIFICATES, answers, strict=True):
        assert (answer["status"], answer["rule"]) == ("rejected", rule), name
        expected = f"tree {number}, {place}" if place else f"tree {number}"
        assert re.match(rf"{expected}\b", answer["where"]), (name, answer)
        assert answer["reason"]


def test_a_defective_certificate_ends_with_30(command: Command, tmp_path: Path) -> None:
    _, number, tree, rule, _ = CERTIFICATES[0]
    files = [tmp_path / name for name in ("model.onnx", "claim.vnnlib", "evidence")]
    for file, data in zip(files, (MODEL, PROPERTY, with_tree(number, tree)), strict=True):
        file.write_bytes(data)
    ended = command("check", *files)
    assert ended.code == 30
    assert rule in one_line(ended.out)
