"""The families of networks: the same each time, read back as written, with claims that are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import families
from benchmarks.families import BOXES, FAMILIES, Family, box, evaluate, train, write_family
from hybrid_ai.network import load_model, run_onnxruntime
from hybrid_ai.pipeline.suite import read_suite
from hybrid_ai.spec import normal_form, read_vnnlib

STEPS = 5


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "SAMPLES", 500)
    monkeypatch.setattr(families, "EXAMPLES", 500)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_the_same_each_time(family: Family, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "other"):
        suite = write_family(family, tmp_path / name, STEPS)
        files = sorted(path for path in suite.parent.rglob("*") if path.is_file())
        texts.append([path.read_bytes() for path in files])
    assert texts[0] == texts[1] and len(texts[0]) == BOXES + 2


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_models_and_properties_are_read_back(family: Family, tmp_path: Path) -> None:
    suite = write_family(family, tmp_path, STEPS)
    layers = train(family, STEPS)
    instances = read_suite(suite, None)
    data = (suite.parent / instances[0].onnx).read_bytes()
    model = load_model(data)
    assert (model.n_inputs, model.n_outputs) == (len(family.inputs), len(family.outputs))
    for k, instance in enumerate(instances):
        prop = read_vnnlib(suite.parent / instance.vnnlib)
        (polytope,) = normal_form(prop).polytopes
        lower, upper = box(family, k)
        assert [float(value) for value in polytope.lower] == lower.tolist()
        assert [float(value) for value in polytope.upper] == upper.tolist()
        assert len(polytope.disjuncts) == (2 if k % 3 == 1 else 1)
        assert np.all(family.lower <= lower) and np.all(lower < upper) and np.all(upper <= family.upper)
    point = ((lower + upper) / 2).astype(np.float32)
    found, _ = run_onnxruntime(data, point, optimised=False)
    assert np.allclose(found, evaluate(layers, point[None].astype(float))[0], rtol=1e-3, atol=1e-3)


def test_training_learns() -> None:
    family = FAMILIES[0]
    points = np.random.default_rng(1).uniform(family.lower, family.upper, (2000, 2))
    truth = family.simulate(points)
    errors = [
        np.mean(((evaluate(train(family, n), points) - truth) / truth.std(axis=0)) ** 2) for n in (1, 80)
    ]
    assert errors[1] < 0.5 * errors[0]
