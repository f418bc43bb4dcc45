"""Whether the domain of a requirement has any point, exactly, strict bounds included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hybrid_ai import rules
from hybrid_ai.pipeline.plans.defects import Findings
from hybrid_ai.pipeline.plans.model import Plan

MILLISECONDS = 5000


def check_domains(plan: Plan, findings: Findings) -> None:
    """Note requirements about no input at all: they would hold, and say nothing.

    Args:
        plan: as it was read.
        findings: receives what is wrong.
    """
    for index, requirement in enumerate(plan.requirements):
        where = () if requirement.where is None else (requirement.where.formula,)
        # Models that are alike share their tensors.
        all_tensors = {id(each): each for each in (plan.models_by_id[m].tensors for m in requirement.models)}
        for tensors in all_tensors.values():
            formulas = (*(each.condition.formula for each in plan.odd.constraints_of(tensors)), *where)
            if formulas and is_empty(plan.odd.ranges_of(tensors), formulas):
                key = "id" if requirement.where is None else "where"
                reason = "leaves nothing of the domain: no input is in its ranges and satisfies all of this"
                findings.add(("requirement", index, key), f"{reason}: correct one of them")
                break


def is_empty(ranges: Mapping[str, rules.Range], formulas: Sequence[rules.Formula]) -> bool:
    """Whether no point of ranges satisfies all formulas; False also where that was not decided in time."""
    import z3

    solver = z3.SolverFor("QF_LRA")
    solver.set("timeout", MILLISECONDS)
    variables = {name: z3.Real(name) for name in ranges}
    for name, limits in ranges.items():
        solver.add(variables[name] >= _value(limits.minimum), variables[name] <= _value(limits.maximum))
    for formula in formulas:
        solver.add(_stated(formula, variables))
    return bool(solver.check() == z3.unsat)


def _stated(formula: rules.Formula, variables: Mapping[str, Any]) -> Any:  # z3 has no types
    import z3

    if isinstance(formula, rules.Comparison):
        total = _value(formula.linear.constant)
        for name, coefficient in formula.linear.terms:
            total = total + _value(coefficient) * variables[name]
        return total < 0 if formula.strict else total <= 0
    parts = [_stated(each, variables) for each in formula.children]
    return z3.And(parts) if isinstance(formula, rules.Conjunction) else z3.Or(parts)


def _value(number: object) -> Any:
    import z3

    return z3.RealVal(str(number))
