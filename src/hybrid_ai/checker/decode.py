"""Bytes of a certificate to steps: the encoding of section 7 of the format page, read one step at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from hybrid_ai.checker.rejected import Rejected

ARITHMETICS = {1: "real", 2: "float32", 3: "both"}
MAGIC = b"HYBRAICE"
HEADER_BYTES = len(MAGIC) + 3 + 64
MAX_COUNT = 2**63
MAX_TERM_BITS = 4096
MAX_DYADIC_EXPONENT = 1000
MAX_TREE_BYTES = 2**28
SLOPE_ONE = 128
CUT_DENOMINATOR = 64

Term = tuple[int, Fraction]
Slopes = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Closing:
    """Multipliers on rows of the disjunct, input constraints and assumptions, and slopes in 128ths."""

    rows: tuple[Term, ...]
    constraints: tuple[Term, ...]
    assumptions: tuple[Term, ...]
    slopes: Slopes


@dataclass(frozen=True)
class Split:
    """SPLIT at the midpoint (`at` is None) or SPLIT_AT a grid coordinate."""

    axis: int
    at: int | None


@dataclass(frozen=True)
class SplitForm:
    """SPLIT_NEURON (`minus` is None) or SPLIT_DIFFERENCE at the dyadic `at`."""

    neuron: int
    minus: int | None
    at: Fraction


@dataclass(frozen=True)
class Leaf:
    """LEAF: one closing per open disjunct."""

    closings: tuple[Closing, ...]


@dataclass(frozen=True)
class Close:
    """CLOSE of one disjunct."""

    disjunct: int
    closing: Closing


@dataclass(frozen=True)
class Cut:
    """CUT of a slab of q/64 or less of the box: one closing per open disjunct."""

    axis: int
    side: int
    q: int
    closings: tuple[Closing, ...]


@dataclass(frozen=True)
class Tighten:
    """TIGHTEN of the named neurons, or of all (None), with lower slopes in 128ths."""

    neurons: frozenset[int] | None
    slopes: Slopes


Step = Split | SplitForm | Leaf | Close | Cut | Tighten
TIGHTEN_ALL = Tighten(None, ())


@dataclass(frozen=True)
class Scope:
    """What the indices of a step may name: counts of axes, neurons, rows per disjunct, constraints."""

    axes: int
    neurons: int
    rows: tuple[int, ...]
    constraints: int


class Reader:
    """Cursor over certificate bytes `[start, end)`; every defect raises Rejected with the byte offset.

    Args:
        data: the whole certificate file.
        start, end: byte range this reader may touch.
        context: prefix of `where` in errors, e.g. "tree 2, node 17".
    """

    def __init__(self, data: bytes, start: int, end: int, context: str) -> None:
        self.data, self.position, self.end, self.context = data, start, end, context
        self.step_start = start

    def fail(self, rule: str, reason: str) -> Rejected:
        """The refusal of the step being read."""
        return Rejected(rule, f"{self.context}, byte 0x{self.step_start:x}", reason)

    def byte(self) -> int:
        """The next byte, 0..255."""
        if self.position >= self.end:
            raise self.fail("truncated", "the bytes end inside a step")
        self.position += 1
        return self.data[self.position - 1]

    def wide(self) -> int:
        """Unsigned LEB128 of minimal length and at most MAX_TERM_BITS bits."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > MAX_TERM_BITS + 7:
                raise self.fail("varint", f"an integer exceeds {MAX_TERM_BITS} bits")
        if byte == 0 and shift > 0:
            raise self.fail("varint", "an integer is not of minimal length")
        if value.bit_length() > MAX_TERM_BITS:
            raise self.fail("varint", f"an integer exceeds {MAX_TERM_BITS} bits")
        return value

    def unsigned(self) -> int:
        """A count or index, below 2^63."""
        value = self.wide()
        if value >= MAX_COUNT:
            raise self.fail("varint", "a count or index exceeds 2^63")
        return value

    def signed(self) -> int:
        """Zigzag of an unsigned integer of at most MAX_TERM_BITS bits."""
        value = self.wide()
        return (value >> 1) ^ -(value & 1)

    def rational(self) -> Fraction:
        """A positive rational."""
        numerator, denominator = self.wide(), self.wide()
        if numerator == 0 or denominator == 0:
            raise self.fail("rational", "numerator and denominator must be positive")
        return Fraction(numerator, denominator)

    def dyadic(self) -> Fraction:
        """n 2^-e with 0 <= e <= 1000."""
        numerator, exponent = self.signed(), self.unsigned()
        if exponent > MAX_DYADIC_EXPONENT:
            raise self.fail("dyadic", f"exponent {exponent} exceeds {MAX_DYADIC_EXPONENT}")
        return Fraction(numerator, 1 << exponent)

    def index(self, limit: int, what: str) -> int:
        """An index below `limit`."""
        value = self.unsigned()
        if value >= limit:
            raise self.fail("index", f"{what} {value} does not exist, there are {limit}")
        return value

    def _increasing(self, previous: int, limit: int, what: str) -> int:
        """The next index of a strictly increasing list coded as first, then gaps."""
        gap = self.unsigned()
        if previous >= 0 and gap == 0:
            raise self.fail("order", f"the {what}s are not strictly increasing")
        value = gap if previous < 0 else previous + gap
        if value >= limit:
            raise self.fail("index", f"{what} {value} does not exist, there are {limit}")
        return value

    def _count(self, limit: int, what: str) -> int:
        count = self.unsigned()
        if count > limit:
            raise self.fail("index", f"{count} {what}s are listed, there are {limit}")
        return count

    def slopes(self, neurons: int) -> Slopes:
        """Lower slopes as (neuron, 128ths) pairs, neurons strictly increasing."""
        found: list[tuple[int, int]] = []
        for _ in range(self._count(neurons, "neuron")):
            neuron = self._increasing(found[-1][0] if found else -1, neurons, "neuron")
            value = self.byte()
            if value > SLOPE_ONE:
                raise self.fail("slopes", f"slope {value}/{SLOPE_ONE} of neuron {neuron} exceeds 1")
            found.append((neuron, value))
        return tuple(found)

    def _terms(self, limit: int, what: str) -> tuple[Term, ...]:
        found: list[Term] = []
        for _ in range(self._count(limit, what)):
            index = self.index(limit, what)
            if found and index <= found[-1][0]:
                raise self.fail("order", f"the {what}s are not strictly increasing")
            found.append((index, self.rational()))
        return tuple(found)

    def closing(self, rows: int, assumptions: int, scope: Scope) -> Closing:
        """A closing of a disjunct with `rows` rows in a node with that many assumptions."""
        selector = self.index(rows + 1, "row")
        if selector < rows:
            return Closing(((selector, Fraction(1)),), (), (), ())
        terms = (
            self._terms(rows, "row"),
            self._terms(scope.constraints, "input constraint"),
            self._terms(assumptions, "assumption"),
        )
        if not any(terms):
            raise self.fail("multipliers", "a closing without any multiplier")
        return Closing(*terms, self.slopes(scope.neurons))

    def step(self, open_disjuncts: Iterable[int], assumptions: int, scope: Scope) -> Step:
        """The next step of a node with these open disjuncts and that many assumptions."""
        self.step_start = self.position
        code = self.byte()
        if code < 0x3F:
            return Split(self._axis(code, scope), None)
        if code == 0x3F:
            axis, coordinate = self.index(scope.axes, "axis"), self.signed()
            return Split(axis, coordinate)
        if code == 0x40:
            neuron = self.index(scope.neurons, "neuron")
            return SplitForm(neuron, None, self.dyadic())
        if code == 0x41:
            neuron, minus = self.index(scope.neurons, "neuron"), self.index(scope.neurons, "neuron")
            return SplitForm(neuron, minus, self.dyadic())
        if code == 0x50:
            return Leaf(self._closings(open_disjuncts, assumptions, scope))
        if code == 0x51:
            disjunct = self.index(len(scope.rows), "disjunct")
            return Close(disjunct, self.closing(scope.rows[disjunct], assumptions, scope))
        if code == 0x52:
            axis, side = divmod(self.index(2 * scope.axes, "axis and side"), 2)
            return Cut(axis, side, self._slab(), self._closings(open_disjuncts, assumptions, scope))
        if code == 0x53:
            return TIGHTEN_ALL
        if code == 0x54:
            return self._tighten(scope)
        raise self.fail("step", f"byte {code:#04x} is reserved")

    def _axis(self, axis: int, scope: Scope) -> int:
        if axis >= scope.axes:
            raise self.fail("index", f"axis {axis} does not exist, there are {scope.axes}")
        return axis

    def _slab(self) -> int:
        q = self.byte()
        if not 1 <= q < CUT_DENOMINATOR:
            raise self.fail("cut", f"q is {q}, not in 1..{CUT_DENOMINATOR - 1}")
        return q

    def _closings(self, disjuncts: Iterable[int], assumptions: int, scope: Scope) -> tuple[Closing, ...]:
        return tuple(self.closing(scope.rows[d], assumptions, scope) for d in disjuncts)

    def _tighten(self, scope: Scope) -> Tighten:
        count = self._count(scope.neurons, "neuron")
        if count == 0:
            raise self.fail("tighten", "TIGHTEN of no neuron")
        neurons: list[int] = []
        for _ in range(count):
            neurons.append(self._increasing(neurons[-1] if neurons else -1, scope.neurons, "neuron"))
        return Tighten(frozenset(neurons), self.slopes(scope.neurons))


@dataclass(frozen=True)
class Header:
    """Header fields; `arithmetic` is "real", "float32" or "both", `tighten_first` flag 1, `trees` their
    announced number.
    """

    model_sha256: bytes
    property_sha256: bytes
    arithmetic: str
    tighten_first: bool
    trees: int


def read_header(data: bytes) -> tuple[Header, Reader]:
    """Read the header; the reader returned stands at the first tree.

    Raises:
        Rejected: rules "header", "version", "arithmetic", "flags", "varint", "truncated".
    """
    if data[: len(MAGIC)] != MAGIC:
        raise Rejected("header", "byte 0x0", "the magic HYBRAICE is missing: not a certificate")
    if len(data) < HEADER_BYTES:
        raise Rejected("truncated", f"byte 0x{len(data):x}", "the bytes end inside the header")
    version, arithmetic, flags = data[8:11]
    if version != 1:
        raise Rejected("version", "byte 0x8", f"version {version}; this checker reads version 1")
    if arithmetic not in ARITHMETICS:
        raise Rejected("arithmetic", "byte 0x9", f"arithmetic {arithmetic} is none of 1, 2, 3")
    if flags > 1:
        raise Rejected("flags", "byte 0xa", f"reserved flags are set in {flags:#04x}")
    reader = Reader(data, HEADER_BYTES, len(data), "header")
    name = ARITHMETICS[arithmetic]
    return Header(data[11:43], data[43:75], name, flags == 1, reader.unsigned()), reader


def read_tree(reader: Reader, number: int) -> Reader:
    """Reader over the bytes of the next tree (numbered from 0); `reader` moves past it."""
    reader.context, reader.step_start = f"tree {number}", reader.position
    length = reader.unsigned()
    if length > MAX_TREE_BYTES:
        raise reader.fail("tree-length", f"{length} bytes exceed the limit of {MAX_TREE_BYTES}")
    start, reader.position = reader.position, reader.position + length
    if reader.position > reader.end:
        raise reader.fail("truncated", f"{length} bytes are announced, {reader.end - start} are left")
    return Reader(reader.data, start, reader.position, f"tree {number}")
