"""Counterexamples: what ONNX Runtime makes of the point, and the file that the checker evaluates again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ai.network import RuntimeFailure, RuntimeOptions, run_onnxruntime
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.inputs import Inputs
from hybrid_ai.pipeline.result import Counterexample, RuntimeRun
from hybrid_ai.spec import (
    FLOAT32_LIMIT,
    And,
    Atom,
    Formula,
    Or,
    Property,
    nearest_float32,
    to_vnnlib,
    violated,
)

FORMAT = "hybrid-ai-counterexample"
VERSION = 1


def exact_text(value: Fraction) -> str:
    """A number as text that is exactly it: a short decimal, all digits of a double, or a quotient."""
    try:
        near = float(value)
    except OverflowError:
        return str(value)
    if Fraction(repr(near)) == value:
        return repr(near)
    return str(Decimal(near)) if Fraction(near) == value else str(value)


def rounded(x: Sequence[Fraction]) -> NDArray[np.float32] | None:
    """The float32 nearest to each coordinate, None where one is beyond the largest float32."""
    if any(abs(value) >= FLOAT32_LIMIT for value in x):
        return None
    return np.array([float(nearest_float32(value)) for value in x], dtype=np.float32)


def violates_float32(
    prop: Property, x: Sequence[Fraction], point: NDArray[Any], outputs: NDArray[Any]
) -> bool:
    """Tell whether computed outputs at a rounded point violate: atoms of inputs alone are judged at x itself.

    Args:
        prop: the property.
        x: the point of the input set, (n_inputs,).
        point: its rounding, float32, (n_inputs,).
        outputs: what was computed there, (n_outputs,).
    """
    return bool(np.isfinite(outputs).all()) and _computed_atoms(prop, x, point, outputs) is not None


def _computed_atoms(
    prop: Property, x: Sequence[Fraction], point: NDArray[Any], outputs: NDArray[Any]
) -> list[Atom] | None:
    """The first atoms that make computed outputs unsafe, or None; arguments as in `violates_float32`."""
    inputs = [Fraction(value) for value in point.tolist()]
    computed = [Fraction(value) for value in outputs.tolist()]

    def satisfied(formula: Formula) -> list[Atom] | None:
        if isinstance(formula, Atom):
            return [formula] if formula.holds(inputs if formula.outputs else x, computed) else None
        found = [satisfied(child) for child in formula.children]
        if isinstance(formula, Or):
            return next((atoms for atoms in found if atoms is not None), None)
        if None in found:
            return None
        return [atom for atoms in found if atoms is not None for atom in atoms]

    return satisfied(prop.unsafe if prop.certain is None else prop.certain)


def computed(
    inputs: Inputs, point: NDArray[np.float32], *, optimised: bool
) -> tuple[NDArray[Any], RuntimeOptions]:
    """Outputs of ONNX Runtime at a point, of each instance of the network in turn, and the options used.

    Raises:
        RuntimeFailure: ONNX Runtime refuses the model or the point.
    """
    runs = [
        run_onnxruntime(inputs.model.data, part, optimised=optimised)
        for part in np.split(point, inputs.property.instances)
    ]
    return np.concatenate([outputs for outputs, _ in runs]), runs[0][1]


def float32_violation(inputs: Inputs, x: tuple[Fraction, ...]) -> tuple[Fraction, ...] | None:
    """The point at which ONNX Runtime violates: `x` itself, or its rounding where the property ranges over
    float32 values; None where it does not.
    """
    point = rounded(x)
    if point is None:
        return None
    near = tuple(Fraction(value) for value in point.tolist()) if inputs.property.element == "float32" else x
    try:
        outputs, _ = computed(inputs, point, optimised=False)
    except RuntimeFailure:
        return None
    return near if violates_float32(inputs.property, near, point, outputs) else None


def describe(inputs: Inputs, x: tuple[Fraction, ...], outputs: tuple[Fraction, ...]) -> Counterexample:
    """Describe a point that violates in some arithmetic, with a run of ONNX Runtime (one thread, no
    optimisation).
    """
    atoms = violated(inputs.property, x, outputs)
    # A query over float32 values asks nothing about reals.
    exactly = atoms is not None and inputs.property.element != "float32"
    values: tuple[float | str, ...] | None = None
    violates: bool | None = None
    point = rounded(x)
    if point is None:
        run = RuntimeRun(None, None, None, None, "the point is beyond the largest float32")
    else:
        try:
            found, options = computed(inputs, point, optimised=False)
        except RuntimeFailure as error:
            run = RuntimeRun(None, None, None, None, str(error))
        else:
            level = options.graph_optimization
            run = RuntimeRun(options.version, options.provider, level, options.threads, None)
            values = tuple(_json_number(value) for value in found.tolist())
            violates = violates_float32(inputs.property, x, point, found)
            if atoms is None and violates:
                atoms = _computed_atoms(inputs.property, x, point, found)
    return Counterexample(
        x=tuple(exact_text(value) for value in x),
        outputs={"real": tuple(_json_number(_nearest(value)) for value in outputs), "float32": values},
        violates={"real": exactly, "float32": violates},
        atom=_atoms_text(inputs.property, atoms or []),
        runtime=run,
        file=None,
    )


def evidence(inputs: Inputs, found: Counterexample) -> bytes:
    """The counterexample as a file, in the format that the checker reads."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model_sha256": inputs.model.sha256,
        "property_sha256": inputs.sha256,
        # Informative for float32: the checker evaluates `real` alone.
        "arithmetic": {"real": found.violates["real"] is True, "float32": found.violates["float32"] is True},
        "x": found.x,
        "outputs": found.outputs,
        "atom": found.atom,
        "runtime": {
            "version": found.runtime.version,
            "provider": found.runtime.provider,
            "graph_optimization": found.runtime.graph_optimization,
            "threads": found.runtime.threads,
            "error": found.runtime.error,
        },
    }
    return json.dumps(content, indent=1, allow_nan=False).encode() + b"\n"


def exact_point(found: Counterexample) -> tuple[Fraction, ...]:
    """The point as numbers.

    Raises:
        BadInput: a coordinate is no number.
    """
    try:
        return tuple(Fraction(text) for text in found.x)
    except (ValueError, ZeroDivisionError) as error:
        raise BadInput(f"a coordinate of the counterexample is no number: {error}") from error


def _nearest(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _atoms_text(prop: Property, atoms: Sequence[Atom]) -> str:
    """The atoms with outputs, or all where none has, as VNN-LIB text."""
    shown = [atom for atom in atoms if atom.outputs] or list(atoms)
    text = to_vnnlib(Property(prop.n_inputs, prop.n_outputs, And(tuple(shown))))
    prefix = "(assert "
    lines = [line.removeprefix(prefix)[:-1] for line in text.splitlines() if line.startswith(prefix)]
    return " and ".join(lines)
