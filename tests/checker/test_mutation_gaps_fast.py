"""What the fast engine takes off, against section 8 of the format page in rationals.

The slack is made large (gamma is 2^-6 here), so that every term of it is seen.
"""

import random
from dataclasses import dataclass
from fractions import Fraction
from math import inf, nan

import numpy as np
import pytest

from hybrid_ai.checker import fast, fast_lines, fast_network
from hybrid_ai.checker.decode import TIGHTEN_ALL, Tighten
from hybrid_ai.checker.fast_lines import (
    Magnitudes,
    Relaxed,
    in_range,
    listed,
    reach_of,
    relax,
    sane,
)
from hybrid_ai.checker.fast_network import (
    FastNetwork,
    _doubles,
    outward,
)
from hybrid_ai.checker.grid import Grid, make_grid
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.checker.rules import CloseWork, Form, TightenWork
from tests.checker import build as b

GAMMA = Fraction(1, 64)
INFLATE = 1 + Fraction(1, 2**20)
ABSOLUTE, PER_COEFFICIENT = Fraction(1, 2**700), Fraction(1, 2**600)
Pair = tuple[Fraction, Fraction]
Rows = list[list[Fraction]]


def close_to(found: float, expected: Fraction, bits: int = 40) -> bool:
    return abs(Fraction(found) - expected) <= abs(expected) / 2**bits


def lines(low: Fraction, high: Fraction, listed: Fraction | None, q: Fraction) -> tuple[Fraction, ...]:
    """s, S, t, q of section 8 for a neuron with bounds [low, high]; the neuron's Q is `q`."""
    s = Fraction(low >= 0 or (high > 0 and 64 * high >= -63 * low)) if listed is None else listed
    if low >= 0:
        steep, t = Fraction(1), Fraction(0)
    elif high <= 0:
        steep = t = Fraction(0)
    else:
        steep = high / (high - low)
        t = max(-steep * low, high - steep * high + high / 2**51) * (1 + Fraction(1, 2**48))
    return s, steep, t + steep * q * INFLATE + PER_COEFFICIENT, s * q * INFLATE + PER_COEFFICIENT


@dataclass(frozen=True)
class Node:
    """Bounds per relu stage, M of each group, Q of each stage (from 1), listed slopes per (stage, row)."""

    box: list[Pair]
    held: dict[int, list[Pair]]
    largest: Rows
    q: Rows
    slopes: dict[tuple[int, int], Fraction]


def charges(part: b.Stage, largest: Rows) -> list[Fraction]:
    """Q of the rows of a stage."""
    rows = []
    for row, bias in enumerate(part.bias):
        total = abs(bias)
        for block in part.blocks:
            total += sum((abs(w) * largest[block.source][c] for c, w in block.rows[row]), Fraction(0))
        rows.append(GAMMA * (total * INFLATE + ABSOLUTE))
    return rows


def interval(part: b.Stage, low: Rows, high: Rows, q: list[Fraction]) -> list[Pair]:
    """Bounds of the pre-activations of a stage from those of the groups, lemma 1."""
    rows = []
    for row, bias in enumerate(part.bias):
        below = above = bias
        for block in part.blocks:
            for column, w in block.rows[row]:
                ends = w * low[block.source][column], w * high[block.source][column]
                below, above = below + min(ends), above + max(ends)
        slack = 2 * q[row] + ABSOLUTE
        rows.append((below - slack, above + slack))
    return rows


def backward(
    net: b.Network,
    node: Node,
    last: int,
    h: dict[int, dict[int, Fraction]],
    pre: dict[int, dict[int, Fraction]],
    total: Fraction,
    charge: Fraction,
) -> Fraction:
    """The lower bound of lemma 3 over stages 1..last; `h` is consumed."""
    size = abs(total)
    for number in range(last, 0, -1):
        part, own = net.stages[number - 1], h.pop(number, {})
        factors: dict[int, Fraction] = {}
        down = Fraction(0)
        for row, a in own.items():
            if not part.relu:
                charge, factors[row] = charge + abs(a) * (node.q[number][row] + PER_COEFFICIENT), a
                continue
            low, high = node.held[number][row]
            slope = node.slopes.get((number, row))
            s, steep, t, cost = lines(low, high, slope, node.q[number][row])
            down += a * t if a < 0 else -a * cost
            factors[row] = a * (steep if a < 0 else s)
        total, size = total + down, size - down
        for row, e in pre.get(number, {}).items():
            charge += abs(e) * (node.q[number][row] + PER_COEFFICIENT)
            factors[row] = factors.get(row, Fraction(0)) + e
        offset = sum((f * part.bias[row] for row, f in factors.items()), Fraction(0))
        total, size = total + offset, size + abs(offset)
        for block in part.blocks:
            target = h.setdefault(block.source, {})
            for row, f in factors.items():
                for column, w in block.rows[row]:
                    target[column] = target.get(column, Fraction(0)) + f * w
    for i, a in h.get(0, {}).items():
        total += a * node.box[i][0 if a >= 0 else 1]
        size += abs(a) * node.largest[0][i]
    return total - ((2 * GAMMA * size + charge) * INFLATE + ABSOLUTE)


def expected_bound(
    net: b.Network, claim: Form, box: list[Pair], bounds: list[Pair], slopes: dict[int, int]
) -> Fraction:
    """Lower bound of a closing whose coefficients are below 2 already."""
    places = [
        (j, i) for j, part in enumerate(net.stages, start=1) if part.relu for i in range(len(part.bias))
    ]
    held: dict[int, list[Pair]] = {}
    for (number, _), pair in zip(places, bounds, strict=True):
        held.setdefault(number, []).append(pair)
    low, high = [[p[0] for p in box]], [[p[1] for p in box]]
    largest: Rows = [[max(map(abs, pair)) for pair in box]]
    q: Rows = [[]]
    for number, part in enumerate(net.stages, start=1):
        q.append(charges(part, largest))
        if part.relu:
            rows = [(max(p[0], Fraction(0)), max(p[1], Fraction(0))) for p in held[number]]
        else:
            rows = interval(part, low, high, q[number])
        low.append([p[0] for p in rows])
        high.append([p[1] for p in rows])
        largest.append([max(map(abs, p)) for p in rows])
    listed = {places[n]: Fraction(v, 128) for n, v in slopes.items()}
    h: dict[int, dict[int, Fraction]] = {0: dict(claim.inputs)}
    charge = Fraction(0)
    for group, terms in ((0, claim.inputs), (net.output_group, claim.outputs)):
        charge += GAMMA * sum((abs(v) * largest[group][i] for i, v in terms.items()), Fraction(0))
    h.setdefault(net.output_group, {}).update(claim.outputs)
    pre: dict[int, dict[int, Fraction]] = {}
    for n, v in claim.neurons.items():
        pre.setdefault(places[n][0], {})[places[n][1]] = v
    node = Node(box, held, largest, q, listed)
    return backward(net, node, len(net.stages), h, pre, claim.constant, charge)


def tightened(net: b.Network, box: list[Pair], named: frozenset[int] | None) -> list[Pair]:
    """Bounds of all neurons after the first TIGHTEN; the M of a linear stage is the larger interval bound."""
    low, high = [[p[0] for p in box]], [[p[1] for p in box]]
    node, found = Node(box, {}, [[max(map(abs, p)) for p in box]], [[]], {}), list[Pair]()
    for number, part in enumerate(net.stages, start=1):
        node.q.append(charges(part, node.largest))
        rows = []
        for row, pair in enumerate(interval(part, low, high, node.q[number])):
            bias = part.bias[row]
            if part.relu and pair[0] < 0 < pair[1] and (named is None or len(found) + row in named):
                bounds = []
                for sign in (1, -1):
                    h = {block.source: {c: sign * w for c, w in block.rows[row]} for block in part.blocks}
                    cost = 2 * node.q[number][row]
                    bounds.append(backward(net, node, number - 1, h, {}, sign * bias, cost))
                pair = max(pair[0], bounds[0]), min(pair[1], -bounds[1])
            rows.append(pair)
        if part.relu:
            node.held[number] = rows
            found += rows
            rows = [(max(p[0], Fraction(0)), max(p[1], Fraction(0))) for p in rows]
        low.append([p[0] for p in rows])
        high.append([p[1] for p in rows])
        node.largest.append([max(map(abs, p)) for p in rows])
    return found


def dyadic(source: random.Random, places: int = 3, largest: int = 16) -> Fraction:
    return Fraction(source.choice([n for n in range(-largest, largest + 1) if n]), 2**places)


def random_net(source: random.Random) -> b.Network:
    """Linear and relu stages, some of which read two groups; entries have few bits."""
    sizes, stages = [3], []
    for relu in (True, source.random() < 0.5, True):
        groups = sorted({len(sizes) - 1, source.randrange(len(sizes))})
        size = source.randint(2, 3)
        matrices = {g: [[dyadic(source) for _ in range(sizes[g])] for _ in range(size)] for g in groups}
        stages.append(b.stage(relu, matrices, [dyadic(source) for _ in range(size)]))
        sizes.append(size)
    last = {len(sizes) - 1: [[dyadic(source) for _ in range(sizes[-1])] for _ in range(2)]}
    return b.network(3, *stages, b.stage(source.random() < 0.3, last, [dyadic(source), 0]))


def engine_of(net: b.Network, grid: Grid) -> fast.FastEngine:
    prepared = FastNetwork(net)
    prepared.gamma = float(GAMMA)
    return fast.FastEngine(prepared, grid)


BOUNDS = [
    (-1, 1),
    (-1, 3),
    (-3, 1),
    (1, 2),
    (0, 2),
    (-2, -1),
    (-2, 0),
    (-7, 1),
    (-1, 7),
    (-64, 63),
    (-64, 64),
    (-128, 125),
]


@pytest.mark.parametrize("seed", range(20))
def test_closings_pay_every_term(seed: int) -> None:
    source = random.Random(seed)
    net = random_net(source)
    box = [(Fraction(-2), Fraction(1)), (Fraction(1, 4), Fraction(3)), (Fraction(1, 2), Fraction(1, 2))]
    grid = make_grid(tuple(p[0] for p in box), tuple(p[1] for p in box))
    engine = engine_of(net, grid)
    neurons = len(engine.network.neurons)
    bounds = [tuple(map(Fraction, source.choice(BOUNDS))) for _ in range(neurons)]
    state = fast._State(*(np.array([float(pair[end]) for pair in bounds]) for end in (0, 1)))
    listed = {n: source.randint(0, 128) for n in sorted(source.sample(range(neurons), 2))}
    works, expected = [], []
    for _ in range(6):
        claim = b.form(
            {0: dyadic(source, 4), 2: dyadic(source, 4)} if source.random() < 0.5 else {},
            {0: Fraction(source.choice((-1, 1))), 1: dyadic(source, 4, 15)},
            {source.randrange(neurons): dyadic(source, 4)} if source.random() < 0.7 else {},
            dyadic(source),
        )
        used = listed if source.random() < 0.5 else {}
        if max(map(abs, [*claim.inputs.values(), *claim.outputs.values(), *claim.neurons.values()])) >= 2:
            continue
        works.append((state, CloseWork(grid.root(), claim, tuple(used.items()), 0)))
        expected.append(expected_bound(net, claim, box, bounds, used))  # type: ignore[arg-type]
    found = engine._form_bounds(works, True)
    for low, reference in zip(found, expected, strict=True):
        assert close_to(float(low), reference, 36)


@pytest.mark.parametrize("seed", range(16))
def test_neuron_bounds_pay_every_term(seed: int) -> None:
    source = random.Random(1000 + seed)
    net = random_net(source)
    box = [
        (Fraction(-1, 8), Fraction(1, 4)),
        (Fraction(1, 4), Fraction(1, 2)),
        (Fraction(1, 2), Fraction(1, 2)),
    ]
    if seed % 2:
        box = [(-high, -low) for low, high in box]
    grid = make_grid(tuple(p[0] for p in box), tuple(p[1] for p in box))
    engine = engine_of(net, grid)
    count = len(engine.network.neurons)
    for named in (None, frozenset({0}), frozenset({count - 1}), frozenset(range(1, count))):
        step = Tighten(named, ())
        state, second = engine.tighten([(engine.root(), TightenWork(grid.root(), step))] * 2)
        for (low, high), found_low, found_high in zip(
            tightened(net, box, named), state.lower, state.upper, strict=True
        ):
            assert close_to(found_low, low, 36) and close_to(found_high, high, 36)
        assert np.array_equal(state.lower, second.lower) and np.array_equal(state.upper, second.upper)
        (again,) = engine.tighten([(state, TightenWork(grid.root(), step))])
        assert (again.lower >= state.lower).all() and (again.upper <= state.upper).all()


@pytest.mark.parametrize("error", [0, Fraction(1, 2), 3])
def test_lines_of_a_neuron(error: Fraction | int) -> None:
    net = b.network(1, b.stage(True, {0: [[1]] * len(BOUNDS)}, [0] * len(BOUNDS)))
    stage = FastNetwork(net).stages[0]
    lower, upper = (np.array([[float(pair[end]) for pair in BOUNDS]] * 2) for end in (0, 1))
    given = ((2, 64), (4, 1), (8, 127))
    relaxed = relax(lower, upper, np.full(lower.shape, float(error)), stage, listed([(), given]))
    assert relaxed.lines is not None
    for node, slopes in enumerate(({}, dict(given))):
        for row, (low, high) in enumerate(BOUNDS):
            slope = Fraction(slopes[row], 128) if row in slopes else None
            found = [
                float(values[node, row])
                for values in (
                    relaxed.lines.slope,
                    relaxed.lines.upper_slope,
                    relaxed.lines.upper_charge,
                    relaxed.lines.charge,
                )
            ]
            expected = lines(Fraction(low), Fraction(high), slope, Fraction(error))
            assert all(close_to(v, e, 50) for v, e in zip(found, expected, strict=True))
            assert close_to(float(relaxed.error[node, row]), error + PER_COEFFICIENT, 50)
            # lemma 2, exactly: the line lies above max(z, 0) on both ends, with 1 - u to spare
            top = Fraction(found[2]) * (1 - Fraction(1, 2**53)) if low < 0 < high else Fraction(found[2])
            assert all(max(z, 0) <= Fraction(found[1]) * z + top for z in (low, high))


def test_lemma_2_on_random_ends() -> None:
    source = random.Random(7)
    count = 400
    net = b.network(1, b.stage(True, {0: [[1]] * count}, [0] * count))
    stage = FastNetwork(net).stages[0]
    lower = -np.array([[source.random() * 2.0 ** source.randint(-60, 60) for _ in range(count)]])
    upper = np.array([[source.random() * 2.0 ** source.randint(-60, 60) for _ in range(count)]])
    lined = relax(lower, upper, np.zeros((1, count)), stage, listed([()])).lines
    assert lined is not None
    for low, high, steep, t in zip(
        lower[0], upper[0], lined.upper_slope[0], lined.upper_charge[0], strict=True
    ):
        top = Fraction(float(t)) * (1 - Fraction(1, 2**53))
        assert 0 <= steep <= 1
        for z in (Fraction(float(low)), Fraction(float(high))):
            assert max(z, Fraction(0)) <= Fraction(float(steep)) * z + top


def test_the_last_term_is_taken_off() -> None:
    grid = make_grid((Fraction(0),), (Fraction(1),))
    engine = engine_of(b.network(1, b.stage(True, {0: [[1]]}, [0])), grid)
    none = np.zeros(1)
    box = engine._boxes([grid.root()])
    bound = engine._lower({}, {}, none, none, [], np.zeros(1, dtype=np.intp), box)
    assert bound[0] == -fast_lines.ABSOLUTE
    assert (reach_of(engine.network.stages[0], Magnitudes(np.zeros((1, 1))))[0] == fast_lines.ABSOLUTE).all()
    claim = b.form({0: 1}, constant=0)
    assert not engine.hold([(engine.root(), CloseWork(grid.root(), claim, (), 0))])[0]


def test_constants_are_those_of_the_format_page() -> None:
    assert (fast_network.LARGEST, fast_network.SMALLEST) == (2.0**100, 2.0**-200)
    assert (fast_network.MAX_DIMENSION, fast_network.MAX_STAGES) == (2**20, 2**10)
    assert (fast_lines.INFLATE, fast_lines.INTERCEPT_INFLATE) == (1 + 2.0**-20, 1 + 2.0**-48)
    assert (fast_lines.ABSOLUTE, fast_lines.PER_COEFFICIENT) == (2.0**-700, 2.0**-600)


def test_gamma_follows_the_largest_dimension() -> None:
    unit = 2.0**-52
    wide = b.stage(True, {0: [[1] * 5]}, [0])
    assert FastNetwork(b.network(5, wide)).gamma == (5 + 1 + 16) * unit
    tall = b.stage(True, {0: [[1]] * 7}, [0] * 7)
    assert FastNetwork(b.network(1, tall)).gamma == (7 + 1 + 16) * unit
    both = b.stage(False, {0: [[1] * 3], 1: [[1] * 4]}, [0])
    four = b.stage(True, {0: [[1] * 3] * 4}, [0] * 4)
    assert FastNetwork(b.network(3, four, both)).gamma == (7 + 2 + 16) * unit
    assert FastNetwork(b.network(9, b.stage(True, {}, [1]))).gamma == (9 + 1 + 16) * unit


def test_values_out_of_range_show_nothing() -> None:
    values = np.array([fast_network.LARGEST, np.nextafter(fast_network.LARGEST, inf), inf, nan, 1.0])
    assert np.array_equal(in_range(values), [fast_network.LARGEST, nan, nan, nan, 1.0], equal_nan=True)
    stage = FastNetwork(b.network(1, b.stage(True, {0: [[4]]}, [0]))).stages[0]
    assert np.isnan(reach_of(stage, Magnitudes(np.full((1, 1), 2.0**98)))[0]).all()
    assert not np.isnan(reach_of(stage, Magnitudes(np.full((1, 1), 2.0**97)))).any()
    assert list(sane(np.array([inf, -inf, nan, 1.0]), -7.0)) == [-7.0, -7.0, -7.0, 1.0]
    for constant, expected in ((2**100, 2.0**100), (-(2**100), -(2.0**100))):
        assert fast._to_doubles(b.form({0: 1}, constant=constant), 1, 1).constant == expected
    for constant in (2**100 + 1, -(2**100) - 1):
        assert np.isnan(fast._to_doubles(b.form({0: 1}, constant=constant), 1, 1).constant)


def test_root_bounds_are_rounded_away() -> None:
    source = random.Random(3)
    for _ in range(60):
        value = Fraction(source.randint(-(10**20), 10**20), source.randint(1, 10**20))
        low, high = outward(value, False), outward(value, True)
        assert Fraction(low) <= value <= Fraction(high)
        assert high <= np.nextafter(low, inf)
    for value in (Fraction(0), Fraction(3), Fraction(-5, 8)):
        assert outward(value, False) == outward(value, True) == value
    with pytest.raises(Rejected, match="range"):
        outward(Fraction(2**100) + 1, False)


def test_batches_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "CLOSE_BATCH", 2)
    monkeypatch.setattr(fast, "CHUNK_ELEMENTS", 2)
    net = b.network(1, b.stage(True, {0: [[1], [-1]]}, [0, 0]), b.stage(True, {1: [[1, -1]]}, [0]))
    grid = make_grid((Fraction(-1),), (Fraction(1),))
    engine = fast.FastEngine(FastNetwork(net), grid)
    states = engine.tighten(
        [(engine.root(), TightenWork(((a, a + 2**36),), TIGHTEN_ALL)) for a in range(-(2**39), 2**39, 2**36)]
    )
    works, expected = [], []
    for number, state in enumerate(states):
        # the box is [left, left + 1/8]; on it x > left - 1/100 and h0 < right + 1/100 hold, and little more
        a = -(2**39) + number * 2**36
        left = Fraction(a, 2**39)
        right = max(left + Fraction(1, 8), Fraction(0))
        for shift, holds in ((Fraction(1, 100), True), (-Fraction(1, 100), False)):
            works.append((state, CloseWork(((a, a + 2**36),), b.form({0: 1}, constant=shift - left), (), 0)))
            works.append(
                (state, CloseWork(((a, a + 2**36),), b.form(outputs={0: -1}, constant=right + shift), (), 0))
            )
            expected += [holds, holds]
    found = engine.hold(works)
    assert found == expected
    assert engine.hold(works[::-1]) == expected[::-1]


def test_the_box_of_doubles_contains_the_box() -> None:
    lower, upper = (
        (Fraction(1, 3), Fraction(-1, 3), Fraction(1, 7)),
        (Fraction(2, 3), Fraction(1, 7), Fraction(1, 7)),
    )
    grid = make_grid(lower, upper)
    engine = fast.FastEngine(FastNetwork(b.network(3, b.stage(True, {0: [[1, 1, 1]]}, [0]))), grid)
    low, high = engine._boxes([grid.root(), ((-(2**60), 2**60), (-(2**60), 2**60), (0, 0))])
    for node in (0, 1):
        for axis in range(3):
            assert Fraction(float(low[node, axis])) < lower[axis]
            assert Fraction(float(high[node, axis])) > upper[axis]
            assert high[node, axis] <= np.nextafter(float(upper[axis]), inf)
            assert low[node, axis] >= np.nextafter(float(lower[axis]), -inf)


def test_narrow_axes_are_refused_beside_wide_ones() -> None:
    net = FastNetwork(b.network(2, b.stage(True, {0: [[1, 1]]}, [0])))
    zero, wide = Fraction(0), Fraction(1)
    for narrow in ((Fraction(1, 2**161), wide), (wide, Fraction(1, 2**161))):
        with pytest.raises(Rejected, match="range: property"):
            fast.FastEngine(net, make_grid((zero, zero), narrow))
    engine = fast.FastEngine(net, make_grid((zero, zero), (Fraction(1, 2**160), wide)))
    assert list(engine.steps) == [2.0**-200, 2.0**-40]


def test_bounds_out_of_range_stay_unknown() -> None:
    # The second neuron reaches 2^110; on the narrow box it does not, and must not profit from the wide one.
    net = b.network(1, b.stage(True, {0: [[2.0**90]]}, [0]), b.stage(True, {1: [[2.0**20]]}, [0]))
    grid = make_grid((Fraction(-1),), (Fraction(1),))
    engine = fast.FastEngine(FastNetwork(net), grid)
    (state,) = engine.tighten([(engine.root(), TightenWork(grid.root(), TIGHTEN_ALL))])
    assert (state.lower[1], state.upper[1]) == (-inf, inf)
    narrow = ((2**18, 2**19),)
    (state,) = engine.tighten([(state, TightenWork(narrow, TIGHTEN_ALL))])
    low, high = Fraction(2**110, 2**21), Fraction(2**110, 2**20)
    assert state.lower[1] <= low <= high <= state.upper[1] <= 2 * high


def test_the_smallest_charge_is_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    # On zeros everything else vanishes.
    net = b.network(1, b.stage(False, {0: [[1]]}, [0]), b.stage(True, {1: [[1]]}, [0]))
    grid = make_grid((Fraction(0),), (Fraction(0),))
    engine = fast.FastEngine(FastNetwork(net), grid)
    seen: list[Relaxed] = []
    monkeypatch.setattr(engine, "_backward_rows", lambda stage, rows, relaxed, *rest: seen.extend(relaxed))
    (state,) = engine.tighten([(engine.root(), TightenWork(grid.root(), TIGHTEN_ALL))])
    zero, inputs = np.zeros((1, 1)), Magnitudes(np.zeros((1, 1)))
    bounds = np.array([state.lower]), np.array([state.upper])
    seen += engine._relaxations(*bounds, listed([()]), (zero, zero), inputs)
    assert len(seen) == 3
    # one ABSOLUTE for each of the two stages
    assert -3 * fast_lines.ABSOLUTE <= state.lower[0] <= -1.9 * fast_lines.ABSOLUTE
    assert 1.9 * fast_lines.ABSOLUTE <= state.upper[0] <= 3 * fast_lines.ABSOLUTE
    for relaxed in seen:
        assert relaxed.error[0, 0] == fast_lines.PER_COEFFICIENT
    assert seen[2].lines is not None
    assert seen[2].lines.charge[0, 0] == seen[2].lines.upper_charge[0, 0] == fast_lines.PER_COEFFICIENT


def test_a_bound_of_zero_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = make_grid((Fraction(0),), (Fraction(1),))
    engine = fast.FastEngine(FastNetwork(b.network(1, b.stage(True, {0: [[1]]}, [0]))), grid)
    for bound, holds in ((0.0, False), (-inf, False), (nan, False), (1e-300, True)):
        monkeypatch.setattr(engine, "_form_bounds", lambda works, through, v=bound: np.full(len(works), v))
        for claim in (b.form({0: 1}, strict=True), b.form(outputs={0: 1}, strict=True)):
            assert engine.hold([(engine.root(), CloseWork(grid.root(), claim, (), 0))]) == [holds]


@pytest.mark.parametrize("seed", range(8))
def test_nodes_of_a_batch_do_not_mix(seed: int) -> None:
    source = random.Random(300 + seed)
    net = random_net(source)
    grid = make_grid((Fraction(-2),) * 3, (Fraction(2),) * 3)
    engine = engine_of(net, grid)
    neurons = len(engine.network.neurons)
    boxes = []
    for bits in (0, 3, 6, 9):
        ends = [source.randint(-(2**bits), 2**bits) * 2 ** (38 - 9) for _ in range(3)]
        boxes.append(tuple((end, end + 2 ** (30 + source.randint(0, 6))) for end in ends))
    slopes = tuple((n, source.randint(0, 128)) for n in range(neurons) if source.random() < 0.5)
    works = [(engine.root(), TightenWork(box, Tighten(None, s))) for box in boxes for s in ((), slopes)]
    states = engine.tighten(works)
    for work, state in zip(works, states, strict=True):
        (alone,) = engine.tighten([work])
        assert np.allclose(alone.lower, state.lower, rtol=1e-12, atol=0)
        assert np.allclose(alone.upper, state.upper, rtol=1e-12, atol=0)
    closings = []
    for state, (_, work) in zip(states, works, strict=True):
        for claim in (
            b.form({0: dyadic(source)}, {0: 1, 1: dyadic(source)}, {source.randrange(neurons): 1}),
            b.form(outputs={1: -1}, neurons={n: dyadic(source) for n in range(neurons)}, constant=1),
        ):
            closings.append((state, CloseWork(work.box, claim, work.step.slopes, 0)))
    together = engine._form_bounds(closings, True)
    for closing, bound in zip(closings, together, strict=True):
        assert engine._form_bounds([closing], True)[0] == pytest.approx(float(bound), rel=1e-12)


@pytest.mark.parametrize(
    "value", [Fraction(2**100), Fraction(1, 2**200), Fraction(3, 2**202), -Fraction(2**100)]
)
def test_the_ends_of_the_range_of_weights_are_outside(value: Fraction) -> None:
    with pytest.raises(Rejected, match="range"):
        _doubles([Fraction(1), value], "bias")
    inside = value / 2 if abs(value) > 1 else 4 * value
    assert _doubles([inside, Fraction(0), -inside], "bias").tolist() == [inside, 0, -inside]


@pytest.mark.parametrize("value", [Fraction(10**400), -Fraction(10**400), Fraction(1, 10**400)])
def test_weights_beyond_the_doubles_are_outside(value: Fraction) -> None:
    with pytest.raises(Rejected, match="range"):
        _doubles([Fraction(0), value], "bias")


def test_weights_are_rounded_to_nearest() -> None:
    halfway = 1 + Fraction(1, 2**53)
    values = [halfway, halfway + Fraction(1, 2**90), -halfway, Fraction(1, 3)]
    assert _doubles(values, "bias").tolist() == [1.0, 1 + 2.0**-52, -1.0, 1 / 3]


def test_large_matrices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fast_network.MAX_ENTRIES == 2**26
    monkeypatch.setattr(fast_network, "MAX_ENTRIES", 6)
    for rows, columns, refused in ((2, 3, False), (3, 2, False), (7, 1, True), (1, 7, True), (3, 3, True)):
        net = b.network(columns, b.stage(True, {0: [[1] * columns] * rows}, [0] * rows))
        if refused:
            with pytest.raises(Rejected, match="range: model"):
                FastNetwork(net)
        else:
            assert len(FastNetwork(net).stages) == 1
