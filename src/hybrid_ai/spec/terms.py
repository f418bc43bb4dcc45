"""Linear terms: sums of variables with exact coefficients, read from syntax without recursion."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from .errors import UnsupportedSpec
from .literals import bounded
from .property import Atom, Terms
from .sexpr import Node, SourceText


@dataclass(frozen=True, slots=True)
class Variable:
    """One input or output of the property: which of the two, and its index."""

    is_output: bool
    index: int


@dataclass(slots=True)
class Sum:
    """A linear term under construction: coefficients by index, and a constant."""

    inputs: dict[int, Fraction]
    outputs: dict[int, Fraction]
    constant: Fraction


class Language(Protocol):
    """What tokens and operators mean in one version of VNN-LIB."""

    arithmetic: frozenset[str]
    formula_heads: frozenset[str]

    def leaf(self, node: Node) -> Fraction | Variable:
        """Return the number or variable that a token stands for; SpecError, UnsupportedSpec if none."""

    def other_operator(self, node: Node) -> Exception:
        """Return the error about an operator that is neither arithmetic nor of a formula."""


class TermReader:
    """Turns syntax into sums and their differences into atoms."""

    def __init__(self, source: SourceText, language: Language) -> None:
        self._source = source
        self._language = language

    def difference(self, node: Node, left: Sum, right: Sum, strict: bool) -> Atom:
        """Return the atom left - right <= 0 (< 0 when strict); node: the comparison."""
        return Atom(
            self._merged(node, left.inputs, right.inputs),
            self._merged(node, left.outputs, right.outputs),
            self._bounded(node, left.constant - right.constant),
            strict,
            self._source.position(node.offset)[0],
        )

    def _merged(self, node: Node, left: dict[int, Fraction], right: dict[int, Fraction]) -> Terms:
        merged = dict(left)
        for index, value in right.items():
            merged[index] = self._bounded(node, merged.get(index, Fraction(0)) - value)
        return tuple((index, value) for index, value in sorted(merged.items()) if value != 0)

    def linear(self, root: Node) -> Sum:
        """Return a term as a sum; first its constant parts are computed, then the factors go downwards.

        Raises SpecError for malformed terms, UnsupportedSpec for what is not linear.
        """
        values = self._values(root)
        result = Sum({}, {}, Fraction(0))
        todo = [(root, Fraction(1))]
        while todo:
            node, factor = todo.pop()
            value = values[id(node)]
            if isinstance(value, Fraction):
                result.constant = self._bounded(node, result.constant + factor * value)
            elif isinstance(value, Variable):
                terms = result.outputs if value.is_output else result.inputs
                total = terms.get(value.index, Fraction(0)) + factor
                terms[value.index] = self._bounded(node, total)
            else:
                todo.extend(self._scaled(node, factor, values))
        return result

    def _scaled(
        self, node: Node, factor: Fraction, values: dict[int, Fraction | Variable | None]
    ) -> list[tuple[Node, Fraction]]:
        """Return summands, each with its factor, that make up factor * node; node is not constant."""
        operator, operands = node.head, node.arguments
        if operator == "+":
            return [(operand, factor) for operand in operands]
        if operator == "-":
            first = -factor if len(operands) == 1 else factor
            return [(operands[0], first)] + [(operand, -factor) for operand in operands[1:]]
        varying = [operand for operand in operands if not isinstance(values[id(operand)], Fraction)]
        if len(varying) > 1 or (operator == "/" and varying[0] is not operands[0]):
            kind = "not linear but polynomial" if operator == "*" else "not linear"
            raise self._source.unsupported(
                node.offset, f"'{operator}' of variables is {kind}: only constants may scale a variable"
            )
        for operand in operands:
            value = values[id(operand)]
            if isinstance(value, Fraction):
                factor = self._bounded(operand, factor * value if operator == "*" else factor / value)
        return [(varying[0], factor)]

    def _values(self, root: Node) -> dict[int, Fraction | Variable | None]:
        """Return, by id of node, the value of each part of a term; None for operations on variables."""
        order: list[Node] = []
        todo = [root]
        while todo:
            node = todo.pop()
            order.append(node)
            if node.children is not None:
                self._check_arithmetic(node)
                todo.extend(node.arguments)
        values: dict[int, Fraction | Variable | None] = {}
        for node in reversed(order):
            if node.children is None:
                values[id(node)] = self._language.leaf(node)
            else:
                values[id(node)] = self._folded(node, [values[id(part)] for part in node.arguments])
        return values

    def _check_arithmetic(self, node: Node) -> None:
        head = node.head
        if head in self._language.formula_heads:
            raise self._source.error(node.offset, f"'{head}' is a formula, a number is expected")
        if head is None:
            raise self._source.error(node.offset, "'(' is not followed by an operator: write (operator ...)")
        if head not in self._language.arithmetic:
            raise self._language.other_operator(node)
        needed = 2 if head == "/" else 1
        if len(node.arguments) < needed:
            raise self._source.error(
                node.offset, f"'{head}' of {len(node.arguments)} numbers: give at least {needed}"
            )

    def _folded(self, node: Node, values: list[Fraction | Variable | None]) -> Fraction | None:
        """Return the value of an operation, None when an operand varies; zero divisors are refused."""
        if node.head == "/":
            for divisor, value in zip(node.arguments[1:], values[1:], strict=True):
                if value == 0:
                    raise self._source.error(divisor.offset, "division by zero: write the quotient meant")
        total: Fraction | None = None
        for value in values:
            if not isinstance(value, Fraction):
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

    def _bounded(self, node: Node, value: Fraction) -> Fraction:
        try:
            return bounded(value)
        except UnsupportedSpec as error:
            raise self._source.unsupported(node.offset, error.message) from None
