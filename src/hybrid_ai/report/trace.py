"""The log, its head, and who signed: `trace/`, and what the verification of the dossier reported."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from hybrid_ai.audit.verification.dossier import Report
from hybrid_ai.report.datum import Datum
from hybrid_ai.report.errors import ReportError
from hybrid_ai.report.plan import ROLES
from hybrid_ai.report.reading import REMEDY, Node, optional_text, read_bytes, read_lines

ENTRIES = "trace/entries.jsonl"
CHECKPOINTS = "trace/checkpoints"
VERIFICATION = "verification"
LEVELS = ("integrity", "authenticity", "proof")
_HEAD_LINES = 3  # origin, number of entries, root: docs/formats/dossier.md, section 4


@dataclass(frozen=True)
class Head:
    """The last checkpoint: how many entries it counts, and the root of their Merkle tree in base64."""

    size: Datum
    root: Datum


@dataclass(frozen=True)
class Log:
    """The log.

    Attributes:
        entries: how many.
        first, last: times.
        head: None where nobody signed one.
        identifier: of the log.
    """

    entries: Datum
    first: Datum
    last: Datum
    head: Head | None
    identifier: Datum


@dataclass(frozen=True)
class Signature:
    """The seal, or a signature in a role.

    Attributes:
        role: None of the seal.
        key: key id.
        pinned: whether that key is pinned.
        time: as the signer's clock said.
        organisation, name, statement: as declared; None of the seal.
    """

    role: Datum | None
    key: Datum
    pinned: bool
    time: Datum
    organisation: Datum | None
    name: Datum | None
    statement: Datum | None


@dataclass(frozen=True)
class Level:
    """A level of verification: its name, whether it is established, and in English how far it came."""

    level: Datum
    established: bool
    detail: Datum


@dataclass(frozen=True)
class Verified:
    """What the verification of a sealed dossier reported.

    Attributes:
        digest: of the dossier.
        levels: those that were asked for.
        signatures: the seal first.
        flags: what a reader should know, in English.
    """

    digest: Datum
    levels: tuple[Level, ...]
    signatures: tuple[Signature, ...]
    flags: tuple[Datum, ...]

    def signed_as(self, role: str) -> tuple[Signature, ...]:
        """The signatures in a role."""
        return tuple(each for each in self.signatures if each.role is not None and each.role.value == role)


def read_log(folder: Path) -> Log:
    """Read the log of a dossier, and its last checkpoint.

    Raises:
        ReportError: it is not as its format says.
        OSError: it cannot be read.
    """
    node = read_lines(folder, ENTRIES)
    entries = node.items()
    if not entries:
        raise ReportError(ENTRIES, "", f"has no entry; {REMEDY}")
    return Log(
        entries=node.length(),
        first=entries[0].member("time").time(),
        last=entries[-1].member("time").time(),
        head=_head(folder),
        identifier=entries[0].at("parameters", "log").text("code"),
    )


def _head(folder: Path) -> Head | None:
    notes = sorted(path.name for path in (folder / CHECKPOINTS).glob("*.note"))
    if not notes:
        return None
    name = f"{CHECKPOINTS}/{notes[-1]}"
    lines = read_bytes(folder, name).decode("utf-8", errors="replace").split("\n")
    if len(lines) < _HEAD_LINES or not re.fullmatch("[0-9]{1,15}", lines[1], re.ASCII):
        raise ReportError(name, "", f"is no checkpoint; {REMEDY}")
    return Head(Datum(lines[1], name, "integer", "line 2"), Datum(lines[2], name, "digest", "line 3"))


def verification_node(report: Report) -> Node:
    """A report on a sealed dossier as a document."""
    return Node(VERIFICATION, "", _plain(asdict(report)))


def read_verified(root: Node) -> Verified:
    """What a report on a sealed dossier, as a document, says about signatures."""
    seal = Signature(
        role=None,
        key=root.member("seal_key").digest(),
        pinned=root.member("seal_pinned").truth(),
        time=root.member("sealed").time(),
        organisation=None,
        name=None,
        statement=None,
    )
    additions = [node for node in root.member("additions").items() if node.find("role") is not None]
    return Verified(
        digest=root.member("digest").digest(),
        levels=tuple(map(_level, root.member("levels").items())),
        signatures=(seal, *map(read_signature, additions)),
        flags=tuple(item.text("phrase") for item in root.member("flags").items()),
    )


def _level(node: Node) -> Level:
    return Level(
        node.member("level").word(LEVELS),
        node.member("established").truth(),
        node.member("detail").text("phrase"),
    )


def read_signature(node: Node) -> Signature:
    """A signature in a role, as an addition that was verified tells it."""
    declared = node.member("signature")
    return Signature(
        role=node.member("role").word(ROLES),
        key=node.member("key").digest(),
        pinned=node.member("pinned").truth(),
        time=node.member("time").time(),
        organisation=optional_text(declared.find("organisation")),
        name=optional_text(declared.find("name")),
        statement=optional_text(declared.find("statement")),
    )


def _plain(value: object) -> object:
    """Dataclasses as JSON has them: tuples are arrays."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
