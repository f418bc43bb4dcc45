"""The fast engine: double precision in batches, every result moved outward by a proved error bound.

The argument, with every constant, is section 8 of the certificate's format page; names below are its names.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import inf, nan
from weakref import WeakKeyDictionary

import numpy as np

from hybrid_ai.checker.fast_lines import (
    ABSOLUTE,
    INFLATE,
    PER_COEFFICIENT,
    Indices,
    Magnitudes,
    Relaxed,
    Substitute,
    in_range,
    listed,
    outward_interval,
    reach_of,
    relax,
    row_sums,
    sane,
    substitute,
)
from hybrid_ai.checker.fast_network import LARGEST, Array, FastNetwork, FastStage, outward
from hybrid_ai.checker.grid import Box, Grid, ilog2, power_of_two
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.checker.rules import CloseWork, Form, TightenWork

CHUNK_ELEMENTS = 8_000
CLOSE_BATCH = 1024


@dataclass(frozen=True)
class _State:
    """Lower and upper bounds of all neurons of a node."""

    lower: Array
    upper: Array


@dataclass(frozen=True)
class _Doubles:
    """A form in doubles, scaled by a power of two to coefficients below 2."""

    inputs: Array
    outputs: Array
    neurons: dict[int, float]
    constant: float


class FastEngine:
    """Bounds over one polytope, see `hybrid_ai.checker.rules.Engine`.

    Args:
        network: prepared for this engine.
        grid: of the polytope.
        compiled: `fast_compiled.substitute`, None for `fast_lines.substitute`.

    Raises:
        Rejected: rule "range" when input bounds or their grid are outside what section 8 covers.

    Sound because: of lemmas 1 to 4 of section 8 of the format page
    (docs/theory/rounding-of-the-fast-engine.md).
    """

    def __init__(self, network: FastNetwork, grid: Grid, compiled: Substitute | None = None) -> None:
        self.network, self.gamma, self.substitute = network, network.gamma, compiled or substitute
        self.lowest = np.array([outward(value, False) for value in grid.lower])
        self.highest = np.array([outward(value, True) for value in grid.upper])
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
        bound = outward(at, upper)
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
        slopes = listed([work.step.slopes for _, work in works])
        low, high, largest = [box[0]], [box[1]], Magnitudes(np.maximum(np.abs(box[0]), np.abs(box[1])))
        relaxed: list[Relaxed] = []
        for stage in network.stages:
            reach, deviation = reach_of(stage, largest)
            error = reach * self.gamma
            below, above = outward_interval(stage, low, high, error, deviation)
            if stage.relu:
                lower_part, upper_part = lower[:, stage.neurons], upper[:, stage.neurons]
                np.fmax(lower_part, sane(below, -inf), out=lower_part)
                np.fmin(upper_part, sane(above, inf), out=upper_part)
                rows = np.nonzero((lower_part < 0) & (upper_part > 0) & named[:, stage.neurons])
                charge = 2 * error + deviation
                self._backward_rows(stage, rows, relaxed, charge, box, lower_part, upper_part)
                relaxed.append(relax(lower_part, upper_part, error + deviation, stage, slopes))
                below, above = np.maximum(lower_part, 0.0), np.maximum(upper_part, 0.0)
            else:
                relaxed.append(Relaxed(error + deviation + PER_COEFFICIENT, None))
            low.append(below)
            high.append(above)
            largest.add(in_range(above if stage.relu else np.maximum(np.abs(below), np.abs(above))))
        return lower, upper

    def _backward_rows(
        self,
        stage: FastStage,
        rows: tuple[Indices, ...],
        relaxed: list[Relaxed],
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
        relaxed: list[Relaxed],
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
                charge = charge + row_sums(np.abs(own), held.error[node])
            elif own is not None and held.lines is not None:
                factors, down = self.substitute(own, held.lines, node)
                total, size = total + down, size - down
            if extra is not None:
                factors = factors + extra
                charge = charge + row_sums(np.abs(extra), held.error[node])
            part = factors @ stage.bias
            total, size = total + part, size + np.abs(part)
            for source, weights in zip(stage.sources, stage.weights, strict=True):
                added = factors @ weights
                coefficients[source] = coefficients[source] + added if source in coefficients else added
        inputs = coefficients.get(0)
        if inputs is not None:
            low, high = box[0][node], box[1][node]
            total = total + (row_sums(np.maximum(inputs, 0.0), low) + row_sums(np.minimum(inputs, 0.0), high))
            size = size + row_sums(np.abs(inputs), np.maximum(np.abs(low), np.abs(high)))
        return sane(total - ((2 * self.gamma * size + charge) * INFLATE + ABSOLUTE), -inf)

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
        largest = Magnitudes(np.maximum(np.abs(box[0]), np.abs(box[1])))
        relaxed: list[Relaxed] = []
        if through:
            lower = np.stack([state.lower for state, _ in works])
            upper = np.stack([state.upper for state, _ in works])
            relaxed = self._relaxations(lower, upper, listed([w.slopes for _, w in works]), box, largest)
        doubles = [self._doubles(work.form) for _, work in works]
        coefficients = {0: np.stack([form.inputs for form in doubles])}
        charge = self.gamma * row_sums(np.abs(coefficients[0]), largest.groups[0])
        if through:
            outputs = np.stack([form.outputs for form in doubles])
            charge = charge + self.gamma * row_sums(np.abs(outputs), largest.groups[output])
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
        slopes: Indices,
        box: tuple[Array, Array],
        largest: "Magnitudes",
    ) -> list[Relaxed]:
        """Relaxations of all stages from bounds held; adds each group's largest absolute value."""
        relaxed = []
        low, high = [box[0]], [box[1]]
        for stage in self.network.stages:
            reach, deviation = reach_of(stage, largest)
            error = reach * self.gamma
            if stage.relu:
                below, above = lower[:, stage.neurons], upper[:, stage.neurons]
                relaxed.append(relax(below, above, error + deviation, stage, slopes))
                below, above = np.maximum(below, 0.0), np.maximum(above, 0.0)
            else:
                below, above = outward_interval(stage, low, high, error, deviation)
                relaxed.append(Relaxed(error + deviation + PER_COEFFICIENT, None))
            low.append(below)
            high.append(above)
            largest.add(in_range(above if stage.relu else np.maximum(np.abs(below), np.abs(above))))
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
