"""What the verification of a sealed dossier reports, as if somebody had sealed and signed it."""

from __future__ import annotations

from dataclasses import replace

from hybrid_ai.audit.verification.dossier import Addition, LevelStatus, Report
from hybrid_ai.audit.verification.signing import RoleSignature

KEYS = {"author": "a1" * 32, "reviewer": "b2" * 32, "approver": "c3" * 32}


def verified(*roles: str, pinned: bool = True) -> Report:
    """A report on a dossier with signatures in these roles."""
    levels = (
        LevelStatus("integrity", True, "900 files, 304 entries"),
        LevelStatus("authenticity", False, "no key is pinned"),
    )
    return Report(
        kind="certification",
        digest="d4" * 32,
        log="0123456789abcdef" * 2,
        entries=304,
        sealed="2026-11-20T23:59:59.000Z",
        seal_key=KEYS["author"],
        seal_pinned=pinned,
        levels=levels,
        results=(),
        additions=tuple(_signature(index, role, pinned) for index, role in enumerate(roles)),
        flags=("verify.py in the dossier is of no released version: do not run it",),
        proof=None,
    )


def with_attachment(report: Report) -> Report:
    """The same with an attachment, which is no signature."""
    signature = _signature(9, "reviewer", True)
    attachment = replace(
        signature, action="dossier/attach", role=None, signature=None, path="attachments/0001/x.pdf"
    )
    return replace(report, additions=(attachment, *report.additions))


def with_disposition(report: Report, index: int, key: str = "reviewer") -> Report:
    """The same with a disposition (`builder.with_disposition`), which came after so many signatures."""
    disposition = replace(
        _signature(index, key, True),
        sequence=399 + 2 * index,
        action="dossier/attach",
        role=None,
        signature=None,
        path="attachments/0001/disposition.json",
    )
    return replace(report, additions=(*report.additions, disposition))


def _signature(index: int, role: str, pinned: bool) -> Addition:
    time = f"2026-11-21T08:00:0{index}.000Z"
    return Addition(
        sequence=400 + 2 * index,
        time=time,
        action="dossier/sign",
        path=f"signatures/{index:04}-{role}.dsse.json",
        key=KEYS[role],
        pinned=pinned,
        role=role,
        signature=RoleSignature(f"Reviewed as {role}.", f"Example {role.title()}s", "N. N.", time),
        seals=False,
        same_key=(),
        same_organisation=(),
    )
