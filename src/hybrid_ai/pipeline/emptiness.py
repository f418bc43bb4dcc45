"""Tell whether a property's input set is empty, exactly, and which lines contradict each other."""

from __future__ import annotations

from fractions import Fraction
from time import monotonic
from typing import Any

from hybrid_ai.spec import EmptyBox, InputPolytope, NormalForm


def contradiction(form: NormalForm, deadline: float) -> str | None:
    """Say why the input set is empty; None when it is not, or when that could not be decided in time.

    Args:
        form: the property's normal form.
        deadline: `time.monotonic` value until which to look at linear input constraints.

    Sound because: a None costs nothing: the checker says of an accepted certificate whether it is vacuous.
    What is said to be empty has no point (docs/theory/property-normal-form.md).
    """
    if any(not polytope.constraints for polytope in form.polytopes):
        return None
    reasons = [_box_reason(box) for box in form.empty]
    for polytope in form.polytopes:
        reason = _constraint_reason(polytope, deadline)
        if reason is None:
            return None
        reasons.append(reason)
    if not reasons:
        return "a comparison without variables is false, so that nothing can satisfy the asserts"
    more = f" (and {len(reasons) - 1} more parts of it are empty)" if len(reasons) > 1 else ""
    return reasons[0] + more


def _box_reason(box: EmptyBox) -> str:
    lower = f"X_{box.axis} >= {_shown(box.lower)}{_line(box.lower_line)}"
    return f"{lower} contradicts X_{box.axis} <= {_shown(box.upper)}{_line(box.upper_line)}"


def _line(line: int | None) -> str:
    return "" if line is None else f" (line {line})"


def _shown(value: Fraction) -> str:
    return f"{float(value):g}" if abs(value) < 2**1000 else str(value)


def _constraint_reason(polytope: InputPolytope, deadline: float) -> str | None:
    """Which input constraints of a polytope contradict each other or its box; None also when it is late."""
    import z3

    solver = z3.SolverFor("QF_LRA")
    used = sorted({axis for atom in polytope.constraints for axis, _ in atom.inputs})
    variables = {axis: z3.Real(f"X_{axis}") for axis in used}
    for axis in used:
        solver.assert_and_track(variables[axis] >= _value(polytope.lower[axis]), f"bounds of X_{axis}, lower")
        solver.assert_and_track(variables[axis] <= _value(polytope.upper[axis]), f"bounds of X_{axis}, upper")
    names = {}
    for number, atom in enumerate(polytope.constraints):
        if monotonic() > deadline:  # stating thousands of terms takes its part of the time
            return None
        total = _value(atom.constant)
        for axis, coefficient in atom.inputs:
            total = total + _value(coefficient) * variables[axis]
        names[f"constraint {number}"] = atom.line
        solver.assert_and_track(total < 0 if atom.strict else total <= 0, f"constraint {number}")
    left = int((deadline - monotonic()) * 1000)
    if left < 1:
        return None
    solver.set("timeout", left)
    if solver.check() != z3.unsat:
        return None
    core = {str(name) for name in solver.unsat_core()}
    lines = sorted({line for name, line in names.items() if name in core and line is not None})
    axes = [f"X_{axis}" for axis in used if any(name.startswith(f"bounds of X_{axis},") for name in core)]
    where = f"in line {', '.join(map(str, lines))}" if lines else "of the inputs"
    with_bounds = f" and the bounds of {', '.join(axes)}" if axes else ""
    return f"the linear constraints {where}{with_bounds} contradict each other"


def _value(number: Fraction) -> Any:  # z3 has no types
    import z3

    return z3.RealVal(str(number))
