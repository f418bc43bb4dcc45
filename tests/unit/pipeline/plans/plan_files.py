"""The files that the good plan names, and what is wrong with a plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hybrid_ai.pipeline.plans.defects import Defect, PlanError
from hybrid_ai.pipeline.plans.reading import read_plan
from tests.end_to_end.problems import write_network, write_property
from tests.unit.pipeline.plans.plan_texts import SAMPLES


def write_files(folder: Path) -> Path:
    """Write everything that the plan names; return the folder."""
    generator = np.random.default_rng(5)
    (folder / "models").mkdir()
    for path in ("first.onnx", "models/second.onnx"):
        layers = [
            (generator.normal(size=(4, 3)), generator.normal(size=4)),
            (generator.normal(size=(2, 4)), generator.normal(size=2)),
        ]
        write_network(folder / path, layers)
    write_property(folder / "p.vnnlib", ["(>= X_0 0)", "(>= Y_0 1000)"], 3, 2)
    (folder / "samples.csv").write_text(SAMPLES)
    return folder


def defects_of(plan: Path) -> list[Defect]:
    """What is wrong with a plan, nothing where it can be read."""
    try:
        read_plan(plan)
    except PlanError as error:
        return list(error.defects)
    return []
