"""Section 6 of the format page once more, in plain rational arithmetic without any rounding."""

from collections.abc import Sequence
from fractions import Fraction

from hybrid_ai.checker.rules import Form
from hybrid_ai.checker.stages import Network

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
) -> Fraction:
    """Backward lower bound; coefficients by (group, element), `pre` on pre-activations by (stage, row)."""
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
            b += pre.get((number, row), Fraction(0))
            total += b * bias
            for block in part.blocks:
                for column, weight in block.rows[row]:
                    key = (block.source, column)
                    h[key] = h.get(key, Fraction(0)) + b * weight
    return total + sum((min(a * end for end in box[i]) for (_, i), a in h.items()), Fraction(0))


def places(net: Network) -> list[tuple[int, int]]:
    """(stage, row) of every neuron."""
    return [(j, i) for j, part in enumerate(net.stages, start=1) if part.relu for i in range(len(part.bias))]


def tightened(
    net: Network, box: Box, named: set[int] | None, slopes: dict[int, int], held: Bounds | None = None
) -> Bounds:
    """Bounds per relu stage after TIGHTEN, from those held before."""
    numbers = {place: n for n, place in enumerate(places(net))}
    listed = {place: Fraction(slopes[n], 128) for place, n in numbers.items() if n in slopes}
    bounds: Bounds = {}
    outputs: Bounds = {0: list(box)}
    for j, part in enumerate(net.stages, start=1):
        rows = []
        for i, bias in enumerate(part.bias):
            ends = [
                [w * e for e in outputs[block.source][c]] for block in part.blocks for c, w in block.rows[i]
            ]
            low, high = bias + sum(map(min, ends)), bias + sum(map(max, ends))
            if part.relu and held is not None:
                low, high = max(low, held[j][i][0]), min(high, held[j][i][1])
            if part.relu and low < 0 < high and (named is None or numbers[j, i] in named):
                one = Fraction(1)
                below = lower_bound(net, {}, {(j, i): one}, Fraction(0), bounds, listed, box)
                above = -lower_bound(net, {}, {(j, i): -one}, Fraction(0), bounds, listed, box)
                low, high = max(low, below), min(high, above)
            rows.append((low, high))
        outputs[j] = [(max(low, 0), max(high, 0)) for low, high in rows] if part.relu else rows
        if part.relu:
            bounds[j] = rows
    return bounds


def form_bound(net: Network, claim: Form, bounds: Bounds, slopes: dict[int, int], box: Box) -> Fraction:
    """Backward lower bound of a closing's form."""
    where = places(net)
    coefficients = {(0, i): v for i, v in claim.inputs.items()}
    coefficients |= {(net.output_group, i): v for i, v in claim.outputs.items()}
    pre = {where[n]: v for n, v in claim.neurons.items()}
    listed = {where[n]: Fraction(v, 128) for n, v in slopes.items()}
    return lower_bound(net, coefficients, pre, claim.constant, bounds, listed, box)
