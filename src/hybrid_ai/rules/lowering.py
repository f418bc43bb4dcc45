"""Rules in physical units as properties of a network over its own values.

docs/formats/plan.md, sections "Quantities and units" and "From requirements to verifications", is normative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from hybrid_ai import spec
from hybrid_ai.spec.printing import decimal_places

from .errors import InterfaceError, UnknownName
from .printing import text_of
from .quantities import Interface, Quantity, Range
from .syntax import Comparison, Conjunction, Disjunction, Formula, Linear, conjunction, names, negated

# A bound that has no finite decimal, or one of more digits after the point, is rounded to so many.
MAX_DIGITS = 30
_UNITS = 10**MAX_DIGITS


@dataclass(frozen=True, slots=True)
class CertifiedRange:
    """What is certified of one input.

    Arguments: name; minimum, maximum: the physical range, exact; lower, upper: the network's range, which
    encloses it, finite decimals.
    """

    name: str
    minimum: Fraction
    maximum: Fraction
    lower: Fraction
    upper: Fraction


@dataclass(frozen=True, slots=True)
class Lowered:
    """A property over the network's own values, and its input box with one range per input, in order."""

    property: spec.Property
    box: tuple[CertifiedRange, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a name stands among the network's values."""

    is_output: bool
    index: int
    quantity: Quantity


@dataclass(frozen=True, slots=True)
class _Bound:
    value: Fraction
    strict: bool


@dataclass(slots=True)
class _Sides:
    """The tightest physical bounds of one input so far."""

    lower: _Bound
    upper: _Bound

    def tighten(self, bound: _Bound, is_upper: bool) -> None:
        # At equal values the strict one is the tighter.
        if is_upper:
            self.upper = min(self.upper, bound, key=lambda side: (side.value, not side.strict))
        else:
            self.lower = max(self.lower, bound, key=lambda side: (side.value, side.strict))


def lowered(
    interface: Interface,
    ranges: Mapping[str, Range],
    premises: Sequence[Formula],
    require: Formula,
    *,
    never: bool = False,
) -> Lowered:
    """Return the property that `require` holds wherever the inputs are in their ranges and the premises hold.

    Arguments: interface: of the network; ranges: one for each input, physical; premises: over inputs;
    require: over inputs and outputs; never: claim instead that `require` holds nowhere there.
    The unsafe condition is: the box, the premises, and not `require` (with never: and `require`). A box
    without points is no error here.
    Raises UnknownName for a name that is no input (in `require`: neither input nor output), InterfaceError
    for a premise over outputs and an input without a range, UnsupportedSpec for absurdly long numbers.
    Sound because: bounds of single inputs, by ranges and by premises, are rounded so that points are only
    added (upper ones up, lower ones down), and as the premises are in negation normal form, that adds points
    to the unsafe set only: the claim that is proved is the stronger one. All else is rewritten exactly.
    """
    _check_names(interface, ranges, premises, require)
    places = _places(interface)
    sides, others = _narrowed(ranges, premises)
    atoms: list[spec.Formula] = []
    box: list[CertifiedRange] = []
    for index, quantity in enumerate(interface.inputs):
        lower, upper, certified = _axis(index, quantity, sides[quantity.name])
        atoms += [lower, upper]
        box.append(certified)
    atoms += [_rewritten(premise, places, is_premise=True) for premise in others]
    atoms.append(_rewritten(require if never else negated(require), places, is_premise=False))
    unsafe = spec.And(tuple(atoms))
    return Lowered(spec.Property(len(interface.inputs), len(interface.outputs), unsafe), tuple(box))


def robustness(
    interface: Interface,
    ranges: Mapping[str, Range],
    sample: Mapping[str, Fraction],
    radius: Mapping[str, Fraction],
    label: str,
) -> Lowered:
    """Return the property that within radius of the sample, and within the ranges, the label stays greatest.

    Arguments: interface: of the network, with at least two outputs; ranges: one for each input; sample: a
    value for each input; radius: by input, >= 0, 0 where absent; label: name of an output; all in physical
    units, in which the outputs are compared as well. The unsafe set holds ties: it is reached as soon as
    some other output >= label. A sample beyond the ranges by more than the radius gives a box without
    points.
    Raises UnknownName and InterfaceError for arguments that do not fit the interface.

    Sound because: the box is that of all inputs within both radius and ranges, formed of exact rationals, and
    the label is the one greatest output just where each other one is below it; `lowered` states this exactly,
    but for bounds that it rounds so that the claim is the stronger one.
    """
    inputs = [quantity.name for quantity in interface.inputs]
    outputs = [quantity.name for quantity in interface.outputs]
    _check_known([*ranges, *sample, *radius], inputs, "an input")
    _check_known([label], outputs, "an output")
    if len(outputs) < 2:
        raise InterfaceError(f"{label} is the only output, which no other can exceed: name a second one")
    near: dict[str, Range] = {}
    for name in inputs:
        if name not in sample or name not in ranges:
            missing = "value in the sample" if name in ranges else "range"
            raise InterfaceError(f"input {name!r} has no {missing}: give one")
        size = radius.get(name, Fraction(0))
        if size < 0:
            raise InterfaceError(f"the radius of {name!r} is negative: give one of at least 0")
        near[name] = Range(
            max(ranges[name].minimum, sample[name] - size), min(ranges[name].maximum, sample[name] + size)
        )
    others = [name for name in outputs if name != label]
    return lowered(interface, near, (), conjunction(_exceeds(label, other) for other in others))


def narrowed(
    ranges: Mapping[str, Range], premises: Sequence[Formula]
) -> tuple[dict[str, Range], tuple[Formula, ...]]:
    """Return the ranges within the bounds that premises put on single inputs, and the premises left over.

    Arguments: as `lowered`. Only bounds that hold throughout count: not those within a disjunction. That a
    bound is strict is forgotten.
    Raises UnknownName for a name without a range.

    Sound because: a premise is left out only where the ranges say it, and one that is strict says less there;
    what satisfies all premises therefore lies in the ranges and satisfies those left over.
    """
    _check_known(_all_names(premises), list(ranges), "an input")
    sides, others = _narrowed(ranges, premises)
    return {name: Range(side.lower.value, side.upper.value) for name, side in sides.items()}, tuple(others)


def _exceeds(label: str, other: str) -> Formula:
    """Return other - label < 0."""
    terms = sorted([(label, Fraction(-1)), (other, Fraction(1))])
    return Comparison(Linear(tuple(terms), Fraction(0)), strict=True)


def _all_names(formulas: Iterable[Formula]) -> list[str]:
    return sorted(frozenset().union(*map(names, formulas)))


def _check_known(used: Iterable[str], known: Sequence[str], kind: str) -> None:
    present = frozenset(known)
    for name in used:
        if name not in present:
            raise UnknownName(name, kind, known)


def _check_names(
    interface: Interface, ranges: Mapping[str, Range], premises: Sequence[Formula], require: Formula
) -> None:
    inputs = [quantity.name for quantity in interface.inputs]
    outputs = [quantity.name for quantity in interface.outputs]
    _check_known(ranges, inputs, "an input")
    for name in inputs:
        if name not in ranges:
            raise InterfaceError(f"input {name!r} has no range: give one")
    for premise in premises:
        for name in sorted(names(premise)):
            if name in outputs:
                raise InterfaceError(
                    f"{name!r} is an output, and this may be about inputs only: {text_of(premise)[:200]}"
                )
    _check_known(_all_names(premises), inputs, "an input")
    _check_known(_all_names([require]), inputs + outputs, "an input or output")


def _places(interface: Interface) -> dict[str, _Place]:
    inputs = {quantity.name: _Place(False, i, quantity) for i, quantity in enumerate(interface.inputs)}
    outputs = {quantity.name: _Place(True, i, quantity) for i, quantity in enumerate(interface.outputs)}
    return inputs | outputs


def _narrowed(
    ranges: Mapping[str, Range], premises: Sequence[Formula]
) -> tuple[dict[str, _Sides], list[Formula]]:
    """Return the bounds of each input by its range and by premises over it alone, and the other premises."""
    sides = {
        name: _Sides(_Bound(limits.minimum, False), _Bound(limits.maximum, False))
        for name, limits in ranges.items()
    }
    others: list[Formula] = []
    for part in (part for premise in premises for part in _conjuncts(premise)):
        terms = _present(part.linear) if isinstance(part, Comparison) else []
        if not isinstance(part, Comparison) or len(terms) != 1:
            others.append(part)
            continue
        ((name, coefficient),) = terms
        bound = _Bound(-part.linear.constant / coefficient, part.strict)
        sides[name].tighten(bound, is_upper=coefficient > 0)
    return sides, others


def _conjuncts(formula: Formula) -> list[Formula]:
    if not isinstance(formula, Conjunction):
        return [formula]
    return [part for child in formula.children for part in _conjuncts(child)]


def _present(linear: Linear) -> list[tuple[str, Fraction]]:
    return [(name, coefficient) for name, coefficient in linear.terms if coefficient != 0]


def _axis(index: int, quantity: Quantity, sides: _Sides) -> tuple[spec.Atom, spec.Atom, CertifiedRange]:
    """Return the atoms that bound the network's value below and above, and what is certified of it."""
    below, above = (
        _Bound((side.value - quantity.offset) / quantity.scale, side.strict)
        for side in (sides.lower, sides.upper)
    )
    if quantity.scale < 0:
        below, above = above, below
    lower, upper = _bound_atom(index, below, is_upper=False), _bound_atom(index, above, is_upper=True)
    minimum, maximum = sides.lower.value, sides.upper.value
    # The atoms are lower - X <= 0 and X - upper <= 0.
    return lower, upper, CertifiedRange(quantity.name, minimum, maximum, lower.constant, -upper.constant)


def _bound_atom(index: int, bound: _Bound, is_upper: bool) -> spec.Atom:
    """Return X_index <= bound (or >=, or strict), rounded outward where the bound is no short decimal.

    Sound because: the half-line that the atom describes contains the one that the bound describes.
    """
    written = _outward(bound.value, is_upper)
    sign = Fraction(1 if is_upper else -1)
    return spec.Atom(((index, sign),), (), -sign * written, bound.strict)


def _outward(value: Fraction, is_upper: bool) -> Fraction:
    places = decimal_places(value.denominator)
    if places is not None and places <= MAX_DIGITS:
        return value
    return Fraction(ceil(value * _UNITS) if is_upper else floor(value * _UNITS), _UNITS)


def _rewritten(formula: Formula, places: Mapping[str, _Place], is_premise: bool) -> spec.Formula:
    """Return the formula over the network's values: exact, but for bounds of single inputs in a premise."""
    if not isinstance(formula, Comparison):
        children = tuple(_rewritten(child, places, is_premise) for child in formula.children)
        return spec.Or(children) if isinstance(formula, Disjunction) else spec.And(children)
    inputs: dict[int, Fraction] = {}
    outputs: dict[int, Fraction] = {}
    constant = formula.linear.constant
    for name, coefficient in _present(formula.linear):
        place = places[name]
        (outputs if place.is_output else inputs)[place.index] = coefficient * place.quantity.scale
        constant += coefficient * place.quantity.offset
    atom = spec.Atom(tuple(sorted(inputs.items())), tuple(sorted(outputs.items())), constant, formula.strict)
    if not is_premise or len(atom.inputs) != 1:
        return atom
    ((index, slope),) = atom.inputs
    return _bound_atom(index, _Bound(-constant / slope, formula.strict), is_upper=slope > 0)
