"""Lies about bounds: relaxations, intervals, errors and closings that claim more than is true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hybrid_ai.bounds import FlatNetwork
from hybrid_ai.bounds.arrays import Floats, Net
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.backends.reference import Bounded, Group, Lines, StageKind
from hybrid_ai.search import reference_node
from hybrid_ai.search.compiled.records import BY_PAIR, BY_ROW, PAIR_WEIGHTS
from tests.soundness.unsound_prover.problems import Falsehood
from tests.soundness.unsound_prover.prover import Lie, Patch

RELU = reference.STAGE_KINDS["relu"]
EXAGGERATION = 0.005
NEARLY = 1e-12
STEEP, NEGATIVE = 1.25, -0.25
WEIGHTS = range(8, PAIR_WEIGHTS, 8)


# ---- relaxations


def relaxation(kind: StageKind) -> Lie:
    """The prover takes this for what relu stages do."""
    kinds = {**reference.STAGE_KINDS, "relu": kind}
    return Lie(patches=lambda _: (Patch(reference, "STAGE_KINDS", kinds),))


def lines(change: Callable[[Lines, np.ndarray], Lines]) -> Lie:
    """The prover changes the lines of relu stages, given where the neurons are unstable."""

    def changed(lower: Floats, upper: Floats) -> Lines:
        return change(RELU.lines(lower, upper), RELU.loose(lower, upper))

    return relaxation(RELU._replace(lines=changed))


def lower_line_above() -> Lie:
    return lines(lambda true, loose: Lines(true.low_slope, true.low_slope, np.zeros_like(true.intercept)))


def intercept_too_small() -> Lie:
    return lines(lambda true, loose: true._replace(intercept=0.5 * true.intercept))


def slope_above_one() -> Lie:
    return lines(
        lambda true, loose: true._replace(
            low_slope=np.where(loose & (true.low_slope > 0.0), STEEP, true.low_slope)
        )
    )


def slope_below_zero() -> Lie:
    return lines(
        lambda true, loose: true._replace(
            low_slope=np.where(loose & (true.low_slope == 0.0), NEGATIVE, true.low_slope)
        )
    )


def seen_through(change: Callable[[Floats, Floats], tuple[Floats, Floats]]) -> Lie:
    """All that is known of a neuron comes from changed bounds."""
    return relaxation(
        StageKind(
            lambda lower, upper: RELU.lines(*change(lower, upper)),
            lambda lower, upper: RELU.output(*change(lower, upper)),
            lambda lower, upper: RELU.loose(*change(lower, upper)),
        )
    )


def seldom_active_is_off() -> Lie:
    return seen_through(lambda lower, upper: (lower, np.where(upper < -lower, np.minimum(upper, 0.0), upper)))


def seldom_inactive_is_on() -> Lie:
    return seen_through(
        lambda lower, upper: (np.where(-lower < 2.0 * upper, np.maximum(lower, 0.0), lower), upper)
    )


# ---- intervals and the network itself


def signs_forgotten() -> Lie:
    """An interval goes from the sources' lower ends to their upper ends, whatever the weights' signs."""
    honest = reference._interval

    def naive(net: Net, g: int, groups: list[Group]) -> reference._Interval | None:
        found = honest(net, g, groups)
        if found is None:
            return None
        middle = 0.5 * (found.lower + found.upper)
        spread = np.abs(
            sum(weights @ groups[source].radius for source, weights, _ in reference.blocks(net, g))
        )
        return found._replace(lower=middle - spread, upper=middle + spread)

    return Lie(patches=lambda _: (Patch(reference, "_interval", naive),))


def bias_dropped() -> Lie:
    """The first stage has none."""

    def without(flat: FlatNetwork) -> FlatNetwork:
        bias = flat.net.bias.copy()
        bias[reference.places(flat.net, 1)] = 0.0
        return replaced(flat, bias=bias)

    return Lie(network=without)


def replaced(flat: FlatNetwork, **arrays: Any) -> FlatNetwork:
    """The network with other arrays for its kernels."""
    rest = {name: value for name, value in vars(flat).items() if name != "net"}
    return FlatNetwork(net=flat.net._replace(**arrays), **rest)


# ---- errors and closings


def rows_seen(change: Callable[[list[Group], Bounded], Bounded]) -> Lie:
    """The prover changes what it found out about rows."""
    bound = reference.bound_rows

    def changed(net: Net, groups: list[Group], table: Floats, offsets: Floats) -> Bounded:
        return change(groups, bound(net, groups, table, offsets))

    return Lie(patches=lambda _: (Patch(reference_node, "bound_rows", changed),))


def margin_exaggerated() -> Lie:
    return rows_seen(
        lambda _, rows: rows._replace(value=rows.value + EXAGGERATION * (1 + np.abs(rows.constant)))
    )


def middle_for_corner() -> Lie:
    def at_middle(groups: list[Group], rows: Bounded) -> Bounded:
        box = groups[0]
        return rows._replace(value=rows.constant + rows.form[:, : box.middle.size] @ box.middle)

    return rows_seen(at_middle)


def zero_is_positive() -> Lie:
    """What is zero up to rounding closes, whether the atom is strict or not."""
    return rows_seen(lambda _, rows: rows._replace(lost=-4.0 * rows.lost))


def rounding_ignored() -> Lie:
    """All error terms of double precision are zero."""
    nothing = (Patch(reference, "UNIT", 0.0), Patch(reference, "TINY", 0.0))
    return Lie(network=lambda flat: replaced(flat, gamma=0.0), patches=lambda _: nothing)


def _shown(question: Any, groups: list[Group], parts: Sequence[tuple[int, float]]) -> bool:
    """Whether the rows with these factors, of either sign, sum up to something positive."""
    spec = question.spec
    table = sum(factor * spec.table[row] for row, factor in parts)
    offset = sum(factor * spec.offsets[row] for row, factor in parts)
    found = reference.bound_rows(question.net, groups, np.array([table]), np.array([offset]))
    return bool(found.value[0] > 2.0 * found.lost[0])


Invent = Callable[[Any, list[Group], int], list[int] | None]


def closing(invent: Invent) -> Lie:
    """What does not close a disjunct honestly is closed by an invention, written as in the log."""
    return Lie(patches=lambda _: (_closing_patch(invent),))


def _closing_patch(invent: Invent) -> Patch:
    honest = reference_node._closing

    def lied(question: Any, groups: list[Group], rows: Bounded, d: int) -> reference_node._Closing | None:
        found = honest(question, groups, rows, d)
        words = invent(question, groups, d) if found is None else None
        return found if words is None else reference_node._Closing(words, 1.0, 0.0)

    return Patch(reference_node, "_closing", lied)


def multiplier_sign() -> Lie:
    """A row that closes after a multiple of another has been taken away instead of added."""

    def invent(question: Any, groups: list[Group], d: int) -> list[int] | None:
        rows = reference_node.all_rows(question.spec, d)
        for p in rows:
            for q in range(p + 1, rows.stop):
                for w in WEIGHTS:
                    for signs in ((1, -1), (-1, 1)):
                        parts = [(p, signs[0] * w), (q, signs[1] * (PAIR_WEIGHTS - w))]
                        if _shown(question, groups, parts):
                            return [d, BY_PAIR, p, q, w]
        return None

    return closing(invent)


def row_of_another_disjunct() -> Lie:
    def invent(question: Any, groups: list[Group], d: int) -> list[int] | None:
        start = question.spec.row_start
        own = int(question.spec.own_end[d] - start[d])
        for other in range(start.shape[0] - 1):
            for local in range(min(own, int(question.spec.own_end[other] - start[other]))):
                if _shown(question, groups, [(int(start[other]) + local, 1.0)]):
                    return [d, BY_ROW, int(start[d]) + local]
        return None

    return closing(invent)


def disjunct_closed() -> Lie:
    """A disjunct that the witness violates counts as closed where there are others to be closed."""

    def patches(falsehood: Falsehood) -> tuple[Patch, ...]:
        x = np.array([float(value) for value in falsehood.witness])

        def invent(question: Any, groups: list[Group], d: int) -> list[int] | None:
            spec = question.spec
            values = spec.offsets + spec.table @ reference.forward_point(question.net, x)
            first, last = int(spec.row_start[d]), int(spec.row_start[d + 1])
            violated = bool(values[first:last].max() <= NEARLY)
            return [d, BY_ROW, first] if violated and spec.row_start.shape[0] > 2 else None

        return (_closing_patch(invent),)

    return Lie(patches=patches)
