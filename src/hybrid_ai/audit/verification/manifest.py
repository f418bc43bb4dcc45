"""The manifest: every file that a dossier had when it was sealed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from hybrid_ai.audit.verification.canonical import decode_canonical
from hybrid_ai.audit.verification.container import Container
from hybrid_ai.audit.verification.fields import as_list, as_object, as_sha256, as_text
from hybrid_ai.audit.verification.log import is_identifier
from hybrid_ai.audit.verification.names import FILE_SIZE_LIMIT, FILES_LIMIT, require_portable
from hybrid_ai.audit.verification.rejected import Refused

MANIFEST = "dossier.json"
MANIFEST_FORMAT, MANIFEST_VERSION = "hybrid-ai-dossier", 1
MANIFEST_LIMIT = 1 << 26
KINDS = ("certification", "folder")

_UNLISTED = ("trace/", "keys/", "pending/")
_MEMBERS = frozenset({"format", "version", "kind", "log", "files"})
_FILE_MEMBERS = frozenset({"bytes", "path", "sha256"})


@dataclass(frozen=True, slots=True)
class ListedFile:
    """Size in bytes and SHA-256, hexadecimal, of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a dossier is.

    Attributes:
        kind: "certification" or "folder".
        log: id of the log, 32 hexadecimal digits.
        files: by path, in the order of paths.
        digest: the dossier's digest, hexadecimal.
    """

    kind: str
    log: str
    files: Mapping[str, ListedFile]
    digest: str


def read_manifest(data: bytes) -> Manifest:
    """Read `dossier.json`.

    Args:
        data: its bytes.

    Raises:
        Refused: "integrity", for what is not canonical JSON of section 3 of the format page.
    """
    fields = as_object(decode_canonical(data, MANIFEST), _MEMBERS, MANIFEST)
    version = fields["version"]
    if fields["format"] != MANIFEST_FORMAT:
        raise Refused("integrity", MANIFEST, f"its format is not {MANIFEST_FORMAT!r}")
    if isinstance(version, bool) or version != MANIFEST_VERSION:
        raise Refused("integrity", MANIFEST, "is of another version; take a verifier of that version")
    kind, log = as_text(fields["kind"], f"{MANIFEST}: kind"), as_text(fields["log"], f"{MANIFEST}: log")
    if kind not in KINDS:
        raise Refused("integrity", f"{MANIFEST}: kind", f"must be one of {', '.join(KINDS)}")
    if not is_identifier(log):
        raise Refused("integrity", f"{MANIFEST}: log", "must be 32 lower-case hexadecimal digits")
    return Manifest(kind, log, _read_files(fields["files"]), hashlib.sha256(data).hexdigest())


def require_files(container: Container, manifest: Manifest) -> None:
    """Require that every file that a manifest lists is there, with its size and SHA-256.

    Raises:
        Refused: "integrity", naming the first that is not.
        OSError: when one cannot be read.
    """
    for path, listed in manifest.files.items():
        if container.size(path) != listed.size:
            raise Refused("integrity", path, f"has {container.size(path)} bytes instead of {listed.size}")
        if container.sha256(path) != listed.sha256:
            raise Refused("integrity", path, "was changed: its SHA-256 is not that of the manifest")


def _read_files(value: object) -> dict[str, ListedFile]:
    files: dict[str, ListedFile] = {}
    previous = ""
    for number, item in enumerate(as_list(value, f"{MANIFEST}: files", most=FILES_LIMIT)):
        where = f"{MANIFEST}: files[{number}]"
        fields = as_object(item, _FILE_MEMBERS, where)
        path, size = as_text(fields["path"], f"{where}: path"), fields["bytes"]
        require_portable(path)
        if path == MANIFEST or path.startswith(_UNLISTED):
            raise Refused("integrity", where, f"{path} has no place in the manifest")
        if path <= previous:
            raise Refused("integrity", where, f"{path} is listed twice or out of order")
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= FILE_SIZE_LIMIT:
            raise Refused("integrity", f"{where}: bytes", f"must be a number from 0 to {FILE_SIZE_LIMIT}")
        files[path] = ListedFile(size, as_sha256(fields["sha256"], f"{where}: sha256"))
        previous = path
    return files
