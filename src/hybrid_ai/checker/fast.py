"""The fast engine: double precision in batches, every result moved outward by a proved error bound.

The argument, with every constant, is section 8 of the certificate's format page; names below are its names.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import inf, nan
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hybrid_ai.checker import float32
from hybrid_ai.checker.decode import SLOPE_ONE, Slopes
from hybrid_ai.checker.grid import Box, Grid, ilog2, power_of_two
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.checker.rules import CloseWork, Form, TightenWork
from hybrid_ai.checker.stages import Block, Network, Stage

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

LARGEST = 2.0**100
SMALLEST = 2.0**-200
MAX_DIMENSION = 2**20
MAX_STAGES = 2**10
MAX_ENTRIES = 2**26
ABSOLUTE = 2.0**-700
PER_COEFFICIENT = 2.0**-600
INFLATE = 1.0 + 2.0**-20
OVERFLOW = 2.0**-20
INTERCEPT_INFLATE = 1.0 + 2.0**-48
CHUNK_ELEMENTS = 8_000
CLOSE_BATCH = 1024


@dataclass(frozen=True)
class _Stage:
    """A stage in doubles: one column block per source, bias; the sizes A by source and a; of float32
    executions gamma_K and 2^-120 G, zero in real arithmetic.
    """

    relu: bool
    sources: tuple[int, ...]
    weights: tuple[Array, ...]
    bias: Array
    neurons: slice
    sizes: tuple[tuple[int, Array], ...]
    bias_size: Array
    relative: float
    flushed: float

    @property
    def size(self) -> int:
        return len(self.bias)


@dataclass(frozen=True)
class _State:
    """Lower and upper bounds of all neurons of a node."""

    lower: Array
    upper: Array


@dataclass(frozen=True)
class _Lines:
    """Per node and neuron of a relu stage: slopes s and S, charges t and q of section 8."""

    slope: Array
    upper_slope: Array
    upper_charge: Array
    charge: Array


@dataclass(frozen=True)
class _Relaxed:
    """Per node and row of a stage: Q + E of section 8, and the lines of a relu stage."""

    error: Array
    lines: _Lines | None


@dataclass(frozen=True)
class _Doubles:
    """A form in doubles, scaled by a power of two to coefficients below 2."""

    inputs: Array
    outputs: Array
    neurons: dict[int, float]
    constant: float


class FastNetwork:
    """A network prepared for the fast engine, shared by all polytopes.

    Raises:
        Rejected: rule "rounding" when doubles are not rounded to nearest, "range" when a weight or bias is
            outside [2^-200, 2^100] or the network is too large for the error bound.
    """

    def __init__(self, network: Network, arithmetic: str = "real") -> None:
        require_rounding_to_nearest()
        self.output_group = network.output_group
        self.stages: list[_Stage] = []
        self.neurons: list[tuple[int, int]] = []
        widest = network.n_inputs
        for number, stage in enumerate(network.stages, start=1):
            first = len(self.neurons)
            if stage.relu:
                self.neurons += [(number, row) for row in range(len(stage.bias))]
            self.stages.append(_prepare(stage, slice(first, len(self.neurons)), arithmetic))
            columns = [
                sum(block.width for block in blocks or ()) for blocks in (stage.blocks, stage.size_blocks)
            ]
            widest = max(widest, len(stage.bias), *columns)
        if widest > MAX_DIMENSION or len(self.stages) > MAX_STAGES:
            raise Rejected("range", "model", "the network is too large for the fast engine's error bound")
        self.sizes = (network.n_inputs, *(stage.size for stage in self.stages))
        self.gamma = (widest + len(self.stages) + 16) * 2.0**-52


def require_rounding_to_nearest() -> None:
    """Raise Rejected (rule "rounding") unless array operations and products round to nearest."""
    half = 2.0**-53
    steps = np.array([half, 1.5 * half, -half / 2, -0.75 * half, 3 * half] * 8)
    expected = np.array([1.0, 1.0 + 2 * half, 1.0, 1.0 - half, 1.0 + 4 * half] * 8)
    product = np.stack([np.ones_like(steps), steps], axis=1) @ np.ones((2, 8))
    if not (
        np.array_equal(1.0 + steps, expected)
        and np.array_equal(product, np.repeat(expected[:, None], 8, 1))
        and np.array_equal(-1.0 - steps, -expected)
    ):
        raise Rejected("rounding", "this machine", "doubles are not rounded to nearest; use the exact engine")


def _double(value: Fraction, where: str) -> float:
    """The nearest double of a weight or bias in range."""
    # From the lengths alone the value lies within a factor of two of 2^length.
    length = value.numerator.bit_length() - value.denominator.bit_length()
    if value and not -199 <= length <= 99:
        raise Rejected("range", where, "a weight or bias is outside [2^-200, 2^100]; use the exact engine")
    return float(value)


def _prepare(stage: Stage, neurons: slice, arithmetic: str) -> _Stage:
    weights = _matrices(stage.blocks, len(stage.bias))
    bias = np.array([_double(value, "bias") for value in stage.bias])
    sizes = [(source, np.abs(matrix)) for source, matrix in weights]
    bias_size = np.abs(bias)
    if stage.size_blocks is not None:
        sizes = _matrices(stage.size_blocks, len(stage.bias))
    if stage.sizes is not None:
        bias_size = np.array([_double(value, "bias") for value in stage.sizes])
    relative = flushed = 0.0
    if arithmetic != "real":
        # INFLATE in the engine covers the rounding of these two.
        relative, flushed = float(float32.relative(stage.cost)), float(stage.cost.gain * float32.FLUSHED)
    return _Stage(
        stage.relu,
        tuple(source for source, _ in weights),
        tuple(matrix for _, matrix in weights),
        bias,
        neurons,
        tuple(sizes),
        bias_size,
        relative,
        flushed,
    )


def _matrices(blocks: tuple[Block, ...], rows: int) -> list[tuple[int, Array]]:
    """Source group and matrix of each block."""
    count = rows * sum(block.width for block in blocks)
    if count > MAX_ENTRIES:
        raise Rejected("range", "model", f"a stage has a matrix of {count} entries, above {MAX_ENTRIES}")
    found = []
    for block in blocks:
        matrix = np.zeros((rows, block.width))
        for row, entries in enumerate(block.rows):
            for column, value in entries:
                matrix[row, column] = _double(value, f"weight of group {block.source}")
        found.append((block.source, matrix))
    return found


def _outward(value: Fraction, upward: bool) -> float:
    """A double on the far side of an exact root bound, or that bound itself."""
    if abs(value) > LARGEST:
        raise Rejected("range", "property", "an input bound exceeds 2^100; use the exact engine")
    if value and abs(value) < SMALLEST:
        return (SMALLEST if upward else 0.0) if value > 0 else (0.0 if upward else -SMALLEST)
    near = float(value)
    if Fraction(near) < value and upward:
        return float(np.nextafter(near, inf))
    if Fraction(near) > value and not upward:
        return float(np.nextafter(near, -inf))
    return near


class FastEngine:
    """Bounds over one polytope, see `hybrid_ai.checker.rules.Engine`.

    Raises:
        Rejected: rule "range" when input bounds or their grid are outside what section 8 covers.

    Sound because: of lemmas 1 to 4 of section 8 of the format page
    (docs/theory/rounding-of-the-fast-engine.md).
    """

    def __init__(self, network: FastNetwork, grid: Grid) -> None:
        self.network, self.gamma = network, network.gamma
        self.lowest = np.array([_outward(value, False) for value in grid.lower])
        self.highest = np.array([_outward(value, True) for value in grid.upper])
        exponents = [0 if e is None else e for e in grid.exponents]
        if exponents and min(exponents) < -200:
            raise Rejected(
                "range", "property", "an input interval is narrower than 2^-160; use the exact engine"
            )
        self.pinned = np.array([e is None for e in grid.exponents], dtype=bool)
        self.steps = np.array([2.0**e for e in exponents])
        self.forms: WeakKeyDictionary[Form, _Doubles] = WeakKeyDictionary()

    def root(self) -> _State:
        """State without any bound."""
        count = len(self.network.neurons)
        return _State(np.full(count, -inf), np.full(count, inf))

    def restrict(self, state: _State, neuron: int, at: Fraction, upper: bool) -> _State:
        """State with one more bound; it is left out where it exceeds the range of section 8."""
        if abs(at) > LARGEST:
            return state
        bound = _outward(at, upper)
        bounds = (state.upper if upper else state.lower).copy()
        bounds[neuron] = min(bounds[neuron], bound) if upper else max(bounds[neuron], bound)
        return _State(state.lower, bounds) if upper else _State(bounds, state.upper)

    def _boxes(self, boxes: list[Box]) -> tuple[Array, Array]:
        """Ends of boxes in doubles, outward: (boxes, axes) each."""
        ends = np.array(boxes, dtype=np.float64).reshape(len(boxes), len(self.steps), 2)
        lower = np.where(self.pinned, self.lowest, np.maximum(self.lowest, ends[:, :, 0] * self.steps))
        upper = np.where(self.pinned, self.highest, np.minimum(self.highest, ends[:, :, 1] * self.steps))
        return lower, upper

    def tighten(self, works: list[tuple[_State, TightenWork]]) -> list[_State]:
        """States after TIGHTEN of a batch of nodes."""
        if not works:
            return []
        with np.errstate(all="ignore"):
            lower, upper = self._tighten(works)
        return [_State(low.copy(), high.copy()) for low, high in zip(lower, upper, strict=True)]

    def _tighten(self, works: list[tuple[_State, TightenWork]]) -> tuple[Array, Array]:
        network = self.network
        lower = np.stack([state.lower for state, _ in works])
        upper = np.stack([state.upper for state, _ in works])
        box = self._boxes([work.box for _, work in works])
        named = np.ones(lower.shape, dtype=bool)
        for node, (_, work) in enumerate(works):
            if work.step.neurons is not None:
                named[node] = False
                named[node, sorted(work.step.neurons)] = True
        slopes = [work.step.slopes for _, work in works]
        low, high, largest = [box[0]], [box[1]], _Magnitudes(np.maximum(np.abs(box[0]), np.abs(box[1])))
        relaxed: list[_Relaxed] = []
        for stage in network.stages:
            reach, deviation = _reach(stage, largest)
            error = reach * self.gamma
            below, above = _outward_interval(stage, low, high, error, deviation)
            if stage.relu:
                lower_part, upper_part = lower[:, stage.neurons], upper[:, stage.neurons]
                np.fmax(lower_part, _sane(below, -inf), out=lower_part)
                np.fmin(upper_part, _sane(above, inf), out=upper_part)
                rows = np.nonzero((lower_part < 0) & (upper_part > 0) & named[:, stage.neurons])
                charge = 2 * error + deviation
                self._backward_rows(stage, rows, relaxed, charge, box, lower_part, upper_part)
                relaxed.append(_relax(lower_part, upper_part, error + deviation, stage, slopes))
                below, above = np.maximum(lower_part, 0.0), np.maximum(upper_part, 0.0)
            else:
                relaxed.append(_Relaxed(error + deviation + PER_COEFFICIENT, None))
            low.append(below)
            high.append(above)
            largest.add(_in_range(above if stage.relu else np.maximum(np.abs(below), np.abs(above))))
        return lower, upper

    def _backward_rows(
        self,
        stage: _Stage,
        rows: tuple[Indices, ...],
        relaxed: list[_Relaxed],
        error: Array,
        box: tuple[Array, Array],
        lower: Array,
        upper: Array,
    ) -> None:
        """Intersect the bounds of (node, row) pairs of a stage with their backward bounds, in place; `error`
        is what each row's own substitution costs.
        """
        nodes, neurons = rows
        chunk = max(1, CHUNK_ELEMENTS // max(self.network.sizes))
        for start in range(0, len(nodes), chunk):
            node, row = nodes[start : start + chunk], neurons[start : start + chunk]
            both = np.concatenate([node, node])
            coefficients = {
                source: np.concatenate([weights[row], -weights[row]])
                for source, weights in zip(stage.sources, stage.weights, strict=True)
            }
            constant = np.concatenate([stage.bias[row], -stage.bias[row]])
            charge = np.concatenate([error[node, row]] * 2)
            bound = self._lower(coefficients, {}, constant, charge, relaxed, both, box)
            lower[node, row] = np.fmax(lower[node, row], bound[: len(node)])
            upper[node, row] = np.fmin(upper[node, row], -bound[len(node) :])

    def _lower(
        self,
        coefficients: dict[int, Array],
        pre: dict[int, Array],
        constant: Array,
        charge: Array,
        relaxed: list[_Relaxed],
        node: Indices,
        box: tuple[Array, Array],
    ) -> Array:
        """Lower bounds of forms, -inf where none was found: (forms,).

        Args:
            coefficients: per group (forms, elements); consumed.
            pre: per stage (forms, rows), coefficients on pre-activations.
            constant: (forms,).
            charge: (forms,), bound of the errors made so far.
            relaxed: relaxations of the nodes, of the stages that the forms depend on (a prefix).
            node: (forms,), the node of each form.
            box: ends of the nodes' boxes.

        Sound because: of lemma 3 of section 8; `size` is the sum of the absolute values of all parts added.
        """
        total, size = constant, np.abs(constant)
        for number in range(len(relaxed), 0, -1):
            own, extra = coefficients.pop(number, None), pre.get(number)
            stage, held = self.network.stages[number - 1], relaxed[number - 1]
            if own is None and extra is None:
                continue
            factors = np.zeros((len(node), stage.size)) if own is None else own
            if own is not None and held.lines is None:
                charge = charge + _row_sums(np.abs(own), held.error[node])
            elif own is not None and held.lines is not None:
                positive, negative, lines = np.maximum(own, 0.0), np.minimum(own, 0.0), held.lines
                down = _row_sums(negative, lines.upper_charge[node]) - _row_sums(positive, lines.charge[node])
                total, size = total + down, size - down
                positive *= lines.slope[node]
                negative *= lines.upper_slope[node]
                factors = np.add(positive, negative, out=positive)
            if extra is not None:
                factors = factors + extra
                charge = charge + _row_sums(np.abs(extra), held.error[node])
            part = factors @ stage.bias
            total, size = total + part, size + np.abs(part)
            for source, weights in zip(stage.sources, stage.weights, strict=True):
                added = factors @ weights
                coefficients[source] = coefficients[source] + added if source in coefficients else added
        inputs = coefficients.get(0)
        if inputs is not None:
            low, high = box[0][node], box[1][node]
            total = total + (
                _row_sums(np.maximum(inputs, 0.0), low) + _row_sums(np.minimum(inputs, 0.0), high)
            )
            size = size + _row_sums(np.abs(inputs), np.maximum(np.abs(low), np.abs(high)))
        return _sane(total - ((2 * self.gamma * size + charge) * INFLATE + ABSOLUTE), -inf)

    def hold(self, works: list[tuple[_State, CloseWork]]) -> list[bool]:
        """Whether each closing of a batch holds: its lower bound is positive, strict or not."""
        held = [False] * len(works)
        for through in (False, True):
            chosen = [
                i
                for i, (_, work) in enumerate(works)
                if bool(work.form.outputs or work.form.neurons) == through
            ]
            for start in range(0, len(chosen), CLOSE_BATCH):
                part = chosen[start : start + CLOSE_BATCH]
                with np.errstate(all="ignore"):
                    bounds = self._form_bounds([works[i] for i in part], through)
                for i, bound in zip(part, bounds, strict=True):
                    held[i] = bool(bound > 0)
        return held

    def _form_bounds(self, works: list[tuple[_State, CloseWork]], through: bool) -> Array:
        """Lower bounds of the forms of closings, scaled; `through` the network or over inputs alone."""
        network, output = self.network, self.network.output_group
        box = self._boxes([work.box for _, work in works])
        largest = _Magnitudes(np.maximum(np.abs(box[0]), np.abs(box[1])))
        relaxed: list[_Relaxed] = []
        if through:
            lower = np.stack([state.lower for state, _ in works])
            upper = np.stack([state.upper for state, _ in works])
            relaxed = self._relaxations(lower, upper, [work.slopes for _, work in works], box, largest)
        doubles = [self._doubles(work.form) for _, work in works]
        coefficients = {0: np.stack([form.inputs for form in doubles])}
        charge = self.gamma * _row_sums(np.abs(coefficients[0]), largest.groups[0])
        if through:
            outputs = np.stack([form.outputs for form in doubles])
            charge = charge + self.gamma * _row_sums(np.abs(outputs), largest.groups[output])
            coefficients[output] = coefficients[0] + outputs if output == 0 else outputs
        pre: dict[int, Array] = {}
        for index, form in enumerate(doubles):
            for neuron, value in form.neurons.items():
                number, row = network.neurons[neuron]
                if number not in pre:
                    pre[number] = np.zeros((len(works), network.sizes[number]))
                pre[number][index, row] = value
        constant = np.array([form.constant for form in doubles])
        return self._lower(coefficients, pre, constant, charge, relaxed, np.arange(len(works)), box)

    def _relaxations(
        self,
        lower: Array,
        upper: Array,
        slopes: list[Slopes],
        box: tuple[Array, Array],
        largest: "_Magnitudes",
    ) -> list[_Relaxed]:
        """Relaxations of all stages from bounds held; adds each group's largest absolute value."""
        relaxed = []
        low, high = [box[0]], [box[1]]
        for stage in self.network.stages:
            reach, deviation = _reach(stage, largest)
            error = reach * self.gamma
            if stage.relu:
                below, above = lower[:, stage.neurons], upper[:, stage.neurons]
                relaxed.append(_relax(below, above, error + deviation, stage, slopes))
                below, above = np.maximum(below, 0.0), np.maximum(above, 0.0)
            else:
                below, above = _outward_interval(stage, low, high, error, deviation)
                relaxed.append(_Relaxed(error + deviation + PER_COEFFICIENT, None))
            low.append(below)
            high.append(above)
            largest.add(_in_range(above if stage.relu else np.maximum(np.abs(below), np.abs(above))))
        return relaxed

    def _doubles(self, form: Form) -> _Doubles:
        """A form's coefficients in doubles, cached while the form lives."""
        if form not in self.forms:
            self.forms[form] = _to_doubles(
                form, self.network.sizes[0], self.network.sizes[self.network.output_group]
            )
        return self.forms[form]


def _to_doubles(form: Form, inputs: int, outputs: int) -> _Doubles:
    values = [*form.inputs.values(), *form.outputs.values(), *form.neurons.values()]
    scale = power_of_two(-ilog2(max(map(abs, values)))) if values else Fraction(1)
    dense = [np.zeros(inputs), np.zeros(outputs)]
    for target, source in zip(dense, (form.inputs, form.outputs), strict=True):
        for index, value in source.items():
            target[index] = float(value * scale)
    constant = form.constant * scale
    # A constant out of range makes every bound NaN, so that nothing is shown.
    return _Doubles(
        dense[0],
        dense[1],
        {i: float(v * scale) for i, v in form.neurons.items()},
        float(constant) if abs(constant) <= LARGEST else nan,
    )


def _row_sums(left: Array, right: Array) -> Array:
    sums: Array = np.einsum("ij,ij->i", left, right)
    return sums


def _sane(values: Array, fill: float) -> Array:
    """The values, with `fill` for NaN and infinities."""
    return np.where(np.isfinite(values), values, fill)


def _in_range(values: Array) -> Array:
    """The values, NaN where section 8 does not cover them (which makes all that depends on them fail)."""
    return np.where(values <= LARGEST, values, nan)


class _Magnitudes:
    """M of section 8 per group, and the largest of all of them per node."""

    def __init__(self, inputs: Array) -> None:
        self.groups = [inputs]
        self.peak: Array = inputs.max(axis=1, initial=0.0)

    def add(self, group: Array) -> None:
        """Add the next group: (nodes, elements)."""
        self.groups.append(group)
        self.peak = np.maximum(self.peak, group.max(axis=1, initial=0.0))


def _reach(stage: _Stage, largest: _Magnitudes) -> tuple[Array, Array]:
    """Upper bounds of R = A M + a + E and of E, what a float32 execution changes: (nodes, rows) each."""
    reach = stage.bias_size + np.zeros((len(largest.peak), 1))
    for source, sizes in stage.sizes:
        reach = reach + largest.groups[source] @ sizes.T
    reach = reach * INFLATE + ABSOLUTE
    if stage.flushed == 0.0:  # real arithmetic
        return _in_range(reach), np.zeros_like(reach)
    flushed = stage.flushed * (1 + largest.peak)
    deviation = (reach * stage.relative + np.where(flushed <= OVERFLOW, flushed, nan)[:, None]) * INFLATE
    return _in_range(reach + deviation), deviation


def _interval(stage: _Stage, low: list[Array], high: list[Array]) -> tuple[Array, Array]:
    """Interval bounds of pre-activations before their error is taken off: (nodes, rows) each."""
    below = above = stage.bias + np.zeros((len(low[0]), 1))
    for source, weights in zip(stage.sources, stage.weights, strict=True):
        positive, negative = np.maximum(weights, 0.0).T, np.minimum(weights, 0.0).T
        below = below + (low[source] @ positive + high[source] @ negative)
        above = above + (high[source] @ positive + low[source] @ negative)
    return below, above


def _outward_interval(
    stage: _Stage, low: list[Array], high: list[Array], error: Array, deviation: Array
) -> tuple[Array, Array]:
    """Interval bounds of pre-activations, lemma 1 of section 8: (nodes, rows) each."""
    below, above = _interval(stage, low, high)
    wide = 2 * error + deviation + ABSOLUTE
    return below - wide, above + wide


def _relax(lower: Array, upper: Array, error: Array, stage: _Stage, slopes: list[Slopes]) -> _Relaxed:
    """Lines of a relu stage from its bounds and Q + E.

    Sound because: T >= max(-S L, U - S U) for the computed S of [0, 1], by lemma 2 of section 8.
    """
    active, inactive = lower >= 0, (lower < 0) & (upper <= 0)
    slope = np.where(active | (~inactive & (64 * upper >= -63 * lower)), 1.0, 0.0)
    first, last = stage.neurons.start, stage.neurons.stop
    for node, listed in enumerate(slopes):
        for neuron, value in listed:
            if first <= neuron < last:
                slope[node, neuron - first] = value / SLOPE_ONE
    upper_slope = np.clip(upper / (upper - lower), 0.0, 1.0)
    intercept = (
        np.maximum(-upper_slope * lower, (upper - upper_slope * upper) + 2.0**-51 * upper) * INTERCEPT_INFLATE
    )
    for values, when_active in ((upper_slope, 1.0), (intercept, 0.0)):
        values[active] = when_active
        values[inactive] = 0.0
    upper_charge = intercept + (upper_slope * error) * INFLATE + PER_COEFFICIENT
    return _Relaxed(
        error + PER_COEFFICIENT,
        _Lines(slope, upper_slope, upper_charge, (slope * error) * INFLATE + PER_COEFFICIENT),
    )
