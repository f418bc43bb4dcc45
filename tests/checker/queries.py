"""Small VNN-LIB 2.0 queries."""

from __future__ import annotations

from fractions import Fraction

from hybrid_ai.checker.property_form import Atom, Property
from hybrid_ai.checker.vnnlib_reader import read_property

VERSION = "(vnnlib-version <2.0>)\n"


def network(name: str = "f", x: str = "X", y: str = "Y", element: str = "real", equal: str = "") -> str:
    """A network of two inputs and two outputs, three lines."""
    return (
        f"(declare-network {name} {equal}\n  (declare-input {x} {element} [2])\n"
        f"  (declare-output {y} {element} [2]))\n"
    )


BOX = "(assert (and (>= X[0] 0) (<= X[0] 1) (>= X[1] 0) (<= X[1] 1)))\n"
# five lines each
REAL = VERSION + network() + BOX
FLOAT32 = VERSION + network(element="float32") + BOX


def read(text: str) -> Property:
    return read_property(text.encode())


def rows(text: str, start: str = REAL) -> tuple[tuple[Atom, ...], ...]:
    """The disjuncts an assertion adds to the unit box."""
    (polytope,) = read(f"{start}(assert {text})").polytopes
    assert polytope.lower == (0, 0) and polytope.upper == (1, 1)
    return polytope.disjuncts


def atom(x: dict[int, object], y: dict[int, object], constant: object, strict: bool = False) -> Atom:
    def exact(terms: dict[int, object]) -> tuple[tuple[int, Fraction], ...]:
        return tuple((index, Fraction(str(value))) for index, value in sorted(terms.items()))

    return Atom(exact(x), exact(y), Fraction(str(constant)), strict)


SAMPLE = (
    VERSION
    + network(element="{}")
    + network("g", "A", "B", element="{}", equal="(equal-to f)")
    + """; a comment
(assert (or (!= Y[0] 1e-3) (and (<= (- Y[1]) B[0]) (== B[1] +0.5))))
(assert (and (>= X[0] 0) (<= X[0] .1) (>= X[1] 0) (<= X[1] 1)
(>= A[0] 0) (<= A[0] 1) (>= A[1] 0) (<= A[1] 1)))"""
)
