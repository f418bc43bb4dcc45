"""Random formulas as text, and what they mean by Python's own grammar over exact rationals.

The grammar of formulas is a part of Python's, so that the interpreter is an independent reading of the same
text, whose precedence no test has to repeat.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from hypothesis import strategies as st

RELATIONS = ("<=", "<", ">=", ">", "==", "!=")
_NUMBER = re.compile(r"(?<![A-Za-z0-9_])[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_FUNCTIONS = {"F": Fraction, "abs": abs, "min": lambda *of: min(of), "max": lambda *of: max(of)}

numbers = st.sampled_from(["0", "1", "2", "3", "0.5", "1.25", "7e-1", "1E1", "0.1", "60261"])
divisors = st.sampled_from(["2", "3", "0.7", "4e-1", "(1 - 3)", "-7"])
constants = st.one_of(numbers, divisors, st.sampled_from(["(2/3)", "abs(0 - 2)", "max(1, 2, -3)"]))


def python_value(text: str, values: Mapping[str, Fraction]) -> bool:
    """Evaluate a formula as the Python expression that it is, over exact rationals."""
    expression = _NUMBER.sub(lambda match: f"F('{match.group()}')", text)
    scope = {"__builtins__": {}, **_FUNCTIONS, **values}
    return bool(builtins.eval(expression, scope))


def sums(names: Sequence[str]) -> st.SearchStrategy[str]:
    """Linear sums with abs, min and max; brackets stand in some places only, so that precedence matters."""

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("{} + {}".format, inner, inner),
            st.builds("{}-{}".format, inner, inner),
            st.builds("{}*{}".format, constants, inner),
            st.builds("{} * {}".format, inner, constants),
            st.builds("{} / {}".format, inner, divisors),
            st.builds("-{}".format, inner),
            st.builds("({})".format, inner),
            st.builds("abs({})".format, inner),
            st.builds("{}({})".format, st.sampled_from(["min", "max"]), inner),
            st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
            st.builds("{}({},{},{})".format, st.sampled_from(["min", "max"]), inner, inner, inner),
        )

    return st.recursive(st.one_of(numbers, st.sampled_from(names)), larger, max_leaves=5)


def formulas(names: Sequence[str], max_leaves: int = 4) -> st.SearchStrategy[str]:
    """Formulas over these names: comparisons of up to three sums, and, or, not, brackets."""
    relations = st.sampled_from(RELATIONS)
    comparisons = st.one_of(
        st.builds("{} {} {}".format, sums(names), relations, sums(names)),
        st.builds("{}{}{}".format, st.sampled_from(names), relations, numbers),
        st.builds("{} {} {} {} {}".format, numbers, relations, sums(names), relations, sums(names)),
    )

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("{} and {}".format, inner, inner),
            st.builds("{} or {}".format, inner, inner),
            st.builds("not {}".format, inner),
            st.builds("({})".format, inner),
            st.builds("not ({})".format, inner),
        )

    return st.recursive(comparisons, larger, max_leaves=max_leaves)


values = st.one_of(
    st.integers(-3, 3).map(Fraction),
    st.builds(Fraction, st.integers(-40, 40), st.sampled_from([2, 3, 7, 10])),
)


def points(names: Sequence[str]) -> st.SearchStrategy[dict[str, Fraction]]:
    """A value for each name; small ones repeat, so that equalities are met."""
    return st.fixed_dictionaries(dict.fromkeys(names, values))
