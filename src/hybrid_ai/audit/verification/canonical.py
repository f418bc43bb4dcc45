"""Canonical JSON (RFC 8785), written in full and read strictly."""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal

from hybrid_ai.audit.verification.rejected import Refused

DEPTH_LIMIT = 64
VALUES_LIMIT = 2**20  # commas and brackets, of which a manifest of 100,000 files has half as many
SAFE_INTEGER = 2**53 - 1  # the largest integer of I-JSON (RFC 7493, section 2.2)

_NUMBER_LENGTH_LIMIT = 400  # every double has an integer or decimal form that is shorter
# The possessive repeat and the optional closing quote keep the scan linear on unterminated strings.
_STRING_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_TEXT = json.JSONEncoder(ensure_ascii=False)  # kept: making one costs more than using it
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(value: object) -> bytes:
    """Write a value as canonical JSON: the only byte string that RFC 8785 allows for it.

    Args:
        value: None, bool, int within +-(2^53 - 1), finite float, str, list or tuple, mapping with str keys;
            nested at most ``DEPTH_LIMIT`` deep.

    Raises:
        ValueError: for NaN, an infinity, an integer out of range, a lone surrogate, a value nested too deep.
        TypeError: for a value or a key of another type.

    Source: RFC 8785, sections 3.2.1 to 3.2.4.
    """
    return _encoded(value, DEPTH_LIMIT).encode("utf-8")


def decode(data: bytes, where: str, *, limit_depth: int = DEPTH_LIMIT) -> object:
    """Read JSON strictly: one meaning per byte string, or none.

    Args:
        data: UTF-8 without byte order mark.
        where: file or entry the bytes come from, for the error.
        limit_depth: how deep arrays and objects may be nested, at least 0.

    Returns:
        None, bool, int (an integer literal within +-(2^53 - 1)), float, str, list or dict.

    Raises:
        Refused: "integrity", for anything that is not JSON in UTF-8, a duplicate key, NaN or an infinity,
            data after the value, a lone surrogate, a number whose decimal value the nearest double does not
            stand for (its shortest decimal is another number), or a value nested too deep.

    Sound because: readers disagree on duplicate keys, lone surrogates and numbers outside the doubles, so two
    of them could see different evidence in the same signed bytes; here such bytes have no meaning at all.

    Source: RFC 8259, RFC 7493 (I-JSON).
    """
    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            raise ValueError("begins with a byte order mark; save it as UTF-8 without one")
        _refuse_excess(text, limit_depth)
        value: object = json.loads(
            text,
            object_pairs_hook=_object_without_duplicates,
            parse_int=_number,
            parse_float=_number,
            parse_constant=_refuse_constant,
        )
        _refuse_lone_surrogates(value)
    except ValueError as error:
        raise Refused("integrity", where, f"not strict JSON: {error}") from error
    return value


def decode_canonical(data: bytes, where: str) -> object:
    """Read JSON strictly and require it to be canonical: ``encode`` of the value gives the same bytes.

    Args:
        data: canonical JSON.
        where: file or entry the bytes come from, for the error.

    Raises:
        Refused: "integrity", as ``decode`` does, and when the bytes are not in canonical form.
    """
    value = decode(data, where)
    if encode(value) != data:
        raise Refused("integrity", where, "not in canonical form (RFC 8785); write it with hybrid-ai")
    return value


def _encoded(value: object, depth: int) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _encoded_text(value)
    if isinstance(value, int):
        if abs(value) > SAFE_INTEGER:
            raise ValueError(f"the integer {value} is outside +-(2^53 - 1); write it as a string")
        return str(int(value))
    if isinstance(value, float):
        return _encoded_double(value)
    if isinstance(value, list | tuple | Mapping) and depth == 0:
        raise ValueError(f"nested deeper than {DEPTH_LIMIT}")
    if isinstance(value, list | tuple):
        return "[" + ",".join(_encoded(item, depth - 1) for item in value) + "]"
    if isinstance(value, Mapping):
        return _encoded_object(value, depth)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def _encoded_object(value: Mapping[object, object], depth: int) -> str:
    members = []
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"an object's key is a {type(key).__name__}; JSON has only strings")
        text = _encoded_text(key)  # first: it refuses lone surrogates, which have no UTF-16 either
        # Big-endian UTF-16 sorts as its code units do (RFC 8785, section 3.2.3).
        members.append((key.encode("utf-16-be"), f"{text}:{_encoded(item, depth - 1)}"))
    return "{" + ",".join(member for _, member in sorted(members)) + "}"


def _encoded_text(text: str) -> str:
    if _LONE_SURROGATE.search(text):
        raise ValueError(f"the string {text!a} has a lone surrogate")
    # Python's escapes are those of RFC 8785, section 3.2.2.2: \b \t \n \f \r \" \\, lower-case \u00xx for the
    # other control characters, nothing else.
    return _TEXT.encode(text)


def _encoded_double(value: float) -> str:
    """Write a double as ECMAScript's Number::toString does (RFC 8785, section 3.2.2.3)."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no JSON form")
    if value == 0.0:
        return "0"
    # repr has the fewest digits that read back to the double and, among those, the nearest to it.
    sign, all_digits, exponent = Decimal(repr(float(value))).as_tuple()
    assert isinstance(exponent, int)  # finite
    digits = "".join(map(str, all_digits))
    point = len(digits) + exponent  # the value is 0.digits * 10^point
    digits = digits.rstrip("0")
    return ("-" if sign else "") + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    fraction = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"


def _refuse_excess(text: str, limit: int) -> None:
    # Counted before parsing, so that neither the parser's stack nor memory can be exhausted.
    bare = _STRING_TOKEN.sub("", text)
    brackets = _BRACKET.findall(bare)
    if bare.count(",") + len(brackets) > VALUES_LIMIT:
        raise ValueError(f"holds more than {VALUES_LIMIT} values")
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in "[{" else -1
        if depth > limit:
            raise ValueError(f"nested deeper than {limit}")


def _object_without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"the key {key!a} appears twice in one object")
        members[key] = value
    return members


def _number(token: str) -> int | float:
    if len(token) > _NUMBER_LENGTH_LIMIT:
        raise ValueError(f"a number has {len(token)} characters")
    if token.lstrip("-").isdigit() and abs(int(token)) <= SAFE_INTEGER:
        return int(token)
    value = float(token)
    if value == 0.0:
        survives = not re.search("[1-9]", re.split("[eE]", token)[0])
    else:
        survives = math.isfinite(value) and Decimal(token) == Decimal(repr(value))
    if not survives:
        raise ValueError(f"the number {token} does not survive as a double; write it as a string")
    return value


def _refuse_constant(token: str) -> object:
    raise ValueError(f"{token} is not a JSON number")


def _refuse_lone_surrogates(value: object) -> None:
    if isinstance(value, str):
        if _LONE_SURROGATE.search(value):
            raise ValueError(f"the string {value!a} has a lone surrogate")
    elif isinstance(value, list):
        for item in value:
            _refuse_lone_surrogates(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_lone_surrogates(key)
            _refuse_lone_surrogates(item)
