"""The exact engine: integers and rationals only, standard library only.

Neuron bounds are integers on a grid 2^-G rounded outward, coefficients of backward passes integers on 2^-50
of the largest coefficient of their form. G is 52, and larger for networks with tiny values, so that the
typical magnitude of every stage keeps 52 bits. A closing that fails with these roundings is tried once
more without any.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, floor, inf

from hybrid_ai.checker.decode import SLOPE_ONE, Slopes
from hybrid_ai.checker.exact_lines import (
    Bound,
    Relaxed,
    add,
    change_of,
    interval,
    lower_slope,
    relax,
    substitute,
)
from hybrid_ai.checker.exact_network import ExactNetwork
from hybrid_ai.checker.grid import Box, Grid, ilog2, power_of_two
from hybrid_ai.checker.rules import CloseWork, TightenWork

COEFFICIENT_BITS = 50


@dataclass(frozen=True)
class _State:
    """Bounds on 2^-G of the pre-activations of each stage (index 0, the input, is empty), and what float32
    executions change in them, on 2^-G: empty in real arithmetic, None where nothing is known.
    """

    lower: tuple[list[Bound], ...]
    upper: tuple[list[Bound], ...]
    changes: list[list[int] | None]
    relaxed: dict[int, Relaxed] = field(default_factory=dict)


class ExactEngine:
    """Bounds over one polytope, see `hybrid_ai.checker.rules.Engine`.

    Sound because: every integer bound is rounded outward, coefficients are floored only with an error term
    where what they multiply may be negative, and the unrounded pass is rational arithmetic
    (docs/theory/rounding-of-the-exact-engine.md).
    """

    def __init__(self, network: ExactNetwork, grid: Grid) -> None:
        self.network, self.grid = network, grid
        self.bits = network.bound_bits(max(map(abs, (*grid.lower, *grid.upper)), default=Fraction(0)))

    def root(self) -> _State:
        """State without any bound."""
        stages = self.network.stages
        sizes = [0, *(stage.size for stage in stages)]
        changes: list[list[int] | None] = [None if stage.float32 else [] for stage in stages]
        return _State(tuple([-inf] * n for n in sizes), tuple([inf] * n for n in sizes), [[], *changes])

    def restrict(self, state: _State, neuron: int, at: Fraction, upper: bool) -> _State:
        """State with one more bound, rounded outward to the grid."""
        stage, row = self.network.neurons[neuron]
        bounds = list(state.upper if upper else state.lower)
        bounds[stage] = list(bounds[stage])
        if upper:
            bounds[stage][row] = min(bounds[stage][row], ceil(at * (1 << self.bits)))
            return replace(state, upper=tuple(bounds), relaxed={})
        bounds[stage][row] = max(bounds[stage][row], floor(at * (1 << self.bits)))
        return replace(state, lower=tuple(bounds), relaxed={})

    def tighten(self, works: list[tuple[_State, TightenWork]]) -> list[_State]:
        """States after TIGHTEN."""
        return [self._tighten(state, work) for state, work in works]

    def hold(self, works: list[tuple[_State, CloseWork]]) -> list[bool]:
        """Whether each closing holds, rounded and then, if need be, exactly."""
        return [self._holds(state, work) for state, work in works]

    def _box(self, box: Box) -> tuple[list[int], list[int]]:
        """Ends of a box on 2^-G, rounded outward."""
        scale = 1 << self.bits
        ends = self.grid.bounds(box)
        return [floor(low * scale) for low, _ in ends], [ceil(high * scale) for _, high in ends]

    def _tighten(self, state: _State, work: TightenWork) -> _State:
        box = self._box(work.box)
        named, slopes = work.step.neurons, dict(work.step.slopes)
        post_lower, post_upper = [box[0]], [box[1]]
        new = _State(
            (list(state.lower[0]), *([] for _ in self.network.stages)),
            (list(state.upper[0]), *([] for _ in self.network.stages)),
            [[]],
        )
        relaxed: dict[int, Relaxed] = {}
        for number, stage in enumerate(self.network.stages, start=1):
            lower, upper = new.lower[number], new.upper[number]
            change = change_of(stage, post_lower, post_upper, self.bits)
            new.changes.append(change)
            low, high = interval(stage, post_lower, post_upper, self.bits)
            if change:
                low = [a - e for a, e in zip(low, change, strict=True)]
                high = [a + e for a, e in zip(high, change, strict=True)]
            if not stage.relu:
                lower += low
                upper += high
                post_lower.append(low)
                post_upper.append(high)
                continue
            lower += map(max, low, state.lower[number])
            upper += map(min, high, state.upper[number])
            for row in range(stage.size):
                if lower[row] < 0 < upper[row] and (named is None or stage.first_neuron + row in named):
                    one = 1 << COEFFICIENT_BITS
                    below = self._lower({}, {number: {row: one}}, 0, new, relaxed, box)
                    above = self._lower({}, {number: {row: -one}}, 0, new, relaxed, box)
                    if below is not None:
                        lower[row] = max(lower[row], below >> COEFFICIENT_BITS)
                    if above is not None:
                        upper[row] = min(upper[row], -(above >> COEFFICIENT_BITS))
            relaxed[number] = relax(lower, upper, stage, slopes)
            post_lower.append([max(int(value), 0) for value in lower])
            post_upper.append([max(int(value), 0) for value in upper])
        if not slopes:
            new.relaxed.update(relaxed)
        return new

    def _relaxations(self, state: _State, slopes: Slopes) -> dict[int, Relaxed]:
        if state.relaxed and not slopes:
            return state.relaxed
        listed = dict(slopes)
        relaxed = {
            number: relax(state.lower[number], state.upper[number], stage, listed)
            for number, stage in enumerate(self.network.stages, start=1)
            if stage.relu
        }
        if not slopes:
            state.relaxed.update(relaxed)
        return relaxed

    def _lower(
        self,
        coefficients: dict[int, list[int]],
        pre: dict[int, dict[int, int]],
        constant: int,
        state: _State,
        relaxed: dict[int, Relaxed],
        box: tuple[list[int], list[int]],
    ) -> int | None:
        """Lower bound of a form on 2^-(50 + G), or None where a neuron lacks the bound that is needed.

        Args:
            coefficients: per group, coefficients on its elements, in units of 2^-50; consumed.
            pre: per stage, coefficients on pre-activations, same unit.
            constant: in units of 2^-(50 + G).
            state: lower bounds of the linear stages.
            relaxed: relaxation of every relu stage the form depends on.
            box: ends on 2^-G.

        Sound because: a floored coefficient c' of c has 0 <= c - c' < slack units; c h >= c' h where h >= 0,
        and c h >= c' h - slack max(0, -lower) elsewhere (docs/theory/rounding-of-the-exact-engine.md).
        """
        for number in range(len(self.network.stages), 0, -1):
            own = coefficients.pop(number, None)
            extra = pre.get(number)
            if own is None and extra is None:
                continue
            stage = self.network.stages[number - 1]
            indices, factors = list(range(stage.size)), own or []
            if own is None:
                indices = []
            elif stage.relu:
                substituted = substitute(own, relaxed[number])
                if substituted is None:
                    return None
                indices, factors, change = substituted
                constant += change
            if extra is not None:
                indices, factors = add(indices, factors, extra)
            errors = state.changes[number]
            if errors is None:
                return None
            if errors:
                constant -= sum(abs(b) * errors[row] for row, b in zip(indices, factors, strict=True))
            values, slack = stage.rows.combine(indices, factors)
            constant += values[-1] << self.bits
            for group, start, stop in stage.sources:
                part = values[start:stop]
                missing = self._missing(group, state, box)
                if missing is None:
                    return None
                constant -= slack * missing
                held = coefficients.get(group)
                coefficients[group] = (
                    part if held is None else [a + b for a, b in zip(held, part, strict=True)]
                )
        inputs = coefficients.get(0, [0] * len(box[0]))
        for a, low, high in zip(inputs, *box, strict=True):
            constant += a * (low if a >= 0 else high)
        return constant

    def _missing(self, group: int, state: _State, box: tuple[list[int], list[int]]) -> int | None:
        """Sum of max(0, -lower bound) over a group, on 2^-G; None when unbounded."""
        if group == 0:
            return -sum(low for low in box[0] if low < 0)
        if self.network.stages[group - 1].relu:
            return 0
        below = [low for low in state.lower[group] if low < 0]
        return None if -inf in below else -sum(map(int, below))

    def _holds(self, state: _State, work: CloseWork) -> bool:
        form = work.form
        largest = max(
            map(abs, [*form.inputs.values(), *form.outputs.values(), *form.neurons.values()]), default=None
        )
        if largest is None:
            return form.constant > 0 or (form.strict and form.constant >= 0)
        bound = self._rounded(state, work, COEFFICIENT_BITS - ilog2(largest))
        if bound is not None and (bound > 0 or (form.strict and bound >= 0)):
            return True
        exact = self._unrounded(state, work)
        return exact is not None and (exact > 0 or (form.strict and exact >= 0))

    def _rounded(self, state: _State, work: CloseWork, bits: int) -> int | None:
        """Lower bound of a closing's form on integers, scaled by a power of two."""
        form, scale, box = work.form, power_of_two(bits), self._box(work.box)
        constant = floor(form.constant * scale * (1 << self.bits))
        coefficients: dict[int, list[int]] = {}
        for group, values in ((0, form.inputs), (self.network.output_group, form.outputs)):
            if not values:
                continue
            missing = self._missing(group, state, box)
            if missing is None:
                return None
            size = len(box[0]) if group == 0 else self.network.stages[group - 1].size
            target = coefficients.setdefault(group, [0] * size)
            for index, value in values.items():
                target[index] += floor(value * scale)
            constant -= missing if any((value * scale).denominator != 1 for value in values.values()) else 0
        pre: dict[int, dict[int, int]] = {}
        for neuron, value in form.neurons.items():
            number, row = self.network.neurons[neuron]
            pre.setdefault(number, {})[row] = floor(value * scale)
            low = state.lower[number][row]
            if (value * scale).denominator != 1 and low < 0:
                if low == -inf:
                    return None
                constant += int(low)
        return self._lower(coefficients, pre, constant, state, self._relaxations(state, work.slopes), box)

    def _unrounded(self, state: _State, work: CloseWork) -> Fraction | None:
        """Lower bound of a closing's form in rational arithmetic, None where a neuron lacks a bound.

        Nothing is rounded here: what a certificate can show over the reals is shown
        (docs/theory/completeness.md).
        """
        form, listed, unit = work.form, dict(work.slopes), Fraction(1, 1 << self.bits)
        coefficients = {0: dict(form.inputs)}
        _accumulate(coefficients.setdefault(self.network.output_group, {}), form.outputs.items(), Fraction(1))
        constant = form.constant
        for number in range(len(self.network.stages), 0, -1):
            stage, factors = self.network.stages[number - 1], coefficients.pop(number, {})
            if stage.relu:
                own, factors = factors, {}
                for row, a in own.items():
                    bounds = state.lower[number][row], state.upper[number][row]
                    slope = lower_slope(*bounds, listed.get(stage.first_neuron + row))
                    if a > 0:
                        factors[row] = a * Fraction(slope, SLOPE_ONE)
                    elif bounds[0] >= 0:
                        factors[row] = a
                    elif bounds[1] > 0 and a < 0:
                        if -inf in bounds or inf in bounds:
                            return None
                        low, high = int(bounds[0]), int(bounds[1])
                        factors[row] = a * Fraction(high, high - low)
                        constant -= factors[row] * low * unit
                for neuron, value in form.neurons.items():
                    if self.network.neurons[neuron][0] == number:
                        _accumulate(factors, [(self.network.neurons[neuron][1], value)], Fraction(1))
            change = state.changes[number]
            if change is None and factors:
                return None
            for row, b in factors.items():
                entries = stage.matrix[row]
                constant += b * entries[-1] - (abs(b) * change[row] * unit if change else 0)
                for group, start, stop in stage.sources:
                    nonzero = ((k, w) for k, w in enumerate(entries[start:stop]) if w)
                    _accumulate(coefficients.setdefault(group, {}), nonzero, b)
        ends = self.grid.bounds(work.box)
        return constant + sum(a * ends[k][0 if a >= 0 else 1] for k, a in coefficients[0].items())


def _accumulate(target: dict[int, Fraction], items: Iterable[tuple[int, Fraction]], factor: Fraction) -> None:
    for index, value in items:
        target[index] = target.get(index, Fraction(0)) + factor * value
