"""Random properties with one threshold, their VNN-LIB text, and the exact optimum that decides them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tests.differential.oracle import Domain, Optimum, minimum
from tests.differential.program import Program, Row, evaluate

MOST_DIGITS = 40


@dataclass(frozen=True)
class Form:
    """inputs . X + outputs . Y + constant; all numbers finite decimals."""

    inputs: tuple[tuple[int, Fraction], ...]
    outputs: tuple[tuple[int, Fraction], ...]
    constant: Fraction = Fraction(0)

    def at(self, x: Sequence[Fraction], y: Sequence[Fraction]) -> Fraction:
        terms = [c * x[i] for i, c in self.inputs] + [c * y[i] for i, c in self.outputs]
        return sum(terms, self.constant)


@dataclass(frozen=True)
class Case:
    """A box, an optional input constraint (<= 0), and the unsafe disjuncts: all forms of one are <= t."""

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    constraint: Form | None
    disjuncts: tuple[tuple[Form, ...], ...]


@dataclass(frozen=True)
class Question:
    """The union of cases; `style` chooses among equivalent ways to write an atom."""

    cases: tuple[Case, ...]
    style: int


def unsafe(
    question: Question, t: Fraction, strict: bool, x: Sequence[Fraction], y: Sequence[Fraction]
) -> bool:
    """Whether the point is an input of the question and unsafe, exactly."""
    for case in question.cases:
        bounds = zip(case.lower, x, case.upper, strict=True)
        if not all(low <= value <= high for low, value, high in bounds):
            continue
        if case.constraint is not None and case.constraint.at(x, y) > 0:
            continue
        for forms in case.disjuncts:
            worst = max(form.at(x, y) for form in forms)
            if worst < t or (worst == t and not strict):
                return True
    return False


def optimum(program: Program, question: Question, seconds: float) -> Optimum | None:
    """The least t at which the question's point set is not empty (closed atoms), or None: no inputs at all.

    Raises OracleTimeout after `seconds` of CPU time a case and disjunct.
    """
    best: Optimum | None = None
    for case in question.cases:
        constraints = () if case.constraint is None else (_row(case.constraint, program),)
        domain = Domain(case.lower, case.upper, constraints)
        disjuncts = [[_row(form, program) for form in forms] for forms in case.disjuncts]
        found = minimum(domain, program.steps, disjuncts, seconds)
        if found is not None and (best is None or found.value < best.value):
            best = found
    if best is not None and _value(question, best.x, evaluate(program, best.x)) > best.value:
        raise AssertionError("the oracle's optimum is not attained where it says")
    return best


def _value(question: Question, x: Sequence[Fraction], y: Sequence[Fraction]) -> Fraction:
    return min(max(f.at(x, y) for f in forms) for case in question.cases for forms in case.disjuncts)


def _row(form: Form, program: Program) -> Row:
    pairs = [(0, form.constant), *((1 + i, c) for i, c in form.inputs)]
    pairs += [(program.outputs[i], c) for i, c in form.outputs]
    return tuple((index, c) for index, c in pairs if c)


def random_question(rng: np.random.Generator, inputs: int, outputs: int) -> Question:
    """One case, or two with the same or with own disjuncts; 1 to 3 atoms each, 1 to 3 disjuncts."""
    cases = 2 if rng.random() < 0.25 else 1
    shared = rng.random() < 0.5
    disjuncts = _disjuncts(rng, inputs, outputs)
    made = []
    for _ in range(cases):
        lower, upper = _box(rng, inputs)
        constraint = None
        if inputs >= 2 and rng.random() < 0.2:
            constraint = _constraint(rng, lower, upper)
        made.append(Case(lower, upper, constraint, disjuncts))
        if not shared:
            disjuncts = _disjuncts(rng, inputs, outputs)
    return Question(tuple(made), int(rng.integers(4)))


def _box(rng: np.random.Generator, inputs: int) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    digits = int(rng.integers(1, 5))
    unit = Fraction(1, 10**digits)
    lower, upper = [], []
    for axis in range(inputs):
        center, radius = rng.uniform(-1.0, 1.0), rng.uniform(0.1, 1.0)
        low = unit * int(np.floor((center - radius) * 10**digits))
        high = unit * int(np.ceil((center + radius) * 10**digits))
        pinned = inputs > 1 and axis > 0 and rng.random() < 0.12
        lower.append(low)
        upper.append(low if pinned else high)
    return tuple(lower), tuple(upper)


def _constraint(rng: np.random.Generator, lower: Sequence[Fraction], upper: Sequence[Fraction]) -> Form:
    """A half-space through a point near the middle of the box."""
    axes = sorted(int(axis) for axis in rng.choice(len(lower), 2, replace=False))
    terms = [(axis, _coefficient(rng)) for axis in axes]
    middle = sum(c * (lower[axis] + upper[axis]) / 2 for axis, c in terms)
    slack = Fraction(int(rng.integers(0, 30)), 100)
    return Form(tuple(terms), (), -(Fraction(int(middle * 100), 100) + slack))


def _coefficient(rng: np.random.Generator) -> Fraction:
    if rng.random() < 0.6:
        return Fraction(int(rng.choice([-1, 1])))
    value = int(rng.integers(1, 30)) * int(rng.choice([-1, 1]))
    return Fraction(value, 10)


def _disjuncts(rng: np.random.Generator, inputs: int, outputs: int) -> tuple[tuple[Form, ...], ...]:
    count = int(rng.choice([1, 1, 1, 2, 3]))
    return tuple(
        tuple(_form(rng, inputs, outputs) for _ in range(int(rng.choice([1, 1, 2, 3])))) for _ in range(count)
    )


def _form(rng: np.random.Generator, inputs: int, outputs: int) -> Form:
    most = min(outputs, 3)
    chosen = sorted(int(i) for i in rng.choice(outputs, int(rng.integers(1, most + 1)), replace=False))
    terms = tuple((index, _coefficient(rng)) for index in chosen)
    mixed = ((int(rng.integers(inputs)), _coefficient(rng)),) if rng.random() < 0.15 else ()
    constant = Fraction(int(rng.integers(-20, 21)), 20) if rng.random() < 0.3 else Fraction(0)
    return Form(mixed, terms, constant)


def finite_decimal(value: Fraction) -> bool:
    """Whether the value is a decimal of at most 40 digits."""
    places = _places(value)
    return places is not None and places <= MOST_DIGITS and abs(value * 10**places) < 10**MOST_DIGITS


def decimal(value: Fraction) -> str:
    """The value in decimal notation, exactly; raises ValueError for one that is no finite decimal."""
    places = _places(value)
    if places is None:
        raise ValueError(f"{value} is no finite decimal")
    digits = str(int(abs(value) * 10**places)).rjust(places + 1, "0")
    text = f"{digits[: len(digits) - places]}.{digits[len(digits) - places :] or '0'}"
    return f"-{text}" if value < 0 else text


def _places(value: Fraction) -> int | None:
    """Digits after the decimal point, or None for infinitely many."""
    rest, places = value.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        places = max(places, count)
    return places if rest == 1 else None


def to_text(question: Question, inputs: int, outputs: int, t: Fraction, strict: bool) -> str:
    """The VNN-LIB file of the question at threshold t."""
    lines = [f"(declare-const X_{i} Real)" for i in range(inputs)]
    lines += [f"(declare-const Y_{i} Real)" for i in range(outputs)]
    domains = [_domain_atoms(case) for case in question.cases]
    formulas = [_disjunction(case, t, strict, question.style) for case in question.cases]
    if len(domains) == 1:
        lines += [f"(assert {atom})" for atom in [*domains[0], formulas[0]]]
    elif len(set(formulas)) == 1:
        boxes = " ".join(f"(and {' '.join(domain)})" for domain in domains)
        lines += [f"(assert (or {boxes}))", f"(assert {formulas[0]})"]
    else:
        parts = zip(domains, formulas, strict=True)
        lines.append(f"(assert (or {' '.join(f'(and {chr(32).join(d)} {f})' for d, f in parts)}))")
    return "\n".join(lines) + "\n"


def _domain_atoms(case: Case) -> list[str]:
    atoms = []
    for axis, (low, high) in enumerate(zip(case.lower, case.upper, strict=True)):
        atoms += [f"(>= X_{axis} {decimal(low)})", f"(<= X_{axis} {decimal(high)})"]
    if case.constraint is not None:
        atoms.append(_atom(case.constraint, Fraction(0), False, 0))
    return atoms


def _disjunction(case: Case, t: Fraction, strict: bool, style: int) -> str:
    parts = [[_atom(form, t, strict, style) for form in forms] for forms in case.disjuncts]
    ands = [atoms[0] if len(atoms) == 1 else f"(and {' '.join(atoms)})" for atoms in parts]
    return ands[0] if len(ands) == 1 else f"(or {' '.join(ands)})"


def _atom(form: Form, t: Fraction, strict: bool, style: int) -> str:
    """form <= t in one of four ways: as it is, mirrored, negated, or with the inputs on the other side."""
    less, greater = ("<", ">") if strict else ("<=", ">=")
    x = [(f"X_{i}", c) for i, c in form.inputs]
    y = [(f"Y_{i}", c) for i, c in form.outputs]
    limit = t - form.constant
    if style == 0:
        return f"({less} {_sum(y + x, form.constant)} {decimal(t)})"
    if style == 1:
        return f"({greater} {decimal(limit)} {_sum(y + x)})"
    if style == 2:
        return f"({greater} {_sum([(name, -c) for name, c in y + x])} {decimal(-limit)})"
    return f"({less} {_sum(y, -limit)} {_sum([(name, -c) for name, c in x])})"


def _sum(terms: list[tuple[str, Fraction]], constant: Fraction = Fraction(0)) -> str:
    parts = [name if c == 1 else f"(* {decimal(c)} {name})" for name, c in terms]
    if constant or not parts:
        parts.append(decimal(constant))
    return parts[0] if len(parts) == 1 else f"(+ {' '.join(parts)})"
