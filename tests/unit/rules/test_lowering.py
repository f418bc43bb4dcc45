"""Properties over a network's values say what the rules in physical units say; rounding only adds points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ai import spec
from hybrid_ai.rules import (
    Comparison,
    Formula,
    Interface,
    InterfaceError,
    Lowered,
    Quantity,
    Range,
    UnknownName,
    evaluate,
    lowered,
    narrowed,
    parse,
    robustness,
)
from tests.unit.rules.formula_texts import formulas, python_value, values

INPUTS, OUTPUTS = ("a", "b"), ("y", "z")
SHORT = Fraction(1, 10**30)
SCALES = [Fraction(text) for text in ("1", "60261", "-3", "6.28318530718", "0.3333333333", "-0.07", "1e-20")]
OFFSETS = [Fraction(text) for text in ("0", "19791.091", "-7.5188840201", "1/3")]
# Where around a threshold points are taken: on it, within what rounding may add, and beyond.
NUDGES = [step * SHORT * sign for step in (0, Fraction(1, 7), 1, 3, 10**30) for sign in (1, -1)]


def quantity(name: str, scale: str = "1", offset: str = "0") -> Quantity:
    return Quantity(name, "1", Fraction(offset), Fraction(scale))


def ranges(**limits: tuple[object, object]) -> dict[str, Range]:
    return {name: Range(Fraction(str(low)), Fraction(str(high))) for name, (low, high) in limits.items()}


def interface(scale: str = "1", offset: str = "0") -> Interface:
    """Inputs a (scaled so) and b, outputs y and z."""
    return Interface((quantity("a", scale, offset), quantity("b")), (quantity("y"), quantity("z")))


WIDE = ranges(a=(-10, 10), b=(-10, 10))


@dataclass(frozen=True)
class Case:
    interface: Interface
    ranges: dict[str, Range]
    premises: list[str]
    require: str
    never: bool

    def lowered(self) -> Lowered:
        premises = [parse(text) for text in self.premises]
        return lowered(self.interface, self.ranges, premises, parse(self.require), never=self.never)

    def is_unsafe(self, x: tuple[Fraction, ...], y: tuple[Fraction, ...]) -> bool:
        """The statement in physical units, by Python's reading of the texts."""
        inputs = self.physical(self.interface.inputs, x)
        every = inputs | self.physical(self.interface.outputs, y)
        return (
            all(limits.minimum <= inputs[name] <= limits.maximum for name, limits in self.ranges.items())
            and all(python_value(text, inputs) for text in self.premises)
            and python_value(self.require, every) is self.never
        )

    @staticmethod
    def physical(quantities: tuple[Quantity, ...], network: tuple[Fraction, ...]) -> dict[str, Fraction]:
        return {q.name: value * q.scale + q.offset for q, value in zip(quantities, network, strict=True)}

    def thresholds(self, axis: int) -> list[Fraction]:
        """The network's values at which a range or a premise bounds this input."""
        q = self.interface.inputs[axis]
        limits = self.ranges[q.name]
        physical = [limits.minimum, limits.maximum]
        for atom in (atom for text in self.premises for atom in comparisons(parse(text))):
            terms = [term for term in atom.linear.terms if term[1] != 0]
            if [name for name, _ in terms] == [q.name]:
                physical.append(-atom.linear.constant / terms[0][1])
        return [(value - q.offset) / q.scale for value in physical]

    def may_be_added(self, x: tuple[Fraction, ...]) -> bool:
        """Whether an input is so near a threshold that rounding it may have added the point."""
        return any(
            abs(value - threshold) < SHORT and not is_short(threshold)
            for axis, value in enumerate(x)
            for threshold in self.thresholds(axis)
        )


def is_short(value: Fraction) -> bool:
    return (value / SHORT).denominator == 1


def comparisons(formula: Formula) -> Iterator[Comparison]:
    if isinstance(formula, Comparison):
        yield formula
    else:
        for child in formula.children:
            yield from comparisons(child)


# Made once: hypothesis takes long to set such a strategy up.
PREMISES = st.lists(formulas(INPUTS, max_leaves=3), max_size=2)
REQUIRED = formulas(INPUTS + OUTPUTS, max_leaves=2)
WIDTHS = st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(5)])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    quantities = [
        Quantity(name, "1", draw(st.sampled_from(OFFSETS)), draw(st.sampled_from(SCALES)))
        for name in INPUTS + OUTPUTS
    ]
    limits = {}
    for name in INPUTS:
        minimum = draw(values)
        limits[name] = Range(minimum, minimum + draw(WIDTHS))
    premises, require = draw(PREMISES), draw(REQUIRED)
    return Case(
        Interface(tuple(quantities[:2]), tuple(quantities[2:])),
        limits,
        premises,
        require,
        draw(st.booleans()),
    )


@settings(max_examples=300)
@given(cases(), st.data())
def test_the_unsafe_condition_is_the_physical_one(case: Case, data: st.DataObject) -> None:
    prop = case.lowered().property
    for _ in range(5):
        x = []
        for axis, q in enumerate(case.interface.inputs):
            limits = case.ranges[q.name]
            share = data.draw(st.sampled_from([Fraction(1, 2), Fraction(1, 7)]))
            middle = limits.minimum + share * (limits.maximum - limits.minimum)
            near = [value + nudge for value in case.thresholds(axis) for nudge in NUDGES]
            x.append(data.draw(st.sampled_from([(middle - q.offset) / q.scale, *near])))
        physical = [data.draw(values) for _ in case.interface.outputs]
        y = [(v - q.offset) / q.scale for v, q in zip(physical, case.interface.outputs, strict=True)]
        stated, certified = case.is_unsafe(tuple(x), tuple(y)), prop.holds_unsafe(x, y)
        if case.may_be_added(tuple(x)):
            assert certified or not stated
        else:
            assert certified is stated


@settings(max_examples=200)
@given(cases())
def test_the_certified_box_encloses_the_physical_one_tightly(case: Case) -> None:
    result = case.lowered()
    tight, _ = narrowed(case.ranges, [parse(text) for text in case.premises])
    assert [entry.name for entry in result.box] == list(INPUTS)
    for entry, q in zip(result.box, case.interface.inputs, strict=True):
        assert Range(entry.minimum, entry.maximum) == tight[q.name]
        ends = [(value - q.offset) / q.scale for value in (entry.minimum, entry.maximum)]
        if q.scale < 0:
            ends.reverse()
        assert is_short(entry.lower) and is_short(entry.upper)
        assert 0 <= ends[0] - entry.lower < SHORT and 0 <= entry.upper - ends[1] < SHORT
    for part in spec.normal_form(result.property).polytopes:
        for axis, entry in enumerate(result.box):
            assert entry.lower <= part.lower[axis] <= part.upper[axis] <= entry.upper


@settings(max_examples=200)
@given(cases())
def test_printed_properties_read_back(case: Case) -> None:
    prop = case.lowered().property
    assert spec.read_vnnlib(spec.to_vnnlib(prop).encode()) == prop


def test_a_whole_property() -> None:
    face = Interface(
        (quantity("rho", "60261", "19791.091"),), (quantity("COC", "373.94992", "7.5188840201"),)
    )
    result = lowered(face, ranges(rho=(0, 60760)), [parse("rho >= 55947.691")], parse("COC <= 1500"))
    assert spec.to_vnnlib(result.property).splitlines() == [
        "(declare-const X_0 Real)",
        "(declare-const Y_0 Real)",
        "(assert (>= X_0 0.6))",
        "(assert (<= X_0 0.679857768706128341713546074576))",
        "(assert (> (* 373.94992 Y_0) 1492.4811159799))",
    ]
    (entry,) = result.box
    assert (entry.minimum, entry.maximum, entry.lower) == (Fraction("55947.691"), 60760, Fraction("0.6"))


@pytest.mark.parametrize(
    "scale, premise, lower, upper",
    [
        ("3", "a <= 1", "-3." + "3" * 29 + "4", "0." + "3" * 29 + "4"),
        ("3", "a >= 1", "0." + "3" * 30, "3." + "3" * 29 + "4"),
        ("-3", "a >= 1", "-3." + "3" * 29 + "4", "-0." + "3" * 30),
        ("-3", "-2*a >= -2", "-0." + "3" * 29 + "4", "3." + "3" * 29 + "4"),
    ],
)
def test_bounds_are_rounded_outward(scale: str, premise: str, lower: str, upper: str) -> None:
    result = lowered(interface(scale), WIDE, [parse(premise)], parse("y <= 0"))
    assert (result.box[0].lower, result.box[0].upper) == (Fraction(lower), Fraction(upper))


def test_a_bound_of_thirty_digits_is_kept_and_one_of_more_rounded() -> None:
    kept, rounded = Fraction("0." + "3" * 30), Fraction("0." + "3" * 31)
    result = lowered(interface(), {"a": Range(kept, kept), "b": Range(rounded, rounded)}, [], parse("y <= 0"))
    assert (result.box[0].lower, result.box[0].upper) == (kept, kept)
    assert (result.box[1].lower, result.box[1].upper) == (kept, kept + SHORT)


def atoms(formula: spec.Formula) -> Iterator[spec.Atom]:
    if isinstance(formula, spec.Atom):
        yield formula
    else:
        for child in formula.children:
            yield from atoms(child)


def test_a_bound_within_a_disjunction_is_rounded_outward() -> None:
    result = lowered(interface("3"), WIDE, [parse("a > 1 or a < -1")], parse("y <= 0"))
    inner = [atom for atom in atoms(result.property.unsafe) if atom.inputs][4:]
    assert inner == [
        spec.Atom(((0, Fraction(-1)),), (), Fraction(10**30 // 3) * SHORT, True),
        spec.Atom(((0, Fraction(1)),), (), Fraction(10**30 // 3) * SHORT, True),
    ]
    assert (result.box[0].minimum, result.box[0].maximum) == (-10, 10)


def test_a_strict_bound_stays_strict() -> None:
    def strictness(scale: str) -> list[bool]:
        premises = [parse("a < 1 and b > -5 and b >= -5 and a <= 1"), parse("b > 0 or b < -1")]
        prop = lowered(interface(scale), WIDE, premises, parse("y <= 0")).property
        return [atom.strict for atom in atoms(prop.unsafe)]

    # By input the box, lower bound first; the disjunction; y > 0.
    assert strictness("2") == [False, True, True, False, True, True, True]
    assert strictness("3") == [False, True, True, False, True, True, True]


def test_what_is_required_is_not_rounded() -> None:
    result = lowered(interface("3"), WIDE, [], parse("a <= 1 or y <= 1/3"))
    exact = list(atoms(result.property.unsafe))[4:]
    assert exact == [
        spec.Atom(((0, Fraction(-3)),), (), Fraction(1), True),
        spec.Atom((), ((0, Fraction(-1)),), Fraction(1, 3), True),
    ]
    never = lowered(interface("3"), WIDE, [], parse("a <= 1 or y <= 1/3"), never=True)
    assert list(atoms(never.property.unsafe))[4:] == [atom.negated() for atom in exact]


def test_a_premise_over_several_inputs_is_not_rounded() -> None:
    result = lowered(interface("3", "0.5"), WIDE, [parse("a + b/3 <= 1")], parse("y <= 0"))
    terms = ((0, Fraction(3)), (1, Fraction(1, 3)))
    assert list(atoms(result.property.unsafe))[4] == spec.Atom(terms, (), Fraction(-1, 2), False)


def test_empty_boxes_are_left_to_verification() -> None:
    result = lowered(interface(), WIDE, [parse("a >= 11")], parse("y <= 0"))
    assert (result.box[0].lower, result.box[0].upper) == (11, 10)
    form = spec.normal_form(result.property)
    assert form.polytopes == ()
    assert [(empty.axis, empty.lower, empty.upper) for empty in form.empty] == [(0, 11, 10)]


def test_a_formula_as_deep_as_is_read_gives_a_property() -> None:
    text = "a<1 or b<1 and (" * 49 + "a<2" + ")" * 49
    for require in (text, f"not ({text})"):
        assert lowered(interface(), WIDE, [parse(text)], parse(require)).property.n_inputs == 2


def test_narrowing_leaves_what_is_no_bound_of_one_input() -> None:
    premises = [parse("a <= 3 and 0*b + 2*a > 1"), parse("b <= a"), parse("b < 1 or b > 2"), parse("1 <= 2")]
    tight, others = narrowed(WIDE, premises)
    assert tight == ranges(a=("1/2", 3), b=(-10, 10))
    assert others == tuple(premises[1:])
    with pytest.raises(UnknownName, match="'c' is not an input"):
        narrowed(WIDE, [parse("c <= 1")])


@pytest.mark.parametrize(
    "limits, premise, require, message",
    [
        (WIDE, "alt <= 1", "y <= 0", "'alt' is not an input: write one of a, b"),
        (WIDE, "0*alt + a <= 1", "y <= 0", "'alt' is not an input: write one of a, b"),
        (WIDE, "a <= 1", "yy <= 0", "'yy' is not an input or output: did you mean 'y'?"),
        ({**WIDE, "aa": WIDE["a"]}, "a <= 1", "y <= 0", "'aa' is not an input: did you mean 'a'?"),
    ],
)
def test_unknown_names(limits: dict[str, Range], premise: str, require: str, message: str) -> None:
    with pytest.raises(UnknownName) as caught:
        lowered(interface(), limits, [parse(premise)], parse(require))
    assert str(caught.value) == message
    assert isinstance(caught.value, ValueError)


def test_what_does_not_fit_the_interface() -> None:
    y = parse("y <= 0")
    with pytest.raises(InterfaceError, match=r"'y' is an output, .* inputs only: a \+ y <= 1"):
        lowered(interface(), WIDE, [parse("a + y <= 1")], y)
    with pytest.raises(InterfaceError, match="input 'b' has no range"):
        lowered(interface(), ranges(a=(0, 1)), [], y)
    with pytest.raises(InterfaceError, match="scale 0"):
        quantity("a", "0")
    with pytest.raises(InterfaceError, match="2 inputs and outputs have the name 'a'"):
        Interface((quantity("a"),), (quantity("a"),))


def test_robustness_is_what_it_says() -> None:
    face = Interface(
        (quantity("a", "2", "1"), quantity("b", "-1")), (quantity("y", "2"), quantity("z", "1", "3"))
    )
    sample = {"a": Fraction(9), "b": Fraction(0)}
    result = robustness(face, WIDE, sample, {"a": Fraction(3)}, "y")
    # In physical units a is in [6, 12] and at most 10, and z >= y is unsafe: z + 3 >= 2 y in the network's.
    assert [(entry.minimum, entry.maximum) for entry in result.box] == [(6, 10), (0, 0)]
    assert [(entry.lower, entry.upper) for entry in result.box] == [(Fraction(5, 2), Fraction(9, 2)), (0, 0)]
    prop = result.property
    x = [Fraction(3), Fraction(0)]
    for z, unsafe in ((Fraction(1), True), (Fraction(99, 100), False), (Fraction(2), True)):
        assert prop.holds_unsafe(x, [Fraction(2), z]) is unsafe
    assert not prop.holds_unsafe([Fraction(23, 10), Fraction(0)], [Fraction(2), Fraction(1)])


def test_any_other_output_may_reach_the_label() -> None:
    face = Interface((quantity("a"),), (quantity("y"), quantity("z"), quantity("w")))
    prop = robustness(face, ranges(a=(0, 1)), {"a": Fraction(1)}, {}, "z").property
    x = [Fraction(1)]
    assert [
        prop.holds_unsafe(x, list(map(Fraction, y))) for y in ((1, 1, 0), (0, 1, 1), (0, 1, 0), (2, 1, 2))
    ] == [
        True,
        True,
        False,
        True,
    ]


def test_a_sample_far_outside_the_ranges_gives_an_empty_box() -> None:
    result = robustness(interface(), WIDE, {"a": Fraction(12), "b": Fraction(0)}, {"a": Fraction(1)}, "y")
    assert (result.box[0].minimum, result.box[0].maximum) == (11, 10)


def test_what_robustness_refuses() -> None:
    sample = {"a": Fraction(0), "b": Fraction(0)}
    one = Interface((quantity("a"),), (quantity("y"),))
    with pytest.raises(UnknownName, match="'x' is not an output: write one of y, z"):
        robustness(interface(), WIDE, sample, {}, "x")
    with pytest.raises(UnknownName, match="'aa' is not an input: did you mean 'a'"):
        robustness(interface(), WIDE, sample, {"aa": Fraction(1)}, "y")
    with pytest.raises(InterfaceError, match="the radius of 'a' is negative"):
        robustness(interface(), WIDE, sample, {"a": Fraction(-1)}, "y")
    with pytest.raises(InterfaceError, match="'b' has no value in the sample"):
        robustness(interface(), WIDE, {"a": Fraction(0)}, {}, "y")
    with pytest.raises(InterfaceError, match="'b' has no range"):
        robustness(interface(), ranges(a=(0, 1)), sample, {}, "y")
    with pytest.raises(InterfaceError, match="y is the only output"):
        robustness(one, ranges(a=(0, 1)), {"a": Fraction(0)}, {}, "y")


def test_evaluation_agrees_with_the_property_on_equalities() -> None:
    formula = parse("y == 2*a or z != b")
    prop = lowered(interface(), WIDE, [], formula).property
    for point in [(1, 0, 2, 0), (1, 0, 3, 0), (1, 0, 3, 1)]:
        named = dict(zip(INPUTS + OUTPUTS, map(Fraction, point), strict=True))
        x, y = list(named.values())[:2], list(named.values())[2:]
        assert prop.holds_unsafe(x, y) is not evaluate(formula, named)
