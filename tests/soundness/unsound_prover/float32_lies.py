"""Lies about float32 executions."""

from __future__ import annotations

from dataclasses import replace

from hybrid_ai.bounds import Arithmetic, FlatNetwork
from hybrid_ai.bounds.arrays import Floats
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.backends.reference import Group, StageKind
from hybrid_ai.spec import InputPolytope
from tests.soundness.unsound_prover.bound_lies import replaced
from tests.soundness.unsound_prover.prover import Lie, Patch, as_read


def _scaled(roundings: float, gain: float) -> Lie:
    def scaled(flat: FlatNetwork) -> FlatNetwork:
        return replaced(flat, float32=flat.net.float32 * [roundings, gain])

    return Lie(network=scaled)


def deviation_dropped() -> Lie:
    return _scaled(0.0, 0.0)


def roundings_halved() -> Lie:
    return _scaled(0.5, 1.0)


def gain_dropped() -> Lie:
    return _scaled(1.0, 0.0)


def radius_for_magnitude() -> Lie:
    """The sizes |h| of what a stage reads are taken for half the widths of their intervals."""
    honest = reference._group

    def small(
        lower: Floats, upper: Floats, kind: StageKind, error: Floats, deviation: Floats
    ) -> Group | None:
        group = honest(lower, upper, kind, error, deviation)
        return group and group._replace(magnitude=group.radius)

    return Lie(patches=lambda _: (Patch(reference, "_group", small),))


def inputs_not_rounded() -> Lie:
    """The box is the property's own."""

    def read(polytope: InputPolytope, arithmetic: Arithmetic) -> InputPolytope:
        return replace(as_read(polytope, arithmetic), lower=polytope.lower, upper=polytope.upper)

    return Lie(read=read)


def constraints_not_relaxed() -> Lie:
    def read(polytope: InputPolytope, arithmetic: Arithmetic) -> InputPolytope:
        return replace(as_read(polytope, arithmetic), constraints=polytope.constraints)

    return Lie(read=read)


def real_renamed() -> Lie:
    """What was shown about real arithmetic is said of float32."""
    return Lie(believes="real")
