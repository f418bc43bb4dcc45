"""Slopes that another program proposes: they may close a root, and none of them proves what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from hybrid_ai.bounds import Arithmetic, flatten
from hybrid_ai.bounds.backends.reference import bound_rows, tighten
from hybrid_ai.certificate import Header, encode_certificate
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.network import evaluate_exact, load_model
from hybrid_ai.search import Claimed, Refuted, Unknown
from hybrid_ai.search.hints import BadHints, GridSlopes, Hints, HintSource, NoHints, RootQuestion, on_grid
from hybrid_ai.search.problem import make_problem
from hybrid_ai.search.root import prove_root
from hybrid_ai.search.tree import encode_tree, root_tree
from hybrid_ai.spec import float32_polytope, normal_form, read_vnnlib
from tests.unit.network.builder import model, node
from tests.unit.search.problems import Asked, accepted_by, dense, search, trees, vnnlib

ARITHMETICS: tuple[Arithmetic, ...] = ("real", "float32", "both")
BOX = [("-1", "1")]


def kinked() -> bytes:
    """``z = relu(x) - x / 2`` is not below 0; the slopes 0 and 1 show -1/2 only. ``y`` is relu(z), z."""
    constants = {
        "w": np.array([[1.0]]),
        "v": np.array([[1.0]]),
        "half": np.array([[-0.5]]),
        "u": np.array([[1.0, 0.0]]),
        "t": np.array([[0.0, 1.0]]),
    }
    nodes = [
        node("MatMul", "x w", "a"), node("Relu", "a", "b"),
        node("MatMul", "b v", "c"), node("MatMul", "x half", "d"), node("Add", "c d", "z"),
        node("Relu", "z", "h"),
        node("MatMul", "h u", "e"), node("MatMul", "z t", "f"), node("Add", "e f", "y"),
    ]  # fmt: skip
    return model(nodes, constants, x=(1, 1), y=(1, 2))


def asked(*asserts: str) -> Asked:
    return Asked(kinked(), vnnlib(1, 2, *asserts, bounds=BOX))


BELOW = asked("(<= Y_1 -0.25)")  # a row with slopes of its own closes it
APART = asked("(>= (- Y_0 Y_1) 0.2)")  # a better bound of z closes it: then relu(z) is z
EITHER = asked("(or (and (>= Y_0 3)) (and (>= (- Y_0 Y_1) 0.2)))")  # the first needs no hint


def constant(value: float) -> Callable[[RootQuestion], Hints]:
    def source(question: RootQuestion) -> Hints:
        n = question.staged.neuron_count
        return Hints(np.full((n, 2, n), value), np.full((question.offsets.size, n), value))

    return source


def proof_of(problem: Asked, value: float | None, arithmetic: Arithmetic = "real") -> bytes | None:
    """The certificate that closes the root by slopes of one value, or by the rule's, or None."""
    return proof_by(problem, None if value is None else constant(value), arithmetic)


def proof_by(problem: Asked, source: HintSource | None, arithmetic: Arithmetic) -> bytes | None:
    """The certificate that closes the root by the slopes of a source, or by the rule's, or None."""
    found = load_model(problem.model)
    flat = flatten(found.staged, arithmetic)
    (polytope,) = normal_form(read_vnnlib(problem.text)).polytopes
    read = polytope if arithmetic == "real" else float32_polytope(polytope, with_reals=arithmetic == "both")
    laid_out = make_problem(flat, read)

    def propose(rows: np.ndarray, offsets: np.ndarray) -> GridSlopes:
        assert source is not None
        ends = laid_out.grid.lower, laid_out.grid.upper
        question = RootQuestion(found.staged, *ends, rows, offsets, 1.0)
        return on_grid(source(question), question)

    proof = prove_root(laid_out, flat, None if source is None else propose)
    if proof is None:
        return None
    header = Header(bytes.fromhex(found.sha256), bytes.fromhex(problem.digest), arithmetic)
    return encode_certificate(header, [encode_tree(laid_out, flat, root_tree(proof.steps))])


def steps_of(problem: Asked, certificate: bytes | None) -> list[str] | None:
    if certificate is None:
        return None
    (steps,) = trees(problem, certificate)
    return [type(placed.step).__name__ for placed in steps]


def test_slopes_close_what_the_rule_leaves_open() -> None:
    assert [proof_of(problem, None) for problem in (BELOW, APART, EITHER)] == [None] * 3
    assert steps_of(BELOW, proof_of(BELOW, 0.5)) == ["Tighten", "Leaf"]
    assert steps_of(APART, proof_of(APART, 0.5)) == ["Tighten", "Leaf"]
    # What was closed comes before the better bounds, by which it might not close.
    assert steps_of(EITHER, proof_of(EITHER, 0.5)) == ["Close", "Tighten", "Leaf"]


@pytest.mark.parametrize("value", [0.0, 0.2, 1.0])
def test_other_slopes_close_nothing(value: float) -> None:
    assert proof_of(APART, value) is None


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("problem", [BELOW, APART, EITHER])
def test_the_checker_accepts_what_hints_close(problem: Asked, arithmetic: Arithmetic) -> None:
    certificate = proof_of(problem, 0.5, arithmetic)
    assert certificate is not None
    assert accepted_by(problem, certificate) == ["valid", "valid"]


def test_the_checker_judges_the_slopes_that_were_written() -> None:
    """The same certificate without its slopes, or with others, is rejected."""
    certificate = proof_of(APART, 0.5)
    assert certificate is not None
    body = certificate[75:]
    assert body.count(b"\x40") == 1  # the slope 64 / 128
    for wrong in (b"\x00", b"\x7f"):
        with pytest.raises(Rejected) as refused:
            accepted_by(APART, certificate[:75] + body.replace(b"\x40", wrong))
        assert refused.value.rule == "closing"


def test_the_search_asks_for_hints_where_the_root_is_open() -> None:
    outcome = search(APART, backend="reference", hints=constant(0.5))
    assert isinstance(outcome, Claimed)
    assert steps_of(APART, outcome.certificate) == ["Tighten", "Leaf"]
    assert (outcome.effort.leaves, outcome.effort.decided) == (1, 1.0)
    assert 0.0 < outcome.margin < 1.0
    assert accepted_by(APART, outcome.certificate) == ["valid", "valid"]


def at_random(seed: int) -> HintSource:
    """Slopes near 1/2, the same for every question of a size."""

    def source(question: RootQuestion) -> Hints:
        rng, n = np.random.default_rng(seed), question.staged.neuron_count
        return Hints(rng.uniform(0.3, 0.7, (n, 2, n)), rng.uniform(0.3, 0.7, (question.offsets.size, n)))

    return source


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
@pytest.mark.parametrize("arithmetic", ["real", "both"])
def test_the_checker_follows_to_the_edge_of_what_slopes_show(seed: int, arithmetic: Arithmetic) -> None:
    """The greatest limit that is shown is accepted too: nothing is bounded here that it does not bound."""
    data, source = dense([3, 10, 10, 10, 1], seed), at_random(seed)

    def asked_at(limit: float) -> Asked:
        return Asked(data, vnnlib(3, 1, f"(<= Y_0 {limit:.12f})", bounds=[("-0.4", "0.4")] * 3))

    shown, not_shown = -100.0, 100.0
    for _ in range(45):
        middle = 0.5 * (shown + not_shown)
        if proof_by(asked_at(middle), source, arithmetic) is None:
            not_shown = middle
        else:
            shown = middle
    # What float32 changes, 1e-5 here, the engine `fast` rounds up by 2^-20 of it.
    edge = asked_at(shown if arithmetic == "real" else shown - 1e-9)
    assert proof_by(edge, None, arithmetic) is None
    certificate = proof_by(edge, source, arithmetic)
    assert certificate is not None
    names = steps_of(edge, certificate)
    assert names is not None and names.count("Tighten") > 4
    assert accepted_by(edge, certificate) == ["valid", "valid"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("arithmetic", ["real", "both"])
def test_slopes_at_random_prove_nothing_wrong(seed: int, arithmetic: Arithmetic) -> None:
    """True and false properties, just on either side of what the network reaches at a sampled point."""
    rng = np.random.default_rng(seed)
    data = dense([3, 6, 6, 6, 2], seed)
    x = rng.uniform(-0.3, 0.3, 3)
    y = evaluate_exact(load_model(data).staged, [Fraction(value) for value in x])
    bounds = [(f"{value - 0.05:.4f}", f"{value + 0.05:.4f}") for value in x]

    def source(question: RootQuestion) -> Hints:
        n = question.staged.neuron_count
        return Hints(rng.uniform(size=(n, 2, n)), rng.uniform(size=(question.offsets.size, n)))

    for shift in (-2.0, -0.2, -0.01, 0.01, 0.2, 2.0):
        text = vnnlib(3, 2, f"(<= Y_0 {float(y[0]) + shift:.6f})", bounds=bounds)
        problem = Asked(data, text)
        outcome = search(problem, backend="reference", arithmetic=arithmetic, hints=source)
        if shift > 0.0:
            assert isinstance(outcome, Refuted | Unknown)
        if isinstance(outcome, Claimed):
            assert accepted_by(problem, outcome.certificate) == ["valid", "valid"]


def test_bounds_by_slopes_at_random_contain_the_outputs() -> None:
    """Without tolerance, against exact rationals, whatever neurons are named."""
    rng = np.random.default_rng(0)
    for seed in range(20):
        found = load_model(dense([3, 8, 8, 2], seed)).staged
        flat = flatten(found)
        lower = rng.uniform(-1.0, 0.5, 3)
        upper = lower + rng.uniform(0.0, 0.6, 3)
        held = np.stack([np.full(flat.total, end) for end in (-np.inf, np.inf)])
        for _ in range(4):
            slopes = np.where(flat.neuron >= 0, rng.uniform(size=flat.total), np.nan)
            groups, _ = tighten(flat.net, lower, upper, held, slopes, rng.uniform(size=flat.total) < 0.5)
            held = np.stack([np.concatenate([group[end] for group in groups]) for end in (0, 1)])
        table = np.zeros((2, flat.total))
        table[:, -2:] = np.eye(2)
        below = bound_rows(flat.net, groups, table, np.zeros(2))
        for _ in range(20):
            x = [Fraction(v) for v in np.where(rng.uniform(size=3) < 0.5, lower, upper)]
            for value, k in zip(evaluate_exact(found, x), range(2), strict=True):
                assert Fraction(below.value[k]) - Fraction(below.lost[k]) <= value
                assert Fraction(held[0, -2 + k]) <= value <= Fraction(held[1, -2 + k])


def distorted(change: Callable[[Hints], Hints]) -> Callable[[RootQuestion], Hints]:
    return lambda question: change(constant(0.5)(question))


WRONG: dict[str, Callable[[Hints], Hints]] = {
    "NaN": lambda hints: replace(hints, rows=np.full_like(hints.rows, np.nan)),
    "infinite": lambda hints: replace(hints, neurons=np.full_like(hints.neurons, np.inf)),
    "below 0": lambda hints: replace(hints, rows=hints.rows - 0.6),
    "above 1": lambda hints: replace(hints, neurons=hints.neurons + 0.6),
    "too short": lambda hints: replace(hints, rows=hints.rows[:, 1:]),
    "too many": lambda hints: replace(hints, rows=np.concatenate([hints.rows] * 2)),
    "one dimension": lambda hints: replace(hints, neurons=hints.neurons.ravel()),
    "text": lambda hints: replace(hints, rows=np.full(hints.rows.shape, "slope")),
}


@pytest.mark.parametrize("name", WRONG)
def test_malformed_hints_are_refused(name: str) -> None:
    with pytest.raises(BadHints):
        search(APART, backend="reference", hints=distorted(WRONG[name]))


def test_a_source_without_hints_changes_nothing() -> None:
    asked_for = []

    def none(question: RootQuestion) -> Hints:
        asked_for.append(question)
        raise NoHints("nothing to say")

    with_none = search(APART, backend="reference", hints=none)
    without = search(APART, backend="reference")
    assert isinstance(with_none, Claimed) and isinstance(without, Claimed)
    assert with_none.certificate == without.certificate
    (question,) = asked_for
    assert question.rows.shape == (1, sum(question.staged.group_sizes))
    assert question.offsets.shape == (1,)
    assert 0.0 < question.seconds < 20.0


def test_where_hints_do_not_close_the_search_goes_on() -> None:
    outcome = search(APART, backend="reference", hints=constant(0.0))
    assert isinstance(outcome, Claimed)
    assert outcome.effort.leaves > 1
    assert accepted_by(APART, outcome.certificate) == ["valid", "valid"]
