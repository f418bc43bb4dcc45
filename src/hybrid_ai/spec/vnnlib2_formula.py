"""The formulas inside the asserts of a VNN-LIB 2.0 query."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from .brackets import bracketed_numbers, name_before, shown_shape
from .errors import UnsupportedSpec
from .literals import FLOAT32_LIMIT, nearest_float32, parse_literal
from .property import And, Atom, Formula, Or
from .sexpr import Node, SourceText, shortened
from .terms import TermReader, Variable
from .vnnlib2_networks import Element, Tensor

_CONNECTIVES = frozenset({"and", "or"})
_COMPARISONS = frozenset({"<=", "<", ">=", ">", "==", "!="})
_REMEDIES = {
    "=": "write ==",
    "/": "multiply with a decimal, or multiply the comparison",
    "not": "turn the comparisons round",
    "distinct": "write !=",
}

# A formula as it is used for proving, and as it is used for refuting.
Readings = tuple[Formula, Formula]


class QueryFormulas:
    """Turns syntax into formulas, given the declared tensors and their element type."""

    arithmetic = frozenset({"+", "-", "*"})
    formula_heads = _CONNECTIVES | _COMPARISONS

    def __init__(self, source: SourceText, tensors: Mapping[str, Tensor], element: Element) -> None:
        self._source = source
        self._tensors = tensors
        self._is_float32 = element == "float32"
        self._terms = TermReader(source, self)

    def formula(self, root: Node) -> Readings:
        """Return the unsafe formula and the certain one; they differ only over float32.

        Raises SpecError for malformed formulas, UnsupportedSpec for what is not linear and, over
        float32, for arithmetic.
        Sound because: without negation, a formula of weaker (stronger) atoms is weaker (stronger).
        """
        # Two passes instead of recursion: the nesting in a file has no limit.
        order: list[Node] = []
        todo = [root]
        while todo:
            node = todo.pop()
            order.append(node)
            if node.head in _CONNECTIVES:
                if not node.arguments:
                    raise self._source.error(node.offset, f"'{node.head}' of nothing: give it formulas")
                todo.extend(node.arguments)
        values: list[Readings] = []
        # Reversed, the operands of every connective stand, first to last, before it.
        for node in reversed(order):
            if node.head not in _CONNECTIVES:
                values.append(self._comparison(node))
                continue
            first = len(values) - len(node.arguments)
            kind = And if node.head == "and" else Or
            parts = values[first:]
            joined = kind(tuple(unsafe for unsafe, _ in parts))
            certain = kind(tuple(certain for _, certain in parts)) if self._is_float32 else joined
            values[first:] = [(joined, certain)]
        return values.pop()

    def _comparison(self, node: Node) -> Readings:
        operator, operands = node.head, node.arguments
        if operator not in _COMPARISONS:
            raise self._no_formula(node)
        if len(operands) != 2:
            raise self._source.error(node.offset, f"'{operator}' compares {len(operands)} terms: give two")
        if self._is_float32:
            self._refuse_arithmetic(operands)
        left, right = (self._terms.linear(operand) for operand in operands)
        if self._is_float32 and not (left.inputs or left.outputs or right.inputs or right.outputs):
            raise self._source.unsupported(
                node.offset, "a float32 comparison of literals alone is not supported: leave it out"
            )
        difference = self._terms.difference(node, left, right, operator in ("<", ">", "!="))
        exact = difference.constant
        rounded = nearest_float32(exact) if self._is_float32 else exact
        return _readings(operator, difference, min(exact, rounded), max(exact, rounded))

    def _no_formula(self, node: Node) -> Exception:
        head = node.head
        if node.children is None:
            return self._source.error(
                node.offset, f"{node.shown()} where a formula is expected: compare it, as in (<= X[0] 1)"
            )
        if head is None:
            return self._source.error(node.offset, "'(' is not followed by an operator: write (operator ...)")
        if head in self.arithmetic:
            return self._source.error(node.offset, f"'{head}' is a number, a formula is expected: compare it")
        return self.other_operator(node)

    def other_operator(self, node: Node) -> Exception:
        """Return the error about an operator that VNN-LIB 2.0 lacks."""
        head = node.head or ""
        remedy = _REMEDIES.get(head, "use and, or, <=, <, >=, >, ==, !=, +, - or *, then a space")
        shown = Node(node.offset, head).shown()
        return self._source.error(node.offset, f"{shown} is no operator of VNN-LIB 2.0: {remedy}")

    def _refuse_arithmetic(self, operands: list[Node]) -> None:
        """Let only tokens and their negation through: the rest rounds in float32."""
        for operand in operands:
            parts = operand.arguments
            negated = operand.head == "-" and len(parts) == 1 and parts[0].children is None
            if operand.head in self.arithmetic and not negated and parts:
                raise self._source.unsupported(
                    operand.offset, "arithmetic on float32 values rounds: write the query over real"
                )

    def leaf(self, node: Node) -> Fraction | Variable:
        """Return the number or the element that a token stands for."""
        if node.bracket is not None:
            return self._element(node)
        tensor = self._tensors.get(node.text)
        if tensor is not None:
            if tensor.shape:
                example = ",".join("0" for _ in tensor.shape[:8])
                raise self._source.error(
                    node.offset,
                    f"{node.shown()} has shape {shown_shape(tensor.shape)}: name one element, as in"
                    f" {shortened(node.text)}[{example}]",
                )
            return Variable(tensor.is_output, tensor.first)
        value = self._literal(node)
        if self._is_float32 and abs(value) >= FLOAT32_LIMIT:
            raise self._source.error(
                node.offset, f"{node.shown()} is beyond the range of float32: write a smaller number"
            )
        return value

    def _element(self, node: Node) -> Variable:
        """Return the element X[i,j] of a tensor; elements are counted in C order."""
        name = name_before(node)
        tensor = self._tensors.get(name)
        if tensor is None:
            raise self._undeclared(node, name)
        indices = bracketed_numbers(self._source, node)
        if not indices or len(indices) != len(tensor.shape):
            shown = Node(node.offset, name).shown()
            remedy = "write it without brackets" if not tensor.shape else "give one index per dimension"
            raise self._source.error(
                node.offset,
                f"{len(indices)} indices for {shown}, which has shape {shown_shape(tensor.shape)}: {remedy}",
            )
        position = 0
        for (index, offset), size in zip(indices, tensor.shape, strict=True):
            if index >= size:
                raise self._source.error(
                    offset, f"the index is out of range: use 0 to {size - 1} in this dimension"
                )
            position = position * size + index
        return Variable(tensor.is_output, tensor.first + position)

    def _literal(self, node: Node) -> Fraction:
        text = node.text
        if text.startswith("+") and text[1:2] != "-":
            text = text[1:]
        try:
            value = parse_literal(text)
        except UnsupportedSpec as error:
            raise self._source.unsupported(node.offset, error.message) from None
        if value is None:
            raise self._undeclared(node, node.text)
        return value

    def _undeclared(self, node: Node, name: str) -> Exception:
        shown = Node(node.offset, name).shown()
        return self._source.error(
            node.offset,
            f"{shown} is neither a number nor a declared input or output: declare it, or write 1.5",
        )


def _readings(operator: str, difference: Atom, low: Fraction, high: Fraction) -> Readings:
    """Return the comparison p op q, unsafe and certain.

    Arguments: difference: p - q, with the strictness of the atoms to build; low, high: the two readings
    of its constant, equal where there is one.
    Sound because: `less` is weaker, and `more` stronger, the lower the constant is.
    """
    reverse = difference.negated()

    def less(constant: Fraction) -> Atom:
        return _with(difference, constant, difference.strict)

    def more(constant: Fraction) -> Atom:
        return _with(reverse, -constant, difference.strict)

    if operator in ("<=", "<"):
        return less(low), less(high)
    if operator in (">=", ">"):
        return more(high), more(low)
    if operator == "==":
        same = And((less(low), more(high)))
        return same, same if low == high else Or(())
    other = Or((less(low), more(high)))
    if low == high:
        return other, other
    return other, Or((less(high), more(low), And((less(low), more(high)))))


def _with(atom: Atom, constant: Fraction, strict: bool) -> Atom:
    return Atom(atom.inputs, atom.outputs, constant, strict, atom.line)
