"""Tensors of the model: affine forms over the elements of groups, in C order.

A constant is a tensor whose forms have no terms and which says so; a tensor that depends on the input stays
one when its terms cancel.
"""

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from typing import NamedTuple

from hybrid_ai.checker.float32 import EXACT, NO_SCALE, Cost, Scale, constants, joined
from hybrid_ai.checker.protobuf import Message
from hybrid_ai.checker.rejected import Malformed, Unsupported, refuse_if

LARGEST_CONSTANT = 2_000_000
# forms cost far more than numbers
MOST_FORMS = 100_000
MOST_AXES = 16
# bits of a computed number; operations in a row make numbers longer and longer, but no real model comes near
LONGEST_NUMBER = 4096
_TOO_LONG = 2**LONGEST_NUMBER
FLOAT, INT32, INT64, DOUBLE = 1, 6, 7, 11
REAL_TYPES = (FLOAT, DOUBLE)
INTEGER_TYPES = (INT32, INT64)
# element type -> name, field of the typed data, struct code of the raw data
ELEMENTS = {
    FLOAT: ("float32", "float_data", "f"),
    DOUBLE: ("float64", "double_data", "d"),
    INT32: ("int32", "int32_data", "i"),
    INT64: ("int64", "int64_data", "q"),
}

# rational arithmetic is slow: what is one of these two is not computed with
ZERO, ONE = Fraction(0), Fraction(1)
Terms = dict[tuple[int, int], Fraction]
_NO_TERMS: Terms = {}


class Form(NamedTuple):
    """An affine form: non-zero coefficients by (group, element), and a constant. Never changed in place.

    `size_terms` and `size` are those of its size form (section 3 of the format), None where they are the
    absolute values.
    """

    terms: Terms
    constant: Fraction
    size_terms: Terms | None = None
    size: Fraction | None = None

    @property
    def magnitude(self) -> tuple[Terms, Fraction]:
        """The size form."""
        terms, constant = self.size_terms, self.size
        if terms is None:
            terms = {key: abs(value) for key, value in self.terms.items()}
        return terms, abs(self.constant) if constant is None else constant


@dataclass(frozen=True)
class Tensor:
    """Shape, ONNX element type and forms; `contracted`, `cost` and `scaling` are those of section 3."""

    shape: tuple[int, ...]
    element: int
    forms: tuple[Form, ...]
    constant: bool = False
    contracted: bool = False
    cost: Cost = EXACT
    scaling: Scale = NO_SCALE


def element_name(element: int) -> str:
    """The usual name of an ONNX element type that is read, else its number."""
    return ELEMENTS[element][0] if element in ELEMENTS else f"element type {element}"


def check_rank(rank: int, where: str) -> None:
    """Refuse shapes of many axes.

    Raises:
        Unsupported: more than MOST_AXES.
    """
    refuse_if(rank > MOST_AXES, Unsupported, "model", where, f"a shape of {rank} axes; {MOST_AXES} are read")


def check_size(shape: Sequence[int], constant: bool, where: str) -> None:
    """Refuse a shape before anything of its size is allocated.

    Raises:
        Unsupported: many axes, negative sizes, too many elements, or none but in an empty list of constants.
    """
    check_rank(len(shape), where)
    count, largest = math.prod(shape), LARGEST_CONSTANT if constant else MOST_FORMS
    wrong = count > largest or min(shape, default=0) < 0
    wrong = wrong or (count == 0 and not (constant and tuple(shape) == (0,)))
    kind = "constant" if constant else "tensor that depends on the input"
    refuse_if(wrong, Unsupported, "model", where, f"{kind} of shape {shape}; 1 to {largest} elements")


def holds(element: int, number: Fraction) -> bool:
    """Whether an element type represents a number exactly."""
    code = ELEMENTS[element][2]
    try:
        stored = struct.pack(f"<{code}", float(number) if element in REAL_TYPES else int(number))
    except (OverflowError, struct.error):
        return False
    return bool(struct.unpack(f"<{code}", stored)[0] == number)


def constant(shape: Sequence[int], element: int, numbers: Sequence[float], where: str) -> Tensor:
    """A tensor of known numbers.

    Raises:
        Malformed: a number is NaN or infinite, or an integer beyond its type.
    """
    refuse_if(not all(map(math.isfinite, numbers)), Malformed, "model", where, "a number is not finite")
    forms = tuple(map(Form, repeat(_NO_TERMS), map(Fraction, numbers)))
    if element in INTEGER_TYPES and not all(holds(element, form.constant) for form in forms):
        raise Malformed("model", where, f"a value is outside the range of {element_name(element)}")
    # of the numbers as given, which compare exactly too and faster than rationals
    cost = constants(numbers)
    return Tensor(tuple(shape), element, forms, constant=True, cost=cost)


def derived(operands: Sequence[Tensor], shape: Sequence[int], forms: Iterable[Form]) -> Tensor:
    """What an operation makes of its operands: constant if all are, contracted if any is."""
    constant = all(operand.constant for operand in operands)
    contracted = any(operand.contracted for operand in operands)
    cost = joined(operand.cost for operand in operands)
    scaling = Scale(*(max(values) for values in zip(*(operand.scaling for operand in operands), strict=True)))
    return Tensor(tuple(shape), operands[0].element, tuple(forms), constant, contracted, cost, scaling)


def _short(number: Fraction, where: str) -> Fraction:
    """The number, refused if it is too long."""
    if number.denominator >= _TOO_LONG or abs(number.numerator) >= _TOO_LONG:
        raise Unsupported("model", where, f"a number of more than {LONGEST_NUMBER} bits")
    return number


def weighted_sum(
    forms: Sequence[Form], weights: Sequence[Fraction], where: str, sizes: Sequence[Fraction] | None = None
) -> Form:
    """The sum of weight times form, terms that cancel dropped; `sizes` of weights that are not |weights|.

    Raises:
        Unsupported: a product or a sum is longer than LONGEST_NUMBER.
    """
    terms: Terms = {}
    constant, reach, added = ZERO, ZERO, 0
    simple = sizes is None
    for form, weight in zip(forms, weights, strict=True):
        if not weight:
            continue
        simple = simple and form.size_terms is None
        if form.constant is not ZERO and form.constant != 0:
            product = weight * form.constant
            constant = _short(constant + product, where)
            reach = _short(reach + (abs(product) if form.size is None else abs(weight) * form.size), where)
        elif form.size is not None:
            reach = _short(reach + abs(weight) * form.size, where)
        added += len(form.terms)
        for key, coefficient in form.terms.items():
            part = weight
            if coefficient is not ONE:
                part = coefficient if weight == 1 else _short(weight * coefficient, where)
            terms[key] = _short(terms[key] + part, where) if key in terms else part
    simple = simple and len(terms) == added
    if len(terms) < added:
        terms = {key: value for key, value in terms.items() if value != 0}
    if simple:
        return Form(terms, constant, None, None if reach == abs(constant) else reach)
    return Form(terms, constant, *_size(forms, list(map(abs, weights)) if sizes is None else sizes, where))


def _size(forms: Sequence[Form], sizes: Sequence[Fraction], where: str) -> tuple[Terms, Fraction]:
    terms: Terms = {}
    constant = Fraction(0)
    for form, size in zip(forms, sizes, strict=True):
        own_terms, own_constant = form.magnitude
        constant = _short(constant + size * own_constant, where)
        for key, value in own_terms.items():
            terms[key] = _short(terms.get(key, 0) + size * value, where)
    return terms, constant


def axis_offsets(shape: Sequence[int]) -> list[Sequence[int]]:
    """For each axis, the distance of its entries from the first one, in the flat sequence."""
    steps = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    return [range(0, size * step, step) for size, step in zip(shape, steps, strict=True)]


def arranged(value: Tensor, offsets: Sequence[Sequence[int]], where: str) -> Tensor:
    """The tensor whose element (i, j, ...) is element offsets[0][i] + offsets[1][j] + ... of `value`."""
    shape = [len(axis) for axis in offsets]
    check_size(shape, value.constant, where)
    sources = [0]
    for axis in offsets:
        sources = [base + step for base in sources for step in axis]
    return derived([value], shape, [value.forms[source] for source in sources])


def broadcast_shape(shapes: Sequence[Sequence[int]], where: str) -> tuple[int, ...]:
    """The common shape of several shapes under the rules of ONNX (those of numpy).

    Raises:
        Malformed: the shapes do not fit together.
    """
    rank = max(len(shape) for shape in shapes)
    result = []
    for sizes in zip(*[(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes], strict=True):
        others = {size for size in sizes if size != 1}
        refuse_if(len(others) > 1, Malformed, "model", where, f"shapes {shapes} do not broadcast")
        result.append(others.pop() if others else 1)
    return tuple(result)


def broadcast(value: Tensor, shape: tuple[int, ...], where: str) -> Tensor:
    """The value repeated along axes of size one up to a shape that it broadcasts to."""
    if value.shape == shape:
        return value
    own = axis_offsets((1,) * (len(shape) - len(value.shape)) + value.shape)
    wide = [[0] * size if len(axis) == 1 else axis for axis, size in zip(own, shape, strict=True)]
    return arranged(value, wide, where)


def read_tensor(message: Message, where: str) -> Tensor:
    """Decode a TensorProto.

    Args:
        message: the parsed TensorProto.
        where: tensor or operation named in errors.

    Raises:
        Malformed: external data, wrong amount or place of data, numbers that are not finite.
        Unsupported: element types other than float32, float64, int32, int64.
    """
    if message["external_data"] or message["data_location"] != 0:
        raise Malformed("model", where, "external data is refused; store the tensor in the model file")
    element, shape, raw = message["data_type"], message["dims"], message["raw_data"]
    refuse_if(element not in ELEMENTS, Unsupported, "model", where, f"tensor of {element_name(element)}")
    check_size(shape, True, where)
    _, field, code = ELEMENTS[element]
    wrong = [name for _, name, _ in ELEMENTS.values() if message[name] and (raw is not None or name != field)]
    refuse_if(bool(wrong), Malformed, "model", where, f"{element_name(element)} data in {', '.join(wrong)}")
    given = len(message[field]) if raw is None else len(raw) / struct.calcsize(code)
    refuse_if(given != math.prod(shape), Malformed, "model", where, f"shape {shape}, data for {given:g}")
    numbers = message[field] if raw is None else struct.unpack(f"<{math.prod(shape)}{code}", raw)
    return constant(shape, element, numbers, where)
