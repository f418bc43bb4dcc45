"""Our search by itself, in this process: CPU seconds without starting Python, loading kernels or checking."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import hybrid_ai
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.inputs import read_inputs, read_model
from hybrid_ai.pipeline.limits import DEFAULT_MEMORY
from hybrid_ai.pipeline.verify import Arithmetic

VERDICTS = {"Claimed": "claimed", "Refuted": "refuted", "Unknown": "unknown"}
DEMO = Path(hybrid_ai.__file__).parent / "demo"


def warm_up() -> None:
    """Compile the kernels where that is to be done, and load them into this process.

    Raises:
        BadInput: the compiled kernels cannot be kept.
    """
    from hybrid_ai.search.warm_up import main as compile_kernels
    from hybrid_ai.search.warm_up import warm_up as load_kernels

    try:
        compile_kernels()
        load_kernels()
    except OSError as error:
        raise BadInput(f"kernels cannot be compiled: {error}: set NUMBA_CACHE_DIR to a folder") from error
    for name in ("braking_envelope", "braking_short_runway"):
        search_once(DEMO / "braking.onnx", DEMO / f"{name}.vnnlib", 60.0, 1, "real")


def search_once(
    model: Path, prop: Path, seconds: float, threads: int, arithmetic: Arithmetic
) -> dict[str, Any]:
    """Read both files and search once.

    Args:
        model: ONNX file.
        prop: VNN-LIB file.
        seconds: time limit of the search.
        threads: of the search.
        arithmetic: of the verdict.

    Returns:
        `verdict` (claimed, refuted, unknown: nothing is checked here), `boxes`, and `cpu_reading`,
        `cpu_searching`: CPU seconds of all threads of this process.

    Raises:
        BadInput, UnsupportedInput: as `verify`.
    """
    from hybrid_ai.pipeline.counterexample import float32_violation
    from hybrid_ai.search import Budget, run_search

    began = time.process_time()
    inputs = read_inputs(model, prop, read_model)
    read = time.process_time()
    outcome = run_search(
        inputs.model,
        inputs.property,
        inputs.sha256,
        budget=Budget(time.monotonic() + seconds, DEFAULT_MEMORY, threads),
        arithmetic=arithmetic,
        runtime=partial(float32_violation, inputs),
    )
    found = time.process_time()
    return {
        "verdict": VERDICTS[type(outcome).__name__],
        "boxes": outcome.effort.bounded,
        "cpu_reading": read - began,
        "cpu_searching": found - read,
    }
