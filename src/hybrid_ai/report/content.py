"""All that a report shows, read from a dossier's folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hybrid_ai.audit.verification.dossier import Report
from hybrid_ai.report import assessment as assessments
from hybrid_ai.report import plan as plans
from hybrid_ai.report import results as all_results
from hybrid_ai.report import software as bom
from hybrid_ai.report.assessment import Assessment, Counts, read_assessment
from hybrid_ai.report.datum import Datum
from hybrid_ai.report.dispositions import APPROVER, Disposed, read_dispositions
from hybrid_ai.report.errors import ReportError
from hybrid_ai.report.files import File, read_files
from hybrid_ai.report.plan import Model, Plan, read_plan
from hybrid_ai.report.reading import REMEDY, Node, read_json
from hybrid_ai.report.results import ARITHMETICS, VERDICTS, Results, read_results
from hybrid_ai.report.software import Software, read_software
from hybrid_ai.report.subjects import Effort, Subject, effort, pair_subjects, requirement_subjects
from hybrid_ai.report.trace import Log, Verified, read_log, read_verified, verification_node


@dataclass(frozen=True)
class HashedFile:
    """A model or a property: its path, its SHA-256, and of a model its plan's entry, if any.

    Only a model that no requirement is about has no path.
    """

    path: Datum | None
    sha256: Datum
    model: Model | None = None


@dataclass(frozen=True)
class ReportContent:
    """What a report shows.

    Attributes:
        plan, assessment: None of a dossier that was made without a plan.
        subjects: requirements; without a plan, pairs of a model and a property.
        models, properties: files, each once.
        arithmetics: the words real and float32, as far as verdicts are about them.
        assumptions: what the verdicts rest on, each once.
        versions: of the tool.
        verifications: how many.
        requirements_counted: by verdict; None without a plan.
        verifications_counted: by verdict.
        effort: of all verifications together.
        software: what made the dossier; empty where it has no bill of materials.
        log: of what was done.
        verified: None before the dossier is sealed and verified.
        dispositions: of items that were not proved; none before it is verified.
        files: of the dossier, with the SHA-256 that they have.
    """

    plan: Plan | None
    assessment: Assessment | None
    subjects: tuple[Subject, ...]
    models: tuple[HashedFile, ...]
    properties: tuple[HashedFile, ...]
    arithmetics: tuple[Datum, ...]
    assumptions: tuple[Datum, ...]
    versions: tuple[Datum, ...]
    verifications: Datum
    requirements_counted: Counts | None
    verifications_counted: Counts
    effort: Effort
    software: tuple[Software, ...]
    log: Log
    verified: Verified | None
    dispositions: tuple[Disposed, ...]
    files: tuple[File, ...]

    @property
    def has_never(self) -> bool:
        """Whether there are verifications that a requirement never holds."""
        return self.plan is not None and any(each.claim.value == "never" for each in self.plan.verifications)

    @property
    def is_draft(self) -> bool:
        """Whether nobody has signed it as approver."""
        return self.verified is None or not self.verified.signed_as(APPROVER)


def read_content(folder: Path, verified: Report | None) -> ReportContent:
    """Read what a report shows.

    Args:
        folder: the dossier.
        verified: what its verification reported; None before it is sealed.

    Raises:
        ReportError: a file is missing, malformed, or contradicts another one.
        OSError: a file cannot be read.
    """
    results = read_results(read_json(folder, all_results.FILE))
    if not results.all:
        raise ReportError(all_results.FILE, "/results", "is empty: there is nothing to report")
    plan, assessment = _planned(folder, results)
    if plan is None or assessment is None:
        subjects = pair_subjects(folder, results)
    else:
        subjects = requirement_subjects(folder, plan, assessment, results)
    report = None if verified is None else verification_node(verified)
    has_bom = (folder / bom.FILE).exists()
    counted = {verdict: results.counted(verdict) for verdict in VERDICTS}
    return ReportContent(
        plan=plan,
        assessment=assessment,
        subjects=subjects,
        models=_models(plan, results),
        properties=_files((result.property, result.property_sha256) for result in results.all),
        arithmetics=_arithmetics(results),
        assumptions=_distinct(text for result in results.all for text in result.assumptions),
        versions=_distinct(result.version for result in results.all),
        verifications=results.amount(),
        requirements_counted=None if assessment is None else assessment.requirements_counted,
        verifications_counted=counted if assessment is None else assessment.verifications_counted,
        effort=effort(results, None, None, results.amount()),
        software=read_software(read_json(folder, bom.FILE)) if has_bom else (),
        log=read_log(folder),
        verified=None if report is None else read_verified(report),
        dispositions=() if report is None else read_dispositions(folder, report.member("additions")),
        files=read_files(folder),
    )


def _planned(folder: Path, results: Results) -> tuple[Plan | None, Assessment | None]:
    present = [name for name in (plans.FILE, assessments.FILE) if (folder / name).exists()]
    if not present:
        return None, None
    plan_node, assessment_node = read_json(folder, plans.FILE), read_json(folder, assessments.FILE)
    plan, assessment = read_plan(plan_node), read_assessment(assessment_node)
    _require_results_of_plan(plan_node, plan, results)
    _require_assessment_of_plan(assessment_node, plan, assessment, results)
    return plan, assessment


def _require_results_of_plan(node: Node, plan: Plan, results: Results) -> None:
    verifications = node.member("verifications")
    if len(plan.verifications) != len(results.all):
        raise verifications.fail(
            f"plans other verifications than the {len(results.all)} in {all_results.FILE}"
        )
    models = {model.id.value: model for model in plan.models}
    for item, planned, result in zip(verifications.items(), plan.verifications, results.all, strict=True):
        model = models[planned.model.value]
        files = [result.model.value, result.model_sha256.value, result.property.value]
        path = None if model.path is None else model.path.value
        if [path, model.sha256.value, planned.path.value] != files:
            raise item.fail(f"is of another model or property than its result in {all_results.FILE}")


def _require_assessment_of_plan(node: Node, plan: Plan, assessment: Assessment, results: Results) -> None:
    ids = [requirement.id.value for requirement in plan.requirements]
    if [requirement.id.value for requirement in assessment.requirements] != ids:
        raise node.member("requirements").fail(f"are not those of {plans.FILE}")
    named = {each.value for objective in assessment.objectives for each in objective.requirements}
    if not named <= set(ids):
        raise node.member("objectives").fail(f"name requirements that {plans.FILE} does not have")
    pairs = zip(plan.verifications, results.all, strict=True)
    # What a requirement never holds on counts for its coverage alone.
    held = [
        "unknown" if number in assessment.outside else result.verdict.value
        for number, (planned, result) in enumerate(pairs, start=1)
        if planned.claim.value != "never"
    ]
    statuses = [each.status.value for each in assessment.requirements]
    counted = (
        ("requirements", assessment.requirements_counted, statuses),
        ("verifications", assessment.verifications_counted, held),
    )
    for name, counts, found in counted:
        if any(found.count(verdict) != int(counts[verdict].value) for verdict in VERDICTS):
            raise node.at("counts", name).fail("are not what the verdicts add up to")


def _models(plan: Plan | None, results: Results) -> tuple[HashedFile, ...]:
    if plan is not None:
        return tuple(HashedFile(model.path, model.sha256, model) for model in plan.models)
    return _files((result.model, result.model_sha256) for result in results.all)


def _files(pairs: Iterable[tuple[Datum, Datum]]) -> tuple[HashedFile, ...]:
    found: dict[str, HashedFile] = {}
    for path, digest in pairs:
        known = found.setdefault(path.value, HashedFile(path, digest))
        if known.sha256.value != digest.value:
            document, _, pointer = digest.source.partition("#")
            raise ReportError(document, pointer, f"is another SHA-256 than before of {path.value}; {REMEDY}")
    return tuple(found.values())


def _arithmetics(results: Results) -> tuple[Datum, ...]:
    first = {}
    for name in ARITHMETICS:
        found = next((result.arithmetics[name] for result in results.all if name in result.arithmetics), None)
        if found is not None:
            first[name] = Datum(name, found.source, "word", "key")
    return tuple(first.values())


def _distinct(texts: Iterable[Datum]) -> tuple[Datum, ...]:
    found: dict[str, Datum] = {}
    for text in texts:
        found.setdefault(text.value, text)
    return tuple(found.values())
