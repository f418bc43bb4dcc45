"""The search: attack, branch and bound with attacks in between, and the certificate of a finished tree."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from time import monotonic

import numpy as np

from hybrid_ai.bounds import Arithmetic, TooManyRoundings, flatten
from hybrid_ai.certificate import Header, encode_certificate
from hybrid_ai.network import Model, StagedNetwork, evaluate_exact
from hybrid_ai.search.attack import (
    Attack,
    descent_attack,
    make_attack,
    restart_attack,
    sample_attack,
    value_at,
)
from hybrid_ai.search.backend import Backend
from hybrid_ai.search.branch import (
    NEAR,
    Branch,
    Budget,
    Progress,
    advance,
    reopen,
    run_until,
    start,
    try_hints,
)
from hybrid_ai.search.hints import GridSlopes, HintSource, NoHints, RootQuestion, on_grid
from hybrid_ai.search.outcome import Claimed, Effort, Outcome, Refuted, Unknown
from hybrid_ai.search.problem import OutOfRange, Problem, make_problem, round_down, round_up
from hybrid_ai.search.signals import handlers_wait_for_kernels
from hybrid_ai.search.tree import encode_tree
from hybrid_ai.spec import InputPolytope, Property, float32_polytope, normal_form

MOST_SAMPLES_CONFIRMED = 3
HINTS_SHARE = 0.5  # of the time left: what hints do not close is searched
ATTACK_AT = (1_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000)


# The point near a point of the input set at which a float32 execution violates, or None.
Runtime = Callable[[tuple[Fraction, ...]], tuple[Fraction, ...] | None]


@dataclass(frozen=True, eq=False)
class _Case:
    """A polytope as attacked (its exact points) and as bounded (whatever the network may read)."""

    attacked: Problem
    bounded: Problem
    attack: Attack


def exact_points(x: np.ndarray, polytope: InputPolytope) -> list[tuple[Fraction, ...]]:
    """The point as rationals of the polytope's exact box: doubles where it has any, then at its faces.

    Doubles come first: a bound may be a decimal that was rounded outward, and what lies between it and the
    bound that was meant is no counterexample to anybody.
    """
    inner, outer = [], []
    for value, low, high in zip(x, polytope.lower, polytope.upper, strict=True):
        clamped = min(max(Fraction(float(value)), low), high)
        inside = min(max(float(value), round_up(low)), round_down(high))
        outer.append(clamped)
        inner.append(Fraction(inside) if low <= Fraction(inside) <= high else clamped)
    return [tuple(inner)] if inner == outer else [tuple(inner), tuple(outer)]


def run_search(
    model: Model,
    prop: Property,
    property_sha256: str,
    *,
    budget: Budget,
    seed: int = 0,
    backend: Backend = "auto",
    report: Callable[[Progress], None] | None = None,
    arithmetic: Arithmetic = "real",
    runtime: Runtime | None = None,
    hints: HintSource | None = None,
) -> Outcome:
    """Search until the property is claimed, refuted or the budget is spent.

    Where both arithmetics are asked for, one tree shows both; where that search gives up (not where a limit
    ends it), real arithmetic is searched for itself.

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
        arithmetic: what is to be claimed.
        runtime: finds where a float32 execution violates near a point; without it, float32 is never refuted.
        hints: proposes lower slopes for a root that is still open after the first attacks; where they do not
            close it, the search goes on as without.

    Returns:
        `Claimed`, `Refuted` or `Unknown`; Ctrl-C gives unknown: interrupted.

    Raises:
        UnsupportedSpec: when the property has an unbounded input or too many cases.
        ValueError: when the model's and the property's sizes differ.
        BadHints: when what ``hints`` proposes is malformed.
    """
    if (model.n_inputs, model.n_outputs) != (prop.n_inputs, prop.n_outputs):
        raise ValueError(
            f"the property has {prop.n_inputs} inputs and {prop.n_outputs} outputs, "
            f"the model {model.n_inputs} and {model.n_outputs}"
        )
    question = _Question(model, prop, property_sha256, runtime, hints)
    outcome = _Search(question, arithmetic, budget, seed, backend, report).run()
    if arithmetic != "both" or not isinstance(outcome, Unknown) or outcome.limited:
        return outcome
    return _joined(outcome, _Search(question, "real", budget, seed, backend, report).run())


def _joined(both: Unknown, real: Outcome) -> Outcome:
    """What a search in real arithmetic alone ended with, after one for both arithmetics gave up."""
    effort = replace(
        real.effort,
        bounded=both.effort.bounded + real.effort.bounded,
        seconds=both.effort.seconds + real.effort.seconds,
    )
    if isinstance(real, Refuted):
        return replace(real, effort=effort)
    return replace(real, effort=effort, missed=both.reason)


def _proposed(
    source: HintSource,
    staged: StagedNetwork,
    problem: Problem,
    deadline: float,
    rows: np.ndarray,
    offsets: np.ndarray,
) -> GridSlopes:
    """What a source proposes for rows over a polytope's root box, on the certificate's grid."""
    lower, upper = problem.grid.lower.copy(), problem.grid.upper.copy()
    question = RootQuestion(staged, lower, upper, rows, offsets, max(0.0, deadline - monotonic()))
    return on_grid(source(question), question)


@dataclass(frozen=True, eq=False)
class _Question:
    model: Model
    prop: Property
    property_sha256: str
    runtime: Runtime | None
    hints: HintSource | None


class _Search:
    def __init__(
        self,
        question: _Question,
        arithmetic: Arithmetic,
        budget: Budget,
        seed: int,
        backend: Backend,
        report: Callable[[Progress], None] | None,
    ) -> None:
        self._question = question
        self._model = question.model
        self._arithmetic = arithmetic
        self._budget = budget
        self._backend = backend
        self._report = report
        self._generator = np.random.default_rng(seed)
        self._began = monotonic()
        self._branches: list[Branch] = []
        self._cases: list[_Case] = []

    def run(self) -> Outcome:
        """Search until claimed, refuted or out of budget; Ctrl-C gives unknown: interrupted."""
        return self._guarded(self._run)

    def repair(self, tree: int, node: int) -> Outcome:
        """Go on from a node of a claimed tree that the checker rejected, within the same budget."""

        def run() -> Outcome:
            if not reopen(self._branches[tree], node):
                return Unknown("rounding: a rejected box is too small to be split", self._effort())
            return self._finish()

        return self._guarded(run)

    def _guarded(self, work: Callable[[], Outcome]) -> Outcome:
        try:
            with handlers_wait_for_kernels():
                return work()
        except (OutOfRange, TooManyRoundings) as error:
            return Unknown(str(error), self._effort())
        except KeyboardInterrupt:
            return Unknown("interrupted", self._effort(), limited=True)

    def _run(self) -> Outcome:
        """Attack, then branch and bound."""
        if self._arithmetic != "real" and self._model.graph.element != "float32":
            return Unknown("float32: the model reads float64; ask for real arithmetic", self._effort())
        flat = flatten(self._model.staged, self._arithmetic)
        first = int(flat.offset[flat.output_group])
        outputs = slice(first, first + int(flat.size[flat.output_group]))
        for polytope in normal_form(self._question.prop).polytopes:
            attacked = make_problem(flat, polytope)
            bounded = attacked
            if self._arithmetic != "real":
                read = float32_polytope(polytope, with_reals=self._arithmetic == "both")
                bounded = make_problem(flat, read)
            self._cases.append(_Case(attacked, bounded, make_attack(self._model.staged, attacked, outputs)))
            self._branches.append(start(bounded, flat, self._budget.threads))
        found = self._attack_first()
        if found is None:
            self._try_hints()
        return self._finish() if found is None else found

    def _try_hints(self) -> None:
        """Close the roots that are open by proposed slopes, where that is possible."""
        source, began = self._question.hints, monotonic()
        if source is None:
            return
        deadline = began + HINTS_SHARE * (self._budget.deadline - began)
        for case, branch in zip(self._cases, self._branches, strict=True):
            if branch.stack and monotonic() < deadline:
                propose = partial(_proposed, source, self._model.staged, case.bounded, deadline)
                try:
                    try_hints(branch, propose, deadline)
                except NoHints:
                    return  # the source has its own way of saying so

    def _finish(self) -> Outcome:
        """Branch and bound on what is open, and the certificate."""
        trees = []
        for case, branch in zip(self._cases, self._branches, strict=True):
            outcome = self._branch(case, branch)
            if outcome is not None:
                return outcome
            trees.append(encode_tree(case.bounded, branch.flat, branch.tree))
        header = Header(
            bytes.fromhex(self._model.sha256),
            bytes.fromhex(self._question.property_sha256),
            self._arithmetic,
        )
        margin = min((branch.margin for branch in self._branches), default=math.inf)
        penalty = max((branch.penalty for branch in self._branches), default=0.0)
        certificate = encode_certificate(header, trees)
        claimed = Claimed(certificate, self._effort(), self._arithmetic, margin, penalty)
        return replace(claimed, repair=self.repair)

    def _attack_first(self) -> Outcome | None:
        """Sample every polytope, bound its root, and descend only where the root stays open."""
        deadline = self._budget.deadline
        for case, branch in zip(self._cases, self._branches, strict=True):
            if monotonic() > deadline:
                return Unknown("timeout", self._effort(), limited=True)
            samples = sample_attack(case.attack, self._generator)
            found = self._confirm(case, samples[:MOST_SAMPLES_CONFIRMED])
            if found is None:
                advance(branch, self._backend, deadline)
                found = self._confirm(case, branch.candidates, branch.near)
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
            refuted = self._confirm(case, candidates, state.near)
            if refuted:
                found.append(refuted)
            self._tell()
            return bool(found)

        reason = run_until(branch, self._budget, on_batch, self._backend)
        if found:
            return found[0]
        limited = reason.startswith(("timeout", "memory"))
        return Unknown(reason, self._effort(), limited) if reason else None

    def _confirm(self, case: _Case, points: list[np.ndarray], near: float = NEAR) -> Refuted | None:
        """The first point that violates; floating point only chooses which points are worth a look."""
        for x in points:
            if value_at(case.attack, x) > near:
                continue
            exact = exact_points(x, case.attacked.polytope)
            # What violates exactly can be re-proved: float32 alone is asked for when no such point does.
            found = next(filter(None, map(self._refuted_exactly, exact)), None)
            found = found or next(filter(None, map(self._refuted_in_float32, exact)), None)
            if found is not None:
                return found
        return None

    def _refuted_exactly(self, x: tuple[Fraction, ...]) -> Refuted | None:
        if self._arithmetic == "float32":
            return None
        y = evaluate_exact(self._model.staged, x)
        return Refuted(x, tuple(y), self._effort()) if self._question.prop.holds_unsafe(x, y) else None

    def _refuted_in_float32(self, x: tuple[Fraction, ...]) -> Refuted | None:
        if self._arithmetic == "real" or self._question.runtime is None:
            return None
        found = self._question.runtime(x)
        if found is None:
            return None
        return Refuted(found, tuple(evaluate_exact(self._model.staged, found)), self._effort(), exactly=False)

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
