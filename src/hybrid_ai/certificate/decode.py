"""Read a certificate back to steps, for tools and tests (docs/formats/certificate.md, section 7).

This is not the checker: it knows no network and no property, so it is told the number of rows of each
disjunct, and judges nothing but whether the bytes are steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from hybrid_ai.certificate.steps import (
    ARITHMETICS,
    CUT_GRID,
    FLAG_TIGHTEN_EVERYWHERE,
    MAGIC,
    SLOPE_GRID,
    VERSION,
    Close,
    Closing,
    Combination,
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

MOST_DIGITS = 600  # bytes of one integer: no multiplier comes near, and damaged bytes can't take all memory
MOST_DYADIC_EXPONENT = 1000
FIRST_WIDE_AXIS = 0x3F


class CertificateError(ValueError):
    """Bytes that are no certificate; `offset` is where in the file the defect is."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"byte 0x{offset:x}: {reason}")
        self.offset = offset
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """One step of a tree.

    Attributes:
        step: the step.
        offset: of its first byte in the file.
        depth: of its node, the root's is 0.
        open_disjuncts: open before the step, ascending.
    """

    step: Step
    offset: int
    depth: int
    open_disjuncts: tuple[int, ...]


class _Reader:
    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if self.end - self.at < count:
            raise CertificateError(self.at, f"{count} bytes are needed, {self.end - self.at} are left")
        self.at += count
        return self.data[self.at - count : self.at]

    def unsigned(self) -> int:
        """A minimal LEB128."""
        start, value = self.at, 0
        for digit in range(MOST_DIGITS):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << 7 * digit
            if byte < 0x80:
                if byte == 0 and digit:
                    raise CertificateError(start, "an integer is not of minimal length")
                return value
        raise CertificateError(start, f"an integer of more than {MOST_DIGITS} bytes")

    def signed(self) -> int:
        """The integer whose zigzag comes next."""
        value = self.unsigned()
        return value >> 1 if value % 2 == 0 else -(value + 1 >> 1)

    def rational(self) -> Fraction:
        """A positive rational."""
        start, numerator, denominator = self.at, self.unsigned(), self.unsigned()
        if numerator == 0 or denominator == 0:
            raise CertificateError(start, "a multiplier is not positive")
        return Fraction(numerator, denominator)

    def dyadic(self) -> tuple[int, int]:
        """Numerator and exponent."""
        numerator, start, exponent = self.signed(), self.at, self.unsigned()
        if exponent > MOST_DYADIC_EXPONENT:
            raise CertificateError(start, f"a dyadic's exponent {exponent} is above {MOST_DYADIC_EXPONENT}")
        return numerator, exponent

    def ascending(self, previous: int, gap: int, start: int) -> int:
        """The index that lies ``gap`` above the previous one (-1 before the first, which is absolute)."""
        if previous >= 0 and gap == 0:
            raise CertificateError(start, "indices do not increase")
        return gap if previous < 0 else previous + gap

    def multipliers(self) -> tuple[tuple[int, Fraction], ...]:
        """Indices, increasing, with their multipliers."""
        found: list[tuple[int, Fraction]] = []
        for _ in range(self.unsigned()):
            start, index = self.at, self.unsigned()
            if found and index <= found[-1][0]:
                raise CertificateError(start, "indices do not increase")
            found.append((index, self.rational()))
        return tuple(found)

    def slopes(self) -> tuple[tuple[int, int], ...]:
        """Neurons, increasing, with their lower slopes in 128ths."""
        found: list[tuple[int, int]] = []
        for _ in range(self.unsigned()):
            start = self.at
            neuron = self.ascending(found[-1][0] if found else -1, self.unsigned(), start)
            value = self.take(1)[0]
            if value > SLOPE_GRID:
                raise CertificateError(self.at - 1, f"slope {value}/{SLOPE_GRID}")
            found.append((neuron, value))
        return tuple(found)

    def closing(self, rows: int) -> Closing:
        """A closing of a disjunct with that many rows."""
        start, row = self.at, self.unsigned()
        if row < rows:
            return Row(row)
        if row > rows:
            raise CertificateError(start, f"row {row} of {rows}")
        multipliers = (self.multipliers(), self.multipliers(), self.multipliers())
        if not any(multipliers):
            raise CertificateError(start, "a closing without any multiplier")
        return Combination(*multipliers, self.slopes())

    def tighten(self) -> Tighten:
        """What follows the byte 54."""
        start, count = self.at, self.unsigned()
        if count == 0:
            raise CertificateError(start, "TIGHTEN of no neuron")
        neurons: list[int] = []
        for _ in range(count):
            start = self.at
            neurons.append(self.ascending(neurons[-1] if neurons else -1, self.unsigned(), start))
        return Tighten(tuple(neurons), self.slopes())

    def cut(self, rows: Sequence[int], open_disjuncts: Sequence[int]) -> Cut:
        """What follows the byte 52."""
        axis, side = divmod(self.unsigned(), 2)
        kept = self.take(1)[0]
        if not 1 <= kept < CUT_GRID:
            raise CertificateError(self.at - 1, f"a cut keeps {kept}/{CUT_GRID}")
        return Cut(axis, side, kept, tuple(self.closing(rows[d]) for d in open_disjuncts))

    def close(self, rows: Sequence[int], open_disjuncts: Sequence[int]) -> Close:
        """What follows the byte 51."""
        start, disjunct = self.at, self.unsigned()
        if disjunct not in open_disjuncts:
            raise CertificateError(start, f"disjunct {disjunct} is not open")
        return Close(disjunct, self.closing(rows[disjunct]))

    def step(self, rows: Sequence[int], open_disjuncts: Sequence[int]) -> Step:
        """The next step of a node with these disjuncts open."""
        start, code = self.at, self.take(1)[0]
        if code < FIRST_WIDE_AXIS:
            return Split(code)
        match code:
            case 0x3F:
                return Split(self.unsigned(), self.signed())
            case 0x40:
                return SplitNeuron(self.unsigned(), *self.dyadic())
            case 0x41:
                return SplitDifference(self.unsigned(), self.unsigned(), *self.dyadic())
            case 0x50:
                return Leaf(tuple(self.closing(rows[d]) for d in open_disjuncts))
            case 0x51:
                return self.close(rows, open_disjuncts)
            case 0x52:
                return self.cut(rows, open_disjuncts)
            case 0x53:
                return Tighten()
            case 0x54:
                return self.tighten()
        raise CertificateError(start, f"{code:02x} begins no step")


def _tree(reader: _Reader, rows: Sequence[int]) -> Iterator[PlacedStep]:
    pending = [(0, tuple(range(len(rows))))]
    while pending:
        depth, open_disjuncts = pending.pop()
        while True:
            offset = reader.at
            step = reader.step(rows, open_disjuncts)
            yield PlacedStep(step, offset, depth, open_disjuncts)
            if isinstance(step, Close):
                open_disjuncts = tuple(d for d in open_disjuncts if d != step.disjunct)
            elif isinstance(step, Leaf):
                break
            elif isinstance(step, Split | SplitNeuron | SplitDifference):
                pending += [(depth + 1, open_disjuncts)] * 2
                break
    if reader.at != reader.end:
        raise CertificateError(reader.at, "bytes after the tree's last node")


def decode_header(data: bytes) -> Header:
    """Read the header alone.

    Raises:
        CertificateError: the bytes do not begin with the header of a certificate of this version.
    """
    return _header(_Reader(data, 0, len(data)))


def _header(reader: _Reader) -> Header:
    if reader.take(len(MAGIC)) != MAGIC:
        raise CertificateError(0, "no certificate: HYBRAICE is missing")
    version, arithmetic, flags = reader.take(3)
    names = {number: name for name, number in ARITHMETICS.items()}
    if version != VERSION:
        raise CertificateError(8, f"version {version}, not {VERSION}")
    if arithmetic not in names:
        raise CertificateError(9, f"arithmetic {arithmetic}")
    if flags & ~FLAG_TIGHTEN_EVERYWHERE:
        raise CertificateError(10, f"reserved flags in {flags:#04x}")
    return Header(reader.take(32), reader.take(32), names[arithmetic], bool(flags))


def decode_certificate(
    data: bytes, rows: Sequence[Sequence[int]]
) -> tuple[Header, tuple[tuple[PlacedStep, ...], ...]]:
    """Read a whole certificate.

    Args:
        data: the file.
        rows: for each non-empty input polytope the number of rows of each of its disjuncts.

    Returns:
        The header and each tree's steps in preorder.

    Raises:
        CertificateError: the bytes are no certificate for polytopes of this form; it tells the offset.
    """
    reader = _Reader(data, 0, len(data))
    header = _header(reader)
    start, count = reader.at, reader.unsigned()
    if count != len(rows):
        raise CertificateError(start, f"{count} trees for {len(rows)} input polytopes")
    trees = []
    for own in rows:
        length = reader.unsigned()
        start = reader.at
        reader.take(length)
        trees.append(tuple(_tree(_Reader(data, start, reader.at), own)))
    if reader.at != reader.end:
        raise CertificateError(reader.at, "bytes after the last tree")
    return header, tuple(trees)
