"""All cases of the laboratory."""

from __future__ import annotations

from tests.soundness.laboratory import edges, ranges, redundancy, sums
from tests.soundness.laboratory.case import Case

FAMILIES = {
    "cancelling": sums.cancelling,
    "order": sums.order,
    "precision": sums.precision,
    "underflow": ranges.underflow,
    "overflow": ranges.overflow,
    "folding": ranges.folding,
    "boundary": edges.boundary,
    "spikes": edges.spikes,
    "redundant": redundancy.redundant,
}


def family(name: str) -> list[Case]:
    return list(FAMILIES[name]())


def all_cases() -> list[Case]:
    return [case for name in FAMILIES for case in family(name)]
