"""A plain verifier in float64: interval and backward linear bounds without any care for rounding.

`python -m tests.soundness.laboratory.plain` prints how often it is wrong, beside what our prover says. It
says "holds" where all lower bounds are above zero, after at most four bisections, and "fails" where an
evaluation at a corner, at the centre or at a random point is unsafe.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from hybrid_ai.bounds import Arithmetic
from hybrid_ai.spec.normal_form import InputPolytope
from hybrid_ai.spec.property import Atom
from tests.differential.judge import warm_up
from tests.soundness.laboratory.case import Case
from tests.soundness.laboratory.collection import all_cases
from tests.soundness.laboratory.executions import execute
from tests.soundness.laboratory.prover import Said, Verdict, wrong
from tests.soundness.laboratory.prover import ask as ask_prover
from tests.soundness.laboratory.steps import Bend, Steps, Sum, read
from tests.soundness.laboratory.truth import form

SPLITS = 4
RANDOM_POINTS = 50
SECONDS = 1.0  # of our prover
ALONE: tuple[Arithmetic, ...] = ("real", "float32")
VERDICTS: tuple[Verdict, ...] = ("proved", "refuted", "unknown")

Row = list[tuple[int, float]]
Line = tuple[float, float]  # slope and value at zero


@dataclass(frozen=True)
class Answer:
    """Whether bounds prove the property, and whether an evaluation in float64 or float32 violates it."""

    proved: bool
    refuted64: bool
    refuted32: bool


@dataclass(frozen=True)
class _Kink:
    index: int
    at: float
    below: float
    above: float


class _Network:
    def __init__(self, program: Steps) -> None:
        self.n_inputs, self.outputs = program.n_inputs, program.outputs
        self.steps = [_row(s) if isinstance(s, Sum) else _kink(s) for s in program.steps]

    def form(self, atom: Atom) -> Row:
        """The atom as a row over values: unsafe where it is <= 0 (or < 0)."""
        row = [(self.outputs[i], float(c)) for i, c in atom.outputs]
        return row + [(1 + i, float(c)) for i, c in atom.inputs] + [(0, float(atom.constant))]

    def evaluate(self, x: Sequence[float]) -> list[float]:
        values = [1.0, *x]
        for step in self.steps:
            if isinstance(step, _Kink):
                values.append(_bent(step, values[step.index]))
            else:
                values.append(_total(c * values[i] for i, c in step))
        return values


class _Bounds:
    """Ranges of all values on a box."""

    def __init__(self, network: _Network, box: Sequence[tuple[float, float]]) -> None:
        self.network = network
        self.low, self.high = [1.0, *(b[0] for b in box)], [1.0, *(b[1] for b in box)]
        self.lines: dict[int, tuple[Line, Line]] = {}
        for step in network.steps:
            place = len(self.low)
            if isinstance(step, _Kink):
                self._improve(step.index)
                low, high = self.low[step.index], self.high[step.index]
                self.lines[place] = _lines(step, low, high)
                ends = [_bent(step, low), _bent(step, high)] + ([step.at] if low < step.at < high else [])
                self.low.append(min(ends))
                self.high.append(max(ends))
            else:
                self.low.append(self._interval(step))
                self.high.append(-self._interval([(i, -c) for i, c in step]))

    def lower(self, row: Row) -> float:
        """A lower bound of a row: the better of the two methods."""
        return max(self._interval(row), self._backward(row))

    def _improve(self, index: int) -> None:
        self.low[index] = max(self.low[index], self._backward([(index, 1.0)]))
        self.high[index] = min(self.high[index], -self._backward([(index, -1.0)]))

    def _interval(self, row: Row) -> float:
        return _total(c * (self.low[i] if c >= 0 else self.high[i]) for i, c in row)

    def _backward(self, row: Row) -> float:
        coefficients = [0.0] * len(self.low)
        for i, c in row:
            coefficients[i] += c
        for index in range(len(self.low) - 1, self.network.n_inputs, -1):
            c = coefficients[index]
            if c == 0.0:
                continue
            step = self.network.steps[index - self.network.n_inputs - 1]
            if isinstance(step, _Kink):
                slope, offset = self.lines[index][0 if c >= 0 else 1]
                coefficients[step.index] += c * slope
                coefficients[0] += c * offset
            else:
                for i, weight in step:
                    coefficients[i] += c * weight
        return self._interval(list(enumerate(coefficients[: self.network.n_inputs + 1])))


def _row(step: Sum) -> Row:
    return [(i, float(c)) for i, c in step.row]


def _kink(step: Bend) -> _Kink:
    return _Kink(step.index, float(step.at), float(step.below), float(step.above))


def _bent(step: _Kink, value: float) -> float:
    slope = step.above if value > step.at else step.below
    return value if slope == 1.0 else step.at + slope * (value - step.at)


def _total(products: Iterable[float]) -> float:
    """One addition after the other (the built-in sum compensates from Python 3.12 on)."""
    result = 0.0
    for value in products:
        result += value
    return result


def _lines(step: _Kink, low: float, high: float) -> tuple[Line, Line]:
    """A line below and one above the kink on [low, high]."""
    if low >= step.at or high <= step.at:
        slope = step.above if low >= step.at else step.below
        line = (slope, step.at - slope * step.at)
        return line, line
    first, last = _bent(step, low), _bent(step, high)
    slope = (last - first) / (high - low)
    chord = (slope, first - slope * low)
    steep = step.above if high - step.at > step.at - low else step.below
    through = (steep, step.at - steep * step.at)
    return (through, chord) if step.above >= step.below else (chord, through)


def ask(case: Case) -> Answer:
    """What the plain verifier says."""
    network = _Network(read(case.model))
    polytopes = form(case.property).polytopes
    boxes = [[(float(a), float(b)) for a, b in zip(p.lower, p.upper, strict=True)] for p in polytopes]
    pairs = list(zip(polytopes, boxes, strict=True))
    proved = all(_proved(network, polytope, box, SPLITS) for polytope, box in pairs)
    found = [(p, x) for p, box in pairs for x in _points(box)]
    refuted64 = any(_violated(network, p, network.evaluate(x)) for p, x in found)
    refuted32 = any(_violated(network, p, _evaluate32(case.model, network, x)) for p, x in found)
    return Answer(proved, refuted64, refuted32)


def _proved(network: _Network, polytope: InputPolytope, box: list[tuple[float, float]], depth: int) -> bool:
    bounds = _Bounds(network, box)
    closed = [
        any(bounds.lower(network.form(atom)) > 0.0 for atom in (*rows, *polytope.constraints))
        for rows in polytope.disjuncts
    ]
    if all(closed):
        return True
    axis = max(range(len(box)), key=lambda i: box[i][1] - box[i][0])
    low, high = box[axis]
    middle = (low + high) / 2
    if depth == 0 or not low < middle < high:
        return False
    halves = [[*box[:axis], half, *box[axis + 1 :]] for half in ((low, middle), (middle, high))]
    return all(_proved(network, polytope, half, depth - 1) for half in halves)


def _points(box: list[tuple[float, float]]) -> Iterable[tuple[float, ...]]:
    rng = np.random.default_rng(0)
    yield from product(*box)
    yield tuple((low + high) / 2 for low, high in box)
    for shares in rng.random((RANDOM_POINTS, len(box))).tolist():
        yield tuple(low + t * (high - low) for t, (low, high) in zip(shares, box, strict=True))


def _evaluate32(model: bytes, network: _Network, x: Sequence[float]) -> list[float]:
    """All values, of which only inputs and outputs are filled in: those of a float32 evaluation."""
    narrow = np.array(x, np.float32).astype(np.float64).tolist()
    values = [1.0, *narrow, *([math.nan] * len(network.steps))]
    for index, y in zip(network.outputs, execute(model, narrow, "forward"), strict=True):
        values[index] = y
    return values


def _violated(network: _Network, polytope: InputPolytope, values: Sequence[float]) -> bool:
    def holds(atom: Atom) -> bool:
        value = _total(c * values[i] for i, c in network.form(atom))
        return value < 0.0 if atom.strict else value <= 0.0

    return all(holds(a) for a in polytope.constraints) and any(
        all(holds(atom) for atom in rows) for rows in polytope.disjuncts
    )


HEADER = (
    "| family | cases | plain: false in real, of these proved | false in float32, of these proved "
    "| true in real, of these refuted | ours in real: proved / refuted / unknown "
    "| ours in float32: proved / refuted / unknown | ours: wrong |"
)
Ours = Callable[[Case], Said]


def table(cases: Sequence[Case], ours: Ours) -> str:
    """How often the plain verifier is wrong, and what we say, by family, as a markdown table."""
    answers = [(case, ask(case), ours(case)) for case in cases]
    lines = [HEADER, "|---|" + "---:|" * 7]
    for family in dict.fromkeys(case.family for case in cases):
        lines.append(_line(family, [answer for answer in answers if answer[0].family == family]))
    return "\n".join([*lines, _line("all", answers)])


def _line(name: str, answers: Sequence[tuple[Case, Answer, Said]]) -> str:
    false = [a for c, a, _ in answers if c.real == "fails"]
    false32 = [a for c, a, _ in answers if c.float32 == "fails"]
    true = [a for c, a, _ in answers if c.real == "holds"]
    pairs = [
        (len(false), sum(a.proved for a in false)),
        (len(false32), sum(a.proved for a in false32)),
        (len(true), sum(a.refuted64 for a in true)),
    ]
    counts = [Counter(said.verdicts[arithmetic] for _, _, said in answers) for arithmetic in ALONE]
    columns = [f"{total}, {wrongly}" for total, wrongly in pairs]
    columns += [" / ".join(str(count[verdict]) for verdict in VERDICTS) for count in counts]
    mistaken = sum(bool(wrong(case, said)) for case, _, said in answers)
    return " | ".join([f"| {name}", str(len(answers)), *columns, str(mistaken)]) + " |"


def our_answer(case: Case) -> Said:
    """What the prover says in each arithmetic alone."""
    answers = [ask_prover(case, arithmetic, SECONDS) for arithmetic in ALONE]
    verdicts = {name: verdict for said in answers for name, verdict in said.verdicts.items()}
    return Said(verdicts, finding="; ".join(said.finding for said in answers if said.finding))


def main() -> None:
    warm_up()
    print(table(all_cases(), our_answer))


if __name__ == "__main__":
    main()
