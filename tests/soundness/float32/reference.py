"""Intervals for every tensor of a network in float32: exact rationals, z plus or minus E, stage by stage.

Small enough to read beside the text of the semantics; it bounds loosely (intervals only) and never wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.soundness.float32.block_error import ETA, LARGEST_COUNT, LARGEST_VALUE, NothingShown, gamma, whole
from tests.soundness.float32.program import Node, Program, Unsupported

Exact = NDArray[Any]  # of forms
Interval = tuple[Fraction, Fraction]
ZERO, ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True)
class Form:
    """An affine form over group elements, and its size form."""

    terms: Mapping[int, Fraction]
    constant: Fraction
    sizes: Mapping[int, Fraction]
    size: Fraction


@dataclass(frozen=True, eq=False)
class Tensor:
    """Forms (an object array), N, D, G, and the marks of the format."""

    forms: Exact
    terms: int = 1
    degree: int = 1
    gain: int = 1
    contracted: bool = False
    constant: bool = False

    @property
    def roundings(self) -> int:
        return self.terms + self.degree - 2


@dataclass(frozen=True)
class Stage:
    """One stage: how many elements, and what its pre-activation is: sign max(tensor, floor) + shift, exactly.

    Only Clip, which is written with relu, has other than the tensor itself.
    """

    relu: bool
    size: int
    tensor: str
    sign: Fraction = ONE
    shift: Fraction = ZERO
    floor: Fraction | None = None

    def pre_activation(self, computed: Fraction) -> Fraction:
        value = computed if self.floor is None else max(computed, self.floor)
        return self.sign * value + self.shift


@dataclass
class Groups:
    """The interval of the computed value of every group element so far, and the stages."""

    intervals: list[Interval] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    def append(self, intervals: Sequence[Interval], shape: tuple[int, ...]) -> Tensor:
        start = len(self.intervals)
        self.intervals += intervals
        forms = np.empty(len(intervals), object)
        for k in range(len(intervals)):
            forms[k] = Form({start + k: ONE}, ZERO, {start + k: ONE}, ZERO)
        return Tensor(forms.reshape(shape))

    def computed(self, tensor: Tensor) -> list[Interval]:
        """Return where the computed elements of a tensor lie: the form's interval, widened by E."""
        used = {k for form in tensor.forms.flat for k in form.sizes}
        magnitude = {k: max(abs(end) for end in self.intervals[k]) for k in used}
        largest = 1 + max(magnitude.values(), default=ZERO)
        if tensor.gain * largest > LARGEST_VALUE or tensor.roundings > LARGEST_COUNT:
            raise NothingShown
        found = []
        for form in tensor.forms.flat:
            size = form.size + sum((c * magnitude[k] for k, c in form.sizes.items()), ZERO)
            error = gamma(tensor.roundings) * size + ETA * tensor.gain * largest
            ends = [[c * end for end in self.intervals[k]] for k, c in form.terms.items()]
            lower = form.constant + sum((min(pair) for pair in ends), ZERO)
            upper = form.constant + sum((max(pair) for pair in ends), ZERO)
            found.append((lower - error, upper + error))
        return found


def combined(forms: Sequence[Form], weights: Sequence[Fraction], sizes: Sequence[Fraction]) -> Form:
    """Return the sum of weight times form; sizes: what each form's size counts with."""
    terms: dict[int, Fraction] = {}
    bounds: dict[int, Fraction] = {}
    for form, weight, size in zip(forms, weights, sizes, strict=True):
        for k, c in form.terms.items():
            terms[k] = terms.get(k, ZERO) + weight * c
        for k, c in form.sizes.items():
            bounds[k] = bounds.get(k, ZERO) + size * c
    constant = sum((w * f.constant for f, w in zip(forms, weights, strict=True)), ZERO)
    size = sum((s * f.size for f, s in zip(forms, sizes, strict=True)), ZERO)
    return Form(terms, constant, bounds, size)


class Bounds:
    """Reads a program's nodes in order; `intervals` holds those of each tensor's elements.

    stages: of the normal form, in order.
    """

    def __init__(self, program: Program, lower: Sequence[Fraction], upper: Sequence[Fraction]) -> None:
        self._program = program
        self._groups = Groups()
        self._values = {name: constant_tensor(value) for name, value in program.constants.items()}
        read = [(_nearest(low), _nearest(high)) for low, high in zip(lower, upper, strict=True)]
        self._values[program.input] = self._groups.append(read, program.input_shape)
        self.intervals: dict[str, list[Interval]] = {}
        for node in program.nodes:
            self._values[node.output] = self._step(node)
            if not self._values[node.output].constant:
                self.intervals[node.output] = self._groups.computed(self._values[node.output])
        self._cut(self._values[program.output], program.output)

    @property
    def stages(self) -> list[Stage]:
        return self._groups.stages

    def _step(self, node: Node) -> Tensor:
        rules: Mapping[str, Callable[[Node], Tensor]] = {
            "Add": lambda n: _sum(self._value(n, 0), self._value(n, 1), ONE),
            "Clip": self._clip,
            "Concat": self._concat,
            "Div": lambda n: _scaled(self._value(n, 0), _inverted(self._value(n, 1))),
            "Flatten": self._same_in_a_row,
            "Gemm": self._gemm,
            "Identity": lambda n: self._value(n, 0),
            "LeakyRelu": self._leaky_relu,
            "MatMul": lambda n: _contracted(self._fresh(n), self._value(n, 1)),
            "Mul": lambda n: _scaled(self._value(n, 0), self._value(n, 1)),
            "Relu": self._plain_relu,
            "Sub": lambda n: _sum(self._value(n, 0), self._value(n, 1), -ONE),
        }
        if node.op_type not in rules:
            raise Unsupported(f"{node.op_type} has no bounds here")
        return rules[node.op_type](node)

    def _value(self, node: Node, position: int) -> Tensor:
        return self._values[node.inputs[position]]

    def _same_in_a_row(self, node: Node) -> Tensor:
        value = self._value(node, 0)
        return replace(value, forms=value.forms.reshape(1, -1))

    def _concat(self, node: Node) -> Tensor:
        parts = [self._value(node, k) for k in range(len(node.inputs))]
        return Tensor(
            np.concatenate([part.forms for part in parts], node.attributes["axis"]),
            max(part.terms for part in parts),
            max(part.degree for part in parts),
            max(part.gain for part in parts),
            any(part.contracted for part in parts),
            all(part.constant for part in parts),
        )

    def _cut(self, value: Tensor, name: str) -> Tensor:
        if value.roundings == 0 and all(_is_element(form) for form in value.forms.flat):
            return value
        self._groups.stages.append(Stage(False, value.forms.size, name))
        return self._groups.append(self._groups.computed(value), value.forms.shape)

    def _fresh(self, node: Node) -> Tensor:
        value = self._value(node, 0)
        if value.contracted:
            value = self._values[node.inputs[0]] = self._cut(value, node.inputs[0])
        return value

    def _gemm(self, node: Node) -> Tensor:
        weights = self._value(node, 1)
        if node.attributes.get("transA", 0):
            raise Unsupported("Gemm with transA")
        if node.attributes.get("transB", 0):
            weights = replace(weights, forms=weights.forms.T)
        result = _contracted(self._fresh(node), weights)
        if node.attributes.get("alpha", 1.0) != 1.0:
            result = _scaled(result, constant_tensor(np.float32(node.attributes["alpha"])))
        if len(node.inputs) < 3:
            return result
        bias = self._value(node, 2)
        if node.attributes.get("beta", 1.0) != 1.0:
            bias = _scaled(bias, constant_tensor(np.float32(node.attributes["beta"])))
        return _sum(result, bias, ONE)

    def _relu(self, value: Tensor, stage: Stage) -> Tensor:
        self._groups.stages.append(stage)
        ends = [(max(low, ZERO), max(high, ZERO)) for low, high in self._groups.computed(value)]
        return self._groups.append(ends, value.forms.shape)

    def _plain_relu(self, node: Node) -> Tensor:
        z = self._value(node, 0)
        return self._relu(z, Stage(True, z.forms.size, node.inputs[0]))

    def _leaky_relu(self, node: Node) -> Tensor:
        z = self._cut(self._value(node, 0), node.inputs[0])
        self._values[node.inputs[0]] = z
        h = self._relu(z, Stage(True, z.forms.size, node.inputs[0]))
        slope = Fraction(float(np.float32(node.attributes.get("alpha", 0.01))))
        rows = zip(z.forms.flat, h.forms.flat, strict=True)
        weights = (slope, 1 - slope)
        forms = _array([combined(pair, weights, tuple(map(abs, weights))) for pair in rows], z.forms.shape)
        # One product is computed, whichever side the element is on.
        return Tensor(forms, 1, 2, 2 * whole(slope) + 2 * whole(1 - slope))

    def _clip(self, node: Node) -> Tensor:
        z, limits = self._value(node, 0), [*node.inputs[1:], "", ""][:2]
        name, size, low = node.inputs[0], z.forms.size, None
        if limits[0]:
            low = self._limit(limits[0])
            p = self._relu(_shifted(z, ONE, -low), Stage(True, size, name, ONE, -low))
            z = _shifted(p, ONE, low)
        if limits[1]:
            high = self._limit(limits[1])
            q = self._relu(_shifted(z, -ONE, high), Stage(True, size, name, -ONE, high, low))
            z = _shifted(q, -ONE, high)
        return z

    def _limit(self, name: str) -> Fraction:
        return Fraction(float(self._program.constants[name]))


def constant_tensor(values: Any) -> Tensor:
    """Return stored constants: N = D = 1, G from the largest."""
    array = np.asarray(values)
    numbers = [Fraction(float(v)) for v in array.flat]
    forms = _array([Form({}, v, {}, abs(v)) for v in numbers], array.shape)
    return Tensor(forms, gain=max(map(whole, numbers), default=1), constant=True)


def _is_element(form: Form) -> bool:
    """Say whether a form is a single group element, and its size form too."""
    return form.constant == form.size == 0 and list(form.terms.values()) == [ONE] and form.sizes == form.terms


def _array(forms: Sequence[Form], shape: tuple[int, ...]) -> Exact:
    array = np.empty(len(forms), object)
    array[:] = forms
    return array.reshape(shape)


def _nearest(value: Fraction) -> Fraction:
    """Return the float32 nearest to a rational whose double is no midpoint of two float32."""
    return Fraction(float(np.float32(float(value))))


def _joined(left: Tensor, right: Tensor, forms: Exact, terms: int, degree: int, gain: int) -> Tensor:
    contracted, constant = left.contracted or right.contracted, left.constant and right.constant
    return Tensor(forms, terms, degree, gain, contracted, constant)


def _sum(left: Tensor, right: Tensor, sign: Fraction) -> Tensor:
    wide = np.broadcast_arrays(left.forms, right.forms)
    pairs = zip(wide[0].flat, wide[1].flat, strict=True)
    forms = _array([combined(pair, (ONE, sign), (ONE, ONE)) for pair in pairs], wide[0].shape)
    degree = max(left.degree, right.degree)
    return _joined(left, right, forms, left.terms + right.terms, degree, left.gain + right.gain)


def _product(value: Tensor, factor: Tensor, forms: Exact, length: int) -> Tensor:
    """Return sums of so many products."""
    terms, degree = length * value.terms * factor.terms, value.degree + factor.degree
    return _joined(value, factor, forms, terms, degree, 2 * length * value.gain * factor.gain)


def _scaled(left: Tensor, right: Tensor) -> Tensor:
    value, factor = (left, right) if right.constant else (right, left)
    wide = np.broadcast_arrays(value.forms, factor.forms)
    pairs = zip(wide[0].flat, wide[1].flat, strict=True)
    forms = _array([combined([f], [c.constant], [c.size]) for f, c in pairs], wide[0].shape)
    return _product(value, factor, forms, 1)


def _inverted(divisor: Tensor) -> Tensor:
    """Return 1 / c, which rounds; a computed difference may have lost all its digits, even be zero."""
    if any(form.size != abs(form.constant) for form in divisor.forms.flat):
        raise NothingShown
    numbers = [1 / form.constant for form in divisor.forms.flat]
    forms = _array([Form({}, v, {}, abs(v)) for v in numbers], divisor.forms.shape)
    gain = max(map(whole, numbers)) * (1 if divisor.roundings == 0 else divisor.gain)
    return replace(divisor, forms=forms, degree=divisor.degree + 1, gain=gain)


def _contracted(value: Tensor, weights: Tensor) -> Tensor:
    n, m = weights.forms.shape
    row = list(value.forms.reshape(n))
    columns = [[form.constant for form in weights.forms[:, j]] for j in range(m)]
    sizes = [[form.size for form in weights.forms[:, j]] for j in range(m)]
    forms = [combined(row, column, size) for column, size in zip(columns, sizes, strict=True)]
    return replace(_product(value, weights, _array(forms, (1, m)), n), contracted=True)


def _shifted(value: Tensor, sign: Fraction, shift: Fraction) -> Tensor:
    """Return sign z + shift, which no runtime computes: it is how Clip is written with relu."""
    constant = Form({}, shift, {}, abs(shift))
    forms = [combined([form, constant], (sign, ONE), (ONE, ONE)) for form in value.forms.flat]
    return replace(value, forms=_array(forms, value.forms.shape), gain=value.gain + whole(shift))
