"""The suite for a machine with a graphics card: without one it says so and ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gpu_suite
from benchmarks.gpu_peers import measure_auto_lirpa
from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.boxes import bound_boxes
from hybrid_ai.bounds.dense import pack
from tests.architecture.sources import ROOT


def test_without_a_card_the_suite_says_so(tmp_path: Path) -> None:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "benchmarks/gpu_suite.py", "-o", str(tmp_path / "x.json")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2, done
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("gpu_suite: no usable CUDA device: ") and "cuda12" in lines[-1]
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("precision", gpu_suite.PRECISIONS)
def test_the_bar_of_agreement_is_met_by_the_processor(precision: gpu_suite.Precision) -> None:
    """Its charges are the device's or a little less: so the bar is one that a right kernel meets."""
    staged = gpu_suite.random_chain(np.random.default_rng(0), gpu_suite.ACAS_XU[1])
    lower, upper = gpu_suite.random_boxes(np.random.default_rng(1), staged.n_inputs, 3)
    found = np.stack(bound_boxes(pack(staged, precision), lower, upper))
    wanted = np.stack(reference.bound_boxes(flatten(staged).net, lower, upper, "crown", False, True))
    assert gpu_suite.difference(found, wanted) <= gpu_suite.SLACK[precision] / 2.0


def test_a_missing_peer_is_told() -> None:
    staged = gpu_suite.random_chain(np.random.default_rng(0), (1, 1))
    found = measure_auto_lirpa(staged, np.zeros((1, 1)), np.ones((1, 1)))
    assert found["measured"] is False and found["why"]
