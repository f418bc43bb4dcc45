"""What a case's network really does: exact decisions that use neither the prover nor floating point."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hybrid_ai.spec import NormalForm, normal_form, read_vnnlib
from hybrid_ai.spec.normal_form import InputPolytope
from hybrid_ai.spec.property import Atom
from tests.soundness.laboratory.steps import Bend, Row, Steps, Sum, bent

Values = tuple[Fraction, ...]
# The vertices, in order around it, of a point, a segment or a convex polygon; each carries all its values.
Piece = tuple[Values, ...]

MOST_PIECES = 20_000
# The corners of a box around it, by the number of free inputs: which end of each.
AROUND: dict[int, tuple[tuple[int, ...], ...]] = {
    0: ((),),
    1: ((0,), (1,)),
    2: ((0, 0), (1, 0), (1, 1), (0, 1)),
}
UNIT = Fraction(1, 1 << 24)
TINY = Fraction(1, 1 << 100)
LARGEST = 1 << 60


class TooHard(Exception):
    """More free inputs or more linear pieces than are enumerated here."""


def form(text: str) -> NormalForm:
    return normal_form(read_vnnlib(text.encode()))


def unsafe_point(program: Steps, text: str) -> Values | None:
    """A point of the input set that is unsafe over the reals, or None: the property holds.

    Cuts the input set into pieces on which the network is linear and looks at the vertices, all in rationals.
    Raises TooHard for more than two free inputs.
    """
    slack = [Fraction(0)] * len(program.outputs)
    return _unsafe(program, form(text), slack)


def extremes(program: Steps, text: str) -> tuple[Fraction, Fraction]:
    """The least and the greatest value of the first output over the input set, exactly."""
    pieces = [piece for polytope in form(text).polytopes for piece in _pieces(program, polytope)]
    values = [vertex[program.outputs[0]] for piece in pieces for vertex in piece]
    return min(values), max(values)


def holds_in_float32(program: Steps, text: str) -> bool:
    """Whether the property holds in every float32 execution by a margin above a crude error bound.

    Sound because: every operation's error is bounded by four times the classical constant for its longest
    sum (which covers folded constants) plus what underflow can do, errors are carried forward by the absolute
    weights, and each unsafe condition is widened by the error of the outputs before it is decided exactly.
    """
    claim = form(text)
    for polytope in claim.polytopes:
        errors = _errors(program, polytope)
        if errors is None or any(atom.inputs for rows in polytope.disjuncts for atom in rows):
            return False
        slack = [errors[index] for index in program.outputs]
        if _unsafe(program, NormalForm((polytope,), ()), slack) is not None:
            return False
    return True


def _unsafe(program: Steps, claim: NormalForm, slack: Sequence[Fraction]) -> Values | None:
    for polytope in claim.polytopes:
        for piece in _pieces(program, polytope):
            for rows in polytope.disjuncts:
                point = _unsafe_within(piece, program, rows, slack)
                if point is not None:
                    return point[1 : program.n_inputs + 1]
    return None


def _unsafe_within(
    piece: Piece, program: Steps, rows: Sequence[Atom], slack: Sequence[Fraction]
) -> Values | None:
    """A point of the piece where all rows hold, or None.

    A closed part is left by clipping; its vertices' mean satisfies a strict row if any vertex does.
    """
    kept: Piece | None = piece
    forms = [_row(atom, program, slack) for atom in rows]
    for row in forms:
        kept = _part(kept, row) if kept else None
    if not kept:
        return None
    for atom, row in zip(rows, forms, strict=True):
        if atom.strict and min(_value(row, vertex) for vertex in kept) >= 0:
            return None
    return tuple(sum(column, Fraction(0)) / len(kept) for column in zip(*kept, strict=True))


def _row(atom: Atom, program: Steps, slack: Sequence[Fraction]) -> Row:
    """The atom over a program's values, widened by the outputs' errors."""
    widened = atom.constant - sum(abs(c) * slack[i] for i, c in atom.outputs)
    outputs = [(program.outputs[i], c) for i, c in atom.outputs]
    return ((0, widened), *((1 + i, c) for i, c in atom.inputs), *outputs)


def _value(row: Row, values: Values) -> Fraction:
    return sum((c * values[i] for i, c in row), Fraction(0))


def _pieces(program: Steps, polytope: InputPolytope) -> list[Piece]:
    """The parts of the input set on which every step is linear."""
    no_slack = [Fraction(0)] * len(program.outputs)
    pieces = [_corners(polytope)]
    for atom in polytope.constraints:
        pieces = [part for piece in pieces if (part := _part(piece, _row(atom, program, no_slack)))]
    for step in program.steps:
        if isinstance(step, Sum):
            pieces = [tuple((*v, _value(step.row, v)) for v in piece) for piece in pieces]
            continue
        kink: Row = ((step.index, Fraction(1)), (0, -step.at))
        halves = [p for piece in pieces for p in _halves(piece, [_value(kink, v) for v in piece])]
        if len(halves) > MOST_PIECES:
            raise TooHard(f"more than {MOST_PIECES} linear pieces")
        pieces = [tuple((*v, bent(step, v[step.index])) for v in piece) for piece in halves]
    return pieces


def _corners(polytope: InputPolytope) -> Piece:
    free = [i for i, (a, b) in enumerate(zip(polytope.lower, polytope.upper, strict=True)) if a < b]
    if len(free) > 2:
        raise TooHard("more than two free inputs")
    corners = []
    for ends in AROUND[len(free)]:
        corner = [Fraction(1), *polytope.lower]
        for axis, end in zip(free, ends, strict=True):
            corner[1 + axis] = polytope.upper[axis] if end else polytope.lower[axis]
        corners.append(tuple(corner))
    return tuple(corners)


def _part(piece: Piece, row: Row) -> Piece | None:
    """The part where the row is <= 0, which may be a face, or None."""
    heights = [_value(row, vertex) for vertex in piece]
    if min(heights) >= 0:
        return tuple(v for v, h in zip(piece, heights, strict=True) if h == 0) or None
    return _halves(piece, heights)[0]


def _halves(piece: Piece, heights: Sequence[Fraction]) -> tuple[Piece, ...]:
    """The piece cut where the linear function of these heights is zero; one part where it need not be cut."""
    if max(heights) <= 0 or min(heights) >= 0:
        return (piece,)
    below: list[Values] = []
    above: list[Values] = []
    for k, (vertex, height) in enumerate(zip(piece, heights, strict=True)):
        if height <= 0:
            below.append(vertex)
        if height >= 0:
            above.append(vertex)
        following, next_height = piece[(k + 1) % len(piece)], heights[(k + 1) % len(piece)]
        if height * next_height < 0 and not (len(piece) == 2 and k == 1):  # a segment has one side
            share = height / (height - next_height)
            crossing = tuple(a + share * (b - a) for a, b in zip(vertex, following, strict=True))
            below.append(crossing)
            above.append(crossing)
    return tuple(below), tuple(above)


def _errors(program: Steps, polytope: InputPolytope) -> list[Fraction] | None:
    """What float32 may change in each value, or None where the bound does not apply (range)."""
    sizes, errors = [Fraction(1)], [Fraction(0)]
    lows, highs = [Fraction(1), *polytope.lower], [Fraction(1), *polytope.upper]
    for low, high in zip(polytope.lower, polytope.upper, strict=True):
        sizes.append(max(abs(low), abs(high)))
        errors.append(UNIT * sizes[-1] + TINY)
    for step in program.steps:
        low, high = _interval(step, lows, highs)
        lows.append(low)
        highs.append(high)
        sizes.append(max(abs(low), abs(high)))
        errors.append(_error(step, sizes, errors))
        if sizes[-1] + errors[-1] > LARGEST or _largest_factor(step) > LARGEST:
            return None
    return errors


def _largest_factor(step: Sum | Bend) -> Fraction:
    if isinstance(step, Bend):
        return max(abs(step.below), abs(step.above))
    return max((abs(c) for _, c in step.row), default=Fraction(0))


def _error(step: Sum | Bend, sizes: list[Fraction], errors: list[Fraction]) -> Fraction:
    if isinstance(step, Bend):
        carried = errors[step.index] * _largest_factor(step)
        return carried + 4 * UNIT * (sizes[step.index] * _largest_factor(step) + carried) + TINY
    carried = sum((abs(c) * errors[i] for i, c in step.row), Fraction(0))
    size = sum((abs(c) * sizes[i] for i, c in step.row), Fraction(0)) + carried
    roundings = 4 * (len(step.row) + 4) * UNIT
    return carried + roundings / (1 - roundings) * size + TINY


def _interval(step: Sum | Bend, lows: list[Fraction], highs: list[Fraction]) -> tuple[Fraction, Fraction]:
    if isinstance(step, Sum):
        ends = [sorted((c * lows[i], c * highs[i])) for i, c in step.row]
        return sum((e[0] for e in ends), Fraction(0)), sum((e[1] for e in ends), Fraction(0))
    values = [bent(step, lows[step.index]), bent(step, highs[step.index])]
    if lows[step.index] < step.at < highs[step.index]:
        values.append(step.at)
    return min(values), max(values)


def in_the_input_set(text: str, x: Sequence[Fraction]) -> bool:
    return any(
        all(low <= v <= high for low, v, high in zip(p.lower, x, p.upper, strict=True))
        and all(atom.holds(x, []) for atom in p.constraints)
        for p in form(text).polytopes
    )
