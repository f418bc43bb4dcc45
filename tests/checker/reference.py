"""Section 6 of the format page once more, in plain rational arithmetic without any rounding.

`errors` are the E of float32 executions by stage, none in real arithmetic.
"""

from collections.abc import Sequence
from fractions import Fraction

from hybrid_ai.checker.rules import Form
from hybrid_ai.checker.stages import Network, Stage

Errors = dict[int, list[Fraction]]
Box = Sequence[tuple[Fraction, Fraction]]
Bounds = dict[int, list[tuple[Fraction, Fraction]]]


def lower_bound(
    net: Network,
    coefficients: dict[tuple[int, int], Fraction],
    pre: dict[tuple[int, int], Fraction],
    constant: Fraction,
    bounds: Bounds,
    slopes: dict[tuple[int, int], Fraction],
    box: Box,
    errors: Errors | None = None,
    separate: bool = False,
) -> Fraction:
    """Backward lower bound; coefficients by (group, element), `pre` on pre-activations by (stage, row).

    `separate` charges errors to a form's own pre-activations beside those of what is substituted.
    """
    h, total = dict(coefficients), constant
    for number in range(len(net.stages), 0, -1):
        part = net.stages[number - 1]
        for row, bias in enumerate(part.bias):
            a = h.pop((number, row), Fraction(0))
            b = a
            if part.relu and a:
                low, high = bounds[number][row]
                if a > 0 and (number, row) in slopes:
                    b = a * slopes[number, row]
                elif low >= 0:
                    b = a
                elif high <= 0:
                    b = Fraction(0)
                elif a > 0:
                    b = a * (64 * high >= -63 * low)
                else:
                    b = a * high / (high - low)
                    total -= b * low
            own = pre.get((number, row), Fraction(0))
            if errors and (a or own):
                total -= (abs(b) + abs(own) if separate else abs(b + own)) * errors[number][row]
            b += own
            total += b * bias
            for block in part.blocks:
                for column, weight in block.rows[row]:
                    key = (block.source, column)
                    h[key] = h.get(key, Fraction(0)) + b * weight
    return total + sum((min(a * end for end in box[i]) for (_, i), a in h.items()), Fraction(0))


def places(net: Network) -> list[tuple[int, int]]:
    """(stage, row) of every neuron."""
    return [(j, i) for j, part in enumerate(net.stages, start=1) if part.relu for i in range(len(part.bias))]


def deviation(part: Stage, outputs: Bounds) -> list[Fraction]:
    """E of a stage's rows from the bounds of all earlier groups."""
    roundings = part.cost.terms + part.cost.degree - 2
    relative = Fraction(roundings, 2**24) / (1 - Fraction(roundings, 2**24))
    reach = list(map(abs, part.bias)) if part.sizes is None else list(part.sizes)
    largest = max((abs(end) for group in outputs.values() for pair in group for end in pair), default=0)
    for block in part.blocks if part.size_blocks is None else part.size_blocks:
        sizes = [max(abs(low), abs(high)) for low, high in outputs[block.source]]
        for i, entries in enumerate(block.rows):
            reach[i] += sum((abs(w) * sizes[c] for c, w in entries), Fraction(0))
    flushed = Fraction(part.cost.gain, 2**120) * (1 + largest)
    return [relative * value + flushed for value in reach]


def errors_of(net: Network, box: Box, bounds: Bounds) -> Errors:
    """E of every stage from bounds held."""
    outputs: Bounds = {0: list(box)}
    found: Errors = {}
    for j, part in enumerate(net.stages, start=1):
        found[j] = deviation(part, outputs)
        if part.relu:
            outputs[j] = [(max(low, Fraction(0)), max(high, Fraction(0))) for low, high in bounds[j]]
        else:
            pairs = zip(interval(part, outputs), found[j], strict=True)
            outputs[j] = [(low - e, high + e) for (low, high), e in pairs]
    return found


def interval(part: Stage, outputs: Bounds) -> list[tuple[Fraction, Fraction]]:
    """Interval bounds of a stage's pre-activations, without E."""
    rows = []
    for i, bias in enumerate(part.bias):
        ends = [[w * e for e in outputs[block.source][c]] for block in part.blocks for c, w in block.rows[i]]
        rows.append((bias + sum(map(min, ends)), bias + sum(map(max, ends))))
    return rows


def tightened(
    net: Network,
    box: Box,
    named: set[int] | None,
    slopes: dict[int, int],
    held: Bounds | None = None,
    float32: bool = False,
) -> Bounds:
    """Bounds per relu stage after TIGHTEN, from those held before."""
    numbers = {place: n for n, place in enumerate(places(net))}
    listed = {place: Fraction(slopes[n], 128) for place, n in numbers.items() if n in slopes}
    bounds: Bounds = {}
    outputs: Bounds = {0: list(box)}
    errors: Errors = {}
    for j, part in enumerate(net.stages, start=1):
        rows = []
        errors[j] = deviation(part, outputs) if float32 else [Fraction(0)] * len(part.bias)
        for i, (low, high) in enumerate(interval(part, outputs)):
            low, high = low - errors[j][i], high + errors[j][i]
            if part.relu and held is not None:
                low, high = max(low, held[j][i][0]), min(high, held[j][i][1])
            if part.relu and low < 0 < high and (named is None or numbers[j, i] in named):
                one = Fraction(1)
                below = lower_bound(net, {}, {(j, i): one}, Fraction(0), bounds, listed, box, errors)
                above = -lower_bound(net, {}, {(j, i): -one}, Fraction(0), bounds, listed, box, errors)
                low, high = max(low, below), min(high, above)
            rows.append((low, high))
        outputs[j] = [(max(low, 0), max(high, 0)) for low, high in rows] if part.relu else rows
        if part.relu:
            bounds[j] = rows
    return bounds


def form_bound(
    net: Network,
    claim: Form,
    bounds: Bounds,
    slopes: dict[int, int],
    box: Box,
    errors: Errors | None = None,
    separate: bool = False,
) -> Fraction:
    """Backward lower bound of a closing's form."""
    where = places(net)
    coefficients = {(0, i): v for i, v in claim.inputs.items()}
    coefficients |= {(net.output_group, i): v for i, v in claim.outputs.items()}
    pre = {where[n]: v for n, v in claim.neurons.items()}
    listed = {where[n]: Fraction(v, 128) for n, v in slopes.items()}
    return lower_bound(net, coefficients, pre, claim.constant, bounds, listed, box, errors, separate)
