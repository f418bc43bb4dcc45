"""The log: what was done, entry by entry, and the signed checkpoints that fix it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from hybrid_ai.audit.verification.canonical import decode_canonical
from hybrid_ai.audit.verification.checkpoint import Checkpoint, Note, read_checkpoint, signed_by
from hybrid_ai.audit.verification.fields import as_object, as_sha256, as_text
from hybrid_ai.audit.verification.merkle import EMPTY_ROOT, Frontier, leaf_hash
from hybrid_ai.audit.verification.rejected import Refused

LOG_FORMAT, LOG_VERSION = "hybrid-ai-trace", 1
ORIGIN = "hybrid-ai.log/"
OPENING = "log/open"
LINE_LIMIT = 1 << 20
ENTRIES_LIMIT = 1_000_000
NOTE_LIMIT = 1 << 16
ENTRIES_SIZE_LIMIT = 1 << 29
NAMED_LIMIT = 10_000

_REQUIRED = frozenset({"sequence", "time", "run", "action"})
_OPTIONAL = frozenset({"inputs", "outputs", "parameters", "versions", "verdict", "actor", "host"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_IDENTIFIER = re.compile("[0-9a-f]{32}")
_ACTION = re.compile("[a-z0-9._/-]{1,100}")
_NOTE_NAME = re.compile(r"([0-9]{12})\.note")
# Parameters of other actions may be many and large, and nobody here looks into them.
_KEPT = frozenset({OPENING, "dossier/seal", "dossier/attach", "dossier/sign"})
_KEPT_LIMIT = 8
_NAMED = frozenset({"name", "sha256"})


@dataclass(frozen=True, slots=True)
class NamedDigest:
    """A file that an entry names: its name and SHA-256, hexadecimal."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done.

    Attributes:
        sequence: its number, from 0.
        time: when it was appended, as its writer's clock said (``is_time``).
        run: of its writer, 32 hexadecimal digits.
        action: what was done.
        inputs, outputs: files.
        parameters: of `log/open` and sealing entries, texts and numbers; of others they are read
            and forgotten.
        verdict: what came out, or None.
    """

    sequence: int
    time: str
    run: str
    action: str
    inputs: tuple[NamedDigest, ...]
    outputs: tuple[NamedDigest, ...]
    parameters: Mapping[str, object]
    verdict: str | None

    @property
    def where(self) -> str:
        """Its place, for errors."""
        return f"trace/entries.jsonl: entry {self.sequence}"


@dataclass(frozen=True)
class Log:
    """Entries, and the roots of the Merkle trees over their beginnings.

    Attributes:
        identifier: 32 hexadecimal digits.
        entries: at least one.
        roots: of the first n entries, 32 bytes, for n from 0 to their number.
    """

    identifier: str
    entries: tuple[Entry, ...]
    roots: tuple[bytes, ...]

    @property
    def origin(self) -> str:
        """What its checkpoints say that they are about."""
        return ORIGIN + self.identifier


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint of a log by itself that fits the log.

    Attributes:
        size: entries that it counts.
        signers: key ids of the known keys that signed it; empty says that nobody known did.
    """

    size: int
    signers: tuple[str, ...]


def is_time(text: str) -> bool:
    """Say whether a text is a time as evidence writes it: RFC 3339, UTC, whole milliseconds."""
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_identifier(text: str) -> bool:
    """Say whether a text names a log or a run: 32 lower-case hexadecimal digits."""
    return _IDENTIFIER.fullmatch(text) is not None


def read_log(entries: bytes | BinaryIO, where: str) -> Log:
    """Read a log's entries; whether they are the true ones, checkpoints say.

    Args:
        entries: one entry a line.
        where: file, for the error.

    Raises:
        Refused: "integrity", for a line that is not canonical JSON, a member that is missing, unknown or
            malformed, a gap in the numbers, another first entry than one that opens a log, a last line
            without line feed, a line of more than `LINE_LIMIT` bytes, more than `ENTRIES_LIMIT` lines or
            `ENTRIES_SIZE_LIMIT` bytes, or an entry with more than `NAMED_LIMIT` inputs or outputs.

    Source: section 4 of the format page.
    """
    found: list[Entry] = []
    tree = Frontier()
    roots = [EMPTY_ROOT]
    for number, line in enumerate(_lines(BytesIO(entries) if isinstance(entries, bytes) else entries, where)):
        found.append(read_entry(line, number, f"{where}: entry {number}"))
        tree.append(leaf_hash(line))
        roots.append(tree.root())
    if not found:
        raise Refused("integrity", where, "is empty; a log begins with the entry log/open")
    return Log(_opened(found, where), tuple(found), tuple(roots))


def require_fits(checkpoint: Checkpoint, log: Log, where: str) -> None:
    """Require that a checkpoint is one of a log.

    Args:
        checkpoint: whose signature is verified elsewhere.
        log: from ``read_log``.
        where: file, for the error.

    Raises:
        Refused: "integrity", for another log's origin, more entries than there are, or another root.
    """
    if checkpoint.origin != log.origin:
        raise Refused("integrity", where, f"is of {checkpoint.origin[:100]!a}, the log is {log.origin!r}")
    if checkpoint.size > len(log.entries):
        count = len(log.entries)
        raise Refused(
            "integrity", where, f"counts {checkpoint.size} entries, the log has {count}: it was cut"
        )
    if checkpoint.root != log.roots[checkpoint.size]:
        raise Refused("integrity", where, f"its root is not that of the first {checkpoint.size} entries")


def checkpoint_name(size: int) -> str:
    """Write the name of a checkpoint's file, without folder, for a number of entries."""
    return f"{size:012}.note"


def checkpoint_size(name: str, where: str) -> int:
    """Read the number of entries off the name of a checkpoint's file.

    Args:
        name: SIZE.note, without folder.
        where: file, for the error.

    Raises:
        Refused: "integrity".
    """
    parts = _NOTE_NAME.fullmatch(name)
    if parts is None:
        raise Refused("integrity", where, "a checkpoint's name is its size in twelve digits and .note")
    return int(parts[1])


def read_fitting(data: bytes, name: str, log: Log, where: str) -> tuple[Checkpoint, Note]:
    """Read a checkpoint that has the size of its name and fits a log; raises as the parts do."""
    checkpoint, note = read_checkpoint(data, where)
    if checkpoint.size != checkpoint_size(name, where):
        raise Refused("integrity", where, f"counts {checkpoint.size} entries, which is not its name")
    require_fits(checkpoint, log, where)
    return checkpoint, note


def verify_log(
    entries: Path, checkpoints: Path | None, keys: Mapping[str, bytes]
) -> tuple[Log, tuple[SignedCheckpoint, ...]]:
    """Verify a log by itself, outside a dossier.

    Args:
        entries: file of entries.
        checkpoints: folder of SIZE.note files, or None.
        keys: known public keys, 32 bytes each, by key id.

    Returns:
        The log, and its checkpoints by size. What comes after the last one that a known key signed, and all
        where there is none, is as its last writer left it.

    Raises:
        Refused: "integrity", as ``read_log`` does, and for a checkpoint that does not fit or that carries a
            known key's name and a signature that is not valid.
        OSError: when a file cannot be read.
    """
    with open(entries, "rb") as stream:
        log = read_log(stream, entries.name)
    found: list[SignedCheckpoint] = []
    for path in sorted(checkpoints.iterdir()) if checkpoints is not None else []:
        if not path.is_file():
            raise Refused("integrity", path.name, "is no file; move it out of the folder of checkpoints")
        with open(path, "rb") as stream:
            data = stream.read(NOTE_LIMIT + 1)
        if len(data) > NOTE_LIMIT:
            raise Refused("integrity", path.name, f"has more than {NOTE_LIMIT} bytes")
        checkpoint, note = read_fitting(data, path.name, log, path.name)
        found.append(SignedCheckpoint(checkpoint.size, known_signers(note, keys, path.name)))
    return log, tuple(found)


def known_signers(note: Note, keys: Mapping[str, bytes], where: str) -> tuple[str, ...]:
    """Verify the signatures of known keys on a note; those under other names are passed over.

    Args:
        note: whose signers are named by key ids.
        keys: 32 bytes each, by key id.
        where: file, for the error.

    Returns:
        Key ids, in the note's order.

    Raises:
        Refused: "integrity", when a signature under a known key's name is not valid.
    """
    signers = []
    for name in dict.fromkeys(entry.name for entry in note.signatures):
        if name not in keys:
            continue
        if not signed_by(note, name, keys[name]):
            raise Refused("integrity", where, f"the signature of the key {name} is not valid")
        signers.append(name)
    return tuple(signers)


def _lines(stream: BinaryIO, where: str) -> Iterator[bytes]:
    """The lines without their line feeds."""
    number = size = 0
    while line := stream.readline(LINE_LIMIT + 1):
        if not line.endswith(b"\n"):
            reason = f"has more than {LINE_LIMIT} bytes" if len(line) > LINE_LIMIT else "has no line feed"
            raise Refused("integrity", f"{where}: entry {number}", f"{reason}: it was cut off or damaged")
        if number >= ENTRIES_LIMIT:
            raise Refused("integrity", where, f"has more than {ENTRIES_LIMIT} entries")
        size += len(line)
        if size > ENTRIES_SIZE_LIMIT:
            raise Refused("integrity", where, f"has more than {ENTRIES_SIZE_LIMIT} bytes")
        yield line[:-1]
        number += 1


def read_entry(line: bytes, number: int, where: str) -> Entry:
    """Read an entry.

    Args:
        line: without its line feed.
        number: that it must have, from 0.
        where: its place, for the error.

    Raises:
        Refused: "integrity", as ``read_log`` does.

    Source: section 4 of the format page.
    """
    fields = as_object(decode_canonical(line, where), _REQUIRED, where, optional=_OPTIONAL)
    sequence = fields["sequence"]
    if isinstance(sequence, bool) or sequence != number:
        raise Refused(
            "integrity", where, f"its sequence is {str(sequence)[:40]}; entries are missing or moved"
        )
    time, run = as_text(fields["time"], f"{where}: time"), as_text(fields["run"], f"{where}: run")
    action = as_text(fields["action"], f"{where}: action")
    if not is_time(time):
        raise Refused("integrity", f"{where}: time", "must be RFC 3339 in UTC with three digits of seconds")
    if not is_identifier(run):
        raise Refused("integrity", f"{where}: run", "must be 32 lower-case hexadecimal digits")
    if not _ACTION.fullmatch(action):
        raise Refused("integrity", f"{where}: action", "must be 1 to 100 characters of a-z 0-9 . _ / -")
    for name in ("verdict", "actor", "host"):
        if name in fields:
            as_text(fields[name], f"{where}: {name}")
    for name in ("parameters", "versions"):
        if not isinstance(fields.get(name, {}), dict):
            raise Refused("integrity", f"{where}: {name}", "must be an object")
    parameters, verdict = fields.get("parameters", {}), fields.get("verdict")
    assert isinstance(parameters, dict) and (verdict is None or isinstance(verdict, str))  # as seen above
    if action not in _KEPT:
        parameters = {}
    elif len(parameters) > _KEPT_LIMIT or not all(
        isinstance(value, str | int) for value in parameters.values()
    ):
        # Nested values would take many times the memory of the line.
        reason = f"must be at most {_KEPT_LIMIT} texts and numbers"
        raise Refused("integrity", f"{where}: parameters", reason)
    inputs, outputs = (_named(fields.get(name, []), f"{where}: {name}") for name in ("inputs", "outputs"))
    return Entry(number, time, run, action, inputs, outputs, parameters, verdict)


def _named(value: object, where: str) -> tuple[NamedDigest, ...]:
    if not isinstance(value, list):
        raise Refused("integrity", where, "must be an array")
    if len(value) > NAMED_LIMIT:
        raise Refused("integrity", where, f"has {len(value)} files; at most {NAMED_LIMIT} are allowed")
    files = []
    for number, item in enumerate(value):
        fields = as_object(item, _NAMED, f"{where}[{number}]")
        name = as_text(fields["name"], f"{where}[{number}]: name")
        files.append(NamedDigest(name, as_sha256(fields["sha256"], f"{where}[{number}]: sha256")))
    return tuple(files)


def _opened(entries: list[Entry], where: str) -> str:
    """The log's id, from its first entry."""
    first, place = entries[0], f"{where}: entry 0"
    if first.action != OPENING:
        raise Refused("integrity", place, f"must be {OPENING!r}, is {first.action!r}")
    fields = as_object(first.parameters, frozenset({"format", "version", "log"}), f"{place}: parameters")
    version = fields["version"]
    if fields["format"] != LOG_FORMAT or isinstance(version, bool) or version != LOG_VERSION:
        raise Refused("integrity", place, f"must be of the format {LOG_FORMAT!r}, version {LOG_VERSION}")
    identifier = as_text(fields["log"], f"{place}: log")
    if not is_identifier(identifier):
        raise Refused("integrity", f"{place}: log", "must be 32 lower-case hexadecimal digits")
    for entry in entries[1:]:
        if entry.action == OPENING:
            raise Refused("integrity", f"{where}: entry {entry.sequence}", "opens the log a second time")
    return identifier
