"""Properties of ACAS Xu, stated in feet, radians and seconds, are those of the published files.

Units, offsets and scales: Katz et al., "Reluplex" (CAV 2017), and the header of the published networks.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from hybrid_ai.rules import Interface, Quantity, Range, lowered, parse
from hybrid_ai.spec import Atom, normal_form, read_vnnlib

TURN = "6.28318530718"
INPUTS = [
    ("rho", "ft", "19791.091", "60261", "0", "60760"),
    ("theta", "rad", "0", TURN, "-3.141592653589793", "3.141592653589793"),
    ("psi", "rad", "0", TURN, "-3.141592653589793", "3.141592653589793"),
    ("v_own", "ft/s", "650", "1100", "100", "1200"),
    ("v_int", "ft/s", "600", "1200", "0", "1200"),
]
OUTPUTS = ("COC", "WL", "WR", "SL", "SR")
INTERFACE = Interface(
    tuple(
        Quantity(name, unit, Fraction(offset), Fraction(scale)) for name, unit, offset, scale, _, _ in INPUTS
    ),
    tuple(Quantity(name, "1", Fraction("7.5188840201"), Fraction("373.94992")) for name in OUTPUTS),
)
DOMAIN = {name: Range(Fraction(low), Fraction(high)) for name, _, _, _, low, high in INPUTS}

FAST = "rho >= 55947.691 and v_own >= 1145 and v_int <= 60"
AHEAD = "1500 <= rho <= 1800 and abs(theta) <= 0.06"
RULES = {
    1: (FAST, "COC <= 1500"),
    2: (FAST, "COC < max(WL, WR, SL, SR)"),
    3: (f"{AHEAD} and psi >= 3.1 and v_own >= 980 and v_int >= 960", "COC > min(WL, WR, SL, SR)"),
    4: (f"{AHEAD} and psi == 0 and v_own >= 1000 and 700 <= v_int <= 800", "COC > min(WL, WR, SL, SR)"),
}


def scaled_row(atom: Atom) -> tuple[Fraction, ...]:
    """Coefficients of the outputs and the constant, with the first coefficient of size 1."""
    assert not atom.inputs
    size = abs(atom.outputs[0][1])
    dense = dict(atom.outputs)
    return (*(dense.get(index, Fraction(0)) / size for index in range(5)), atom.constant / size)


@pytest.mark.parametrize("number", RULES)
def test_physical_rules_give_the_published_properties(data: Path, number: int) -> None:
    where, require = RULES[number]
    result = lowered(INTERFACE, DOMAIN, [parse(where)], parse(require))
    (given,) = normal_form(read_vnnlib(data / "acasxu" / "vnnlib" / f"prop_{number}.vnnlib")).polytopes
    (ours,) = normal_form(result.property).polytopes
    # The files round to nine digits.
    tolerance = Fraction(1, 10**8)
    for axis, entry in enumerate(result.box):
        assert (ours.lower[axis], ours.upper[axis]) == (entry.lower, entry.upper)
        assert abs(entry.lower - given.lower[axis]) < tolerance
        assert abs(entry.upper - given.upper[axis]) < tolerance
    assert ours.constraints == given.constraints == ()
    (our_rows,), (given_rows,) = ours.disjuncts, given.disjuncts
    for row, wanted in zip(
        sorted(map(scaled_row, our_rows)), sorted(map(scaled_row, given_rows)), strict=True
    ):
        assert row[:5] == wanted[:5]
        assert abs(row[5] - wanted[5]) < tolerance


def test_the_disjunctive_domain_of_property_6(data: Path) -> None:
    domain = DOMAIN | {"rho": Range(Fraction(0), Fraction(62000))}
    where = "rho >= 12000 and abs(theta) >= 0.7 and psi <= -3.1365920000000003"
    result = lowered(INTERFACE, domain, [parse(where)], parse("COC < min(WL, WR, SL, SR)"))
    given = normal_form(read_vnnlib(data / "acasxu" / "vnnlib" / "prop_6.vnnlib")).polytopes
    ours = normal_form(result.property).polytopes
    assert len(ours) == len(given) == 2
    # The files cut pi to 3.141592.
    tolerance = Fraction(1, 5 * 10**6)
    for part, wanted in zip(ours, given, strict=True):
        for axis in range(5):
            assert abs(part.lower[axis] - wanted.lower[axis]) < tolerance
            assert abs(part.upper[axis] - wanted.upper[axis]) < tolerance
        assert {tuple(map(scaled_row, rows)) for rows in part.disjuncts} == {
            tuple(map(scaled_row, rows)) for rows in wanted.disjuncts
        }
