"""The program: exit codes, the largest file, and answers that do not wait for the next request."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.checker import __main__ as program
from hybrid_ai.checker.compiled_loop import Loader
from tests.checker.test_check import GOOD, HIGH, MODEL, REACHED, counterexample

FLOAT32 = counterexample(arithmetic={"real": False, "float32": True})


def written(folder: Path, model: bytes, claim: bytes, evidence: bytes) -> list[str]:
    paths = [folder / name for name in ("model.onnx", "property.vnnlib", "evidence")]
    for path, content in zip(paths, (model, claim, evidence), strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths]


@pytest.mark.parametrize(
    ("model", "claim", "evidence", "status", "code"),
    [
        (MODEL, HIGH, GOOD, "valid", 0),
        (MODEL, REACHED, counterexample(), "valid", 0),
        (MODEL, HIGH, GOOD + b"\0", "rejected", 30),
        (MODEL + b"\x0b", HIGH, GOOD, "rejected", 30),
        (MODEL, b"(assert", counterexample(claim=b"(assert"), "malformed", 2),
        (MODEL, b"(push 1)", counterexample(claim=b"(push 1)"), "unsupported", 20),
        (MODEL, REACHED, FLOAT32, "not_reevaluated", 20),
    ],
)
def test_exit_codes(
    model: bytes,
    claim: bytes,
    evidence: bytes,
    status: str,
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = written(tmp_path, model, claim, evidence)
    assert program.main([*paths, "--json"]) == code
    assert json.loads(capsys.readouterr().out)["status"] == status
    assert program.main(paths) == code
    assert capsys.readouterr().out.startswith(f"{status}: ")


def test_a_failure_of_the_checker_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*arguments: object, **options: object) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(program, "check", fails)
    paths = written(tmp_path, MODEL, HIGH, GOOD)
    assert program.main(paths) == 1
    assert capsys.readouterr().out == "failed: internal: checker: RuntimeError: broken\n"


def test_the_linear_algebra_library_gets_one_thread_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = written(tmp_path, MODEL, HIGH, GOOD)
    for before, after in ((None, "1"), ("3", "3")):
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        if before is not None:
            monkeypatch.setenv("OPENBLAS_NUM_THREADS", before)
        assert program.main(paths) == 0
        assert os.environ["OPENBLAS_NUM_THREADS"] == after


def test_every_status_has_its_code() -> None:
    assert {status for status, code in program.EXIT_CODES.items() if code == 0} == {"valid"}
    assert program.EXIT_CODES == {
        "valid": 0,
        "rejected": 30,
        "malformed": 2,
        "unsupported": 20,
        "not_reevaluated": 20,
        "failed": 1,
    }


def test_the_largest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert program.MAX_FILE == 2**30
    names = ("model", "property", "evidence")
    request = dict(zip(names, written(tmp_path, MODEL, HIGH, GOOD), strict=True))
    longest = max(len(MODEL), len(HIGH), len(GOOD))
    monkeypatch.setattr(program, "MAX_FILE", longest)
    assert program.judge(request, Loader())["status"] == "valid"
    monkeypatch.setattr(program, "MAX_FILE", longest - 1)
    answer = program.judge(request, Loader())
    assert answer["status"] == "malformed"
    assert f"has more than {longest - 1} bytes" in answer["reason"]


def test_a_request_is_answered_before_the_next(tmp_path: Path) -> None:
    names = ("model", "property", "evidence")
    request = json.dumps(dict(zip(names, written(tmp_path, MODEL, HIGH, GOOD), strict=True)))
    command = [sys.executable, "-m", "hybrid_ai.checker", "--serve"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for _ in range(2):
            process.stdin.write(request + "\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], 20)
            if not ready:
                process.kill()
            assert ready, "no answer while the program waits for requests"
            assert json.loads(process.stdout.readline())["status"] == "valid"
        process.stdin.close()
        assert process.wait() == 0
