"""A checker with the prover's own fault accepts: nothing else is wrong with the certificates."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from hybrid_ai.checker import check as judging
from hybrid_ai.checker import float32, rules
from hybrid_ai.checker.grid import Box, Grid
from hybrid_ai.checker.property_form import Atom, Polytope
from tests.soundness.unsound_prover.judge import ENGINES, claims, refusal
from tests.soundness.unsound_prover.problems import Falsehood
from tests.soundness.unsound_prover.ways import WAYS

CERTIFICATES = 2
MOST_ASKED = 80

relative, polytope_read = float32.relative, float32.polytope_read
grid_root, atom_form = Grid.root, rules._atom_form


def no_deviation(cost: float32.Cost) -> Fraction:
    return Fraction(0)


def half_of_the_roundings(cost: float32.Cost) -> Fraction:
    return relative(cost) / 2


def box_as_given(polytope: Polytope, arithmetic: str) -> Polytope:
    return replace(polytope_read(polytope, arithmetic), lower=polytope.lower, upper=polytope.upper)


def constraints_as_given(polytope: Polytope, arithmetic: str) -> Polytope:
    return replace(polytope_read(polytope, arithmetic), constraints=polytope.constraints)


def cell_inside(grid: Grid) -> Box:
    return tuple((a + 1, b - 1) if b - a > 4 else (a, b) for a, b in grid_root(grid))


def threshold_rounded(atom: Atom) -> rules.Form:
    form = atom_form(atom)
    near = np.float32(float(form.constant))
    above = np.nextafter(near, np.float32(np.inf)) if near < form.constant else near
    return replace(form, constant=Fraction(float(above)))


Fault = tuple[object, str, object]
FAULTS: dict[str, Fault] = {
    "float32: deviation dropped": (float32, "relative", no_deviation),
    "float32: roundings halved": (float32, "relative", half_of_the_roundings),
    "float32: gain dropped": (float32, "FLUSHED", Fraction(0)),
    "float32: inputs not rounded": (judging, "polytope_read", box_as_given),
    "float32: constraints not relaxed": (judging, "polytope_read", constraints_as_given),
    "grid off by one": (Grid, "root", cell_inside),
    "threshold rounded": (rules, "_atom_form", threshold_rounded),
}


def certificates(name: str) -> list[tuple[Falsehood, bytes]]:
    """The first certificates of a way."""
    way = next(way for way in WAYS if way.name == name)
    found: list[tuple[Falsehood, bytes]] = []
    for falsehood, certificate in claims(way, 0, MOST_ASKED):
        if certificate is not None:
            found.append((falsehood, certificate))
        if len(found) == CERTIFICATES:
            break
    return found


@pytest.mark.parametrize("name", FAULTS)
def test_a_checker_with_the_same_fault_accepts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = certificates(name)
    assert len(found) == CERTIFICATES

    def answers() -> list[str | None]:
        return [
            refusal(falsehood.model, falsehood.text, certificate, engine)
            for falsehood, certificate in found
            for engine in ENGINES
        ]

    assert None not in answers()
    target, attribute, value = FAULTS[name]
    monkeypatch.setattr(target, attribute, value)
    assert answers() == [None] * len(answers())
