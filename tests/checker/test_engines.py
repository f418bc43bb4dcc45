"""Both engines against exact evaluation, brute force and the rules in plain rationals, without tolerance."""

import random
from fractions import Fraction

import pytest

from hybrid_ai.checker.decode import Tighten
from hybrid_ai.checker.rules import Form
from tests.checker import build as b
from tests.checker import reference

TINY = Fraction(1, 2**2000)
WEIGHTS = (
    Fraction(1),
    Fraction(-1),
    Fraction(1, 3),
    Fraction(-5, 7),
    Fraction(3, 8),
    Fraction(-9, 4),
    Fraction(2, 11),
)


def random_network(source: random.Random, n_inputs: int) -> b.Network:
    """A few small stages, some linear, reading one or two earlier groups; the last is linear."""
    sizes, stages = [n_inputs], []
    for number in range(source.randint(2, 4)):
        groups = {len(sizes) - 1, source.randrange(len(sizes))}
        size = source.randint(1, 4)
        matrices = {g: [[weight(source) for _ in range(sizes[g])] for _ in range(size)] for g in groups}
        relu = number == 0 or source.random() < 0.7
        stages.append(b.stage(relu, matrices, [weight(source) for _ in range(size)]))
        sizes.append(size)
    last = [[weight(source) for _ in range(sizes[-1])] for _ in range(2)]
    stages.append(b.stage(False, {len(sizes) - 1: last}, [0, 1]))
    return b.network(n_inputs, *stages)


def weight(source: random.Random) -> Fraction:
    kind = source.random()
    if kind < 0.1:
        return Fraction(0)
    return source.choice(WEIGHTS) if kind < 0.5 else Fraction(source.gauss(0, 1))


def random_box(source: random.Random, n_inputs: int) -> list[tuple[Fraction, Fraction]]:
    box = []
    for _ in range(n_inputs):
        low = Fraction(source.randint(-30, 20), 10)
        width = source.choice((Fraction(0), Fraction(1, 1000), Fraction(1, 3), Fraction(2)))
        box.append((low, low + width))
    return box


def points(
    source: random.Random, box: list[tuple[Fraction, Fraction]], count: int = 12
) -> list[list[Fraction]]:
    return [
        [
            low + (high - low) * Fraction(source.choice((0, 12, source.randint(1, 11))), 12)
            for low, high in box
        ]
        for _ in range(count)
    ]


def random_form(source: random.Random, net: b.Network) -> Form:
    neurons = len(reference.places(net))
    extra = {source.randrange(neurons): weight(source)} if source.random() < 0.5 else {}
    inputs = {source.randrange(net.n_inputs): weight(source)} if source.random() < 0.5 else {}
    return b.form(inputs, {0: Fraction(1), 1: weight(source)}, extra)


def shifted(claim: Form, shift: Fraction, strict: bool = False) -> Form:
    return Form(claim.inputs, claim.outputs, claim.neurons, claim.constant + shift, strict)


def assert_contains(trial: b.Bounds, x: list[Fraction]) -> None:
    for z, (low, high) in zip(b.forward(trial.net, x)[0], trial.neurons(), strict=True):
        assert low is not None and high is not None and low <= z <= high


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize("seed", range(25))
def test_bounds_contain_every_point(engine: str, seed: int) -> None:
    source = random.Random(seed)
    net = random_network(source, source.randint(1, 3))
    box = random_box(source, net.n_inputs)
    trial = b.Bounds(engine, net, box)
    trial.tighten(Tighten(None, ((0, source.randint(0, 128)),)))
    sample = points(source, box)
    for x in sample:
        assert_contains(trial, x)
    # one neuron's phase is fixed, as in a child of SPLIT_NEURON
    neuron = source.randrange(len(trial.neurons()))
    at = b.forward(net, sample[0])[0][neuron]
    upper = source.random() < 0.5
    trial.restrict(neuron, at, upper)
    trial.tighten()
    inside = [
        x
        for x in sample
        if (b.forward(net, x)[0][neuron] <= at) == upper or b.forward(net, x)[0][neuron] == at
    ]
    for x in inside:
        assert_contains(trial, x)
    for _ in range(3):
        claim = random_form(source, net)
        least = min(b.value(claim, net, x) for x in inside)
        listed = ((neuron, source.randint(0, 128)),)
        assert not trial.holds(shifted(claim, -least), listed)
        assert not trial.holds(shifted(claim, -least - TINY, strict=True), listed)


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize("seed", range(25))
def test_bounds_are_those_of_the_rules(engine: str, seed: int) -> None:
    source = random.Random(100 + seed)
    net = random_network(source, 2)
    box = random_box(source, 2)
    count = len(reference.places(net))
    trial, held = b.Bounds(engine, net, box), None
    for _ in range(3):
        named = (
            None
            if source.random() < 0.4
            else frozenset(source.sample(range(count), source.randint(1, count)))
        )
        listed = {n: source.randint(0, 128) for n in sorted(source.sample(range(count), min(count, 2)))}
        trial.tighten(Tighten(named, tuple(listed.items())))
        held = reference.tightened(net, box, None if named is None else set(named), listed, held)
        expected = [pair for j in sorted(held) for pair in held[j]]
        for (low, high), (exact_low, exact_high) in zip(trial.neurons(), expected, strict=True):
            assert low is not None and high is not None
            assert low == pytest.approx(float(exact_low), abs=1e-9) and high == pytest.approx(
                float(exact_high), abs=1e-9
            )
    assert held is not None
    claim = random_form(source, net)
    bound = reference.form_bound(net, claim, held, listed, box)
    margin = Fraction(1, 10**8)
    assert trial.holds(shifted(claim, margin - bound), tuple(listed.items()))
    assert not trial.holds(shifted(claim, -margin - bound), tuple(listed.items()))


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize("seed", range(20))
def test_never_above_the_exact_optimum(engine: str, seed: int) -> None:
    source = random.Random(200 + seed)
    net = random_network(source, 1)
    ((low, high),) = box = random_box(source, 1)
    trial = b.Bounds(engine, net, box)
    trial.tighten()
    for _ in range(3):
        claim = random_form(source, net)
        least = b.minimum(claim, net, low, high)
        assert not trial.holds(shifted(claim, -least))
        assert not trial.holds(shifted(claim, -least - TINY, strict=True))
        if low == high:
            assert trial.holds(shifted(claim, Fraction(1, 10**9) - least))


@pytest.mark.parametrize("engine", b.ENGINES)
def test_empty_nodes_are_consistent(engine: str) -> None:
    net = b.network(1, b.stage(True, {0: [[1]]}, [0]))
    trial = b.Bounds(engine, net, [(-1, 1)])
    trial.tighten()
    trial.restrict(0, 2, upper=False)
    trial.tighten()
    ((low, high),) = trial.neurons()
    assert (low, high) == (2, pytest.approx(1, abs=1e-9))
    # L = 2 >= 0 comes first: h is z, which is at least -1.
    assert trial.holds(b.form(outputs={0: 1}, constant="9/8"))
    assert not trial.holds(b.form(outputs={0: 1}, constant="7/8"))


@pytest.mark.parametrize("engine", b.ENGINES)
def test_unbounded_neurons(engine: str) -> None:
    net = b.network(1, b.stage(True, {0: [[1]]}, [0]))
    trial = b.Bounds(engine, net, [(-1, 1)])
    assert trial.neurons() == [(None, None)]
    assert not trial.holds(b.form(outputs={0: -1}, constant=100))
    assert trial.holds(b.form({0: 1}, constant=2))
    trial.restrict(0, "1/2", upper=True)
    assert trial.neurons() == [(None, Fraction(1, 2))]
    assert not trial.holds(b.form(outputs={0: -1}, constant=100))
    trial.tighten()
    assert trial.holds(b.form(outputs={0: -1}, constant="9/8"))


@pytest.mark.parametrize("engine", b.ENGINES)
def test_output_that_is_the_input(engine: str) -> None:
    net = b.Network(2, (b.stage(True, {0: [[1, 1]]}, [0]),), 0)
    trial = b.Bounds(engine, net, [(-1, 1), (0, "1/3")])
    trial.tighten()
    assert trial.holds(b.form({0: 1}, {0: 1, 1: 1}, constant="17/8"))
    assert not trial.holds(b.form({0: 1}, {0: 1, 1: 1}, constant="15/8"))


@pytest.mark.parametrize("engine", b.ENGINES)
def test_stage_without_sources(engine: str) -> None:
    net = b.network(1, b.stage(True, {}, ["1/3", "-1/3"]), b.stage(False, {1: [[1, 1]]}, [0]))
    trial = b.Bounds(engine, net, [(-1, 1)])
    trial.tighten()
    assert trial.holds(b.form(outputs={0: 1}, constant="-1/4"))
    assert not trial.holds(b.form(outputs={0: 1}, constant="-1/3"))


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize("large", [1e16, 2.0**60, 1e25, 2.0**99])
def test_large_cancelling_weights(engine: str, large: float) -> None:
    # The exact output is 1/3 at every point of the (pinned) box; doubles see 0, 1 or more.
    orders = [[large, "1/3", -large], [large, -large, "1/3"], ["1/3", large, -large], [-large, "1/3", large]]
    for row in orders:
        for relu in (False, True):
            net = b.network(
                3,
                b.stage(True, {0: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}, [0, 0, 0]),
                b.stage(relu, {1: [row]}, [0]),
                b.stage(False, {2: [[1]]}, [0]),
            )
            trial = b.Bounds(engine, net, [(1, 1)] * 3)
            trial.tighten()
            (low, high) = trial.neurons()[-1]
            assert not relu or low is None or high is None or low <= Fraction(1, 3) <= high
            for sign in (1, -1):
                claim = b.form(outputs={0: sign}, constant=-Fraction(sign, 3))
                assert not trial.holds(claim)
                assert not trial.holds(shifted(claim, -TINY, strict=True))


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("large", [1e16, 2.0**60, 1e25, 2.0**99])
def test_large_cancelling_coefficients(engine: str, relu: bool, large: float) -> None:
    # As above, but it is the coefficient of one input that cancels, in one column of a product.
    orders = [[large, "1/3", -large], [large, -large, "1/3"], ["1/3", large, -large], [-large, "1/3", large]]
    for column in orders:
        values = [Fraction(value) for value in column]
        rows = [[abs(value)] for value in values] if relu else [[value] for value in values]
        signs = [-1 if relu and value < 0 else 1 for value in values]
        last = b.stage(True, {2: [[1]]}, [0])
        net = b.network(1, b.stage(relu, {0: rows}, [0] * 3), b.stage(False, {1: [signs]}, [0]), last)
        trial = b.Bounds(engine, net, [(1, 1)])
        trial.tighten()
        (low, high) = trial.neurons()[-1]
        assert low is None or high is None or low <= Fraction(1, 3) <= high
        for sign in (1, -1):
            for claim in (
                b.form(outputs={0: sign}, constant=-Fraction(sign, 3)),
                b.form(neurons={3 * relu: sign}, constant=-Fraction(sign, 3)),
            ):
                assert not trial.holds(claim)
                assert not trial.holds(shifted(claim, -TINY, strict=True))


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize("large", [1e16, 2.0**60, 1e25, 2.0**99])
def test_large_cancelling_assumptions(engine: str, large: float) -> None:
    for column in ([large, "1/3", -large], [large, -large, "1/3"], ["1/3", large, -large]):
        net = b.network(1, b.stage(True, {0: [[value] for value in column]}, [0] * 3))
        trial = b.Bounds(engine, net, [(1, 1)])
        trial.tighten()
        for sign in (1, -1):
            claim = b.form(neurons={0: sign, 1: sign, 2: sign}, constant=-Fraction(sign, 3))
            assert not trial.holds(claim)
            assert not trial.holds(shifted(claim, -TINY, strict=True))


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize("x", [-1, 1])
@pytest.mark.parametrize("factor", ["1/3", "-1/3", "2/3", "-5/7"])
def test_coefficients_that_must_be_rounded(engine: str, x: int, factor: str) -> None:
    # At one point each form is exactly zero, whether its coefficient is on an input, an output or a neuron.
    net = b.network(1, b.stage(True, {0: [[1], [-1]]}, [0, 0]), b.stage(False, {0: [[1]]}, [0]))
    trial = b.Bounds(engine, net, [(x, x)])
    trial.tighten()
    terms = {0: Fraction(factor)}
    negated = b.form(neurons={1: -terms[0]})
    for claim in (b.form(terms), b.form(outputs=terms), b.form(neurons=terms), negated):
        zero = shifted(claim, -terms[0] * x)
        assert not trial.holds(zero)
        assert not trial.holds(shifted(zero, -TINY, strict=True))
        assert trial.holds(shifted(zero, Fraction(1, 10**9)))


@pytest.mark.parametrize("engine", b.ENGINES)
def test_form_constants_and_scales(engine: str) -> None:
    net = b.network(1, b.stage(True, {0: [[1]]}, [0]))
    trial = b.Bounds(engine, net, [("1/3", "2/3")])
    trial.tighten()
    for scale in (Fraction(1), Fraction(1, 3**200), Fraction(3**200)):
        claim = b.form(outputs={0: scale}, neurons={0: scale}, constant=-scale * Fraction(2, 3))
        assert trial.holds(shifted(claim, scale * Fraction(1, 10**9)))
        assert not trial.holds(shifted(claim, -scale * Fraction(1, 10**9)))
    assert trial.holds(b.form(constant=Fraction(1, 7)))
    assert not trial.holds(b.form(constant=0))
    assert not trial.holds(b.form(constant=-1, strict=True))
    assert not trial.holds(b.form(outputs={0: 1}, constant=-(2**2000)))
