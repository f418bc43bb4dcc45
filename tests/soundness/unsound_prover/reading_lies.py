"""Lies about what is to be shown: thresholds, disjuncts, grids, and trees of something else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hybrid_ai.bounds import flatten
from hybrid_ai.certificate import decode_header, encode_certificate
from hybrid_ai.network import evaluate_exact, load_model
from hybrid_ai.search.problem import Problem, make_problem
from hybrid_ai.search.tree import encode_tree
from hybrid_ai.spec import InputPolytope, normal_form, read_vnnlib
from tests.soundness.unsound_prover.problems import Falsehood
from tests.soundness.unsound_prover.prover import Lie, as_read, claim, finished, header_of

HEADER_BYTES = 11 + 32 + 32


def threshold_rounded() -> Lie:
    """Thresholds are float32 numbers, rounded to the side that makes more rows positive."""

    def rounded(problem: Problem) -> Problem:
        near = problem.spec.offsets.astype(np.float32)
        above = np.where(near < problem.spec.offsets, np.nextafter(near, np.float32(np.inf)), near)
        return replace(problem, spec=problem.spec._replace(offsets=above.astype(np.float64)))

    return Lie(problem=rounded)


def grid_off_by_one() -> Lie:
    """The root box begins and ends one cell of the grid too far inside."""

    def inside(problem: Problem) -> Problem:
        room = problem.last - problem.first > 4
        return replace(problem, first=problem.first + room, last=problem.last - room)

    return Lie(problem=inside)


def disjunct_forgotten() -> Lie:
    """Of several disjuncts, those that the witness violates are not there; neither are their closings."""

    def without(falsehood: Falsehood, polytopes: tuple[InputPolytope, ...]) -> tuple[InputPolytope, ...]:
        x = falsehood.witness
        y = evaluate_exact(load_model(falsehood.model).staged, x)
        kept = []
        for polytope in polytopes:
            harmless = [rows for rows in polytope.disjuncts if not all(row.holds(x, y) for row in rows)]
            forget = holds(polytope, falsehood) and harmless
            kept.append(replace(polytope, disjuncts=tuple(harmless)) if forget else polytope)
        return tuple(kept)

    return Lie(polytopes=without)


def holds(polytope: InputPolytope, falsehood: Falsehood) -> bool:
    """Whether the witness is a point of the polytope."""
    x = falsehood.witness
    box = zip(polytope.lower, x, polytope.upper, strict=True)
    return all(low <= value <= high for low, value, high in box) and all(
        atom.holds(x, ()) for atom in polytope.constraints
    )


def other_tree(falsehood: Falsehood) -> bytes | None:
    """Polytopes with the witness get the tree of one that was proved."""
    flat = flatten(load_model(falsehood.model).staged, falsehood.arithmetic)
    polytopes = normal_form(read_vnnlib(falsehood.text)).polytopes
    trees: list[bytes | None] = []
    for polytope in polytopes:
        problem = make_problem(flat, as_read(polytope, falsehood.arithmetic))
        branch = None if holds(polytope, falsehood) else finished(problem, flat)
        trees.append(None if branch is None else encode_tree(problem, flat, branch.tree))
    proved = [tree for tree in trees if tree is not None]
    if not proved:
        return None
    header = header_of(falsehood.model, falsehood.text, falsehood.arithmetic)
    return encode_certificate(header, [proved[0] if tree is None else tree for tree in trees])


def borrowed(falsehood: Falsehood) -> bytes | None:
    """The honest certificate of the neighbouring threshold, which is true, with the other file's digest."""
    if falsehood.twin is None:
        return None
    honest = claim(falsehood.neighbour("real"))
    if honest is None:
        return None
    header = header_of(falsehood.model, falsehood.text, falsehood.arithmetic)
    bound = encode_certificate(header, [])[:HEADER_BYTES]
    assert decode_header(bound) == header
    return bound + honest[HEADER_BYTES:]
