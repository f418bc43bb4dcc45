"""Normal form of a property: input polytopes, each with the disjuncts to exclude on it.

Section 2 of the certificate format (docs/formats/certificate.md) is normative; the checker derives the
same from the file on its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, product

from .errors import UnsupportedSpec
from .property import Atom, Formula, Or, Property

MAX_CONJUNCTS = 100_000

Rows = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class InputPolytope:
    """A part of the input set with the output conditions that must be unreachable on it.

    Arguments: lower, upper: one finite bound per input, lower <= upper; constraints: atoms over two or more
    inputs; disjuncts: each a conjunction of rows (atoms with an output), unsafe when all its rows hold; a
    disjunct without rows makes the whole polytope unsafe.
    """

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    constraints: Rows
    disjuncts: tuple[Rows, ...]


@dataclass(frozen=True, slots=True)
class EmptyBox:
    """An input polytope without points: lower > upper on an axis; the lines say which asserts contradict."""

    axis: int
    lower: Fraction
    upper: Fraction
    lower_line: int | None
    upper_line: int | None


@dataclass(frozen=True, slots=True)
class NormalForm:
    """The input polytopes with a non-empty box, in order, and one entry per polytope with an empty box."""

    polytopes: tuple[InputPolytope, ...]
    empty: tuple[EmptyBox, ...]


@dataclass(frozen=True, slots=True)
class _Bound:
    value: Fraction
    line: int | None


@dataclass(frozen=True, slots=True)
class _Box:
    """Bounds by axis. Never changed once built, and shared by the conjuncts that agree on it."""

    lower: dict[int, _Bound]
    upper: dict[int, _Bound]


@dataclass(frozen=True, slots=True)
class _Conjunct:
    box: _Box
    constraints: Rows
    rows: Rows


# The bounds of a box by axis, without the lines that state them.
_Values = frozenset[tuple[int, Fraction]]

_NO_BOUNDS = _Box({}, {})


def normal_form(prop: Property) -> NormalForm:
    """Return the input polytopes of the unsafe set in the order the certificate format fixes.

    Raises UnsupportedSpec for more than MAX_CONJUNCTS conjuncts (counted before any is built) and for an
    input without two finite bounds, which it names.
    Sound because: forgetting that a bound is strict only enlarges the unsafe set
    (docs/theory/property-normal-form.md).
    """
    counts: dict[int, int] = {}
    if _count(prop.unsafe, counts) > MAX_CONJUNCTS:
        raise UnsupportedSpec(
            f"the property has more than {MAX_CONJUNCTS} conjuncts: split it into several properties",
            prop.file,
        )
    groups: dict[tuple[int, Rows], tuple[_Box, dict[Rows, None]]] = {}
    box_numbers = _BoxNumbers()
    for conjunct in _conjuncts(prop.unsafe, counts):
        key = (box_numbers.number(conjunct.box), conjunct.constraints)
        # A dict keeps the order of first appearance and each row list once.
        groups.setdefault(key, (conjunct.box, {}))[1][conjunct.rows] = None
    polytopes: list[InputPolytope] = []
    empty: list[EmptyBox] = []
    for (_, constraints), (box, disjuncts) in groups.items():
        lower, upper = _finite(box, prop)
        contradiction = _contradiction(box, prop.n_inputs)
        if contradiction is not None:
            empty.append(contradiction)
        else:
            polytopes.append(InputPolytope(lower, upper, constraints, tuple(disjuncts)))
    return NormalForm(tuple(polytopes), tuple(empty))


def _count(formula: Formula, counts: dict[int, int]) -> int:
    """Return the number of conjuncts, at most MAX_CONJUNCTS + 1; counts keeps it by id of each part."""
    if isinstance(formula, Atom):
        return 1
    total = 0 if isinstance(formula, Or) else 1
    for child in formula.children:
        count = _count(child, counts)
        total = min(total + count if isinstance(formula, Or) else total * count, MAX_CONJUNCTS + 1)
    counts[id(formula)] = total
    return total


def _conjuncts(formula: Formula, counts: dict[int, int]) -> list[_Conjunct]:
    """Return the conjuncts of the disjunctive normal form that are not false by a constant atom."""
    if isinstance(formula, Atom):
        conjunct = _conjunct_of_atoms([formula])
        return [] if conjunct is None else [conjunct]
    # A part without conjuncts is not entered: below it there may be more than the limit.
    if counts.get(id(formula)) == 0:
        return []
    if isinstance(formula, Or):
        return [conjunct for child in formula.children for conjunct in _conjuncts(child, counts)]
    result = [_Conjunct(_NO_BOUNDS, (), ())]
    for is_atom, children in groupby(formula.children, key=lambda child: isinstance(child, Atom)):
        if is_atom:
            run = _conjunct_of_atoms([child for child in children if isinstance(child, Atom)])
            factors = [[] if run is None else [run]]
        else:
            factors = [_conjuncts(child, counts) for child in children]
        for factor in factors:
            result = [_joined(first, second) for first, second in product(result, factor)]
    return result


def _conjunct_of_atoms(atoms: list[Atom]) -> _Conjunct | None:
    """Return the conjunct of these atoms, None when one of them is constant and false."""
    lower: dict[int, _Bound] = {}
    upper: dict[int, _Bound] = {}
    constraints: dict[Atom, None] = {}
    rows: dict[Atom, None] = {}
    for atom in atoms:
        if atom.outputs:
            rows[atom] = None
        elif len(atom.inputs) > 1:
            constraints[atom] = None
        elif atom.inputs:
            axis, coefficient = atom.inputs[0]
            bound = _Bound(-atom.constant / coefficient, atom.line)
            if coefficient > 0:
                _tighten_upper(upper, axis, bound)
            else:
                _tighten_lower(lower, axis, bound)
        elif atom.constant > 0 or (atom.strict and atom.constant == 0):
            return None
    return _Conjunct(_Box(lower, upper), tuple(constraints), tuple(rows))


def _tighten_lower(bounds: dict[int, _Bound], axis: int, bound: _Bound) -> None:
    if axis not in bounds or bound.value > bounds[axis].value:
        bounds[axis] = bound


def _tighten_upper(bounds: dict[int, _Bound], axis: int, bound: _Bound) -> None:
    if axis not in bounds or bound.value < bounds[axis].value:
        bounds[axis] = bound


def _joined(first: _Conjunct, second: _Conjunct) -> _Conjunct:
    return _Conjunct(
        _joined_box(first.box, second.box),
        _joined_rows(first.constraints, second.constraints),
        _joined_rows(first.rows, second.rows),
    )


def _joined_rows(first: Rows, second: Rows) -> Rows:
    if not first or not second:
        return first or second
    return tuple(dict.fromkeys(first + second))


def _joined_box(first: _Box, second: _Box) -> _Box:
    if not (second.lower or second.upper):
        return first
    if not (first.lower or first.upper):
        return second
    lower, upper = dict(first.lower), dict(first.upper)
    for axis, bound in second.lower.items():
        _tighten_lower(lower, axis, bound)
    for axis, bound in second.upper.items():
        _tighten_upper(upper, axis, bound)
    return _Box(lower, upper)


class _BoxNumbers:
    """Gives equal boxes equal numbers; a box object that many conjuncts share is compared only once."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[int, _Box]] = {}  # holds the box, so that no id is used twice
        self._by_value: dict[tuple[_Values, _Values], int] = {}

    def number(self, box: _Box) -> int:
        known = self._by_id.get(id(box))
        if known is None:
            value = (
                _values(box.lower),
                _values(box.upper),
            )
            known = (self._by_value.setdefault(value, len(self._by_value)), box)
            self._by_id[id(box)] = known
        return known[0]


def _values(bounds: dict[int, _Bound]) -> _Values:
    return frozenset((axis, bound.value) for axis, bound in bounds.items())


def _finite(box: _Box, prop: Property) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    for axis in range(prop.n_inputs):
        for name, bounds in (("lower", box.lower), ("upper", box.upper)):
            if axis not in bounds:
                raise UnsupportedSpec(
                    f"{prop.input_name(axis)} has no {name} bound in some part of the input set: assert one",
                    prop.file,
                )
    axes = range(prop.n_inputs)
    return tuple(box.lower[axis].value for axis in axes), tuple(box.upper[axis].value for axis in axes)


def _contradiction(box: _Box, n_inputs: int) -> EmptyBox | None:
    for axis in range(n_inputs):
        lower, upper = box.lower[axis], box.upper[axis]
        if lower.value > upper.value:
            return EmptyBox(axis, lower.value, upper.value, lower.line, upper.line)
    return None
