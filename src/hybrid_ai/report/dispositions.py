"""What became of items that were not proved: attached files of this name, each signed by its entry's key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hybrid_ai.audit.dispositions import FILE_NAME, FORMAT, KINDS, VERSION
from hybrid_ai.audit.verification.sealing import ATTACH
from hybrid_ai.report.datum import Datum
from hybrid_ai.report.plan import ROLES
from hybrid_ai.report.reading import Node, read_json
from hybrid_ai.report.trace import Signature, read_signature

APPROVER = "approver"


@dataclass(frozen=True)
class Disposed:
    """A disposition.

    Attributes:
        item: requirement, or number of a result.
        kind: what is to become of it.
        role: in which its signer says so.
        key: id of the signer's key.
        pinned: whether that key is pinned.
        time: as the signer's clock said.
        approvals: signatures of approvers that the log has before it: they did not see it.
    """

    item: Datum
    kind: Datum
    rationale: Datum
    role: Datum
    key: Datum
    pinned: bool
    time: Datum
    approvals: tuple[Signature, ...]


def read_dispositions(folder: Path, additions: Node) -> tuple[Disposed, ...]:
    """The dispositions of a dossier, in the order of the log.

    Args:
        folder: the dossier.
        additions: what its verification reported of additions.

    Raises:
        ReportError: a file of this name is no disposition.
        OSError: it cannot be read.

    Sound because: the order is that of the verified log; times are what the signers' clocks said.
    """
    found: list[Disposed] = []
    approvals: list[Signature] = []
    for node in sorted(additions.items(), key=lambda node: int(node.member("sequence").integer().value)):
        role = node.find("role")
        if role is not None and role.value == APPROVER:
            approvals.append(read_signature(node))
        path = node.member("path").path().value
        if node.member("action").value == ATTACH and path.endswith(f"/{FILE_NAME}"):
            found.append(_disposed(read_json(folder, path), node, tuple(approvals)))
    return tuple(found)


def _disposed(said: Node, addition: Node, approvals: tuple[Signature, ...]) -> Disposed:
    said.member("format").require(FORMAT)
    said.member("version").require(VERSION)
    return Disposed(
        item=said.member("item").text(),
        kind=said.member("kind").word(KINDS),
        rationale=said.member("rationale").text(),
        role=said.member("role").word(ROLES),
        key=addition.member("key").digest(),
        pinned=addition.member("pinned").truth(),
        time=addition.member("time").time(),
        approvals=approvals,
    )
