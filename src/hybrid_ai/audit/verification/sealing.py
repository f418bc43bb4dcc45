"""The entries of a log that seal a dossier, or add to it: what they say, and the checkpoints after them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hybrid_ai.audit.verification.container import Container
from hybrid_ai.audit.verification.envelope import key_id
from hybrid_ai.audit.verification.fields import as_object, as_sha256, as_text
from hybrid_ai.audit.verification.keys import KEY_FILE_LIMIT, read_key_file
from hybrid_ai.audit.verification.log import (
    NOTE_LIMIT,
    Entry,
    Log,
    checkpoint_name,
    known_signers,
    read_fitting,
)
from hybrid_ai.audit.verification.names import require_portable
from hybrid_ai.audit.verification.rejected import Refused

ROLES = ("author", "verifier", "reviewer", "approver")
ENTRIES = "trace/entries.jsonl"
CHECKPOINTS = "trace/checkpoints/"
KEYS = "keys/"
SEAL, ATTACH, SIGN = "dossier/seal", "dossier/attach", "dossier/sign"

_COMMON = frozenset({"key", "manifest"})
_PARAMETERS = {
    SEAL: _COMMON | {"kind"},
    ATTACH: _COMMON | {"original", "note"},
    SIGN: _COMMON | {"role"},
}
_ATTACHMENT = re.compile("attachments/[0-9]{4}/[^/]+")
_SIGNATURE = re.compile("signatures/[0-9]{4}-([a-z]+)[.]dsse[.]json")


@dataclass(frozen=True)
class Sealing:
    """A sealing entry.

    Attributes:
        entry: of the log.
        action: what it does.
        key: key id of its signer.
        manifest: the dossier's digest as it says, hexadecimal.
        kind: of the dossier, with `dossier/seal`, else "".
        path, sha256: of what it adds: path in the dossier, and SHA-256 of an attached file or of a
            signature's payload; "" with `dossier/seal`.
        role: with `dossier/sign`, else "".
    """

    entry: Entry
    action: str
    key: str
    manifest: str
    kind: str = ""
    path: str = ""
    sha256: str = ""
    role: str = ""


def checkpoint_path(size: int) -> str:
    """The path in a dossier of the checkpoint over a number of entries."""
    return CHECKPOINTS + checkpoint_name(size)


def read_sealings(log: Log) -> tuple[Sealing, ...]:
    """Read the sealing entries of a dossier's log: the seal, then what was added to it.

    Raises:
        Refused: "integrity", for a sealing entry that is malformed, none or two seals, something added before
            the seal, a last entry that is no sealing one, or a path that two entries add.
    """
    sealings = tuple(_read_sealing(entry) for entry in log.entries if entry.action in _PARAMETERS)
    last = log.entries[-1]
    if last.action not in _PARAMETERS:
        reason = "ends the log, but is not signed: only `hybrid-ai dossier attach` and `sign` append to it"
        if sealings:
            signed = sealings[-1].entry.sequence
            reason += f"; remove the lines after entry {signed}, and attach a log of your own as a file"
        raise Refused("integrity", last.where, reason)
    paths: set[str] = set()
    for number, sealing in enumerate(sealings):
        if (sealing.action == SEAL) != (number == 0):
            raise Refused("integrity", sealing.entry.where, "there must be one seal, before all additions")
        if sealing.path in paths:
            raise Refused("integrity", sealing.entry.where, f"adds {sealing.path}, which is there already")
        paths.add(sealing.path)
    return sealings


def require_checkpoints(container: Container, log: Log, sealings: tuple[Sealing, ...]) -> dict[str, bytes]:
    """Require a checkpoint after each sealing entry, signed by the key that it names, and none elsewhere.

    Returns:
        The keys that signed, 32 bytes each, by key id.

    Raises:
        Refused: "integrity", naming the file at fault.
        OSError: when a file cannot be read.

    Sound because: the root is that of the entries read, so each signature is over all of them up to there;
    one signature and no other stands in the file, so nobody without the key can change a byte of it.
    """
    keys: dict[str, bytes] = {}
    expected = set()
    for sealing in sealings:
        name = checkpoint_path(sealing.entry.sequence + 1)
        expected.add(name)
        if sealing.key not in keys:
            keys[sealing.key] = _read_key(container, sealing.key)
        _, note = read_fitting(container.read(name, NOTE_LIMIT), name.removeprefix(CHECKPOINTS), log, name)
        if len(note.signatures) != 1 or known_signers(note, keys, name) != (sealing.key,):
            raise Refused("integrity", name, f"must be signed by the key {sealing.key} and no other")
    for name in container.names():
        if name.startswith(CHECKPOINTS) and name not in expected:
            raise Refused("integrity", name, "there is no sealing entry at its size")
    return keys


def require_all_used(container: Container, keys: Mapping[str, bytes]) -> None:
    """Require that every key file is one of a key that signed.

    Raises:
        Refused: "integrity".
    """
    used = {_key_path(name) for name in keys}
    for name in container.names():
        if name.startswith(KEYS) and name not in used:
            raise Refused("integrity", name, "is a key that signed nothing")


def _key_path(name: str) -> str:
    return f"{KEYS}{name}.pem"


def _read_key(container: Container, name: str) -> bytes:
    path = _key_path(name)
    key = read_key_file(container.read(path, KEY_FILE_LIMIT), path)
    if key_id(key) != name:
        raise Refused("integrity", path, f"holds the key {key_id(key)}")
    return key


def _read_sealing(entry: Entry) -> Sealing:
    where = f"{entry.where}: parameters"
    fields = as_object(entry.parameters, _PARAMETERS[entry.action], where)
    key = as_sha256(fields["key"], f"{where}: key")
    manifest = as_sha256(fields["manifest"], f"{where}: manifest")
    if entry.action == SEAL:
        if entry.outputs:
            raise Refused("integrity", entry.where, "a seal has no outputs; the manifest lists the files")
        return Sealing(entry, SEAL, key, manifest, kind=as_text(fields["kind"], f"{where}: kind"))
    if len(entry.outputs) != 1:
        raise Refused("integrity", entry.where, "must have one output: the file that it adds")
    path, sha256 = entry.outputs[0].name, entry.outputs[0].sha256
    require_portable(path)
    if entry.action == ATTACH:
        as_text(fields["original"], f"{where}: original")
        as_text(fields["note"], f"{where}: note", may_be_empty=True)
        if not _ATTACHMENT.fullmatch(path):
            raise Refused("integrity", entry.where, f"attaches {path}, which is not attachments/NNNN/NAME")
        return Sealing(entry, ATTACH, key, manifest, path=path, sha256=sha256)
    role = as_text(fields["role"], f"{where}: role")
    parts = _SIGNATURE.fullmatch(path)
    if role not in ROLES:
        raise Refused("integrity", f"{where}: role", f"must be one of {', '.join(ROLES)}, is {role[:40]!a}")
    if parts is None or parts[1] != role:
        raise Refused("integrity", entry.where, f"adds {path}, which is not signatures/NNNN-{role}.dsse.json")
    return Sealing(entry, SIGN, key, manifest, path=path, sha256=sha256, role=role)
