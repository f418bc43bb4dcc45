"""The rules of a tree: for each an accepted certificate and refused ones that differ in one thing."""

import random
from fractions import Fraction

import pytest

from hybrid_ai.checker import rules
from hybrid_ai.checker.grid import make_grid
from hybrid_ai.checker.rejected import Rejected
from tests.checker import build as b

# y = max(x0 + x1, 0) + max(x0 - x1, 0) on [-1, 1]^2, third input pinned: y <= 2, its bound is x0 + 2 <= 3.
NET = b.network(3, b.stage(True, {0: [[1, 1, 0], [1, -1, 0]]}, [0, 0]), b.stage(False, {1: [[1, 1]]}, [0]))
BOUNDS = [(-1, 1), (-1, 1), ("1/3", "1/3")]
HALF = 2**39  # the grid of [-1, 1] is 2^-39


def above(limit: b.Number, strict: bool = False) -> b.Atom:
    """y >= limit."""
    return b.atom(outputs={0: -1}, constant=limit, strict=strict)


WIDE, TIGHT, REACHED, NEVER = above("7/2"), above("5/2"), above("3/2"), b.atom(constant=3, outputs={0: 1})
ONE_ROW = b.polytope(BOUNDS, [[WIDE]])
MORE = b.polytope(
    BOUNDS, [[REACHED, WIDE], [NEVER]], [b.atom({0: 1, 1: 1}), b.atom({0: -1, 1: -1}, constant=1)]
)
EMPTY = b.closing(2, constraints=b.terms((0, 1), (1, 1)))  # x0 + x1 <= 0 and >= 1
EMPTY_1 = b.closing(1, constraints=b.terms((0, 1), (1, 1)))
OFF = b.closing(1, constraints=b.terms((0, 1)))


def cut_poly(*atoms: b.Atom) -> b.Polytope:
    return b.polytope(BOUNDS, [[TIGHT]], atoms)


# x0 <= 1/4 + x1/64: the slab x0 >= 1/2 can be cut off, after that y <= 5/2 is shown.
CUT_POLY = cut_poly(b.atom({0: 1, 1: "-1/64"}, constant="-1/4"))
# the same from below, for 2 x0 + 5/2 <= y
LOW_POLY = b.polytope(
    BOUNDS, [[b.atom({0: 2}, {0: -1}, constant="5/2")]], [b.atom({0: -1, 1: "1/64"}, constant="-1/4")]
)
SLIVER = b.split_at(0, -HALF + 2)
HOLDS = b.leaf(b"\0")
PHASES_POLY = b.polytope(BOUNDS, [[above("9/4")]])
# The first row holds for x0 < 1/2 and the second for x0 > -1/2.
SIDES_POLY = b.polytope(BOUNDS, [[b.atom({0: -1}, constant="1/2"), b.atom({0: 1}, constant="1/2")]])
HALVES_POLY = b.polytope(BOUNDS, [[b.atom({0: -1}, {0: -1}, constant="7/2")]])
# With q the form that is split at 1/2, the rows are q <= 3/8 and q >= 9/16.
NEURON_POLY = b.polytope(
    BOUNDS, [[b.atom({0: 1, 1: 1}, constant="-3/8"), b.atom({0: -1, 1: -1}, constant="9/16")]]
)
DIFFERENCE_POLY = b.polytope(BOUNDS, [[b.atom({1: 2}, constant="-3/8"), b.atom({1: -2}, constant="9/16")]])
SPLIT_NEURON, SPLIT_DIFFERENCE = b.split_neuron(0, b.dyadic(1, 1)), b.split_difference(0, 1, b.dyadic(1, 1))


def assuming(row: int, factor: b.Number = 1, assumption: int = 0) -> bytes:
    return b.leaf(b.closing(2, b.terms((row, 1)), assumptions=b.terms((assumption, factor))))


BALANCED_POLY = b.polytope(
    BOUNDS, [[b.atom({0: -1}, constant="1/2"), b.atom({0: 2}, constant="-3/4"), NEVER]]
)


def balanced(*pairs: tuple[int, b.Number]) -> bytes:
    return b.leaf(b.closing(3, b.terms(*pairs)))


ACCEPTED = [
    ("two rows", BALANCED_POLY, balanced((0, 2), (1, 1)), (1, 1, True)),
    ("leaf", ONE_ROW, HOLDS, (1, 1, True)),
    ("general closing", ONE_ROW, b.leaf(b.closing(1, b.terms((0, "1/3")))), (1, 1, True)),
    ("two disjuncts", MORE, b.leaf(b"\x01", b"\x00"), (1, 1, True)),
    ("row-free", MORE, b.leaf(EMPTY, EMPTY_1), (1, 1, False)),
    ("close", MORE, b.close(0, b"\x01") + b.close(1, b"\0") + b.leaf(), (1, 1, True)),
    ("close in the other order", MORE, b.close(1, b"\0") + b.leaf(b"\x01"), (1, 1, True)),
    (
        "closed below",
        MORE,
        b.close(0, b"\x01") + b.split(0) + b.leaf(b"\0") + b.close(1, b"\0") + b.leaf(),
        (3, 2, True),
    ),
    ("split", ONE_ROW, b.split(1) + HOLDS * 2, (3, 2, True)),
    ("first child first", SIDES_POLY, b.split(0) + b.leaf(b"\0") + b.leaf(b"\1"), (3, 2, True)),
    (
        "preorder",
        SIDES_POLY,
        b.split(0) + b.split(1) + b.leaf(b"\0") * 2 + b.split(1) + b.leaf(b"\1") * 2,
        (7, 4, True),
    ),
    ("split at first", ONE_ROW, b.split_at(0, -HALF + 1) + HOLDS * 2, (3, 2, True)),
    ("split at last", ONE_ROW, b.split_at(0, HALF - 1) + HOLDS * 2, (3, 2, True)),
    ("smallest split", ONE_ROW, SLIVER + b.split(0) + HOLDS * 3, (5, 3, True)),
    ("smallest cut", ONE_ROW, SLIVER + b.cut(0, 1, 32, b"\0") + HOLDS * 2, (3, 2, True)),
    ("cut", CUT_POLY, b.cut(0, 1, 41, OFF) + HOLDS, (1, 1, True)),
    ("cut after closing", ONE_ROW, b.close(0, b"\0") + b.cut(0, 1, 1) + b.leaf(), (1, 1, True)),
    ("cut below", LOW_POLY, b.cut(0, 0, 41, OFF) + HOLDS, (1, 1, True)),
    (
        "phases",
        PHASES_POLY,
        b.split_neuron(0, b.dyadic(0, 0)) + HOLDS + b.split_neuron(1, b.dyadic(0, 0)) + HOLDS * 2,
        (5, 3, True),
    ),
    ("split neuron", NEURON_POLY, SPLIT_NEURON + assuming(1) + assuming(0), (3, 2, True)),
    ("split difference", DIFFERENCE_POLY, SPLIT_DIFFERENCE + assuming(1) + assuming(0), (3, 2, True)),
    (
        "later assumption",
        NEURON_POLY,
        b.split_difference(0, 1, b.dyadic(0, 0)) + (SPLIT_NEURON + assuming(1, 1, 1) + assuming(0, 1, 1)) * 2,
        (7, 4, True),
    ),
    ("tighten", ONE_ROW, b.TIGHTEN + HOLDS, (1, 1, True)),
    ("tighten named", ONE_ROW, b.tighten([1], b.slopes((0, 7))) + HOLDS, (1, 1, True)),
]

REJECTED = [
    ("first row of two alone", BALANCED_POLY, balanced((0, 2)), "closing", "not shown", 0),
    ("second row of two alone", BALANCED_POLY, balanced((1, 1)), "closing", "not shown", 0),
    ("two rows, wrong multipliers", BALANCED_POLY, balanced((0, 1), (1, 1)), "closing", "not shown", 0),
    (
        "a row that holds spoilt by others",
        BALANCED_POLY,
        balanced((1, 10), (2, 1)),
        "closing",
        "not shown",
        0,
    ),
    (
        "a first row that holds spoilt by the next",
        b.polytope(BOUNDS, [[WIDE, b.atom(outputs={0: 1}, constant=-10)]]),
        b.leaf(b.closing(2, b.terms((0, 1), (1, 1)))),
        "closing",
        "not shown",
        0,
    ),
    ("closing", b.polytope(BOUNDS, [[REACHED]]), HOLDS, "closing", "not shown", 0),
    ("one row of two", MORE, b.leaf(b"\x00", b"\x00"), "closing", "not shown", 0),
    (
        "weak multipliers",
        MORE,
        b.leaf(b.closing(2, constraints=b.terms((0, 1), (1, "1/2"))), b"\0"),
        "closing",
        "shown",
        0,
    ),
    ("missing closing", MORE, b.leaf(b"\x01"), "truncated", "inside a step", 0),
    ("trailing byte", ONE_ROW, HOLDS + b"\x00", "tree-length", "1 bytes after", None),
    ("missing child", ONE_ROW, b.split(1) + HOLDS, "truncated", "inside a step", 2),
    (
        "closed twice",
        MORE,
        b.close(0, b"\x01") * 2 + b.leaf(b"\0"),
        "open",
        "disjunct 0 is already closed",
        0,
    ),
    ("closed above", MORE, b.close(1, b"\0") + b.split(0) + b.close(1, b"\0"), "open", "disjunct 1", 1),
    (
        "sibling is not closed",
        MORE,
        b.split(0) + b.close(0, b"\x01") + b.leaf(b"\0") + b.leaf(b"\0"),
        "truncated",
        "ins",
        2,
    ),
    ("second child fails", HALVES_POLY, b.split(0) + HOLDS * 2, "closing", "not shown", 2),
    ("first child fails", LOW_POLY, b.split(0) + HOLDS * 2, "closing", "not shown", 1),
    ("second child first", SIDES_POLY, b.split(0) + b.leaf(b"\1") + b.leaf(b"\0"), "closing", "not shown", 1),
    (
        "not in preorder",
        SIDES_POLY,
        b.split(0) + b.split(1) + b.leaf(b"\0") + b.split(1) + b.leaf(b"\0") + b.leaf(b"\1") * 2,
        "closing",
        "not shown",
        5,
    ),
    ("pinned split", ONE_ROW, b.split(2) + HOLDS * 2, "split-axis", "axis 2 is pinned", 0),
    ("pinned split at", ONE_ROW, b.split_at(2, 0) + HOLDS * 2, "split-axis", "axis 2 is pinned", 0),
    ("pinned cut", ONE_ROW, b.cut(2, 0, 1, b"\0") + HOLDS, "cut", "axis 2 is pinned", 0),
    ("split at the lower end", ONE_ROW, b.split_at(0, -HALF) + HOLDS * 2, "split-axis", "not inside", 0),
    ("split at the upper end", ONE_ROW, b.split_at(0, HALF) + HOLDS * 2, "split-axis", "not inside", 0),
    ("split of one step", ONE_ROW, b.split_at(0, -HALF + 1) + b.split(0), "split-axis", "not inside", 1),
    ("cut of one step", ONE_ROW, b.split_at(0, -HALF + 1) + b.cut(0, 1, 1, b"\0"), "cut", "not smaller", 1),
    ("cut keeps all", ONE_ROW, SLIVER + b.cut(0, 1, 33, b"\0"), "cut", "not smaller", 1),
    ("cut keeps all below", ONE_ROW, SLIVER + b.cut(0, 0, 33, b"\0"), "cut", "not smaller", 1),
    ("wrong side", CUT_POLY, b.cut(0, 0, 41, OFF) + HOLDS, "closing", "not shown", 0),
    ("slab too large", CUT_POLY, b.cut(0, 1, 40, OFF) + HOLDS, "closing", "not shown", 0),
    ("slab too small", CUT_POLY, b.cut(0, 1, 63, OFF) + HOLDS, "closing", "not shown", 0),
    ("no cut", CUT_POLY, HOLDS, "closing", "not shown", 0),
    ("no cut below", LOW_POLY, HOLDS, "closing", "not shown", 0),
    (
        "one phase missing",
        PHASES_POLY,
        b.split_neuron(0, b.dyadic(0, 0)) + HOLDS * 2,
        "closing",
        "not shown",
        2,
    ),
    (
        "no assumption used",
        NEURON_POLY,
        SPLIT_NEURON + b.leaf(b"\1") + assuming(0),
        "closing",
        "not shown",
        1,
    ),
    (
        "assumption of the sibling",
        NEURON_POLY,
        SPLIT_NEURON + assuming(0) + assuming(1),
        "closing",
        "not shown",
        1,
    ),
    ("second assumption", NEURON_POLY, SPLIT_NEURON + assuming(1) + assuming(1), "closing", "not shown", 2),
    ("multiplier", NEURON_POLY, SPLIT_NEURON + assuming(1, 2) + assuming(0), "closing", "not shown", 1),
    (
        "threshold too high",
        NEURON_POLY,
        b.split_neuron(0, b.dyadic(5, 3)) + assuming(1) + assuming(0),
        "closing",
        "not shown",
        1,
    ),
    (
        "threshold too low",
        NEURON_POLY,
        b.split_neuron(0, b.dyadic(1, 2)) + assuming(1) + assuming(0),
        "closing",
        "not shown",
        2,
    ),
    (
        "first difference",
        DIFFERENCE_POLY,
        SPLIT_DIFFERENCE + assuming(0) + assuming(0),
        "closing",
        "not shown",
        1,
    ),
    (
        "second difference",
        DIFFERENCE_POLY,
        SPLIT_DIFFERENCE + assuming(1) + assuming(1),
        "closing",
        "not shown",
        2,
    ),
    (
        "difference the other way",
        DIFFERENCE_POLY,
        b.split_difference(1, 0, b.dyadic(1, 1)) + assuming(1) + assuming(0),
        "closing",
        "not shown",
        1,
    ),
    (
        "assumption of another branch",
        NEURON_POLY,
        b.split(0) + SPLIT_NEURON + assuming(1) + assuming(0) + assuming(0),
        "index",
        "1 assumptions",
        4,
    ),
    (
        "difference with itself",
        ONE_ROW,
        b.split_difference(1, 1, b.dyadic(0, 0)) + HOLDS * 2,
        "split-difference",
        "neuron 1",
        0,
    ),
    (
        "no assumption yet",
        ONE_ROW,
        b.leaf(b.closing(1, assumptions=b.terms((0, 1)))),
        "index",
        "1 assumptions",
        0,
    ),
]


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize(
    ("poly", "tree", "tally"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED]
)
def test_accepted(engine: str, poly: b.Polytope, tree: bytes, tally: tuple[int, int, bool]) -> None:
    found = b.judge(engine, NET, poly, tree)
    assert (found.nodes, found.leaves, found.used_rows) == tally


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize(
    ("poly", "tree", "rule", "reason", "node"),
    [row[1:] for row in REJECTED],
    ids=[row[0] for row in REJECTED],
)
def test_rejected(
    engine: str, poly: b.Polytope, tree: bytes, rule: str, reason: str, node: int | None
) -> None:
    with pytest.raises(Rejected) as caught:
        b.judge(engine, NET, poly, tree)
    assert caught.value.rule == rule
    assert reason in caught.value.reason
    assert caught.value.where.startswith("tree 0" if node is None else f"tree 0, node {node}, byte 0x")


# ---- TIGHTEN and slopes

# p = x + 2 and q = x + 1 are never negative on [-1, 1]; z2 = p - q - 1/2 = 1/2 and z3 = -z2, which only
# backward bounds see; y0 = max(z2, 0), y1 = max(z3, 0).
DEEP = b.network(
    1, b.stage(True, {0: [[1], [1]]}, [2, 1]), b.stage(True, {1: [[1, -1], [-1, 1]]}, ["-1/2", "1/2"])
)
FIRST = b.polytope([(-1, 1)], [[b.atom(outputs={0: -1}, constant="3/4")]])
SECOND = b.polytope([(-1, 1)], [[b.atom(outputs={1: -1}, constant="1/2")]])
BOTH = b.polytope([(-1, 1)], [[b.atom(outputs={0: -1, 1: -1}, constant=1)]])
# y <= 2 follows once the box is cut at 9/32 and the bounds are computed again.
AGAIN_POLY = b.polytope(BOUNDS, [[above(2)]], CUT_POLY.constraints)
CUT = b.cut(0, 1, 41, OFF)

# h >= x / 2 - 1/1024 with h = max(x, 0): of the slopes in 128ths only 64 shows it.
RAMP = b.network(1, b.stage(True, {0: [[1]]}, [0]))
RAMP_POLY = b.polytope([(-1, "9/10")], [[b.atom({0: "-1/2"}, {0: 1}, constant="1/1024")]])


def sloped(*pairs: tuple[int, int]) -> bytes:
    return b.leaf(b.closing(1, b.terms((0, 1)), listed=b.slopes(*pairs)))


# z1 = h - x / 2 + 1/64 with h = max(x, 0) is positive, which the slope 1/2 shows; outputs max(z1, 0) and h.
LATE = b.network(
    1,
    b.stage(True, {0: [[1]]}, [0]),
    b.stage(True, {0: [["-1/2"]], 1: [[1]]}, ["1/64"]),
    b.stage(False, {1: [[0], [1]], 2: [[1], [0]]}, [0, 0]),
)
# max(z1, 0) < h - x / 2 + 1/32 holds where z1 >= 0 is known.
LATE_POLY = b.polytope([(-1, "9/10")], [[b.atom({0: "-1/2"}, {0: -1, 1: 1}, constant="1/32")]])

STEPS = [
    ("nothing is bounded", NET, ONE_ROW, HOLDS, False),
    ("bounded at once", NET, ONE_ROW, b.TIGHTEN + HOLDS, True),
    ("inputs alone need no bounds", NET, MORE, b.leaf(EMPTY, EMPTY_1), True),
    ("bounds come too late", NET, ONE_ROW, b.close(0, b"\0") + b.TIGHTEN + b.leaf(), False),
    ("children inherit", NET, ONE_ROW, b.TIGHTEN + b.split(0) + HOLDS * 2, True),
    ("siblings do not", NET, ONE_ROW, b.split(0) + b.TIGHTEN + HOLDS + HOLDS, False),
    ("each its own", NET, ONE_ROW, b.split(0) + (b.TIGHTEN + HOLDS) * 2, True),
    ("named first", DEEP, FIRST, b.tighten([2]) + HOLDS, True),
    ("named second", DEEP, SECOND, b.tighten([3]) + HOLDS, True),
    ("second not named", DEEP, SECOND, b.tighten([2]) + HOLDS, False),
    ("first not named", DEEP, FIRST, b.tighten([0, 1, 3]) + HOLDS, False),
    ("both named", DEEP, BOTH, b.tighten([2, 3]) + HOLDS, True),
    ("all", DEEP, BOTH, b.TIGHTEN + HOLDS, True),
    ("one after the other", DEEP, BOTH, b.tighten([2]) + b.tighten([3]) + HOLDS, True),
    (
        "intersected with those inherited",
        DEEP,
        BOTH,
        b.tighten([2]) + b.split(0) + (b.tighten([3]) + HOLDS) * 2,
        True,
    ),
    ("cut, then tightened", NET, AGAIN_POLY, b.TIGHTEN + CUT + b.TIGHTEN + HOLDS, True),
    ("tightened, then cut", NET, AGAIN_POLY, b.TIGHTEN * 2 + CUT + HOLDS, False),
    ("slope 1/2", RAMP, RAMP_POLY, b.TIGHTEN + sloped((0, 64)), True),
    ("slope 63/128", RAMP, RAMP_POLY, b.TIGHTEN + sloped((0, 63)), False),
    ("slope 65/128", RAMP, RAMP_POLY, b.TIGHTEN + sloped((0, 65)), False),
    ("slope 0", RAMP, RAMP_POLY, b.TIGHTEN + sloped((0, 0)), False),
    ("slope 1", RAMP, RAMP_POLY, b.TIGHTEN + sloped((0, 128)), False),
    ("default slope", RAMP, RAMP_POLY, b.TIGHTEN + HOLDS, False),
    ("slope of TIGHTEN is not kept", RAMP, RAMP_POLY, b.tighten([0], b.slopes((0, 64))) + HOLDS, False),
    ("slope in TIGHTEN", LATE, LATE_POLY, b.tighten([1], b.slopes((0, 64))) + HOLDS, True),
    ("no slope in TIGHTEN", LATE, LATE_POLY, b.tighten([1]) + HOLDS, False),
    ("slope of the wrong neuron", LATE, LATE_POLY, b.tighten([1], b.slopes((1, 64))) + HOLDS, False),
]


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize(
    ("net", "poly", "tree", "holds"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS]
)
def test_steps(engine: str, net: b.Network, poly: b.Polytope, tree: bytes, holds: bool) -> None:
    if holds:
        assert b.judge(engine, net, poly, tree, tighten_first=False).nodes >= 1
    else:
        with pytest.raises(Rejected, match="not shown"):
            b.judge(engine, net, poly, tree, tighten_first=False)


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize(
    ("bounds", "claim", "closing", "failing"),
    [
        ((1, 2), b.atom(outputs={0: 1}, constant="-1/2"), 128, 0),
        ((0, 2), b.atom({0: -1}, {0: 1}, constant="1/2"), 128, 0),
        ((-2, -1), b.atom(outputs={0: 1}, constant="1/4"), 0, 128),
        ((-2, 0), b.atom(outputs={0: 1}, constant="1/4"), 0, 128),
    ],
)
def test_listed_slopes_count_for_stable_neurons(
    engine: str, bounds: tuple[int, int], claim: b.Atom, closing: int, failing: int
) -> None:
    """Else a bound that is zero but for rounding would decide, and the engines would differ."""
    poly = b.polytope([bounds], [[claim]])
    assert b.judge(engine, RAMP, poly, sloped((0, closing))).leaves == 1
    with pytest.raises(Rejected, match="not shown"):
        b.judge(engine, RAMP, poly, sloped((0, failing)))


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize(("bounds", "constant"), [((1, 2), "9/4"), ((-2, -1), "1/4")])
def test_listed_slopes_leave_upper_lines_of_stable_neurons(
    engine: str, bounds: tuple[int, int], constant: str
) -> None:
    """-h is bounded by the exact line, whatever is listed."""
    poly = b.polytope([bounds], [[b.atom(outputs={0: -1}, constant=constant)]])
    for value in (0, 64, 128):
        assert b.judge(engine, RAMP, poly, sloped((0, value))).leaves == 1


@pytest.mark.parametrize("engine", b.ALL_ENGINES)
@pytest.mark.parametrize(("upper", "holds"), [("63/64", True), ("62/64", False)])
def test_default_slope_threshold(engine: str, upper: str, holds: bool) -> None:
    poly = b.polytope([(-1, upper)], [[b.atom({0: -1}, {0: 1}, constant="1/64")]])
    trial = b.Bounds(engine, RAMP, [(-1, upper)])
    trial.tighten()
    # With slope 1 h - x + c >= c, with slope 0 it is c - U.
    assert trial.holds(b.form({0: -1}, {0: 1}, constant="1/64")) is holds
    assert trial.holds(b.form({0: -1}, {0: 1}, constant="1/64"), ((0, 128),))
    assert poly.lower == (Fraction(-1),)


# ---- larger trees


def sides_tree(source: random.Random, bounds: tuple[int, int], depth: int, rows: list[int]) -> bytes:
    """A random tree for SIDES_POLY; appends the row of each leaf."""
    low, high = bounds
    if depth == 0 or source.random() < 0.2:
        if high <= 0 or low >= 0:
            rows.append(0 if high <= 0 else 1)
            return b.leaf(bytes([rows[-1]]))
        middle = 0
        tree = b.split_at(0, middle)
    elif source.random() < 0.5:
        middle = (low + high) // 2
        tree = b.split(0)
    else:
        inner = sides_tree(source, bounds, depth - 1, rows)
        return b.split(1) + inner + sides_tree(source, bounds, depth - 1, rows)
    first = sides_tree(source, (low, middle), max(depth - 1, 0), rows)
    return tree + first + sides_tree(source, (middle, high), max(depth - 1, 0), rows)


@pytest.mark.parametrize(("window", "batch", "works"), [(4096, 256, 9999), (3, 2, 9), (1, 1, 9), (7, 100, 4)])
def test_windows_do_not_matter(monkeypatch: pytest.MonkeyPatch, window: int, batch: int, works: int) -> None:
    monkeypatch.setattr(rules, "WINDOW", window)
    monkeypatch.setattr(rules, "WINDOW_WORKS", works)
    monkeypatch.setattr(rules, "BATCH", batch)
    for seed in range(6):
        rows: list[int] = []
        tree = sides_tree(random.Random(seed), (-HALF, HALF), 4, rows)
        tally = b.judge("exact", RAMP_3, SIDES_POLY, tree)
        assert (tally.leaves, tally.nodes) == (len(rows), 2 * len(rows) - 1)
        wrong = tree[:-1] + bytes([1 - tree[-1]])
        with pytest.raises(Rejected) as caught:
            b.judge("exact", RAMP_3, SIDES_POLY, wrong)
        assert caught.value.where == f"tree 0, node {tally.nodes - 1}, byte 0x{len(tree) - 2:x}"


RAMP_3 = b.network(3, b.stage(True, {0: [[1, 0, 0]]}, [0]))


def test_depth_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_DEPTH", 2)
    assert b.judge("exact", NET, ONE_ROW, b.split(0) * 2 + HOLDS * 3).nodes == 5
    with pytest.raises(Rejected, match="depth: tree 0, node 2, byte 0x2: the tree is deeper than 2"):
        b.judge("exact", NET, ONE_ROW, b.split(0) * 3 + HOLDS * 4)


def test_works_of_a_node_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_WORKS", 4)
    assert b.judge("exact", NET, ONE_ROW, b.TIGHTEN * 3 + HOLDS).nodes == 1
    with pytest.raises(Rejected, match="steps: tree 0, node 0, byte 0x4: more than 4"):
        b.judge("exact", NET, ONE_ROW, b.TIGHTEN * 4 + HOLDS)


def test_deep_trees_do_not_recurse() -> None:
    chain = b.split_neuron(0, b.dyadic(0, 0)) * 1999
    assert (
        b.judge(
            "exact",
            RAMP_3,
            SIDES_POLY,
            b.split(0) + chain + b.leaf(b"\0") * 2000 + b.leaf(b"\1"),
            tighten_first=False,
        ).nodes
        == 4001
    )


# ---- the grid


@pytest.mark.parametrize(
    ("low", "high", "exponent", "root"),
    [
        (-1, 1, -39, (-HALF, HALF)),
        (0, 1, -40, (0, 2**40)),
        ("0", "3/2", -40, (0, 3 * 2**39)),
        (1000, 1001, -40, (1000 * 2**40, 1001 * 2**40)),
        (2**20, 2**20 + 1, -30, (2**50, 2**50 + 2**30)),
        (-(2**20) - 1, -(2**20), -30, (-(2**50) - 2**30, -(2**50))),
        ("1/3", "2/3", -42, (2**42 // 3, 2**43 // 3 + 1)),
        (5, 5, None, (0, 0)),
    ],
)
def test_grid(low: b.Number, high: b.Number, exponent: int | None, root: tuple[int, int]) -> None:
    grid = make_grid((Fraction(low),), (Fraction(high),))
    assert (grid.exponents, grid.root()) == ((exponent,), (root,))
    assert grid.bounds(grid.root()) == [(Fraction(low), Fraction(high))]


def test_grid_inside() -> None:
    grid = make_grid((Fraction(1, 3),), (Fraction(2, 3),))
    a, b_ = grid.root()[0]
    step = Fraction(1, 2**42)
    assert grid.bounds(((a + 1, b_ - 1),)) == [((a + 1) * step, (b_ - 1) * step)]
