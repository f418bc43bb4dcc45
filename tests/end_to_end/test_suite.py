"""Suites: rows, resuming, and the comparison with known verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare_verdicts import main as compare
from hybrid_ai.pipeline.rows_file import open_rows
from tests.end_to_end.command import DEMO, MODELS, Command, start
from tests.end_to_end.problems import box, write_endless, write_identity, write_property

ROWS = [
    (MODELS / "residual.onnx", MODELS / "residual_holds.vnnlib"),
    (MODELS / "residual.onnx", MODELS / "residual_fails.vnnlib"),
    (DEMO / "braking.onnx", DEMO / "braking_limit.vnnlib"),
]


def write_suite(folder: Path, rows: list[tuple[Path, Path]], timeout: object = 60) -> Path:
    lines = ["vnnlib,onnx,timeout_s,verdict", *(f"{claim},{model},{timeout},unsat" for model, claim in rows)]
    path = folder / "instances.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_suite_goes_on_after_a_bad_row_and_resumes(command: Command, tmp_path: Path) -> None:
    rows = [*ROWS, (tmp_path / "missing.onnx", ROWS[0][1])]
    suite, out, evidence = write_suite(tmp_path, rows), tmp_path / "out", tmp_path / "evidence"
    arguments = ["verify", "--suite", suite, "--json-lines", out]
    first = command(*arguments, "--certificates", evidence)
    assert first.code == 0, first
    assert first.out == f"4 instances: 2 proved, 1 refuted, 0 unknown, 1 error; rows in {out}\n"
    written = read_rows(out)
    assert [row["verdict"] for row in written] == ["proved", "refuted", "proved", "error"]
    assert "missing.onnx" in written[3]["reason"]
    assert [row["onnx"] for row in written] == [str(model) for model, _ in rows]
    for row in written[:3]:
        kept = row["certificate"] or row["counterexample"]["file"]
        assert command("check", row["onnx"], row["vnnlib"], kept["path"]).code == 0
    again = command(*arguments)
    assert again.err.count("from an earlier run") == 3
    assert [row["verdict"] for row in read_rows(out)] == ["proved", "refuted", "proved", "error", "error"]


def test_a_torn_last_line_is_repaired(command: Command, tmp_path: Path) -> None:
    suite, out = write_suite(tmp_path, ROWS[:2]), tmp_path / "out"
    command("verify", "--suite", suite, "--json-lines", out)
    whole = out.read_bytes()
    out.write_bytes(whole[:-40])
    command("verify", "--suite", suite, "--json-lines", out)
    assert [row["verdict"] for row in read_rows(out)] == ["proved", "refuted"]
    assert out.read_bytes().startswith(whole[: whole.index(b"\n") + 1])


def test_other_hashes_or_versions_are_verified_again(command: Command, tmp_path: Path) -> None:
    suite, out = write_suite(tmp_path, ROWS[:1]), tmp_path / "out"
    command("verify", "--suite", suite, "--json-lines", out)
    (row,) = read_rows(out)
    for changed in ({"property_sha256": "0" * 64}, {"version": "0"}, {"failed": True}):
        out.write_text(json.dumps({**row, **changed}) + "\n")
        command("verify", "--suite", suite, "--json-lines", out)
        assert len(read_rows(out)) == 2


def test_a_killed_suite_resumes(command: Command, tmp_path: Path) -> None:
    endless = write_endless(tmp_path)
    suite, out = write_suite(tmp_path, [ROWS[0], endless]), tmp_path / "out"
    process = start(["verify", "--suite", suite, "--json-lines", out])
    deadline = time.monotonic() + 60
    while not (out.exists() and out.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    ended = command("verify", "--suite", suite, "--json-lines", out, "--timeout", 1)
    assert ended.code == 0
    assert ended.err.count("from an earlier run") == 1
    assert [row["verdict"] for row in read_rows(out)] == ["proved", "unknown"]


def test_equal_rows_are_verified_once(command: Command, tmp_path: Path) -> None:
    suite, out = write_suite(tmp_path, [ROWS[0], ROWS[0]]), tmp_path / "out"
    assert command("verify", "--suite", suite, "--json-lines", out).out.startswith("2 instances: 2 proved")
    assert len(read_rows(out)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b,1\n", "no column onnx, vnnlib, timeout_s"),
        ("onnx,vnnlib,timeout_s\na,b\n", ":2: a column is empty"),
        ("onnx,vnnlib,timeout_s\na,b,0\n", ":2: timeout_s '0'"),
        ("onnx,vnnlib,timeout_s\na,b,soon\n", ":2: timeout_s 'soon'"),
        ("", "no column"),
        ("onnx,vnnlib,timeout_s,onnx\na,b,1,c\n", "two columns of one name"),
    ],
)
def test_malformed_suites_are_2(command: Command, tmp_path: Path, content: str, said: str) -> None:
    suite = tmp_path / "instances.csv"
    suite.write_text(content)
    ended = command("verify", "--suite", suite, "--json-lines", tmp_path / "out")
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_suites_output_is_left_alone(command: Command, tmp_path: Path) -> None:
    suite, out = write_suite(tmp_path, ROWS[:1]), tmp_path / "out"
    out.write_text("my diary\nof today")
    ended = command("verify", "--suite", suite, "--json-lines", out)
    assert ended.code == 2
    assert f"{out}:1: no row of a suite" in ended.err
    assert out.read_text() == "my diary\nof today"


@pytest.mark.parametrize(("known", "code"), [("unsat", 0), ("disputed", 0), ("sat", 1)])
def test_comparison_with_known_verdicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], known: str, code: int
) -> None:
    out, instances = tmp_path / "out", tmp_path / "instances.csv"
    out.write_text(json.dumps({"onnx": "m", "vnnlib": "p", "verdict": "proved"}) + "\n")
    instances.write_text(f"onnx,vnnlib,timeout_s,verdict\nm,p,1,{known}\nm,q,1,sat\n")
    assert compare([str(out), str(instances)]) == code
    assert "missing: m q" in capsys.readouterr().out


def test_comparison_of_a_missing_file(tmp_path: Path) -> None:
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "compare_verdicts.py"
    done = subprocess.run([sys.executable, script, tmp_path / "a", tmp_path / "b"], capture_output=True)
    assert done.returncode == 2


def test_public_suite(command: Command, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command("verify", "--suite", data / "tiny" / "instances.csv", "--json-lines", out)
    assert compare([str(out), str(data / "tiny" / "instances.csv")]) == 0
    assert {row["verdict"] for row in read_rows(out)} <= {"proved", "refuted"}


@pytest.mark.parametrize(
    "content",
    [
        "my notes, without an end of line",
        "{ ",
        '{"name": "x"}',
        '{"onnx": "a"}',
        '{"onnx": "a", "vnnlib": "b", "verdict": "proved"}\n',
        "\n",
        "[1]\n",
        '{"onnx": 1, "vnn',
        "\0" * 9,
    ],
)
def test_a_file_of_something_else_is_never_cut(command: Command, tmp_path: Path, content: str) -> None:
    suite, out = write_suite(tmp_path, ROWS[:1]), tmp_path / "out"
    out.write_text(content)
    ended = command("verify", "--suite", suite, "--json-lines", out)
    assert (ended.code, ended.out) == (2, "")
    assert f"{out}:1: no row of a suite" in ended.err
    assert out.read_text() == content


def test_rows_never_go_into_a_file_that_is_read(command: Command, tmp_path: Path) -> None:
    model, claim = (tmp_path / path.name for path in ROWS[0])
    model.write_bytes(b"")
    claim.write_bytes(b"")
    suite = write_suite(tmp_path, [(Path(model.name), Path(claim.name))])
    link = tmp_path / "link"
    link.symlink_to(model)
    for out in (suite, model, claim, link):
        ended = command("verify", "--suite", suite, "--json-lines", out)
        assert ended.code == 2
        assert "is an input file" in ended.err
    assert model.read_bytes() == claim.read_bytes() == b""


def test_a_file_of_rows_belongs_to_one_process(command: Command, tmp_path: Path) -> None:
    suite, out = write_suite(tmp_path, ROWS[:1]), tmp_path / "out"
    with open_rows(out):
        ended = command("verify", "--suite", suite, "--json-lines", out)
    assert ended.code == 2
    assert "another process writes it" in ended.err
    assert command("verify", "--suite", suite, "--json-lines", out).code == 0


def test_vacuous_rows_are_reused_only_where_allowed(command: Command, tmp_path: Path) -> None:
    model = write_identity(tmp_path / "m.onnx")
    empty = write_property(tmp_path / "p.vnnlib", ["(>= X_0 2)", "(<= X_0 1)", *box(0, 3), "(>= Y_0 3)"])
    suite, out = write_suite(tmp_path, [(model, empty)]), tmp_path / "out"
    arguments = ["verify", "--suite", suite, "--json-lines", out]
    for _ in range(2):
        command(*arguments, "--allow-vacuous")
        assert [row["verdict"] for row in read_rows(out)] == ["proved"]
    assert command(*arguments).out.startswith("1 instances: 0 proved, 0 refuted, 0 unknown, 1 error")


def test_rows_without_their_evidence_are_verified_again(command: Command, tmp_path: Path) -> None:
    suite, out, evidence = write_suite(tmp_path, ROWS[:2]), tmp_path / "out", tmp_path / "evidence"
    arguments = ["verify", "--suite", suite, "--json-lines", out]
    command(*arguments)
    for kept in (0, 2):
        assert command(*arguments, "--certificates", evidence).err.count("from an earlier run") == kept
    for path in evidence.iterdir():
        path.write_bytes(b"other")
    assert command(*arguments, "--certificates", evidence).err.count("from an earlier run") == 0


def test_unknown_rows_are_verified_again(command: Command, tmp_path: Path) -> None:
    suite, out = write_suite(tmp_path, [write_endless(tmp_path)]), tmp_path / "out"
    for count in (1, 2):
        command("verify", "--suite", suite, "--json-lines", out, "--timeout", 0.5)
        assert [row["verdict"] for row in read_rows(out)] == ["unknown"] * count


def test_a_byte_order_mark_is_no_part_of_a_name(command: Command, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, ROWS[:1])
    suite.write_bytes(b"\xef\xbb\xbf" + suite.read_bytes())
    assert command("verify", "--suite", suite, "--json-lines", tmp_path / "out").code == 0
