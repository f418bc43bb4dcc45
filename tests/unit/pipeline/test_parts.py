"""Limits, output files, exact numbers, emptiness, and the points of the results file."""

from __future__ import annotations

import math
import signal
from fractions import Fraction
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ai.checker.counterexample import _number as read_by_checker
from hybrid_ai.pipeline.checking import check
from hybrid_ai.pipeline.counterexample import exact_text, rounded, violates_float32
from hybrid_ai.pipeline.emptiness import contradiction
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.files import make_folder, require_writable, write_atomically
from hybrid_ai.pipeline.limits import Limits, TimeUp, alarm_at
from hybrid_ai.pipeline.results_file import _inside
from hybrid_ai.pipeline.verify import verify
from hybrid_ai.spec import Property, normal_form, read_vnnlib
from tests.end_to_end.command import HOLDS


def read(*asserts: str) -> Property:
    lines = ["X_0", "X_1", "Y_0"]
    text = [f"(declare-const {name} Real)" for name in lines] + [f"(assert {part})" for part in asserts]
    return read_vnnlib("\n".join(text).encode())


BOX = ("(>= X_0 0)", "(<= X_0 1)", "(>= X_1 0)", "(<= X_1 1)", "(>= Y_0 0)")


@pytest.mark.parametrize("timeout", [0.0, -1.0, math.nan, math.inf, 1e9])
def test_time_limits_without_sense(timeout: float) -> None:
    with pytest.raises(BadInput, match="time limit"):
        Limits(timeout)


@pytest.mark.parametrize("name", ["timeout", "memory", "threads", "seed"])
@pytest.mark.parametrize("value", [None, "5", math.nan, True, 1j, [1], -1, 10**400])
def test_limits_of_other_types(name: str, value: object) -> None:
    if (name == "threads" and value is None) or (name != "timeout" and value == 10**400):
        assert Limits(**{name: value})  # type: ignore[arg-type]
        return
    with pytest.raises(BadInput):
        verify(*HOLDS, **{name: value})  # type: ignore[arg-type]


def test_arguments_of_other_types() -> None:
    for model, claim in ((None, HOLDS[1]), (HOLDS[0], 5), ("a\0b", HOLDS[1]), (HOLDS[0], "a\0b")):
        with pytest.raises(BadInput):
            verify(model, claim)  # type: ignore[arg-type]
    for certificate in ("a\0b", 5):
        with pytest.raises(BadInput, match="certificate"):
            verify(*HOLDS, certificate=certificate)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="engine"):
        check(*HOLDS, HOLDS[1], engine="slow")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="evidence"):
        check(*HOLDS, None)  # type: ignore[arg-type]


def test_no_more_threads_than_cores() -> None:
    assert Limits(threads=10_000).used_threads == Limits().used_threads
    assert Limits(threads=1).used_threads == 1


def test_the_alarm_rings_and_gives_the_callers_timer_back() -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    previous = signal.setitimer(signal.ITIMER_REAL, 30)
    try:
        with pytest.raises(TimeUp), alarm_at(monotonic() + 0.02):
            sleep(5)
        with alarm_at(monotonic() + 30) as alarm:
            assert not alarm.rang
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 20 < left < 30
        signal.raise_signal(signal.SIGALRM)
        assert rung == [signal.SIGALRM]
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *previous)


def test_atomic_writing_replaces_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"one", b"two"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    with pytest.raises(BadInput, match="cannot be written"):
        write_atomically(tmp_path, b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    link = tmp_path / "link"
    link.symlink_to(file)
    for path in (tmp_path, tmp_path / "no" / "file", file / "below"):
        with pytest.raises(BadInput):
            require_writable(path, "--x")
    with pytest.raises(BadInput, match="is an input file"):
        require_writable(link, "--x", [file])
    require_writable(tmp_path / "new", "--x", [b"bytes", file])
    with pytest.raises(BadInput):
        make_folder(file / "folder", "-o")
    assert file.read_text() == "x"


@given(st.one_of(st.fractions(), st.floats(allow_nan=False, allow_infinity=False).map(Fraction)))
def test_numbers_are_written_exactly_and_as_the_checker_reads_them(value: Fraction) -> None:
    assert read_by_checker(exact_text(value), 0) == value


def test_decimals_stay_short() -> None:
    assert [exact_text(Fraction(text)) for text in ("0.1", "-2", "1/3", "1e-7")] == [
        "0.1",
        "-2.0",
        "1/3",
        "1e-07",
    ]


def test_points_beyond_float32_are_not_rounded() -> None:
    assert rounded([Fraction(10) ** 60]) is None
    assert rounded([Fraction(10) ** 400]) is None
    assert rounded([Fraction(1, 3)]) == np.float32(1 / 3)


def test_inputs_alone_are_judged_at_the_exact_point() -> None:
    prop = read("(<= X_0 0.1)", "(>= X_0 0.1)", "(>= Y_0 1.0)", "(>= (+ Y_0 (* -10 X_0)) 0)")
    x = [Fraction(1, 10), Fraction(0)]
    point = np.array([0.1, 0.0], np.float32)
    assert violates_float32(prop, x, point, np.array([1.1], np.float32))
    assert not violates_float32(prop, x, point, np.array([1.0], np.float32))  # 10 fl(0.1) is above 1
    assert not violates_float32(prop, x, point, np.array([np.nan], np.float32))


@pytest.mark.parametrize(
    ("asserts", "said"),
    [
        (BOX, None),
        ((*BOX, "(<= (+ X_0 X_1) 0)"), None),
        ((*BOX, "(< (+ X_0 X_1) 0)"), "line 9"),
        ((*BOX, "(>= (+ X_0 X_1) 2.1)"), "line 9"),
        ((*BOX, "(>= X_0 2)"), r"X_0 >= 2 \(line 9\) contradicts X_0 <= 1 \(line 5\)"),
        ((*BOX, "(or (>= X_0 2) (>= X_0 0.5))"), None),
        ((*BOX, "(or (>= X_0 2) (>= X_1 2))"), "and 1 more part"),
        ((*BOX, "(<= 1 0)"), "comparison without variables"),
        ((*BOX, "(or (>= X_0 2) (>= (+ X_0 X_1) 3))"), "contradicts"),
    ],
)
def test_emptiness(asserts: tuple[str, ...], said: str | None) -> None:
    import re

    reason = contradiction(normal_form(read(*asserts)), monotonic() + 10.0)
    if said is None:
        assert reason is None
    else:
        assert reason is not None
        assert re.search(said, reason), reason


def test_emptiness_that_is_late_is_left_open() -> None:
    form = normal_form(read(*BOX, "(< (+ X_0 X_1) 0)"))
    assert contradiction(form, monotonic() + 10.0) is not None
    assert contradiction(form, monotonic()) is None


@pytest.mark.parametrize(("count", "seconds"), [(30, 0.5), (100, 0.2)])
def test_emptiness_keeps_its_time(count: int, seconds: float) -> None:
    """A dense system of equations: 30 of them z3 does not solve in time, 100 are not even stated in time."""
    axes = range(count)
    asserts = [f"(and (>= X_{axis} 0) (<= X_{axis} 1))" for axis in axes]
    for row in np.random.default_rng(0).integers(-1000, 1000, (count, count)):
        total = f"(+ {' '.join(f'(* {value} X_{axis})' for axis, value in enumerate(row))})"
        asserts += [f"(<= {total} 1)", f"(>= {total} 1)"]
    names = [*(f"X_{axis}" for axis in axes), "Y_0"]
    text = [f"(declare-const {name} Real)" for name in names] + [f"(assert {part})" for part in asserts]
    form = normal_form(read_vnnlib("\n".join([*text, "(assert (>= Y_0 0))"]).encode()))
    started = monotonic()
    assert contradiction(form, started + seconds) is None
    assert monotonic() - started < seconds + 0.3


def test_a_rounded_point_is_moved_into_the_box() -> None:
    (polytope,) = normal_form(read("(>= X_0 0.1)", "(<= X_0 1)", "(>= X_1 0.3)", "(<= X_1 0.3)")).polytopes
    below = np.nextafter(np.float32(0.1), np.float32(0))
    moved = _inside(np.array([below, 0.3], np.float32), polytope)
    assert polytope.lower[0] <= Fraction(float(moved[0]))
    assert moved[1] == np.float32(0.3)  # no float32 is in it: left as it is
