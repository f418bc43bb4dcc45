"""The prover on its slow backend, without attacks, and the places where it can be made to lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic
from typing import Any, NamedTuple
from unittest.mock import patch

from hybrid_ai.bounds import Arithmetic, FlatNetwork, flatten
from hybrid_ai.certificate import Header, encode_certificate
from hybrid_ai.network import load_model
from hybrid_ai.search.branch import Branch, Budget, run_until, start
from hybrid_ai.search.problem import Problem, make_problem
from hybrid_ai.search.tree import encode_tree
from hybrid_ai.spec import InputPolytope, float32_polytope, normal_form, read_vnnlib
from tests.soundness.unsound_prover.problems import Falsehood

MOST_BOXES = 60
SECONDS = 60.0
MEMORY = 1 << 28


class Patch(NamedTuple):
    """A name of a module or class, and what it is for as long as the prover runs."""

    target: Any
    name: str
    value: Any


def as_read(polytope: InputPolytope, arithmetic: Arithmetic) -> InputPolytope:
    """What the network may read for the points of a polytope."""
    if arithmetic == "real":
        return polytope
    return float32_polytope(polytope, with_reals=arithmetic == "both")


def no_patches(falsehood: Falsehood) -> tuple[Patch, ...]:
    return ()


@dataclass(frozen=True)
class Lie:
    """What a prover takes for something else than it is; the default is honest.

    Attributes:
        network: of the network.
        polytopes: of the input polytopes, all at once.
        read: of what the network reads for a polytope.
        problem: of the polytope's rows and box as laid out for the search.
        patches: of the search and its bounds.
        believes: arithmetic in which it searches, None for the one it claims.
    """

    network: Callable[[FlatNetwork], FlatNetwork] = lambda flat: flat
    polytopes: Callable[[Falsehood, tuple[InputPolytope, ...]], tuple[InputPolytope, ...]] = (
        lambda _, polytopes: polytopes
    )
    read: Callable[[InputPolytope, Arithmetic], InputPolytope] = as_read
    problem: Callable[[Problem], Problem] = lambda problem: problem
    patches: Callable[[Falsehood], tuple[Patch, ...]] = field(default=no_patches)
    believes: Arithmetic | None = None


HONEST = Lie()


@contextmanager
def patched(patches: tuple[Patch, ...]) -> Iterator[None]:
    """Have the names mean the values."""
    with ExitStack() as stack:
        for one in patches:
            stack.enter_context(patch.object(one.target, one.name, one.value))
        yield


def header_of(model: bytes, text: bytes, arithmetic: Arithmetic) -> Header:
    return Header(sha256(model).digest(), sha256(text).digest(), arithmetic)


def claim(falsehood: Falsehood, lie: Lie = HONEST) -> bytes | None:
    """The certificate that the prover claims, or None where it does not come to an end.

    It is not asked whether the property is false: neither samples nor attacks are made.
    """
    believed = lie.believes or falsehood.arithmetic
    flat = lie.network(flatten(load_model(falsehood.model).staged, believed))
    polytopes = lie.polytopes(falsehood, normal_form(read_vnnlib(falsehood.text)).polytopes)
    trees = []
    with patched(lie.patches(falsehood)):
        for polytope in polytopes:
            problem = lie.problem(make_problem(flat, lie.read(polytope, believed)))
            branch = finished(problem, flat)
            if branch is None:
                return None
            trees.append(encode_tree(problem, flat, branch.tree))
    return encode_certificate(header_of(falsehood.model, falsehood.text, falsehood.arithmetic), trees)


def finished(problem: Problem, flat: FlatNetwork) -> Branch | None:
    """A finished branch and bound of one polytope, None where it takes too many boxes or gets stuck."""
    branch = start(problem, flat, threads=1)
    budget = Budget(monotonic() + SECONDS, MEMORY, 1)
    reason = run_until(branch, budget, lambda state: state.bounded > MOST_BOXES, "reference")
    return None if reason else branch
