"""Public keys in files: Ed25519 SubjectPublicKeyInfo in PEM (RFC 8410, RFC 7468)."""

import base64
import binascii
import re

from hybrid_ai.audit.verification.envelope import key_id
from hybrid_ai.audit.verification.fields import to_base64
from hybrid_ai.audit.verification.rejected import Refused

KEY_FILE_LIMIT = 1 << 20

_KEY_SIZE = 32
# SEQUENCE { SEQUENCE { OBJECT IDENTIFIER 1.3.101.112 }, BIT STRING }: RFC 8410, section 4.
_DER_PREFIX = bytes.fromhex("302a300506032b6570032100")
_BEGIN = re.compile("-----BEGIN ([^-\r\n]*)-----")
_LABEL = "PUBLIC KEY"


def write_public_key(public_key: bytes) -> bytes:
    """Write a public key as PEM, as OpenSSL does.

    Args:
        public_key: 32 bytes.

    Raises:
        ValueError: when it is not 32 bytes long.
    """
    if len(public_key) != _KEY_SIZE:
        raise ValueError(f"an Ed25519 public key has {_KEY_SIZE} bytes, not {len(public_key)}")
    content = to_base64(_DER_PREFIX + public_key)
    return f"-----BEGIN {_LABEL}-----\n{content}\n-----END {_LABEL}-----\n".encode("ascii")


def read_key_file(data: bytes, where: str) -> bytes:
    """Read the file of one public key as it lies in a dossier: exactly what ``write_public_key`` writes.

    Args:
        data: the file's bytes.
        where: its name, for the error.

    Returns:
        32 bytes.

    Raises:
        Refused: "integrity".

    Sound because: no manifest lists key files, so their bytes must follow from the key, which the log names.
    """
    key = next(iter(read_trust(data, where).values()))
    if write_public_key(key) != data:
        raise Refused("integrity", where, "must be one public key in PEM and nothing else")
    return key


def read_trust(data: bytes, where: str) -> dict[str, bytes]:
    """Read public keys in PEM, one after the other; text between them is not read.

    Args:
        data: the file's bytes.
        where: its name, for the error.

    Returns:
        The keys, 32 bytes each, by key id; at least one.

    Raises:
        Refused: "integrity", when there is none, or a block is damaged or no Ed25519 public key.
    """
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Refused("integrity", where, f"no PEM: {error}") from error
    keys: dict[str, bytes] = {}
    position = 0
    while begin := _BEGIN.search(text, position):
        place = f"{where}: line {text.count(chr(10), 0, begin.start()) + 1}" if len(keys) < 100 else where
        if begin[1] != _LABEL:
            raise Refused("integrity", place, f"holds a {begin[1][:40]!a}; give public keys alone")
        end = text.find(f"-----END {_LABEL}-----", begin.end())
        if end < 0:
            raise Refused("integrity", place, "the block has no end")
        key = _key(text[begin.end() : end], place)
        keys[key_id(key)] = key
        position = end + 1
    if not keys:
        raise Refused("integrity", where, "holds no public key in PEM; `hybrid-ai keys new` makes one")
    return keys


def _key(content: str, where: str) -> bytes:
    try:
        der = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("integrity", where, f"the block is not base64: {error}") from error
    if len(der) != len(_DER_PREFIX) + _KEY_SIZE or not der.startswith(_DER_PREFIX):
        raise Refused("integrity", where, "no Ed25519 public key (RFC 8410); no other algorithm is used")
    return der[len(_DER_PREFIX) :]
