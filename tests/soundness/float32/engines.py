"""The engines that bound float32 executions, under one roof: what each of them says of a network on a box."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hybrid_ai.bounds import FlatNetwork, flatten
from hybrid_ai.checker import rules
from hybrid_ai.checker.decode import TIGHTEN_ALL
from hybrid_ai.checker.exact import ExactEngine
from hybrid_ai.checker.exact_network import ExactNetwork
from hybrid_ai.checker.fast import FastEngine
from hybrid_ai.checker.fast_network import FastNetwork
from hybrid_ai.checker.float32 import polytope_read
from hybrid_ai.checker.grid import Grid, make_grid
from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.property_form import Polytope
from hybrid_ai.checker.rules import CloseWork, Form, TightenWork
from hybrid_ai.checker.stages import Network
from hybrid_ai.network import load_model
from hybrid_ai.search.problem import round_down, round_up
from hybrid_ai.spec import InputPolytope, float32_polytope
from tests.soundness.backends import BACKENDS, Backend, unbounded

Place = tuple[int, int]  # stage (from 1) and row
Interval = tuple[Fraction, Fraction]
Values = tuple[Fraction, ...]


@dataclass(frozen=True)
class Row:
    """inputs . h0 + outputs . y."""

    inputs: Values
    outputs: Values

    def value(self, inputs: Sequence[Fraction], outputs: Sequence[Fraction]) -> Fraction:
        read = sum((c * v for c, v in zip(self.inputs, inputs, strict=True)), Fraction(0))
        return read + sum((c * v for c, v in zip(self.outputs, outputs, strict=True)), Fraction(0))


@dataclass(frozen=True)
class Split:
    """One more bound of the pre-activation of a row of a relu stage."""

    place: Place
    at: Fraction
    upper: bool


@dataclass(frozen=True)
class Query:
    """A model file on a box of exact points, in an arithmetic, with or without a split."""

    data: bytes
    lower: Values
    upper: Values
    arithmetic: str = "float32"
    split: Split | None = None


@dataclass(frozen=True)
class Found:
    """Bounds of pre-activations by stage and row; above(row, at): whether the row is shown to exceed `at`."""

    intervals: Mapping[Place, Interval]
    above: Callable[[Row, Fraction], bool]


Engine = Callable[[Query], Found]
Intervals = Callable[[Any], dict[Place, Interval]]  # of an engine's state


def _searching(backend: Backend) -> Engine:
    def ask(query: Query) -> Found:
        arithmetic = query.arithmetic
        assert arithmetic in ("real", "float32", "both")
        flat = flatten(load_model(query.data).staged, arithmetic)  # type: ignore[arg-type]
        lower, upper = _box(query)
        held = unbounded(flat.net)
        if query.split is not None:
            stage, row = query.split.place
            held[int(query.split.upper), int(flat.offset[stage]) + row] = float(query.split.at)
        bounds = backend.bound(flat.net, lower, upper, held)
        assert bounds is not None, "out of range"
        intervals = {
            (stage, row): (Fraction(bounds.lower[place]), Fraction(bounds.upper[place]))
            for stage in range(1, len(flat.size))
            for row, place in enumerate(range(flat.offset[stage], flat.offset[stage] + flat.size[stage]))
        }

        def above(row: Row, at: Fraction) -> bool:
            rows = backend.rows(flat.net, lower, upper, held, _table(flat, row), np.zeros(1))
            return Fraction(float(rows.value[0])) - Fraction(float(rows.lost[0])) > at

        return Found(intervals, above)

    return ask


def _box(query: Query) -> tuple[np.ndarray, np.ndarray]:
    polytope = InputPolytope(query.lower, query.upper, (), ())
    if query.arithmetic != "real":
        polytope = float32_polytope(polytope, with_reals=query.arithmetic == "both")
    return np.array([round_down(v) for v in polytope.lower]), np.array([round_up(v) for v in polytope.upper])


def _table(flat: FlatNetwork, row: Row) -> np.ndarray:
    table = np.zeros((1, flat.total))
    table[0, : len(row.inputs)] = [float(c) for c in row.inputs]
    first = int(flat.offset[flat.output_group])
    table[0, first : first + len(row.outputs)] += [float(c) for c in row.outputs]
    return table


def _checking(prepare: Callable[[Network, str, Grid], tuple[rules.Engine, Intervals]]) -> Engine:
    def ask(query: Query) -> Found:
        read = polytope_read(Polytope(query.lower, query.upper, (), (), False), query.arithmetic)
        grid = make_grid(read.lower, read.upper)
        network = read_model(query.data)
        engine, intervals = prepare(network, query.arithmetic, grid)
        state = engine.root()
        if query.split is not None:
            places = [(k, i) for k, s in enumerate(network.stages, 1) if s.relu for i in range(len(s.bias))]
            state = engine.restrict(state, places.index(query.split.place), query.split.at, query.split.upper)
        (state,) = engine.tighten([(state, TightenWork(grid.root(), TIGHTEN_ALL))])

        def above(row: Row, at: Fraction) -> bool:
            form = Form(dict(enumerate(row.inputs)), dict(enumerate(row.outputs)), {}, -at, False)
            (held,) = engine.hold([(state, CloseWork(grid.root(), form, (), 0))])
            return held

        return Found(intervals(state), above)

    return ask


def _fast(network: Network, arithmetic: str, grid: Grid) -> tuple[rules.Engine, Intervals]:
    prepared = FastNetwork(network, arithmetic)

    def intervals(state: Any) -> dict[Place, Interval]:
        ends = zip(prepared.neurons, state.lower.tolist(), state.upper.tolist(), strict=True)
        return {place: (Fraction(low), Fraction(high)) for place, low, high in ends}

    return FastEngine(prepared, grid), intervals


def _exact(network: Network, arithmetic: str, grid: Grid) -> tuple[rules.Engine, Intervals]:
    prepared = ExactNetwork(network, arithmetic)
    engine = ExactEngine(prepared, grid)

    def intervals(state: Any) -> dict[Place, Interval]:
        return {
            (stage, row): (Fraction(low, 1 << engine.bits), Fraction(high, 1 << engine.bits))
            for stage in range(1, len(state.lower))
            for row, (low, high) in enumerate(zip(state.lower[stage], state.upper[stage], strict=True))
        }

    return engine, intervals


ENGINES: Mapping[str, Engine] = {
    "reference backend": _searching(BACKENDS["reference"]),
    "compiled backend": _searching(BACKENDS["numba_cpu"]),
    "fast checker": _checking(_fast),
    "exact checker": _checking(_exact),
}
