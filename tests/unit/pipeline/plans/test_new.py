"""Plans written from models: they can be read as they are, and say what the models are."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import hybrid_ai
from hybrid_ai.pipeline.errors import BadInput, UnsupportedInput
from hybrid_ai.pipeline.plans.model import Plan
from hybrid_ai.pipeline.plans.new import write_new_plan
from hybrid_ai.pipeline.plans.reading import read_plan
from tests.end_to_end.problems import write_identity, write_network

BRAKING = Path(hybrid_ai.__file__).parent / "demo" / "braking.onnx"


def write_wide(path: Path, read: str, given: str, inputs: int = 40, outputs: int = 3) -> Path:
    """One layer between tensors of these names."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])
        for name, size in ((read, inputs), (given, outputs))
    ]
    weights = numpy_helper.from_array(np.ones((inputs, outputs), np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMul", [read, "weights"], [given])], "wide", [ends[0]], [ends[1]], [weights]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def new(folder: Path, *models: Path) -> Plan:
    write_new_plan(models, folder / "plan.toml")
    return read_plan(folder / "plan.toml")


def test_the_shipped_model(tmp_path: Path) -> None:
    plan = new(tmp_path, BRAKING)
    (model,) = plan.models
    assert (model.id, model.file.resolve()) == ("braking", BRAKING)
    assert [each.name for each in model.tensors.inputs] == [f"X_{index}" for index in range(5)]
    assert [each.name for each in plan.odd.inputs] == [f"X_{index}" for index in range(5)]
    assert [each.name for each in model.tensors.outputs] == ["Y_0"]
    (requirement,) = plan.requirements
    assert requirement.text.startswith("EXAMPLE, to be replaced")
    text = (tmp_path / "plan.toml").read_text()
    assert model.sha256 in text
    assert text.count("# FILL IN") == 2 + 2 * 5


@pytest.mark.parametrize(
    ("read", "given", "outputs", "names"),
    [
        ("images:0", "logits", 3, ("images_0", "Y")),
        ("1.pixel", "2", 3, ("pixel", "Y")),
        ("X", "y", 3, ("input", "Y")),
        ("Y_2", "y", 3, ("input", "Y")),
        ("7", "8", 40, ("input", "output")),
        ("max", "or", 40, ("input", "output")),
        ("t_1", "t", 50, ("X", "Y")),
        ("t", "t:1", 50, ("X", "Y")),
        ("n" * 100, "out", 40, ("n" * 50, "out")),
    ],
)
def test_many_inputs_are_described_together(
    tmp_path: Path, read: str, given: str, outputs: int, names: tuple[str, str]
) -> None:
    plan = new(tmp_path, write_wide(tmp_path / "wide.onnx", read, given, 40, outputs))
    (model,) = plan.models
    assert (model.tensors.inputs[39].name, model.tensors.outputs[2].name) == (
        f"{names[0]}_39",
        f"{names[1]}_2",
    )
    assert len(plan.odd.inputs) == 40
    data = tomllib.loads((tmp_path / "plan.toml").read_text())
    assert [each["name"] for each in data["odd"]["input"]] == [names[0]]
    assert data["model"][0]["inputs"] == [{"name": names[0], "unit": "1", "count": 40}]


def test_several_models(tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    paths = [
        write_identity(tmp_path / "nets" / "a b.v2.onnx"),
        write_identity(tmp_path / "nets" / "A-b.onnx"),
        write_wide(tmp_path / "nets" / "_.onnx", "X", "Y"),
    ]
    plan = new(tmp_path, *paths)
    assert [model.id for model in plan.models] == ["a-b", "A-b-2", "model"]
    assert [model.path for model in plan.models] == ["nets/a b.v2.onnx", "nets/A-b.onnx", "nets/_.onnx"]
    assert plan.models[1].tensors is plan.models[0].tensors
    assert len(plan.odd.inputs) == 2 + 40
    assert [(each.id, each.models) for each in plan.requirements] == [("example", ("a-b", "A-b-2", "model"))]


def test_models_alike(tmp_path: Path) -> None:
    paths = [write_identity(tmp_path / "a.onnx"), write_identity(tmp_path / "b.onnx", weight=2.0)]
    plan = new(tmp_path, *paths)
    assert plan.requirements[0].models == ("a", "b")
    assert plan.verification_count() == 2


def test_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("plans", "nets", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere" / "link").symlink_to(tmp_path / "plans", target_is_directory=True)
    write_identity(tmp_path / "nets" / 'q"\\.onnx')
    monkeypatch.chdir(tmp_path / "elsewhere")
    write_new_plan([Path('../nets/q"\\.onnx')], Path("link/plan.toml"))
    assert read_plan(tmp_path / "plans" / "plan.toml").models[0].path == '../nets/q"\\.onnx'
    assert read_plan(Path("link/plan.toml")).models[0].id == "q-"


def test_the_example_is_harmless(tmp_path: Path) -> None:
    plan = new(tmp_path, write_network(tmp_path / "m.onnx", [(np.ones((2, 2)), np.zeros(2))]))
    assert plan.requirements[0].require is not None
    assert plan.requirements[0].require.text == "-1e30 <= Y_0 <= 1e30"
    assert plan.requirements[0].where is None


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for output in (tmp_path / "plan.toml", tmp_path / "dangling", tmp_path):
        with pytest.raises(BadInput, match="is there already, and is not overwritten: name another file"):
            write_new_plan([BRAKING], output)
    assert (tmp_path / "plan.toml").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_nothing_is_written_for_a_model_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(BadInput, match=r"bad\.onnx"):
        write_new_plan([BRAKING, tmp_path / "bad.onnx"], tmp_path / "plan.toml")
    with pytest.raises(UnsupportedInput, match="unsupported Tanh"):
        write_new_plan([write_identity(tmp_path / "t.onnx", last="Tanh")], tmp_path / "plan.toml")
    write_identity(tmp_path / "line\nend.onnx")
    with pytest.raises(BadInput, match="a plan cannot hold this path: rename"):
        write_new_plan([tmp_path / "line\nend.onnx"], tmp_path / "plan.toml")
    assert not (tmp_path / "plan.toml").exists()
