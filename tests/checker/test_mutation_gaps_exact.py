"""The exact engine with very coarse roundings, so that a wrong direction is seen, and without any."""

import random
from fractions import Fraction

import pytest

from hybrid_ai.checker import exact, exact_lines, exact_network, packed
from hybrid_ai.checker.decode import Tighten
from hybrid_ai.checker.exact_lines import Bound, lower_slope, relax, substitute
from hybrid_ai.checker.exact_network import ExactNetwork
from hybrid_ai.checker.packed import PackedVectors
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.checker.rules import CloseWork
from tests.checker import build as b
from tests.checker import reference
from tests.checker.test_engines import points, random_box, random_form, random_network

COARSE = 2


def coarse(monkeypatch: pytest.MonkeyPatch, net: b.Network, box: list[tuple[Fraction, Fraction]]) -> b.Bounds:
    """The exact engine on quarters, with coefficients and slopes on eighths."""
    monkeypatch.setattr(exact, "COEFFICIENT_BITS", COARSE + 1)
    monkeypatch.setattr(exact_lines, "SLOPE_BITS", COARSE + 1)
    trial = b.Bounds("exact", net, box)
    assert isinstance(trial.engine, exact.ExactEngine)
    trial.engine.bits = COARSE
    return trial


def rounded(trial: b.Bounds, claim: b.Form, slopes: tuple[tuple[int, int], ...] = ()) -> Fraction | None:
    """The rounded lower bound of a form; coefficients on eighths."""
    assert isinstance(trial.engine, exact.ExactEngine)
    found = trial.engine._rounded(trial.state, CloseWork(trial.box, claim, slopes, 0), COARSE + 1)
    return None if found is None else Fraction(found, 1 << (2 * COARSE + 1))


@pytest.mark.parametrize("seed", range(24))
def test_coarse_bounds_contain_every_point(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(seed)
    inputs = source.randint(1, 2)
    net, box = random_network(source, inputs), random_box(source, inputs)
    trial = coarse(monkeypatch, net, box)
    sample = points(source, box, 16)
    listed = ((0, source.randint(0, 128)),)
    for step in (Tighten(None, ()), Tighten(None, listed), Tighten(None, ())):
        trial.tighten(step)
        for x in sample:
            for z, (low, high) in zip(b.forward(net, x)[0], trial.neurons(), strict=True):
                assert low is not None and high is not None and low <= z <= high
    for _ in range(6):
        claim = random_form(source, net)
        for slopes in ((), listed):
            found = rounded(trial, claim, slopes)
            assert found is not None
            assert found <= min(b.value(claim, net, x) for x in sample)


@pytest.mark.parametrize("seed", range(20))
def test_coarse_bounds_of_one_point(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a point (pinned inputs) the bounds are roundings of one value, so a wrong direction shows.
    source = random.Random(500 + seed)
    net = random_network(source, 2)
    x = [Fraction(source.randint(-90, 90), 30), Fraction(source.randint(-90, 90), 35)]
    trial = coarse(monkeypatch, net, [(v, v) for v in x])
    trial.tighten()
    for z, (low, high) in zip(b.forward(net, x)[0], trial.neurons(), strict=True):
        assert low is not None and high is not None and low <= z <= high
    for _ in range(12):
        claim = random_form(source, net)
        found = rounded(trial, claim)
        assert found is not None and found <= b.value(claim, net, x)


@pytest.mark.parametrize("seed", range(20))
def test_the_last_resort_rounds_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(900 + seed)
    net, box = random_network(source, 2), random_box(source, 2)
    trial = coarse(monkeypatch, net, box)
    trial.tighten()
    places = reference.places(net)
    held: reference.Bounds = {}
    for (number, _), (low, high) in zip(places, trial.neurons(), strict=True):
        assert low is not None and high is not None
        held.setdefault(number, []).append((low, high))
    for _ in range(6):
        claim = random_form(source, net)
        slopes = {n: source.randint(0, 128) for n in range(len(places)) if source.random() < 0.3}
        work = CloseWork(trial.box, claim, tuple(slopes.items()), 0)
        assert isinstance(trial.engine, exact.ExactEngine)
        expected = reference.form_bound(net, claim, held, slopes, box)
        assert trial.engine._unrounded(trial.state, work) == expected
        for shift, strict, holds in ((-expected, False, False), (-expected, True, True)):
            moved = b.Form(claim.inputs, claim.outputs, claim.neurons, claim.constant + shift, strict)
            assert trial.holds(moved, tuple(slopes.items())) or not holds
            assert trial.engine._unrounded(trial.state, CloseWork(trial.box, moved, work.slopes, 0)) == 0


def test_forms_of_nothing_but_a_constant() -> None:
    trial = b.Bounds("exact", b.network(1, b.stage(True, {0: [[1]]}, [0])), [(-1, 1)])
    for constant, strict, holds in (
        (1, False, True),
        (0, True, True),
        (0, False, False),
        (-1, True, False),
        (-1, False, False),
        (Fraction(1, 2**99), False, True),
    ):
        assert trial.holds(b.form(constant=constant, strict=strict)) is holds
    for shift, strict, holds in ((0, False, False), (0, True, True), (Fraction(1, 2**99), False, True)):
        assert trial.holds(b.form({0: 1}, constant=1 + shift, strict=strict)) is holds
        assert trial.holds(b.form({0: 1}, constant=1 - Fraction(1, 2**99), strict=strict)) is False


def test_ends_and_restrictions_are_rounded_outward(monkeypatch: pytest.MonkeyPatch) -> None:
    net = b.network(1, b.stage(True, {0: [[1]]}, [0]))
    box = [(Fraction(1, 3), Fraction(2, 3))]
    trial = coarse(monkeypatch, net, box)
    assert isinstance(trial.engine, exact.ExactEngine)
    assert trial.engine._box(trial.box) == ([1], [3])
    below = coarse(monkeypatch, net, [(Fraction(-2, 3), Fraction(-1, 3))])
    assert isinstance(below.engine, exact.ExactEngine)
    assert below.engine._box(below.box) == ([-3], [-1])
    trial.restrict(0, "1/3", upper=True)
    trial.restrict(0, "1/3", upper=False)
    assert trial.neurons() == [(Fraction(1, 4), Fraction(1, 2))]
    trial.restrict(0, 5, upper=True)
    trial.restrict(0, -5, upper=False)
    assert trial.neurons() == [(Fraction(1, 4), Fraction(1, 2))]
    trial = coarse(monkeypatch, net, box)
    trial.restrict(0, "-1/3", upper=True)
    trial.restrict(0, "-2/3", upper=False)
    assert trial.neurons() == [(Fraction(-3, 4), Fraction(-1, 4))]


@pytest.mark.parametrize("sign", [1, -1])
def test_states_are_not_shared(sign: int) -> None:
    net = b.network(1, b.stage(True, {0: [[1], [-1]]}, [0, 0]))
    trial = b.Bounds("exact", net, [(-1, 1)])
    trial.tighten()
    before = trial.neurons()
    kept = trial.state
    trial.restrict(0 if sign > 0 else 1, 0, upper=True)
    trial.restrict(1 if sign > 0 else 0, 0, upper=False)
    trial.state = kept
    assert trial.neurons() == before


def test_slopes_of_one_closing_are_not_those_of_the_next() -> None:
    net = b.network(1, b.stage(True, {0: [[1]]}, [0]))
    claim = b.form({0: "-1/2"}, {0: 1}, constant="1/1024")
    for tighten_slopes in ((), ((0, 64),)):
        for order in ((((0, 64),), ()), ((), ((0, 64),)), (((0, 64),), ((0, 63),))):
            trial = b.Bounds("exact", net, [(-1, "9/10")])
            trial.tighten(Tighten(None, tighten_slopes))
            assert [trial.holds(claim, slopes) for slopes in order] == [s == ((0, 64),) for s in order]


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_no_slope_makes_a_neuron_an_identity(engine: str) -> None:
    trial = b.Bounds(engine, b.network(1, b.stage(True, {0: [[1]]}, [0])), [(-1, 1)])
    trial.tighten()
    for value in range(129):
        # x - h is -1 at x = -1, whatever the lower slope.
        assert not trial.holds(b.form({0: 1}, {0: -1}, constant="1/2"), ((0, value),))
        assert not trial.holds(b.form(outputs={0: 1}), ((0, value),))
        assert trial.holds(b.form({0: 1}, {0: -1}, constant="9/8"), ((0, value),))


def test_unbounded_linear_stages_show_nothing() -> None:
    # h2 is linear and unbounded at the root; its inexact weights need its lower bound.
    net = b.network(
        1,
        b.stage(True, {0: [[1]]}, [3]),
        b.stage(False, {1: [["1/3"]]}, [0]),
        b.stage(False, {2: [["1/7"]]}, [0]),
    )
    trial = b.Bounds("exact", net, [(-1, 1)])
    for claim in (b.form(outputs={0: -1}, constant=10), b.form(outputs={0: -1}, neurons={0: 1}, constant=10)):
        assert not trial.holds(claim)
    trial.tighten()
    assert trial.holds(b.form(outputs={0: -1}, constant=10))


# ---- packed sums


def assert_encloses(vectors: list[list[Fraction]], indices: list[int], factors: list[int]) -> None:
    found, slack = PackedVectors(vectors).combine(indices, factors)
    assert len(found) == len(vectors[0]) and slack >= 1
    for column, low in enumerate(found):
        true = sum((f * vectors[i][column] for i, f in zip(indices, factors, strict=True)), Fraction(0))
        assert low <= true < low + slack


@pytest.mark.parametrize("size", [1, 3, 2**20, 2**61, 2**62, 2**70])
def test_sums_just_off_an_integer(size: int) -> None:
    # What is cut off an entry is tiny, but decides on which side of an integer a sum is.
    tiny = Fraction(1, 2**300)
    for value in (1 + tiny, 1 - tiny, -1 + tiny, -1 - tiny, tiny, -tiny):
        for factor in (size, -size):
            assert_encloses([[value, value]], [0], [factor])
            assert_encloses([[value, Fraction(2)], [Fraction(5), value]], [0, 1], [factor, 1])
            assert_encloses([[value, Fraction(2)], [-value, value]], [0, 1], [factor, factor])
            assert_encloses([[value], [value]], [1, 0], [factor, -factor])


def test_sums_that_do_not_fit_into_a_slot() -> None:
    for value in (
        Fraction(1, 2**64),
        Fraction(-1, 2**64),
        Fraction(3, 2**64),
        Fraction(1, 2**40),
        Fraction(1),
    ):
        for bits in range(55, 135):
            for factor in (2**bits, -(2**bits)):
                assert_encloses([[value, Fraction(1)]], [0], [factor])
                assert_encloses([[value, value], [value, -value]], [0, 1], [factor, -factor])


@pytest.mark.parametrize("seed", range(20))
def test_random_sums(seed: int) -> None:
    source = random.Random(seed)
    length, count = source.randint(1, 4), source.randint(1, 4)
    denominator = source.choice([1, 3, 2**64, 2**65, 2**130, 7 * 2**100, 2**300 + 1])
    vectors = [
        [Fraction(source.randint(-(2**66), 2**66), denominator) for _ in range(length)] for _ in range(count)
    ]
    for bits in (1, 8, 40, 61, 62, 63, 64, 66, 130):
        indices = source.sample(range(count), source.randint(0, count))
        assert_encloses(vectors, indices, [source.randint(-(2**bits), 2**bits) for _ in indices])
        assert_encloses(vectors, indices, [-(2**bits)] * len(indices))
        assert_encloses(vectors, indices, [2**bits - 1] * len(indices))


def test_sums_of_nothing() -> None:
    assert PackedVectors([[Fraction(1), Fraction(1, 3)]]).combine([], [])[0] == [0, 0]
    assert PackedVectors([[Fraction(2**70), Fraction(1)]]).combine([], []) == ([0, 0], 1)
    assert PackedVectors([[], []]).combine([0, 1], [3, 4])[0] == []


def test_entries_are_kept_exactly_where_they_can_be() -> None:
    for value, exact_entries in (
        (Fraction(1, 2**64), True),
        (Fraction(1, 2**65), True),
        (Fraction(1, 3), False),
    ):
        found = PackedVectors([[value]])
        assert found.exact is exact_entries
        low, slack = found.combine([0], [2**80])
        assert (low[0] == 2**80 * value and slack == 1) or not exact_entries
    assert packed._fits([[Fraction(1, 8)]], 3) and not packed._fits([[Fraction(1, 8), Fraction(1, 16)]], 3)


# ---- forms that pass over stages


DEEP = b.network(
    2,
    b.stage(True, {0: [[1, 1], [1, -1]]}, [0, "1/2"]),
    b.stage(True, {0: [[1, 0]]}, ["1/3"]),
    b.stage(False, {1: [[1, 0]], 2: [[1]]}, [0]),
    b.stage(True, {1: [[0, 1]], 3: [[1]]}, [-1]),
)


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize(
    ("inputs", "outputs", "neurons", "least"),
    [
        ({}, {}, {0: 1}, -2),
        ({}, {}, {0: -1}, -2),
        ({}, {}, {1: 1}, "-3/2"),
        ({}, {}, {1: 1, 0: 1}, "-3/2"),
        ({1: 1}, {}, {0: 1}, -3),
        ({1: -1}, {}, {0: 1}, -1),
        ({}, {}, {2: 1}, "-2/3"),
        ({}, {}, {2: -1, 0: 1}, "-4/3"),
        ({0: -1}, {}, {2: 1, 1: 1}, "-7/6"),
        ({0: 1}, {}, {}, -1),
        ({1: -2}, {}, {}, -2),
    ],
)
def test_forms_over_early_stages(
    engine: str,
    inputs: dict[int, int],
    outputs: dict[int, int],
    neurons: dict[int, int],
    least: b.Number,
) -> None:
    for tighten in (False, True):
        trial = b.Bounds(engine, DEEP, [(-1, 1), (-1, 1)])
        if tighten:
            trial.tighten()
        claim = b.form(inputs, outputs, neurons)
        for margin, holds in ((Fraction(1, 10**6), True), (Fraction(-1, 10**6), False)):
            constant = margin - Fraction(least)
            moved = b.Form(claim.inputs, claim.outputs, claim.neurons, constant, False)
            # The fast engine shows nothing about neurons without bounds.
            assert trial.holds(moved) is (holds and (tighten or engine == "exact" or not neurons))


@pytest.mark.parametrize(
    ("low", "high", "slope"),
    [(-64, 63, 128), (-64, 62, 0), (-128, 125, 0), (-128, 126, 128), (-1, 1, 128), (-1, 0, 0), (-63, 62, 0)],
)
def test_default_slopes(low: int, high: int, slope: int) -> None:
    assert lower_slope(low, high, None) == slope
    for listed in (0, 1, 128):
        assert lower_slope(low, high, listed) == listed


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize("output", [0, 1, 2])
def test_stages_behind_the_output_are_passed_over(engine: str, output: int) -> None:
    net = b.Network(
        1,
        (
            b.stage(True, {0: [[1]]}, [1]),
            b.stage(True, {0: [[1]]}, [2]),
            b.stage(True, {1: [[1]]}, [0]),
            b.stage(False, {2: [[1]]}, [0]),
        ),
        output,
    )
    trial = b.Bounds(engine, net, [(-1, 1)])
    trial.tighten()
    least = (-1, 0, 1)[output]
    for claim, value in (
        (b.form(outputs={0: 1}), least),
        (b.form(neurons={0: 1}), 0),
        (b.form(neurons={1: 1}), 1),
        (b.form({0: 1}, neurons={0: -1}), -1),
        (b.form(outputs={0: 1}, neurons={0: -1}), least),
    ):
        for margin, holds in ((Fraction(1, 10**6), True), (Fraction(-1, 10**6), False)):
            moved = b.Form(claim.inputs, claim.outputs, claim.neurons, margin - value, False)
            assert trial.holds(moved) is holds


@pytest.mark.parametrize("sign", [1, -1])
def test_one_unit_in_the_last_place(sign: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # z reaches 1/32 on either side of 0: less than a step of the grid, and not 0. No input is negative.
    net = b.network(1, b.stage(True, {0: [[Fraction(sign, 8)]]}, [Fraction(-sign, 8)]))
    trial = coarse(monkeypatch, net, [(Fraction(3, 4), Fraction(5, 4))])
    trial.tighten()
    assert trial.neurons() == [(Fraction(-1, 4), Fraction(1, 4))]


def test_neurons_without_bounds_show_nothing_and_break_nothing() -> None:
    net = b.network(
        2,
        b.stage(True, {0: [[1, 1]]}, [3]),
        b.stage(False, {1: [["1/3"]]}, [0]),
        b.stage(True, {2: [["1/7"]]}, [0]),
    )
    for claim, holds in (
        (b.form(outputs={0: 1}, constant=-1), False),
        (b.form(outputs={0: "1/3"}, constant=-1), False),
        (b.form(neurons={0: "1/3"}, constant=1), True),
        (b.form(neurons={0: "1/3"}, constant=-1), False),
        (b.form(outputs={0: -1}, constant=9), False),
    ):
        trial = b.Bounds("exact", net, [(-1, 1), (-1, 1)])
        assert trial.holds(claim) is holds
        trial.restrict(1, -1, upper=False)
        assert trial.holds(claim) is holds
        trial.restrict(0, -1, upper=False)
        assert trial.holds(claim) is holds
    one_sided = b.Bounds("exact", b.network(1, b.stage(True, {0: [[1]]}, [0])), [(-1, 1)])
    one_sided.restrict(0, -1, upper=False)
    assert not one_sided.holds(b.form(outputs={0: -1}, constant=9))


# ---- the rounded pass, one rounding at a time


def rounded_at(trial: b.Bounds, claim: b.Form, bits: int) -> Fraction:
    """The rounded lower bound of a form with coefficients on 2^-bits."""
    assert isinstance(trial.engine, exact.ExactEngine)
    found = trial.engine._rounded(trial.state, CloseWork(trial.box, claim, (), 0), bits)
    assert found is not None
    return Fraction(found) / Fraction(2) ** (bits + COARSE)


@pytest.mark.parametrize(("low", "high"), [(-2, -1), (-1, 1), (1, 2), ("-1/4", "1/4"), ("-1/4", 0)])
def test_each_coefficient_is_rounded_down_and_paid(
    low: b.Number, high: b.Number, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = b.network(
        2, b.stage(True, {0: [[1, 0], [0, 1]]}, [0, 0]), b.stage(False, {0: [[1, 0], [0, 1]]}, [0, 0])
    )
    box = [(Fraction(low), Fraction(high))] * 2
    trial = coarse(monkeypatch, net, box)
    trial.tighten()
    corners = [[x, y] for x in box[0] for y in box[1]]
    values: tuple[b.Number, ...] = ("1/3", "-1/3", "1/16", "-1/16", "1/8", "-1/8", 3, -3, "5/2", "-5/2", 1)
    for bits in (3, 0, -1, -2):
        for first in values:
            for second in (0, 1, "1/3", -2):
                terms = {0: first, 1: second} if second else {0: first}
                for claim in (b.form(terms), b.form({}, terms), b.form({}, {}, terms), b.form(terms, terms)):
                    assert rounded_at(trial, claim, bits) <= min(b.value(claim, net, x) for x in corners)
    for value in ("1/8", "-1/8", 1, -1):
        least = min(Fraction(value) * end for end in box[0])
        assert rounded_at(trial, b.form({0: value}), 3) == least


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize("box", [(1, 2), (-2, -1)])
def test_constant_outputs_do_not_depend_on_the_box(engine: str, box: tuple[int, int]) -> None:
    net = b.network(1, b.stage(True, {}, ["1/3", "-1/3"]), b.stage(False, {1: [[1, 1]]}, [0]))
    trial = b.Bounds(engine, net, [box])
    trial.tighten()
    for sign in (1, -1):
        value = Fraction(sign, 3)
        assert trial.holds(b.form(outputs={0: sign}, constant=Fraction(1, 100) - value))
        assert not trial.holds(b.form(outputs={0: sign}, constant=-Fraction(1, 100) - value))


def test_what_rounded_coefficients_may_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    net = b.network(
        4,
        b.stage(True, {0: [[1, 1, 1, 1]] * 3}, [0, 0, 0]),
        b.stage(False, {1: [[1, 1, 1]] * 3}, [0, 0, 0]),
        b.stage(True, {2: [[1, 1, 1]]}, [0]),
    )
    engine = b.Bounds("exact", net, [(-1, 1)] * 4).engine
    assert isinstance(engine, exact.ExactEngine)
    box = ([-1, -5, 0, 3], [4, 4, 4, 4])
    lower: tuple[list[Bound], ...] = ([], [-7, -8, -9], [-1, -3, 2], [-6])
    state = exact._State(lower, ([], [9, 9, 9], [9, 9, 9], [9]), [[], [], [], []])
    assert [engine._missing(group, state, box) for group in range(4)] == [6, 0, 4, 0]
    assert engine._missing(2, engine.root(), box) is None
    assert engine._missing(1, engine.root(), box) == 0


def test_listed_slopes_name_neurons_of_the_whole_network() -> None:
    net = b.network(1, b.stage(True, {0: [[1]] * 5}, [0] * 5), b.stage(True, {0: [[1]]}, [0]))
    stage = ExactNetwork(net).stages[1]
    ((row, slope, _, low, high),) = relax([-4], [4], stage, {5: 64, 0: 3})
    assert (row, slope, low, high) == (0, 64, -4, 4)
    assert relax([-4], [4], stage, {0: 3})[0][1] == 128


@pytest.mark.parametrize(("bias", "width"), [(-5, 1), ("-1/4", "1/4"), (-1, 3)])
def test_rounded_coefficients_of_neurons_are_paid(
    bias: b.Number, width: b.Number, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No input is negative here: what is paid for inputs hides nothing.
    net = b.network(1, b.stage(True, {0: [[1]]}, [bias]))
    trial = coarse(monkeypatch, net, [(Fraction(0), Fraction(width))])
    trial.tighten()
    for value in ("1/3", "1/16", "5/16", "1/8", 3, "5/2", "7/5"):
        for bits in (3, 0, -1):
            assert rounded_at(trial, b.form(neurons={0: value}), bits) <= Fraction(value) * Fraction(bias)


def test_no_input_takes_part_where_none_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    net = b.network(2, b.stage(True, {}, [1, 2]), b.stage(False, {1: [[1, 1]]}, [0]))
    for box in ((1, 2), (-2, -1), (-3, 3)):
        trial = coarse(monkeypatch, net, [(Fraction(box[0]), Fraction(box[1]))] * 2)
        trial.tighten()
        assert rounded_at(trial, b.form(outputs={0: 1}), 3) == 3
        assert rounded_at(trial, b.form(outputs={0: -1}), 3) == -3


def test_exact_entries_just_below_an_integer() -> None:
    for value in (
        1 - Fraction(1, 2**64),
        -Fraction(1, 2**64),
        Fraction(1, 2**64) - 1,
        5 - Fraction(1, 2**64),
    ):
        assert PackedVectors([[value]]).exact
        for factor in (1, -1, 3, -3):
            assert_encloses([[value, Fraction(1)]], [0], [factor])


@pytest.mark.parametrize(
    ("low", "high", "phase"),
    [
        (0, 5, "on"),
        (1, 2, "on"),
        (-1, 5, "both"),
        (-1, 1, "both"),
        (-5, 1, "both"),
        (-5, 0, "off"),
        (-5, -1, "off"),
    ],
)
def test_phases_of_one_unit(low: int, high: int, phase: str) -> None:
    stage = ExactNetwork(b.network(1, b.stage(True, {0: [[1]]}, [0]))).stages[0]
    found = relax([low], [high], stage, {})
    assert phase == ("off" if not found else "on" if found[0][1] == exact_lines.ACTIVE else "both")


def test_large_matrices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exact_network.MAX_ENTRIES == 2**24
    monkeypatch.setattr(exact_network, "MAX_ENTRIES", 6)
    for rows, columns, refused in ((2, 3, False), (3, 2, False), (7, 1, True), (1, 7, True), (3, 3, True)):
        net = b.network(columns, b.stage(True, {0: [[1] * columns] * rows}, [0] * rows))
        if refused:
            with pytest.raises(Rejected, match="range: model"):
                ExactNetwork(net)
        else:
            assert len(ExactNetwork(net).stages) == 1


def test_every_substitution_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    # a max(z, 0) >= b z + change on all of [L, U], whatever the slopes and their rounding.
    monkeypatch.setattr(exact_lines, "SLOPE_BITS", 2)
    stage = ExactNetwork(b.network(1, b.stage(True, {0: [[1]]}, [0]))).stages[0]
    for low in range(-4, 4):
        for high in range(low, 5):
            for listed in ({}, {0: 0}, {0: 1}, {0: 64}, {0: 128}):
                for a in range(-9, 10):
                    found = substitute([a], relax([low], [high], stage, listed))
                    assert found is not None
                    indices, factors, change = found
                    factor = factors[0] if indices else 0
                    assert all(a * max(z, 0) >= factor * z + change for z in range(low, high + 1))
                    if low >= 0 and not listed:
                        assert (factor, change) == (a, 0)


@pytest.mark.parametrize(("low", "high", "steep"), [(0, 5, 1), (1, 2, 1), (-5, 0, 0), (-5, -1, 0), (0, 0, 1)])
def test_listed_slopes_of_stable_neurons(low: int, high: int, steep: int) -> None:
    stage = ExactNetwork(b.network(1, b.stage(True, {0: [[1]]}, [0]))).stages[0]
    assert relax([low], [high], stage, {0: 64}) == [(0, 64, steep << exact_lines.SLOPE_BITS, low, high)]


def test_slack_is_paid_wherever_what_it_multiplies_is_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    combine = PackedVectors.combine

    def lower_still(vectors: PackedVectors, indices: list[int], factors: list[int]) -> tuple[list[int], int]:
        """What `combine` may return as well: all but the bias two units lower."""
        values, slack = combine(vectors, indices, factors)
        return [*(value - 2 for value in values[:-1]), values[-1]], slack + 2

    trial = b.Bounds("exact", b.network(1, b.stage(False, {0: [[1]]}, [0])), [(-1, -1)])
    assert isinstance(trial.engine, exact.ExactEngine)
    trial.tighten()
    monkeypatch.setattr(PackedVectors, "combine", lower_still)
    work = CloseWork(trial.box, b.form(outputs={0: 1}), (), 0)
    found = trial.engine._rounded(trial.state, work, 10)
    assert found is not None and found <= -1 << (10 + trial.engine.bits)


def test_outputs_without_bounds_are_left_to_the_unrounded_pass() -> None:
    trial = b.Bounds("exact", b.network(1, b.stage(False, {0: [[1]]}, [0])), [(1, 2)])
    assert isinstance(trial.engine, exact.ExactEngine)
    claim = b.form(outputs={0: Fraction(1, 3)}, constant=-Fraction(1, 4))
    assert trial.engine._rounded(trial.state, CloseWork(trial.box, claim, (), 0), 10) is None
    assert trial.holds(claim)
    assert not trial.holds(b.form(outputs={0: Fraction(1, 3)}, constant=-Fraction(1, 3)))
