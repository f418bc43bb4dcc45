"""Properties as VNN-LIB text."""

from __future__ import annotations

from fractions import Fraction

from .printing import MAX_DECIMALS, Style, assert_lines, decimal, decimal_places, linear_atom
from .property import Property
from .vnnlib2_printer import to_query


def to_vnnlib(prop: Property) -> str:
    """Return VNN-LIB text that reads back to the same property: 1.0, or 2.0 where the property needs it.

    It is 2.0 where the property has an element type or several instances (which are printed as `real`
    where it has none). Numbers are exact: a finite decimal where there is one, else in 1.0 a quotient
    such as `(/ 1 3)`.
    Raises UnsupportedSpec for what VNN-LIB 2.0 cannot say: numbers that are no finite decimals and, over
    float32, arithmetic and bounds that would be rounded.
    """
    if prop.element is not None or prop.instances > 1:
        return to_query(prop)
    lines = [f"(declare-const X_{index} Real)" for index in range(prop.n_inputs)]
    lines += [f"(declare-const Y_{index} Real)" for index in range(prop.n_outputs)]
    lines += assert_lines(prop, _STYLE)
    return "\n".join(lines) + "\n"


def _variable(is_output: bool, index: int) -> str:
    return f"{'Y' if is_output else 'X'}_{index}"


def _number(value: Fraction) -> str:
    decimals = decimal_places(value.denominator)
    if decimals is None or decimals > MAX_DECIMALS:
        return f"(/ {value.numerator} {value.denominator})"
    return decimal(value, decimals)


_STYLE = Style(_variable, _number, linear_atom, "0", "true", "false")
