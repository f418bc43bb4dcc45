"""`hybrid-ai bench suite`: our verdicts beside those of small programs that stand for other verifiers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.bench import side_by_side
from hybrid_ai.bench.engines import PEERS
from tests.end_to_end.command import DEMO, Command

HEADER = "onnx,vnnlib,timeout_s\n"
ABCROWN = """
import sys
if "--help" not in sys.argv:
    given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    assert given["--device"] == "cpu" and open(given["--config"]).read() == "settings"
    fails = "short_runway" in given["--vnnlib_path"]
    open(given["--vnnlib_path"] + ".compiled", "x").close()  # as the real one does
    print("12 domains visited\\n345 domains visited")
    open(given["--results_file"], "w").write(WRONG if fails else "unsat\\n")
"""
NNENUM = """
import sys
if __name__ == "__main__":
    model, prop, seconds, result, processes = sys.argv[1:]
    assert (float(seconds), processes) == (30.0, "1")
    print("Total Stars: 67 (7 exact, 60 approx)")
    open(result, "w").write("violated" if "short_runway" in prop else "holds")
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for peer in PEERS:
        monkeypatch.delenv(peer.folder_variable, raising=False)
        monkeypatch.setenv(peer.python_variable, sys.executable)
    monkeypatch.setattr(side_by_side, "STARTS", 1)
    path = tmp_path / "instances.csv"
    names = ("braking_envelope", "braking_short_runway")
    path.write_text(HEADER + "".join(f"{DEMO}/braking.onnx,{DEMO}/{name}.vnnlib,60\n" for name in names))
    return path


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """Put both stand-ins where their variables say."""
    verifier = tmp_path / "abcrown" / "complete_verifier"
    settings = verifier / "exp_configs" / "vnncomp21"
    settings.mkdir(parents=True)
    (settings / "acasxu.yaml").write_text("settings")
    (verifier / "abcrown.py").write_text(ABCROWN.replace("WRONG", repr(word)))
    package = tmp_path / "nnenum" / "src" / "nnenum"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "nnenum.py").write_text(NNENUM)
    monkeypatch.setenv("HYBRID_AI_ABCROWN", str(tmp_path / "abcrown"))
    monkeypatch.setenv("HYBRID_AI_NNENUM", str(tmp_path / "nnenum"))


def test_verifiers_are_compared(
    command: Command, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "sat")
    ended = command("bench", "suite", suite, "--timeout", "30", "--json")
    assert ended.code == 0, ended.err
    result: dict[str, Any] = json.loads(ended.out)
    assert result["skipped"] == {}
    assert result["plan"]["longest"] == 30.0 and {"cpu", "cores"} <= result["machine"].keys()
    for row, (claimed, found) in zip(
        result["rows"], (("claimed", "proved"), ("refuted", "refuted")), strict=True
    ):
        engines = row["engines"]
        assert row["search"]["verdict"] == claimed and row["search"]["cpu_searching"] > 0.0
        assert {name: one["verdict"] for name, one in engines.items()} == dict.fromkeys(
            ("hybrid-ai", "alpha-beta-CROWN", "nnenum"), found
        )
        assert (engines["alpha-beta-CROWN"]["boxes"], engines["nnenum"]["boxes"]) == (345, 67)
        assert min(one["cpu"] for one in engines.values()) > 0.0
    assert not list(DEMO.glob("*.compiled"))
    sums = result["sums"]
    assert sums["disagreements"] == 0 and sums["search"]["decided"] == 2
    peer = sums["engines"]["alpha-beta-CROWN"]
    assert 0.0 <= peer["cpu_solving"] <= peer["cpu"]
    assert peer["times_our_search"] == pytest.approx(peer["cpu_solving"] / sums["search"]["cpu_searching"])
    assert len(result["peers"]["nnenum"]["sources_sha256"]) == 64 and result["peers"]["nnenum"]["numpy"]


def test_a_contradiction_is_a_failure(
    command: Command, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "unsat")
    lines = suite.read_text().splitlines()
    suite.write_text(f"{lines[0]}\n{lines[2]}\n")
    ended = command("bench", "suite", suite, "--timeout", "30")
    assert ended.code == 1
    assert ended.out.splitlines()[-1] == "1 disagreements"
    assert "alpha-beta-CROWN proved" in ended.err


def test_a_verifier_that_is_not_there_is_skipped_with_the_remedy(command: Command, suite: Path) -> None:
    lines = suite.read_text().splitlines()
    suite.write_text(f"{lines[0]}\n{lines[2]}\n")
    ended = command("bench", "suite", suite)
    assert ended.code == 0
    skipped = [line for line in ended.out.splitlines() if "skipped" in line]
    assert len(skipped) == 2
    for peer, line in zip(PEERS, skipped, strict=True):
        assert f"{peer.name} skipped: {peer.folder_variable} is not set: set it to the folder" in line


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("HYBRID_AI_NNENUM", "nowhere", "nowhere has no src/nnenum/nnenum.py"),
        (
            "HYBRID_AI_ABCROWN_PYTHON",
            "no-such-python",
            "HYBRID_AI_ABCROWN_PYTHON: no-such-python is no program",
        ),
    ],
)
def test_a_variable_that_leads_nowhere_is_bad_input(
    command: Command,
    suite: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    complaint: str,
) -> None:
    install(tmp_path, monkeypatch, "sat")
    monkeypatch.setenv(variable, value)
    ended = command("bench", "suite", suite)
    assert (ended.code, ended.out) == (2, "")
    assert complaint in ended.err


def test_a_verifier_that_does_not_start_is_bad_input(
    command: Command, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "sat")
    (tmp_path / "abcrown/complete_verifier/abcrown.py").write_text("import no_such_package")
    monkeypatch.setattr(side_by_side, "warm_up", lambda: None)
    ended = command("bench", "suite", suite)
    assert ended.code == 2
    assert "alpha-beta-CROWN does not start: ModuleNotFoundError" in ended.err


@pytest.mark.parametrize("option", ["--threads", "--repeat", "--timeout"])
def test_meaningless_options_are_refused(command: Command, suite: Path, option: str) -> None:
    ended = command("bench", "suite", suite, option, "0")
    assert ended.code == 2
    assert f"{option}: must be" in ended.err
