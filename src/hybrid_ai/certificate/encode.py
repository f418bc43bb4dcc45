"""Write a certificate: steps to bytes (docs/formats/certificate.md, section 7)."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from hybrid_ai.certificate.steps import (
    ARITHMETICS,
    FLAG_TIGHTEN_EVERYWHERE,
    MAGIC,
    VERSION,
    Close,
    Closing,
    Cut,
    Header,
    Leaf,
    Row,
    Split,
    SplitDifference,
    SplitNeuron,
    Step,
    Tighten,
)


def unsigned(value: int) -> bytes:
    """Encode a non-negative integer as minimal LEB128.

    Raises:
        ValueError: when ``value`` is negative.
    """
    if value < 0:
        raise ValueError(f"{value} is negative")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """Encode an integer as the LEB128 of its zigzag."""
    return unsigned(2 * value if value >= 0 else -2 * value - 1)


def _rational(value: Fraction) -> bytes:
    if value <= 0:
        raise ValueError(f"multiplier {value} is not positive")
    return unsigned(value.numerator) + unsigned(value.denominator)


def _gaps(indices: Sequence[int]) -> Iterable[int]:
    previous = 0
    for position, index in enumerate(indices):
        if position and index <= previous:
            raise ValueError("indices must increase")
        yield index - previous
        previous = index


def _slopes(slopes: Sequence[tuple[int, int]]) -> bytes:
    out = bytearray(unsigned(len(slopes)))
    for gap, (_, value) in zip(_gaps([neuron for neuron, _ in slopes]), slopes, strict=True):
        out += unsigned(gap)
        out.append(value)
    return bytes(out)


def _multipliers(pairs: Sequence[tuple[int, Fraction]]) -> bytes:
    out = bytearray(unsigned(len(pairs)))
    for index, value in pairs:
        out += unsigned(index) + _rational(value)
    return bytes(out)


def _closing(closing: Closing, rows: int) -> bytes:
    if isinstance(closing, Row):
        if closing.row >= rows:
            raise ValueError(f"row {closing.row} of {rows}")
        return unsigned(closing.row)
    return (
        unsigned(rows)
        + _multipliers(closing.rows)
        + _multipliers(closing.constraints)
        + _multipliers(closing.assumptions)
        + _slopes(closing.slopes)
    )


def _closings(closings: Sequence[Closing], rows: Sequence[int], open_disjuncts: Sequence[int]) -> bytes:
    if len(closings) != len(open_disjuncts):
        raise ValueError(f"{len(closings)} closings for {len(open_disjuncts)} open disjuncts")
    return b"".join(_closing(c, rows[d]) for c, d in zip(closings, open_disjuncts, strict=True))


def encode_step(step: Step, rows: Sequence[int], open_disjuncts: Sequence[int]) -> bytes:
    """Encode one step.

    Args:
        step: the step.
        rows: number of rows of each disjunct of the polytope.
        open_disjuncts: the disjuncts open before the step, ascending.

    Raises:
        ValueError: when the step cannot be written in this place.
    """
    match step:
        case Leaf(closings):
            return b"\x50" + _closings(closings, rows, open_disjuncts)
        case Close(disjunct, closing):
            return b"\x51" + unsigned(disjunct) + _closing(closing, rows[disjunct])
        case Cut(axis, side, kept, closings):
            head = b"\x52" + unsigned(2 * axis + side) + bytes([kept])
            return head + _closings(closings, rows, open_disjuncts)
        case Tighten(None, ()):
            return b"\x53"
        case Tighten(neurons, slopes):
            if not neurons:
                raise ValueError("a TIGHTEN with slopes names its neurons")
            listed = b"".join(unsigned(gap) for gap in _gaps(neurons))
            return b"\x54" + unsigned(len(neurons)) + listed + _slopes(slopes)
        case Split(axis, None):
            if axis < 0x3F:
                return bytes([axis])
            raise ValueError("axes from 63 on are split with a coordinate")
        case Split(axis, int() as coordinate):
            return b"\x3f" + unsigned(axis) + signed(coordinate)
        case SplitNeuron(neuron, numerator, exponent):
            return b"\x40" + unsigned(neuron) + signed(numerator) + unsigned(exponent)
        case SplitDifference(first, second, numerator, exponent):
            return b"\x41" + unsigned(first) + unsigned(second) + signed(numerator) + unsigned(exponent)
    raise ValueError(f"no step: {step!r}")


def encode_certificate(header: Header, trees: Sequence[bytes]) -> bytes:
    """Put header and encoded trees together.

    Args:
        header: what the certificate is about.
        trees: nodes of each non-empty polytope's tree in preorder, encoded.
    """
    out = bytearray(MAGIC)
    out += bytes([VERSION, ARITHMETICS[header.arithmetic]])
    out.append(FLAG_TIGHTEN_EVERYWHERE if header.tighten_everywhere else 0)
    out += header.model_sha256 + header.property_sha256 + unsigned(len(trees))
    for tree in trees:
        out += unsigned(len(tree)) + tree
    return bytes(out)
