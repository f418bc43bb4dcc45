"""Certify a plan: its requirements become verifications, their results an assessment."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from hybrid_ai.audit.drafts import Signer
from hybrid_ai.audit.objectives.argument import argument
from hybrid_ai.audit.objectives.catalogue import Catalogue, find, shipped
from hybrid_ai.audit.objectives.offering import objective_members
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.pipeline.certification import UNOBSERVED, Certified, Content, certify
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.instances import Case, Layout, Request, laid_out
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.plans.assessment import as_stated, assess
from hybrid_ai.pipeline.plans.described import described, sample_files
from hybrid_ai.pipeline.plans.model import Plan
from hybrid_ai.pipeline.plans.verifications import Verification, verifications
from hybrid_ai.pipeline.verify import Observer


def certify_plan(
    plan: Plan,
    output: Path,
    signer: Signer,
    catalogues: Sequence[Catalogue] | None = None,
    *,
    jobs: int | None = None,
    reuse: Path | None = None,
    observer: Observer = UNOBSERVED,
    on_result: Callable[[Content, bool], None] = lambda result, resumed: None,
) -> Certified:
    """Verify all that a plan requires and seal a dossier; what was interrupted goes on where it stopped.

    Args:
        plan: as `read_plan` returned it.
        output: folder of the dossier, not there yet.
        signer: who signs results and seal.
        catalogues: of the objectives that the plan may name; None for the shipped ones.
        jobs: verifications at the same time; None for what the plan says.
        reuse: folder of an older dossier, whose results that still stand are taken over.
        observer: told how each search goes.
        on_result: called with each result, and whether an earlier run made it.

    Raises:
        AuditError: the plan names an objective that no catalogue has.
        BadInput, CheckerFailure, KeyboardInterrupt: as `certify`.
    """
    known = shipped() if catalogues is None else catalogues
    for objective in plan.objectives:  # before hours are spent
        find(known, objective.catalogue, objective.id)
    found = verifications(plan)
    with tempfile.TemporaryDirectory(prefix="hybrid-ai-plan-") as name:
        request = request_of(plan, found, Path(name))
        layout = laid_out(request)
        _require_unchanged(found, layout)
        content = described(plan, found, layout.jobs)
        at_once = request.jobs if jobs is None else jobs
        request = replace(request, files=_files(plan, content), reuse=reuse, jobs=at_once)

        def describe(staging: Path, results: Sequence[Content]) -> Mapping[str, bytes]:
            stated = as_stated(content, results)
            members = objective_members(content, stated, known)
            assessment = assess(content, results, members)
            return {
                "assessment.json": encode(assessment),
                "argument.jsonld": argument(content, assessment, stated),
            }

        return certify(request, output, signer, observer, on_result, describe)


def _require_unchanged(found: Sequence[Verification], layout: Layout) -> None:
    """Refuse models that are others than when the plan was read."""
    for each, job in zip(found, layout.jobs, strict=True):
        if layout.digests[job.model] != each.model.sha256:
            raise BadInput(f"{each.model.file}: was changed after the plan was read: start again")


def request_of(plan: Plan, found: Sequence[Verification], folder: Path) -> Request:
    """The request that a plan becomes.

    Args:
        plan: the plan.
        found: its verifications.
        folder: receives the generated properties; equal ones are one file.
    """
    paths: dict[str, Path] = {}
    timeout = float(plan.budget.timeout.value)
    cases = []
    for each in found:
        digest = sha256(each.property).hexdigest()
        if digest not in paths:
            paths[digest] = folder / str(len(paths)) / each.name
            paths[digest].parent.mkdir()
            paths[digest].write_bytes(each.property)
        cases.append(Case(each.model.file, paths[digest], timeout, each.allow_vacuous))
    budget = plan.budget
    limits = Limits(timeout, budget.memory, budget.threads, budget.seed)
    return Request(cases, limits, budget.arithmetic, jobs=budget.jobs)


def _files(plan: Plan, content: Content) -> dict[str, bytes]:
    files = {"plan/plan.toml": plan.source, "plan/plan.json": encode(content)}
    paths = sample_files(plan)
    for requirement in plan.requirements:
        if requirement.samples is not None:
            files[paths[requirement.id]] = requirement.samples.source
    return files
