"""Paths that cannot be used, in every argument that is one: a line that names it, and exit 2."""

from __future__ import annotations

import builtins
import io
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.command import DEMO, HOLDS, Command

LONG = "x" * 300
# BAD stands for the path that cannot be used; the rest is there, in the folder in which the commands run.
READING = (
    "verify BAD p.vnnlib",
    "verify m.onnx BAD",
    "verify --suite BAD --json-lines out",
    "check BAD p.vnnlib evidence",
    "check m.onnx BAD evidence",
    "check m.onnx p.vnnlib BAD",
    "inspect BAD",
    "plan check BAD",
    "plan check plan.toml --objectives BAD",
    "plan new BAD -o out",
    "certify BAD p.vnnlib -o out",
    "certify m.onnx BAD -o out",
    "certify --suite BAD -o out",
    "certify plan.toml -o out --objectives BAD",
    "certify m.onnx p.vnnlib -o out --passphrase-file BAD",
    "dossier verify d --trust BAD",
    "dossier verify d --since BAD",
    "dossier attach d BAD",
    "dossier sign d --export-payload out --role author --public-key BAD",
    "dossier report d -o out.html --trust BAD",
    "trace verify BAD",
    "trace verify --proof BAD",
    "trace verify d/trace/entries.jsonl --trust BAD",
    "trace verify d/trace/entries.jsonl --since BAD",
    "trace prove BAD --entry 0 -o out",
    "trace prove d/trace/entries.jsonl --since BAD -o out",
    "keys trust BAD -o out",
)
# Folders and dossiers, and a plan by its suffix: one that is there and another kind is theirs to refuse.
MISSING = (
    "certify BAD.toml -o out",
    "certify m.onnx p.vnnlib -o out --reuse BAD",
    "dossier verify BAD",
    "dossier show BAD",
    "dossier replay BAD",
    "dossier attach BAD note",
    "dossier dispose BAD 0001 --as fixed --rationale x --role author",
    "dossier sign BAD --role author",
    "dossier sign d --import-signature BAD",
    "dossier diff BAD d",
    "dossier diff d BAD",
    "dossier report BAD -o out.html",
    "dossier zip BAD -o out.zip",
)
WRITING = (
    "verify m.onnx p.vnnlib --certificate BAD",
    "verify m.onnx p.vnnlib --results-file BAD",
    "verify --suite suite.csv --json-lines BAD",
    "plan new m.onnx -o BAD",
    "dossier report d -o BAD/r.html",
    "dossier zip d -o BAD/d.zip",
    "trace prove d/trace/entries.jsonl --entry 0 -o BAD",
    "keys trust keys/alice.pub.pem -o BAD",
)
MAKING = (
    "verify --suite suite.csv --json-lines out --certificates BAD",
    "certify m.onnx p.vnnlib -o BAD",
    "certify m.onnx p.vnnlib -o out --keys BAD",
    "certify plan.toml -o BAD",
    "dossier sign d --export-payload BAD --role author --public-key keys/alice.pub.pem",
    "keys new bob --keys BAD",
    "keys list --keys BAD",
    "demo -o BAD",
)


@dataclass(frozen=True)
class Bad:
    """A path that cannot be used, and what makes it so."""

    path: str
    denied: bool = False


MISSING_FILE, FOLDER = Bad("none"), Bad("folder")
TOO_LONG, BELOW_A_FILE, DENIED = Bad(LONG), Bad("note/below"), Bad("denied", True)
CASES = [
    *((each, bad) for each in READING for bad in (MISSING_FILE, FOLDER, TOO_LONG, BELOW_A_FILE, DENIED)),
    *((each, bad) for each in MISSING for bad in (MISSING_FILE, TOO_LONG, BELOW_A_FILE)),
    *((each, bad) for each in WRITING for bad in (TOO_LONG, BELOW_A_FILE)),
    *((each, bad) for each in MAKING for bad in (TOO_LONG, BELOW_A_FILE)),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a property, a plan, a dossier, a key, and files that are none of these."""
    from hybrid_ai.cli.main import main

    folder = tmp_path_factory.mktemp("paths")
    for source, name in zip(
        (*HOLDS, DEMO / "braking.toml"), ("m.onnx", "p.vnnlib", "plan.toml"), strict=True
    ):
        shutil.copy(source, folder / name)
    shutil.copy(DEMO / "braking.onnx", folder / "braking.onnx")
    (folder / "suite.csv").write_text("onnx,vnnlib,timeout_s\nm.onnx,p.vnnlib,10\n")
    for name in ("note", "evidence", "denied"):
        (folder / name).write_text("nothing")
    (folder / "folder").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        assert main(["keys", "new", "alice"]) == 0
        assert main(["certify", "m.onnx", "p.vnnlib", "-o", "d"]) == 0
    return folder


def enter(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    patch.setenv("HYBRID_AI_KEYS", "keys")
    patch.setenv("HYBRID_AI_PASSPHRASE", "correct horse battery")


def deny(name: str, patch: pytest.MonkeyPatch) -> None:
    """Have every way of opening a file refuse one, as permissions would where the user is not root."""

    def refusing(opened: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(path, str | Path) and Path(path).name == name:
                raise PermissionError(13, "Permission denied", str(path))
            return opened(path, *arguments, **options)

        return call

    for module, attribute in ((builtins, "open"), (io, "open"), (os, "open")):
        patch.setattr(module, attribute, refusing(getattr(module, attribute)))


@pytest.mark.parametrize(("line", "bad"), CASES, ids=[f"{a}: {b.path[:10]}" for a, b in CASES])
def test_a_path_that_cannot_be_used(
    line: str, bad: Bad, made: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(made, monkeypatch)
    before = sorted(made.rglob("*"))
    if bad.denied:
        deny(bad.path, monkeypatch)
    ended = command(*(part.replace("BAD", bad.path) for part in line.split()))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("hybrid-ai") and ended.err.count("\n") == 1
    assert bad.path.partition("/")[0] in ended.err
    assert re.search(r"[:;,] (check|give|make|name|remove|unzip) ", ended.err), ended.err
    assert sorted(made.rglob("*")) == before
