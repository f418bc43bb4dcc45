"""Strict access to decoded JSON: every field has the stated type, and no field is left over."""

import base64
import binascii
import re
from collections.abc import Set

from hybrid_ai.audit.verification.rejected import Refused

_SHA256_HEX = re.compile("[0-9a-f]{64}")
_NO_FIELDS: frozenset[str] = frozenset()


def as_object(
    value: object, required: Set[str], where: str, *, optional: Set[str] = _NO_FIELDS
) -> dict[str, object]:
    """Require an object with these fields and no other.

    Args:
        value: decoded JSON.
        required: fields that must be there.
        where: file or entry, for the error.
        optional: fields that may be there.

    Raises:
        Refused: "integrity", naming the fields that are missing or unknown.
    """
    if not isinstance(value, dict):
        raise Refused("integrity", where, f"must be an object, is {_json_kind(value)}")
    missing = sorted(required - value.keys())
    unknown = sorted(value.keys() - required - optional)
    if missing:
        raise Refused("integrity", where, f"lacks {', '.join(map(ascii, missing))}")
    if unknown:
        raise Refused("integrity", where, f"has the unknown {', '.join(map(ascii, unknown))}")
    return value


def as_list(value: object, where: str, *, most: int | None = None) -> list[object]:
    """Require a non-empty array.

    Args:
        value: decoded JSON.
        where: file or entry, for the error.
        most: largest number of entries allowed, at least 1; None for no limit.

    Raises:
        Refused: "integrity".
    """
    if not isinstance(value, list):
        raise Refused("integrity", where, f"must be an array, is {_json_kind(value)}")
    if not value:
        raise Refused("integrity", where, "is empty; at least one entry is needed")
    if most is not None and len(value) > most:
        raise Refused("integrity", where, f"has {len(value)} entries; at most {most} are allowed")
    return value


def as_text(value: object, where: str, *, may_be_empty: bool = False) -> str:
    """Require a string, not empty unless allowed.

    Args:
        value: decoded JSON.
        where: file or entry, for the error.
        may_be_empty: whether the empty string is accepted.

    Raises:
        Refused: "integrity".
    """
    if not isinstance(value, str):
        raise Refused("integrity", where, f"must be a string, is {_json_kind(value)}")
    if not value and not may_be_empty:
        raise Refused("integrity", where, "is empty")
    return value


def as_sha256(value: object, where: str) -> str:
    """Require a SHA-256 in hexadecimal: 64 lower-case digits.

    Args:
        value: decoded JSON.
        where: file or entry, for the error.

    Raises:
        Refused: "integrity".
    """
    text = as_text(value, where)
    if not _SHA256_HEX.fullmatch(text):
        raise Refused("integrity", where, f"must be 64 lower-case hexadecimal digits, is {text!a}")
    return text


def from_base64(value: object, where: str) -> bytes:
    """Read base64: standard alphabet, with padding, no white space, unused bits zero.

    Args:
        value: decoded JSON or text; may be empty.
        where: file or entry, for the error.

    Raises:
        Refused: "integrity".

    Sound because: only the text that ``to_base64`` writes for the result is accepted, so no two texts stand
    for the same bytes.

    Source: RFC 4648, section 4 and (unused bits) section 3.5.
    """
    text = as_text(value, where, may_be_empty=True)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("integrity", where, f"not base64 (RFC 4648, section 4): {error}") from error
    if to_base64(data) != text:
        raise Refused("integrity", where, "not base64 as RFC 4648, section 4 writes it")
    return data


def to_base64(data: bytes) -> str:
    """Write base64: standard alphabet, with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def _json_kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
