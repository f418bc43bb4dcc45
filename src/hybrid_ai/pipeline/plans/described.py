"""A plan in full as JSON: the content of `plan/plan.json` (docs/formats/plan.md)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import PurePath
from typing import Any

from hybrid_ai import rules
from hybrid_ai.audit.additions import portable_name
from hybrid_ai.pipeline.instances import Job
from hybrid_ai.pipeline.plans.model import Coverage, ModelEntry, Plan, Quantity, Requirement, Samples
from hybrid_ai.pipeline.plans.verifications import Verification
from hybrid_ai.spec.printing import decimal, decimal_places

Content = dict[str, Any]
FILES = "plan/files"


def described(plan: Plan, verifications: Sequence[Verification], jobs: Sequence[Job]) -> Content:
    """The content of `plan/plan.json`.

    Args:
        plan: the plan.
        verifications: all of it.
        jobs: one for each of them, with the paths in the dossier.
    """
    numbers: dict[str, list[int]] = {}
    for verification, job in zip(verifications, jobs, strict=True):
        numbers.setdefault(verification.requirement, []).append(job.number)
    paths = {each.model.id: job.model for each, job in zip(verifications, jobs, strict=True)}
    samples = sample_files(plan)
    system, budget, review = plan.system, plan.budget, plan.review
    return {
        "format": 1,
        "system": {
            "id": system.id,
            "version": system.version,
            "name": system.name,
            "intended_use": system.intended_use,
            "exclusions": list(system.exclusions),
            "organisation": system.organisation,
        },
        "models": [_model(each, paths[each.id]) for each in plan.models],
        "odd": _odd(plan),
        "requirements": [_requirement(each, numbers[each.id], samples) for each in plan.requirements],
        "verifications": [_verification(*pair) for pair in zip(verifications, jobs, strict=True)],
        "assumptions": [
            {"id": each.id, "text": each.text, "source": each.source} for each in plan.assumptions
        ],
        "objectives": [
            {
                "catalogue": each.catalogue,
                "id": each.id,
                "requirements": list(each.requirements),
                "note": each.note,
            }
            for each in plan.objectives
        ],
        "budget": {
            "timeout": budget.timeout.text,
            "memory": budget.memory,
            "threads": budget.threads,
            "seed": budget.seed,
            "arithmetic": budget.arithmetic,
        },
        "review": {"statement": review.statement, "roles": list(review.roles)},
    }


def sample_files(plan: Plan) -> dict[str, str]:
    """Where in the dossier the files of samples are, by requirement."""
    found: dict[str, str] = {}
    for number, requirement in enumerate(plan.requirements, start=1):
        if requirement.samples is not None:
            name = portable_name(PurePath(requirement.samples.path).name)
            found[requirement.id] = f"{FILES}/{number:04}-{name[-100:].lstrip('.')}"
    return found


def exact_text(value: Fraction) -> str:
    """A decimal where there is a finite one, else a fraction."""
    places = decimal_places(value.denominator)
    return str(value) if places is None else decimal(value, places)


def _model(model: ModelEntry, path: str) -> Content:
    return {
        "id": model.id,
        "path": path,
        "sha256": model.sha256,
        "preprocessing": model.preprocessing,
        "inputs": [_quantity(each) for each in model.tensors.inputs],
        "outputs": [_quantity(each) for each in model.tensors.outputs],
    }


def _quantity(quantity: Quantity) -> Content:
    return {
        "name": quantity.name,
        "unit": quantity.unit,
        "offset": quantity.offset.text,
        "scale": quantity.scale.text,
    }


def _odd(plan: Plan) -> Content:
    return {
        "description": plan.odd.description,
        "inputs": [
            {
                "name": each.name,
                "unit": each.unit,
                "minimum": each.minimum.text,
                "maximum": each.maximum.text,
                "source": each.source,
            }
            for each in plan.odd.inputs
        ],
        "constraints": [
            {"formula": each.condition.text, "source": each.source} for each in plan.odd.constraints
        ],
    }


def _requirement(requirement: Requirement, numbers: Sequence[int], samples: dict[str, str]) -> Content:
    path = samples.get(requirement.id)
    return {
        "id": requirement.id,
        "text": requirement.text,
        "rationale": requirement.rationale,
        "source": requirement.source,
        "parent": requirement.parent,
        "criticality": requirement.criticality,
        "acceptance": requirement.acceptance,
        "method": requirement.method,
        "assumptions": list(requirement.assumptions),
        "where": None if requirement.where is None else requirement.where.text,
        "require": None if requirement.require is None else requirement.require.text,
        "samples": None if requirement.samples is None else _samples(requirement.samples, path),
        "coverage": None if requirement.coverage is None else _coverage(requirement.coverage),
        "verifications": list(numbers),
    }


def _samples(samples: Samples, path: str | None) -> Content:
    return {"path": path, "radius": {name: number.text for name, number in samples.radius.items()}}


def _coverage(coverage: Coverage) -> Content:
    return {"inputs": list(coverage.inputs), "cells": list(coverage.cells)}


def _verification(verification: Verification, job: Job) -> Content:
    box = verification.box
    return {
        "number": job.number,
        "requirement": verification.requirement,
        "model": verification.model.id,
        "path": job.property,
        "claim": verification.claim,
        "sample": verification.sample,
        "cell": None if verification.cell is None else list(verification.cell),
        "box": None if box is None else [_range(each) for each in box],
    }


def _range(certified: rules.CertifiedRange) -> Content:
    return {
        "name": certified.name,
        "minimum": exact_text(certified.minimum),
        "maximum": exact_text(certified.maximum),
        "network": [exact_text(certified.lower), exact_text(certified.upper)],
    }
