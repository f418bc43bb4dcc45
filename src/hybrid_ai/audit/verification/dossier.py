"""Verification of a dossier, in the order of section 6 of the format page."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from hybrid_ai.audit.verification.container import Container
from hybrid_ai.audit.verification.evidence import ARITHMETICS, Claim, read_claims
from hybrid_ai.audit.verification.log import Log, read_log
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
from hybrid_ai.audit.verification.signers import NAMED, Addition, find_additions, shared_key_flags
from hybrid_ai.audit.verification.signing import RoleSignature, read_role_signature
from hybrid_ai.audit.verification.since import Since, require_extended

# `Addition` is part of a report, `Since` of what is asked for.
__all__ = ["LEVELS", "Addition", "LevelStatus", "Report", "Result", "Since", "verify_dossier"]

LEVELS: tuple[Level, ...] = ("integrity", "authenticity", "proof")
VERIFIER = "verify.py"


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
class Result:
    """What one result of the dossier claims.

    Attributes:
        statement: path of its statement.
        model, property: paths.
        verdict: "proved", "refuted" or "unknown".
        proved, refuted: the arithmetics, of "real" and "float32", that it calls so.
        vacuous: whether it calls the input set empty.
    """

    statement: str
    model: str
    property: str
    verdict: str
    proved: tuple[str, ...]
    refuted: tuple[str, ...]
    vacuous: bool


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
        results: in the order of their files.
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
    results: tuple[Result, ...]
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
    keys: Mapping[str, bytes]


def verify_dossier(
    container: Container,
    *,
    levels: Set[Level],
    trust: Mapping[str, bytes],
    since: Since | None = None,
    sealed_by: str | None = None,
    reprover: Reprover | None = None,
    own_sha256: str | None = None,
) -> Report:
    """Verify a dossier.

    Args:
        container: its files.
        levels: what is asked for; integrity, on which all else rests, is verified in any case.
        trust: pinned public keys, 32 bytes each, by key id; may be empty.
        since: an earlier checkpoint, or None.
        sealed_by: id of the key that must have sealed it, pinned thereby, or None for any pinned key.
        reprover: how results are judged anew; needed for the level "proof".
        own_sha256: SHA-256 of the stand-alone verifier that this program generates or is, hexadecimal.

    Raises:
        Refused: at the first defect, with the level that it is of.
        ValueError: when the level "proof" is asked for without a reprover, or `sealed_by` without the level
            "authenticity".
        OSError: when a file cannot be read.

    Sound because: each step uses only bytes that an earlier one tied to the seal (section 6).
    """
    if "proof" in levels and reprover is None:
        raise ValueError("the level proof needs a reprover")
    if sealed_by is not None and "authenticity" not in levels:
        raise ValueError("who sealed it is about the level authenticity")
    whole = _established_integrity(container)
    statuses = [LevelStatus("integrity", True, _counted(whole, container))] if "integrity" in levels else []
    if sealed_by is not None:
        trust = _with_sealer(whole, trust, sealed_by)
    if "authenticity" in levels:
        statuses.append(_authenticity(whole, trust, since, sealed_by))
    proof = None
    if "proof" in levels and reprover is not None:
        proof = reprove(container, whole.manifest, whole.claims, reprover)
        statuses.append(_proof(whole, proof))
    return _report(whole, tuple(statuses), trust, own_sha256, proof)


def _report(
    whole: _Whole,
    statuses: tuple[LevelStatus, ...],
    trust: Mapping[str, bytes],
    own_sha256: str | None,
    proof: Reproof | None,
) -> Report:
    seal = whole.sealings[0]
    flags = (
        *shared_key_flags(whole.sealings),
        *_claim_flags(whole),
        *_verifier_flags(whole.manifest, own_sha256),
    )
    return Report(
        kind=whole.manifest.kind,
        digest=whole.manifest.digest,
        log=whole.log.identifier,
        entries=len(whole.log.entries),
        sealed=seal.entry.time,
        seal_key=seal.key,
        seal_pinned=seal.key in trust,
        levels=statuses,
        results=tuple(map(_result, whole.claims)),
        additions=find_additions(whole.sealings, whole.signatures, trust),
        flags=flags,
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
    return _Whole(manifest, log, sealings, claims, signatures, keys)


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


def _with_sealer(whole: _Whole, trust: Mapping[str, bytes], sealed_by: str) -> Mapping[str, bytes]:
    """The pinned keys with the one that must have sealed; its id, a hash, pins the key in the dossier."""
    seal = whole.sealings[0]
    if seal.key != sealed_by:
        reason = f"is sealed by {seal.key}, not by {sealed_by}, which must have sealed it"
        raise Refused("authenticity", seal.entry.where, reason)
    return {**trust, sealed_by: whole.keys[sealed_by]}


def _authenticity(
    whole: _Whole, trust: Mapping[str, bytes], since: Since | None, sealed_by: str | None
) -> LevelStatus:
    """Step 7."""
    seal, *later = whole.sealings
    if since is not None:
        require_extended(whole.log, since, trust)
    if not trust:
        reason = f"signer not established: pin a key with --trust FILE; it was sealed by {seal.key}"
        return LevelStatus("authenticity", False, reason)
    if seal.key not in trust:
        reason = f"is sealed by {seal.key}, which is none of the pinned keys: another dossier than asked for"
        raise Refused("authenticity", seal.entry.where, reason)
    unpinned = [sealing for sealing in later if sealing.key not in trust]
    if unpinned:
        named = _named([f"{sealing.path} by {sealing.key}" for sealing in unpinned])
        reason = f"later entries by keys that are not pinned: {named}; pin them with --trust FILE"
        return LevelStatus("authenticity", False, reason)
    extends = "whether it is the newest state is not, without --since CHECKPOINT"
    if since is not None:
        extends = f"the log extends the checkpoint of {since.checkpoint.size} entries"
    sealer = f"sealed by the pinned key {seal.key}"
    if sealed_by is None and len(trust) > 1:
        sealer += f", any of the {len(trust)} pinned ones would do without --sealed-by KEY"
    return LevelStatus("authenticity", True, f"{sealer}; {extends}")


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _proof(whole: _Whole, proof: Reproof) -> LevelStatus:
    if not whole.claims:
        return LevelStatus("proof", False, "there are no results in it")
    claimed = [claim.where for claim in whole.claims if _claims_something(claim)]
    if not claimed:
        return LevelStatus("proof", False, f"no result claims anything, {len(whole.claims)} unknown")
    # Counted from the claims: what nobody judged must not drop out of the sum.
    open_ones = set(claimed) - set(proof.reproved)
    parts = [f"{len(claimed) - len(open_ones)} of {len(claimed)} re-proved"]
    if proof.not_reevaluated:
        parts.append(f"{len(proof.not_reevaluated)} not re-evaluated in float32")
    if proof.unclaimed:
        parts.append(f"{len(proof.unclaimed)} unknown")
    detail = ", ".join(parts)
    if open_ones:
        detail += f"; neither re-proved nor re-evaluated: {len(open_ones)}"
    if open_ones & set(proof.not_reevaluated):
        detail += "; `hybrid-ai dossier replay` runs counterexamples in float32"
    return LevelStatus("proof", not open_ones, detail)


def _claims_something(claim: Claim) -> bool:
    return bool(claim.proved or claim.refuted)


def _result(claim: Claim) -> Result:
    return Result(
        statement=claim.where,
        model=claim.model,
        property=claim.property,
        verdict=claim.verdict,
        proved=tuple(name for name in ARITHMETICS if name in claim.proved),
        refuted=tuple(name for name in ARITHMETICS if name in claim.refuted),
        vacuous=claim.vacuous,
    )


def _claim_flags(whole: _Whole) -> list[str]:
    """What is to be said about results that say less than they seem to."""
    if whole.manifest.kind != "certification":
        return []
    vacuous = [claim.where for claim in whole.claims if claim.vacuous]
    flags = []
    if vacuous:
        many = f"{len(vacuous)} of {len(whole.claims)} results"
        flags.append(f"vacuous: the input set of {many} is empty: {_named(vacuous)}")
    if not any(map(_claims_something, whole.claims)):
        flags.append(f"nothing is claimed: none of {len(whole.claims)} results is proved or refuted")
    return flags


def _verifier_flags(manifest: Manifest, own_sha256: str | None) -> list[str]:
    """What is to be said about the verify.py in a dossier; nothing when it is a released or our own one."""
    inside = manifest.files.get(VERIFIER)
    if manifest.kind != "certification" or inside is None:
        return []
    if inside.sha256 == own_sha256 or inside.sha256 in RELEASED.values():
        return []
    return [f"{VERIFIER} in the dossier (SHA-256 {inside.sha256}) is of no released version: do not run it"]
