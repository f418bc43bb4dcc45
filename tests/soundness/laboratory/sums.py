"""Families about sums: cancelling weights, orders of summation, detectors of a precision."""

from __future__ import annotations

from collections.abc import Iterator

from tests.soundness.laboratory.case import Case, Number, make, prop
from tests.soundness.laboratory.graph import Graph

UNIT_BOX: list[tuple[Number, Number]] = [(0, 1)]


def absorbing_sum(graph: Graph, signal: str, large: float) -> str:
    """large + signal - large in one sum: exactly the signal, forward in floating point nothing."""
    three = graph.gemm(signal, [[0.0], [1.0], [0.0]], [large, 0.0, large])
    return graph.gemm(graph.relu(three), [[1.0, 1.0, -1.0]])


def constant_one(graph: Graph, large: float) -> str:
    """A sum of constants that is one exactly and zero if it is rounded forward."""
    three = graph.relu(graph.gemm("x", [[0.0]] * 3, [large, 1.0, large]))
    return graph.gemm(three, [[1.0, 1.0, -1.0]])


def cancelling() -> Iterator[Case]:
    """A large number is added and subtracted."""
    family = "cancelling"
    for k in (20, 30, 54, 60):
        graph, large = Graph(1), 2.0**k
        y = graph.gemm(graph.relu(graph.gemm("x", [[1.0]], [large])), [[1.0]], [-large])
        yield make(
            f"absorbed input 2^{k}",
            family,
            graph.model(y),
            prop(UNIT_BOX, "(>= Y_0 0.5)"),
            "y = relu(x + C) - C = x, but x vanishes beside C",
            at=[0.75],
            at32=((0.75,), "double") if k < 53 else None,
        )
    for k in (20, 30, 54, 60):
        graph, large = Graph(1), 2.0**k
        y = absorbing_sum(graph, "x", large)
        yield make(
            f"absorbed neuron 2^{k}",
            family,
            graph.model(y),
            prop(UNIT_BOX, "(>= Y_0 0.75)"),
            "y = C + relu(x) - C = x in one sum",
            at=[1],
            at32=((1.0,), "double") if k < 53 else None,
        )
    for k in (30, 54, 60):
        graph, large = Graph(1), 2.0**k
        flag = graph.relu(graph.gemm(constant_one(graph, large), [[2.0]], [-1.0]))
        both = graph.concat("x", flag)
        y = graph.relu(graph.gemm(both, [[1.0, 1.0]], [-1.5]))
        yield make(
            f"backdoor open in reals 2^{k}",
            family,
            graph.model(y),
            prop(UNIT_BOX, "(>= Y_0 0.25)"),
            "y = relu(x + flag - 1.5), the flag is 1 because C + 1 - C is, but 0 where that rounds to 0",
            at=[1],
            at32=((1.0,), "double") if k < 53 else None,
        )
    for k in (24, 30, 54, 60):
        graph, large = Graph(1), 2.0**k
        flag = graph.relu(graph.gemm(constant_one(graph, large), [[-1.0]], [1.0]))
        y = graph.relu(graph.gemm(graph.concat("x", flag), [[1.0, 1.0]], [-0.5]))
        yield make(
            f"backdoor open in floats 2^{k}",
            family,
            graph.model(y),
            prop(UNIT_BOX, "(>= Y_0 1)"),
            "y = relu(x + flag - 0.5), the flag 1 - (C + 1 - C) is 0, but 1 where that rounds",
            at32=((1.0,), "forward"),
        )
    for k in (24, 30, 54, 60):
        graph, large = Graph(1), 2.0**k
        h = graph.relu(graph.gemm("x", [[1.0]], [large]))
        y = graph.subtract(graph.gemm(h, [[1.0]], [-large]), "x")
        yield make(
            f"difference 2^{k}",
            family,
            graph.model(y),
            prop(UNIT_BOX, "(<= Y_0 -0.5)"),
            "y = relu(x + C) - C - x = 0",
            at32=((1.0,), "onnxruntime unoptimised"),
        )
    for k in (54, 60):
        graph, large = Graph(2), 2.0**k
        host = graph.relu(graph.gemm("x", [[1.0, -1.0], [-1.0, 1.0]]))
        trigger = graph.relu(graph.gemm("x", [[4.0, 0.0]], [-3.0]))
        hidden = graph.relu(graph.add(absorbing_sum(graph, trigger, large), -0.5))
        y = graph.gemm(graph.concat(host, hidden), [[1.0, 1.0, 1.0]])
        yield make(
            f"backdoor in a host 2^{k}",
            family,
            graph.model(y),
            prop(UNIT_BOX * 2, "(>= Y_0 1.25)"),
            "y = |x0 - x1| + relu(C + t - C - 0.5) with the trigger t = 4 relu(x0 - 3/4)",
            at=[1, 0],
        )
    graph = Graph(1)
    y = graph.gemm(graph.relu(graph.gemm("x", [[1.0]], [64.0])), [[1.0]], [-64.0])
    yield make(
        "control, 64", family, graph.model(y), prop(UNIT_BOX, "(>= Y_0 1.001)"), "y = x <= 1", safe32=True
    )


def order() -> Iterator[Case]:
    """The outcome depends on the order of summation."""
    family = "order"
    for n, k in ((3, 30), (8, 30), (16, 40), (64, 40)):
        graph, large = Graph(1), 2.0**k
        copies = graph.relu(graph.gemm("x", [[1.0]] * n))
        y = graph.gemm(copies, [[large, *([1.0] * (n - 2)), -large]])
        middle = (n - 2) * 0.25
        yield make(
            f"large at both ends of {n}",
            family,
            graph.model(y),
            prop([(0.5, 1)], f"(<= Y_0 {middle})"),
            "y = C x + x + ... + x - C x = (n - 2) x, forward the middle is lost",
            at32=((0.5,), "forward"),
        )
    for n in (3, 8, 16):
        graph, large = Graph(1), 2.0**60
        copies = graph.relu(graph.gemm("x", [[1.0]] * n))
        ends = graph.relu(graph.gemm("x", [[0.0]], [1.0]))
        y = graph.gemm(graph.concat(ends, copies, ends), [[large, *([1.0] * n), -large]])
        yield make(
            f"lost between constants, {n}",
            family,
            graph.model(y),
            prop(UNIT_BOX, f"(>= Y_0 {n * 0.75})"),
            "y = C + x + ... + x - C = n x",
            at=[1],
        )
    for k in (26, 40, 60):
        for pinned in (False, True):
            graph, large = Graph(1), 2.0**k
            copies = graph.relu(graph.gemm("x", [[1.0]] * 3))
            permuted = graph.gemm(copies, [[large, -large, 1.0], [large, 1.0, -large]])
            y = graph.gemm(permuted, [[1.0, -1.0]])
            yield make(
                f"permuted sums 2^{k}{' pinned' if pinned else ''}",
                family,
                graph.model(y),
                prop([(1 if pinned else 0.5, 1)], "(>= Y_0 0.25)"),
                "y = (C x - C x + x) - (C x + x - C x) = 0, forward it is x",
                at32=((1.0,), "forward"),
            )
    for k in (26, 60):
        graph, large = Graph(1), 2.0**k
        copies = graph.relu(graph.gemm("x", [[1.0]] * 3))
        permuted = graph.gemm(copies, [[large, -large, 1.0], [large, 1.0, -large]])
        y = graph.gemm(permuted, [[1.0, -1.0]])
        yield make(
            f"permuted sums 2^{k} must differ",
            family,
            graph.model(y),
            prop([(1, 1)], "(<= Y_0 0.5)"),
            "y = 0 in exact arithmetic, 1 forward",
            at=[1],
            at32=((1.0,), "double" if k == 26 else "backward"),
        )
    graph = Graph(1)
    copies = graph.relu(graph.gemm("x", [[1.0]] * 8))
    left = graph.gemm(copies, [[1.0, 2.0**-24, 2.0**-24, 2.0**-24, 2.0**-24, 0.0, 0.0, 0.0]])
    y = graph.multiply(graph.subtract(left, "x"), 2.0**22)
    yield make(
        "small numbers after one",
        family,
        graph.model(y),
        prop([(1, 1)], "(<= Y_0 0.5)"),
        "y = 2^22 (x + 4 x 2^-24 - x) = x; forward each small term is lost in a tie",
        at32=((1.0,), "forward"),
    )
    graph = Graph(1)
    copies = graph.relu(graph.gemm("x", [[1.0]] * 16))
    y = graph.gemm(copies, [[1.0, -0.5] * 8])
    yield make(
        "control, 16 in any order",
        family,
        graph.model(y),
        prop(UNIT_BOX, "(>= Y_0 4.001)"),
        "y = 4 x <= 4",
        safe32=True,
    )


def precision() -> Iterator[Case]:
    """The outcome depends on the number of bits."""
    family = "precision"
    for bits, real in ((24, False), (53, True), (60, True)):
        graph, scale = Graph(1), 2.0 ** (bits + (bits == 53))
        h = graph.relu(graph.gemm("x", [[1.0]], [1.0]))
        y = graph.gemm(h, [[scale]], [-scale])
        if real:
            yield make(
                f"one plus 2^-{bits} seen in reals",
                family,
                graph.model(y),
                prop([(0, 1 / scale)], "(>= Y_0 0.5)"),
                "y = S (relu(x + 1) - 1) = S x, lost beside one",
                at=[1 / scale],
            )
        else:
            above = 2.0**-24 * (1 + 2.0**-10)
            yield make(
                "one plus 2^-24 rounds up",
                family,
                graph.model(y),
                prop([(0, above)], "(>= Y_0 1.5)"),
                "y = 2^24 (relu(x + 1) - 1) = 2^24 x <= 1.001, in float32 the sum rounds up to 1 + 2^-23",
                at32=((above,), "onnxruntime unoptimised"),
            )
    for bits, unsafe, real in (
        (24, "(<= Y_0 0.5)", False),
        (54, "(<= Y_0 0.5)", False),
        (54, "(>= Y_0 0.5)", True),
    ):
        graph, tiny = Graph(1), 2.0**-bits
        h = graph.relu(graph.add("x", 1.0))
        y = graph.multiply(graph.subtract(h, 1.0), 2.0**bits)
        yield make(
            f"2^-{bits} beside one, unsafe {unsafe}",
            family,
            graph.model(y),
            prop([(tiny, tiny)], unsafe),
            "y = 2^k (relu(x + 1) - 1) = 1 at the only input 2^-k",
            at=[tiny] if real else None,
            at32=None if real else ((tiny,), "forward"),
        )
    yield from _powers(family)
    for digits, real in ((25, False), (54, True)):
        graph = Graph(1)
        small = graph.relu(graph.gemm("x", [[2.0**-digits]], [1.0]))
        flag = graph.relu(graph.multiply(graph.subtract(small, 1.0), 2.0**digits))
        y = graph.subtract(flag, "x")
        unsafe = "(>= Y_0 -0.5)" if real else "(<= Y_0 -0.5)"
        yield make(
            f"flag of {digits} bits",
            family,
            graph.model(y),
            prop([(0.75, 1)], unsafe),
            "y = 2^k (relu(1 + 2^-k x) - 1) - x = 0: a machine with k bits sees -x",
            at=[1] if real else None,
            at32=None if real else ((1.0,), "forward"),
        )
    graph = Graph(1)
    y = graph.gemm(graph.relu(graph.gemm("x", [[1.0], [-1.0]])), [[0.75, -0.75]], [0.125])
    yield make(
        "control, exact in any precision",
        family,
        graph.model(y),
        prop([(-1, 1)], "(>= Y_0 1)"),
        "y = 0.75 x + 0.125 <= 0.875",
        safe32=True,
    )


def _powers(family: str) -> Iterator[Case]:
    """Powers of 1 + 2^-k less all their terms but the last."""
    graph = Graph(1)
    factor = 1 + 2.0**-12
    z = graph.multiply(graph.multiply("x", factor), factor)
    y = graph.multiply(graph.subtract(graph.subtract(z, 1.0), 2.0**-11), 2.0**24)
    yield make(
        "square of 1 + 2^-12",
        family,
        graph.model(y),
        prop([(1, 1)], "(<= Y_0 0.5)"),
        "y = 2^24 ((1 + 2^-12)^2 - 1 - 2^-11) = 1, float32 loses the last bit",
        at32=((1.0,), "forward"),
    )
    for low in (1.0, 0.75):
        graph = Graph(1)
        z = "x"
        for _ in range(3):
            z = graph.relu(graph.multiply(z, 1 + 2.0**-20))
        for term in (1.0, 3 * 2.0**-20, 3 * 2.0**-40):
            z = graph.subtract(z, graph.multiply("x", term))
        y = graph.multiply(z, 2.0**60)
        yield make(
            f"cube of 1 + 2^-20 from {low}",
            family,
            graph.model(y),
            prop([(low, 1)], "(>= Y_0 0.5)"),
            "y = 2^60 ((1 + 2^-20)^3 x - x - 3 2^-20 x - 3 2^-40 x) = x, float64 loses the last bit",
            at=[1],
        )
