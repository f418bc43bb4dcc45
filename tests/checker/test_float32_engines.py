"""Both engines' bounds of float32 executions against the rules in plain rationals."""

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from hybrid_ai.checker.decode import Tighten
from hybrid_ai.checker.exact import ExactEngine
from hybrid_ai.checker.exact_lines import change_of
from hybrid_ai.checker.exact_network import ExactNetwork
from hybrid_ai.checker.float32 import MOST_ROUNDINGS, Cost
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.checker.rules import CloseWork
from hybrid_ai.checker.stages import Block, Stage, repeated
from tests.checker import build as b
from tests.checker import reference
from tests.checker.test_engines import random_box, random_form, random_network, shifted

# K: none (flushing alone), few roundings, gamma of 1/255
COSTS = (Cost(1, 1, 3), Cost(9, 3, 700), Cost(MOST_ROUNDINGS, 2, 2**20), Cost(2, MOST_ROUNDINGS, 2**90))
Pairs = list[tuple[Fraction, Fraction]]


def widened(source: random.Random, net: b.Network, part: Stage, number: int) -> Stage:
    """The stage with a cost, and often sizes above the absolute values, of other groups too."""
    rows, blocks = len(part.bias), {}
    for block in part.blocks:
        own = [[Fraction(0)] * block.width for _ in range(rows)]
        for row, entries in zip(own, block.rows, strict=True):
            for column, value in entries:
                row[column] = abs(value) * source.choice((1, 1, 3))
        blocks[block.source] = own
    group = source.randrange(number)
    width = net.n_inputs if group == 0 else len(net.stages[group - 1].bias)
    extra = [[Fraction(source.randint(0, 8), 3) for _ in range(width)] for _ in range(rows)]
    blocks.setdefault(group, extra)
    sizes = tuple(abs(value) + Fraction(source.randint(0, 3), 7) for value in part.bias)
    size_blocks = b.stage(part.relu, blocks, [0] * rows).blocks
    return replace(
        part,
        cost=source.choice(COSTS),
        size_blocks=size_blocks if source.random() < 0.5 else None,
        sizes=sizes if source.random() < 0.5 else None,
    )


def rounded_network(source: random.Random, n_inputs: int) -> b.Network:
    net = random_network(source, n_inputs)
    stages = [widened(source, net, part, number) for number, part in enumerate(net.stages, start=1)]
    return replace(net, stages=tuple(stages))


def held_bounds(trial: b.Bounds) -> reference.Bounds:
    """The engine's own bounds by stage."""
    held: reference.Bounds = {}
    for (number, _), (low, high) in zip(reference.places(trial.net), trial.neurons(), strict=True):
        assert low is not None and high is not None
        held.setdefault(number, []).append((low, high))
    return held


def assert_just_below(found: Fraction, expected: Fraction) -> None:
    """Below but for the choice of slopes S, and not silly."""
    assert found <= expected + Fraction(1, 10**12) * (1 + abs(expected))
    assert expected - found <= Fraction(1, 10**6) * (1 + abs(expected))


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize("seed", range(25))
def test_tighten_bounds_are_outside_those_of_the_rules(engine: str, seed: int) -> None:
    source = random.Random(1000 + seed)
    net, box = rounded_network(source, 2), random_box(source, 2)
    count = len(reference.places(net))
    trial, held = b.Bounds(engine, net, box, "float32"), None
    for _ in range(3):
        named = None
        if source.random() < 0.6:
            named = frozenset(source.sample(range(count), source.randint(1, count)))
        listed = {n: source.randint(0, 128) for n in sorted(source.sample(range(count), min(count, 2)))}
        trial.tighten(Tighten(named, tuple(listed.items())))
        held = reference.tightened(net, box, None if named is None else set(named), listed, held, True)
        expected = [pair for j in sorted(held) for pair in held[j]]
        for (low, high), (below, above) in zip(trial.neurons(), expected, strict=True):
            assert low is not None and high is not None
            assert_just_below(low, below)
            assert_just_below(-high, -above)


def closing_bound(
    engine: str, net: b.Network, box: Pairs, held: reference.Bounds, claim: b.Form, slopes: dict[int, int]
) -> Fraction:
    """The bound of a closing as the engine may charge E: the fast one apart for assumptions."""
    errors = reference.errors_of(net, box, held)
    return reference.form_bound(net, claim, held, slopes, box, errors, separate=engine != "exact")


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize("seed", range(25))
def test_closings_are_those_of_the_rules(engine: str, seed: int) -> None:
    source = random.Random(2000 + seed)
    net, box = rounded_network(source, 2), random_box(source, 2)
    count = len(reference.places(net))
    trial = b.Bounds(engine, net, box, "float32")
    trial.tighten()
    held = held_bounds(trial)
    for _ in range(4):
        claim = random_form(source, net)
        listed = {n: source.randint(0, 128) for n in range(count) if source.random() < 0.3}
        bound = closing_bound(engine, net, box, held, claim, listed)
        slopes, scale = tuple(listed.items()), 1 + abs(bound)
        assert not trial.holds(shifted(claim, -bound - scale / 10**12), slopes)
        assert trial.holds(shifted(claim, scale / 10**5 - bound), slopes)
        if isinstance(trial.engine, ExactEngine):
            found = trial.engine._unrounded(trial.state, CloseWork(trial.box, claim, slopes, 0))
            assert found is not None and found <= bound <= found + Fraction(1, 10**9) * (1 + abs(bound))


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize("seed", range(10))
def test_real_and_float32_differ_by_the_roundings_alone(engine: str, seed: int) -> None:
    source = random.Random(3000 + seed)
    net, box = rounded_network(source, 2), random_box(source, 2)
    plain = replace(net, stages=tuple(b.Stage(part.relu, part.blocks, part.bias) for part in net.stages))
    trials = [
        b.Bounds(engine, which, box, arithmetic)
        for which, arithmetic in ((net, "real"), (plain, "real"), (net, "float32"), (net, "both"))
    ]
    for trial in trials:
        trial.tighten()
    real, unrounded, float32, both = [trial.neurons() for trial in trials]
    assert engine != "exact" or real == unrounded
    assert float32 == both != real
    # without terms and sizes nothing but flushing is left
    exact = b.Bounds(engine, plain, box, "float32")
    exact.tighten()
    for (low, high), (below, above) in zip(exact.neurons(), unrounded, strict=True):
        assert low <= below and above <= high
        assert max(below - low, high - above) < Fraction(1, 2**30)


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize("upper", [False, True])
def test_assumptions_are_about_computed_values(engine: str, upper: bool) -> None:
    # z = x, y = max(z, 0), K = 2^16: z may be x (1 + 1/255).
    stage = replace(b.stage(True, {0: [[1]]}, [0]), cost=Cost(MOST_ROUNDINGS, 2, 1))
    trial = b.Bounds(engine, b.network(1, stage), [(-1, 1)], "float32")
    trial.tighten()
    trial.restrict(0, "1/2", upper)
    trial.tighten()
    ((low, high),) = trial.neurons()
    sign, end = (1, high) if upper else (-1, low)
    assert end == Fraction(1, 2)
    gap = Fraction(1, 255)
    for margin, holds in ((Fraction(1, 10**6), True), (-Fraction(1, 10**6), False)):
        claim = b.form({0: sign}, neurons={0: -sign}, constant=gap + margin)
        assert trial.holds(claim) is holds


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_linear_stages_round_too(engine: str) -> None:
    # z = x in a linear stage, then y = z in another one; each may change by 1/255 of its reach.
    part = replace(b.stage(False, {0: [[1]]}, [0]), cost=Cost(MOST_ROUNDINGS, 2, 1))
    again = replace(b.stage(False, {1: [[1]]}, [0]), cost=Cost(MOST_ROUNDINGS, 2, 1))
    trial = b.Bounds(engine, b.network(1, part, again), [(0, 1)], "float32")
    trial.tighten()
    gamma = Fraction(1, 255)
    change = gamma + gamma * (1 + gamma)
    for sign in (1, -1):
        claim = b.form({0: sign}, {0: -sign}, constant=change)
        assert trial.holds(shifted(claim, Fraction(1, 10**7)))
        assert not trial.holds(claim)


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (b.stage(True, {0: [[1, 1]]}, [0]), 3),
        (b.stage(True, {0: [[1, -1]]}, [-5]), 8),
        (replace(b.stage(True, {0: [[1, -1]]}, [-5]), sizes=(Fraction(7),)), 10),
        (
            replace(
                b.stage(True, {0: [[1, 0]]}, [0]),
                size_blocks=b.stage(True, {0: [["5/2", 4]]}, [0]).blocks,
            ),
            Fraction(21, 2),
        ),
    ],
)
def test_the_change_is_that_of_the_size_form(engine: str, stage: Stage, expected: b.Number) -> None:
    # |x0| <= 1, |x1| <= 2; the lower bound of z less the exact one is 1/255 of the size.
    net = b.network(2, replace(stage, cost=Cost(MOST_ROUNDINGS, 2, 1)))
    bounds = []
    for arithmetic in ("real", "float32"):
        trial = b.Bounds(engine, net, [(-1, 1), (-2, 2)], arithmetic)
        trial.tighten()
        bounds.append(trial.neurons()[0])
    for real, changed, sign in zip(*bounds, (-1, 1), strict=True):
        assert real is not None and changed is not None
        change = (changed - real) * sign
        assert change == pytest.approx(float(Fraction(expected) / 255), rel=1e-5)
        assert change >= Fraction(expected) / 255


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize("sized", [False, True])
def test_flushing_counts_the_largest_value_read(engine: str, sized: bool) -> None:
    # K = 0: 2^-120 G (1 + H) alone, H over all elements of the groups of the size form: 1 + H = 4.
    part = b.stage(True, {0: [[1, 0]]}, [0])
    if sized:
        part = replace(part, size_blocks=b.stage(True, {0: [[1, 2]]}, [0]).blocks)
    for box in ([(-1, 1), (-3, 2)], [(-1, 1), (-2, 3)]):
        trial = b.Bounds(engine, b.network(2, replace(part, cost=Cost(1, 1, 2**98))), box, "float32")
        trial.tighten()
        ((low, high),) = trial.neurons()
        assert low is not None and high is not None
        for change in (high - 1, -1 - low):
            assert Fraction(4, 2**22) <= change < Fraction(4, 2**22) * (1 + Fraction(1, 10**5))


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize("relu", [False, True])
def test_flushing_counts_groups_that_are_not_read(engine: str, relu: bool) -> None:
    # what is multiplied by zero is computed all the same: 1 + H = 4 or 1 + 64
    first = b.stage(relu, {0: [[64]]}, [0])
    last = replace(b.stage(True, {}, [1]), cost=Cost(1, 1, 2**90))
    for stages, largest in (((last,), 3), ((first, last), 192)):
        trial = b.Bounds(engine, b.network(1, *stages), [(-1, 3)], "float32")
        trial.tighten()
        low, high = trial.neurons()[-1]
        assert low is not None and high is not None
        for change in (high - 1, 1 - low):
            assert 0 <= change - Fraction(1 + largest, 2**30) < Fraction(1, 2**40)
    overflow = replace(first, cost=Cost(1, 1, 2**101))
    trial = b.Bounds(engine, b.network(1, overflow, last), [(-1, 3)], "float32")
    assert not is_bounded(trial)
    assert not trial.holds(b.form(outputs={0: 1}))


def is_bounded(trial: b.Bounds) -> bool:
    """Whether TIGHTEN finds bounds; the exact engine refuses instead."""
    try:
        trial.tighten()
    except Rejected as error:
        assert (error.rule, error.where) == ("float32", "model")
        assert error.reason == "a partial sum may overflow"
        return False
    return None not in trial.neurons()[0]


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_partial_sums_may_not_overflow(engine: str) -> None:
    # G (1 + H) = 2^100 is the most
    part = b.stage(True, {0: [[1, 0]]}, [0])
    for gain, high, bounded in (
        (2**98, 3, True),
        (2**98, Fraction(3 * 2**30 + 1, 2**30), False),
        (2**98 + 2**60, 3, False),
        (2**99, 1, True),
        (2**101, 0, False),
    ):
        net = b.network(2, replace(part, cost=Cost(1, 1, gain)))
        for box in ([(0, 0), (0, high)], [(-Fraction(high), 0), (0, 0)]):
            assert is_bounded(b.Bounds(engine, net, box, "float32")) is bounded
            assert is_bounded(b.Bounds(engine, net, box, "real"))


@pytest.mark.parametrize("arithmetic", ["real", "float32"])
def test_the_fast_engine_covers_values_within_its_range(arithmetic: str) -> None:
    # neither flushing nor overflow is near, but |z| may be 2^110
    net = b.network(1, replace(b.stage(True, {0: [[2**60]]}, [0]), cost=Cost(2, 1, 1)))
    for engine, limit, bounded in (("fast", 2**30, True), ("fast", 2**50, False), ("exact", 2**50, True)):
        trial = b.Bounds(engine, net, [(-limit, limit)], arithmetic)
        trial.tighten()
        assert (trial.neurons() != [(None, None)]) is bounded


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_what_flushing_changes_is_rounded_up(engine: str) -> None:
    # 1 + H is no double
    largest = 1 + Fraction(1, 2**52)
    net = b.network(1, replace(b.stage(True, {}, [0]), cost=Cost(1, 1, 3)))
    trial = b.Bounds(engine, net, [(0, largest)], "float32")
    trial.tighten()
    ((low, high),) = trial.neurons()
    assert low is not None and high is not None
    change = Fraction(3, 2**120) * (1 + largest)
    assert low <= -change and change <= high


@pytest.mark.parametrize("seed", range(6))
def test_what_the_exact_engine_rounds_enlarges_the_change(seed: int) -> None:
    source = random.Random(seed)
    sizes = [[Fraction(source.randint(1, 10**6), 3 * 10**6 + 1) for _ in range(3)] for _ in range(2)]
    bias = [Fraction(-5, 7), Fraction(2, 3)]
    stage = replace(b.stage(True, {0: sizes}, bias), cost=Cost(MOST_ROUNDINGS, 2, 1))
    (prepared,) = ExactNetwork(b.network(3, stage), "float32").stages
    ends = [source.randint(1, 2**120) for _ in range(3)]
    box = [(Fraction(-end, 2**52), Fraction(0)) for end in ends]
    expected = [value * 2**52 for value in reference.deviation(stage, {0: box})]
    for lower, upper in (([-end for end in ends], [0] * 3), ([0] * 3, ends)):
        found = change_of(prepared, [lower], [upper], 52)
        for value, exact in zip(found, expected, strict=True):
            assert exact <= value <= exact * (1 + Fraction(1, 10**9)) + 1


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_an_overflow_in_a_linear_stage_shows_nothing(engine: str) -> None:
    linear = replace(b.stage(False, {0: [[1]]}, [0]), cost=Cost(1, 1, 2**101))
    net = b.network(1, linear, b.stage(True, {1: [[1]]}, [0]))
    for arithmetic, shown in (("real", True), ("float32", False)):
        trial = b.Bounds(engine, net, [(-1, 1)], arithmetic)
        assert is_bounded(trial) is shown
        assert trial.holds(b.form(outputs={0: 1}, constant=9)) is shown
        trial.restrict(0, 0, upper=True)
        assert trial.holds(b.form(outputs={0: 1}, constant=9)) is shown


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_most_roundings(engine: str) -> None:
    stages = [
        replace(b.stage(True, {0: [[1]]}, [0]), cost=cost)
        for cost in (Cost(MOST_ROUNDINGS, 2, 1), Cost(2, MOST_ROUNDINGS, 1), Cost(MOST_ROUNDINGS, 3, 1))
    ]
    for stage, arithmetic in [(stages[0], "float32"), (stages[1], "both"), (stages[2], "real")]:
        assert is_bounded(b.Bounds(engine, b.network(1, stage), [(0, 1)], arithmetic))
    for arithmetic in ("float32", "both"):
        with pytest.raises(Rejected, match="float32: model: a stage rounds too often"):
            b.Bounds(engine, b.network(1, stages[2]), [(0, 1)], arithmetic)


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_nothing_is_known_of_changes_without_bounds(engine: str) -> None:
    # at the root of a tree without TIGHTEN nothing bounds what stage 2 reads
    rounding = Cost(MOST_ROUNDINGS, 2, 1)
    net = b.network(
        1,
        replace(b.stage(True, {0: [[1]]}, [2]), cost=rounding),
        replace(b.stage(True, {1: [[1]]}, [2]), cost=rounding),
    )
    for arithmetic, shown in (("real", True), ("float32", False)):
        trial = b.Bounds(engine, net, [(-1, 1)], arithmetic)
        trial.restrict(0, 0, upper=False)
        trial.restrict(1, 0, upper=False)
        # (the fast engine never closes by neurons without an upper bound)
        assert trial.holds(b.form(outputs={0: 1})) is (shown and engine == "exact")
        assert trial.holds(b.form({0: 1}, constant=2))
        trial.tighten()
        assert trial.holds(b.form(outputs={0: 1}))


def twice(part: Stage, instances: int = 2) -> Stage:
    """A stage written out side by side, from its dense matrices."""

    def doubled(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        matrices = {}
        for block in blocks:
            rows = []
            for instance in range(instances):
                for entries in block.rows:
                    row = [Fraction(0)] * (instances * block.width)
                    for column, value in entries:
                        row[instance * block.width + column] = value
                    rows.append(row)
            matrices[block.source] = rows
        return b.stage(part.relu, matrices, [0]).blocks

    return Stage(
        part.relu,
        doubled(part.blocks),
        tuple(list(part.bias) * instances),
        None if part.size_blocks is None else doubled(part.size_blocks),
        None if part.sizes is None else tuple(list(part.sizes) * instances),
        part.cost,
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("instances", [2, 3])
def test_instances_stand_side_by_side(seed: int, instances: int) -> None:
    net = replace(rounded_network(random.Random(4000 + seed), 2), double=seed % 2 == 0)
    written = b.Network(
        2 * instances,
        tuple(twice(part, instances) for part in net.stages),
        net.output_group,
        net.double,
    )
    assert repeated(net, instances) == written
    assert repeated(net, 1) is net
