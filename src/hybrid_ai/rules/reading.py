"""Text of a formula as a syntax tree; docs/formats/plan.md, section "Formulas", is normative."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from hybrid_ai.spec import UnsupportedSpec
from hybrid_ai.spec.literals import parse_literal

from .cases import Expression, absolute, at_most_zero, maximum, minimum, plus, scaled
from .errors import FormulaError
from .syntax import Comparison, Formula, conjunction, disjunction, negated

MAX_LENGTH = 10_000
MAX_LEVELS = 100
MAX_COMPARISONS = 4_096

_MAX_NAME = 64
_CONNECTIVES = ("and", "or", "not")
_FUNCTIONS: dict[str, Callable[[Sequence[Expression]], Expression]] = {
    "abs": lambda arguments: absolute(arguments[0]),
    "min": minimum,
    "max": maximum,
}
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<name>[A-Za-z][A-Za-z0-9_]*)
      | (?P<sign><=|>=|==|!=|[<>()+\-*/,])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ONE = Fraction(1)

# By relation: factors, and whether they are strict. With d the left side minus the right one, factor * d is
# at most 0 (strict: below 0) for each factor; for != for one of them.
_RELATIONS: dict[str, tuple[tuple[Fraction, ...], bool]] = {
    "<=": ((_ONE,), False),
    "<": ((_ONE,), True),
    ">=": ((-_ONE,), False),
    ">": ((-_ONE,), True),
    "==": ((_ONE, -_ONE), False),
    "!=": ((_ONE, -_ONE), True),
}


def parse(text: str) -> Formula:
    """Return the formula of a text, in negation normal form and without abs, min and max.

    Raises FormulaError for what is no formula, or too large: more than MAX_LENGTH characters, brackets or
    `and` and `or` over more than MAX_LEVELS levels, more than MAX_COMPARISONS comparisons in the result, a
    number beyond the limits of VNN-LIB literals.
    Sound because: numbers are read from their digits, and every step keeps the exact meaning.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(MAX_LENGTH + 1, f"found more than {MAX_LENGTH} characters: split the formula")
    parser = _Parser(_tokens(text))
    try:
        formula = parser.whole()
    except UnsupportedSpec as error:
        raise FormulaError(parser.column, error.message) from error
    # One level is left for the conjunction with the domain.
    if _depth(formula) >= MAX_LEVELS:
        raise FormulaError(1, f"found 'and' and 'or' in turn over {MAX_LEVELS} levels or more: flatten them")
    return formula


@dataclass(frozen=True, slots=True)
class _Token:
    """A token: its kind (number, name, sign, end), its text, and its column from 1."""

    kind: str
    text: str
    column: int

    @property
    def shown(self) -> str:
        if self.kind == "end":
            return "the end"
        return repr(self.text if len(self.text) <= 40 else self.text[:37] + "...")


def _tokens(text: str) -> list[_Token]:
    tokens = []
    for match in _TOKEN.finditer(text):
        kind, column = match.lastgroup or "", match.start() + 1
        if kind == "other":
            remedy = "write == for equality" if match.group() == "=" else "no formula has it"
            raise FormulaError(column, f"found the character {match.group()!a}: {remedy}")
        if kind == "name" and len(match.group()) > _MAX_NAME:
            raise FormulaError(column, f"found a name of more than {_MAX_NAME} characters: shorten it")
        if kind != "space":
            tokens.append(_Token(kind, match.group(), column))
    return [*tokens, _Token("end", "", len(text) + 1)]


class _Parser:
    """Recursive descent over the tokens.

    A bracket at the start of a comparison may hold a formula or a sum: what it holds is read first, and
    each place then says what it needs.
    """

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._levels = 0
        self._comparisons = 0

    @property
    def column(self) -> int:
        """Where the next token is, from 1."""
        return self._token.column

    def whole(self) -> Formula:
        """Read the formula, up to the end."""
        formula = self._needs_formula(self._formula_or_sum())
        if self._token.kind != "end":
            raise self._error("'and', 'or' or the end")
        return formula

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _error(self, expected: str) -> FormulaError:
        return FormulaError(self.column, f"found {self._token.shown}, expected {expected}")

    def _accept(self, *texts: str) -> str | None:
        """Take the next token if it is one of these, and return its text."""
        text = self._token.text
        if text not in texts:
            return None
        self._next += 1
        return text

    def _needs_formula(self, value: Expression | Formula) -> Formula:
        if isinstance(value, Expression):
            raise self._error("an operator or one of <= < >= > == !=")
        return value

    def _needs_sum(self, value: Expression | Formula, column: int) -> Expression:
        if not isinstance(value, Expression):
            raise FormulaError(column, "found a comparison in brackets, expected a number, a name or a sum")
        return value

    def _formula_or_sum(self) -> Expression | Formula:
        first = self._comparison_or_sum()
        if isinstance(first, Expression) and self._token.text not in ("and", "or"):
            return first
        alternatives: list[Formula] = []
        members = [self._needs_formula(first)]
        while (connective := self._accept("and", "or")) is not None:
            if connective == "or":
                alternatives.append(conjunction(members))
                members = []
            members.append(self._needs_formula(self._comparison_or_sum()))
        return disjunction([*alternatives, conjunction(members)])

    def _comparison_or_sum(self) -> Expression | Formula:
        negations = 0
        while self._accept("not") is not None:
            negations += 1
        column = self.column
        value = self._sum()
        comparisons: list[Formula] = []
        while self._token.text in _RELATIONS:
            left = self._needs_sum(value, column)
            relation = self._token
            self._next += 1
            column = self.column
            value = right = self._needs_sum(self._sum(), column)
            comparisons.append(self._comparison(left, relation, right))
        if comparisons:
            value = conjunction(comparisons)
        if negations == 0:
            return value
        formula = self._needs_formula(value)
        return negated(formula) if negations % 2 else formula

    def _comparison(self, left: Expression, relation: _Token, right: Expression) -> Formula:
        difference = plus(left, right, -_ONE)
        factors, strict = _RELATIONS[relation.text]
        self._comparisons += len(factors) * difference.cases
        if self._comparisons > MAX_COMPARISONS:
            raise FormulaError(
                relation.column,
                f"found more than {MAX_COMPARISONS} comparisons when abs, min and max are split into cases:"
                " split the formula",
            )
        parts = [at_most_zero(scaled(difference, factor), strict) for factor in factors]
        return disjunction(parts) if relation.text == "!=" else conjunction(parts)

    def _sum(self) -> Expression | Formula:
        column = self.column
        value = self._product()
        while (sign := self._accept("+", "-")) is not None:
            left = self._needs_sum(value, column)
            right_column = self.column
            right = self._needs_sum(self._product(), right_column)
            value = plus(left, right, _ONE if sign == "+" else -_ONE)
        return value

    def _product(self) -> Expression | Formula:
        column = self.column
        value = self._factor()
        while self._token.text in ("*", "/"):
            left = self._needs_sum(value, column)
            operator = self._token
            self._next += 1
            right_column = self.column
            right = self._needs_sum(self._factor(), right_column)
            if operator.text == "*":
                value = _product(left, right, operator.column)
            else:
                value = _quotient(left, right, right_column)
        return value

    def _factor(self) -> Expression | Formula:
        # Brackets are read here: five calls for each level stay clear of Python's limit on recursion.
        signs = 0
        while self._accept("-") is not None:
            signs += 1
        column = self.column
        value: Expression | Formula | None = self._number() or self._name() or self._call()
        if value is None:
            if self._token.text != "(":
                raise self._error("a number, a name, '-', '(', abs, min or max")
            self._enter()
            value = self._formula_or_sum()
            self._leave("an operator, one of <= < >= > == !=, 'and', 'or' or ')'")
        if signs == 0:
            return value
        return scaled(self._needs_sum(value, column), -_ONE if signs % 2 else _ONE)

    def _number(self) -> Expression | None:
        if self._token.kind != "number":
            return None
        value = parse_literal(self._token.text)
        assert value is not None  # the pattern of the token allows nothing else
        self._next += 1
        return Expression(value)

    def _name(self) -> Expression | None:
        name = self._token.text
        if self._token.kind != "name" or name in _CONNECTIVES or name in _FUNCTIONS:
            return None
        self._next += 1
        return Expression(coefficients={name: _ONE})

    def _call(self) -> Expression | None:
        function = self._accept(*_FUNCTIONS)
        if function is None:
            return None
        if self._token.text != "(":
            raise self._error(f"'(' after {function}")
        self._enter()
        arguments = [self._argument()]
        while function != "abs" and self._accept(",") is not None:
            arguments.append(self._argument())
        self._leave("an operator or ')'" if function == "abs" else "an operator, ',' or ')'")
        return _FUNCTIONS[function](arguments)

    def _argument(self) -> Expression:
        column = self.column
        return self._needs_sum(self._sum(), column)

    def _enter(self) -> None:
        self._levels += 1
        if self._levels > MAX_LEVELS:
            raise FormulaError(self.column, f"found more than {MAX_LEVELS} levels of brackets: flatten them")
        self._next += 1

    def _leave(self, expected: str) -> None:
        if self._accept(")") is None:
            raise self._error(expected)
        self._levels -= 1


def _product(left: Expression, right: Expression, column: int) -> Expression:
    if left.has_names and right.has_names:
        raise FormulaError(column, "found a product of two factors with names, expected at most one: linear")
    return scaled(right, left.constant) if right.has_names else scaled(left, right.constant)


def _quotient(left: Expression, right: Expression, column: int) -> Expression:
    if right.has_names:
        raise FormulaError(column, "found a divisor with names, expected one of numbers alone")
    if right.constant == 0:
        raise FormulaError(column, "found a divisor that is 0, expected another number")
    return scaled(left, 1 / right.constant)


def _depth(formula: Formula) -> int:
    if isinstance(formula, Comparison):
        return 0
    return 1 + max(map(_depth, formula.children), default=0)
