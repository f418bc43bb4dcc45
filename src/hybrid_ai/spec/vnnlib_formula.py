"""The formulas inside the asserts of a VNN-LIB 1.0 file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from .errors import UnsupportedSpec
from .literals import parse_literal
from .property import And, Atom, Formula, Or
from .sexpr import Node, SourceText, shortened
from .terms import TermReader, Variable

_CONNECTIVES = frozenset({"and", "or", "not"})
_COMPARISONS = frozenset({"<=", "<", ">=", ">", "="})
_TRUTH_VALUES = frozenset({"true", "false"})
# Operators that SMT-LIB has and this reader lacks: such a file is well-formed.
_KNOWN_OPERATORS = frozenset(
    "=> xor distinct ite let forall exists match ! _ as abs div mod to_real to_int is_int divisible".split()
)
_VARIABLE_LIKE = re.compile(r"[XY]_[0-9]+", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity|oo)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared variable, and where it is declared."""

    variable: Variable
    offset: int


class FormulaReader:
    """Turns syntax into formulas, given the variables declared so far."""

    arithmetic = frozenset({"+", "-", "*", "/"})
    formula_heads = _CONNECTIVES | _COMPARISONS

    def __init__(self, source: SourceText, variables: dict[str, Declared]) -> None:
        self._source = source
        self._variables = variables
        self._terms = TermReader(source, self)

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
        if head in self.arithmetic:
            return self._source.error(node.offset, f"'{head}' is a number, a formula is expected: compare it")
        return self.other_operator(node)

    def other_operator(self, node: Node) -> Exception:
        """Return the error about an operator that this reader lacks or that does not exist."""
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
        sums = [self._terms.linear(operand) for operand in operands]
        atoms: list[Atom] = []
        for left, right in pairwise(sums):
            if operator in ("<=", "<", "="):
                atoms.append(self._terms.difference(node, left, right, operator == "<"))
            if operator in (">=", ">", "="):
                atoms.append(self._terms.difference(node, right, left, operator == ">"))
        return atoms

    def leaf(self, node: Node) -> Fraction | Variable:
        """Return the value of a literal, or a declared variable."""
        text = node.text
        declared = self._variables.get(text)
        if declared is not None:
            return declared.variable
        try:
            value = parse_literal(text)
        except UnsupportedSpec as error:
            raise self._source.unsupported(node.offset, error.message) from None
        if value is not None:
            return value
        if _VARIABLE_LIKE.fullmatch(text):
            raise self._source.error(
                node.offset,
                f"{node.shown()} is not declared: add (declare-const {shortened(text)} Real) before",
            )
        if _NOT_FINITE.fullmatch(text):
            raise self._source.error(node.offset, f"{node.shown()} is no real number: write a finite one")
        if text in _TRUTH_VALUES:
            raise self._source.error(node.offset, f"{node.shown()} is a truth value, a number is expected")
        raise self._source.error(
            node.offset, f"{node.shown()} is neither a number nor a variable: write 1.5, X_0 or (/ 1 3)"
        )


def _is_truth_valued(node: Node) -> bool:
    return node.head in FormulaReader.formula_heads or (node.children is None and node.text in _TRUTH_VALUES)
