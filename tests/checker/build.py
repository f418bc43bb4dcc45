"""Small networks, polytopes and certificate bytes, written independently of the checker and the encoder."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from itertools import pairwise

from hybrid_ai.checker import fast_compiled
from hybrid_ai.checker.decode import TIGHTEN_ALL, Reader, Tighten
from hybrid_ai.checker.exact import ExactEngine
from hybrid_ai.checker.exact_network import ExactNetwork
from hybrid_ai.checker.fast import FastEngine
from hybrid_ai.checker.fast_network import FastNetwork
from hybrid_ai.checker.grid import Grid, make_grid
from hybrid_ai.checker.property_form import Atom, Polytope
from hybrid_ai.checker.rules import CloseWork, Form, Tally, TightenWork, check_tree
from hybrid_ai.checker.stages import Block, Network, Stage

ENGINES = ("fast", "exact")
ALL_ENGINES = ("fast", "fast compiled", "exact")
Number = int | str | float | Fraction
Interval = tuple[Fraction | None, Fraction | None]


# ---- networks and properties


def stage(relu: bool, matrices: Mapping[int, Sequence[Sequence[Number]]], bias: Sequence[Number]) -> Stage:
    """A stage from dense matrices by source group."""
    blocks = tuple(
        Block(
            group,
            tuple(tuple((c, Fraction(w)) for c, w in enumerate(row) if Fraction(w)) for row in matrix),
            len(matrix[0]),
        )
        for group, matrix in sorted(matrices.items())
    )
    return Stage(relu, blocks, tuple(Fraction(b) for b in bias))


def network(n_inputs: int, *stages: Stage) -> Network:
    """A network whose output is its last stage."""
    return Network(n_inputs, stages, len(stages))


def atom(
    inputs: Mapping[int, Number] | None = None,
    outputs: Mapping[int, Number] | None = None,
    constant: Number = 0,
    strict: bool = False,
) -> Atom:
    """inputs . X + outputs . Y + constant <= 0, or < 0."""
    x, y = (tuple((i, Fraction(v)) for i, v in sorted((terms or {}).items())) for terms in (inputs, outputs))
    return Atom(x, y, Fraction(constant), strict)


def form(
    inputs: Mapping[int, Number] | None = None,
    outputs: Mapping[int, Number] | None = None,
    neurons: Mapping[int, Number] | None = None,
    constant: Number = 0,
    strict: bool = False,
) -> Form:
    """A linear form as closings use them."""
    x, y, z = ({i: Fraction(v) for i, v in (terms or {}).items()} for terms in (inputs, outputs, neurons))
    return Form(x, y, z, Fraction(constant), strict)


def polytope(
    bounds: Sequence[tuple[Number, Number]],
    disjuncts: Sequence[Sequence[Atom]],
    constraints: Sequence[Atom] = (),
) -> Polytope:
    """An input polytope that is not empty."""
    lower, upper = (tuple(Fraction(pair[end]) for pair in bounds) for end in (0, 1))
    return Polytope(lower, upper, tuple(constraints), tuple(tuple(rows) for rows in disjuncts), False)


def make_engine(name: str, net: Network, grid: Grid, arithmetic: str = "real") -> FastEngine | ExactEngine:
    """One of the two engines, `fast` as it is or with its compiled loop."""
    if name.startswith("fast"):
        compiled = fast_compiled.substitute if name == "fast compiled" else None
        return FastEngine(FastNetwork(net, arithmetic), grid, compiled)
    assert name == "exact"
    return ExactEngine(ExactNetwork(net, arithmetic), grid)


def judge(name: str, net: Network, poly: Polytope, tree: bytes, tighten_first: bool = True) -> Tally:
    """Judge one tree's bytes."""
    engine = make_engine(name, net, make_grid(poly.lower, poly.upper))
    neurons = sum(len(part.bias) for part in net.stages if part.relu)
    return check_tree(Reader(tree, 0, len(tree), "tree 0"), tighten_first, poly, neurons, engine)


# ---- the engines' bounds, exactly


class Bounds:
    """One engine on one box of one network, with the neuron bounds of one node."""

    def __init__(
        self, name: str, net: Network, bounds: Sequence[tuple[Number, Number]], arithmetic: str = "real"
    ) -> None:
        lower, upper = (tuple(Fraction(pair[end]) for pair in bounds) for end in (0, 1))
        self.name, self.net, self.grid = name, net, make_grid(lower, upper)
        self.engine = make_engine(name, net, self.grid, arithmetic)
        self.state, self.box = self.engine.root(), self.grid.root()

    def tighten(self, step: Tighten = TIGHTEN_ALL) -> None:
        """Apply one TIGHTEN."""
        (self.state,) = self.engine.tighten([(self.state, TightenWork(self.box, step))])

    def restrict(self, neuron: int, at: Number, upper: bool) -> None:
        """Apply the bound of one child of SPLIT_NEURON."""
        self.state = self.engine.restrict(self.state, neuron, Fraction(at), upper)

    def holds(self, claim: Form, slopes: tuple[tuple[int, int], ...] = ()) -> bool:
        """Whether a closing of this form holds."""
        (held,) = self.engine.hold([(self.state, CloseWork(self.box, claim, slopes, 0))])
        return held

    def neurons(self) -> list[Interval]:
        """Bounds of all neurons as exact numbers, None where there is none."""
        if isinstance(self.engine, FastEngine):
            pairs = list(zip(self.state.lower, self.state.upper, strict=True))
            scale = 1
        else:
            places = self.engine.network.neurons
            pairs = [(self.state.lower[j][i], self.state.upper[j][i]) for j, i in places]
            scale = 1 << self.engine.bits
        return [
            tuple(None if abs(v) == float("inf") else Fraction(v) / scale for v in pair) for pair in pairs
        ]


def forward(net: Network, x: Sequence[Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    """Exact pre-activations of all neurons and exact outputs at one point."""
    groups, neurons = [list(x)], []
    for part in net.stages:
        z = list(part.bias)
        for block in part.blocks:
            for row, entries in enumerate(block.rows):
                z[row] += sum((w * groups[block.source][c] for c, w in entries), Fraction(0))
        neurons += z if part.relu else []
        groups.append([max(v, Fraction(0)) for v in z] if part.relu else z)
    return neurons, groups[net.output_group]


def value(claim: Form, net: Network, x: Sequence[Fraction]) -> Fraction:
    """Exact value of a form at one point."""
    neurons, outputs = forward(net, x)
    total = claim.constant
    for terms, values in ((claim.inputs, x), (claim.outputs, outputs), (claim.neurons, neurons)):
        total += sum((v * values[i] for i, v in terms.items()), Fraction(0))
    return total


def minimum(claim: Form, net: Network, low: Fraction, high: Fraction) -> Fraction:
    """Exact minimum of a form over an interval, for a network of one input (brute force over its kinks)."""
    points = [low, high]
    for count in range(len(forward(net, [low])[0])):
        found = []
        for a, b in pairwise(points):
            za, zb = forward(net, [a])[0][count], forward(net, [b])[0][count]
            found.append(a)
            if za * zb < 0:
                found.append(a + (b - a) * za / (za - zb))
        points = [*found, points[-1]]
    return min(value(claim, net, [x]) for x in points)


# ---- certificate bytes


def u(number: int) -> bytes:
    """Unsigned LEB128 of minimal length."""
    out = bytearray()
    while number > 127:
        out.append(number % 128 + 128)
        number //= 128
    return bytes([*out, number])


def s(number: int) -> bytes:
    """Zigzag LEB128."""
    return u(2 * number if number >= 0 else -2 * number - 1)


def terms(*pairs: tuple[int, Number]) -> bytes:
    """Multipliers with their indices."""
    return u(len(pairs)) + b"".join(
        u(i) + u(Fraction(q).numerator) + u(Fraction(q).denominator) for i, q in pairs
    )


def slopes(*pairs: tuple[int, int]) -> bytes:
    """Slopes in 128ths, neurons given as absolute numbers."""
    out, previous = u(len(pairs)), 0
    for neuron, v in pairs:
        out += u(neuron - previous) + bytes([v])
        previous = neuron
    return out


def closing(
    n_rows: int,
    rows: bytes = b"\0",
    constraints: bytes = b"\0",
    assumptions: bytes = b"\0",
    listed: bytes = b"\0",
) -> bytes:
    """A closing in the general form, parts made by `terms` and `slopes`."""
    return u(n_rows) + rows + constraints + assumptions + listed


def dyadic(numerator: int, exponent: int) -> bytes:
    """numerator 2^-exponent."""
    return s(numerator) + u(exponent)


def split(axis: int) -> bytes:
    """SPLIT at the midpoint."""
    return bytes([axis])


def split_at(axis: int, coordinate: int) -> bytes:
    """SPLIT_AT a grid coordinate."""
    return b"\x3f" + u(axis) + s(coordinate)


def split_neuron(neuron: int, at: bytes) -> bytes:
    """SPLIT_NEURON at a dyadic."""
    return b"\x40" + u(neuron) + at


def split_difference(neuron: int, minus: int, at: bytes) -> bytes:
    """SPLIT_DIFFERENCE at a dyadic."""
    return b"\x41" + u(neuron) + u(minus) + at


def leaf(*closings: bytes) -> bytes:
    """LEAF."""
    return b"\x50" + b"".join(closings)


def close(disjunct: int, part: bytes) -> bytes:
    """CLOSE."""
    return b"\x51" + u(disjunct) + part


def cut(axis: int, side: int, q: int, *closings: bytes) -> bytes:
    """CUT."""
    return b"\x52" + u(2 * axis + side) + bytes([q]) + b"".join(closings)


TIGHTEN = b"\x53"


def tighten(neurons: Sequence[int], listed: bytes = b"\0") -> bytes:
    """TIGHTEN of named neurons."""
    gaps = [n - p for n, p in zip(neurons, [0, *neurons], strict=False)]
    return b"\x54" + u(len(neurons)) + b"".join(u(gap) for gap in gaps) + listed


def certificate(
    model: bytes, claim: bytes, *trees: bytes, flags: int = 1, arithmetic: int = 1, version: int = 1
) -> bytes:
    """A whole certificate file."""
    header = (
        b"HYBRAICE" + bytes([version, arithmetic, flags]) + sha256(model).digest() + sha256(claim).digest()
    )
    return header + u(len(trees)) + b"".join(u(len(tree)) + tree for tree in trees)
