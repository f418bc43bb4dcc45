"""Verification of a dossier, in the order of section 6 of the format page."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from hybrid_ai.audit.verification.checkpoint import Checkpoint, Note
from hybrid_ai.audit.verification.container import Container
from hybrid_ai.audit.verification.evidence import Claim, read_claims
from hybrid_ai.audit.verification.log import Log, known_signers, read_log, require_fits
from hybrid_ai.audit.verification.manifest import (
    MANIFEST,
    MANIFEST_LIMIT,
    Manifest,
    read_manifest,
    require_files,
)
from hybrid_ai.audit.verification.rejected import Level, Refused
from hybrid_ai.audit.verification.releases import RELEASED
from hybrid_ai.audit.verification.reproof import Reproof, Reprover, reprove
from hybrid_ai.audit.verification.sealing import (
    CHECKPOINTS,
    ENTRIES,
    KEYS,
    SIGN,
    Sealing,
    read_sealings,
    require_all_used,
    require_checkpoints,
)
from hybrid_ai.audit.verification.signing import RoleSignature, read_role_signature

LEVELS: tuple[Level, ...] = ("integrity", "authenticity", "proof")
VERIFIER = "verify.py"


@dataclass(frozen=True)
class Since:
    """An earlier checkpoint that was kept elsewhere: what `read_checkpoint` returned, and its file's name."""

    checkpoint: Checkpoint
    note: Note
    where: str


@dataclass(frozen=True)
class LevelStatus:
    """How far one level came.

    Attributes:
        level: which.
        established: whether it is.
        detail: what was established, or why it could not be.
    """

    level: Level
    established: bool
    detail: str


@dataclass(frozen=True)
class Addition:
    """What was added to a dossier after it was sealed.

    Attributes:
        sequence: number of the entry.
        time: as its signer's clock said.
        action: `dossier/attach` or `dossier/sign`.
        path: of the file.
        key: key id of the signer.
        pinned: whether that key is pinned.
        role: with `dossier/sign`, else None.
        signature: what the signer declares, with `dossier/sign`, else None.
    """

    sequence: int
    time: str
    action: str
    path: str
    key: str
    pinned: bool
    role: str | None
    signature: RoleSignature | None


@dataclass(frozen=True)
class Report:
    """What verification found; nothing is wrong, or there would be none.

    Attributes:
        kind: "certification" or "folder".
        digest: the dossier's digest, hexadecimal.
        log: id of the log.
        entries: their number.
        sealed: time of the seal, as its signer's clock said.
        seal_key: key id of its signer.
        seal_pinned: whether that key is pinned.
        levels: those that were asked for.
        additions: in the order of the log.
        flags: what a reader should know, a sentence each.
        proof: what was re-proved, when that level was asked for.
    """

    kind: str
    digest: str
    log: str
    entries: int
    sealed: str
    seal_key: str
    seal_pinned: bool
    levels: tuple[LevelStatus, ...]
    additions: tuple[Addition, ...]
    flags: tuple[str, ...]
    proof: Reproof | None

    @property
    def established(self) -> bool:
        """Whether all levels that were asked for are."""
        return all(status.established for status in self.levels)


@dataclass(frozen=True)
class _Whole:
    """A dossier whose integrity is established."""

    manifest: Manifest
    log: Log
    sealings: tuple[Sealing, ...]
    claims: tuple[Claim, ...]
    signatures: Mapping[str, RoleSignature]


def verify_dossier(
    container: Container,
    *,
    levels: Set[Level],
    trust: Mapping[str, bytes],
    since: Since | None = None,
    reprover: Reprover | None = None,
    own_sha256: str | None = None,
) -> Report:
    """Verify a dossier.

    Args:
        container: its files.
        levels: what is asked for; integrity, on which all else rests, is verified in any case.
        trust: pinned public keys, 32 bytes each, by key id; may be empty.
        since: an earlier checkpoint, or None.
        reprover: how results are judged anew; needed for the level "proof".
        own_sha256: SHA-256 of the stand-alone verifier that this program generates or is, hexadecimal.

    Raises:
        Refused: at the first defect, with the level that it is of.
        ValueError: when the level "proof" is asked for without a reprover.
        OSError: when a file cannot be read.

    Sound because: each step uses only bytes that an earlier one tied to the seal (section 6).
    """
    if "proof" in levels and reprover is None:
        raise ValueError("the level proof needs a reprover")
    whole = _established_integrity(container)
    statuses = [LevelStatus("integrity", True, _counted(whole, container))] if "integrity" in levels else []
    if "authenticity" in levels:
        statuses.append(_authenticity(whole, trust, since))
    proof = None
    if "proof" in levels and reprover is not None:
        proof = reprove(container, whole.manifest, whole.claims, reprover)
        statuses.append(_proof(whole, proof))
    seal = whole.sealings[0]
    additions = tuple(_addition(sealing, whole, trust) for sealing in whole.sealings[1:])
    return Report(
        kind=whole.manifest.kind,
        digest=whole.manifest.digest,
        log=whole.log.identifier,
        entries=len(whole.log.entries),
        sealed=seal.entry.time,
        seal_key=seal.key,
        seal_pinned=seal.key in trust,
        levels=tuple(statuses),
        additions=additions,
        flags=(*_shared_keys(whole.sealings), *_verifier_flags(whole.manifest, own_sha256)),
        proof=proof,
    )


def _established_integrity(container: Container) -> _Whole:
    """Steps 1 (the rest of it) to 6."""
    for name in container.names():
        if name.startswith("pending/"):
            reason = "an addition was interrupted; the next `hybrid-ai dossier attach` or `sign` ends it"
            raise Refused("integrity", name, reason)
    manifest = read_manifest(container.read(MANIFEST, MANIFEST_LIMIT))
    require_files(container, manifest)
    log = _read_log(container)
    sealings = read_sealings(log)
    keys = require_checkpoints(container, log, sealings)
    _require_entries(container, manifest, log, sealings)
    require_all_used(container, keys)
    seal = sealings[0]
    claims: tuple[Claim, ...] = ()
    if manifest.kind == "certification":
        claims = read_claims(container, manifest, log, seal.entry.sequence, seal.key, keys)
    signatures = {
        sealing.path: read_role_signature(container, sealing, manifest.digest, keys)
        for sealing in sealings
        if sealing.action == SIGN
    }
    return _Whole(manifest, log, sealings, claims, signatures)


def _read_log(container: Container) -> Log:
    with container.stream(ENTRIES) as stream:
        return read_log(stream, ENTRIES)


def _require_entries(
    container: Container, manifest: Manifest, log: Log, sealings: tuple[Sealing, ...]
) -> None:
    """Step 4."""
    if manifest.log != log.identifier:
        raise Refused("integrity", MANIFEST, f"belongs to the log {manifest.log}, here is {log.identifier}")
    if sealings[0].kind != manifest.kind:
        raise Refused("integrity", sealings[0].entry.where, f"seals no dossier of the kind {manifest.kind}")
    added: set[str] = set()
    for sealing in sealings:
        where = sealing.entry.where
        if sealing.manifest != manifest.digest:
            raise Refused("integrity", where, f"is over another {MANIFEST} than the one here")
        if not sealing.path:
            continue
        if sealing.path in manifest.files:
            raise Refused("integrity", where, f"adds {sealing.path}, which was there when it was sealed")
        added.add(sealing.path)
        # A signature's digest is that of its payload, which is compared when it is read.
        if sealing.action != SIGN and container.sha256(sealing.path) != sealing.sha256:
            raise Refused("integrity", sealing.path, f"was changed: its SHA-256 is not that of {where}")
        container.size(sealing.path)
    for name in container.names():
        named = name in manifest.files or name in added or name in (MANIFEST, ENTRIES)
        if not named and not name.startswith((CHECKPOINTS, KEYS)):
            raise Refused("integrity", name, "neither the manifest nor the log names it; remove it")


def _counted(whole: _Whole, container: Container) -> str:
    return f"{len(container.names())} files, {len(whole.log.entries)} entries, {len(whole.claims)} results"


def _authenticity(whole: _Whole, trust: Mapping[str, bytes], since: Since | None) -> LevelStatus:
    """Step 7."""
    seal, *later = whole.sealings
    if since is not None:
        _require_extended(whole.log, since, trust)
    if not trust:
        reason = f"signer not established: pin a key with --trust FILE; it was sealed by {seal.key}"
        return LevelStatus("authenticity", False, reason)
    if seal.key not in trust:
        reason = f"is sealed by {seal.key}, which is none of the pinned keys: another dossier than asked for"
        raise Refused("authenticity", seal.entry.where, reason)
    unpinned = [sealing for sealing in later if sealing.key not in trust]
    if unpinned:
        named = ", ".join(f"{sealing.path} by {sealing.key}" for sealing in unpinned[:8])
        more = f" and {len(unpinned) - 8} more" if len(unpinned) > 8 else ""
        reason = f"later entries by keys that are not pinned: {named}{more}; pin them with --trust FILE"
        return LevelStatus("authenticity", False, reason)
    extends = "whether it is the newest state is not, without --since CHECKPOINT"
    if since is not None:
        extends = f"the log extends the checkpoint of {since.checkpoint.size} entries"
    return LevelStatus("authenticity", True, f"sealed by the pinned key {seal.key}; {extends}")


def _require_extended(log: Log, since: Since, trust: Mapping[str, bytes]) -> None:
    try:
        require_fits(since.checkpoint, log, since.where)
        signers = known_signers(since.note, trust, since.where)
    except Refused as error:
        raise Refused("authenticity", error.where, error.reason) from error
    if trust and not signers:
        raise Refused("authenticity", since.where, "no pinned key has signed it")


def _proof(whole: _Whole, proof: Reproof) -> LevelStatus:
    if not whole.claims:
        return LevelStatus("proof", False, "there are no results in it")
    total = len(proof.reproved) + len(proof.not_reproved)
    parts = [f"{len(proof.reproved)} of {total} re-proved"]
    if proof.not_reevaluated:
        parts.append(f"{len(proof.not_reevaluated)} not re-evaluated in float32")
    if proof.unclaimed:
        parts.append(f"{len(proof.unclaimed)} unknown")
    return LevelStatus("proof", not proof.not_reproved, ", ".join(parts))


def _addition(sealing: Sealing, whole: _Whole, trust: Mapping[str, bytes]) -> Addition:
    return Addition(
        sequence=sealing.entry.sequence,
        time=sealing.entry.time,
        action=sealing.action,
        path=sealing.path,
        key=sealing.key,
        pinned=sealing.key in trust,
        role=sealing.role or None,
        signature=whole.signatures.get(sealing.path),
    )


def _shared_keys(sealings: tuple[Sealing, ...]) -> list[str]:
    roles: dict[str, list[str]] = {}
    for sealing in sealings:
        if sealing.role and sealing.role not in roles.setdefault(sealing.key, []):
            roles[sealing.key].append(sealing.role)
    return [
        f"one key in {len(held)} roles: {key} signed as {' and as '.join(held)}"
        for key, held in roles.items()
        if len(held) > 1
    ]


def _verifier_flags(manifest: Manifest, own_sha256: str | None) -> list[str]:
    """What is to be said about the verify.py in a dossier; nothing when it is a released or our own one."""
    inside = manifest.files.get(VERIFIER)
    if manifest.kind != "certification" or inside is None:
        return []
    if inside.sha256 == own_sha256 or inside.sha256 in RELEASED.values():
        return []
    return [f"{VERIFIER} in the dossier (SHA-256 {inside.sha256}) is of no released version: do not run it"]
