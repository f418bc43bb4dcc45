"""What both versions of VNN-LIB share: tokens, numbers and linear terms."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from hybrid_ai.checker.property_form import Atom
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported, refuse_if

_LONGEST_LITERAL = 4000
_LARGEST_EXPONENT = 4000
# bits of a literal, a coefficient or a scale; quotients of two, held on the way, may take twice as many
_LONGEST_NUMBER = 13_000
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]+))?")


def shown(token: str) -> str:
    """A token as messages quote it, of at most 40 characters."""
    return token if len(token) <= 40 else token[:37] + "..."


@dataclass(slots=True)
class Linear:
    """scale times (terms, by ("X" or "Y", index), and constant); neither scale nor coefficients are 0."""

    terms: dict[tuple[str, int], Fraction]
    constant: Fraction
    scale: Fraction = Fraction(1)


@dataclass
class TermReader:
    """Reads tokens and builds linear terms; `line` is the line being read, for errors.

    Sums extend their longest operand in place and products touch its scale alone, so that no nesting of
    n terms takes more than n log n steps; a term given to a method other than `difference` is used up.
    """

    line: int = 1

    def refuse_if(self, condition: bool, reason: str, error: type[Rejected] = Malformed) -> None:
        """Refuse the text; pass Unsupported where it is well formed but outside what is read."""
        refuse_if(condition, error, "property", f"line {self.line}", reason)

    def tokens(self, text: str, pattern: re.Pattern[str]) -> Iterator[str]:
        """The tokens without blanks and comments (group skip of the pattern); group bad is refused."""
        line = 1
        for match in pattern.finditer(text):
            self.line = line
            self.refuse_if(match["bad"] is not None, f"unexpected or unclosed {match[0]!r}")
            if match["skip"] is None:
                yield match[0]
            line += match[0].count("\n")

    def number(self, token: str) -> Linear:
        """The exact value of a literal."""
        number = _NUMBER.fullmatch(token)
        self.refuse_if(number is None, f"'{shown(token)}' is neither a declared variable nor a number")
        is_long = len(token.removeprefix("+")) > _LONGEST_LITERAL
        self.refuse_if(is_long, f"a number has more than {_LONGEST_LITERAL} characters", Unsupported)
        exponent = abs(int(number[1] or 0)) if number else 0
        is_far = exponent > _LARGEST_EXPONENT
        self.refuse_if(is_far, f"an exponent is beyond {_LARGEST_EXPONENT}", Unsupported)
        return Linear({}, self._sized(Fraction(token)))

    def arithmetic(self, head: str, terms: list[Linear]) -> Linear:
        """A sum, difference, product or quotient that is linear, of at least one term."""
        if head == "+":
            return self._sum(terms)
        if head == "-":
            kept, taken = (terms[:1], terms[1:]) if len(terms) > 1 else ([], terms)
            return self._sum([*kept, *(self._scaled(term, -1) for term in taken)])
        result = terms[0]
        for term in terms[1:]:
            if head == "*" and not result.terms:
                result, term = term, result
            self.refuse_if(bool(term.terms), f"'{head}' of two terms with variables", Unsupported)
            factor = term.scale * term.constant
            self.refuse_if(head == "/" and factor == 0, "division by zero")
            result = self._scaled(result, factor if head == "*" else 1 / factor)
        return result

    def difference(self, left: Linear, right: Linear) -> Linear:
        """left - right, a new term of scale one."""
        copied = Linear(dict(left.terms), left.constant, left.scale)
        form = self._sum([copied, Linear(dict(right.terms), right.constant, -right.scale)])
        terms = {key: self._sized(form.scale * coefficient) for key, coefficient in form.terms.items()}
        return Linear(terms, self._sized(form.scale * form.constant))

    def _sum(self, forms: list[Linear]) -> Linear:
        """The sum; terms of one variable are merged, those that cancel dropped."""
        longest = max(forms, key=lambda form: len(form.terms))
        for form in (other for other in forms if other is not longest):
            ratio = form.scale / longest.scale
            longest.constant = self._sized(longest.constant + ratio * form.constant, 2)
            for key, coefficient in form.terms.items():
                value = longest.terms.get(key, Fraction(0)) + ratio * coefficient
                longest.terms[key] = self._sized(value, 2)
                if value == 0:
                    del longest.terms[key]
        return longest

    def _scaled(self, form: Linear, factor: Fraction | int) -> Linear:
        """factor times form."""
        if factor == 0:
            return Linear({}, Fraction(0))
        form.scale = self._sized(form.scale * factor)
        return form

    def _sized(self, number: Fraction, factor: int = 1) -> Fraction:
        """The number, refused if it is too long."""
        bits = max(abs(number.numerator), number.denominator).bit_length()
        reason = f"a number needs more than {_LONGEST_NUMBER} bits"
        self.refuse_if(bits > factor * _LONGEST_NUMBER, reason, Unsupported)
        return number


def atom(form: Linear, sign: int, strict: bool) -> Atom:
    """sign times form <= 0, or < 0 if strict; the form has scale one."""
    inputs, outputs = [
        tuple((index, sign * form.terms[name, index]) for name, index in sorted(form.terms) if name == letter)
        for letter in "XY"
    ]
    return Atom(inputs, outputs, sign * form.constant, strict)
