"""Deadline, memory, Ctrl-C, threads and seeds."""

from __future__ import annotations

import _thread
import threading
from time import monotonic

import numpy as np
import pytest

from hybrid_ai.network import load_model
from hybrid_ai.search import Budget, Claimed, Progress, Refuted, Unknown, run_search
from hybrid_ai.search.backend import Backend
from hybrid_ai.spec import read_vnnlib
from tests.unit.search.problems import Asked, accepted_by, dense, hard, search, vnnlib

pytestmark = pytest.mark.clock
LATE = 1.0


@pytest.mark.parametrize("backend", ["compiled", "reference"])
@pytest.mark.parametrize("seconds", [0.0, 1.5])
def test_the_deadline_is_kept(backend: Backend, seconds: float) -> None:
    asked = hard()
    search(Asked(dense([1, 1], 0), vnnlib(1, 1, "(<= Y_0 -100)", bounds=[("0", "1")])))  # kernels are loaded
    start = monotonic()
    outcome = search(asked, seconds=seconds, backend=backend)
    assert isinstance(outcome, Unknown)
    assert outcome.reason == "timeout"
    assert monotonic() - start < seconds + LATE


def test_what_float32_missed_is_told_when_real_alone_runs_out_of_time() -> None:
    """A margin of 1e-9 at one point, which float32 does not have, and on a box, which takes long."""
    point = " ".join(f"(>= X_{axis} 0.5) (<= X_{axis} 0.5)" for axis in range(6))
    box = " ".join(f"(>= X_{axis} -1) (<= X_{axis} 1)" for axis in range(6))
    limit = "(<= Y_0 -1e-9)"
    asked = Asked(hard().model, vnnlib(6, 1, f"(or (and {point} {limit}) (and {box} {limit}))"))
    outcome = search(asked, seconds=2.0, arithmetic="both")
    assert isinstance(outcome, Unknown)
    assert (outcome.reason, outcome.limited) == ("timeout", True)
    assert outcome.missed == "float32: the margin is smaller than what rounding may change"


def test_nothing_is_said_to_be_missed_where_a_limit_ended_the_search_for_both() -> None:
    outcome = search(hard(), seconds=0.0, arithmetic="both")
    assert isinstance(outcome, Unknown)
    assert (outcome.reason, outcome.limited, outcome.missed) == ("timeout", True, None)


def test_the_deadline_is_kept_before_the_first_box() -> None:
    """Thousands of polytopes, each of which is attacked before any is bounded."""
    cases = [f"(and (>= X_0 {k}) (<= X_0 {k + 1}) (<= Y_0 -1e9))" for k in range(3000)]
    asked = Asked(dense([1, 30, 30, 1], 0), vnnlib(1, 1, f"(or {' '.join(cases)})"))
    start = monotonic()
    outcome = search(asked, seconds=1.5)
    assert isinstance(outcome, Unknown)
    assert monotonic() - start < 1.5 + LATE


@pytest.mark.parametrize("backend", ["compiled", "reference"])
def test_open_boxes_beyond_the_memory_end_the_search(backend: Backend) -> None:
    outcome = search(hard(), seconds=20.0, memory=20_000, backend=backend)
    assert isinstance(outcome, Unknown)
    assert outcome.reason.startswith("memory")
    assert outcome.effort.bounded > 0


@pytest.mark.parametrize("backend", ["compiled", "reference"])
def test_ctrl_c_gives_unknown(backend: Backend) -> None:
    timer = threading.Timer(1.0, _thread.interrupt_main)
    timer.start()
    outcome = search(hard(), seconds=30.0, backend=backend)
    timer.join()
    assert isinstance(outcome, Unknown)
    assert outcome.reason == "interrupted"


def test_progress_is_told_and_grows() -> None:
    asked, told = hard(), list[Progress]()
    budget = Budget(monotonic() + 1.0, 1 << 28, 1)
    found = load_model(asked.model), read_vnnlib(asked.text)
    run_search(*found, asked.digest, budget=budget, backend="compiled", report=told.append)
    assert len(told) > 2
    assert [p.bounded for p in told] == sorted(p.bounded for p in told)
    assert all(0.0 <= p.decided <= 1.0 for p in told)


def _wide_claim() -> Asked:
    """A property that takes some hundred boxes, so that batches run on all threads."""
    data = dense([4, 12, 12, 2], 4, spread=1.5)
    loaded = load_model(data)
    from hybrid_ai.network import evaluate

    x = np.random.default_rng(0).uniform(-1.0, 1.0, (20_000, 4))
    least = evaluate(loaded.staged, x)[:, 0].min()
    return Asked(data, vnnlib(4, 2, f"(<= Y_0 {least - 0.25:.5f})", bounds=[("-1", "1")] * 4))


def test_runs_and_threads_give_the_same_certificate() -> None:
    asked = _wide_claim()
    outcomes = [search(asked, threads=threads, backend=backend) for threads, backend in
                ((1, "compiled"), (1, "auto"), (2, "compiled"), (2, "compiled"))]  # fmt: skip
    certificates = set()
    for outcome in outcomes:
        assert isinstance(outcome, Claimed)
        assert outcome.effort.bounded > 60
        certificates.add(outcome.certificate)
    assert len(certificates) == 1
    assert accepted_by(asked, certificates.pop()) == ["valid", "valid"]


def test_equal_seeds_give_equal_counterexamples_and_others_may_differ() -> None:
    data = dense([2, 6, 1], 9)
    asked = Asked(data, vnnlib(2, 1, "(>= Y_0 -100)", "(<= (+ X_0 X_1) 0.6)", bounds=[("0", "1")] * 2))
    found = [search(asked, seed=seed) for seed in (1, 1, 2, 3)]
    points = []
    for outcome in found:
        assert isinstance(outcome, Refuted)
        points.append(outcome.x)
    assert points[0] == points[1]
    assert len(set(points)) > 1


def test_sizes_that_do_not_fit_are_told() -> None:
    asked = Asked(dense([2, 1], 0), vnnlib(3, 1, "(<= Y_0 0)", bounds=[("0", "1")] * 3))
    with pytest.raises(ValueError, match="3 inputs and 1 outputs, the model 2 and 1"):
        search(asked)
