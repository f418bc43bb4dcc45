"""The entries of a log as lines of canonical JSON (docs/formats/dossier.md, section 4)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.log import LINE_LIMIT, LOG_FORMAT, LOG_VERSION, OPENING

_NUMBER_LENGTH = len('"sequence":') + 16  # of a number within +-(2^53 - 1), signs and commas left out
_ACTION = re.compile(r"[a-z0-9._/-]{1,100}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileDigest:
    """A file that an entry names.

    Attributes:
        name: of the file, not empty; a name, not the path it has on this machine.
        sha256: of its bytes, 64 lower-case hexadecimal digits (``sha256_of``).

    Raises:
        AuditError: when one of them is something else.
    """

    name: str
    sha256: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise AuditError(f"the name of a file is {self.name!a}: give a text that is not empty")
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise AuditError(
                f"{self.name!a}: sha256 is {self.sha256!a}: give 64 lower-case hexadecimal digits"
            )


@dataclass(frozen=True)
class Line:
    """An entry that lacks its number: canonical JSON without line feed, in two parts.

    Attributes:
        head: up to and with the comma before the member `sequence`.
        tail: from the comma after it.
    """

    head: bytes
    tail: bytes

    def numbered(self, sequence: int) -> bytes:
        """The entry with its number, without line feed."""
        return b'%b"sequence":%d%b' % (self.head, sequence, self.tail)


def new_id() -> str:
    """A random identity for a log or a writer: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def sha256_of(path: Path) -> str:
    """Compute the SHA-256 of a file of any size, 64 lower-case hexadecimal digits.

    Raises:
        OSError: when it cannot be read.
    """
    with open(path, "rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def entry_line(
    action: str,
    *,
    time: str,
    run: str,
    inputs: Iterable[FileDigest] = (),
    outputs: Iterable[FileDigest] = (),
    parameters: Mapping[str, object] | None = None,
    versions: Mapping[str, object] | None = None,
    verdict: str | None = None,
    actor: str | None = None,
    host: str | None = None,
) -> Line:
    """Write an entry; what is None or an empty list of files is left out.

    Args:
        action: what was done, 1 to 100 characters of `a-z 0-9 . _ / -`.
        time: when, RFC 3339, UTC, whole milliseconds.
        run: 32 hexadecimal digits.
        inputs: files that were read.
        outputs: files that were written.
        parameters: JSON values by name.
        versions: of what took part, JSON values by name.
        verdict: text that is not empty.
        actor: who did it, text that is not empty.
        host: where, text that is not empty.

    Raises:
        AuditError: an argument is not of that form, or holds what has no JSON form (NaN, bytes, ...); or the
            entry is longer than 1 MiB.
    """
    if not isinstance(action, str) or not _ACTION.fullmatch(action):
        raise AuditError(f"the action is {action!a}: give 1 to 100 characters of a-z 0-9 . _ / -")
    texts = {"actor": actor, "host": host, "verdict": verdict}
    objects = {"parameters": parameters, "versions": versions}
    files = {"inputs": _files(inputs), "outputs": _files(outputs)}
    _require_forms(texts, objects)
    members = {"action": action, "run": run, "time": time, **texts, **objects, **files}
    kept = {name: value for name, value in members.items() if value not in (None, [])}
    try:
        # Members are sorted by name: the number, known only under the lock, stands between these two.
        head = encode({name: value for name, value in kept.items() if name < "sequence"})
        tail = encode({name: value for name, value in kept.items() if name > "sequence"})
    except (TypeError, ValueError) as error:
        raise AuditError(f"the entry {action} cannot be written: {error}") from error
    if len(head) + len(tail) + _NUMBER_LENGTH > LINE_LIMIT:
        raise AuditError(
            f"the entry {action} has more than {LINE_LIMIT} bytes: name a file with its digest instead"
        )
    return Line(head[:-1] + b",", b"," + tail[1:])


def opening_line(log: str, *, time: str, run: str, actor: str | None, host: str | None) -> Line:
    """Write the first entry of a log: its format, version and id (32 hexadecimal digits)."""
    parameters = {"format": LOG_FORMAT, "log": log, "version": LOG_VERSION}
    return entry_line(OPENING, time=time, run=run, parameters=parameters, actor=actor, host=host)


def _require_forms(texts: Mapping[str, object], objects: Mapping[str, object]) -> None:
    for name, text in texts.items():
        if text is not None and (not isinstance(text, str) or not text):
            raise AuditError(f"{name} is {text!a}: give a text that is not empty, or None")
    for name, value in objects.items():
        if value is not None and not isinstance(value, Mapping):
            raise AuditError(f"{name} is a {type(value).__name__}: give a mapping, or None")


def _files(files: Iterable[FileDigest]) -> list[dict[str, str]]:
    listed = list(files)
    for file in listed:
        if not isinstance(file, FileDigest):
            raise AuditError(f"a file is given as {type(file).__name__}: give FileDigest(name, sha256)")
    return [{"name": file.name, "sha256": file.sha256} for file in listed]
