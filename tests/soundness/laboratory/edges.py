"""Families about edges: margins of zero, spikes and chaos."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from tests.soundness.laboratory.case import Case, decimal, make, prop
from tests.soundness.laboratory.graph import Graph, f32
from tests.soundness.laboratory.steps import outputs, read

LONG_ONE = "1.00000000000000001"  # one in float64


def _scaled(factor: float) -> bytes:
    graph = Graph(1)
    return graph.model(graph.multiply(graph.relu("x"), factor))


def _absolute(graph: Graph, source: str) -> str:
    both = graph.relu(graph.gemm(source, [[1.0], [-1.0]]))
    return graph.gemm(both, [[1.0, 1.0]])


def boundary() -> Iterator[Case]:
    """Margins of zero or nearly, inputs that no float holds."""
    family = "boundary"
    graph = Graph(1)
    absolute = graph.model(_absolute(graph, "x"))
    for unsafe, at in (("(<= Y_0 0)", [0]), ("(< Y_0 0)", None)):
        yield make(
            f"absolute value {unsafe}",
            family,
            absolute,
            prop([(-1, 1)], unsafe),
            "y = |x|, zero at zero",
            at=at,
            at32=((0.0,), "forward") if at else None,
        )
    for name, margin in (
        ("2^-60", decimal(2.0**-60)),
        ("1e-12", "0.000000000001"),
        ("an ulp", decimal(2.0**-23)),
    ):
        yield make(
            f"absolute value above -{name}",
            family,
            absolute,
            prop([(-1, 1)], f"(<= Y_0 -{margin})"),
            "y = |x| >= 0",
        )
        yield make(
            f"absolute value up to {name}",
            family,
            absolute,
            prop([(-1, 1)], f"(<= Y_0 {margin})"),
            "y = |x|, zero at zero",
            at=[0],
            at32=((0.0,), "forward"),
        )
    for factor, x, product, wrong32 in (
        (3, "0.1", "0.3", False),
        (7, "0.1", "0.7", True),
        (6, "0.1", "0.6", False),
    ):
        yield make(
            f"{factor} times {x} is {product}",
            family,
            _scaled(factor),
            prop([(x, x)], f"(<= Y_0 {product})"),
            "equal in decimals, greater in float64",
            at=[x],
            at32=((f32(0.1),), "forward") if wrong32 else None,
        )
    for first, second, total, unsafe, wrong32 in (
        ("0.1", "0.2", "0.3", "<=", False),
        ("0.1", "0.7", "0.8", ">=", True),
        ("0.2", "0.7", "0.9", ">=", False),
    ):
        graph = Graph(2)
        model = graph.model(graph.gemm(graph.relu("x"), [[1.0, 1.0]]))
        yield make(
            f"{first} plus {second} is {total}",
            family,
            model,
            prop([(first, first), (second, second)], f"({unsafe} Y_0 {total})"),
            "equal in decimals, beyond in float64",
            at=[first, second],
            at32=((f32(float(first)), f32(float(second))), "forward") if wrong32 else None,
        )
    for x, unsafe in (("0.1", "(> Y_0 0.1)"), ("0.7", "(< Y_0 0.7)")):
        yield make(
            f"pinned to {x}, {unsafe}",
            family,
            _scaled(1),
            prop([(x, x)], unsafe),
            "y = x, and fl(x) is not x",
            at32=((f32(float(x)),), "forward"),
        )
    for high in ("0.1", "0.100000000000000000001", "0.1000000001"):
        yield make(
            f"thin box up to {high}",
            family,
            _scaled(1),
            prop([("0.1", high)], "(>= Y_0 0.100000001)"),
            "y = x <= 0.1000000001, the only float32 it rounds to is above 0.1000000014",
            at32=((f32(0.1),), "onnxruntime"),
        )
    yield make(
        "long decimal beyond one",
        family,
        _scaled(1),
        prop([(0, LONG_ONE)], "(> Y_0 1)"),
        "y = x, which may be 1e-17 above one",
        at=[LONG_ONE],
    )
    graph = Graph(1)
    z = graph.relu(graph.add("x", -1.0))
    yield make(
        "long decimal, enlarged",
        family,
        graph.model(graph.multiply(z, 2.0**60)),
        prop([(0, LONG_ONE)], "(>= Y_0 1)"),
        "y = 2^60 relu(x - 1), up to 11 where x is 1e-17 above one",
        at=[LONG_ONE],
    )
    for unsafe, equal in (("(>= Y_0 (* 2 X_0))", [0.5]), ("(> Y_0 (* 2 X_0))", None)):
        yield make(
            f"outputs and inputs {unsafe}",
            family,
            _scaled(2),
            prop([(0, 1)], unsafe),
            "y = 2 x",
            at=equal,
            at32=((0.5,), "forward") if equal else None,
        )
    graph = Graph(1)
    two = graph.model(graph.gemm(graph.relu("x"), [[1.0], [-1.0]], [-0.5, 0.5]), outputs=2)
    yield make(
        "two conditions that touch",
        family,
        two,
        prop([(0, 1)], "(<= Y_0 0)", "(<= Y_1 0)", outputs=2),
        "y0 = x - 1/2 = -y1, both zero at 1/2",
        at=[0.5],
        at32=((0.5,), "forward"),
    )
    yield make(
        "two conditions that touch, one strict",
        family,
        two,
        prop([(0, 1)], "(<= Y_0 0)", "(< Y_1 0)", outputs=2),
        "y0 = x - 1/2 = -y1",
    )
    graph = Graph(2)
    model = graph.model(graph.gemm(graph.relu("x"), [[1.0, 1.0]]))
    yield make(
        "control, decimals with a margin",
        family,
        model,
        prop([("0.1", "0.1"), ("0.2", "0.2")], "(>= Y_0 0.30001)"),
        "0.1 + 0.2 in any arithmetic",
        safe32=True,
    )
    yield from _beside_a_middle(family)


def _beside_a_middle(family: str) -> Iterator[Case]:
    """A pinned input whose nearest double lies in the middle of two float32, where it itself does not."""
    read_as, beside = 1 + 2.0**-23, Fraction(1, 1 << 80)
    above, below = 1 + Fraction(1, 1 << 24) + beside, 1 + Fraction(3, 1 << 24) - beside
    for name, x, unsafe, fails in (
        ("above", above, "(<= Y_0 0.25)", False),
        ("above", above, "(>= Y_0 0.75)", True),
        ("below", below, "(>= Y_0 1.75)", False),
        ("below", below, "(<= Y_0 1.25)", True),
    ):
        graph = Graph(1)
        y = graph.relu(graph.gemm("x", [[2.0**23]], [-(2.0**23)]))
        yield make(
            f"just {name} the middle of two float32, unsafe {unsafe}",
            family,
            graph.model(y),
            prop([(x, x)], unsafe),
            "y = 2^23 (x - 1), near 1/2 or 3/2; x is read as 1 + 2^-23, so y is 1; rounded twice, 0 or 2",
            at32=((read_as,), "onnxruntime unoptimised") if fails else None,
        )


def spikes() -> Iterator[Case]:
    """Behaviour in a sliver of the input set, and deep chains that enlarge every error."""
    family = "spikes"
    centre = f32(1 / 3)
    for k in (20, 30):
        graph = Graph(1)
        distance = _absolute(graph, graph.add("x", -centre))
        y = graph.relu(graph.gemm(distance, [[-(2.0**k)]], [1.0]))
        model = graph.model(y)
        yield make(
            f"spike of width 2^-{k}",
            family,
            model,
            prop([(0, 1)], "(>= Y_0 0.5)"),
            "y = relu(1 - 2^k |x - c|), one at c",
            at=[centre],
            at32=((centre,), "forward"),
        )
        yield make(
            f"spike of width 2^-{k}, above it", family, model, prop([(0, 1)], "(>= Y_0 1.5)"), "y <= 1"
        )
    for pinned in (True, False):
        graph = Graph(1)
        middle = 2.0**-23
        z = graph.add(graph.relu(graph.add("x", 2.0**30)), -(2.0**30))
        distance = _absolute(graph, graph.add(z, -middle))
        y = graph.relu(graph.gemm(distance, [[-(2.0**30)]], [1.0]))
        width = 0.0 if pinned else 2.0**-40
        yield make(
            f"spike between the floats{' at a point' if pinned else ''}",
            family,
            graph.model(y),
            prop([(middle - width, middle + width)], "(>= Y_0 0.5)"),
            "y = relu(1 - 2^30 |x + 2^30 - 2^30 - c|), one at c, but x + 2^30 in float64 never hits c + 2^30",
            at=[middle],
        )
    for slope, depth, x, wrong32 in (
        (f32(1.9), 70, "0.1", 0),
        (f32(1.99), 80, "0.3", 0),
        (2.0, 60, "0.1", 1),
        (2.0, 70, "0.7", 1),
    ):
        yield from _tents(family, slope, depth, x, wrong32)
    graph = Graph(1)
    z = "x"
    for _ in range(30):
        z = graph.relu(graph.multiply(z, 1 + 2.0**-23))
    y = graph.multiply(graph.subtract(z, "x"), 2.0**18)
    yield make(
        "growth by an ulp",
        family,
        graph.model(y),
        prop([(0.5, 0.875)], "(>= Y_0 0.9)"),
        "y = 2^18 ((1 + 2^-23)^30 - 1) x <= 0.83; float32 rounds 1.53 ulps to two at every step",
        at32=((0.765625,), "forward"),
    )
    graph = Graph(1)
    z = "x"
    for factor in (1.25, 0.8125) * 6:
        z = graph.relu(graph.multiply(z, factor))
    yield make(
        "control, a deep chain",
        family,
        graph.model(z),
        prop([(-1, 1)], "(>= Y_0 1.1)"),
        "y = (65/64)^6 relu(x) <= 1.098",
        safe32=True,
    )


def _tents(family: str, slope: float, depth: int, x: str, wrong32: int) -> Iterator[Case]:
    """x -> slope min(x, 1 - x), `depth` times from one point: float64 ends somewhere else.

    Begun at the float32 number next to x, float64 violates the first of the two properties or the second.
    """
    graph = Graph(1)
    z = "x"
    for _ in range(depth):
        h = graph.relu(graph.gemm(z, [[1.0], [1.0]], [0.0, -0.5]))
        z = graph.gemm(h, [[slope, -2.0 * slope]])
    model = graph.model(z)
    point = float(x)
    for _ in range(depth):
        point = slope * max(point, 0.0) - 2.0 * slope * max(point - 0.5, 0.0)
    (end,) = outputs(read(model), [Fraction(x)])
    threshold = decimal(round((float(end) + point) / 2 * 1024) / 1024)
    toward = ">=" if end > Fraction(threshold) else "<="
    away = "<=" if toward == ">=" else ">="
    what = f"tent map of slope {slope:.2f}, {depth} times from {x}"
    why = "chaos: exact arithmetic and float64 end on different sides of the threshold"
    first = (f32(float(x)),), "double"
    yield make(
        what,
        family,
        model,
        prop([(x, x)], f"({toward} Y_0 {threshold})"),
        why,
        at=[x],
        at32=None if wrong32 else first,
    )
    yield make(
        f"{what}, other side",
        family,
        model,
        prop([(x, x)], f"({away} Y_0 {threshold})"),
        why,
        at32=first if wrong32 else None,
    )
