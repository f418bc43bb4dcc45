"""Lower bounds of integer combinations of rational vectors, many sums in one big integer."""

from collections.abc import Sequence
from fractions import Fraction
from operator import mul
from struct import Struct

from hybrid_ai.checker.grid import ilog2

WORD = 64
KEPT_BITS = 48
MAX_SHIFT_FOR_SMALL = 3 * WORD


class PackedVectors:
    """Rational vectors of one length, each held as one integer with a slot per entry.

    An entry is the floor of its value times 2^shift (shift a multiple of 64), a slot is `shift + 64` bits, so
    that the highest word of a slot of a sum is the sum's floor in units of the coefficients.

    Args:
        vectors: equally long vectors of exact entries.
    """

    def __init__(self, vectors: Sequence[Sequence[Fraction]]) -> None:
        self.length = len(vectors[0]) if vectors else 0
        sizes = [ilog2(abs(v)) for vector in vectors for v in vector if v]
        self.shift = WORD
        while not _fits(vectors, self.shift) and _is_coarse(sizes, self.shift):
            self.shift += WORD
        scale = 1 << self.shift
        self.exact = _fits(vectors, self.shift)
        self.entries = [[v.numerator * scale // v.denominator for v in vector] for vector in vectors]
        self.largest = max((abs(n) for entry in self.entries for n in entry), default=0)
        slot = self.shift + WORD
        self.packed = [sum(n << (slot * i) for i, n in enumerate(entry)) for entry in self.entries]
        self.ones = sum(1 << (slot * i) for i in range(self.length))
        self.signs = self.ones << (slot - 1)
        self.bytes = self.length * slot // 8
        self.top_words = Struct("<" + (f"{self.shift // 8}xq" * self.length))

    def combine(self, indices: Sequence[int], coefficients: Sequence[int]) -> tuple[list[int], int]:
        """Entries of sum coefficient * vector, each floored, and how far below the true entry they may lie.

        Returns:
            lower: integers with `lower <= true entry < lower + slack`.
            slack: positive integer.

        Sound because: entry = scaled value - d with 0 <= d < 1, so a negative coefficient b overstates its
        product by less than |b|, which is subtracted; with exact entries d is 0
        (docs/theory/rounding-of-the-exact-engine.md).
        """
        total = sum(map(abs, coefficients))
        drop = 0 if self.exact else -sum(b for b in coefficients if b < 0)
        slack = 1 if self.exact else 2 + (total >> self.shift)
        if total * (self.largest + 1) < 1 << (self.shift + WORD - 2):
            packed = self.packed
            value = sum(map(mul, coefficients, [packed[i] for i in indices])) - drop * self.ones
            # Adding the sign bits clears all borrows; flipping them back leaves two's complement slots.
            slots = ((value + self.signs) ^ self.signs).to_bytes(self.bytes, "little")
            return list(self.top_words.unpack(slots)), slack
        entries = [self.entries[i] for i in indices]
        sums = [sum(map(mul, coefficients, column)) for column in zip(*entries, strict=True)]
        return [(value - drop) >> self.shift for value in sums], slack


def _fits(vectors: Sequence[Sequence[Fraction]], shift: int) -> bool:
    return all((1 << shift) % v.denominator == 0 for vector in vectors for v in vector)


def _is_coarse(sizes: Sequence[int], shift: int) -> bool:
    """Whether entries of these binary logarithms keep too few bits: any, while cheap, then all of them."""
    watched = min(sizes) if shift < MAX_SHIFT_FOR_SMALL else max(sizes)
    return watched + shift < KEPT_BITS
