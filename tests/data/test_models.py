"""The shipped and the generated models are valid and small, and agree with their scripts and properties."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from benchmarks import train_demo
from tests.data import make_models

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "src" / "hybrid_ai" / "demo"
MODELS = ROOT / "tests" / "data" / "models"
ALL_MODELS = sorted([*DEMO.glob("*.onnx"), *MODELS.glob("*.onnx")])
ALL_PROPERTIES = sorted([*DEMO.glob("*.vnnlib"), *MODELS.glob("*.vnnlib")])


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])


def demo_layers() -> train_demo.Layers:
    constants = {
        tensor.name: numpy_helper.to_array(tensor).astype(np.float64)
        for tensor in onnx.load(DEMO / "braking.onnx").graph.initializer
    }
    return [(constants[f"weights_{k}"], constants[f"bias_{k}"]) for k in (1, 2, 3)]


def test_all_models_are_found() -> None:
    names = {path.stem for path in ALL_MODELS}
    assert names == {"braking", "branches", "leaky_clip", "residual"}


@pytest.mark.parametrize("path", ALL_MODELS, ids=lambda path: path.stem)
def test_model_is_valid_and_runs(path: Path) -> None:
    assert path.stat().st_size < 100_000
    onnx.checker.check_model(onnx.load(path), full_check=True)
    runtime = session(path)
    (argument,) = runtime.get_inputs()
    (output,) = runtime.run(None, {argument.name: np.zeros(argument.shape, np.float32)})
    assert output.shape == tuple(runtime.get_outputs()[0].shape)
    assert np.isfinite(output).all()


@pytest.mark.parametrize("path", ALL_PROPERTIES, ids=lambda path: path.stem)
def test_property_declares_the_variables_of_its_model(path: Path) -> None:
    model = max((m for m in ALL_MODELS if path.stem.startswith(m.stem)), key=lambda m: len(m.stem))
    runtime = session(model)
    declared = re.findall(r"^\(declare-const (\w+) Real\)", path.read_text(encoding="utf-8"), re.MULTILINE)
    inputs, outputs = runtime.get_inputs()[0].shape[1], runtime.get_outputs()[0].shape[1]
    assert declared == [f"X_{i}" for i in range(inputs)] + [f"Y_{i}" for i in range(outputs)]


def test_demo_model_agrees_with_its_script() -> None:
    points = train_demo.sample(train_demo.WHOLE, 1, 0.0)[:200]
    runtime = session(DEMO / "braking.onnx")
    outputs = [runtime.run(None, {"X": point[None].astype(np.float32)})[0].item() for point in points]
    np.testing.assert_allclose(outputs, train_demo.evaluate(demo_layers(), points), atol=0.01)


def test_demo_model_is_close_to_the_physics() -> None:
    points = train_demo.sample(train_demo.WHOLE, 2, 0.0)[:20_000]
    error = train_demo.evaluate(demo_layers(), points) - train_demo.stopping_distance(points)
    assert np.sqrt(np.mean(error**2)) < 5.0


def test_stopping_distance_without_air_is_the_textbook_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_demo, "AIR_DENSITY", 0.0)
    speed = 120.0 * train_demo.KNOT
    (distance,) = train_demo.stopping_distance(np.array([[120.0, 60.0, 10.0, 1.0, 0.3]]))
    assert distance == pytest.approx(speed**2 / (2 * train_demo.GRAVITY * 0.31), rel=1e-12)


def test_demo_properties_are_those_of_the_shipped_model() -> None:
    """The texts, limits included, come out of the script again (margins absorb the last digit of a sum)."""
    for name, text in train_demo.requirements(demo_layers(), seed=20).items():
        assert (DEMO / f"{name}.vnnlib").read_text(encoding="utf-8") == text


def test_short_runway_is_violated_where_its_comment_says() -> None:
    text = (DEMO / "braking_short_runway.vnnlib").read_text(encoding="utf-8")
    found = re.search(r"X = (.*), has", text)
    limit = re.search(r"\(assert \(>= Y_0 ([\d.]+)\)\)", text)
    assert found is not None
    assert limit is not None
    point = np.array([[float(value) for value in found[1].split(", ")]], np.float32)
    (output,) = session(DEMO / "braking.onnx").run(None, {"X": point})
    assert output.item() > float(limit[1]) * 1.05


def test_training_script_runs_and_is_deterministic(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        layers = train_demo.train(steps=300, seed=5)
        (tmp_path / folder).write_bytes(train_demo.to_onnx(layers).SerializeToString(deterministic=True))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_training_script_writes_what_is_shipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_demo.main(["-o", str(tmp_path), "--steps", "300"])
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {path.name for path in DEMO.iterdir() if path.is_file()} - {"braking.toml"}
    assert "RMS" in capsys.readouterr().out


def test_generated_models_are_those_in_the_repository(tmp_path: Path) -> None:
    make_models.main(["-o", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in MODELS.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (MODELS / path.name).read_bytes(), path.name
