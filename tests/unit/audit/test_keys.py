"""Keys in files: what is written, and what is refused with a remedy."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hybrid_ai.audit import keys
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.keys import create_key, list_keys, load_signer, read_public
from hybrid_ai.audit.verification.ed25519 import verify
from hybrid_ai.audit.verification.envelope import key_id
from hybrid_ai.audit.verification.keys import read_trust, write_public_key

PASSPHRASE = "correct horse battery"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    create_key(tmp_path, "alice", PASSPHRASE)
    return tmp_path / "alice.pem"


def test_a_key_signs_what_the_verifier_accepts(key: Path) -> None:
    public = read_public(key.with_name("alice.pub.pem"))
    signer = load_signer(key, PASSPHRASE)
    assert signer.public_key == public.raw and len(public.raw) == 32
    assert signer.key_id == public.key_id == key_id(public.raw)
    assert signer.public_pem == public.pem == write_public_key(public.raw)
    assert verify(public.raw, b"message", signer.sign(b"message"))
    assert not verify(public.raw, b"another", signer.sign(b"message"))


def test_the_files_are_encrypted_and_the_owners(key: Path) -> None:
    assert key.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    public = key.with_name("alice.pub.pem")
    assert read_trust(public.read_bytes(), "trust") == {read_public(public).key_id: read_public(public).raw}


def test_the_private_key_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    inner = os.open

    def observed(path: Path, flags: int, mode: int = 0o777, **options: int) -> int:
        modes.append((Path(path).name, bool(flags & os.O_EXCL), oct(mode)))
        return inner(path, flags, mode, **options)

    monkeypatch.setattr(os, "open", observed)
    create_key(tmp_path, "alice", PASSPHRASE)
    assert modes == [("alice.pem", True, "0o600"), ("alice.pub.pem", True, "0o644")]


def test_keys_are_listed_by_name(tmp_path: Path) -> None:
    made = {name: create_key(tmp_path, name, PASSPHRASE) for name in ("bob", "alice.2026")}
    (tmp_path / "notes.txt").write_text("not a key")
    assert list(list_keys(tmp_path).items()) == sorted(made.items())


@pytest.mark.parametrize("taken", ["alice.pem", "alice.pub.pem"])
def test_an_existing_file_is_never_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("precious")
    with pytest.raises(keys.KeyExists, match=f"{taken}: is there already; give another name"):
        create_key(tmp_path, "alice", PASSPHRASE)
    assert (tmp_path / taken).read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == [taken]


@pytest.mark.parametrize(
    "name", ["", "../alice", "a/b", "ä", "a b", ".hidden", "alice.pub", "a\n", "a" * 101]
)
def test_names_of_other_characters_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(keys.BadKeyName, match="is no name for a key"):
        create_key(tmp_path, name, PASSPHRASE)
    assert list(tmp_path.iterdir()) == []


def test_a_short_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(keys.ShortPassphrase, match="11 characters; use at least 12"):
        create_key(tmp_path, "alice", "12345678901")
    assert list(tmp_path.iterdir()) == []
    create_key(tmp_path, "alice", "123456789012")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(keys.UnreadableKey, match="No such file"):
        create_key(tmp_path / "missing", "alice", PASSPHRASE)
    with pytest.raises(keys.UnreadableKey, match="missing: cannot be used"):
        list_keys(tmp_path / "missing")


def test_half_a_key_is_never_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(keys.UnreadableKey, match="No space left"):
        create_key(tmp_path, "alice", PASSPHRASE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("passphrase", ["", "Correct horse battery", PASSPHRASE + " "])
def test_a_wrong_passphrase_is_refused(key: Path, passphrase: str) -> None:
    with pytest.raises(keys.WrongPassphrase, match=r"alice\.pem: the passphrase does not open it"):
        load_signer(key, passphrase)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o620])
def test_a_key_that_others_may_use_is_refused(key: Path, mode: int) -> None:
    key.chmod(mode)
    with pytest.raises(keys.ExposedKey, match=f"mode {mode:04o}.*chmod 600"):
        load_signer(key, PASSPHRASE)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("kind", ["rsa", "ed448"])
def test_keys_of_another_kind_are_refused(tmp_path: Path, kind: str) -> None:
    other = ed448.Ed448PrivateKey.generate() if kind == "ed448" else rsa.generate_private_key(65537, 2048)
    encryption = BestAvailableEncryption(PASSPHRASE.encode())
    private = write(tmp_path / "a.pem", other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    pem = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public = write(tmp_path / "a.pub.pem", pem)
    with pytest.raises(keys.NotEd25519, match="of another kind"):
        load_signer(private, PASSPHRASE)
    with pytest.raises(keys.NotEd25519, match="of another kind"):
        read_public(public)
    with pytest.raises(keys.NotEd25519):
        list_keys(tmp_path)


def test_a_private_key_without_encryption_is_refused(tmp_path: Path) -> None:
    data = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(keys.NotEd25519, match="no encrypted private key"):
        load_signer(write(tmp_path / "a.pem", data), PASSPHRASE)


@pytest.mark.parametrize("data", [b"", b"junk", b"\xff" * 70_000])
def test_what_is_no_key_is_refused(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "a.pem", data)
    with pytest.raises(keys.NotEd25519):
        load_signer(path, PASSPHRASE)
    with pytest.raises(keys.NotEd25519):
        read_public(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(keys.UnreadableKey, match=r"a\.pem: cannot be used \(No such file"):
        load_signer(tmp_path / "a.pem", PASSPHRASE)


def test_the_passphrase_is_in_no_error(key: Path) -> None:
    with pytest.raises(AuditError) as caught:
        load_signer(key, "a wrong secret")
    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"
