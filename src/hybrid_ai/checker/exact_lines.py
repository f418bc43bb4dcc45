"""Bounds and lines of one stage on integers, rounded outward."""

from fractions import Fraction
from math import ceil

from hybrid_ai.checker.decode import SLOPE_ONE
from hybrid_ai.checker.exact_network import ExactStage
from hybrid_ai.checker.rejected import Rejected

SLOPE_BITS = 54

Bound = int | float  # the float is an infinity: "no bound"; it is compared, never computed with
Relaxed = list[tuple[int, int, int | None, Bound, Bound]]
ACTIVE = -1


def interval(
    stage: ExactStage, lower: list[list[int]], upper: list[list[int]], bits: int
) -> tuple[list[int], list[int]]:
    """Bounds on 2^-G of a stage's pre-activations from those of its sources."""
    indices, below, above = [2 * stage.sources[-1][2] if stage.sources else 0], [1 << bits], [-1 << bits]
    for group, start, _ in stage.sources:
        for column, (low, high) in enumerate(zip(lower[group], upper[group], strict=True), start=start):
            if low or high:
                indices += (2 * column, 2 * column + 1)
                below += (low, high)
                above += (-high, -low)
    return stage.columns.combine(indices, below)[0], [
        -value for value in stage.columns.combine(indices, above)[0]
    ]


def change_of(stage: ExactStage, lower: list[list[int]], upper: list[list[int]], bits: int) -> list[int]:
    """Upper bounds on 2^-G of E, what a float32 execution changes; nothing in real arithmetic.

    Raises:
        Rejected: rule "float32": a partial sum may overflow.
    """
    terms = stage.float32
    if terms is None:
        return []
    reach = [
        max(abs(low), abs(high)) for g in terms.sources for low, high in zip(lower[g], upper[g], strict=True)
    ]
    # H is that of all groups before the stage: what is multiplied by zero is computed all the same.
    peak = max((abs(end) for group in (*lower, *upper) for end in group), default=0)
    flushed = terms.flushed * ((1 << bits) + peak)
    if flushed > Fraction(1 << bits, 1 << 20):
        raise Rejected("float32", "model", "a partial sum may overflow")
    indices = list(range(len(reach) + 1))
    values, slack = terms.columns.combine(indices, [*reach, 1 << bits])
    return [ceil((value + slack) * terms.relative + flushed) for value in values]


def lower_slope(low: Bound, high: Bound, listed: int | None) -> int:
    """Lower slope of a neuron in 128ths; a listed one counts for stable neurons too."""
    if listed is not None:
        return listed
    if low >= 0 or high <= 0:
        return SLOPE_ONE if low >= 0 else 0
    return SLOPE_ONE if 64 * high >= -63 * low else 0


def relax(lower: list[Bound], upper: list[Bound], stage: ExactStage, listed: dict[int, int]) -> Relaxed:
    """(row, lower slope or ACTIVE, upper slope on 2^-54 or None, L, U) of neurons not plainly inactive."""
    relaxed: Relaxed = []
    for row, (low, high) in enumerate(zip(lower, upper, strict=True)):
        own = listed.get(stage.first_neuron + row)
        bounded = isinstance(low, int) and isinstance(high, int)
        if own is not None and bounded and (low >= 0 or high <= 0):
            relaxed.append((row, own, (1 << SLOPE_BITS) if low >= 0 else 0, low, high))
        elif low >= 0:
            relaxed.append((row, ACTIVE, None, low, high))
        elif high > 0:
            slope = lower_slope(low, high, own)
            relaxed.append(
                (row, slope, (int(high) << SLOPE_BITS) // int(high - low) if bounded else None, low, high)
            )
    return relaxed


def substitute(own: list[int], relaxed: Relaxed) -> tuple[list[int], list[int], int] | None:
    """Coefficients on z that bound those on h = max(z, 0) from below: rows, factors, change of the constant.

    Sound because: with b = a S', 0 <= S' <= 1, a max(z, 0) on [L, U] is concave for a < 0, so above b z by at
    least the lesser of the ends' differences -b L and (a - b) U; for a > 0 any slope of [0, 1] is below
    (docs/theory/relu-upper-line.md).
    """
    indices, factors, change = [], [], 0
    for row, slope, upper_slope, low, high in relaxed:
        a = own[row]
        if a == 0:
            continue
        if slope == ACTIVE:
            b = a
        elif a > 0:
            b = a * slope >> 7
            if b == 0:
                continue
        elif upper_slope is None:
            return None
        else:
            b = -(-a * upper_slope >> SLOPE_BITS)
            change += min(-b * low, (a - b) * high)  # type: ignore[assignment]
        indices.append(row)
        factors.append(b)
    return indices, factors, change


def add(indices: list[int], factors: list[int], extra: dict[int, int]) -> tuple[list[int], list[int]]:
    """Rows and factors with further ones added."""
    total = dict(zip(indices, factors, strict=True))
    for row, value in extra.items():
        total[row] = total.get(row, 0) + value
    return list(total), list(total.values())
