"""The result file of the neural network verification competition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ai.network import RuntimeFailure
from hybrid_ai.pipeline.counterexample import computed, exact_point, rounded, violates_float32
from hybrid_ai.pipeline.errors import Terminated
from hybrid_ai.pipeline.files import write_atomically
from hybrid_ai.pipeline.inputs import Inputs, ModelSource, PropertySource, read_inputs
from hybrid_ai.pipeline.result import CHECK_TIMED_OUT, TIMEOUT, Result
from hybrid_ai.spec import InputPolytope


def recorded(path: Path, verified: Callable[[], Result], model: ModelSource, prop: PropertySource) -> Result:
    """Run a verification and write how it ended to a results file, also when it fails or is to end (SIGTERM).

    Args:
        path: the results file: `unsat`, `sat` with the point, `unknown`, `timeout` or `error`.
        verified: runs the verification.
        model: what it verifies.
        prop: likewise.
    """
    try:
        result = verified()
        text = _text(result, model, prop)
    except (Terminated, KeyboardInterrupt):
        write_atomically(path, b"timeout\n")
        raise
    except Exception:
        write_atomically(path, b"error\n")
        raise
    write_atomically(path, text.encode())
    return result


def _text(result: Result, model: ModelSource, prop: PropertySource) -> str:
    if result.verdict == "proved":
        return "unsat\n"
    if result.failed:
        return "error\n"
    if result.counterexample is not None:
        return _point_text(read_inputs(model, prop), exact_point(result.counterexample)) or "unknown\n"
    reason = result.reason or ""
    return "timeout\n" if reason.startswith(TIMEOUT) or reason == CHECK_TIMED_OUT else "unknown\n"


def _point_text(inputs: Inputs, x: Sequence[Fraction]) -> str | None:
    """`sat` with a float32 point that violates in ONNX Runtime with default options, None where none does."""
    for point in _candidates(inputs, x):
        try:
            outputs, _ = computed(inputs, point, optimised=True)
        except RuntimeFailure:
            continue  # the point is then no witness: the verdict of the file is `unknown`
        if violates_float32(inputs.property, x, point, outputs):
            values = [(f"X_{axis}", value) for axis, value in enumerate(point)]
            values += [(f"Y_{axis}", value) for axis, value in enumerate(outputs)]
            # repr of a float32 or float64 is the shortest decimal that reads back to it.
            return "sat\n(" + "\n ".join(f"({name} {_shortest(value)})" for name, value in values) + ")\n"
    return None


def _shortest(value: Any) -> str:
    return np.format_float_scientific(value, trim="0") if value else "0.0"


def _candidates(inputs: Inputs, x: Sequence[Fraction]) -> Iterator[NDArray[np.float32]]:
    """The rounded point, first moved into the exact box where one float32 step does that."""
    point = rounded(x)
    if point is None:
        return
    for polytope in inputs.form.polytopes:
        box = zip(polytope.lower, x, polytope.upper, strict=True)
        if all(low <= value <= high for low, value, high in box):
            inside = _inside(point, polytope)
            if not np.array_equal(inside, point):
                yield inside
            break
    yield point


def _inside(point: NDArray[np.float32], polytope: InputPolytope) -> NDArray[np.float32]:
    moved = point.copy()
    for axis, (low, high) in enumerate(zip(polytope.lower, polytope.upper, strict=True)):
        value = Fraction(float(point[axis]))
        if low <= value <= high:
            continue
        step = np.nextafter(point[axis], np.float32(np.inf if value < low else -np.inf))
        if np.isfinite(step) and low <= Fraction(float(step)) <= high:
            moved[axis] = step
    return moved
