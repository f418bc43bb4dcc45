"""`hybrid-ai verify --hints`: absent programs are named with the remedy, present ones are never trusted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid_ai.bench import auto_lirpa
from tests.end_to_end.command import HOLDS, Command
from tests.unit.search.problems import dense, vnnlib

INSTANCE = "onnx,vnnlib,timeout_s\nmodel.onnx,property.vnnlib,60\n"


@pytest.fixture
def fresh() -> Iterator[None]:
    """Forget what was imported, before and after."""
    auto_lirpa._libraries.cache_clear()
    yield
    auto_lirpa._libraries.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_the_remedy_is_named_before_anything_begins(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "auto_LiRPA", None)
    ended = command("verify", *HOLDS, "--hints", "auto_lirpa", "--certificate", tmp_path / "evidence")
    assert (ended.code, ended.out) == (2, "")
    assert "pip install --no-deps -r requirements/auto_lirpa.txt" in ended.err
    (tmp_path / "suite.csv").write_text(INSTANCE)
    suite = ("--suite", tmp_path / "suite.csv", "--json-lines", tmp_path / "rows")
    ended = command("verify", *suite, "--hints", "auto_lirpa")
    assert (ended.code, ended.out) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["suite.csv"]


def test_unknown_programs_are_refused(command: Command) -> None:
    assert command("verify", *HOLDS, "--hints", "oracle").code == 2


def test_auto_lirpa_closes_a_root(command: Command, tmp_path: Path) -> None:
    """A root that is open without: its slopes are written, checked, and accepted."""
    try:
        auto_lirpa.require_auto_lirpa()
    except auto_lirpa.AutoLirpaMissing as error:
        pytest.skip(str(error))
    model, claim, kept = (tmp_path / name for name in ("model.onnx", "property.vnnlib", "evidence"))
    model.write_bytes(dense([3, 12, 12, 12, 12, 2], 1))
    claim.write_bytes(vnnlib(3, 2, THRESHOLD, bounds=[("-0.5", "0.5")] * 3))
    options = ("--json", "--certificate", kept, "--arithmetic", "both")
    without = json.loads(command("verify", model, claim, *options).out)
    assert without["verdict"] == "proved" and without["leaves"] > 1
    ended = command("verify", model, claim, *options, "--hints", "auto_lirpa")
    result = json.loads(ended.out)
    assert (result["verdict"], result["leaves"]) == ("proved", 1), ended
    assert result["arithmetics"] == {"real": "proved", "float32": "proved"}
    assert command("check", model, claim, kept, "--engine", "exact").code == 0


THRESHOLD = "(<= Y_0 -1.5)"
