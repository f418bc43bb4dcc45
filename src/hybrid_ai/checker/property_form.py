"""The normal form of a property: section 2 of the certificate format."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, product
from typing import TypeVar

from hybrid_ai.checker.rejected import Unsupported

T = TypeVar("T")

MOST_CONJUNCTS = 100_000
# atoms written while distributing, over all steps; bounds time and memory where few conjuncts are very long
MOST_ATOMS_WRITTEN = 60_000_000


@dataclass(frozen=True)
class Atom:
    """sum of a X + sum of b Y + constant <= 0, or < 0 if strict; (index, coefficient) by increasing index."""

    inputs: tuple[tuple[int, Fraction], ...]
    outputs: tuple[tuple[int, Fraction], ...]
    constant: Fraction
    strict: bool


@dataclass(frozen=True)
class Connective:
    """Takes the last `count` >= 1 formulas and stands for their conjunction or disjunction."""

    conjunction: bool
    count: int


# A formula in postfix order: no recursion is needed to walk it.
Formula = tuple[Atom | Connective, ...]
Conjunct = tuple[Atom, ...]


@dataclass(frozen=True)
class Polytope:
    """A box, linear constraints on the inputs, and the disjuncts of rows that may hold on it.

    `empty` says that some axis has lower > upper; such a polytope has no tree.
    """

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    constraints: tuple[Atom, ...]
    disjuncts: tuple[tuple[Atom, ...], ...]
    empty: bool


@dataclass(frozen=True)
class Property:
    """An unsafe condition: its normal form, and the formula as written (postfix).

    `instances` copies of one network are meant: inputs and outputs are theirs, one copy after the other.
    `element` is the type a VNN-LIB 2.0 query gives its variables, "real" or "float32"; None for 1.0.
    A float32 query says nothing about real numbers: its variables are float32 values. Whether a literal
    there means its exact value or the nearest float32 is open; the polytopes contain what is unsafe under
    either reading, the formula holds only of what is unsafe under both.
    """

    n_inputs: int
    n_outputs: int
    polytopes: tuple[Polytope, ...]
    formula: Formula
    instances: int = 1
    element: str | None = None


def _folded(formula: Formula, of_atom: Callable[[Atom], T], of_connective: Callable[[bool, list[T]], T]) -> T:
    """The value of a formula, from the values of atoms and of connectives (conjunction or not, children)."""
    stack: list[T] = []
    for step in formula:
        if isinstance(step, Atom):
            stack.append(of_atom(step))
        else:
            children = stack[-step.count :]
            del stack[-step.count :]
            stack.append(of_connective(step.conjunction, children))
    (result,) = stack
    return result


def _conjuncts(formula: Formula) -> list[Conjunct]:
    """Disjunctive normal form by distribution, the first child of a conjunction varying slowest."""
    written = 0

    def distributed(conjunction: bool, children: list[list[Conjunct]]) -> list[Conjunct]:
        nonlocal written
        count = math.prod(map(len, children)) if conjunction else sum(map(len, children))
        for child in children:
            written += sum(map(len, child)) * (count // len(child) if conjunction else 1)
        if count > MOST_CONJUNCTS or written > MOST_ATOMS_WRITTEN:
            reason = f"more than {MOST_CONJUNCTS} conjuncts or {MOST_ATOMS_WRITTEN} atoms"
            raise Unsupported("property", "disjunctive form", reason)
        if conjunction:
            return [tuple(chain.from_iterable(choice)) for choice in product(*children)]
        return list(chain.from_iterable(children))

    # What is true says nothing, and would be written into every conjunct.
    return _folded(formula, lambda atom: [() if _is_always_true(atom) else (atom,)], distributed)


def _is_true(atom: Atom, value: Fraction) -> bool:
    return value < 0 if atom.strict else value <= 0


def _is_always_true(atom: Atom) -> bool:
    return not atom.inputs and not atom.outputs and _is_true(atom, atom.constant)


def _separate(conjunct: Conjunct, n_inputs: int) -> tuple[Polytope, Conjunct] | None:
    """Box and input constraints (as a polytope without disjuncts), and rows; None for a false conjunct."""
    # (axis, whether it is an upper bound) -> the tightest
    bounds: dict[tuple[int, bool], Fraction] = {}
    constraints, rows = [], []
    for atom in conjunct:
        if atom.outputs:
            rows.append(atom)
        elif len(atom.inputs) > 1:
            constraints.append(atom)
        elif atom.inputs:
            ((axis, coefficient),) = atom.inputs
            bound, upper = -atom.constant / coefficient, coefficient > 0
            held = bounds.get((axis, upper), bound)
            bounds[axis, upper] = min(held, bound) if upper else max(held, bound)
        elif not _is_true(atom, atom.constant):
            return None
    for axis in range(n_inputs):
        if (axis, False) not in bounds or (axis, True) not in bounds:
            raise Unsupported("property", f"X_{axis}", "it lacks a finite bound in some disjunct")
    low, high = [tuple(bounds[axis, upper] for axis in range(n_inputs)) for upper in (False, True)]
    empty = any(a > b for a, b in zip(low, high, strict=True))
    return Polytope(low, high, tuple(dict.fromkeys(constraints)), (), empty), tuple(dict.fromkeys(rows))


def normal_form(n_inputs: int, n_outputs: int, formula: Formula) -> Property:
    """Bring a formula to input polytopes and disjuncts.

    Sound because: the union of the polytopes' disjuncts contains every point that satisfies the formula
    (docs/theory/property-normal-form.md).

    Args:
        n_inputs: number of X, >= 1.
        n_outputs: number of Y, >= 1.
        formula: the unsafe condition, postfix, one formula.

    Raises:
        Unsupported: an axis without two finite bounds, or a disjunctive form that is too large.
    """
    disjuncts_of: dict[Polytope, dict[Conjunct, None]] = {}
    for conjunct in _conjuncts(formula):
        parts = _separate(conjunct, n_inputs)
        if parts is not None:
            disjuncts_of.setdefault(parts[0], {})[parts[1]] = None
    polytopes = tuple(
        Polytope(key.lower, key.upper, key.constraints, tuple(rows), key.empty)
        for key, rows in disjuncts_of.items()
    )
    return Property(n_inputs, n_outputs, polytopes, formula)


def violates(prop: Property, x: Sequence[Fraction], y: Sequence[Fraction] | None) -> bool:
    """Whether inputs and outputs satisfy the unsafe condition as written, strictness included.

    Args:
        prop: the property.
        x: shape (n_inputs,), exact.
        y: shape (n_outputs,), exact; None for outputs that may be anything.
    """

    def holds(atom: Atom) -> bool:
        if y is None and atom.outputs:
            return True
        value = atom.constant + sum(coefficient * x[axis] for axis, coefficient in atom.inputs)
        return _is_true(atom, value + sum(coefficient * y[index] for index, coefficient in atom.outputs if y))

    def combined(conjunction: bool, children: list[bool]) -> bool:
        return all(children) if conjunction else any(children)

    return _folded(prop.formula, holds, combined)
