"""The exact engine: completeness once all phases are fixed, and the packed integer sums."""

import random
from fractions import Fraction

import pytest

from hybrid_ai.checker.packed import PackedVectors
from hybrid_ai.checker.rejected import Rejected
from tests.checker import build as b

# z0, z1 = x0 / 3 +- x1 / 7; y = max(z0, 0) + max(z1, 0) reaches 1/5 exactly on the box.
NET = b.network(
    2, b.stage(True, {0: [["1/3", "1/7"], ["1/3", "-1/7"]]}, [0, 0]), b.stage(False, {1: [[1, 1]]}, [0])
)
BOX = [("-3/10", "3/10"), ("-7/10", "7/10")]
ZERO = b.dyadic(0, 0)
PHASES = b.split_neuron(0, ZERO) + b.split_neuron(1, ZERO)
ROW = b.leaf(b"\0")
TREE = PHASES + ROW * 2 + b.split_neuron(1, ZERO) + ROW * 2


def reaches(limit: b.Number, strict: bool) -> b.Atom:
    return b.atom(outputs={0: -1}, constant=limit, strict=strict)


def test_a_bound_of_exactly_zero_needs_a_strict_row() -> None:
    assert b.judge("exact", NET, b.polytope(BOX, [[reaches("1/5", True)]]), TREE).leaves == 4
    for engine in b.ENGINES:
        with pytest.raises(Rejected, match="not shown"):
            b.judge(engine, NET, b.polytope(BOX, [[reaches("1/5", False)]]), TREE)
        below = Fraction(1, 5) - Fraction(1, 2**300)
        with pytest.raises(Rejected, match="not shown"):
            b.judge(engine, NET, b.polytope(BOX, [[reaches(below, True)]]), TREE)
    assert (
        b.judge(
            "exact", NET, b.polytope(BOX, [[reaches(Fraction(1, 5) + Fraction(1, 2**300), False)]]), TREE
        ).leaves
        == 4
    )
    assert b.judge("fast", NET, b.polytope(BOX, [[reaches("0.2000001", False)]]), TREE).leaves == 4


def test_input_constraints_with_multipliers() -> None:
    constraints = [b.atom({0: 1, 1: "3/7"}, constant="-3/10"), b.atom({0: 1, 1: "-3/7"}, constant="-3/10")]

    def tree(factor: b.Number) -> bytes:
        both = b.leaf(b.closing(1, b.terms((0, 1)), b.terms((0, factor), (1, factor))))
        one = [b.leaf(b.closing(1, b.terms((0, 1)), b.terms((i, "1/3")))) for i in (0, 1)]
        return PHASES + ROW + one[1] + b.split_neuron(1, ZERO) + one[0] + both

    def poly(*strict: bool) -> b.Polytope:
        listed = [
            b.Atom(a.inputs, a.outputs, a.constant, flag)
            for a, flag in zip(constraints, strict[1:], strict=True)
        ]
        return b.polytope([(-1, 1), ("-7/10", "7/10")], [[reaches("1/5", strict[0])]], listed)

    for strict in ((True, False, False), (False, True, False), (False, False, True)):
        assert b.judge("exact", NET, poly(*strict), tree("1/3")).leaves == 4
    with pytest.raises(Rejected, match="node 6"):
        b.judge("exact", NET, poly(False, False, False), tree("1/3"))
    with pytest.raises(Rejected, match="node 6"):
        b.judge("exact", NET, poly(True, False, False), tree("1/2"))


def test_assumptions_with_multipliers() -> None:
    eighth = b.dyadic(1, 3)
    poly = b.polytope([(-3, 3), (-7, 7)], [[reaches("1/4", True)]], [])
    used = b.leaf(b.closing(1, b.terms((0, 1)), assumptions=b.terms((0, 1), (1, 1), (3, "1/2"))))
    unused = b.leaf(b.closing(1, b.terms((0, 1)), assumptions=b.terms((0, 1), (3, "1/2"))))

    def node(last: bytes) -> b.Bounds:
        trial = b.Bounds("exact", NET, [(-3, 3), (-7, 7)])
        trial.tighten()
        for neuron in (0, 1):
            trial.restrict(neuron, "1/8", upper=True)
            trial.restrict(neuron, 0, upper=False)
        return trial

    claim = {0: Fraction(-1)}, {0: Fraction(1), 1: Fraction(1)}
    assert node(used).holds(b.form(outputs=claim[0], neurons=claim[1], strict=True))
    assert not node(used).holds(b.form(outputs=claim[0], neurons=claim[1]))
    assert not node(unused).holds(b.form(outputs=claim[0], neurons={0: 1}, constant="1/8", strict=True))
    assert poly.disjuncts and eighth


@pytest.mark.parametrize("scale", [Fraction(1), Fraction(1, 2**90), Fraction(1, 3**60), Fraction(2**80)])
def test_exact_bounds_keep_their_precision(scale: Fraction) -> None:
    net = b.network(1, b.stage(True, {0: [[scale]]}, [scale / 7]), b.stage(True, {1: [[1]]}, [-scale / 3]))
    trial = b.Bounds("exact", net, [(-1, "1/2")])
    trial.tighten()
    expected = [(-6 * scale / 7, 9 * scale / 14), (-scale / 3, 13 * scale / 42)]
    for (low, high), (exact_low, exact_high) in zip(trial.neurons(), expected, strict=True):
        assert low is not None and high is not None
        assert 0 <= exact_low - low <= scale / 2**38
        assert 0 <= high - exact_high <= scale / 2**38


@pytest.mark.parametrize("case", ["dyadic", "thirds", "tiny", "huge", "mixed", "overflow"])
def test_packed_sums(case: str) -> None:
    source = random.Random(case)
    numerators = {"huge": 2**90, "overflow": 2**40}.get(case, 1000)
    denominator = {
        "dyadic": 2**20,
        "thirds": 3,
        "tiny": 3 * 2**150,
        "huge": 1,
        "mixed": 2**70,
        "overflow": 7,
    }[case]
    vectors = [
        [Fraction(source.randint(-numerators, numerators), denominator) for _ in range(5)] for _ in range(4)
    ]
    packed = PackedVectors(vectors)
    assert packed.exact == (case in ("dyadic", "huge", "mixed"))
    for bits in (1, 44, 62, 100):
        for _ in range(20):
            indices = source.sample(range(4), source.randint(0, 4))
            factors = [source.randint(-(2**bits), 2**bits) for _ in indices]
            found, slack = packed.combine(indices, factors)
            for column, low in enumerate(found):
                true = sum(
                    (f * vectors[i][column] for i, f in zip(indices, factors, strict=True)), Fraction(0)
                )
                assert low <= true < low + slack
            assert slack <= 2 + sum(map(abs, factors)) // 2**64


def test_packed_sums_at_the_edge_of_a_slot() -> None:
    packed = PackedVectors([[Fraction(1), Fraction(-1), Fraction(1)]])
    for bits in range(58, 70):
        for factor in (2**bits, -(2**bits), 2**bits - 1, 1 - 2**bits):
            assert packed.combine([0], [factor]) == ([factor, -factor, factor], 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_backward_bounds_are_rounded_outward(sign: int) -> None:
    net = b.network(1, b.stage(True, {0: [[Fraction(sign, 2)]]}, [Fraction(-sign, 4)]))
    least = Fraction(1, 2**49)  # one step of this network's grid, of which z takes half
    trial = b.Bounds("exact", net, [(least, 1)])
    trial.tighten()
    ((low, high),) = trial.neurons()
    (end,), _ = b.forward(net, [least])
    assert low is not None and high is not None and low <= end <= high
