"""Where a model comes from: paths, bytes, gzip; and ONNX Runtime's options."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hybrid_ai.network import ModelError, RuntimeFailure, load_model, run_onnxruntime
from tests.unit.network.builder import DOUBLE, model, node, weights

DATA = model([node("Gemm", "x w", "z"), node("Relu", "z")], {"w": weights(4, 3)}, x=("batch", 4))


def test_path_bytes_and_gzip_give_the_same_network(tmp_path: Path) -> None:
    packed = gzip.compress(DATA, mtime=0)
    (tmp_path / "a.onnx").write_bytes(DATA)
    (tmp_path / "a.onnx.gz").write_bytes(packed)
    plain, zipped = load_model(tmp_path / "a.onnx"), load_model(str(tmp_path / "a.onnx.gz"))
    assert plain.sha256 == load_model(DATA).sha256 == hashlib.sha256(DATA).hexdigest()
    assert zipped.sha256 == hashlib.sha256(packed).hexdigest()
    assert (plain.data, zipped.data) == (DATA, packed)
    assert np.array_equal(plain.staged.stages[0].blocks[0].weights, zipped.staged.stages[0].blocks[0].weights)
    x = np.ones(4, np.float32)
    same = [run_onnxruntime(loaded.data, x, optimised=False)[0].tolist() for loaded in (plain, zipped)]
    assert same[0] == same[1]


@pytest.mark.parametrize(
    ("content", "name", "phrase"),
    [
        (gzip.compress(DATA, mtime=0)[:40], "a.onnx.gz", "damaged gzip"),
        (gzip.compress(DATA, mtime=0)[:-6] + b"123456", "a.onnx.gz", "damaged gzip"),
        (DATA, "a.onnx.gz", "is no gzip file"),
        (None, "a.onnx", "cannot be read"),
        (b"", "a.onnx", "no graph"),
    ],
)
def test_unreadable_files(tmp_path: Path, content: bytes | None, name: str, phrase: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=phrase) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path)


def test_a_name_with_a_null_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_model("a\0b.onnx")


def test_runtime_options_are_recorded() -> None:
    x = np.ones(4, np.float32)
    _, strict = run_onnxruntime(DATA, x, optimised=False)
    _, default = run_onnxruntime(DATA, x, optimised=True)
    assert (strict.graph_optimization, strict.threads) == ("ORT_DISABLE_ALL", 1)
    assert (default.graph_optimization, default.threads) == ("ORT_ENABLE_ALL", 0)
    assert strict.provider == default.provider == "CPUExecutionProvider"


def test_runtime_refusals_are_typed() -> None:
    with pytest.raises(RuntimeFailure, match="4 elements"):
        run_onnxruntime(DATA, np.ones(3, np.float32), optimised=False)
    with pytest.raises(RuntimeFailure, match="not exactly"):
        run_onnxruntime(DATA, np.full(4, 0.1), optimised=False)
    with pytest.raises(RuntimeFailure, match="cannot run it"):
        run_onnxruntime(b"no model", np.ones(4, np.float32), optimised=False)


def test_runtime_takes_doubles() -> None:
    data = model([node("Neg", "x")], element=DOUBLE)
    outputs, _ = run_onnxruntime(data, np.full(4, 0.1), optimised=False)
    assert outputs.tolist() == [-0.1] * 4


def test_importing_the_package_loads_neither_onnx_nor_onnxruntime() -> None:
    code = "import sys, hybrid_ai.network; print({'onnx', 'onnxruntime'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
