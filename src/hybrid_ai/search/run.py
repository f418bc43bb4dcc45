"""The search: attack, branch and bound with attacks in between, and the certificate of a finished tree."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic

import numpy as np

from hybrid_ai.bounds.flat import flatten
from hybrid_ai.certificate import Header, encode_certificate
from hybrid_ai.network import Model, evaluate_exact
from hybrid_ai.search.attack import (
    Attack,
    descent_attack,
    make_attack,
    restart_attack,
    sample_attack,
    value_at,
)
from hybrid_ai.search.backend import Backend
from hybrid_ai.search.branch import NEAR, Branch, Budget, Progress, advance, run_until, start
from hybrid_ai.search.outcome import Claimed, Effort, Outcome, Refuted, Unknown
from hybrid_ai.search.problem import OutOfRange, Problem, make_problem
from hybrid_ai.search.signals import handlers_wait_for_kernels
from hybrid_ai.search.tree import encode_tree
from hybrid_ai.spec import InputPolytope, Property, normal_form

MOST_SAMPLES_CONFIRMED = 3
ATTACK_AT = (1_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000)


@dataclass(frozen=True, eq=False)
class _Case:
    problem: Problem
    attack: Attack


def exact_point(x: np.ndarray, polytope: InputPolytope) -> tuple[Fraction, ...]:
    """The point as rationals, clamped into the polytope's exact box."""
    return tuple(
        min(max(Fraction(float(value)), low), high)
        for value, low, high in zip(x, polytope.lower, polytope.upper, strict=True)
    )


def run_search(
    model: Model,
    prop: Property,
    property_sha256: str,
    *,
    budget: Budget,
    seed: int = 0,
    backend: Backend = "auto",
    report: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Search until the property is claimed, refuted or the budget is spent.

    Args:
        model: the network and its file's digest.
        prop: the property, with as many inputs and outputs as the model.
        property_sha256: hexadecimal digest of the property file as given; the certificate is bound to it.
        budget: deadline, memory and threads.
        seed: of the attacks; equal seeds give equal certificates, whatever the number of threads.
        backend: "compiled", "reference" (slow), or "auto": compiled where its kernels are ready, else the
            reference backend while they are compiled in the background. Such a cold search may give
            another certificate than a warm one, equally valid.
        report: called after each batch of boxes.

    Returns:
        `Claimed`, `Refuted` or `Unknown`; Ctrl-C gives unknown: interrupted.

    Raises:
        UnsupportedSpec: when the property has an unbounded input or too many cases.
        ValueError: when the model's and the property's sizes differ.
    """
    if (model.n_inputs, model.n_outputs) != (prop.n_inputs, prop.n_outputs):
        raise ValueError(
            f"the property has {prop.n_inputs} inputs and {prop.n_outputs} outputs, "
            f"the model {model.n_inputs} and {model.n_outputs}"
        )
    return _Search(model, prop, property_sha256, budget, seed, backend, report).run()


class _Search:
    def __init__(
        self,
        model: Model,
        prop: Property,
        property_sha256: str,
        budget: Budget,
        seed: int,
        backend: Backend,
        report: Callable[[Progress], None] | None,
    ) -> None:
        self._model = model
        self._property = prop
        self._property_sha256 = property_sha256
        self._budget = budget
        self._backend = backend
        self._report = report
        self._generator = np.random.default_rng(seed)
        self._began = monotonic()
        self._branches: list[Branch] = []
        self._cases: list[_Case] = []

    def run(self) -> Outcome:
        """Search until claimed, refuted or out of budget; Ctrl-C gives unknown: interrupted."""
        try:
            with handlers_wait_for_kernels():
                return self._run()
        except OutOfRange as error:
            return Unknown(str(error), self._effort())
        except KeyboardInterrupt:
            return Unknown("interrupted", self._effort())

    def _run(self) -> Outcome:
        flat = flatten(self._model.staged)
        first = int(flat.offset[flat.output_group])
        outputs = slice(first, first + int(flat.size[flat.output_group]))
        for polytope in normal_form(self._property).polytopes:
            problem = make_problem(flat, polytope)
            self._cases.append(_Case(problem, make_attack(self._model.staged, problem, outputs)))
            self._branches.append(start(problem, flat, self._budget.threads))
        found = self._attack_first()
        if found is not None:
            return found
        trees = []
        for case, branch in zip(self._cases, self._branches, strict=True):
            outcome = self._branch(case, branch)
            if outcome is not None:
                return outcome
            trees.append(encode_tree(case.problem, flat, branch.tree))
        header = Header(bytes.fromhex(self._model.sha256), bytes.fromhex(self._property_sha256))
        return Claimed(encode_certificate(header, trees), self._effort())

    def _attack_first(self) -> Outcome | None:
        """Sample every polytope, bound its root, and descend only where the root stays open."""
        deadline = self._budget.deadline
        for case, branch in zip(self._cases, self._branches, strict=True):
            if monotonic() > deadline:
                return Unknown("timeout", self._effort())
            samples = sample_attack(case.attack, self._generator)
            found = self._confirm(case, samples[:MOST_SAMPLES_CONFIRMED])
            if found is None:
                advance(branch, self._backend, deadline)
                found = self._confirm(case, branch.candidates)
            if found is None and branch.stack:
                found = self._confirm(case, descent_attack(case.attack, samples, self._generator, deadline))
            if found is not None:
                return found
        return None

    def _branch(self, case: _Case, branch: Branch) -> Outcome | None:
        found: list[Refuted] = []
        pending = list(ATTACK_AT)

        def on_batch(state: Branch) -> bool:
            candidates = list(state.candidates)
            if pending and state.bounded >= pending[0]:
                pending.pop(0)
                candidates += restart_attack(case.attack, self._generator, self._budget.deadline)
            refuted = self._confirm(case, candidates)
            if refuted:
                found.append(refuted)
            self._tell()
            return bool(found)

        reason = run_until(branch, self._budget, on_batch, self._backend)
        if found:
            return found[0]
        return Unknown(reason, self._effort()) if reason else None

    def _confirm(self, case: _Case, points: list[np.ndarray]) -> Refuted | None:
        """The first point that violates exactly; floating point only chooses which points are worth it."""
        for x in points:
            if not self._promising(case, x):
                continue
            exact = exact_point(x, case.problem.polytope)
            y = evaluate_exact(self._model.staged, exact)
            if self._property.holds_unsafe(exact, y):
                return Refuted(exact, tuple(y), self._effort())
        return None

    def _promising(self, case: _Case, x: np.ndarray) -> bool:
        return value_at(case.attack, x) <= NEAR

    def _effort(self) -> Effort:
        done = sum(branch.decided for branch in self._branches)
        return Effort(
            bounded=sum(branch.bounded for branch in self._branches),
            leaves=sum(branch.leaves for branch in self._branches),
            decided=done / max(1, len(self._cases)),
            seconds=monotonic() - self._began,
        )

    def _tell(self) -> None:
        if self._report is not None:
            effort = self._effort()
            self._report(Progress(effort.bounded, effort.decided))
