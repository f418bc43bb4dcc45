"""VNN-LIB 2.0 queries over real that the reader accepts, and what they mean."""

from __future__ import annotations

import gzip
import time
from fractions import Fraction
from pathlib import Path

import pytest

from hybrid_ai.spec import And, Atom, Formula, Or, Property, normal_form, read_vnnlib

VERSION = "(vnnlib-version <2.0>)\n"
HEAD = VERSION + "(declare-network f (declare-input X real [1,2]) (declare-output Y real [2]))\n"


def read(text: str) -> Formula:
    return read_vnnlib((HEAD + text).encode()).unsafe


def atom(
    x0: object = 0, x1: object = 0, y0: object = 0, y1: object = 0, c: object = 0, strict: bool = False
) -> Atom:
    inputs = tuple((i, Fraction(str(v))) for i, v in enumerate((x0, x1)) if v != 0)
    outputs = tuple((i, Fraction(str(v))) for i, v in enumerate((y0, y1)) if v != 0)
    return Atom(inputs, outputs, Fraction(str(c)), strict)


def at_most(index: int, bound: object = 0, is_output: bool = False) -> Atom:
    """The atom v <= bound."""
    terms = ((index, Fraction(1)),)
    return Atom(() if is_output else terms, terms if is_output else (), -Fraction(str(bound)), False)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("(<= X[0,0] 1)", atom(1, c=-1)),
        ("(< X[0,0] 1)", atom(1, c=-1, strict=True)),
        ("(>= X[0,1] 1)", atom(0, -1, c=1)),
        ("(> Y[1] 1)", atom(y1=-1, c=1, strict=True)),
        ("(<= 1 X[0,0])", atom(-1, c=1)),
        ("(== X[0,0] 1)", And((atom(1, c=-1), atom(-1, c=1)))),
        ("(== 1 X[0,0])", And((atom(-1, c=1), atom(1, c=-1)))),
        ("(!= X[0,0] 1)", Or((atom(1, c=-1, strict=True), atom(-1, c=1, strict=True)))),
        ("(!= Y[0] Y[1])", Or((atom(y0=1, y1=-1, strict=True), atom(y0=-1, y1=1, strict=True)))),
        ("(>= Y[0] (* 2 X[0,1]))", atom(0, 2, -1)),
        ("(<= (+ X[0,0] X[0,0] Y[1] X[0,1] -2) (+ X[0,1] 0.5))", atom(2, y1=1, c="-5/2")),
        ("(<= (- X[0,0]) (- 1))", atom(-1, c=1)),
        ("(<= (- X[0,0] X[0,1] 3 Y[0]) 0)", atom(1, -1, -1, c=-3)),
        ("(<= (- 10 2 3) X[0,0])", atom(-1, c=5)),
        ("(<= (* 2 (- X[0,0] (* 3 (+ X[0,1] 1)))) 0)", atom(2, -6, c=-6)),
        ("(<= (* X[0,0] 0.5 3) 0)", atom("3/2")),
        ("(<= (* 0 X[0,0]) X[0,1])", atom(0, -1)),
        ("(<= (- X[0,0] X[0,0]) 1)", atom(c=-1)),
        ("(<= (* 2.0 3.0 2.5) 20.0)", atom(c=-5)),
        ("(<= (+ X[0,0]) (* 3))", atom(1, c=-3)),
        ("(and (<= X[0,0] 1))", atom(1, c=-1)),
        ("(or (<= X[0,0] 1) (< Y[0] 2))", Or((atom(1, c=-1), atom(y0=1, c=-2, strict=True)))),
        (
            "(and (<= X[0,0] 1) (or (<= Y[0] 2) (and (<= Y[1] 3) (>= Y[1] 1))))",
            And((atom(1, c=-1), Or((atom(y0=1, c=-2), And((atom(y1=1, c=-3), atom(y1=-1, c=1))))))),
        ),
    ],
)
def test_comparisons_become_exact_atoms(text: str, expected: Formula) -> None:
    assert read(f"(assert {text})") == expected


@pytest.mark.parametrize(
    "literal, value",
    [
        ("0", Fraction(0)),
        ("-0.5", Fraction(-1, 2)),
        ("+1.5", Fraction(3, 2)),
        ("1e-3", Fraction(1, 1000)),
        ("+1e3", Fraction(1000)),
        (".5", Fraction(1, 2)),
        ("0.1", Fraction(1, 10)),
        ("1e300", Fraction(10**300)),
    ],
)
def test_literals_are_exact(literal: str, value: Fraction) -> None:
    prop = read_vnnlib((HEAD + f"(assert (<= X[0,0] {literal}))").encode())
    assert prop.unsafe == Atom(((0, Fraction(1)),), (), -value, False)
    assert (prop.instances, prop.element, prop.certain) == (1, "real", None)


def test_elements_are_counted_in_c_order_and_scalars_have_no_index() -> None:
    text = VERSION + (
        "(declare-network g (declare-input image real [2,3,4]) (declare-output Score real []))"
        "(assert (<= image[1,2,3] 1)) (assert (<= image [ 1 , ; row\n 01,0] 2)) (assert (<= Score 3))"
    )
    prop = read_vnnlib(text.encode())
    assert (prop.n_inputs, prop.n_outputs) == (24, 1)
    assert prop.unsafe == And((at_most(23, 1), at_most(16, 2), at_most(0, 3, is_output=True)))


def test_equal_networks_are_instances_concatenated_in_order() -> None:
    text = VERSION + (
        "(declare-network f (declare-input A real [1,2]) (declare-output B real [3]))\n"
        "(declare-network g (equal-to f) (declare-input C real [1,2]) (declare-output D real [3]))\n"
        "(declare-network h (equal-to f) (declare-input E real [1,2]) (declare-output F real [3]))\n"
        "(assert (and (<= A[0,1] 0) (<= C[0,0] 0) (<= E[0,1] 0) (<= B[0] 0) (<= D[1] 0) (<= F[2] 0)))"
        "(assert (<= (- A[0,0] C[0,0]) (- F[0] B[0])))"
    )
    prop = read_vnnlib(text.encode())
    assert (prop.n_inputs, prop.n_outputs, prop.instances) == (6, 9, 3)
    difference = Atom(
        ((0, Fraction(1)), (2, Fraction(-1))), ((0, Fraction(1)), (6, Fraction(-1))), Fraction(0), False
    )
    assert prop.unsafe == And(
        (
            *(at_most(index) for index in (1, 2, 5)),
            *(at_most(index, is_output=True) for index in (0, 4, 8)),
            difference,
        )
    )
    assert prop.input_name(3) == "X_3 (input 1 of instance 1)"
    assert Property(2, 1, And(())).input_name(1) == "X_1"


def test_a_missing_bound_names_the_instance() -> None:
    text = VERSION + (
        "(declare-network f (declare-input A real [1]) (declare-output B real [1]))"
        "(declare-network g (equal-to f) (declare-input C real [1]) (declare-output D real [1]))"
        "(assert (and (<= A[0] 1) (>= A[0] 0) (<= C[0] A[0]) (<= B[0] D[0])))"
    )
    with pytest.raises(ValueError, match=r"X_1 \(input 0 of instance 1\) has no lower bound"):
        normal_form(read_vnnlib(text.encode()))


@pytest.mark.parametrize(
    "start",
    [
        "(vnnlib-version <2.0>)",
        "(vnnlib-version <2.17>)",
        "; (assert\n\t( ; here\n vnnlib-version\t<2.0> ) ; [\n",
        "; first\r\n\r\n(vnnlib-version <2.0>)",
    ],
)
def test_the_version_is_found_after_comments(start: str) -> None:
    text = start + HEAD.removeprefix(VERSION) + "(assert (<= Y[0] Y[1]))"
    assert read_vnnlib(text.encode()).n_inputs == 2


def test_lines_and_source_are_kept_and_gzip_is_read(tmp_path: Path) -> None:
    text = (HEAD + "\n(assert (or\n (<= Y[0] 1)\n (<= Y[1] 1)))").encode()
    packed = gzip.compress(text)
    path = tmp_path / "query.vnnlib.gz"
    path.write_bytes(packed)
    prop = read_vnnlib(path)
    assert prop == read_vnnlib(text)
    assert (prop.source, prop.file) == (packed, str(path))
    assert isinstance(prop.unsafe, Or)
    assert [child.line for child in prop.unsafe.children if isinstance(child, Atom)] == [5, 6]


def test_element_types_are_no_reserved_words() -> None:
    text = VERSION + "(declare-network real (declare-input float32 real[1]) (declare-output nan real[]))"
    assert read_vnnlib(f"{text}(assert (<= float32[0]nan))".encode()).unsafe == Atom(
        ((0, Fraction(1)),), ((0, Fraction(-1)),), Fraction(0), False
    )


N = 10_000
LEVELS = [
    ("and", "(and " * N + "(<= X[0,0] 1)" + ")" * N),
    ("alternating", "(and (or " * N + "(<= X[0,0] 1)" + "))" * N),
    ("sum", "(<= " + "(+ " * N + "X[0,0]" + " 1)" * N + f" {N + 1})"),
    ("minus", "(<= " + "(- " * N + "X[0,0]" + ")" * N + " 1)"),
    ("scaled", "(<= " + "(* 1 (+ 1 " * N + "X[0,0]" + "))" * N + f" {N + 1})"),
]


@pytest.mark.clock
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in LEVELS])
def test_ten_thousand_levels_are_read_in_linear_time(text: str) -> None:
    start = time.perf_counter()
    assert read(f"(assert {text})") == atom(1, c=-1)
    assert time.perf_counter() - start < 3


LONG = 200_000
LARGE = [
    ("dimensions", f"[{'1,' * LONG}1]", f"X[{'0,' * LONG}0]"),
    ("white space", f"[{' ' * LONG}1]", f"X[{' ' * LONG}0]"),
    ("comments", "[" + "; [\n" * LONG + "1]", "X[" + "; ]\n" * LONG + "0]"),
    ("zeros", f"[{'0' * LONG}1]", f"X[{'0' * LONG}]"),
]


@pytest.mark.clock
@pytest.mark.parametrize("shape, element", [pytest.param(*row[1:], id=row[0]) for row in LARGE])
def test_long_brackets_are_read_in_linear_time(shape: str, element: str) -> None:
    start = time.perf_counter()
    text = f"{VERSION}(declare-network f (declare-input X real {shape}) (declare-output Y real []))"
    prop = read_vnnlib(f"{text}(assert (<= {element} Y))".encode())
    assert prop.unsafe == Atom(((0, Fraction(1)),), ((0, Fraction(-1)),), Fraction(0), False)
    assert time.perf_counter() - start < 5


def test_a_thousand_instances_are_read() -> None:
    lines = [
        f"(declare-network f{i} {'(equal-to f0)' if i else ''}"
        f"(declare-input X{i} real [999]) (declare-output Y{i} real []))"
        for i in range(1000)
    ]
    prop = read_vnnlib((VERSION + "".join(lines) + "(assert (<= X999[998] Y999))").encode())
    assert (prop.n_inputs, prop.n_outputs, prop.instances) == (999_000, 1000, 1000)
    assert prop.unsafe == Atom(((998_999, Fraction(1)),), ((999, Fraction(-1)),), Fraction(0), False)
