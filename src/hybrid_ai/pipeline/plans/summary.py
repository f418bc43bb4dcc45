"""What `plan check` says of a plan."""

from __future__ import annotations

from typing import Any

from hybrid_ai.pipeline.plans.defects import PlanError
from hybrid_ai.pipeline.plans.model import Plan, Requirement


def summary(plan: Plan) -> dict[str, Any]:
    """The models and requirements of a plan and what it becomes, as values that JSON can hold."""
    return {
        "valid": True,
        "system": plan.system.id,
        "models": [
            {
                "id": model.id,
                "path": model.path,
                "sha256": model.sha256,
                "inputs": len(model.tensors.inputs),
                "outputs": len(model.tensors.outputs),
                "preprocessing": model.preprocessing,
            }
            for model in plan.models
        ],
        "requirements": [
            {
                "id": requirement.id,
                "models": list(requirement.models),
                "verifications": requirement.verification_count(),
            }
            for requirement in plan.requirements
        ],
        "verifications": plan.verification_count(),
        "errors": [],
    }


def summary_lines(plan: Plan) -> list[str]:
    """The same as lines for people, the last one the whole."""
    models = [
        f"model {model.id}: {_counted(len(model.tensors.inputs), 'input')},"
        f" {_counted(len(model.tensors.outputs), 'output')}, preprocessing {model.preprocessing},"
        f" {model.path}"
        for model in plan.models
    ]
    requirements = [_requirement_line(requirement) for requirement in plan.requirements]
    whole = (
        f"plan: {_counted(plan.verification_count(), 'verification')}"
        f" of {_counted(len(plan.requirements), 'requirement')} on {_counted(len(plan.models), 'model')}"
    )
    return [*models, *requirements, whole]


def defect_rows(error: PlanError) -> list[dict[str, Any]]:
    """What is wrong, as values that JSON can hold."""
    return [
        {"file": each.file, "line": each.line, "key": each.key, "reason": each.reason}
        for each in error.defects
    ]


def _requirement_line(requirement: Requirement) -> str:
    found = f"requirement {requirement.id}: {_counted(requirement.verification_count(), 'verification')}"
    on = f" on {_counted(len(requirement.models), 'model')}"
    if requirement.samples is not None:
        return f"{found}{on}, {_counted(len(requirement.samples.rows), 'sample')}"
    if requirement.coverage is not None:
        return f"{found}{on}, {_counted(requirement.coverage.cell_count, 'cell')}"
    return f"{found}{on}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
