"""The fast engine: rounding, underflow and range."""

import ctypes
import platform
import random
from fractions import Fraction

import numpy as np
import pytest

from hybrid_ai.checker import fast, fast_network
from hybrid_ai.checker.decode import TIGHTEN_ALL
from hybrid_ai.checker.fast_lines import listed, relax
from hybrid_ai.checker.fast_network import FastNetwork, outward, require_rounding_to_nearest
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.checker.rules import CloseWork, TightenWork
from tests.checker import build as b
from tests.checker.test_engines import random_box, random_network

RAMP = b.network(1, b.stage(True, {0: [[1]]}, [0]))
UPWARD, DOWNWARD, TO_ZERO = 0x800, 0x400, 0xC00


@pytest.mark.skipif(platform.machine() != "x86_64", reason="rounding modes are numbered for x86-64")
@pytest.mark.parametrize("mode", [UPWARD, DOWNWARD, TO_ZERO])
def test_other_rounding_modes_are_refused(mode: int) -> None:
    library = ctypes.CDLL(None)
    assert library.fesetround(mode) == 0
    try:
        with pytest.raises(Rejected) as caught:
            require_rounding_to_nearest()
    finally:
        library.fesetround(0)
    assert caught.value.rule == "rounding"
    require_rounding_to_nearest()


@pytest.mark.parametrize("value", [2.0**101, -(2.0**101), 2.0**-202, -(2.0**-202)])
@pytest.mark.parametrize("where", ["weight", "bias"])
def test_weights_out_of_range_are_refused(value: float, where: str) -> None:
    net = b.network(
        1, b.stage(True, {0: [[value if where == "weight" else 1]]}, [0 if where == "weight" else value])
    )
    with pytest.raises(Rejected, match=f"range: {where}"):
        FastNetwork(net)


@pytest.mark.parametrize("value", [2.0**99, -(2.0**99), 2.0**-199, 0.0])
def test_weights_in_range_are_read(value: float) -> None:
    assert FastNetwork(b.network(1, b.stage(True, {0: [[value]]}, [value]))).stages[0].bias[0] == value


@pytest.mark.parametrize(
    "bounds",
    [
        (0, 2.0**101),
        (-(2.0**101), 0),
        (1 - Fraction(1, 2**300), 1 + Fraction(1, 2**300)),
        (0, Fraction(1, 2**161)),
    ],
)
def test_boxes_out_of_range(bounds: tuple[b.Number, b.Number]) -> None:
    if Fraction(bounds[1]) - Fraction(bounds[0]) < 1 and Fraction(bounds[0]) > 0:
        # A narrow box around 1 has a grid of 2^-50: it is one step wide, and fine.
        trial = b.Bounds("fast", RAMP, [bounds])
        trial.tighten()
        low, high = trial.neurons()[0]
        assert low is not None and high is not None and low <= bounds[0] <= bounds[1] <= high
    else:
        with pytest.raises(Rejected, match="range: property"):
            b.Bounds("fast", RAMP, [bounds])


def test_root_bounds_are_rounded_outward() -> None:
    for text in ("1/10", "-1/10", "1/3", "-2/3", "1/7", "3", "0"):
        value = Fraction(text)
        assert Fraction(outward(value, False)) <= value <= Fraction(outward(value, True))
        assert outward(value, True) - outward(value, False) <= 2.0**-52
    tiny = Fraction(1, 2**1200)
    assert (outward(tiny, False), outward(tiny, True)) == (
        0.0,
        fast_network.SMALLEST,
    )
    assert (outward(-tiny, False), outward(-tiny, True)) == (
        -fast_network.SMALLEST,
        0.0,
    )


def test_ends_of_the_range_are_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (Fraction(2) ** 100, -(Fraction(2) ** 100), Fraction(1, 2**200), -Fraction(1, 2**200)):
        assert outward(value, False) == outward(value, True) == value
    trial = b.Bounds("fast", RAMP, [(-1, 1)])
    trial.restrict(0, 2**100, upper=True)
    assert trial.neurons() == [(None, 2**100)]
    wide = b.network(1, b.stage(True, {0: [[1], [1]]}, [0, 0]), b.stage(True, {1: [[1, 1]]}, [0]))
    for name in ("MAX_DIMENSION", "MAX_STAGES"):
        monkeypatch.setattr(fast_network, name, 2)
        assert len(FastNetwork(wide).stages) == 2
        monkeypatch.setattr(fast_network, name, 1)
        with pytest.raises(Rejected, match="range: model"):
            FastNetwork(wide)
        monkeypatch.setattr(fast_network, name, 2)


@pytest.mark.parametrize("constant", ["1/3", "2/3", "1/7", "-1/3", "-2/3", "5/7"])
def test_rounding_of_a_large_constant_is_charged(constant: str) -> None:
    trial = b.Bounds("fast", RAMP, [(0, 1)])
    claim = b.form({0: 1}, constant=Fraction(constant) * 2**80)
    assert isinstance(trial.engine, fast.FastEngine)
    (bound,) = trial.engine._form_bounds([(trial.state, CloseWork(trial.box, claim, (), 0))], False)
    assert 0 <= claim.constant - Fraction(bound) <= 2**45


def test_upper_lines_are_above_relu_at_both_ends() -> None:
    source = random.Random(3)
    ends = [(-source.random() * 2.0 ** source.randint(-40, 40), source.random() + 0.01) for _ in range(500)]
    lower, upper = (np.array([[pair[end] for pair in ends]]) for end in (0, 1))
    stage = FastNetwork(b.network(1, b.stage(True, {0: [[1]] * 500}, [0] * 500))).stages[0]
    lines = relax(lower, upper, np.zeros((1, 500)), stage, listed([()])).lines
    assert lines is not None
    for (low, high), slope, intercept in zip(ends, lines.upper_slope[0], lines.upper_charge[0], strict=True):
        slope, intercept = Fraction(slope), Fraction(intercept)
        assert slope * Fraction(low) + intercept >= 0
        assert slope * Fraction(high) + intercept >= Fraction(high)
        assert intercept <= Fraction(min(-low, high)) * (1 + Fraction(1, 2**40)) + Fraction(high) / 2**50


def test_underflow_is_charged() -> None:
    # Backward, 32 products of 2^-995 and 2^-81 all vanish, though their sum is 2^-1071.
    chain = [b.stage(True, {k: [[2.0**-199]]}, [0]) for k in range(2, 7)]
    net = b.network(
        1, b.stage(True, {0: [[2.0**-81]] * 32}, [0] * 32), b.stage(True, {1: [[1] * 32]}, [0]), *chain
    )
    trial = b.Bounds("fast", net, [(1, 1)])
    trial.tighten()
    claim = b.form(outputs={0: -1}, constant=Fraction(3, 2**1073))
    assert b.value(claim, net, [Fraction(1)]) < 0
    assert not trial.holds(claim)
    assert not b.Bounds("fast", net, [(0, 1)]).holds(claim)


def test_overflow_shows_nothing() -> None:
    net = b.network(1, *(b.stage(True, {k: [[2.0**90]]}, [0]) for k in range(12)))
    for bounds in ((1, 2), (-1, 2)):
        trial = b.Bounds("fast", net, [bounds])
        trial.tighten()
        for sign in (1, -1):
            assert not trial.holds(b.form(outputs={0: sign}))
            assert not trial.holds(b.form(outputs={0: sign}, constant=Fraction(2**90)))


def test_values_beyond_the_range_show_nothing() -> None:
    for stages, shown in ((1, True), (2, False)):
        net = b.network(1, *(b.stage(True, {k: [[2.0**90]]}, [0]) for k in range(stages)))
        trial = b.Bounds("fast", net, [(1, 2)])
        trial.tighten()
        assert trial.holds(b.form(outputs={0: 1}, constant=-(2**89))) is shown


def test_restriction_beyond_the_range_is_left_out() -> None:
    trial = b.Bounds("fast", RAMP, [(-1, 1)])
    trial.restrict(0, 2**101, upper=True)
    trial.restrict(0, -(2**101), upper=False)
    assert trial.neurons() == [(None, None)]
    trial.restrict(0, "1/3", upper=True)
    trial.restrict(0, "-1/3", upper=False)
    ((low, high),) = trial.neurons()
    assert low is not None and high is not None and low <= Fraction(-1, 3) and Fraction(1, 3) <= high


def test_every_bound_is_wider_than_one_rounding() -> None:
    # z = x0 + 2^-60 x1 is 1 + 2^-60 at most and at least; a double cannot tell it from 1.
    small = Fraction(1, 2**60)
    net = b.network(2, b.stage(True, {0: [[1, small]]}, [0]), b.stage(False, {1: [[1]]}, [0]))
    trial = b.Bounds("fast", net, [(1, 1), (1, 1)])
    trial.tighten()
    ((low, high),) = trial.neurons()
    assert low is not None and high is not None and low <= 1 + small <= high
    for sign in (1, -1):
        assert not trial.holds(b.form(outputs={0: sign}, constant=-sign * (1 + small)))
        assert not trial.holds(b.form(neurons={0: sign}, constant=-sign * (1 + small)))
        assert not trial.holds(b.form({0: sign, 1: sign * small}, constant=-sign * (1 + small)))


def test_results_do_not_depend_on_chunks_or_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(5)
    net, box = random_network(source, 3), random_box(source, 3)
    trials = [b.Bounds("fast", net, box) for _ in range(2)]
    engine = trials[0].engine
    work = TightenWork(trials[0].box, TIGHTEN_ALL)
    (alone,) = engine.tighten([(engine.root(), work)])
    monkeypatch.setattr(fast, "CHUNK_ELEMENTS", 1)
    monkeypatch.setattr(fast, "CLOSE_BATCH", 1)
    both = engine.tighten([(engine.root(), work)] * 2)
    for state in both:
        assert np.allclose(state.lower, alone.lower, rtol=0, atol=1e-9)
        assert np.allclose(state.upper, alone.upper, rtol=0, atol=1e-9)
    inputs_only, through = b.form({0: 1}, constant=100), b.form(outputs={0: 1}, constant=-(10**9))
    works = [
        (state, CloseWork(trials[0].box, claim, (), 0))
        for state in (alone, engine.root())
        for claim in (inputs_only, through)
    ]
    assert engine.hold(works) == [True, False, True, False]
