"""One network's queries put to the search and both checker engines, and compared with the exact optimum."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic, process_time

import numpy as np

from hybrid_ai.checker.check import EngineName, check
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.network import load_model
from hybrid_ai.search import Budget, Claimed, Outcome, Refuted, run_search
from hybrid_ai.spec import read_vnnlib
from tests.differential.networks import RandomNetwork, random_network
from tests.differential.oracle import OracleTimeout
from tests.differential.program import evaluate
from tests.differential.questions import (
    Question,
    finite_decimal,
    optimum,
    random_question,
    to_text,
    unsafe,
)

DELTAS = ("1e-2", "1e-6", "1e-12")
EXACT = "0"
DECISIVE = ("1e-2", "1e-6")  # unknown and rejection by the fast engine count as failures of these
MEMORY = 1 << 29
ORACLE_SECONDS = 4.0
MOST_TRIES = 20


@dataclass(frozen=True)
class Instance:
    """A network, a question about it and its exact optimum."""

    network: RandomNetwork
    question: Question
    value: Fraction
    oracle_seconds: float


@dataclass(frozen=True)
class Query:
    """A threshold: the property holds iff `holds`, by the optimum."""

    delta: str
    holds: bool
    t: Fraction
    strict: bool


@dataclass(frozen=True)
class Answer:
    """What the prover said to a query.

    Attributes:
        verdict: "claimed", "refuted", "unknown" or "error".
        reason: of unknown or error, else "".
        fast, exact: "accepted", "rejected: why" or "" where there is no certificate.
        disagreement: what contradicts the optimum or the contract, or "".
        search_seconds, check_seconds: CPU.
    """

    verdict: str
    reason: str
    fast: str
    exact: str
    disagreement: str
    search_seconds: float
    check_seconds: float


def make_instance(seed: int, number: int) -> Instance | None:
    """The instance with this number, or None where the oracle ran out of time."""
    rng = np.random.default_rng([seed, number])
    network = random_network(rng)
    program = network.program
    start = process_time()
    for _ in range(MOST_TRIES):
        question = random_question(rng, program.n_inputs, len(program.outputs))
        try:
            found = optimum(program, question, ORACLE_SECONDS)
        except OracleTimeout:
            return None
        if found is not None:
            return Instance(network, question, found.value, process_time() - start)
    raise AssertionError(f"{MOST_TRIES} questions without any input (seed {seed}, number {number})")


def queries(instance: Instance, number: int) -> Iterator[Query]:
    """A threshold on each side of the optimum for each delta, and the optimum where it is a decimal."""
    strict = number % 2 == 1
    value = instance.value
    for delta in DELTAS:
        gap = Fraction(delta) * (abs(value) or 1)
        yield Query(delta, True, rounded(value - gap, gap, up=False), strict)
        yield Query(delta, False, rounded(value + gap, gap, up=True), strict)
    if finite_decimal(value):
        yield Query(EXACT, True, value, True)
        yield Query(EXACT, False, value, False)


def rounded(value: Fraction, gap: Fraction, *, up: bool) -> Fraction:
    """A decimal next to the value, at most a hundredth of the gap beyond it."""
    unit = Fraction(1)
    while unit > gap / 100:
        unit /= 10
    return unit * (-(-value // unit) if up else value // unit)


def answer(instance: Instance, query: Query, *, seconds: float, seed: int) -> Answer:
    """Put one query to the search and every claim to both engines; nothing is raised."""
    text = text_of(instance, query)
    start = process_time()
    try:
        outcome = search(instance.network.model, text, seconds, seed)
    except Exception as error:  # any exception is a finding of this test, to be recorded and reproduced
        reason = f"{type(error).__name__}: {error}"
        return Answer("error", reason, "", "", "the search raised", process_time() - start, 0.0)
    searched = process_time() - start
    if isinstance(outcome, Claimed):
        return _judge_claim(instance, query, text, outcome, searched)
    if isinstance(outcome, Refuted):
        wrong = _wrong_refutation(instance, query, outcome)
        return Answer("refuted", "", "", "", wrong, searched, 0.0)
    return Answer("unknown", outcome.reason, "", "", "", searched, 0.0)


def text_of(instance: Instance, query: Query) -> bytes:
    program = instance.network.program
    text = to_text(instance.question, program.n_inputs, len(program.outputs), query.t, query.strict)
    return text.encode()


def search(model: bytes, text: bytes, seconds: float, seed: int) -> Outcome:
    digest = hashlib.sha256(text).hexdigest()
    budget = Budget(monotonic() + seconds, MEMORY, 1)
    loaded, prop = load_model(model), read_vnnlib(text)
    return run_search(loaded, prop, digest, budget=budget, seed=seed, backend="compiled")


def _wrong_refutation(instance: Instance, query: Query, outcome: Refuted) -> str:
    if query.holds:
        return "refuted, but it holds"
    y = evaluate(instance.network.program, outcome.x)
    if y != outcome.outputs:
        return "the outputs at the counterexample are not those of the network"
    if not unsafe(instance.question, query.t, query.strict, outcome.x, y):
        return "the counterexample is not unsafe"
    return ""


def _judge_claim(instance: Instance, query: Query, text: bytes, outcome: Claimed, searched: float) -> Answer:
    start = process_time()
    fast = _checked(instance.network.model, text, outcome.certificate, "fast")
    exact = _checked(instance.network.model, text, outcome.certificate, "exact")
    wrong = ""
    if not query.holds:
        wrong = f"claimed, but it fails (fast {fast}, exact {exact})"
    elif exact != "accepted":
        wrong = "the exact engine does not accept the certificate"
    elif fast != "accepted" and query.delta in DECISIVE:
        wrong = "the fast engine does not accept the certificate"
    return Answer("claimed", "", fast, exact, wrong, searched, process_time() - start)


def _checked(model: bytes, text: bytes, certificate: bytes, engine: EngineName) -> str:
    try:
        check(model, text, certificate, engine=engine)
    except Rejected as error:
        return f"rejected: {error}"
    except Exception as error:  # recorded as a finding
        return f"error: {type(error).__name__}: {error}"
    return "accepted"


def warm_up() -> None:
    """Have the search compile its kernels, which takes far longer than a query, outside any budget.

    Raises RuntimeError where the search does not even decide an easy query.
    """
    instance = make_instance(0, 2)
    if instance is None:
        raise RuntimeError("the oracle gave up on the first instance: is the machine overloaded?")
    easy = next(queries(instance, 0))
    said = answer(instance, easy, seconds=600.0, seed=0)
    if said.verdict != "claimed":
        raise RuntimeError(f"the search answers {said.verdict} to an easy query: {said.reason}")


def answers(
    instance: Instance, seed: int, number: int, seconds_for: Callable[[str], float]
) -> Iterator[tuple[Query, Answer]]:
    """Every query of the instance with its answer."""
    for query in queries(instance, number):
        yield query, answer(instance, query, seconds=seconds_for(query.delta), seed=seed)
