"""The ways in which the prover is made unsound, and the false properties that each is asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.soundness.unsound_prover import bound_lies, float32_lies, reading_lies, tree_lies
from tests.soundness.unsound_prover.float32_problems import (
    computed,
    drifting,
    rounded_across,
    rounded_outwards,
    underflowing,
)
from tests.soundness.unsound_prover.problems import (
    Falsehood,
    attained,
    cancelling,
    false,
    false_in_the_reals,
)
from tests.soundness.unsound_prover.prover import Lie, claim

Ask = Callable[[int], Falsehood | None]
Claim = Callable[[Falsehood], bytes | None]


@dataclass(frozen=True)
class Way:
    """A name, the false property with each number, and the certificate that the unsound prover claims."""

    name: str
    ask: Ask
    claim: Claim


def _lying(name: str, lie: Lie, ask: Ask = false) -> Way:
    return Way(name, ask, lambda falsehood: claim(falsehood, lie))


WAYS = (
    _lying("lower line used above", bound_lies.lower_line_above()),
    _lying("chord intercept too small", bound_lies.intercept_too_small()),
    _lying("lower slope above one", bound_lies.slope_above_one()),
    _lying("lower slope below zero", bound_lies.slope_below_zero()),
    _lying("seldom active neuron taken for off", bound_lies.seldom_active_is_off()),
    _lying("seldom inactive neuron taken for on", bound_lies.seldom_inactive_is_on()),
    _lying("interval ends without the weights' signs", bound_lies.signs_forgotten()),
    _lying("bias dropped", bound_lies.bias_dropped()),
    _lying("errors dropped, margin exaggerated", bound_lies.margin_exaggerated()),
    _lying("rounding ignored", bound_lies.rounding_ignored(), cancelling),
    _lying("zero taken for positive", bound_lies.zero_is_positive(), attained),
    _lying("closing at the middle of the box", bound_lies.middle_for_corner()),
    _lying("multiplier with the wrong sign", bound_lies.multiplier_sign()),
    _lying("row of another disjunct", bound_lies.row_of_another_disjunct()),
    _lying("threshold rounded", reading_lies.threshold_rounded(), lambda n: false_in_the_reals("1e-9", n)),
    _lying("grid off by one", reading_lies.grid_off_by_one(), lambda n: false_in_the_reals("1e-13", n)),
    _lying("disjunct closed without a closing", bound_lies.disjunct_closed()),
    _lying("disjunct forgotten", reading_lies.disjunct_forgotten()),
    Way("tree of another polytope", false, reading_lies.other_tree),
    Way("certificate of a true neighbour", false, reading_lies.borrowed),
    _lying("half of a split omitted", tree_lies.half_omitted()),
    _lying("one phase of a neuron twice", tree_lies.phase_twice()),
    _lying("leaf without bounds", tree_lies.leaf_unbounded()),
    _lying("cut not proved", tree_lies.cut_unproved()),
    _lying("cut one cell too large", tree_lies.cut_too_large()),
    _lying("cut on the wrong side", tree_lies.cut_wrong_side()),
    _lying("slab closed with bounds after the cut", tree_lies.bounds_after_cut()),
    _lying("bounds of the sibling", tree_lies.sibling_bounds()),
    _lying("assumption with the wrong sign", tree_lies.assumption_sign()),
    _lying("float32: deviation dropped", float32_lies.deviation_dropped(), computed),
    _lying("float32: roundings halved", float32_lies.roundings_halved(), drifting),
    _lying("float32: radii taken for magnitudes", float32_lies.radius_for_magnitude(), drifting),
    _lying("float32: gain dropped", float32_lies.gain_dropped(), underflowing),
    _lying("float32: inputs not rounded", float32_lies.inputs_not_rounded(), rounded_outwards),
    _lying("float32: constraints not relaxed", float32_lies.constraints_not_relaxed(), rounded_across),
    _lying("float32: said of a proof about reals", float32_lies.real_renamed(), computed),
)
