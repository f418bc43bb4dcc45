"""Who signed what: the additions to a dossier, and how their signers differ from one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from hybrid_ai.audit.verification.sealing import Sealing
from hybrid_ai.audit.verification.signing import RoleSignature

NAMED = 8  # files named in one line; the rest is counted


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
        seals: whether that key sealed the dossier.
        same_key: paths of the other signatures in a role by that key, at most NAMED + 1, with `dossier/sign`.
        same_organisation: likewise of signatures by other keys that declare the same organisation.
    """

    sequence: int
    time: str
    action: str
    path: str
    key: str
    pinned: bool
    role: str | None
    signature: RoleSignature | None
    seals: bool
    same_key: tuple[str, ...]
    same_organisation: tuple[str, ...]


def find_additions(
    sealings: Sequence[Sealing], signatures: Mapping[str, RoleSignature], trust: Mapping[str, bytes]
) -> tuple[Addition, ...]:
    """Describe what was added to a dossier, in the order of the log.

    Args:
        sealings: its sealing entries, the seal first.
        signatures: those in a role, by path.
        trust: pinned public keys by key id.
    """
    signers = _grouped(sealings, signatures)
    seal, *later = sealings
    return tuple(_addition(sealing, seal.key, signatures, signers, trust) for sealing in later)


def shared_key_flags(sealings: Sequence[Sealing]) -> list[str]:
    """A flag for each key in two roles; who sealed is an author, signed so or not.

    Args:
        sealings: of a dossier, the seal first.
    """
    sealer = sealings[0].key
    roles: dict[str, list[str]] = {sealer: ["author"]}
    for sealing in sealings:
        if sealing.role and sealing.role not in roles.setdefault(sealing.key, []):
            roles[sealing.key].append(sealing.role)
    return [
        f"one key in {len(held)} roles: {key} "
        f"{'sealed as author and signed' if key == sealer else f'signed as {held[0]} and'} as "
        f"{' and as '.join(held[1:])}"
        for key, held in roles.items()
        if len(held) > 1
    ]


@dataclass(frozen=True)
class _Signers:
    """Paths of the signatures in a role, by key id; and by declared organisation, then key id."""

    by_key: Mapping[str, list[str]]
    by_organisation: Mapping[str, Mapping[str, list[str]]]


def _grouped(sealings: Sequence[Sealing], signatures: Mapping[str, RoleSignature]) -> _Signers:
    by_key: dict[str, list[str]] = {}
    by_organisation: dict[str, dict[str, list[str]]] = {}
    for sealing in sealings:
        if sealing.role:
            by_key.setdefault(sealing.key, []).append(sealing.path)
            declared = _organisation(signatures[sealing.path])
            if declared is not None:
                by_organisation.setdefault(declared, {}).setdefault(sealing.key, []).append(sealing.path)
    return _Signers(by_key, by_organisation)


def _addition(
    sealing: Sealing,
    sealer: str,
    signatures: Mapping[str, RoleSignature],
    signers: _Signers,
    trust: Mapping[str, bytes],
) -> Addition:
    said = signatures.get(sealing.path)
    declared = _organisation(said)
    declaring = {} if declared is None else signers.by_organisation[declared]
    signed = signers.by_key[sealing.key] if said is not None else []
    same_key = (path for path in signed if path != sealing.path)
    same_organisation = (path for key, paths in declaring.items() if key != sealing.key for path in paths)
    return Addition(
        sequence=sealing.entry.sequence,
        time=sealing.entry.time,
        action=sealing.action,
        path=sealing.path,
        key=sealing.key,
        pinned=sealing.key in trust,
        role=sealing.role or None,
        signature=said,
        seals=sealing.key == sealer,
        # Cut off, or thousands of signatures would name each other.
        same_key=tuple(islice(same_key, NAMED + 1)),
        same_organisation=tuple(islice(same_organisation, NAMED + 1)),
    )


def _organisation(said: RoleSignature | None) -> str | None:
    """The declared organisation for comparison: case and spaces make no other one."""
    if said is None or said.organisation is None:
        return None
    return " ".join(said.organisation.casefold().split())
