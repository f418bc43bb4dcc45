"""What the options of a command line name: pinned keys, the key that sealed, an earlier checkpoint."""

import re
from collections.abc import Iterable
from pathlib import Path

from hybrid_ai.audit.verification.checkpoint import read_checkpoint
from hybrid_ai.audit.verification.keys import KEY_FILE_LIMIT, read_trust
from hybrid_ai.audit.verification.log import NOTE_LIMIT
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.since import Since

_KEY_ID = re.compile("[0-9a-f]{64}")


class BadUsage(Exception):
    """What was asked for makes no sense, or cannot be read; says what."""


def read_trust_files(paths: Iterable[Path]) -> dict[str, bytes]:
    """Read the keys that `--trust` names.

    Args:
        paths: files of public keys in PEM.

    Returns:
        The keys of all of them, 32 bytes each, by key id.

    Raises:
        BadUsage: a file cannot be read or holds something else.
    """
    trust: dict[str, bytes] = {}
    for path in paths:
        trust |= _read_trust(path, "--trust")
    return trust


def read_sealer(given: str) -> str:
    """Read the key id that `--sealed-by` names.

    Args:
        given: a key id, or the name of a file with one public key in PEM.

    Raises:
        BadUsage: it is neither, or the file cannot be read.
    """
    if _KEY_ID.fullmatch(given):
        return given
    if not Path(given).is_file():
        raise BadUsage(
            f"--sealed-by {given}: is neither a key id (64 of 0-9 a-f) nor a file that can be read"
        )
    keys = _read_trust(Path(given), "--sealed-by")
    if len(keys) != 1:
        raise BadUsage(f"--sealed-by {given}: holds {len(keys)} keys; give the one that must have sealed")
    return next(iter(keys))


def read_since(path: Path) -> Since:
    """Read the checkpoint that `--since` names; it is not believed yet (`require_pinned`).

    Raises:
        BadUsage: the file cannot be read or holds something else.
    """
    try:
        return Since(*read_checkpoint(_read(path, NOTE_LIMIT), str(path)), str(path))
    except Refused as error:
        raise BadUsage(f"--since: {error}") from error


def _read_trust(path: Path, option: str) -> dict[str, bytes]:
    try:
        return read_trust(_read(path, KEY_FILE_LIMIT), str(path))
    except Refused as error:
        raise BadUsage(f"{option}: {error}") from error


def _read(path: Path, limit: int) -> bytes:
    if not path.is_file():
        raise BadUsage(f"{path}: is no file that can be read: check the path")
    try:
        with open(path, "rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise BadUsage(f"{path}: cannot be read: {error.strerror}: check the path") from error
    if len(data) > limit:
        raise BadUsage(f"{path}: has more than {limit} bytes")
    return data
