"""Proofs about a log for those who lack it: that an entry is in it, that it extends an earlier state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.files import read_small_file
from hybrid_ai.audit.log_file import checkpoints_of
from hybrid_ai.audit.log_verification import NO_KEY, SIGN_IT, LogReport, read_with_checkpoints
from hybrid_ai.audit.verification.canonical import decode, encode
from hybrid_ai.audit.verification.checkpoint import Checkpoint, read_checkpoint
from hybrid_ai.audit.verification.dossier import LevelStatus
from hybrid_ai.audit.verification.fields import as_object, as_sha256, as_text
from hybrid_ai.audit.verification.log import (
    ENTRIES_LIMIT,
    ORIGIN,
    SignedCheckpoint,
    checkpoint_name,
    is_identifier,
    known_signers,
    read_entry,
    read_fitting,
    require_fits,
)
from hybrid_ai.audit.verification.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.since import Since, require_pinned

FORMAT, VERSION = "hybrid-ai-log-proof", 1
PROOF_LIMIT = 2**23  # an entry of 2^20 bytes, all of them escaped, and its checkpoint

_HASHES_LIMIT = 64
_COMMON = frozenset({"format", "version", "checkpoint", "hashes"})
_INCLUSION = _COMMON | {"entry", "sequence"}
_CONSISTENCY = _COMMON | {"since"}


@dataclass(frozen=True)
class _Signed:
    """A log as its newest checkpoint counts it: entries, their hashes, the checkpoint and its text."""

    lines: Sequence[bytes]
    leaves: Sequence[bytes]
    checkpoint: Checkpoint
    note: str

    def proof(self, hashes: Sequence[bytes], **members: object) -> bytes:
        listed = [each.hex() for each in hashes]
        content = {"format": FORMAT, "version": VERSION, "checkpoint": self.note, "hashes": listed, **members}
        return encode(content)


def prove_inclusion(path: Path, sequence: int) -> bytes:
    """Prove that an entry is in a log, by its newest checkpoint.

    Args:
        path: the file of entries; checkpoints are beside it.
        sequence: number of the entry, from 0.

    Returns:
        A file for ``verify_proof``: it holds this entry, the checkpoint, and hashes of the others.

    Raises:
        AuditError: a file cannot be read, no checkpoint counts the entry, or the log changed meanwhile.
        Refused: the log is damaged.

    Source: RFC 6962, section 2.1.1.
    """
    signed = _read_signed(path)
    checkpoint = signed.checkpoint
    if not 0 <= sequence < checkpoint.size:
        counts = f"its newest checkpoint counts {checkpoint.size} entries, from 0"
        raise AuditError(f"{path}: there is no entry {sequence}, {counts}: {SIGN_IT}")
    hashes = inclusion_proof(signed.leaves, sequence, checkpoint.size)
    leaf = signed.leaves[sequence]
    _require_unchanged(path, verify_inclusion(leaf, sequence, checkpoint.size, hashes, checkpoint.root))
    return signed.proof(hashes, entry=signed.lines[sequence].decode("utf-8"), sequence=sequence)


def prove_consistency(path: Path, since: Since) -> bytes:
    """Prove that a log, as its newest checkpoint counts it, extends the state of an earlier one.

    Args:
        path: the file of entries; checkpoints are beside it.
        since: the earlier checkpoint.

    Returns:
        A file for ``verify_proof``: it holds the newest checkpoint, and no entry.

    Raises:
        AuditError: a file cannot be read, no checkpoint counts as many entries, or the log changed meanwhile.
        Refused: the log is damaged, or does not extend that state.

    Source: RFC 6962, section 2.1.2.
    """
    signed, old = _read_signed(path, since), since.checkpoint
    new = signed.checkpoint
    if old.size > new.size:
        raise AuditError(
            f"{path}: its newest checkpoint counts {new.size} entries, not {old.size}: {SIGN_IT}"
        )
    hashes = consistency_proof(signed.leaves, old.size, new.size)
    _require_unchanged(path, verify_consistency(old.size, new.size, old.root, new.root, hashes))
    return signed.proof(hashes, since=old.size)


def read_proof(path: Path) -> bytes:
    """Read the file of a proof.

    Raises:
        AuditError: it is missing, too long or cannot be read.
    """
    remedy = "give what `hybrid-ai trace prove` wrote"
    if not path.is_file():
        raise AuditError(f"{path}: is no file that can be read: {remedy}")
    return read_small_file(path, PROOF_LIMIT, remedy)


def verify_proof(data: bytes, where: str, trust: Mapping[str, bytes], since: Since | None) -> LogReport:
    """Verify a proof about a log that is not at hand.

    Args:
        data: the proof.
        where: its file, for errors.
        trust: pinned public keys, 32 bytes each, by key id; may be empty.
        since: the earlier checkpoint that a proof of consistency is about; None with one of inclusion.

    Raises:
        AuditError: the earlier checkpoint is missing, is another one, or has no place here.
        Refused: the proof does not show what it should, or a signature is not valid.

    Sound because: the checkpoint's root is computed from the entry, or along with that of the earlier
    checkpoint; authenticity is established only where a pinned key signed the checkpoint.

    Source: RFC 9162, sections 2.1.3.2 and 2.1.4.2.
    """
    content = decode(data, where)
    is_consistency = isinstance(content, dict) and "since" in content
    fields = as_object(content, _CONSISTENCY if is_consistency else _INCLUSION, where)
    if (fields["format"], fields["version"]) != (FORMAT, VERSION) or isinstance(fields["version"], bool):
        raise Refused("integrity", where, f"is no proof of the format {FORMAT!r}, version {VERSION}")
    place = f"{where}: checkpoint"
    checkpoint, note = read_checkpoint(as_text(fields["checkpoint"], place).encode("utf-8"), place)
    log = checkpoint.origin.removeprefix(ORIGIN)
    if not checkpoint.origin.startswith(ORIGIN) or not is_identifier(log):
        raise Refused("integrity", place, "is of no log of hybrid-ai")
    entry = None
    if is_consistency:
        detail = _extended(fields, checkpoint, where, trust, since)
    else:
        if since is not None:
            raise AuditError(
                f"{where}: is the proof of an entry: give --since with a proof made with --since"
            )
        entry = _included(fields, checkpoint, where)
        detail = f"the entry is in the log that the checkpoint of {checkpoint.size} entries counts"
    signers = known_signers(note, trust, place)
    levels = (LevelStatus("integrity", True, detail), _authenticity(signers, trust))
    return LogReport(log, checkpoint.size, levels, (SignedCheckpoint(checkpoint.size, signers),), entry)


def _included(fields: Mapping[str, object], checkpoint: Checkpoint, where: str) -> str:
    """The entry that a proof shows to be in a log."""
    entry, sequence = as_text(fields["entry"], f"{where}: entry"), _number(fields["sequence"], where)
    line = entry.encode("utf-8")
    read_entry(line, sequence, f"{where}: entry")
    hashes = _hashes(fields["hashes"], where)
    if not verify_inclusion(leaf_hash(line), sequence, checkpoint.size, hashes, checkpoint.root):
        raise Refused("integrity", where, "does not show that the checkpoint counts the entry")
    return entry


def _extended(
    fields: Mapping[str, object],
    new: Checkpoint,
    where: str,
    trust: Mapping[str, bytes],
    since: Since | None,
) -> str:
    """What a proof of consistency shows."""
    size = _number(fields["since"], where)
    if since is None:
        raise AuditError(
            f"{where}: begins at a checkpoint of {size} entries: give yours with --since CHECKPOINT"
        )
    old = since.checkpoint
    if old.size != size:
        raise AuditError(f"--since {since.where}: counts {old.size} entries, the proof begins at {size}")
    require_pinned(since, trust)
    if old.origin != new.origin:
        raise Refused("integrity", where, f"is about {new.origin!a}, not {old.origin[:100]!a}")
    hashes = _hashes(fields["hashes"], where)
    if not verify_consistency(old.size, new.size, old.root, new.root, hashes):
        raise Refused("integrity", where, f"does not show that the log extends {since.where}")
    return f"the log of {new.size} entries extends the checkpoint of {old.size}"


def _authenticity(signers: Sequence[str], trust: Mapping[str, bytes]) -> LevelStatus:
    if not trust:
        return LevelStatus("authenticity", False, NO_KEY)
    if not signers:
        return LevelStatus("authenticity", False, "no pinned key has signed the checkpoint")
    return LevelStatus(
        "authenticity", True, f"the checkpoint is signed by the pinned key {' and '.join(signers)}"
    )


def _read_signed(path: Path, since: Since | None = None) -> _Signed:
    log, found = read_with_checkpoints(path, {})
    if since is not None:
        require_fits(since.checkpoint, log, since.where)
    if not found:
        raise AuditError(f"{path}: has no checkpoint: {SIGN_IT}")
    name = checkpoint_name(found[-1].size)
    try:
        note = (checkpoints_of(path) / name).read_bytes()
        lines = path.read_bytes().split(b"\n")[: found[-1].size]
    except OSError as error:
        raise AuditError(f"{error.filename or path}: cannot be read: {error.strerror}") from error
    checkpoint, _ = read_fitting(note, name, log, name)
    return _Signed(lines, [leaf_hash(line) for line in lines], checkpoint, note.decode("utf-8"))


def _require_unchanged(path: Path, verifies: bool) -> None:
    # Made from what was read a second time: only what verifies is handed out.
    if not verifies:
        raise AuditError(f"{path}: was changed while it was read: repeat it")


def _number(value: object, where: str) -> int:
    if type(value) is not int or not 0 <= value <= ENTRIES_LIMIT:
        raise Refused("integrity", where, f"must name a number of entries from 0 to {ENTRIES_LIMIT}")
    return value


def _hashes(value: object, where: str) -> list[bytes]:
    if not isinstance(value, list) or len(value) > _HASHES_LIMIT:
        raise Refused("integrity", f"{where}: hashes", f"must be an array of at most {_HASHES_LIMIT}")
    return [bytes.fromhex(as_sha256(item, f"{where}: hashes[{i}]")) for i, item in enumerate(value)]
