"""The folder in which a dossier comes into being, under a temporary name and for one process alone."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hybrid_ai.audit.additions import open_dossier
from hybrid_ai.audit.drafts import Signer
from hybrid_ai.audit.log_file import sync_folder
from hybrid_ai.audit.sealing import is_certification
from hybrid_ai.audit.verification.canonical import decode
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.envelope import key_id
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import ENTRIES
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.files import make_folder
from hybrid_ai.pipeline.instances import Layout

PARTIAL = ".partial"
# What `write_atomically` and we begin the names of unfinished files with.
UNFINISHED = ".hybrid-ai-"


@contextmanager
def locked(staging: Path) -> Iterator[None]:
    """Keep a folder for this process alone; made where it is missing, for the eyes of its owner."""
    make_folder(staging.parent, "-o")
    try:
        staging.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        reason = f"is no folder that can be used: {error.strerror}: remove it, or name another"
        raise BadInput(f"-o {staging}: {reason}") from error
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise BadInput(f"-o {staging}: is of another user: name another folder")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The other process may have given it its final name before it let go.
            is_same = staging.exists() and os.path.samestat(os.fstat(descriptor), os.stat(staging))
        except BlockingIOError:
            is_same = False
        if not is_same:
            raise BadInput(f"{staging}: another process writes it: name another folder")
        make_folder(staging, "-o")
        yield
    finally:
        os.close(descriptor)


def earlier_lines(staging: Path) -> list[bytes]:
    """The entries that an interrupted run left; what it left half-done is ended or removed.

    Raises:
        BadInput: the folder holds what no run of ours left, or it is damaged.
    """
    _require_ours(staging)
    for path in sorted(staging.rglob(f"{UNFINISHED}*"), reverse=True):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    try:
        open_container(staging)  # refuses links: none is followed from here on
        if not (staging / ENTRIES).exists():
            return []
        with open_dossier(staging) as dossier:
            return dossier.lines()
    except Refused as error:
        raise BadInput(f"{staging}: {error}: remove it, or name another folder") from error


def _require_ours(staging: Path) -> None:
    """Refuse a folder of the same name that somebody keeps something in: nothing in it is touched.

    Sound because: a run logs what it was asked for before it writes anything but its log.
    """
    log = staging / ENTRIES
    lines = log.read_bytes().split(b"\n")[:-1] if log.is_file() else []
    if is_certification(lines):
        return
    paths = [path.relative_to(staging) for path in staging.rglob("*")]
    kept = {path.as_posix() for path in paths if not any(map(_is_unfinished, path.parts))}
    if not kept <= {ENTRIES, os.path.dirname(ENTRIES)} or len(lines) > 1:  # more than that the log was opened
        reason = "is there, and no interrupted run left it: remove it, or name another folder"
        raise BadInput(f"-o {staging}: {reason}")


def _is_unfinished(name: str) -> bool:
    return name.startswith(UNFINISHED)


def require_same(layout: Layout, lines: Sequence[bytes], staging: Path, signer: Signer) -> None:
    """Raise BadInput where something else was begun in a folder, or somebody else has sealed it."""
    for line in lines:
        entry = decode(line, ENTRIES)
        assert isinstance(entry, dict)
        if entry["action"] == "certify/start" and entry["parameters"]["request"] != layout.request:
            raise BadInput(f"{staging}: holds another certification, interrupted: remove it, or name another")
        if entry["action"] == "dossier/seal" and entry["parameters"]["kind"] != "certification":
            raise BadInput(f"{staging}: is a folder that somebody sealed: remove it, or name another")
        if entry["action"] == "dossier/seal" and entry["parameters"]["key"] != key_id(signer.public_key):
            raise BadInput(f"{staging}: was sealed by the key {entry['parameters']['key']}: give that one")


def rename(staging: Path, output: Path) -> None:
    """Give a sealed dossier its name, and to others the access that the umask leaves them.

    Raises:
        BadInput: it cannot be renamed.
    """
    try:
        # Until now it was for us alone; the folders in it are as the umask has them.
        os.chmod(staging, stat.S_IMODE(os.stat(staging / "evidence").st_mode))
        os.rename(staging, output)
    except OSError as error:
        reason = f"cannot be written: {error.strerror}; all is in {staging}"
        raise BadInput(f"-o {output}: {reason}") from error
    try:
        sync_folder(output.parent)
    except OSError as error:
        reason = f"is there, but its name is perhaps not on disk: {error.strerror}: copy it"
        raise BadInput(f"-o {output}: {reason}") from error
