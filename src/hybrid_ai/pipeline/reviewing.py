"""Review of a dossier: what awaits a disposition, and what an approver's signature has to wait for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_ai.audit.dispositions import Disposed, Disposition, find_dispositions, write_disposition
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.verification.container import Container, open_container
from hybrid_ai.audit.verification.dossier import Report, verify_dossier
from hybrid_ai.pipeline.documents import ASSESSMENT, PLAN, RESULTS, read_documents
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.plans.assessment import require_assessment

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Review:
    """How far the review of a dossier is.

    Attributes:
        items: what was not proved, with its verdict, by item: a requirement, or a result where there is no
            plan.
        dispositions: by item.
        missing_roles: roles that the plan asks for and nobody has signed in, the approver's apart.
    """

    items: Mapping[str, str]
    dispositions: Mapping[str, Disposed]
    missing_roles: tuple[str, ...]

    @property
    def waiting(self) -> list[str]:
        """The items without a disposition."""
        return [item for item in self.items if item not in self.dispositions]


def review(root: Path) -> Review:
    """How far the review of a dossier is.

    Raises:
        BadInput: its plan or its assessment is not one of ours.
        Refused: it is damaged.
    """
    container = open_container(root)
    return _review(container, verify_dossier(container, levels={"integrity"}, trust={}))


def require_reviewed(root: Path) -> None:
    """Refuse an approver's signature that comes too early.

    Raises:
        AuditError: an item has no disposition, or a role that the plan asks for has not signed.
        BadInput, Refused: as `review`.
    """
    found = review(root)
    if found.waiting:
        named = ", ".join(found.waiting[:8]) + (", ..." if len(found.waiting) > 8 else "")
        raise AuditError(
            f"{root}: {len(found.waiting)} items were not proved and have no disposition: {named}: "
            "say what is to become of each with `hybrid-ai dossier dispose`"
        )
    if found.missing_roles:
        roles = " and ".join(found.missing_roles)
        raise AuditError(f"{root}: its plan asks for signatures as {roles} before the approver's")


def disposition_file(root: Path, disposition: Disposition) -> bytes:
    """The file of a disposition for an item of a dossier.

    Raises:
        AuditError: the dossier has no such item, or it was proved, or the file cannot be written.
        BadInput, Refused: as `review`.
    """
    found = review(root)
    if disposition.item not in found.items:
        named = ", ".join(found.items) or "there is none"
        raise AuditError(f"{root}: {disposition.item}: is no item that was not proved: give one of {named}")
    return write_disposition(disposition)


def _review(container: Container, report: Report) -> Review:
    if report.kind != "certification":
        return Review({}, {}, ())
    items, roles = _items(container)
    signed = {addition.role for addition in report.additions}
    missing = tuple(role for role in roles if role != "approver" and role not in signed)
    return Review(items, find_dispositions(container, report), missing)


def _items(container: Container) -> tuple[dict[str, str], list[str]]:
    """What was not proved, and the roles that have to sign."""
    read = read_documents(container)
    require_assessment(read)
    try:
        return _found_items(read)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{PLAN} or {ASSESSMENT} is none that `certify` made: review what it made") from error


def _found_items(read: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    results = read[RESULTS]["results"]
    if ASSESSMENT not in read:
        numbered = ((f"{number:04}", result) for number, result in enumerate(results, start=1))
        return {
            number: result["verdict"]
            for number, result in numbered
            if result["verdict"] != "proved" or result["failed"]
        }, []
    rows = read[ASSESSMENT]["requirements"]
    failed = {number for number, result in enumerate(results, start=1) if result["failed"]}
    ours = {row["id"]: failed.intersection(row["verifications"]) for row in read[PLAN]["requirements"]}
    return {row["id"]: row["status"] for row in rows if row["status"] != "proved" or ours[row["id"]]}, list(
        read[PLAN]["review"]["roles"]
    )
