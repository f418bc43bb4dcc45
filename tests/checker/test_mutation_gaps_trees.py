"""Trees and bytes once more, where a small mistake in the rules would let a wrong certificate through."""

from fractions import Fraction

import pytest

from hybrid_ai.checker import decode, grid, rules
from hybrid_ai.checker.decode import Reader
from hybrid_ai.checker.rejected import Rejected
from tests.checker import build as b
from tests.checker.test_rules import (
    BOUNDS,
    EMPTY_1,
    HALF,
    HOLDS,
    MORE,
    NET,
    ONE_ROW,
    PHASES_POLY,
)

ZERO = b.dyadic(0, 0)
# Unsafe where x0 >= 0, or where x0 <= -1/4: no box is without an unsafe point.
SLABS_POLY = b.polytope(BOUNDS, [[b.atom({0: -1}), b.atom({0: 1}, constant="1/4")]])
MIRRORED_POLY = b.polytope(BOUNDS, [[b.atom({0: 1}), b.atom({0: -1}, constant="1/4")]])
IDENTITY = b.network(1, b.stage(True, {0: [[1]]}, [0]))


def refused(
    engine: str, net: b.Network, poly: b.Polytope, tree: bytes, rule: str, node: int, first: bool = True
) -> None:
    with pytest.raises(Rejected) as caught:
        b.judge(engine, net, poly, tree, tighten_first=first)
    assert (caught.value.rule, caught.value.where.split(", byte")[0]) == (rule, f"tree 0, node {node}")


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_a_difference_bounds_neither_neuron(engine: str) -> None:
    # z0 <= z1 is not z0 <= 0: at x = (1, 0) both are 1; y <= 3 is all that is known.
    refused(engine, NET, PHASES_POLY, b.split_difference(0, 1, ZERO) + HOLDS * 2, "closing", 1)
    refused(engine, NET, PHASES_POLY, b.split_difference(1, 0, ZERO) + HOLDS * 2, "closing", 1)


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize(("poly", "side"), [(SLABS_POLY, 0), (MIRRORED_POLY, 1)])
def test_a_cut_keeps_all_of_the_rest(engine: str, poly: b.Polytope, side: int) -> None:
    # The slab |x0| > 1/2 is closed by the first row; the second holds at the far end of the rest only.
    refused(engine, NET, poly, b.cut(0, side, 48, b"\0") + b.leaf(b"\1"), "closing", 0)
    third = b.split_at(1, 0) + b.leaf(b"\1") * 2
    refused(engine, NET, poly, b.cut(0, side, 48, b"\0") + third, "closing", 1)


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_children_share_their_border(engine: str) -> None:
    # x0 >= 0 and x0 <= 0 are both unsafe: the border of any split is not covered by either row.
    poly = b.polytope(BOUNDS, [[b.atom({0: -1}), b.atom({0: 1})]])
    refused(engine, NET, poly, b.split_at(0, 0) + b.leaf(b"\0") + b.leaf(b"\1"), "closing", 1)
    refused(engine, NET, poly, b.split(0) + b.leaf(b"\0") + b.leaf(b"\1"), "closing", 1)


@pytest.mark.parametrize("upper", [True, False])
def test_a_phase_is_closed_only_strictly_beyond_the_threshold(upper: bool) -> None:
    # F is exactly 0 with the assumption: not enough unless a strict row takes part.
    row = b.atom({0: -1 if upper else 1}, constant="1/2" if upper else "-1/2")
    poly = b.polytope([(-1, 1)], [[row, b.atom(constant=1)]])
    zero = b.leaf(b.closing(2, b.terms((0, 1)), assumptions=b.terms((0, 1))))
    shown = b.leaf(b"\1")
    tree = b.split_neuron(0, b.dyadic(1, 1)) + (zero + shown if upper else shown + zero)
    refused("exact", IDENTITY, poly, tree, "closing", 1 if upper else 2)


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_midpoints_are_rounded_down(engine: str) -> None:
    # [a, a + 3] is split at a + 1: the first child is one step wide, the second two.
    start = b.split_at(0, -HALF + 3) + b.split(0)
    refused(engine, NET, ONE_ROW, start + b.split(0) + HOLDS * 4, "split-axis", 2)
    assert b.judge(engine, NET, ONE_ROW, start + HOLDS + b.split(0) + HOLDS * 3).nodes == 7


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_rows_are_used_when_any_closing_uses_them(engine: str) -> None:
    assert b.judge(engine, NET, MORE, b.leaf(b"\1", EMPTY_1)).used_rows
    split = (
        b.split(0)
        + b.leaf(b"\1", EMPTY_1)
        + b.leaf(b.closing(2, constraints=b.terms((0, 1), (1, 1))), EMPTY_1)
    )
    assert b.judge(engine, NET, MORE, split).used_rows


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize(("window", "batch"), [(4096, 256), (4096, 1), (2, 1), (1, 1), (3, 2)])
def test_bounds_are_inherited_in_any_window(
    engine: str, window: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "WINDOW", window)
    monkeypatch.setattr(rules, "BATCH", batch)
    inner = b.TIGHTEN + b.split(1) + HOLDS * 2
    assert b.judge(engine, NET, ONE_ROW, b.split(0) + inner * 2, tighten_first=False).nodes == 7
    refused(engine, NET, ONE_ROW, b.split(0) + inner + b.split(1) + HOLDS * 2, "closing", 5, first=False)
    # the phase of a neuron is inherited by grandchildren and by nobody else
    phase = b.split_neuron(0, ZERO) + b.split(0) + HOLDS * 2
    tree = phase + b.split_neuron(1, ZERO) + b.split(0) + HOLDS * 3
    assert b.judge(engine, NET, PHASES_POLY, tree).nodes == 9
    refused(engine, NET, PHASES_POLY, phase + b.split(1) + HOLDS * 2, "closing", 5)


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
def test_a_child_does_not_open_or_share_what_its_sibling_closed(engine: str) -> None:
    tree = b.split(0) + b.close(1, b"\0") + b.close(0, b"\1") + b.leaf() + b.leaf(b"\1", b"\0")
    assert b.judge(engine, NET, MORE, tree).leaves == 2
    refused(engine, NET, MORE, b.close(0, b"\1") * 2 + b.leaf(b"\0"), "open", 0)
    refused(engine, NET, MORE, b.close(1, b"\0") + b.close(0, b"\1") + b.close(1, b"\0"), "open", 0)


def test_numbers_of_the_format_page() -> None:
    assert (rules.MAX_DEPTH, rules.MAX_WORKS) == (2_000, 1_000_000)
    assert (decode.HEADER_BYTES, decode.MAX_COUNT, decode.MAX_TERM_BITS) == (75, 2**63, 4096)
    assert (decode.MAX_DYADIC_EXPONENT, decode.MAX_TREE_BYTES) == (1000, 2**28)
    assert (decode.SLOPE_ONE, decode.CUT_DENOMINATOR) == (128, 64)
    assert (grid.WIDTH_BITS, grid.MAGNITUDE_BITS) == (40, 50)


def test_integers_at_their_limits() -> None:
    def reader(data: bytes) -> Reader:
        return Reader(data, 0, len(data), "")

    assert reader(b.u(2**63 - 1)).unsigned() == 2**63 - 1
    assert reader(b.u(2**4096 - 1)).wide() == 2**4096 - 1
    assert reader(b.u(127) + b.u(128) + b.u(16384)).byte() == 127
    for number in (0, 1, 127, 128, 16383, 16384, 2**63):
        assert reader(b.u(number)).wide() == number
    for data in (b.u(2**4096), b"\x80\x00", b"\xff\x00", b"\x80\x80\x00"):
        with pytest.raises(Rejected, match="varint"):
            reader(data).wide()
    with pytest.raises(Rejected, match="varint"):
        reader(b.u(2**63)).unsigned()
    assert reader(b.u(4) + b.u(6)).rational() == Fraction(2, 3)
    assert reader(b.dyadic(-5, 3)).dyadic() == Fraction(-5, 8)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_neurons_repeat_nowhere(count: int) -> None:
    scope = decode.Scope(1, 9, (1,), 0)
    for first in (0, 4):
        data = b"\x54" + b.u(count + 1) + b.u(first) + b"\1" * (count - 1) + b"\0" + b"\0"
        with pytest.raises(Rejected) as caught:
            Reader(data, 0, len(data), "").step((0,), 0, scope)
        assert caught.value.rule == "order"


def test_a_reader_stays_within_its_tree() -> None:
    reader = Reader(b"\x50\x00\x07", 0, 2, "")
    assert (reader.byte(), reader.byte()) == (0x50, 0)
    with pytest.raises(Rejected, match="truncated"):
        reader.byte()


@pytest.mark.parametrize("value", ["1/3", "1", "4/3", "2", "1023/1024", "1024", "1/1024", "3/1024"])
def test_binary_logarithms(value: str) -> None:
    number = Fraction(value)
    found = grid.ilog2(number)
    assert grid.power_of_two(found) <= number < grid.power_of_two(found + 1)


def test_coordinates_outside_the_root_mean_the_root() -> None:
    found = grid.make_grid((Fraction(1, 3),), (Fraction(2, 3),))
    assert found.bounds(((-(2**60), 2**60),)) == [(Fraction(1, 3), Fraction(2, 3))]
    wide = grid.make_grid((Fraction(-3), Fraction(0)), (Fraction(1), Fraction(7)))
    assert wide.exponents == (-38, -38)
    assert grid.make_grid((Fraction(2**30),), (Fraction(2**30) + 1,)).exponents == (-20,)
    assert grid.make_grid((Fraction(-(2**30)) - 1,), (Fraction(-(2**30)),)).exponents == (-20,)
    assert grid.make_grid((Fraction(-(2**30)),), (Fraction(-(2**30)) + 1,)).exponents == (-20,)
    assert grid.make_grid((Fraction(2**30) - 1,), (Fraction(2**30),)).exponents == (-20,)


def test_lists_are_compared_with_their_last_entry() -> None:
    scope = decode.Scope(1, 9, (3,), 0)

    def read(data: bytes) -> decode.Step:
        return Reader(data, 0, len(data), "").step((0,), 0, scope)

    listed = ((1, 7), (2, 8), (5, 9))
    step = read(b.leaf(b.closing(3, b.terms((0, 1), (1, 1), (2, 1)), listed=b.slopes(*listed))))
    assert isinstance(step, decode.Leaf)
    assert [index for index, _ in step.closings[0].rows] == [0, 1, 2]
    assert step.closings[0].slopes == listed
    assert read(b.tighten([1, 2, 5, 8])) == decode.Tighten(frozenset({1, 2, 5, 8}), ())
    for order in ((0, 2, 1), (0, 2, 2), (1, 2, 0)):
        with pytest.raises(Rejected, match="order"):
            read(b.leaf(b.closing(3, b.terms(*((index, 1) for index in order)))))
