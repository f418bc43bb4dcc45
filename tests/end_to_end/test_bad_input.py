"""Bad input: exit 2, one line on stderr that names what is wrong, nothing on stdout, nothing written."""

from __future__ import annotations

import gzip
import math
import os
from pathlib import Path

import pytest

from tests.end_to_end.command import FAILS, HOLDS, Command
from tests.end_to_end.problems import box, write_identity, write_property


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--timeout", "0"], "time limit"),
        (["--timeout", "-1"], "time limit"),
        (["--timeout", "nan"], "time limit"),
        (["--timeout", "inf"], "time limit"),
        (["--timeout", "abc"], "--timeout: invalid float value: 'abc'; see hybrid-ai verify --help"),
        (["--engine", "no\nline"], "unrecognized arguments: --engine no line"),
        (["--memory", "0"], "memory limit"),
        (["--threads", "0"], "threads"),
        (["--seed", "-1"], "seed"),
        (["--arithmetic", "float16"], "invalid choice: 'float16'"),
        (["--backend", "cuda"], "no engine"),
        (["--json-lines", "x"], "--suite"),
        (["--certificate", "/nowhere/c"], "/nowhere/c: cannot be written"),
        (["--certificate", "."], "no regular file"),
        (["--certificate", str(HOLDS[0])], "is an input file"),
        (["--results-file", "/nowhere/r"], "/nowhere/r: cannot be written"),
        (["--results-file", "/dev/null"], "no regular file"),
    ],
)
def test_options(command: Command, options: list[str], said: str) -> None:
    ended = command("verify", *HOLDS, *options)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["verify"], ["verify", "m.onnx"], ["frobnicate"], ["verify", "--x"]]
)
def test_usage(command: Command, arguments: list[str]) -> None:
    ended = command(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err


@pytest.mark.parametrize("existing", [True, False])
def test_outputs_have_files_of_their_own(command: Command, tmp_path: Path, existing: bool) -> None:
    output, link = tmp_path / "output", tmp_path / "link"
    link.symlink_to(output)
    if existing:
        output.write_text("x")
    for other in (output, tmp_path / "." / "output", link, tmp_path / ".." / tmp_path.name / "output"):
        ended = command("verify", *HOLDS, "--certificate", output, "--results-file", other)
        assert (ended.code, ended.out) == (2, "")
        assert "is the file of another option" in ended.err
    assert output.exists() == existing


def test_devices_and_pipes_are_not_read(command: Command, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for special in (pipe, Path("/dev/zero")):
        for arguments in (
            ["verify", special, HOLDS[1]],
            ["verify", HOLDS[0], special],
            ["verify", "--suite", special, "--json-lines", tmp_path / "out"],
            ["check", special, *HOLDS],
            ["check", *HOLDS, special],
            ["inspect", special],
        ):
            ended = command(*arguments)
            assert (ended.code, ended.out) == (2, ""), arguments
            assert f"{special}: is no regular file" in ended.err


def refused(command: Command, model: Path, claim: Path) -> str:
    ended = command("verify", model, claim, "--certificate", model.parent / "evidence")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1), ended
    assert not (model.parent / "evidence").exists()
    return ended.err


def test_missing_files(command: Command, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert f"{missing}" in refused(command, missing, HOLDS[1])
    model = write_identity(tmp_path / "m.onnx")
    assert f"{missing}" in refused(command, model, missing)


def test_folders_instead_of_files(command: Command, tmp_path: Path) -> None:
    model = write_identity(tmp_path / "m.onnx")
    folder = tmp_path / "folder"
    folder.mkdir()
    assert str(folder) in refused(command, folder, HOLDS[1])
    assert str(folder) in refused(command, model, folder)


def test_numbers_of_inputs_that_differ_name_both_files(command: Command, tmp_path: Path) -> None:
    said = refused(command, write_identity(tmp_path / "m.onnx"), HOLDS[1])
    assert str(HOLDS[1]) in said
    assert "m.onnx" in said
    assert "5 inputs and 1 outputs" in said


def test_weights_that_are_no_numbers(command: Command, tmp_path: Path) -> None:
    claim = write_property(tmp_path / "p.vnnlib", [*box(0, 1), "(>= Y_0 3)"])
    for weight in (math.nan, math.inf):
        assert "m.onnx" in refused(command, write_identity(tmp_path / "m.onnx", weight=weight), claim)


def test_files_that_are_something_else(command: Command, tmp_path: Path) -> None:
    model = write_identity(tmp_path / "m.onnx")
    broken = tmp_path / "broken"
    for content in (b"", b"(assert", b"\x00\xff" * 40, gzip.compress(b"x" * 1000)[:20]):
        broken.write_bytes(content)
        assert "broken" in refused(command, model, broken)
        assert "broken" in refused(command, broken, HOLDS[1])


def test_a_bad_line_is_named(command: Command, tmp_path: Path) -> None:
    claim = write_property(tmp_path / "p.vnnlib", [*box(0, 1), "(>= Y_7 3)"])
    assert "p.vnnlib:8:" in refused(command, write_identity(tmp_path / "m.onnx"), claim)


@pytest.mark.parametrize("place", ["model", "property", "evidence"])
def test_check_of_missing_files(command: Command, tmp_path: Path, place: str) -> None:
    files = {"model": HOLDS[0], "property": HOLDS[1], "evidence": HOLDS[1], place: tmp_path / "missing"}
    ended = command("check", *files.values())
    assert (ended.code, ended.out) == (2, "")
    assert "missing" in ended.err


def test_check_of_a_broken_model(command: Command, tmp_path: Path) -> None:
    evidence = tmp_path / "x.json"
    command("verify", *FAILS, "--certificate", evidence)
    # The hash is judged first: the counterexample does not belong to another file.
    assert command("check", HOLDS[1], FAILS[1], evidence).code == 30


def test_inspect_of_a_missing_model(command: Command, tmp_path: Path) -> None:
    ended = command("inspect", tmp_path / "missing")
    assert (ended.code, ended.out) == (2, "")


def test_demo_into_a_file(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    ended = command("demo", "-o", path)
    assert (ended.code, ended.out) == (2, "")
    assert path.read_text() == "x"
