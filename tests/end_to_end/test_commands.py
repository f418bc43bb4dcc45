"""The other subcommands, and what the command line loads."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hybrid_ai
from tests.end_to_end.command import COMMAND, HOLDS, Command
from tests.end_to_end.problems import write_identity

HEAVY = {"numba", "onnx", "onnxruntime", "z3", "torch", "numpy", "scipy", "rich"}


def loaded(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "statement", ["import hybrid_ai", "import hybrid_ai.cli.main", "import hybrid_ai.pipeline"]
)
def test_imports_are_light(statement: str) -> None:
    assert loaded(statement) & HEAVY == set()


def test_every_lazy_name_is_there() -> None:
    for name in hybrid_ai.__all__:
        assert getattr(hybrid_ai, name) is not None
    assert set(hybrid_ai.__all__) <= set(dir(hybrid_ai))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hybrid_ai.nothing  # noqa: B018


@pytest.mark.clock
def test_help_is_fast() -> None:
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - began)
    assert done.stdout.startswith("usage: hybrid-ai")
    assert min(seconds) < 0.3


def test_version(command: Command) -> None:
    ended = command("--version")
    assert (ended.code, ended.out) == (0, f"hybrid-ai {hybrid_ai.__version__}\n")


def test_inspect(command: Command) -> None:
    content = json.loads(command("inspect", HOLDS[0], "--json").out)
    assert content["input"]["elements"] == 5
    assert content["output"]["elements"] == 1
    assert content["neurons"] == 48
    assert content["bounds"] == content["certificate"] == ["real", "float32", "both"]
    text = command("inspect", HOLDS[0]).out
    assert f"neurons      {content['neurons']}" in text
    assert content["model_sha256"] in text


def test_inspect_of_an_unsupported_model(command: Command, tmp_path: Path) -> None:
    ended = command("inspect", write_identity(tmp_path / "m.onnx", last="Tanh"))
    assert ended.code == 20
    assert ended.out.startswith("unknown: unsupported Tanh at ")


def test_supports(command: Command) -> None:
    everything = json.loads(command("supports", "--json").out)
    assert everything["arithmetics"] == ["real", "float32", "both"]
    assert everything["element_types"] == ["real", "float32"]
    assert everything["backends"] == ["cpu"]
    assert "Gemm" in everything["operations"]
    assert command("supports", "--onnx-element-types").out.split() == everything["element_types"]
    assert "Gemm (opsets" in command("supports").out


def test_supported_element_types_are_the_readers() -> None:
    from hybrid_ai.network.proto import REAL_ELEMENTS
    from hybrid_ai.pipeline.inspection import MODEL_ELEMENT_TYPES

    assert MODEL_ELEMENT_TYPES == REAL_ELEMENTS


def test_demo_ends_as_expected_and_its_commands_re_prove_it(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "a demo"
    ended = command("demo", "-o", folder)
    assert ended.code == 0, ended
    rows = json.loads((folder / "results.json").read_text())
    assert [row["verdict"] for row in rows] == ["proved", "proved", "refuted"]
    commands = [line.split("re-check: ")[1] for line in ended.out.splitlines() if "re-check: " in line]
    assert len(commands) == 3
    for line in commands:
        program, *arguments = shlex.split(line)
        assert program == "hybrid-ai"
        assert command(*arguments).code == 0
