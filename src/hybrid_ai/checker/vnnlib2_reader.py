"""Reader of VNN-LIB 2.0 queries; nothing in it recurses, so depth is no danger."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from hybrid_ai.checker.property_form import Atom, Connective, Property, normal_form
from hybrid_ai.checker.rejected import Unsupported
from hybrid_ai.checker.vnnlib_terms import Linear, TermReader, atom, shown

# all inputs together, all outputs together, and every dimension and index stay below
MOST_ELEMENTS = 10**9
# from here on numbers round to infinity
FLOAT32_OVERFLOW = 2**128 - 2**103

_TOKEN = re.compile(r"(?P<skip>[ \t\r\n]+|;[^\n]*)|[()\[\],]|[^ \t\r\n()\[\],;\"|]+|(?P<bad>.)")
_VERSION = re.compile(r"<([0-9]+)\.[0-9]+>")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NATURAL = re.compile(r"[0-9]+")
_RESERVED = ("and", "or", "initialized")
_LETTERS = {"declare-input": "X", "declare-output": "Y"}
_ELEMENTS = ("real", "float32")
# comparison of p and q -> the factors by which p - q becomes <= 0 or < 0
_COMPARISONS = {"<=": (1,), "<": (1,), ">=": (-1,), ">": (-1,), "==": (1, -1), "!=": (1, -1)}
_STRICT = ("<", ">", "!=")
_ARITHMETIC = ("+", "-", "*")
_FLOAT32 = "in a float32 query only v or (- v), v a variable, is compared, with another or a literal"
_HEADS = ("and", "or", *_ARITHMETIC, *_COMPARISONS)


class _Tensor(NamedTuple):
    """A declared input ("X") or output ("Y"); its first element has the index `first` among those letters."""

    letter: str
    shape: tuple[int, ...]
    first: int


@dataclass
class _Open:
    """An expression whose parenthesis is open: its operator, its line and its operands so far."""

    head: str
    line: int
    terms: list[Linear] = field(default_factory=list)
    formulas: int = 0


@dataclass
class _Reader(TermReader):
    """What has been read; `wide` and `narrow` are the asserts in postfix order, see `Property`.

    They differ over float32 alone: `wide`, met by either reading of a literal, becomes the polytopes to be
    proved safe; `narrow`, met by both, decides whether a counterexample's point is of the input set.
    """

    stream: Iterator[str] = field(default_factory=lambda: iter(()))
    opened: int = 1
    element: str = ""
    networks: list[str] = field(default_factory=list)
    # None for the name of a network
    names: dict[str, _Tensor | None] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=lambda: {"X": 0, "Y": 0})
    asserts: int = 0
    wide: list[Atom | Connective] = field(default_factory=list)
    narrow: list[Atom | Connective] = field(default_factory=list)

    def query(self, text: str) -> Property:
        """Take the version and all commands."""
        self.stream = self.tokens(text, _TOKEN)
        self.expect("(")
        self.opened = self.line
        self.version()
        for token in self.stream:
            self.opened = self.line
            self.refuse_if(token != "(", f"'{shown(token)}' outside of a command")
            command = self.take()
            known = command in ("declare-network", "assert")
            self.refuse_if(not known, f"'{shown(command)}' is no command of VNN-LIB 2.0")
            if command == "assert":
                self.refuse_if(not self.networks, "an assertion before any network is declared")
                self.assertion()
            else:
                self.refuse_if(self.asserts > 0, "a network is declared after an assertion")
                self.network()
        self.refuse_if(not self.networks, "no network is declared")
        self.refuse_if(self.asserts == 0, "no assertion")
        whole = Connective(True, self.asserts)
        prop = normal_form(self.sizes["X"], self.sizes["Y"], (*self.wide, whole))
        narrow = (*self.narrow, whole)
        return replace(prop, formula=narrow, instances=len(self.networks), element=self.element)

    def take(self) -> str:
        """The next token within a command."""
        token = next(self.stream, "")
        self.line = self.line if token else self.opened
        self.refuse_if(not token, "'(' is never closed")
        return token

    def expect(self, wanted: str) -> None:
        """Take one certain token."""
        token = self.take()
        self.refuse_if(token != wanted, f"'{wanted}' is expected instead of '{shown(token)}'")

    def version(self) -> None:
        """Take the rest of the version command."""
        self.expect("vnnlib-version")
        token = self.take()
        version = _VERSION.fullmatch(token)
        self.refuse_if(version is None, f"'{shown(token)}' is no version <2.0>")
        unknown = version is not None and version[1] != "2"
        self.refuse_if(unknown, f"VNN-LIB version {shown(token)} (1.0 and 2.0 are read)", Unsupported)
        self.expect(")")

    def new_name(self) -> str:
        """Take a name that is declared here."""
        name = self.take()
        wrong = _NAME.fullmatch(name) is None or name in _RESERVED
        self.refuse_if(wrong, f"'{shown(name)}' is no name (a letter, then letters, digits and underscores)")
        self.refuse_if(name in self.names, f"'{shown(name)}' is declared twice")
        return name

    def network(self) -> None:
        """Take the rest of a network's declaration."""
        name = self.new_name()
        self.names[name] = None
        equal, letters = "", ""
        while (token := self.take()) == "(":
            clause = self.take()
            unread = clause in ("isomorphic-to", "declare-hidden")
            self.refuse_if(unread, f"'{clause}' (equal networks of inputs and outputs are read)", Unsupported)
            if clause == "equal-to":
                self.refuse_if(bool(equal + letters), "'equal-to' stands once, before the declarations")
                equal = self.take()
                self.refuse_if(equal not in self.networks, f"'{shown(equal)}' is no network declared before")
                self.refuse_if(equal != self.networks[0], f"'{shown(equal)}' says itself that it is equal")
            else:
                self.refuse_if(clause not in _LETTERS, f"'{shown(clause)}' within declare-network")
                letters += _LETTERS[clause]
                self.refuse_if("YX" in letters, "an input is declared after an output")
                self.refuse_if(letters in ("XX", "XYY"), "several inputs or outputs", Unsupported)
                self.tensor(_LETTERS[clause])
            closing = self.take()
            initialized = closing == "initialized" and clause == "declare-input"
            self.refuse_if(initialized, "'initialized' inputs", Unsupported)
            self.refuse_if(closing != ")", f"')' is expected instead of '{shown(closing)}'")
        self.refuse_if(token != ")", f"'{shown(token)}' within declare-network")
        self.line = self.opened
        self.refuse_if(letters != "XY", f"network '{shown(name)}' lacks an input or an output")
        several = bool(self.networks) and not equal
        self.refuse_if(several, "two networks of which neither is equal-to the other", Unsupported)
        self.networks.append(name)

    def tensor(self, letter: str) -> None:
        """Take name, element type and shape of an input (X) or output (Y)."""
        name, element = self.new_name(), self.take()
        self.refuse_if(_NAME.fullmatch(element) is None, f"'{shown(element)}' is no element type")
        mixed = self.element not in ("", element) and "real" in (element, self.element)
        self.refuse_if(mixed, f"element types '{shown(element)}' and '{self.element}' are mixed")
        unread = f"element type '{shown(element)}' ({' and '.join(_ELEMENTS)} are read)"
        self.refuse_if(element not in _ELEMENTS, unread, Unsupported)
        shape, size = self.numbers(), 1
        self.refuse_if(0 in shape, f"'{shown(name)}' has a dimension of 0, thus no elements")
        for dimension in shape:
            size *= dimension
            too_many = self.sizes[letter] + size >= MOST_ELEMENTS
            self.refuse_if(too_many, f"with '{shown(name)}', {MOST_ELEMENTS} elements or more", Unsupported)
        differs = self.shapes.setdefault(letter, shape) != shape
        self.refuse_if(differs, f"'{shown(name)}' has another shape than in the equal network")
        self.element = element
        self.names[name] = _Tensor(letter, shape, self.sizes[letter])
        self.sizes[letter] += size

    def numbers(self) -> tuple[int, ...]:
        """Take whole numbers in brackets, separated by commas; larger ones are read as MOST_ELEMENTS."""
        self.expect("[")
        numbers: list[int] = []
        token = self.take()
        while token != "]":
            if numbers:
                self.refuse_if(token != ",", f"',' or ']' is expected instead of '{shown(token)}'")
                token = self.take()
            self.refuse_if(_NATURAL.fullmatch(token) is None, f"'{shown(token)}' is no dimension or index")
            digits = token.lstrip("0") or "0"
            numbers.append(int(digits) if len(digits) <= 9 else MOST_ELEMENTS)
            token = self.take()
        return tuple(numbers)

    def assertion(self) -> None:
        """Take the rest of an assertion; each expression is evaluated where it closes."""
        frames = [_Open("assert", self.opened)]
        while frames:
            token = self.take()
            if token == "(":
                line = self.line
                frames.append(_Open(self.head(frames[-1].head), line))
            elif token != ")":
                frames[-1].terms.append(self.leaf(token))
            else:
                frame = frames.pop()
                self.line = frame.line
                term = self.closed(frame)
                if term is not None:
                    frames[-1].terms.append(term)
                elif frames:
                    frames[-1].formulas += 1

    def head(self, parent: str) -> str:
        """Take the operator of an expression within one of operator `parent`."""
        head = self.take()
        self.refuse_if(head not in _HEADS, f"'{shown(head)}' is no operator of VNN-LIB 2.0")
        rounding = head in ("+", "*") or (head == "-" and parent == "-")
        self.refuse_if(rounding and self.element == "float32", _FLOAT32, Unsupported)
        return head

    def leaf(self, token: str) -> Linear:
        """The meaning of a variable or a number."""
        tensor = self.names.get(token)
        if tensor is None:
            number = self.number(token)
            huge = self.element == "float32" and abs(number.constant) >= FLOAT32_OVERFLOW
            self.refuse_if(huge, f"'{shown(token)}' is beyond the largest float32")
            return number
        indices = self.numbers() if tensor.shape else ()
        wrong = f"'{shown(token)}' takes {len(tensor.shape)} indices, below the dimensions declared"
        self.refuse_if(len(indices) != len(tensor.shape), wrong)
        element = 0
        for index, dimension in zip(indices, tensor.shape, strict=True):
            self.refuse_if(index >= dimension, wrong)
            element = element * dimension + index
        return Linear({(tensor.letter, tensor.first + element): Fraction(1)}, Fraction(0))

    def closed(self, frame: _Open) -> Linear | None:
        """Take an expression whose operands are known: the value of a term, nothing for a formula."""
        head, terms, formulas = frame.head, frame.terms, frame.formulas
        if head in ("assert", "and", "or"):
            wrong = bool(terms) or formulas == 0 or (head == "assert" and formulas > 1)
            self.refuse_if(wrong, f"'{head}' takes {'one formula' if head == 'assert' else 'formulas'}")
            if head == "assert":
                self.asserts += 1
            else:
                self.emit(Connective(head == "and", formulas), Connective(head == "and", formulas))
            return None
        compares = head in _COMPARISONS
        wrong = formulas > 0 or not terms or (compares and len(terms) != 2)
        self.refuse_if(wrong, f"'{head}' takes {'two terms' if compares else 'terms'}")
        if compares:
            self.comparison(head, *terms)
            return None
        self.refuse_if(len(terms) > 1 and self.element == "float32", _FLOAT32, Unsupported)
        return self.arithmetic(head, terms)

    def comparison(self, head: str, left: Linear, right: Linear) -> None:
        """Take a comparison; in a float32 query for both readings of its literal."""
        lacks_variable = not left.terms and not right.terms
        self.refuse_if(lacks_variable and self.element == "float32", _FLOAT32, Unsupported)
        form = self.difference(left, right)
        for sign in _COMPARISONS[head]:
            exact = atom(form, sign, head in _STRICT)
            constants = [exact.constant]
            if self.element == "float32":
                constants.append(nearest_float32(exact.constant))
            # terms + constant <= 0 holds of more points the smaller the constant is
            self.emit(replace(exact, constant=min(constants)), replace(exact, constant=max(constants)))
        if len(_COMPARISONS[head]) > 1:
            self.emit(Connective(head == "==", 2), Connective(head == "==", 2))

    def emit(self, wide: Atom | Connective, narrow: Atom | Connective) -> None:
        """Append a step to both formulas."""
        self.wide.append(wide)
        self.narrow.append(narrow)


def nearest_float32(value: Fraction) -> Fraction:
    """Round to the nearest float32, ties to even; subnormals are kept.

    Args:
        value: |value| < FLOAT32_OVERFLOW.
    """
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    # distance of the float32 numbers next to the value; round() takes ties to even
    step = Fraction(2) ** max(exponent - 23, -149)
    return round(value / step) * step


def read_query(text: str) -> Property:
    """Read a VNN-LIB 2.0 query into the normal form of a property.

    Args:
        text: the query; it begins with `(vnnlib-version`.

    Raises:
        Malformed: syntax errors, undeclared names, indices out of range; names the line.
        Unsupported: other versions, network and element types, nonlinear terms, arithmetic on float32,
            unbounded axes, too many conjuncts.

    Sound because: where the standard leaves a float32 query's literal open, the normal form contains what
    either reading makes unsafe, and `formula` only what both do.
    """
    return _Reader().query(text)
