"""Verification of Ed25519 signatures (RFC 8032) with integers alone."""

import hashlib

# The field, the curve -x^2 + y^2 = 1 + d x^2 y^2 and the order of its base point: RFC 8032, section 5.1.
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y = 46316835694926478169428394003475163141307993866256225615783033603165251855960

# Extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, x y = T/Z (RFC 8032, section 5.1.4).
_Point = tuple[int, int, int, int]
# An addend, prepared once and added often: (Y - X, Y + X, 2 d T, 2 Z).
_Addend = tuple[int, int, int, int]

_NEUTRAL: _Point = (0, 1, 1, 0)
_KEY_WIDTH = 5  # window of the public key: its table is computed at every verification
_BASE_WIDTH = 7  # window of the base point: its table is computed once


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether an Ed25519 signature of a message is valid under a public key.

    Args:
        public_key: 32 bytes, A of RFC 8032.
        message: the signed bytes.
        signature: 64 bytes, R and S of RFC 8032.

    Returns:
        True when it is valid; False for anything else, wrong lengths included.

    Sound because: the check is [S]B = R + [k]A without cofactor, S is below the group order (no second
    signature follows from a first), A and R have exactly one accepted encoding (R is compared as bytes with
    the encoding of [S]B - [k]A), and points of small order, under which one signature is valid for many
    messages, are refused.

    Source: RFC 8032, section 5.1.7.
    """
    if len(public_key) != 32 or len(signature) != 64:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    key = _decoded_point(public_key)
    if scalar >= _L or key is None or _has_small_order(key):
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    # Reduced, as other implementations do; it makes a difference only for keys with a part of small order.
    challenge = int.from_bytes(digest, "little") % _L
    commitment = _combined(scalar, challenge, _negated(key))
    return not _has_small_order(commitment) and _encoded_point(commitment) == signature[:32]


def _decoded_point(data: bytes) -> _Point | None:
    """Read a point (RFC 8032, section 5.1.3); None when the bytes are not the encoding of one."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P != u:
        x = x * _SQRT_MINUS_ONE % _P
        if v * x * x % _P != u:
            return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


def _encoded_point(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _doubled(point: _Point) -> _Point:
    x, y, z, _ = point
    a, b = x * x, y * y
    h = a + b
    e = (h - (x + y) ** 2) % _P
    g = (a - b) % _P
    f = (2 * z * z + g) % _P
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _added(point: _Point, addend: _Addend) -> _Point:
    """Add two points, equal or not: the formula is complete because d is not a square (RFC 8032, 5.1.4)."""
    x, y, z, t = point
    minus, plus, scaled, twice = addend
    a, b = (y - x) * minus, (y + x) * plus
    c, d = t * scaled, z * twice
    e, f, g, h = (b - a) % _P, (d - c) % _P, (d + c) % _P, (b + a) % _P
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _addend(point: _Point) -> _Addend:
    x, y, z, t = point
    return ((y - x) % _P, (y + x) % _P, 2 * _D * t % _P, 2 * z % _P)


def _negated(point: _Point) -> _Point:
    x, y, z, t = point
    return (_P - x, y, z, _P - t)


def _has_small_order(point: _Point) -> bool:
    x, y, z, _ = _doubled(_doubled(_doubled(point)))
    return x == 0 and y == z


def _odd_multiples(point: _Point, width: int) -> dict[int, _Addend]:
    """Prepare +-1, +-3, ..., +-(2^(width-1) - 1) times a point, by factor."""
    table = {}
    twice = _addend(_doubled(point))
    for factor in range(1, 2 ** (width - 1), 2):
        table[factor] = _addend(point)
        table[-factor] = _addend(_negated(point))
        point = _added(point, twice)
    return table


def _digits(scalar: int, width: int) -> list[int]:
    """Write a scalar as digits of 1, 2, 4, ...: each is zero, or odd and below 2^(width-1) in size."""
    digits = []
    while scalar:
        digit = 0
        if scalar & 1:
            digit = scalar & (2**width - 1)
            if digit >= 2 ** (width - 1):
                digit -= 2**width
            scalar -= digit
        digits.append(digit)
        scalar >>= 1
    return digits


_BASE_TABLE = _odd_multiples((_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P), _BASE_WIDTH)


def _combined(base_factor: int, factor: int, point: _Point) -> _Point:
    """Compute [base_factor]B + [factor]point, both in one run of doublings (Straus)."""
    table = _odd_multiples(point, _KEY_WIDTH)
    base_digits, digits = _digits(base_factor, _BASE_WIDTH), _digits(factor, _KEY_WIDTH)
    length = max(len(base_digits), len(digits))
    base_digits += [0] * (length - len(base_digits))
    digits += [0] * (length - len(digits))
    total = _NEUTRAL
    for base_digit, digit in zip(reversed(base_digits), reversed(digits), strict=True):
        total = _doubled(total)
        if base_digit:
            total = _added(total, _BASE_TABLE[base_digit])
        if digit:
            total = _added(total, table[digit])
    return total
