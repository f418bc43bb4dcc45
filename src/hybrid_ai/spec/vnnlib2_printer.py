"""Properties as VNN-LIB 2.0 text."""

from __future__ import annotations

from fractions import Fraction

from .errors import UnsupportedSpec
from .literals import FLOAT32_LIMIT, MAX_BITS, nearest_float32, parse_literal
from .printing import MAX_DECIMALS, Style, assert_lines, decimal, decimal_places, linear_atom
from .property import Atom, Property


def to_query(prop: Property) -> str:
    """Return VNN-LIB 2.0 text whose unsafe condition is that of the property.

    The tensors are flat. True and false are written as comparisons that hold always and never.
    Raises UnsupportedSpec as to_vnnlib.
    """
    element = prop.element or "real"
    n, k = prop.n_inputs // prop.instances, prop.n_outputs // prop.instances
    lines = ["(vnnlib-version <2.0>)"]
    for instance in range(prop.instances):
        suffix = _suffix(instance)
        equal = " (equal-to f)" if instance else ""
        lines.append(
            f"(declare-network f{suffix}{equal}"
            f" (declare-input X{suffix} {element} [{n}]) (declare-output Y{suffix} {element} [{k}]))"
        )

    def variable(is_output: bool, index: int) -> str:
        instance, position = divmod(index, k if is_output else n)
        return f"{'Y' if is_output else 'X'}{_suffix(instance)}[{position}]"

    # The standard gives a comparison without variables no type, and float32 no arithmetic.
    zero = "(* 0 X[0])"
    if element == "float32":
        style = Style(variable, _number, _float32_atom, zero, "(<= X[0] X[0])", "(< X[0] X[0])")
    else:
        style = Style(variable, _number, linear_atom, zero, f"(>= {zero} 0)", f"(> {zero} 0)")
    try:
        lines += assert_lines(prop, style)
    except UnsupportedSpec as error:
        raise UnsupportedSpec(error.message, prop.file) from error
    return "\n".join(lines) + "\n"


def _suffix(instance: int) -> str:
    return str(instance + 1) if instance else ""


def _number(value: Fraction) -> str:
    decimals = decimal_places(value.denominator)
    if decimals is None:
        raise UnsupportedSpec(
            f"{str(value)[:40]} is no finite decimal, and VNN-LIB 2.0 has no quotients: scale the inequality"
        )
    if decimals <= MAX_DECIMALS:
        return decimal(value, decimals)
    mantissa = (value * 10**decimals).numerator
    if mantissa.bit_length() > MAX_BITS:
        raise UnsupportedSpec("a number has too many digits for a literal: round it so that more is unsafe")
    text = f"{mantissa}e-{decimals}"
    parse_literal(text)  # raises where the reader would refuse it
    return text


def _float32_atom(atom: Atom, style: Style) -> str:
    """Print an atom that compares a variable with a variable or a number.

    Sound because: an atom whose text would be read with another constant is refused.
    """
    units = [
        (coefficient > 0, style.variable(is_output, index))
        for is_output, terms in ((False, atom.inputs), (True, atom.outputs))
        for index, coefficient in terms
        for _ in range(_count(coefficient))
    ]
    suffix = "" if atom.strict else "="
    constant = atom.constant
    if len(units) == 1:
        # The reader takes the weaker of the literal and its rounding: it must be the literal.
        if abs(constant) >= FLOAT32_LIMIT or nearest_float32(constant) < constant:
            raise UnsupportedSpec("a bound on a float32 value is no float32: round it so that more is unsafe")
        is_positive, name = units[0]
        if is_positive:
            return f"(<{suffix} {name} {style.number(-constant)})"
        return f"(>{suffix} {name} {style.number(constant)})"
    if len(units) > 2 or constant != 0:
        raise UnsupportedSpec("a float32 query compares single values: state the property over real")
    if not units:
        return style.false if atom.strict else style.true
    (first_positive, first), (second_positive, second) = units
    left = first if first_positive else f"(- {first})"
    right = f"(- {second})" if second_positive else second
    return f"(<{suffix} {left} {right})"


def _count(coefficient: Fraction) -> int:
    """Return how often the variable occurs, at most 3, which is refused as a fraction is."""
    return min(abs(coefficient.numerator), 3) if coefficient.denominator == 1 else 3
