"""The public models load, agree with ONNX Runtime and are fast."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from hybrid_ai.network import UnsupportedModel, load_model
from tests.unit.network.builder import check_agreement, stages

ACASXU = "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx"
MNIST = "mnist_fc/onnx/mnist-net_256x2.onnx"


@pytest.mark.parametrize("folder", ["acasxu/onnx", "mnist_fc/onnx", "tiny", "vdp/onnx"])
def test_agreement(data: Path, folder: str) -> None:
    files = sorted((data / folder).glob("*.onnx"))
    assert files
    for path in files:
        check_agreement(path.read_bytes(), points=1)


def test_acasxu(data: Path) -> None:
    loaded = load_model(data / ACASXU)
    assert stages(loaded) == [("relu", (k,), 50) for k in range(6)] + [("linear", (6,), 5)]
    assert (loaded.neuron_count, loaded.parameters) == (300, 13310)
    assert (loaded.input_shape, loaded.output_shape) == ((1, 1, 1, 5), (1, 5))


def test_mnist(data: Path) -> None:
    loaded = load_model(data / MNIST)
    assert stages(loaded) == [("relu", (0,), 256), ("relu", (1,), 256), ("linear", (2,), 10)]
    assert loaded.n_inputs == 784


def test_convolutions_are_named(data: Path) -> None:
    with pytest.raises(
        UnsupportedModel, match=r"operation 'Conv_0' \(Conv\): Conv is not supported"
    ) as caught:
        load_model(data / "verivital/Convnet_maxpool.onnx")
    assert (caught.value.op_type, caught.value.exit_code) == ("Conv", 20)


def best_of(function: object, repeats: int = 5) -> float:
    assert callable(function)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def test_speed(data: Path) -> None:
    from hybrid_ai.network import evaluate_exact

    assert best_of(lambda: load_model(data / ACASXU)) < 0.06
    assert best_of(lambda: load_model(data / MNIST), 2) < 1.0
    x = [Fraction(float(value)) for value in np.random.default_rng(0).uniform(-1, 1, 5)]
    staged = load_model(data / ACASXU).staged
    assert best_of(lambda: evaluate_exact(staged, x)) < 0.03
