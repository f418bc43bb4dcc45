"""Several verifications: one after the other, or several processes at a time."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from hybrid_ai.pipeline import workers
from hybrid_ai.pipeline.errors import BadInput, CheckerFailure
from hybrid_ai.pipeline.instances import Job
from hybrid_ai.pipeline.verifying import verify_all
from tests.certified import DEMO, PROPERTIES, QUIET, VERDICTS, Content, demo_request


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(DEMO, tmp_path / "d")
    (tmp_path / "w").mkdir()
    return tmp_path / "d"


def jobs_of(*names: str) -> list[Job]:
    return [Job(n, "braking.onnx", f"{name}.vnnlib", 60.0) for n, name in enumerate(names, start=1)]


def run(folder: Path, at_a_time: int, *names: str) -> dict[int, Content]:
    request = demo_request(jobs=at_a_time)
    working = folder.with_name("w")
    return {
        job.number: content for job, content in verify_all(jobs_of(*names), folder, working, request, QUIET)
    }


def test_results_are_the_same_one_by_one_and_at_the_same_time(folder: Path) -> None:
    found = [run(folder, at_a_time, *PROPERTIES) for at_a_time in (1, 2)]
    for results in found:
        assert [results[n]["verdict"] for n in (1, 2, 3)] == VERDICTS
        assert {path.name for path in folder.with_name("w").iterdir()} == {
            "0001.evidence", "0002.evidence", "0003.evidence"
        }  # fmt: skip
    for key in ("arithmetics", "model_sha256", "property_sha256", "version", "failed", "vacuous"):
        assert [found[0][n][key] for n in (1, 2, 3)] == [found[1][n][key] for n in (1, 2, 3)]
    assert set(found[0][1]) == set(found[1][1])


@pytest.mark.parametrize("at_a_time", [1, 2])
def test_an_empty_input_set_is_named(folder: Path, at_a_time: int) -> None:
    text = (folder / "braking_limit.vnnlib").read_text()
    (folder / "empty.vnnlib").write_text(text + "\n(assert (>= X_0 10000.0))\n")
    with pytest.raises(BadInput, match=r"^empty\.vnnlib: the input set is empty"):
        run(folder, at_a_time, "braking_limit", "empty")


def test_an_interruption_of_a_search_ends_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("hybrid_ai.pipeline.verify.read_inputs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(folder, 1, *PROPERTIES)


@pytest.mark.parametrize(
    ("program", "error", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", CheckerFailure, r"braking_limit\.vnnlib ended: status -9"),
        ("raise SystemExit('boom')", CheckerFailure, r"braking_limit\.vnnlib ended: boom"),
        ("input(); print('[')", CheckerFailure, r"about braking_limit\.vnnlib makes no sense: b'\[\\n'"),
        ("input(); print('{}')", CheckerFailure, r"about braking_limit\.vnnlib makes no sense"),
        ('input(); print(\'{"refused": "p: bad"}\')', BadInput, r"^p: bad$"),
    ],
)
def test_a_process_that_ends_without_a_result_is_told_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, program: str, error: type[Exception], said: str
) -> None:
    monkeypatch.setattr(workers, "COMMAND", (sys.executable, "-c", program))
    with pytest.raises(error, match=said):
        run(folder, 2, *PROPERTIES[:1], PROPERTIES[0])


def test_processes_take_one_after_the_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One ends all but the first job of the other, which takes longer than all of these."""
    program = """import json, os, sys, time
for line in sys.stdin:
    job = json.loads(line)
    time.sleep(3 if job["number"] == 1 else 0)
    print(json.dumps({"result": {"process": os.getpid()}}), flush=True)"""
    monkeypatch.setattr(workers, "COMMAND", (sys.executable, "-c", program))
    found = {n: content["process"] for n, content in run(folder, 2, *PROPERTIES, *PROPERTIES).items()}
    assert sorted(found) == [1, 2, 3, 4, 5, 6]
    assert {found[n] for n in range(2, 7)} == {found[2]} and found[1] != found[2]


def test_processes_end_with_us(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answers, the others would run for ever."""
    program = """import sys, time
if "limit" in input():
    print('{"result": {}}', flush=True)
time.sleep(1000)"""
    monkeypatch.setattr(workers, "COMMAND", (sys.executable, "-c", program))
    started = []
    inner = workers._start
    monkeypatch.setattr(workers, "_start", lambda *a: started.append(inner(*a)) or started[-1])
    request = demo_request(jobs=3)
    found = verify_all(jobs_of(*PROPERTIES), folder, folder.with_name("w"), request, QUIET)
    job, content = next(found)
    assert (job.number, content) == (1, {}) and len(started) == 3
    found.close()  # type: ignore[attr-defined]
    assert [running.process.returncode for running in started] == [-9, -9, -9]


def test_threads_are_shared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sys, json; input(); print(json.dumps({'refused': sys.argv[1]}))"
    monkeypatch.setattr(workers, "COMMAND", (sys.executable, "-c", program))
    with pytest.raises(BadInput) as caught:
        run(folder, 2, *PROPERTIES)
    said = json.loads(str(caught.value))
    assert said["limits"] == {"timeout": 60.0, "memory": 2**31, "threads": 1, "seed": 0}
    assert said["arithmetic"] is None and said["folder"] == str(folder)


def test_the_passphrase_stays_with_us(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import os, json; input(); print(json.dumps({'refused': str(sorted(os.environ))}))"
    monkeypatch.setattr(workers, "COMMAND", (sys.executable, "-c", program))
    monkeypatch.setenv("HYBRID_AI_PASSPHRASE", "secret")
    monkeypatch.setenv("HYBRID_AI_OTHER", "x")
    with pytest.raises(BadInput) as caught:
        run(folder, 2, *PROPERTIES)
    assert "HYBRID_AI_OTHER" in str(caught.value) and "PASSPHRASE" not in str(caught.value)
