"""Changes of certificates at the level of steps; headers and lengths are put right again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random
from typing import Any

from hybrid_ai.certificate import (
    CertificateError,
    Close,
    Closing,
    Combination,
    Cut,
    Leaf,
    Row,
    Split,
    SplitDifference,
    SplitNeuron,
    Step,
    Tighten,
    decode_certificate,
    encode_step,
)
from hybrid_ai.certificate.encode import unsigned

HEADER_BYTES = 75
_NUMBERS = (0, 1, 2, 3, 5, 62, 63, 64, 127, 128, 129, 2**20, 2**40, 2**63 - 1, 2**63, 2**4095)
_NEURONS = 4
_JSON_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, "", "0", "1/3", "-1/2", "1/0", "1e3", "nan", "x", [], {}, ["0"]),
    *(["1", "0", "0.25"], ["0.5", "0", "1/4"], {"real": True}, {"real": False, "float32": True}),
    *({"real": False}, {"real": 1}, "real", "9" * 3000, [0, 0, 0]),
)


@dataclass(frozen=True)
class Frame:
    """What certificates of one problem begin with, and the rows of each disjunct of each of its trees."""

    header: bytes
    rows: tuple[tuple[int, ...], ...]


class CertificateMutator:
    """Changes certificates of the given problems (at least one)."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = {frame.header[11:]: frame for frame in frames}

    def mutated(self, data: bytes, rng: Random) -> bytes:
        """One to three changed steps of one tree, or bytes of steps put somewhere."""
        if data[:1] == b"{":
            return _changed_json(data, rng)
        frame = self._frame(data, rng)
        try:
            _, placed = decode_certificate(frame.header + data[HEADER_BYTES:], frame.rows)
        except CertificateError:
            return self._spliced(data, frame, rng)
        number = rng.randrange(len(placed))
        steps = [one.step for one in placed[number]]
        for _ in range(rng.choice((1, 1, 2, 3))):
            steps = _changed(steps, rng)
        bodies = tree_bytes(data)
        bodies[number] = encoded(steps, frame.rows[number])
        return framed(data[:HEADER_BYTES], bodies)

    def mended(self, data: bytes, rng: Random) -> bytes:
        """The certificate with the header of one of the problems, mostly the one that it has."""
        if data[:1] == b"{" or rng.random() < 0.02:
            return data
        frame = self._frame(data, rng)
        if rng.random() < 0.05:
            frame = rng.choice(list(self._frames.values()))
        flags = data[10:11] if data[10:11] in (b"\0", b"\1") else b"\1"
        return frame.header[:10] + flags + frame.header[11:] + data[HEADER_BYTES:]

    def _frame(self, data: bytes, rng: Random) -> Frame:
        return self._frames.get(data[11:HEADER_BYTES]) or rng.choice(list(self._frames.values()))

    def _spliced(self, data: bytes, frame: Frame, rng: Random) -> bytes:
        bodies = tree_bytes(data) or [b"\x50\0"]
        number = rng.randrange(len(bodies))
        rows = frame.rows[number % len(frame.rows)]
        step = encoded([_random_step(rng)], rows) or b"\x50\0"
        body, place = bodies[number], rng.randrange(len(bodies[number]) + 1)
        bodies[number] = body[:place] + step + body[place + rng.choice((0, 0, 1, len(step))) :]
        return framed(data[:HEADER_BYTES], bodies)


def _changed_json(data: bytes, rng: Random) -> bytes:
    """A counterexample with a field left out, added, doubled or of another value."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return data + b"}"
    if not isinstance(content, dict) or not content:
        return b"{}"
    name = rng.choice(sorted(content))
    change = rng.randrange(6)
    if change == 0:
        del content[name]
    elif change == 1:
        return data.replace(b"{", b'{"' + name.encode() + b'": 1, ', 1)
    elif change == 2 and isinstance(content[name], list) and content[name]:
        content[name][rng.randrange(len(content[name]))] = rng.choice(_JSON_VALUES)
    else:
        content[name] = rng.choice(_JSON_VALUES)
    return json.dumps(content).encode()


def tree_bytes(data: bytes) -> list[bytes]:
    """The bytes of each tree, as far as lengths say where they are."""
    position, trees = HEADER_BYTES + 1, []
    while position < len(data):
        length = shift = 0
        while position < len(data):
            byte = data[position]
            length |= (byte & 0x7F) << shift
            shift, position = shift + 7, position + 1
            if byte < 0x80:
                break
        trees.append(data[position : position + length])
        position += length
    return trees


def framed(header: bytes, trees: Sequence[bytes]) -> bytes:
    return header + unsigned(len(trees)) + b"".join(unsigned(len(tree)) + tree for tree in trees)


def encoded(steps: Sequence[Step], rows: Sequence[int]) -> bytes:
    """The bytes of a tree; lists of closings are made as long as they must be."""
    out, pending, open_now = bytearray(), [], tuple(range(len(rows)))
    for step in steps:
        if isinstance(step, Leaf | Cut):
            closings = [*step.closings, *[Row(0)] * len(open_now)][: len(open_now)]
            step = replace(step, closings=tuple(closings))
        out += _step_bytes(step, rows, open_now)
        if isinstance(step, Close):
            open_now = tuple(d for d in open_now if d != step.disjunct)
        elif isinstance(step, Split | SplitNeuron | SplitDifference):
            pending.append(open_now)
        elif isinstance(step, Leaf) and pending:
            open_now = pending.pop()
    return bytes(out)


def _step_bytes(step: Step, rows: Sequence[int], open_now: Sequence[int]) -> bytes:
    """The bytes of a step, or of the nearest thing where it cannot be written."""
    try:
        return encode_step(step, rows, open_now)
    except (ValueError, IndexError):
        number = step.disjunct if isinstance(step, Close) else len(open_now)
        return b"\x51" + unsigned(number) + b"\0"


def _changed(steps: list[Step], rng: Random) -> list[Step]:
    at = rng.randrange(len(steps)) if steps else 0
    change = rng.randrange(7)
    if change == 0:
        return steps[:at] + steps[at + 1 :]
    if change == 1:
        return steps[: at + 1] + steps[at:]
    if change == 2 and steps:
        steps = list(steps)
        other = rng.randrange(len(steps))
        steps[at], steps[other] = steps[other], steps[at]
        return steps
    if change == 3:
        return [*steps[:at], _random_step(rng), *steps[at:]]
    if change == 4:
        return [*steps[:at], _random_step(rng), *steps[at + 1 :]]
    return [*steps[:at], *(_altered(step, rng) for step in steps[at : at + 1]), *steps[at + 1 :]]


def _small(rng: Random) -> int:
    return rng.randrange(_NEURONS) if rng.random() < 0.9 else rng.choice(_NUMBERS)


def _terms(rng: Random) -> tuple[tuple[int, Fraction], ...]:
    indices = sorted({_small(rng) for _ in range(rng.choice((0, 0, 1, 1, 2)))})
    return tuple((index, Fraction(rng.choice(_NUMBERS[1:]), rng.choice(_NUMBERS[1:10]))) for index in indices)


def _slopes(rng: Random) -> tuple[tuple[int, int], ...]:
    neurons = sorted({_small(rng) for _ in range(rng.choice((0, 0, 1, 2)))})
    return tuple((neuron, rng.choice((0, 1, 64, 127, 128, 129))) for neuron in neurons)


def _closing(rng: Random) -> Closing:
    if rng.random() < 0.4:
        return Row(rng.randrange(2))
    return Combination(_terms(rng), _terms(rng), _terms(rng), _slopes(rng))


def _random_step(rng: Random) -> Step:
    makers: Sequence[Callable[[], Step]] = (
        Tighten,
        lambda: Tighten(tuple(sorted({_small(rng), _small(rng)})), _slopes(rng)),
        lambda: Close(_small(rng), _closing(rng)),
        lambda: Cut(_small(rng), rng.randrange(2), rng.choice((0, 1, 32, 63, 64)), (_closing(rng),)),
        lambda: Leaf((_closing(rng), _closing(rng))),
        lambda: Split(rng.randrange(_NEURONS)),
        lambda: Split(_small(rng), rng.choice((-1, 1)) * rng.choice(_NUMBERS)),
        lambda: SplitNeuron(
            _small(rng), rng.choice((-1, 1)) * rng.choice(_NUMBERS), rng.choice((0, 1, 1001))
        ),
        lambda: SplitDifference(_small(rng), _small(rng), rng.randrange(-3, 4), rng.choice((0, 1, 1000))),
    )
    return rng.choice(makers)()


def _altered(step: Step, rng: Random) -> Step:
    """The step with one operand changed."""
    match step:
        case Close():
            return replace(step, closing=_closing(rng))
        case Cut():
            return rng.choice((
                replace(step, closings=(_closing(rng), *step.closings[1:])),
                replace(step, kept=rng.choice((1, 31, 33, 62, 63))),
                replace(step, side=1 - step.side),
            ))  # fmt: skip
        case Leaf():
            return Leaf((_closing(rng), *step.closings[1:]))
        case Split(axis, coordinate):
            return Split(axis, (coordinate or 0) + rng.choice((-1, 1, 2**40, -(2**40))))
        case SplitNeuron() | SplitDifference():
            return replace(
                step, numerator=step.numerator + rng.choice((-1, 1)), exponent=rng.choice((0, 1, 9))
            )
    return _random_step(rng)
