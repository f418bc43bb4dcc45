"""Families about the range of numbers and about constants: underflow, overflow, folding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from tests.soundness.laboratory.case import Case, make, prop
from tests.soundness.laboratory.graph import Graph, f32


def _chain(graph: Graph, factors: Sequence[float], *, relu: bool = False, start: str = "x") -> str:
    z = start
    for factor in factors:
        z = graph.multiply(z, factor)
        z = graph.relu(z) if relu else z
    return z


def underflow() -> Iterator[Case]:
    """Intermediate values are subnormal or below."""
    family = "underflow"
    tiny = 2.0**-100
    factors = (2.0**-60, 2.0**60, 2.0**100)
    graph = Graph(1)
    model = graph.model(_chain(graph, factors))
    yield make(
        "below the smallest float32",
        family,
        model,
        prop([(0, tiny)], "(>= Y_0 0.5)"),
        "y = 2^100 x by way of 2^-60 x, which float32 takes for zero",
        at=[tiny],
        at32=((tiny,), "double"),
    )
    yield make(
        "below the smallest float32, above",
        family,
        model,
        prop([(tiny / 2, tiny)], "(<= Y_0 0.25)"),
        "y = 2^100 x >= 0.5, in float32 zero",
        at32=((tiny,), "onnxruntime unoptimised"),
    )
    graph = Graph(1)
    y = _chain(graph, (2.0**127,))
    yield make(
        "subnormal input",
        family,
        graph.model(y),
        prop([(2.0**-130, 2.0**-127)], "(<= Y_0 0.0625)"),
        "y = 2^127 x >= 1/8, zero where subnormals are flushed",
        at32=((2.0**-130,), "flushed"),
    )
    for name, relu, up in (
        ("Mul", False, False),
        ("Relu", True, False),
        ("Mul", False, True),
        ("Relu", True, True),
    ):
        graph = Graph(1)
        down, back = [2.0**-126] * 9, [2.0**126] * 9
        y = _chain(graph, back + down if up else down + back, relu=relu)
        yield make(
            f"2^1134 {'up and down' if up else 'down and up'}, {name}",
            family,
            graph.model(y),
            prop([(0, 1)], "(>= Y_0 0.5)"),
            "y = x; nine factors of 2^126 leave the range of float64",
            at=[1],
            at32=((1.0,), "forward") if up else None,
        )
    graph = Graph(1)
    n = 4
    parts = graph.relu(graph.gemm("x", [[2.0**-149]] * n))
    y = _chain(graph, (2.0**127, 2.0**20), start=graph.gemm(parts, [[1.0] * n]))
    yield make(
        "ties at the smallest float32",
        family,
        graph.model(y),
        prop([(0.5, 1)], "(<= Y_0 0.0001)"),
        "y = 2^147 (4 2^-149 x) = x, at 1/2 every part is a tie that rounds to zero",
        at32=((0.5,), "forward"),
    )
    graph = Graph(1)
    y = _chain(graph, (2.0**127, 2.0**13), start=graph.gemm("x", [[2.0**-140]]))
    yield make(
        "subnormal weight",
        family,
        graph.model(y),
        prop([(0.5, 1)], "(<= Y_0 0.25)"),
        "y = 2^140 2^-140 x = x, zero where subnormals are flushed",
        at32=((1.0,), "flushed"),
    )
    graph = Graph(1)
    a = graph.relu(graph.gemm("x", [[2.0**-100]]))
    b = graph.relu(graph.gemm(a, [[2.0**-100]], [2.0**-149]))
    y = _chain(graph, (2.0**127, 2.0**23), start=b)
    yield make(
        "smallest bias",
        family,
        graph.model(y),
        prop([(0, 1)], "(>= Y_0 2.5)"),
        "y = 2^150 (2^-200 x + 2^-149) <= 2 + 2^-50; the two last factors folded are infinite",
        at32=((0.0,), "folded"),
    )
    graph = Graph(1)
    y = _chain(graph, (2.0**-20, 2.0**20, 3.0))
    yield make(
        "control, small numbers",
        family,
        graph.model(y),
        prop([(-1, 1)], "(>= Y_0 3.001)"),
        "y = 3 x by way of 2^-20 x",
        safe32=True,
    )


def overflow() -> Iterator[Case]:
    """Partial sums or products leave the range, the result is small."""
    family = "overflow"
    big = 2.0**127
    graph = Graph(1)
    copies = graph.relu(graph.gemm("x", [[1.0]] * 5))
    y = graph.gemm(copies, [[big, big, -big, -big, 1.0]])
    yield make(
        "partial sum infinite",
        family,
        graph.model(y),
        prop([(0, 1)], "(>= Y_0 2)"),
        "y = (2 - 2) 2^127 x + x = x, forward infinite",
        at32=((1.0,), "forward"),
    )
    graph = Graph(1)
    copies = graph.relu(graph.gemm("x", [[1.0]] * 5))
    y = graph.gemm(copies, [[1.0, big, big, -big, -big]])
    yield make(
        "lost beside 2^127",
        family,
        graph.model(y),
        prop([(1, 1)], "(>= Y_0 0.5)"),
        "y = x + (2 - 2) 2^127 x = x, forward zero",
        at=[1],
        at32=((1.0,), "forward"),
    )
    for k in (100, 120):
        graph = Graph(1)
        constants = graph.relu(graph.gemm("x", [[0.0]] * 2, [2.0**k] * 2))
        y = graph.gemm(graph.concat("x", constants), [[1.0, 4.0, -4.0]])
        yield make(
            f"lost beside constants 2^{k}",
            family,
            graph.model(y),
            prop([(0, 1)], "(>= Y_0 0.75)"),
            "y = x + C - C = x, forward zero",
            at=[1],
            at32=((1.0,), "backward"),
        )
    graph = Graph(1)
    y = _chain(graph, (2.0**100, 2.0**100, 2.0**-100, 2.0**-100))
    yield make(
        "product infinite",
        family,
        graph.model(y),
        prop([(0, 1)], "(>= Y_0 2)"),
        "y = 2^200 2^-200 x = x",
        at32=((1.0,), "onnxruntime unoptimised"),
    )
    graph = Graph(1)
    huge = _chain(graph, (2.0**100, 2.0**100))
    y = graph.subtract(huge, _chain(graph, (2.0**100, 2.0**100)))
    yield make(
        "infinity less infinity",
        family,
        graph.model(y),
        prop([(0, 1)], "(>= Y_0 1)"),
        "y = 2^200 x - 2^200 x = 0, undefined in float32",
    )
    graph = Graph(1)
    z = _chain(graph, (-(2.0**100), 2.0**100, 2.0**-100, 2.0**-100))
    y = graph.relu(graph.add(z, 2.0))
    yield make(
        "dead by minus infinity",
        family,
        graph.model(y),
        prop([(0, 1)], "(<= Y_0 0.5)"),
        "y = relu(2 - x) >= 1, in float32 relu(-inf) = 0",
        at32=((1.0,), "forward"),
    )
    graph = Graph(1)
    z = graph.clip(_chain(graph, (2.0**100, 2.0**20)), 0.0, 2.0**121)
    y = _chain(graph, (2.0**-100, 2.0**-20), start=graph.multiply(graph.multiply(z, 2.0**20), 2.0**-20))
    yield make(
        "infinite behind a Clip",
        family,
        graph.model(y),
        prop([(0, 1)], "(>= Y_0 1.5)"),
        "y = x, but 2^140 is no float32",
        at32=((1.0,), "forward"),
    )
    graph = Graph(1)
    top = f32(3.4028234663852886e38)
    ones = graph.relu(graph.gemm("x", [[0.0]] * 4, [1.0] * 4))
    y = graph.gemm(graph.concat("x", ones), [[1.0, top, top, -top, -top]])
    yield make(
        "the largest float32",
        family,
        graph.model(y),
        prop([(0.5, 1)], "(>= Y_0 1.5)"),
        "y = x + 2 top - 2 top = x, forward infinite",
        at32=((0.5,), "forward"),
    )
    graph = Graph(1)
    y = _chain(graph, (2.0**30, 2.0**20, 2.0**-40, 2.0**-10))
    yield make(
        "control, large numbers",
        family,
        graph.model(y),
        prop([(-1, 1)], "(>= Y_0 1.001)"),
        "y = x by way of 2^50 x",
        safe32=True,
    )


def folding() -> Iterator[Case]:
    """Constants that round when they are applied or folded."""
    family = "folding"
    for divisor in (41.0, 47.0, 55.0):
        graph = Graph(1)
        z = graph.multiply(graph.divide("x", divisor), divisor)
        y = graph.multiply(graph.subtract(z, "x"), 2.0**25)
        yield make(
            f"divide and multiply by {divisor:.0f}",
            family,
            graph.model(y),
            prop([(0.75, 1)], "(<= Y_0 -0.5)"),
            "y = 2^25 (x / d * d - x) = 0, in float32 not",
            at32=((1.0,), "forward"),
        )
    for unsafe, real in (("(<= Y_0 -0.5)", False), ("(>= Y_0 -0.5)", True)):
        graph = Graph(1)
        z = graph.multiply(graph.divide("x", 49.0), 49.0)
        y = graph.multiply(graph.subtract(z, "x"), 2.0**54)
        yield make(
            f"divide and multiply by 49 in float64, {unsafe}",
            family,
            graph.model(y),
            prop([(1, 1)], unsafe),
            "y = 2^54 (x / 49 * 49 - x) = 0, in float64 -2",
            at=[1] if real else None,
            at32=((1.0,), "forward" if real else "double"),
        )
    for seed, x in ((1, 0.75), (2, 0.75), (3, 0.875), (4, 0.75)):
        yield _long_product(family, seed, x)
    third = f32(1 / 3)
    graph = Graph(1)
    y = graph.multiply(graph.subtract(graph.gemm("x", [[3.0]], alpha=third), "x"), 2.0**25)
    yield make(
        "Gemm's alpha",
        family,
        graph.model(y),
        prop([(0.75, 1)], "(<= Y_0 0.25)"),
        "y = 2^25 (fl(1/3) 3 x - x) = x, as 3 fl(1/3) = 1 + 2^-25; in float32 it is 1",
        at32=((1.0,), "folded"),
    )
    graph = Graph(1)
    z = graph.gemm("x", [[1.0]], [3.0], beta=third)
    y = graph.multiply(graph.subtract(graph.subtract(z, "x"), 1.0), 2.0**25)
    yield make(
        "Gemm's beta",
        family,
        graph.model(y),
        prop([(0, 1)], "(<= Y_0 0.5)"),
        "y = 2^25 (x + 3 fl(1/3) - x - 1) = 1",
        at32=((1.0,), "forward"),
    )
    graph = Graph(1)
    z = graph.subtract(graph.divide("x", 3.0), graph.multiply("x", third))
    y = graph.multiply(z, 2.0**27)
    yield make(
        "a third two ways",
        family,
        graph.model(y),
        prop([(0.75, 1)], "(>= Y_0 -0.5)"),
        "y = 2^27 (x / 3 - fl(1/3) x) = -4/3 x, in float32 zero at one",
        at32=((1.0,), "forward"),
    )
    graph = Graph(1)
    z = "x"
    for _ in range(6):
        z = graph.divide(graph.multiply(z, f32(1.1)), f32(0.7))
    for _ in range(6):
        z = graph.divide(graph.multiply(z, f32(0.7)), f32(1.1))
    y = graph.multiply(graph.subtract(z, "x"), 2.0**20)
    yield make(
        "there and back",
        family,
        graph.model(y),
        prop([(0.5, 1)], "(>= Y_0 0.5)"),
        "y = 2^20 (x - x) by way of 24 factors, right in float32 to 2^-19 or so",
    )
    graph = Graph(1)
    y = graph.gemm(graph.divide(graph.multiply("x", 3.0), 5.0), [[5.0]], [0.25], alpha=0.5)
    yield make(
        "control with a margin",
        family,
        graph.model(y),
        prop([(-1, 1)], "(>= Y_0 1.7501)"),
        "y = 1.5 x + 0.25 <= 1.75",
        safe32=True,
    )


def _long_product(family: str, seed: int, x32: float) -> Case:
    """Three float32 factors against their product rounded to float64, as three float32 parts."""
    factors = [f32(1 + 0.1 * seed + 0.037 * k * k) for k in (1, 2, 3)]
    exact = Fraction(factors[0]) * Fraction(factors[1]) * Fraction(factors[2])
    rounded = factors[0] * factors[1] * factors[2]
    parts, rest = [], Fraction(rounded)
    for _ in range(3):
        parts.append(f32(float(rest)))
        rest -= Fraction(parts[-1])
    difference = exact - Fraction(rounded)
    # The power of two that brings the difference to [1, 2).
    scale = 2.0 ** (abs(difference).denominator.bit_length() - abs(difference).numerator.bit_length())
    graph = Graph(1)
    z = _chain(graph, factors)
    for part in parts:
        z = graph.subtract(z, graph.multiply("x", part))
    y = graph.multiply(z, scale if difference > 0 else -scale)
    return make(
        f"product of three, {seed}",
        family,
        graph.model(y),
        prop([(0.75, 1)], "(>= Y_0 0.5)"),
        "y = S (c1 c2 c3 - fl64(c1 c2 c3)) x with S such that it is above x / 2: about zero in float64",
        at=[1],
        at32=((x32,), "double"),
    )
