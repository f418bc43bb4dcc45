"""Changes of ONNX files at the level of protobuf fields."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

# Which fields are messages, by number: the part of ONNX that readers look at.
Kind = Mapping[int, Any]
_TENSOR: Kind = {}
_ATTRIBUTE: Kind = {5: _TENSOR, 6: {1: {5: {}}, 5: _TENSOR}}
_NODE: Kind = {5: _ATTRIBUTE}
_INFO: Kind = {2: {1: {2: {1: {}}}}}
_GRAPH: Kind = {1: _NODE, 5: _TENSOR, 11: _INFO, 12: _INFO, 13: _INFO}
_MODEL: Kind = {7: _GRAPH, 8: {}}

_NUMBERS = (0, 1, 2, 3, 4, 5, 7, 11, 13, 17, 21, 28, 29, 100, 2**16, 2**31, 2**40, 2**62, 2**63, 2**64 - 1)
_REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 3e38, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"))
_TEXTS = (
    "Add Cast Clip Concat Constant Div Dropout Flatten Gather Gemm Identity LeakyRelu MatMul Mul Pad Relu "
    "Reshape Shape Slice Squeeze Sub Transpose Unsqueeze Conv Split Neg Sum alpha beta transA transB axis "
    "axes perm value value_float value_int value_ints value_floats shape allowzero start end starts ends "
    "steps pads mode constant reflect edge ratio seed min max to keepdims epsilon x y w b c i s e a t "
    "ai.onnx com.microsoft X Y"
).split()
_WIDTHS = {1: 8, 5: 4}


@dataclass
class Entry:
    """One field: its number, wire type, and an int, bytes or (a message) entries."""

    number: int
    wire: int
    value: Any


def parsed(data: bytes, kind: Kind = _MODEL) -> list[Entry] | None:
    """The fields of a message, None where the bytes are none."""
    entries, position = [], 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(data, position)
            entries.append(Entry(number, wire, value))
            continue
        size = _WIDTHS.get(wire)
        if wire == 2:
            size, position = _varint(data, position)
        if size is None or position < 0 or size > len(data) - position:
            return None
        content: Any = data[position : position + size]
        if wire == 2 and number in kind:
            inner = parsed(content, kind[number])
            content = content if inner is None else inner
        entries.append(Entry(number, wire, content))
        position += size
    return entries if position == len(data) else None


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A varint and where it ends; beyond the end of `data` where it is cut off."""
    value = 0
    for count, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, position + count + 1
    return 0, len(data) + 1


def written(entries: list[Entry], rng: Random | None = None) -> bytes:
    """The bytes of a message; with `rng`, a length is now and then wrong."""
    out = bytearray()
    for entry in entries:
        out += varint(entry.number << 3 | entry.wire)
        if isinstance(entry.value, int):
            out += varint(entry.value)
            continue
        content = entry.value if isinstance(entry.value, bytes) else written(entry.value, rng)
        if entry.wire == 2:
            size = len(content)
            if rng is not None and rng.random() < 0.001:
                size = max(0, size + rng.choice((-1, 1, 2**20, 2**60)))
            out += varint(size)
        out += content
    return bytes(out)


def varint(value: int) -> bytes:
    out = bytearray()
    value &= 2**64 - 1
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def mutated(data: bytes, rng: Random) -> bytes:
    """One to four changes: a field left out, doubled, moved, copied elsewhere, with another value."""
    entries = parsed(data)
    if not entries:
        return varint(58) + varint(len(data)) + data
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        _change(entries, rng)
    return written(entries, rng if rng.random() < 0.2 else None)


def _messages(entries: list[Entry]) -> Iterator[list[Entry]]:
    yield entries
    for entry in entries:
        if isinstance(entry.value, list):
            yield from _messages(entry.value)


def _change(entries: list[Entry], rng: Random) -> None:
    messages = [message for message in _messages(entries) if message]
    if not messages:
        entries.append(Entry(7, 2, []))
        return
    message = rng.choice(messages)
    at = rng.randrange(len(message))
    entry, change = message[at], rng.randrange(10)
    if change == 0:
        del message[at]
    elif change == 1:
        message.insert(rng.randrange(len(message) + 1), _copy(entry))
    elif change == 2:
        message.insert(rng.randrange(len(message)), message.pop(at))
    elif change == 3:
        donor = rng.choice(messages)
        message[at] = _copy(rng.choice(donor))
    elif change == 4:
        alike = [e for one in messages for e in one if (e.number, e.wire) == (entry.number, entry.wire)]
        entry.value = _copy(rng.choice(alike)).value
    elif change == 5 and rng.random() < 0.3:
        entry.number, entry.wire = rng.choice(
            ((entry.number + 1, entry.wire), (rng.randrange(22), entry.wire))
        )
    elif change == 6 and rng.random() < 0.3:
        message.insert(at, Entry(rng.randrange(1, 22), 0, rng.choice(_NUMBERS)))
    else:
        _alter(entry, rng)


def _copy(entry: Entry) -> Entry:
    value = [_copy(one) for one in entry.value] if isinstance(entry.value, list) else entry.value
    return Entry(entry.number, entry.wire, value)


def _alter(entry: Entry, rng: Random) -> None:
    if isinstance(entry.value, int):
        near = entry.value + rng.choice((-1, 1))
        entry.value = rng.choice((near, near, rng.choice(_NUMBERS), -rng.randrange(5)))
    elif isinstance(entry.value, list):
        entry.value.append(Entry(rng.randrange(1, 16), 2, rng.choice(_TEXTS).encode()))
    elif entry.wire in _WIDTHS:
        number = min(max(rng.choice(_REALS), -3e38), 3e38) if rng.random() < 0.7 else rng.choice(_REALS)
        entry.value = struct.pack("<f", min(number, 3e38)) if entry.wire == 5 else struct.pack("<d", number)
    elif rng.random() < 0.5 and len(entry.value) < 24:
        entry.value = rng.choice(_TEXTS).encode()
    else:
        entry.value = _other_bytes(entry.value, rng)


def _other_bytes(value: bytes, rng: Random) -> bytes:
    kind = rng.randrange(5)
    if kind == 0:
        return b"".join(varint(rng.choice(_NUMBERS[:12])) for _ in range(rng.randrange(5)))
    if kind == 1:
        return b"".join(struct.pack("<q", rng.randrange(-3, 6)) for _ in range(rng.randrange(5)))
    if kind == 2:
        return b"".join(struct.pack("<d", rng.choice(_REALS)) for _ in range(rng.randrange(5)))
    if kind == 3 and len(value) >= 4:
        place = 4 * rng.randrange(len(value) // 4)
        changed = struct.pack("<f", rng.choice((0.0, 1.0, -1.0, 1e-45, float("nan"), float("inf"))))
        return value[:place] + changed + value[place + 4 :]
    return value[: rng.randrange(len(value) + 1)] + bytes(rng.randrange(256) for _ in range(rng.randrange(4)))
