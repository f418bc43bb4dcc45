"""Public keys in PEM: files of trust, and the key files of a dossier."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hybrid_ai.audit.verification.keys import read_key_file, read_trust, write_public_key
from hybrid_ai.audit.verification.rejected import Refused
from tests.audit_builder import AUTHOR, REVIEWER


def pem(content: bytes, label: str = "PUBLIC KEY") -> bytes:
    text = base64.b64encode(content).decode()
    return f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n".encode()


def other_keys() -> dict[str, bytes]:
    private = {
        "RSA": rsa.generate_private_key(65537, 2048),
        "P-256": ec.generate_private_key(ec.SECP256R1()),
        "X25519": x25519.X25519PrivateKey.generate(),
    }
    shape = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {name: key.public_key().public_bytes(*shape) for name, key in private.items()}


def test_what_is_written_is_what_openssl_writes() -> None:
    assert write_public_key(AUTHOR.public) == AUTHOR.pem
    assert read_key_file(AUTHOR.pem, "key") == AUTHOR.public
    with pytest.raises(ValueError, match="32 bytes"):
        write_public_key(b"short")


def test_several_keys_with_text_between() -> None:
    data = "Alice, ünter\r\n".encode() + AUTHOR.pem + b"\n-- Bob --\n" + REVIEWER.pem + b"end" + AUTHOR.pem
    expected = {AUTHOR.name: AUTHOR.public, REVIEWER.name: REVIEWER.public}
    assert read_trust(data, "trust") == expected
    assert read_trust(data.replace(b"\n", b"\r\n"), "trust") == expected


def test_base64_over_several_lines() -> None:
    lines = AUTHOR.pem.split(b"\n")
    wrapped = b"\n".join([lines[0], lines[1][:20], lines[1][20:], *lines[2:]])
    assert read_trust(wrapped, "trust") == {AUTHOR.name: AUTHOR.public}
    with pytest.raises(Refused, match="and nothing else"):
        read_key_file(wrapped, "key")


@pytest.mark.parametrize(
    "data", [AUTHOR.pem + REVIEWER.pem, AUTHOR.pem + b"\n", b"x" + AUTHOR.pem, AUTHOR.pem[:-1]]
)
def test_a_key_file_is_one_key_and_nothing_else(data: bytes) -> None:
    assert AUTHOR.name in read_trust(data, "trust")
    with pytest.raises(Refused, match="and nothing else") as caught:
        read_key_file(data, "keys/a.pem")
    assert caught.value.where == "keys/a.pem"


@pytest.mark.parametrize("name", ["RSA", "P-256", "X25519"])
def test_other_algorithms(name: str) -> None:
    with pytest.raises(Refused, match="no Ed25519 public key"):
        read_trust(AUTHOR.pem + other_keys()[name], "trust")


def test_private_keys_are_refused_with_a_remedy() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    data = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(Refused, match="trust: line 4: holds a 'PRIVATE KEY'; give public keys"):
        read_trust(AUTHOR.pem + data, "trust")


DER = base64.b64decode(AUTHOR.pem.split(b"\n")[1])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "holds no public key"),
        (b"ssh-ed25519 AAAA", "holds no public key"),
        (b"\xff\xfe" + AUTHOR.pem, "no PEM"),
        (AUTHOR.pem[:-27], "the block has no end"),
        (AUTHOR.pem.replace(b"MCow", b"MC*w"), "not base64"),
        (AUTHOR.pem.replace(b"MCow", b"MCo"), "not base64"),
        (pem(DER[:-1]), "no Ed25519"),
        (pem(DER + b"\0"), "no Ed25519"),
        (pem(b"\x31" + DER[1:]), "no Ed25519"),
        (pem(DER, "CERTIFICATE"), "holds a 'CERTIFICATE'"),
        (pem(DER, ""), "holds a ''"),
    ],
)
def test_damaged_files(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_trust(data, "trust")
