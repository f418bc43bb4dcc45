"""The formulas and linear terms inside the asserts of a VNN-LIB file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from .errors import UnsupportedSpec
from .literals import bounded, parse_literal
from .property import And, Atom, Formula, Or, Terms
from .sexpr import Node, SourceText

_CONNECTIVES = frozenset({"and", "or", "not"})
_COMPARISONS = frozenset({"<=", "<", ">=", ">", "="})
_ARITHMETIC = frozenset({"+", "-", "*", "/"})
_TRUTH_VALUES = frozenset({"true", "false"})
_FORMULA_HEADS = _CONNECTIVES | _COMPARISONS
# Operators that SMT-LIB has and this reader lacks: such a file is well-formed.
_KNOWN_OPERATORS = frozenset(
    "=> xor distinct ite let forall exists match ! _ as abs div mod to_real to_int is_int divisible".split()
)
_VARIABLE_LIKE = re.compile(r"[XY]_[0-9]+", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity|oo)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable: whether it is an output, its index, and where it is declared."""

    is_output: bool
    index: int
    offset: int


@dataclass(slots=True)
class _Sum:
    """A linear term under construction: coefficients by index, and a constant."""

    inputs: dict[int, Fraction]
    outputs: dict[int, Fraction]
    constant: Fraction


class FormulaReader:
    """Turns syntax into formulas, given the variables declared so far."""

    def __init__(self, source: SourceText, variables: dict[str, Variable]) -> None:
        self._source = source
        self._variables = variables

    def formula(self, root: Node) -> Formula:
        """Return the formula with every `not` pushed down to the atoms.

        Raises SpecError for malformed formulas, UnsupportedSpec for what is not linear.
        Sound because: negation follows De Morgan, and a negated inequality changes its strictness.
        """
        # Two passes instead of recursion: the nesting in a file has no limit.
        order: list[tuple[Node, bool]] = []
        todo = [(root, False)]
        while todo:
            node, negated = todo.pop()
            order.append((node, negated))
            if node.head in _CONNECTIVES:
                todo.extend(self._operands(node, negated))
        values: list[Formula] = []
        # Reversed, the operands of every connective stand, first to last, before it.
        for node, negated in reversed(order):
            if node.head not in _CONNECTIVES:
                values.append(self._leaf(node, negated))
            elif node.head != "not":
                first = len(values) - len(node.arguments)
                kind = And if (node.head == "and") != negated else Or
                values[first:] = [kind(tuple(values[first:]))]
        return values.pop()

    def _operands(self, node: Node, negated: bool) -> list[tuple[Node, bool]]:
        """Return the operands of a connective, each with whether it is to be negated."""
        operands = node.arguments
        if node.head == "not":
            if len(operands) != 1:
                raise self._source.error(node.offset, f"'not' of {len(operands)} formulas: give exactly one")
            return [(operands[0], not negated)]
        if not operands:
            raise self._source.error(node.offset, f"'{node.head}' of nothing: write true or false")
        return [(operand, negated) for operand in operands]

    def _leaf(self, node: Node, negated: bool) -> Formula:
        if node.children is None:
            if node.text not in _TRUTH_VALUES:
                raise self._source.error(
                    node.offset, f"{node.shown()} where a formula is expected: compare it, as in (<= X_0 1)"
                )
            return And(()) if (node.text == "true") != negated else Or(())
        if node.head not in _COMPARISONS:
            raise self._no_formula(node)
        atoms = self._comparison(node)
        if negated:
            atoms = [atom.negated() for atom in atoms]
        if len(atoms) == 1:
            return atoms[0]
        return Or(tuple(atoms)) if negated else And(tuple(atoms))

    def _no_formula(self, node: Node) -> Exception:
        head = node.head
        if head is None:
            return self._source.error(node.offset, "'(' is not followed by an operator: write (operator ...)")
        if head in _ARITHMETIC:
            return self._source.error(node.offset, f"'{head}' is a number, a formula is expected: compare it")
        return self._other_operator(node)

    def _other_operator(self, node: Node) -> Exception:
        shown = Node(node.offset, node.head or "").shown()
        if node.head in _KNOWN_OPERATORS:
            return self._source.unsupported(
                node.offset,
                f"operator {shown} is not supported: rewrite it with and, or, not and comparisons",
            )
        return self._source.error(
            node.offset, f"{shown} is no operator: use and, or, not, <=, <, >=, >, =, +, -, * or /"
        )

    def _comparison(self, node: Node) -> list[Atom]:
        """Return the atoms of a comparison, which may be chained: (<= a b c) is a <= b and b <= c."""
        operator, operands = node.head, node.arguments
        if len(operands) < 2:
            raise self._source.error(node.offset, f"'{operator}' compares {len(operands)} terms: give two")
        if operator == "=" and any(_is_truth_valued(operand) for operand in operands):
            raise self._source.unsupported(node.offset, "'=' of formulas is not supported: use and, or, not")
        sums = [self._linear(operand) for operand in operands]
        line = self._source.position(node.offset)[0]
        atoms: list[Atom] = []
        for left, right in pairwise(sums):
            if operator in ("<=", "<", "="):
                atoms.append(self._difference(node, left, right, operator == "<", line))
            if operator in (">=", ">", "="):
                atoms.append(self._difference(node, right, left, operator == ">", line))
        return atoms

    def _difference(self, node: Node, left: _Sum, right: _Sum, strict: bool, line: int) -> Atom:
        """Return the atom left - right <= 0 (< 0 when strict)."""
        return Atom(
            self._merged(node, left.inputs, right.inputs),
            self._merged(node, left.outputs, right.outputs),
            self._bounded(node, left.constant - right.constant),
            strict,
            line,
        )

    def _merged(self, node: Node, left: dict[int, Fraction], right: dict[int, Fraction]) -> Terms:
        merged = dict(left)
        for index, value in right.items():
            merged[index] = self._bounded(node, merged.get(index, Fraction(0)) - value)
        return tuple((index, value) for index, value in sorted(merged.items()) if value != 0)

    def _linear(self, root: Node) -> _Sum:
        """Return a term as a sum; first its constant parts are computed, then the factors go downwards."""
        constants = self._constants(root)
        result = _Sum({}, {}, Fraction(0))
        todo = [(root, Fraction(1))]
        while todo:
            node, factor = todo.pop()
            constant = constants[id(node)]
            if constant is not None:
                result.constant = self._bounded(node, result.constant + factor * constant)
            elif node.children is None:
                variable = self._variables[node.text]
                terms = result.outputs if variable.is_output else result.inputs
                total = terms.get(variable.index, Fraction(0)) + factor
                terms[variable.index] = self._bounded(node, total)
            else:
                todo.extend(self._scaled(node, factor, constants))
        return result

    def _scaled(
        self, node: Node, factor: Fraction, constants: dict[int, Fraction | None]
    ) -> list[tuple[Node, Fraction]]:
        """Return summands, each with its factor, that make up factor * node; node is not constant."""
        operator, operands = node.head, node.arguments
        if operator == "+":
            return [(operand, factor) for operand in operands]
        if operator == "-":
            first = -factor if len(operands) == 1 else factor
            return [(operands[0], first)] + [(operand, -factor) for operand in operands[1:]]
        varying = [operand for operand in operands if constants[id(operand)] is None]
        if len(varying) > 1 or (operator == "/" and varying[0] is not operands[0]):
            raise self._source.unsupported(
                node.offset, f"'{operator}' of variables is not linear: only constants may scale a variable"
            )
        for operand in operands:
            constant = constants[id(operand)]
            if constant is not None:
                scaled = factor * constant if operator == "*" else factor / constant
                factor = self._bounded(operand, scaled)
        return [(varying[0], factor)]

    def _constants(self, root: Node) -> dict[int, Fraction | None]:
        """Return, by id of node, the value of each part of a term; None where it depends on a variable."""
        order: list[Node] = []
        todo = [root]
        while todo:
            node = todo.pop()
            order.append(node)
            if node.children is not None:
                self._check_arithmetic(node)
                todo.extend(node.arguments)
        constants: dict[int, Fraction | None] = {}
        for node in reversed(order):
            if node.children is None:
                constants[id(node)] = self._leaf_value(node)
            else:
                constants[id(node)] = self._folded(node, [constants[id(part)] for part in node.arguments])
        return constants

    def _check_arithmetic(self, node: Node) -> None:
        head = node.head
        if head in _FORMULA_HEADS:
            raise self._source.error(node.offset, f"'{head}' is a formula, a number is expected")
        if head is None:
            raise self._source.error(node.offset, "'(' is not followed by an operator: write (operator ...)")
        if head not in _ARITHMETIC:
            raise self._other_operator(node)
        needed = 2 if head == "/" else 1
        if len(node.arguments) < needed:
            raise self._source.error(
                node.offset, f"'{head}' of {len(node.arguments)} numbers: give at least {needed}"
            )

    def _folded(self, node: Node, values: list[Fraction | None]) -> Fraction | None:
        """Return the value of an operation, None when an operand varies; zero divisors are refused."""
        if node.head == "/":
            for divisor, value in zip(node.arguments[1:], values[1:], strict=True):
                if value == 0:
                    raise self._source.error(divisor.offset, "division by zero: write the quotient meant")
        total: Fraction | None = None
        for value in values:
            if value is None:
                return None
            if total is None:
                total = -value if node.head == "-" and len(values) == 1 else value
            elif node.head == "+":
                total += value
            elif node.head == "-":
                total -= value
            elif node.head == "*":
                total *= value
            else:
                total /= value
            total = self._bounded(node, total)
        return total

    def _leaf_value(self, node: Node) -> Fraction | None:
        """Return the value of a literal, None for a declared variable."""
        text = node.text
        if text in self._variables:
            return None
        try:
            value = parse_literal(text)
        except UnsupportedSpec as error:
            raise self._source.unsupported(node.offset, error.message) from None
        if value is not None:
            return value
        if _VARIABLE_LIKE.fullmatch(text):
            raise self._source.error(
                node.offset, f"{node.shown()} is not declared: add (declare-const {text[:40]} Real) before"
            )
        if _NOT_FINITE.fullmatch(text):
            raise self._source.error(node.offset, f"{node.shown()} is no real number: write a finite one")
        if text in _TRUTH_VALUES:
            raise self._source.error(node.offset, f"{node.shown()} is a truth value, a number is expected")
        raise self._source.error(
            node.offset, f"{node.shown()} is neither a number nor a variable: write 1.5, X_0 or (/ 1 3)"
        )

    def _bounded(self, node: Node, value: Fraction) -> Fraction:
        try:
            return bounded(value)
        except UnsupportedSpec as error:
            raise self._source.unsupported(node.offset, error.message) from None


def _is_truth_valued(node: Node) -> bool:
    return node.head in _FORMULA_HEADS or (node.children is None and node.text in _TRUTH_VALUES)
