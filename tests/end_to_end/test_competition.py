"""The competition's three scripts and its results file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.end_to_end.command import FAILS, HOLDS, ROOT, Command
from tests.end_to_end.problems import box, write_endless, write_identity, write_property, write_tenth

SCRIPTS = ROOT / "benchmarks" / "vnncomp"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Names a command that runs this checkout."""
    path = tmp_path / "hybrid-ai"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hybrid_ai.cli.main "$@"\n')
    path.chmod(0o755)
    return {**os.environ, "HYBRID_AI": str(path)}


def test_run_instance(environment: dict[str, str], tmp_path: Path) -> None:
    results = tmp_path / "results"
    for files, expected in ((HOLDS, "unsat\n"), (FAILS, "sat\n")):
        done = subprocess.run(
            [SCRIPTS / "run_instance.sh", "v1", "test", *files, results, "60"],
            env=environment,
            capture_output=True,
        )
        assert done.returncode == 0, done
        assert results.read_text().startswith(expected)


def test_run_instance_hands_sigterm_on(environment: dict[str, str], tmp_path: Path) -> None:
    results = tmp_path / "results"
    command = [SCRIPTS / "run_instance.sh", "v1", "test", *write_endless(tmp_path), results, "100"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert results.read_text() == "timeout\n"


@pytest.mark.parametrize("script", ["install_tool.sh", "prepare_instance.sh", "run_instance.sh"])
def test_other_versions_are_refused(script: str) -> None:
    done = subprocess.run([SCRIPTS / script, "v2", "a", "b", "c", "d", "1"], capture_output=True)
    assert done.returncode == 1
    assert b"v2" in done.stderr


def test_prepare_instance(tmp_path: Path) -> None:
    script = SCRIPTS / "prepare_instance.sh"
    assert subprocess.run([script, "v1", "test", *HOLDS]).returncode == 0
    assert subprocess.run([script, "v1", "test", HOLDS[0], tmp_path], capture_output=True).returncode == 1


def parse_point(text: str) -> tuple[np.ndarray, np.ndarray]:
    assert re.fullmatch(r"sat\n\((\([XY]_\d+ [^\s()]+\)\s*)+\)\n", text)
    values: dict[str, list[float]] = {"X": [], "Y": []}
    for letter, index, value in re.findall(r"\(([XY])_(\d+) ([^\s()]+)\)", text):
        assert int(index) == len(values[letter])
        values[letter].append(float(value))
    return np.array(values["X"]), np.array(values["Y"])


def test_sat_is_a_point_that_onnx_runtime_reproduces(command: Command, tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert command("verify", *FAILS, "--results-file", results).code == 10
    x, y = parse_point(results.read_text())
    single = x.astype(np.float32)
    session = onnxruntime.InferenceSession(FAILS[0])
    (given,) = session.get_inputs()
    (output,) = session.run(None, {given.name: single.reshape(given.shape)})
    assert np.array_equal(np.asarray(output).ravel(), y.astype(np.float32))
    assert y[0] >= 1206


def test_a_point_that_only_real_arithmetic_refutes_is_unknown(command: Command, tmp_path: Path) -> None:
    assert command("verify", *write_tenth(tmp_path), "--results-file", tmp_path / "r").code == 10
    assert (tmp_path / "r").read_text() == "unknown\n"


@pytest.mark.parametrize(
    ("asserts", "code", "text"),
    [
        ([*box(0, 1), "(>= X_0 2)", "(>= Y_0 3)"], 0, "unsat\n"),
        (["(>= X_0 0)", "(>= Y_0 3)"], 20, "unknown\n"),
        ([*box(0, 1), "(>= Y_7 3)"], 2, "error\n"),
    ],
)
def test_other_results(command: Command, tmp_path: Path, asserts: list[str], code: int, text: str) -> None:
    files = write_identity(tmp_path / "m.onnx"), write_property(tmp_path / "p.vnnlib", asserts)
    assert command("verify", *files, "--results-file", tmp_path / "r").code == code
    assert (tmp_path / "r").read_text() == text


def test_timeout(command: Command, tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert command("verify", *write_endless(tmp_path), "--timeout", 1, "--results-file", results).code == 20
    assert results.read_text() == "timeout\n"
