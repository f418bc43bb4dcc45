"""Texts that the VNN-LIB reader accepts, and what they mean."""

from __future__ import annotations

import gzip
import time
from fractions import Fraction
from pathlib import Path

import pytest

from hybrid_ai.spec import And, Atom, Formula, Or, Property, read_vnnlib

HEAD = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)\n"


def read(text: str) -> Formula:
    return read_vnnlib((HEAD + text).encode()).unsafe


def atom(
    x0: object = 0, x1: object = 0, y0: object = 0, y1: object = 0, c: object = 0, strict: bool = False
) -> Atom:
    inputs = tuple((i, Fraction(str(v))) for i, v in enumerate((x0, x1)) if v != 0)
    outputs = tuple((i, Fraction(str(v))) for i, v in enumerate((y0, y1)) if v != 0)
    return Atom(inputs, outputs, Fraction(str(c)), strict)


ATOMS = [
    ("(<= X_0 1)", [atom(1, c=-1)]),
    ("(< X_0 1)", [atom(1, c=-1, strict=True)]),
    ("(>= X_0 1)", [atom(-1, c=1)]),
    ("(> X_0 1)", [atom(-1, c=1, strict=True)]),
    ("(<= 1 X_0)", [atom(-1, c=1)]),
    ("(= X_0 1)", [atom(1, c=-1), atom(-1, c=1)]),
    ("(<= -1 X_0 1)", [atom(-1, c=-1), atom(1, c=-1)]),
    (
        "(> 3 X_0 X_1 1)",
        [atom(1, c=-3, strict=True), atom(-1, 1, strict=True), atom(0, -1, c=1, strict=True)],
    ),
    ("(= X_0 X_1 2)", [atom(1, -1), atom(-1, 1), atom(0, 1, c=-2), atom(0, -1, c=2)]),
    ("(>= Y_0 (* 2 X_1))", [atom(0, 2, -1)]),
    ("(<= Y_0 Y_1)", [atom(y0=1, y1=-1)]),
    ("(<= (+ X_0 X_0 Y_1 X_1 -2) (+ X_1 0.5))", [atom(2, y1=1, c="-5/2")]),
    ("(<= (- X_0) (- 1))", [atom(-1, c=1)]),
    ("(<= (- X_0 X_1 3 Y_0) 0)", [atom(1, -1, -1, c=-3)]),
    ("(<= (* 2 (- X_0 (* 3 (+ X_1 1)))) 0)", [atom(2, -6, c=-6)]),
    ("(<= (* (/ 1 3) 0.5 X_0 2) 0)", [atom("1/3")]),
    ("(<= (/ (+ X_0 1) 2 -4) 0)", [atom("-1/8", c="-1/8")]),
    ("(<= (/ 1 3) X_0)", [atom(-1, c="1/3")]),
    ("(<= (/ 12 2 3) X_0)", [atom(-1, c=2)]),
    ("(<= (- 10 2 3) X_0)", [atom(-1, c=5)]),
    ("(<= (* 0 X_0) X_1)", [atom(0, -1)]),
    ("(<= (- X_0 X_0) 1)", [atom(c=-1)]),
    ("(<= 1 2)", [atom(c=-1)]),
    ("(<= (+ X_0) (* 3))", [atom(1, c=-3)]),
]


@pytest.mark.parametrize("text, atoms", ATOMS)
def test_comparisons_become_exact_atoms(text: str, atoms: list[Atom]) -> None:
    expected = atoms[0] if len(atoms) == 1 else And(tuple(atoms))
    assert read(f"(assert {text})") == expected


@pytest.mark.parametrize(
    "literal, value",
    [
        ("1", Fraction(1)),
        ("-1", Fraction(-1)),
        ("1.5", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("-.5", Fraction(-1, 2)),
        ("1.", Fraction(1)),
        ("1e-3", Fraction(1, 1000)),
        ("-1.0E+5", Fraction(-100_000)),
        ("1.e2", Fraction(100)),
        ("007", Fraction(7)),
        ("-0.0", Fraction(0)),
        ("0.1", Fraction(1, 10)),
        ("3.991125645861615", Fraction(3991125645861615, 10**15)),
        (".5e00000001", Fraction(5)),
        ("1e400", Fraction(10**400)),
        ("1e-400", Fraction(1, 10**400)),
        ("1e3900", Fraction(10**3900)),
        ("1" * 3900, Fraction(int("1" * 3900))),
        ("0.029999999329447746", Fraction(29999999329447746, 10**18)),
    ],
)
def test_literals_are_exact(literal: str, value: Fraction) -> None:
    assert read(f"(assert (<= X_0 {literal}))") == Atom(((0, Fraction(1)),), (), -value, False)


A, B, C = atom(1, c=-1), atom(0, 1, c=-2), atom(y0=1, c=-3)
A_, B_, C_ = (each.negated() for each in (A, B, C))
TEXT = {"A": "(<= X_0 1)", "B": "(<= X_1 2)", "C": "(<= Y_0 3)"}

FORMULAS: list[tuple[str, Formula]] = [
    ("(and A B)", And((A, B))),
    ("(or A B C)", Or((A, B, C))),
    ("(and A)", A),
    ("(or (and A))", A),
    ("(and (and A B) (and C))", And((A, B, C))),
    ("(or A (or B C))", Or((A, B, C))),
    ("(or (and A B) C)", Or((And((A, B)), C))),
    ("(and (or A (and B C)) A)", And((Or((A, And((B, C)))), A))),
    ("(not A)", A_),
    ("(not (not A))", A),
    ("(not (and A B))", Or((A_, B_))),
    ("(not (or A (not (and B C))))", And((A_, B, C))),
    ("(not (= X_0 1))", Or((atom(-1, c=1, strict=True), atom(1, c=-1, strict=True)))),
    ("(not (<= 0 X_0 1))", Or((atom(1, strict=True), atom(-1, c=1, strict=True)))),
    ("(not (> X_0 1))", atom(1, c=-1)),
    ("true", And(())),
    ("false", Or(())),
    ("(not true)", Or(())),
    ("(not false)", And(())),
    ("(and A true)", A),
    ("(or A false)", A),
    ("(or A true)", Or((A, And(())))),
]


@pytest.mark.parametrize("text, expected", FORMULAS)
def test_formulas_are_flattened_and_negations_pushed_down(text: str, expected: Formula) -> None:
    for name, comparison in TEXT.items():
        text = text.replace(name, comparison)
    assert read(f"(assert {text})") == expected


def test_negation_changes_strictness_and_sign() -> None:
    assert A.negated() == Atom(((0, Fraction(-1)),), (), Fraction(1), True)
    assert A.negated().negated() == A


def test_asserts_are_one_conjunction_in_file_order_with_lines() -> None:
    unsafe = read("(assert (<= X_0 1))\n\n(assert (or (<= Y_0 3)\n (<= X_1 2)))")
    assert unsafe == And((A, Or((C, B))))
    assert isinstance(unsafe, And) and isinstance(unsafe.children[0], Atom)
    assert unsafe.children[0].line == 2
    assert isinstance(unsafe.children[1], Or)
    assert [child.line for child in unsafe.children[1].children if isinstance(child, Atom)] == [4, 5]


def test_commands_without_meaning_are_ignored_by_name() -> None:
    text = (
        "; vnnlib (not read\n(set-logic QF_LRA)\n(set-info :source |a (b ; c|)\n"
        '(set-info :notes "x ) ""y"" ;")\n(declare-fun X_0 () Real)\t(declare-const Y_0 Real); end\r\n'
        "(assert(<= X_0 1)); é\n(check-sat)\n(get-model)\n(exit)\n(set-info :status unsat)"
    )
    prop = read_vnnlib(text.encode())
    assert prop == Property(1, 1, A)


def test_declarations_stand_in_any_order_and_outputs_may_be_unused() -> None:
    prop = read_vnnlib(
        b"(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const X_0 Real)(assert true)"
    )
    assert (prop.n_inputs, prop.n_outputs, prop.unsafe) == (2, 1, And(()))


def test_gzip_is_known_by_content_and_the_source_is_kept_as_given(tmp_path: Path) -> None:
    text = (HEAD + "(assert (<= X_0 1))").encode()
    packed = gzip.compress(text)
    path = tmp_path / "packed.vnnlib"
    path.write_bytes(packed)
    for source in (packed, path, str(path)):
        prop = read_vnnlib(source)
        assert prop == read_vnnlib(text)
        assert prop.source == packed
    assert read_vnnlib(text).source == text


N = 10_000
DEEP = [
    ("and", "(and " * N + "(<= X_0 1)" + ")" * N),
    ("alternating", "(and (or " * N + "(<= X_0 1)" + "))" * N),
    ("not", "(not " * N + "(<= X_0 1)" + ")" * N),
    ("left", "(<= " + "(+ " * N + "X_0" + " 1)" * N + f" {N + 1})"),
    ("right", "(<= " + "(+ 1 " * N + "X_0" + ")" * N + f" {N + 1})"),
    ("minus", "(<= " + "(- " * N + "X_0" + ")" * N + " 1)"),
    ("scaled", "(<= " + "(* 1 (+ 1 " * N + "X_0" + "))" * N + f" {N + 1})"),
    ("true", "(and true " * N + "(<= X_0 1)" + ")" * N),
]


@pytest.mark.clock
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in DEEP])
def test_ten_thousand_levels_are_read_in_linear_time(text: str) -> None:
    start = time.perf_counter()
    assert read(f"(assert {text})") == A
    assert time.perf_counter() - start < 3


def test_ten_thousand_nested_children_keep_their_order() -> None:
    right = "".join(f"(and (<= Y_0 {i}) " for i in range(N)) + "true" + ")" * N
    left = "(and " * N + "true" + "".join(f" (<= Y_0 {i}))" for i in range(N))
    expected = And(tuple(atom(y0=1, c=-i) for i in range(N)))
    assert read(f"(assert {right})") == expected
    assert read(f"(assert {left})") == expected
