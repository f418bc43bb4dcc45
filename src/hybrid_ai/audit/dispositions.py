"""Dispositions: what is to become of an item that was not proved, said in a role.

A disposition is an attached file, `attachments/NNNN/disposition.json`, so that the key of its entry signs it.
Of several for one item the last one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from hybrid_ai.audit.drafts import Role
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.verification.canonical import decode_canonical, encode
from hybrid_ai.audit.verification.container import Container
from hybrid_ai.audit.verification.dossier import Report
from hybrid_ai.audit.verification.fields import as_object
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import ATTACH, ROLES

Kind = Literal["open", "accepted", "restricted", "fixed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FILE_NAME = "disposition.json"
FORMAT, VERSION = "hybrid-ai-disposition", 1
LIMIT = 2**16
MEMBERS = frozenset({"format", "version", "item", "kind", "rationale", "role"})


@dataclass(frozen=True, slots=True)
class Disposition:
    """What is to become of an item.

    Attributes:
        item: id of a requirement; of a dossier without a plan, the number of a result, such as `0003`.
        kind: "open" (known and not solved), "accepted" (as it is), "restricted" (the system is not used
            there) or "fixed" (in another version, which the rationale names).
        rationale: why; not empty.
        role: in which its signer says so.
    """

    item: str
    kind: Kind
    rationale: str
    role: Role


@dataclass(frozen=True, slots=True)
class Disposed:
    """A disposition in a dossier: its file, the key id of its signer, and when its signer's clock said so."""

    disposition: Disposition
    path: str
    key: str
    time: str


def write_disposition(disposition: Disposition) -> bytes:
    """The file of a disposition, canonical JSON.

    Raises:
        AuditError: the rationale or the item is empty or too long, or has no UTF-8 form.
    """
    if not disposition.rationale.strip() or not disposition.item.strip():
        raise AuditError("a disposition needs an item and a rationale: give both")
    try:
        data = encode({"format": FORMAT, "version": VERSION, **asdict(disposition)})
    except ValueError as error:
        raise AuditError(f"the rationale cannot be written: {error}") from error
    if len(data) > LIMIT:
        raise AuditError(f"the rationale has over {LIMIT} bytes: attach a file, and name it")
    return data


def read_disposition(data: bytes, where: str) -> Disposition:
    """Read the file of a disposition.

    Raises:
        Refused: "integrity", when it is none.
    """
    content = as_object(decode_canonical(data, where), MEMBERS, where)
    texts = [content[name] for name in ("item", "kind", "rationale", "role")]
    is_ours = (content["format"], content["version"]) == (FORMAT, VERSION)
    if not is_ours or not all(isinstance(text, str) and text.strip() for text in texts):
        raise Refused("integrity", where, "is no disposition of version 1")
    if content["kind"] not in KINDS or content["role"] not in ROLES:
        raise Refused("integrity", where, f"has the kind {texts[1]!a} and the role {texts[3]!a}")
    return Disposition(*texts)  # type: ignore[arg-type]  # looked at above


def find_dispositions(container: Container, report: Report) -> Mapping[str, Disposed]:
    """The disposition of each item that has one, by item.

    Args:
        container: files of the dossier.
        report: what its verification found.

    Raises:
        Refused: "integrity", when an attached file of this name is none.
    """
    found = {}
    for addition in report.additions:
        if addition.action == ATTACH and addition.path.endswith(f"/{FILE_NAME}"):
            said = read_disposition(container.read(addition.path, LIMIT), addition.path)
            found[said.item] = Disposed(said, addition.path, addition.key, addition.time)
    return found
