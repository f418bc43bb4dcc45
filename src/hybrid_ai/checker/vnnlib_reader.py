"""Reader of VNN-LIB properties; 1.0 is read here. Nothing in it recurses, so depth is no danger."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any, NamedTuple

from hybrid_ai.checker.property_form import Atom, Connective, Polytope, Property, normal_form, violates
from hybrid_ai.checker.rejected import Malformed, Unsupported
from hybrid_ai.checker.unpacking import unpacked
from hybrid_ai.checker.vnnlib2_reader import read_query
from hybrid_ai.checker.vnnlib_terms import Linear, TermReader, atom, shown

__all__ = ["Atom", "Connective", "Polytope", "Property", "read_property", "violates"]

LARGEST_PROPERTY = 2**28

_SPACE, _QUOTED, _WORD = r"[ \t\r\n]+|;[^\n]*", r'"(?:[^"]|"")*"|\|[^|\\]*\|', r'[^ \t\r\n()";|]+'
_TOKEN = re.compile(f"(?P<skip>{_SPACE})|[()]|{_QUOTED}|{_WORD}|(?P<bad>.)")
_VARIABLE = re.compile(r"([XY])_(0|[1-9][0-9]{0,8})")
_ENDING = ("check-sat", "exit")
_WITH_OPERANDS = ("set-logic", "set-info")
_IGNORED = (*_WITH_OPERANDS, "get-model", *_ENDING)
# comparison of p and q -> the factors by which p - q becomes <= 0 or < 0
_COMPARISONS = {"<=": (1,), "<": (1,), ">=": (-1,), ">": (-1,), "=": (1, -1)}
_ARITHMETIC = ("+", "-", "*", "/")


class _Logical(NamedTuple):
    """`and`, `or` or `not` of formulas."""

    head: str
    arguments: Sequence["_Logical | Atom"]


_NO_KEY = ("", -1)
_TRUTH = {"true": Atom((), (), Fraction(0), False), "false": Atom((), (), Fraction(0), True)}


@dataclass
class _Reader(TermReader):
    """What the commands read so far declare and assert."""

    ended: bool = False
    variables: set[tuple[str, int]] = field(default_factory=set)
    asserts: list[_Logical | Atom] = field(default_factory=list)

    def read(self, text: str) -> None:
        """Take all commands; an expression of an assert is evaluated where it closes."""
        # of each open parenthesis: what follows it, and its line
        frames: list[tuple[list[Any], int]] = []
        for token in self.tokens(text, _TOKEN):
            if token == "(":
                self.refuse_if(bool(frames) and not frames[0][0], "a name is expected after '('")
                frames.append(([], self.line))
                continue
            self.refuse_if(not frames, f"'{shown(token)}' outside of a command")
            items = frames[-1][0]
            is_asserted = frames[0][0][:1] == ["assert"]
            if token != ")":
                items.append(self.leaf(token) if is_asserted and items else token)
                continue
            _, self.line = frames.pop()
            if frames:
                frames[-1][0].append(self.applied(items) if is_asserted else items)
            else:
                self.command(items)
        self.line = frames[-1][1] if frames else self.line
        self.refuse_if(bool(frames), "'(' is never closed")

    def command(self, items: list[Any]) -> None:
        """Take one command."""
        name = items[0] if items else ""
        if name in _IGNORED:
            loose = name in _WITH_OPERANDS and all(isinstance(item, str) for item in items)
            self.refuse_if(not loose and len(items) > 1, f"operands of '{name}'", Unsupported)
            self.ended = self.ended or name in _ENDING
            return
        known = name in ("assert", "declare-const", "declare-fun")
        self.refuse_if(not known, f"command '{shown(name)}' (VNN-LIB 1.0 is read)", Unsupported)
        self.refuse_if(self.ended, f"'{name}' after check-sat or exit")
        if name != "assert":
            self.declare(items)
        else:
            self.refuse_if(len(items) != 2 or isinstance(items[1], Linear), "assert takes one formula")
            self.asserts.append(items[1])

    def declare(self, items: list[Any]) -> None:
        """Take a declaration."""
        name = items[1] if len(items) > 1 and isinstance(items[1], str) else ""
        known = items in (["declare-const", name, "Real"], ["declare-fun", name, [], "Real"])
        self.refuse_if(not known, "declaration other than (declare-const X_i Real)", Unsupported)
        key = _key(name)
        self.refuse_if(key is _NO_KEY, f"'{shown(name)}' is no variable X_i or Y_j")
        self.refuse_if(key in self.variables, f"{name} is declared twice")
        self.variables.add(key)

    def leaf(self, token: str) -> Atom | Linear:
        """The meaning of a truth value, a variable or a number."""
        if token in _TRUTH:
            return _TRUTH[token]
        key = _key(token)
        if key is not _NO_KEY:
            self.refuse_if(key not in self.variables, f"{token} is not declared")
            return Linear({key: Fraction(1)}, Fraction(0))
        return self.number(token)

    def applied(self, items: list[Any]) -> _Logical | Linear:
        """The meaning of a parenthesised expression, from the meanings of its parts."""
        self.refuse_if(not items or not isinstance(items[0], str), "a name is expected after '('")
        head, arguments = items[0], items[1:]
        terms = [argument for argument in arguments if isinstance(argument, Linear)]
        if head in ("and", "or", "not"):
            wrong = bool(terms) or not arguments or (head == "not" and len(arguments) > 1)
            self.refuse_if(wrong, f"'{head}' takes {'one formula' if head == 'not' else 'formulas'}")
            return _Logical(head, arguments)
        known = head in _COMPARISONS or head in _ARITHMETIC
        self.refuse_if(
            not known, f"'{shown(head)}'; and, or, not, comparisons and sums are read", Unsupported
        )
        fewest = 1 if head in ("+", "-", "*") else 2
        wrong = len(terms) != len(arguments) or len(terms) < fewest
        self.refuse_if(wrong, f"'{head}' takes {fewest} or more terms")
        if head in _ARITHMETIC:
            return self.arithmetic(head, terms)
        differences = [self.difference(left, right) for left, right in pairwise(terms)]
        signed = [(form, sign) for form in differences for sign in _COMPARISONS[head]]
        return _Logical("and", [atom(form, sign, head in ("<", ">")) for form, sign in signed])


def _key(token: str) -> tuple[str, int]:
    """Letter and index of a variable."""
    match = _VARIABLE.fullmatch(token)
    return _NO_KEY if match is None else (match[1], int(match[2]))


def _negated(comparison: Atom) -> Atom:
    """Not (form <= 0) is -form < 0, not (form < 0) is -form <= 0."""
    inputs, outputs = [tuple((i, -c) for i, c in terms) for terms in (comparison.inputs, comparison.outputs)]
    return Atom(inputs, outputs, -comparison.constant, not comparison.strict)


def _postfix(root: _Logical) -> tuple[Atom | Connective, ...]:
    """The formula in postfix order, `not` pushed inwards."""
    steps: list[Atom | Connective] = []
    pending: list[tuple[_Logical | Atom, bool]] = [(root, True)]
    while pending:
        item, positive = pending.pop()
        if isinstance(item, Atom):
            steps.append(item if positive else _negated(item))
        elif item.head == "not":
            pending.append((item.arguments[0], not positive))
        else:
            # a connective before its arguments, the last one first: postfix order backwards
            steps.append(Connective((item.head == "and") == positive, len(item.arguments)))
            pending.extend((argument, positive) for argument in item.arguments)
    return tuple(reversed(steps))


def read_property(data: bytes) -> Property:
    """Read a VNN-LIB property, 1.0 or 2.0 (gzip accepted), into its normal form.

    Args:
        data: contents of the property file.

    Raises:
        Malformed: syntax errors, undeclared variables, absurd numbers; names the line.
        Unsupported: other commands and types, nonlinear terms, unbounded axes, too many conjuncts.
    """
    try:
        text = unpacked(data, "property", LARGEST_PROPERTY).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("property", f"byte {error.start}", "not UTF-8") from error
    if re.search(r"\r(?!\n)", text):
        # editors and solvers disagree on whether it ends a comment
        raise Malformed("property", "file", "carriage return without line feed")
    reader = _Reader()
    if list(islice(reader.tokens(text, _TOKEN), 2)) == ["(", "vnnlib-version"]:
        return read_query(text)
    reader.read(text)
    sizes = {letter: sum(1 for known, _ in reader.variables if known == letter) for letter in "XY"}
    wanted = {(letter, index) for letter, size in sizes.items() for index in range(max(size, 1))}
    for letter, index in sorted(wanted - reader.variables):
        raise Malformed("property", "declarations", f"{letter}_{index} is not declared")
    return normal_form(sizes["X"], sizes["Y"], _postfix(_Logical("and", [_TRUTH["true"], *reader.asserts])))
