"""The vectors of other processors give the same bounds: the compiler splits what this one lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

PROGRAM = """
import numpy as np
from hybrid_ai.bounds.backends import lanes

tile = lanes.Tile({tile})
lanes.host_tile = lambda: tile

from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.boxes import bound_boxes
from hybrid_ai.bounds.dense import METHODS, pack
from tests.soundness.random_networks import WEIGHTS, draw

rng = np.random.default_rng(5)
assert lanes.lane_count(np.float64) == tile.bytes // 8
for _ in range(8):
    staged = draw(rng, WEIGHTS["normal"], 6, 13, chain=True).staged
    lower = rng.normal(size=(19, staged.n_inputs))
    upper = lower + rng.uniform(0.01, 1.0, size=lower.shape)
    for method in METHODS:
        wanted = reference.bound_boxes(flatten(staged).net, lower, upper, method, False, True)
        for mine, theirs in zip(bound_boxes(pack(staged, "double"), lower, upper, method), wanted):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)
print("equal")
"""


@pytest.mark.slow
@pytest.mark.parametrize("tile", ["64, 5, 5", "16, 5, 4"])
def test_every_tile_gives_the_bounds_of_the_reference(tile: str, tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    program = [sys.executable, "-c", PROGRAM.format(tile=tile)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout) == (0, "equal\n"), done.stderr
