"""Ed25519 keys in files: made, listed, read."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.verification.envelope import key_id

PRIVATE_SUFFIX = ".pem"
PUBLIC_SUFFIX = ".pub.pem"
SHORTEST_PASSPHRASE = 12

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_SIZE_LIMIT = 2**16
_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


class KeyRefused(AuditError):
    """A key cannot be made or used.

    Args:
        file: of the key.
        reason: what is wrong.
        remedy: what to do about it.
    """

    def __init__(self, file: Path, reason: str, remedy: str) -> None:
        # All arguments go to the base, so that the error survives a trip between processes.
        super().__init__(file, reason, remedy)
        self.file = file
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}; {self.remedy}"


class WrongPassphrase(KeyRefused):
    """The passphrase does not open the key."""


class ShortPassphrase(KeyRefused):
    """The passphrase of a new key is too short."""


class NotEd25519(KeyRefused):
    """The file holds no Ed25519 key of the expected form."""


class ExposedKey(KeyRefused):
    """Others than its owner may read the private key."""


class BadKeyName(KeyRefused):
    """The name is not one for a key."""


class KeyExists(KeyRefused):
    """There is a file of that name already."""


class UnreadableKey(KeyRefused):
    """The file is missing or cannot be read or written."""


@dataclass(frozen=True)
class PublicKey:
    """A public key: its 32 raw bytes (RFC 8032, section 5.1.5)."""

    raw: bytes

    @property
    def key_id(self) -> str:
        """Its name: SHA-256 of the raw bytes, hexadecimal."""
        return key_id(self.raw)

    @property
    def pem(self) -> bytes:
        """PEM of SubjectPublicKeyInfo (RFC 8410, section 4)."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Signer:
    """A private key that was opened; it never shows the key itself."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public = _public_of(key)

    @property
    def public_key(self) -> bytes:
        """The public key's 32 raw bytes."""
        return self._public.raw

    @property
    def key_id(self) -> str:
        """SHA-256 of the public key's raw bytes, hexadecimal."""
        return self._public.key_id

    @property
    def public_pem(self) -> bytes:
        """The public key as PEM of SubjectPublicKeyInfo."""
        return self._public.pem

    def sign(self, message: bytes) -> bytes:
        """Sign a message: 64 bytes (RFC 8032, section 5.1.6)."""
        return self._key.sign(message)


def create_key(folder: Path, name: str, passphrase: str) -> PublicKey:
    """Make a key: NAME.pem, encrypted and for its owner's eyes alone, and NAME.pub.pem.

    Args:
        folder: where both are written; must exist.
        name: 1 to 100 characters of `A-Z a-z 0-9 . _ -`, no dot at the front, not ending in ".pub".
        passphrase: at least ``SHORTEST_PASSPHRASE`` characters.

    Raises:
        BadKeyName: the name has other characters.
        ShortPassphrase: the passphrase is too short.
        KeyExists: one of the files is there already; nothing was written.
        UnreadableKey: the folder cannot be written to; nothing was left behind.

    Source: PKCS #8 with PBES2 (RFC 5958, RFC 8018), SubjectPublicKeyInfo (RFC 8410).
    """
    if not _NAME.fullmatch(name) or name.endswith(".pub"):
        allowed = "1 to 100 of A-Z a-z 0-9 . _ -, no dot at the front and no .pub at the end"
        raise BadKeyName(folder, f"{name!a} is no name for a key", f"use {allowed}")
    private, public = folder / f"{name}{PRIVATE_SUFFIX}", folder / f"{name}{PUBLIC_SUFFIX}"
    if len(passphrase) < SHORTEST_PASSPHRASE:
        remedy = f"use at least {SHORTEST_PASSPHRASE} characters, better several words"
        raise ShortPassphrase(private, f"a passphrase of {len(passphrase)} characters", remedy)
    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase.encode("utf-8"))
    _write_new(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), 0o600)
    try:
        _write_new(public, _public_of(key).pem, 0o644)
    except BaseException:
        private.unlink()  # ours: O_EXCL has just created it
        raise
    return _public_of(key)


def list_keys(folder: Path) -> dict[str, PublicKey]:
    """Read the public keys (NAME.pub.pem) of a folder, by name in alphabetical order.

    Raises:
        UnreadableKey: the folder or a file cannot be read.
        NotEd25519: a file of that name holds something else.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.name.endswith(PUBLIC_SUFFIX))
    except OSError as error:
        raise UnreadableKey(folder, _reason(error), "name a folder of keys") from error
    return {path.name.removesuffix(PUBLIC_SUFFIX): read_public(path) for path in files}


def load_signer(path: Path, passphrase: str) -> Signer:
    """Open a private key.

    Args:
        path: encrypted PKCS #8 in PEM, as ``create_key`` writes it.
        passphrase: the one it was made with.

    Raises:
        UnreadableKey: the file is missing or cannot be read.
        ExposedKey: others may read it.
        WrongPassphrase: it does not open the key.
        NotEd25519: the file holds another kind of key, one that is not encrypted, or none.
    """
    remedy = "name a key made by `hybrid-ai keys new`"
    data = _read(path, private=True)
    if _ENCRYPTED not in data:
        raise NotEd25519(path, "holds no encrypted private key (PKCS #8 in PEM)", remedy)
    try:
        key = load_pem_private_key(data, passphrase.encode("utf-8"))
    except (TypeError, ValueError) as error:  # TypeError: an empty one
        reason = "the passphrase does not open it (or the file is damaged)"
        raise WrongPassphrase(path, reason, "give the one it was made with") from error
    except UnsupportedAlgorithm as error:
        raise NotEd25519(path, f"holds a key of another kind: {error}", remedy) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NotEd25519(path, "holds a key of another kind", remedy)
    return Signer(key)


def read_public(path: Path) -> PublicKey:
    """Read a public key from a file that holds just one (SubjectPublicKeyInfo in PEM).

    Raises:
        UnreadableKey: the file is missing or cannot be read.
        NotEd25519: the file holds another kind of key, or none.
    """
    remedy = f"name a file NAME{PUBLIC_SUFFIX} made by `hybrid-ai keys new`"
    data = _read(path, private=False)
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotEd25519(path, "holds no public key (SubjectPublicKeyInfo in PEM)", remedy) from error
    if not isinstance(key, Ed25519PublicKey):
        raise NotEd25519(path, "holds a key of another kind", remedy)
    return PublicKey(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def _public_of(key: Ed25519PrivateKey) -> PublicKey:
    return PublicKey(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _read(path: Path, *, private: bool) -> bytes:
    try:
        with open(path, "rb") as stream:
            # Of the open file, not of the name: the name may stand for another file a moment later.
            mode = os.fstat(stream.fileno()).st_mode
            if private and mode & 0o077:
                raise ExposedKey(path, f"others may use it (mode {mode & 0o777:04o})", f"chmod 600 {path}")
            data = stream.read(_SIZE_LIMIT + 1)
    except OSError as error:
        raise UnreadableKey(path, _reason(error), "name a file that you may read") from error
    if len(data) > _SIZE_LIMIT:
        raise NotEd25519(path, f"is longer than {_SIZE_LIMIT} bytes", "name the file of a key")
    return data


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise KeyExists(path, "is there already", "give another name") from error
    except OSError as error:
        raise UnreadableKey(path, _reason(error), "name a folder that you may write to") from error
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
    except BaseException as error:
        path.unlink()  # ours, and not whole
        if isinstance(error, OSError):
            raise UnreadableKey(path, _reason(error), "make room and repeat it") from error
        raise


def _reason(error: OSError) -> str:
    return f"cannot be used ({error.strerror})"
