"""What the engines claim of float32 executions holds for every execution here, as rationals, no tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from hybrid_ai.network import load_model
from tests.soundness.float32.adversary import extreme
from tests.soundness.float32.engines import ENGINES, Engine, Found, Place, Query, Row, Split
from tests.soundness.float32.evaluations import Point, evaluations, points, read
from tests.soundness.float32.evaluator import Tensors
from tests.soundness.float32.lab import LAB
from tests.soundness.float32.networks import KINDS, Network, draw
from tests.soundness.float32.program import Program, load_program
from tests.soundness.float32.reference import Bounds, Stage
from tests.soundness.float32.sums import Execution
from tests.soundness.random_networks import pre_activations

NETWORKS, LAB_NETWORKS = 1, 12  # of each kind
POINTS, LAB_POINTS = 2, 4
ROWS = 3


@dataclass(frozen=True)
class Execution32:
    """One execution: what was read, the pre-activations of the stages that are computed, and the outputs."""

    how: object
    inputs: tuple[Fraction, ...]
    computed: dict[Place, Fraction]
    outputs: tuple[Fraction, ...]


@dataclass(frozen=True)
class Drawn:
    """A network with executions at points of its box."""

    network: Network
    stages: Sequence[Stage]
    at: dict[Point, list[Execution32]]

    @property
    def executions(self) -> list[Execution32]:
        return [found for there in self.at.values() for found in there]


def _exactly(values: np.ndarray) -> tuple[Fraction, ...]:
    return tuple(Fraction(float(v)) for v in values.ravel())


def _execution(
    how: object, program: Program, stages: Sequence[Stage], x: np.ndarray, t: Tensors
) -> Execution32:
    computed = {
        (number, row): stage.pre_activation(value)
        for number, stage in enumerate(stages, start=1)
        if stage.tensor in t
        for row, value in enumerate(_exactly(t[stage.tensor]))
    }
    return Execution32(how, _exactly(x), computed, _exactly(t[program.output]) if program.output in t else ())


@cache
def _drawn(kind: str, seed: int, count: int) -> Drawn:
    """Draw a network with executions at so many points; held, as all engines are asked about the same."""
    rng = np.random.default_rng([seed, sorted(KINDS).index(kind)])
    network = draw(rng, kind)
    program = load_program(network.data)
    stages = Bounds(program, network.lower, network.upper).stages
    at = {}
    for point in points(rng, network, count):
        x = read(point)
        found = [(how, tensors) for how, tensors in evaluations(network, program, x)]
        n_outputs = found[0][1][program.output].size
        for sign in (1.0, -1.0):
            row = sign * np.eye(n_outputs)[int(rng.integers(n_outputs))]
            pushed = extreme(program, x, row, Execution(fused=bool(rng.random() < 0.5)), rng)
            found.append((pushed.execution, pushed.tensors))
        at[point] = [_execution(how, program, stages, x, tensors) for how, tensors in found]
    return Drawn(network, stages, at)


def _extremes(executions: Sequence[Execution32]) -> dict[Place, tuple[Fraction, Fraction]]:
    places = {place for found in executions for place in found.computed}
    values = {place: [e.computed[place] for e in executions if place in e.computed] for place in places}
    return {place: (min(found), max(found)) for place, found in values.items()}


def _escaped(found: Found, executions: Sequence[Execution32]) -> list[str]:
    """Which pre-activations left their bounds, in some execution."""
    wrong = []
    for place, (least, most) in _extremes(executions).items():
        if place not in found.intervals:  # of a linear stage, of which the fast checker keeps no bounds
            continue
        low, high = found.intervals[place]
        if not low <= least <= most <= high:
            wrong.append(
                f"{place}: [{float(least)!r}, {float(most)!r}] not in [{float(low)!r}, {float(high)!r}]"
            )
    return wrong


def _rows(rng: np.random.Generator, drawn: Drawn) -> list[Row]:
    """Eighths over outputs and inputs, each output alone among them."""
    n, m = len(drawn.network.lower), len(drawn.executions[0].outputs)

    def eighths(count: int) -> tuple[Fraction, ...]:
        return tuple(Fraction(int(v), 8) for v in rng.integers(-10, 11, count))

    alone = tuple(Fraction(int(k == 0)) for k in range(m))
    rows = [Row((Fraction(0),) * n, alone), Row((Fraction(0),) * n, tuple(-v for v in alone))]
    return rows + [Row(eighths(n), eighths(m)) for _ in range(ROWS)]


def _refuted_claims(found: Found, executions: Sequence[Execution32], rows: Sequence[Row]) -> list[str]:
    """Which rows are shown to exceed what they are in some execution."""
    wrong = []
    for row in rows:
        values = [(row.value(e.inputs, e.outputs), e.how) for e in executions if e.outputs]
        least, how = min(values, key=lambda pair: pair[0])
        if found.above(row, least):
            wrong.append(f"{row} is shown to exceed {float(least)!r}, but is that: {how}")
    return wrong


def _wrong(found: Found, executions: Sequence[Execution32], rows: Sequence[Row]) -> list[str]:
    return _escaped(found, executions) + _refuted_claims(found, executions, rows)


def _queries(drawn: Drawn) -> list[tuple[Query, list[Execution32]]]:
    """The whole box, and each point alone."""
    network = drawn.network
    whole = Query(network.data, network.lower, network.upper)
    return [(whole, drawn.executions), *((replace(whole, lower=p, upper=p), e) for p, e in drawn.at.items())]


def _check(kind: str, engine: Engine, networks: int, count: int, seed: int) -> None:
    for number in range(networks):
        drawn = _drawn(kind, seed + number, count)
        rows = _rows(np.random.default_rng(number), drawn)
        for query, executions in _queries(drawn):
            assert _wrong(engine(query), executions, rows) == []


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_execution_is_within_the_bounds(kind: str, name: str) -> None:
    _check(kind, ENGINES[name], NETWORKS, POINTS, seed=60)


@LAB
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_execution_of_many_networks_is_within_the_bounds(kind: str, name: str) -> None:
    _check(kind, ENGINES[name], LAB_NETWORKS, LAB_POINTS, seed=1000)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_stages_are_those_of_the_engines(kind: str) -> None:
    """Pre-activations are found by the stages of this folder, which must be the engines' stages."""
    drawn = _drawn(kind, 60, 1)
    staged = load_model(drawn.network.data).staged
    assert [(s.relu, s.size) for s in drawn.stages] == [(s.kind == "relu", s.size) for s in staged.stages]
    (point,) = drawn.at
    exact = dict(zip(_places(drawn.stages), pre_activations(staged, point)[0][len(point) :], strict=True))
    extremes = _extremes(drawn.executions)
    assert extremes.keys() == exact.keys()
    for (stage, row), ends in extremes.items():
        largest = max(abs(exact[stage, k]) for k in range(drawn.stages[stage - 1].size))
        assert all(abs(end - exact[stage, row]) <= (1 + largest) / 4 for end in ends)


def _places(stages: Sequence[Stage]) -> list[Place]:
    return [(number, row) for number, stage in enumerate(stages, start=1) for row in range(stage.size)]


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_bounds_of_real_arithmetic_are_left(kind: str, name: str) -> None:
    """Were the engines to forget what executions change, this folder would notice."""
    drawn = _drawn(kind, 60, 1)
    (inputs,) = {found.inputs for found in drawn.executions}
    pinned = Query(drawn.network.data, inputs, inputs, "real")
    found = ENGINES[name](pinned)
    assert _escaped(found, drawn.executions) != []
    assert _refuted_claims(found, drawn.executions, _rows(np.random.default_rng(0), drawn)) != []


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_both_contains_exact_evaluation_too(kind: str, name: str) -> None:
    """One proof is about the exact network at x and about every execution at fl(x)."""
    drawn = _drawn(kind, 61, 1)
    ((point, executions),) = drawn.at.items()
    staged = load_model(drawn.network.data).staged
    before, after = pre_activations(staged, point)
    first = len(after) - sum(s.size for s in staged.stages[staged.output_group - 1 :])
    outputs = tuple(after[first : first + staged.n_outputs])
    exact = dict(zip(_places(drawn.stages), before[len(point) :], strict=True))
    exactly = Execution32("exactly", point, exact, outputs)
    found = ENGINES[name](Query(drawn.network.data, point, point, "both"))
    assert _wrong(found, [*executions, exactly], _rows(np.random.default_rng(0), drawn)) == []


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("kind", ["chained", "gemm", "undone"])
def test_splits_are_of_computed_pre_activations(kind: str, name: str) -> None:
    """Under z <= t (or >= t) the executions whose computed z is so are within the bounds."""
    drawn = _drawn(kind, 62, POINTS)
    rng = np.random.default_rng(62)
    rows = _rows(rng, drawn)
    neurons = [place for place in _extremes(drawn.executions) if drawn.stages[place[0] - 1].relu]
    for _ in range(3):
        place = neurons[int(rng.integers(len(neurons)))]
        there = [found for found in drawn.executions if place in found.computed]
        split = Split(place, there[int(rng.integers(len(there)))].computed[place], bool(rng.random() < 0.5))
        kept = [
            e for e in there if e.computed[place] == split.at or (e.computed[place] < split.at) == split.upper
        ]
        query = Query(drawn.network.data, drawn.network.lower, drawn.network.upper, split=split)
        assert _wrong(ENGINES[name](query), kept, rows) == []
