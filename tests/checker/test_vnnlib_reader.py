"""The checker's VNN-LIB reader: what it accepts and means, its normal form, what it refuses."""

from __future__ import annotations

import gzip
import itertools
import random
import time
from fractions import Fraction
from pathlib import Path

import pytest

from hybrid_ai.checker import property_form
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.checker.vnnlib_reader import Atom, Polytope, Property, read_property, violates

DECLARED = """(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
"""
BOX = "(assert (and (>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 1)))\n"


def read(text: str) -> Property:
    """A property over X_0, X_1 in the unit box and Y_0, Y_1."""
    return read_property((DECLARED + BOX + text).encode())


def row(text: str) -> Atom:
    """The only row of an asserted formula."""
    (polytope,) = read(f"(assert {text})").polytopes
    ((only,),) = polytope.disjuncts
    return only


def atom(x: dict[int, object], y: dict[int, object], constant: object, strict: bool = False) -> Atom:
    """An atom from plain numbers."""

    def exact(terms: dict[int, object]) -> tuple[tuple[int, Fraction], ...]:
        return tuple((index, Fraction(str(value))) for index, value in sorted(terms.items()))

    return Atom(exact(x), exact(y), Fraction(str(constant)), strict)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(<= Y_0 2)", atom({}, {0: 1}, -2)),
        ("(>= Y_0 2)", atom({}, {0: -1}, 2)),
        ("(< Y_0 2)", atom({}, {0: 1}, -2, True)),
        ("(> Y_0 2)", atom({}, {0: -1}, 2, True)),
        ("(<= Y_0 Y_1)", atom({}, {0: 1, 1: -1}, 0)),
        ("(<= Y_1 Y_0)", atom({}, {0: -1, 1: 1}, 0)),
        ("(<= (* 2 Y_0) (+ X_1 (* X_0 3) 0.5))", atom({0: -3, 1: -1}, {0: 2}, "-1/2")),
        ("(<= (- Y_0) (- Y_1 1 X_0))", atom({0: 1}, {0: -1, 1: -1}, 1)),
        ("(<= (/ Y_0 4 2) 0)", atom({}, {0: "1/8"}, 0)),
        ("(<= (* 2 (/ 1 3) Y_0) 0)", atom({}, {0: "2/3"}, 0)),
        ("(<= (+ Y_0 Y_1 (- Y_1)) 0)", atom({}, {0: 1}, 0)),
        ("(<= (* (+ Y_0 1) (- 3 1)) 0)", atom({}, {0: 2}, 2)),
        ("(<= (+ Y_0) (* 1))", atom({}, {0: 1}, -1)),
        ("(<= Y_0 1.5e-3)", atom({}, {0: 1}, "-3/2000")),
        ("(<= Y_0 -1E+2)", atom({}, {0: 1}, 100)),
        ("(<= Y_0 +7.)", atom({}, {0: 1}, -7)),
        ("(<= Y_0 .5)", atom({}, {0: 1}, "-1/2")),
        ("(<= Y_0 -.5e1)", atom({}, {0: 1}, 5)),
        ("(<= Y_0 1e0000000000003)", atom({}, {0: 1}, -1000)),
        ("(<= Y_0 0.1)", atom({}, {0: 1}, "-1/10")),
        ("(not (<= Y_0 2))", atom({}, {0: -1}, 2, True)),
        ("(not (> Y_0 2))", atom({}, {0: 1}, -2)),
        ("(not (not (<= Y_0 2)))", atom({}, {0: 1}, -2)),
        ("(and (<= Y_0 2))", atom({}, {0: 1}, -2)),
        ("(or (<= Y_0 2) false)", atom({}, {0: 1}, -2)),
        ("(and true (<= Y_0 2) (<= 1 2) (< 1 2))", atom({}, {0: 1}, -2)),
        ("(or (<= Y_0 2) (< 2 2) (not true))", atom({}, {0: 1}, -2)),
        ("(and (<= Y_0 2) (<= Y_0 2))", atom({}, {0: 1}, -2)),
        ("(or (<= Y_0 2) (>= 2 Y_0))", atom({}, {0: 1}, -2)),
    ],
)
def test_one_row(text: str, expected: Atom) -> None:
    assert row(text) == expected


A0, A1 = atom({}, {0: 1}, 0), atom({}, {1: 1}, 0)
A, B, C, D = (f"(<= Y_{j} {k})" for k in (0, 1) for j in (0, 1))
FORMS = {
    A: A0,
    B: A1,
    C: atom({}, {0: 1}, -1),
    D: atom({}, {1: 1}, -1),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"(or {A} {B})", [[A], [B]]),
        (f"(and (or {A} {B}) (or {C} {D}))", [[A, C], [A, D], [B, C], [B, D]]),
        (f"(or (and {A} {B}) {C})", [[A, B], [C]]),
        (f"(and {A} (or {B} (and {C} (or {D} {A}))))", [[A, B], [A, C, D], [A, C]]),
        (f"(not (or (not {A}) (not {B})))", [[A, B]]),
        (f"(not (and (not {A}) (not {B})))", [[A], [B]]),
        (f"(or {A} {B} {A})", [[A], [B]]),
        (f"(or (and {A} {B}) (and {B} {A}))", [[A, B], [B, A]]),
        (f"(or (and {A} false) {B})", [[B]]),
        (f"(or true {B})", [[], [B]]),
    ],
)
def test_order_of_disjuncts(text: str, expected: list[list[str]]) -> None:
    (polytope,) = read(f"(assert {text})").polytopes
    assert polytope.disjuncts == tuple(tuple(FORMS[name] for name in disjunct) for disjunct in expected)


def test_equality_chain_and_its_negation() -> None:
    (polytope,) = read("(assert (= Y_0 Y_1))").polytopes
    assert polytope.disjuncts == ((atom({}, {0: 1, 1: -1}, 0), atom({}, {0: -1, 1: 1}, 0)),)
    (polytope,) = read("(assert (<= 0 Y_0 Y_1 5))").polytopes
    assert polytope.disjuncts == ((atom({}, {0: -1}, 0), atom({}, {0: 1, 1: -1}, 0), atom({}, {1: 1}, -5)),)
    (polytope,) = read("(assert (<= Y_0 (+ Y_0 Y_1 (* 2 X_0)) Y_1))").polytopes
    assert polytope.disjuncts == ((atom({0: -2}, {1: -1}, 0), atom({0: 2}, {0: 1}, 0)),)
    (polytope,) = read("(assert (not (= Y_0 0)))").polytopes
    assert polytope.disjuncts == ((atom({}, {0: -1}, 0, True),), (atom({}, {0: 1}, 0, True),))


def test_asserts_are_one_conjunction_in_file_order() -> None:
    (polytope,) = read(f"(assert {B})(assert (or {A} {C}))(assert {D})").polytopes
    b, a, c, d = FORMS[B], FORMS[A], FORMS[C], FORMS[D]
    assert polytope.disjuncts == ((b, a, d), (b, c, d))


def test_tightest_bounds_strict_or_not_and_scaled() -> None:
    text = "(assert (and (> (* 2 X_0) 0.5) (< X_0 0.75) (<= (- X_1) -0.25) (<= Y_0 0)))"
    (polytope,) = read(text).polytopes
    assert polytope.lower == (Fraction(1, 4), Fraction(1, 4))
    assert polytope.upper == (Fraction(3, 4), Fraction(1))
    assert not polytope.empty and polytope.constraints == ()


def test_polytopes_in_order_of_first_appearance() -> None:
    text = f"""(assert (or
        (and (<= X_0 0.5) {A}) (and (<= (+ X_0 X_1) 1) (<= (+ X_0 X_1) 1) {A})
        (and {B} (<= X_0 0.5)) (and (< (+ X_0 X_1) 1) {A}) (and (>= X_0 2) {A}) (<= X_0 0.5)))"""
    first, second, third, fourth = read(text).polytopes
    half = Fraction(1, 2)
    assert first == Polytope((0, 0), (half, 1), (), ((A0,), (A1,), ()), False)
    assert second.constraints == (atom({0: 1, 1: 1}, {}, -1),) and second.disjuncts == ((A0,),)
    assert third.constraints == (atom({0: 1, 1: 1}, {}, -1, True),)
    assert fourth.empty and fourth.lower[0] == 2 and fourth.upper[0] == 1


def test_atom_over_inputs_and_outputs_is_a_row() -> None:
    assert row("(>= Y_0 X_0)") == atom({0: 1}, {0: -1}, 0)


def test_everything_false_leaves_no_polytope() -> None:
    assert read("(assert false)").polytopes == ()


def test_declarations_commands_comments_and_gzip() -> None:
    text = """; a comment (with parentheses "
(set-logic QF_LRA)\r
(set-info :source |quoted ) (|)
(set-info :status "a "" b")
(declare-fun X_0 () Real)
(declare-const Y_0 Real) ; trailing
(assert (<= 0 X_0 1))(assert (<= Y_0
 0))
(check-sat)
(get-model)
(exit)"""
    prop = read_property(text.encode())
    assert (prop.n_inputs, prop.n_outputs) == (1, 1)
    assert prop.polytopes[0].disjuncts == ((A0,),)
    assert read_property(gzip.compress(text.encode())) == prop


def test_violates_uses_the_formula_as_written() -> None:
    prop = read("(assert (or (and (< X_0 0.5) (<= Y_0 0)) (> Y_1 (+ X_1 1))))")

    def at(x0: str, x1: str, y0: str, y1: str) -> bool:
        return violates(prop, [Fraction(x0), Fraction(x1)], [Fraction(y0), Fraction(y1)])

    assert at("0.25", "0", "0", "0")
    assert not at("0.5", "0", "0", "0")  # strict, although the box of the normal form is closed
    assert not at("0.25", "0", "1/1000000000000", "0")
    assert at("1", "1", "5", "2.000000001")
    assert not at("1", "1", "5", "2")
    assert not at("-1", "0", "0", "0")  # outside of the box
    constant = read("(assert (and true (not false)))")
    assert violates(constant, [Fraction(0)] * 2, [Fraction(0)] * 2)


def test_normal_form_covers_the_formula() -> None:
    source = random.Random(3)

    def formula(depth: int) -> str:
        if depth == 0:
            terms = source.sample(["X_0", "X_1", "Y_0", "Y_1", "0.5", "(* 2 Y_1)"], 2)
            return f"({source.choice(['<=', '<', '>=', '>', '='])} {terms[0]} {terms[1]})"
        head = source.choice(["and", "or", "not"])
        arguments = " ".join(formula(depth - 1) for _ in range(1 if head == "not" else 2))
        return f"({head} {arguments})"

    values = [Fraction(k, 2) for k in range(3)]
    points = list(itertools.product(values, repeat=4))
    seen = 0
    for _ in range(60):
        prop = read(f"(assert {formula(source.randrange(4))})")
        for *x, y0, y1 in points:
            unsafe = violates(prop, x, [y0, y1])
            inside = any(_holds(polytope, x, [y0, y1]) for polytope in prop.polytopes)
            assert inside or not unsafe
            seen += unsafe
    assert seen > 100


def _holds(polytope: Polytope, x: list[Fraction], y: list[Fraction]) -> bool:
    def true(item: Atom) -> bool:
        value = item.constant + sum(c * x[i] for i, c in item.inputs) + sum(c * y[i] for i, c in item.outputs)
        return value < 0 if item.strict else value <= 0

    box = all(a <= v <= b for a, v, b in zip(polytope.lower, x, polytope.upper, strict=True))
    return box and all(map(true, polytope.constraints)) and any(all(map(true, d)) for d in polytope.disjuncts)


U, M = Unsupported, Malformed
# the text follows nothing, is the whole file
BAD_FILES = {
    "no declarations": ("(assert (<= 0 1))", M, "X_0 is not declared"),
    "no output": ("(declare-const X_0 Real)", M, "Y_0 is not declared"),
    "gap": (
        "(declare-const X_0 Real)(declare-const X_2 Real)(declare-const Y_0 Real)",
        M,
        "X_1 is not declared",
    ),
    "declared twice": (
        "(declare-const X_0 Real)\n(declare-const X_0 Real)",
        M,
        "line 2: X_0 is declared twice",
    ),
    "other name": ("(declare-const Z_0 Real)", M, "'Z_0' is no variable"),
    "leading zero": ("(declare-const X_01 Real)", M, "'X_01' is no variable"),
    "integer": ("(declare-const X_0 Int)", U, "declaration other than"),
    "compound type": ("(declare-const X_0 (Array Int Real))", U, "declaration other than"),
    "no type": ("(declare-const X_0)", U, "declaration other than"),
    "name is a list": ("(declare-const (X_0) Real)", U, "declaration other than"),
    "function": ("(declare-fun X_0 (Real) Real)", U, "declaration other than"),
    "function form": ("(declare-fun X_0 Real)", U, "declaration other than"),
    "version 2": (";\n (vnnlib-version <2.0>)", M, "line 2: no network is declared"),
    "version not first": ("(exit)(vnnlib-version <2.0>)", U, "command 'vnnlib-version'"),
    "network": ("(declare-network acc (declare-input X Real [3]))", U, "command 'declare-network'"),
    "push": ("\n\n(push 1)", U, "line 3: command 'push'"),
    "define-fun": ("(define-fun f () Real 1)", U, "command 'define-fun'"),
    "set-option": ("(set-option :produce-models true)", U, "command 'set-option'"),
    "unclosed": ("\n(assert (<= 0 1)", M, "line 2: '(' is never closed"),
    "closed too often": ("(exit))", M, "')' outside of a command"),
    "stray word": ("assert", M, "'assert' outside of a command"),
    "empty command": ("()", U, "command ''"),
    "list as command": ("((exit))", M, "a name is expected"),
    "unclosed string": ('(set-info :a "b)', M, "unexpected or unclosed '\"'"),
    "unclosed symbol": ("(set-info :a |b)", M, "unexpected or unclosed '|'"),
    "not text": (b"\xff\xfe", M, "byte 0: not UTF-8"),
    "carriage return": ("; hidden\r(exit)", M, "carriage return"),
    "truncated gzip": (gzip.compress(b"(exit)")[:-3], M, "truncated"),
    "too deep": ("(" * 30_000, M, "a name is expected"),
    "unbounded": (DECLARED + "(assert (<= Y_0 0))", U, "X_0: it lacks a finite bound"),
    "no assert": (DECLARED, U, "X_0: it lacks a finite bound"),
    "half bounded": (DECLARED + "(assert (and (<= 0 X_0 1) (<= 0 X_1)))", U, "X_1: it lacks a finite bound"),
    "unbounded disjunct": (DECLARED + "(assert (or (<= 0 X_0 1) (and (<= 0 X_0 1) (<= 0 X_1 1))))", U, "X_1"),
}
# the text follows declarations and box, five lines
BAD_ASSERTS = {
    "undeclared": ("(assert (<= Y_7 0))", M, "line 6: Y_7 is not declared"),
    "unknown name": ("(assert (<= foo 0))", M, "'foo' is neither"),
    "lone point": ("(assert (<= Y_0 .))", M, "neither"),
    "quotient as literal": ("(assert (<= Y_0 1/3))", M, "neither"),
    "bad literal": ("(assert (<= Y_0 1.2.3))", M, "'1.2.3' is neither"),
    "hexadecimal": ("(assert (<= Y_0 0x1))", M, "neither"),
    "nan": ("(assert (<= Y_0 nan))", M, "neither"),
    "infinity": ("(assert (<= Y_0 inf))", M, "neither"),
    "foreign digits": ("(assert (<= Y_0 ٣))", M, "neither"),
    "underscore": ("(assert (<= Y_0 1_0))", M, "neither"),
    "string": ('(assert (<= Y_0 "1"))', M, "neither"),
    "exponent": ("(assert (<= Y_0 1e4001))", U, "an exponent is beyond 4000"),
    "huge exponent": ("(assert (<= Y_0 1e-999999999))", U, "an exponent is beyond 4000"),
    "absurd exponent": ("(assert (<= Y_0 1e9999999999))", U, "an exponent is beyond 4000"),
    "long literal": (f"(assert (<= Y_0 {'1' * 5000}))", U, "more than 4000 characters"),
    "no formula": ("(assert)", M, "assert takes one formula"),
    "two formulas": ("(assert true true)", M, "assert takes one formula"),
    "term asserted": ("(assert (+ Y_0 1))", M, "assert takes one formula"),
    "number asserted": ("(assert 1)", M, "assert takes one formula"),
    "formula compared": ("(assert (<= true 1))", M, "'<=' takes 2 or more terms"),
    "comparison of one": ("(assert (<= Y_0))", M, "'<=' takes 2 or more terms"),
    "empty comparison": ("(assert (<=))", M, "'<=' takes 2 or more terms"),
    "empty and": ("(assert (and))", M, "'and' takes formulas"),
    "empty or": ("(assert (or))", M, "'or' takes formulas"),
    "term in and": ("(assert (and Y_0 true))", M, "'and' takes formulas"),
    "not of two": ("(assert (not true true))", M, "'not' takes one formula"),
    "not of a term": ("(assert (not Y_0))", M, "'not' takes one formula"),
    "formula in sum": ("(assert (<= (+ true 1) 0))", M, "'+' takes 1 or more terms"),
    "empty sum": ("(assert (<= (+) 0))", M, "'+' takes 1 or more terms"),
    "quadratic": ("(assert (<= (* Y_0 X_0) 0))", U, "'*' of two terms with variables"),
    "division by variable": ("(assert (<= (/ 1 Y_0) 0))", U, "'/' of two terms with variables"),
    "division by zero": ("(assert (<= (/ Y_0 (- 1 1)) 0))", M, "division by zero"),
    "unary division": ("(assert (<= (/ Y_0) 0))", M, "'/' takes 2 or more"),
    "implication": ("(assert (=> true true))", U, "'=>'"),
    "ite": ("(assert (<= (ite true 1 2) 0))", U, "'ite'"),
    "let": ("(assert (let true true))", U, "'let'"),
    "unknown symbol": ("(assert (foo true))", U, "'foo'"),
    "head is a list": ("(assert ((<= X_0 1) true))", M, "a name is expected"),
    "empty list": ("(assert ())", M, "a name is expected"),
    "assert after check-sat": ("(check-sat)\n(assert true)", M, "line 7: 'assert' after check-sat or exit"),
    "declare after exit": ("(exit)(declare-const X_2 Real)", M, "after check-sat or exit"),
    "long number": ("(assert (<= " + "(* 1e-999 " * 30 + "Y_0" + ")" * 30 + " 0))", U, "13000 bits"),
    "too many conjuncts": ("(assert (or true true))" * 17, U, "more than 100000 conjuncts"),
    "declared late": ("(assert (<= X_2 0))(declare-const X_2 Real)", M, "X_2 is not declared"),
}


@pytest.mark.parametrize("name", [*BAD_FILES, *BAD_ASSERTS])
def test_bad_property_is_refused(name: str) -> None:
    if name in BAD_FILES:
        text, error, phrase = BAD_FILES[name]
        data = text if isinstance(text, bytes) else text.encode()
    else:
        text, error, phrase = BAD_ASSERTS[name]
        data = (DECLARED + BOX + text).encode()
    with pytest.raises(Rejected) as caught:
        read_property(data)
    assert type(caught.value) is error
    assert phrase in str(caught.value)
    assert caught.value.rule == "property"


def test_largest_number_of_conjuncts() -> None:
    assert len(read("(assert (or true true))" * 16).polytopes) == 1


def test_atoms_are_counted_before_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(property_form, "MOST_ATOMS_WRITTEN", 30)
    text = f"(assert (and {A} {B} {C} {D} (or {A} {B}) (or {A} {B}) (or {A} {B})))"
    with pytest.raises(Unsupported, match="or 30 atoms"):
        read(text)


def test_what_is_always_true_is_not_written_into_every_conjunct(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a few kilobytes took seconds; false constants are written, since they decide."""
    alternatives = " ".join(f"(<= Y_0 {n})" for n in range(5))
    plain = read(f"(assert (or {alternatives}))")
    monkeypatch.setattr(property_form, "MOST_ATOMS_WRITTEN", 100)
    assert read(f"(assert (and {100 * 'true '} (or {alternatives})))").polytopes == plain.polytopes
    with pytest.raises(Unsupported):
        read(f"(assert (and {100 * 'false '} (or {alternatives})))")


@pytest.mark.clock
@pytest.mark.parametrize("head", ["and", "or", "not", "+"])
def test_depth_ten_thousand(head: str) -> None:
    depth = 10_000
    opening = {"and": f"(and {A} ", "or": f"(or {A} ", "not": "(not ", "+": "(+ 1 "}[head]
    inner = "Y_0" if head == "+" else B
    text = opening * depth + inner + ")" * depth
    started = time.monotonic()
    prop = read(f"(assert (<= {text} 0))" if head == "+" else f"(assert {text})")
    (polytope,) = prop.polytopes
    expected = {"and": ((A0, A1),), "or": ((A0,), (A1,)), "not": ((A1,),), "+": ((atom({}, {0: 1}, depth),),)}
    assert polytope.disjuncts == expected[head]
    assert violates(prop, [Fraction(0)] * 2, [Fraction(-depth)] * 2)
    assert time.monotonic() - started < 20


@pytest.mark.clock
def test_damaged_bytes_raise_nothing_but_rejected() -> None:
    content = DECLARED + BOX + "(assert (or (and (<= (* 2 Y_0) 1e-3) (not (= X_0 Y_1))) (< 0 Y_1 1)))"
    data = content.encode()
    source = random.Random(7)
    refused, started = 0, time.monotonic()
    for trial in range(2000):
        damaged = bytearray(data)
        if trial % 3 == 0:
            damaged = damaged[: source.randrange(len(data))]
        for _ in range(source.randrange(1, 4)):
            if damaged:
                damaged[source.randrange(len(damaged))] ^= 1 << source.randrange(8)
        try:
            read_property(bytes(damaged))
        except Rejected as error:
            refused += type(error) in (Malformed, Unsupported)
    assert refused > 1000
    assert time.monotonic() - started < 30


def test_public_properties_agree_with_the_provers_reader(data: Path) -> None:
    spec = pytest.importorskip("hybrid_ai.spec", reason="the prover's reader is not there")
    files = sorted(data.rglob("*.vnnlib*"))
    assert files
    # the many properties over images differ only in numbers
    files = [path for path in files if path.stat().st_size < 20_000] + files[-1:]
    for path in files:
        compare(path.read_bytes(), spec)


def test_small_properties_agree_with_the_provers_reader() -> None:
    spec = pytest.importorskip("hybrid_ai.spec", reason="the prover's reader is not there")
    texts = [
        f"(assert (or (and (<= X_0 0.5) {A}) (and (<= (+ X_0 X_1) 1) {A}) (and {B} (<= X_0 0.5))))",
        f"(assert (or {A} {B} {A}))(assert (or {C} {D}))",
        "(assert (= Y_0 Y_1))",
        "(assert (<= 0 Y_0 Y_1 5))",
        "(assert (or (<= Y_0 0) (and (>= X_0 2) (<= Y_0 0))))",
        "(assert (>= (* 2 Y_0) (+ X_0 (/ Y_1 4) 0.1)))",
    ]
    for text in texts:
        compare((DECLARED + BOX + text).encode(), spec)


def test_what_the_checker_refuses_the_prover_refuses() -> None:
    spec = pytest.importorskip("hybrid_ai.spec", reason="the prover's reader is not there")
    boxed = [(DECLARED + BOX + text).encode() for text, _, _ in BAD_ASSERTS.values()]
    whole = [text if isinstance(text, bytes) else text.encode() for text, _, _ in BAD_FILES.values()]
    packed = gzip.compress((DECLARED + BOX).encode())
    for content in (*boxed, *whole, packed + packed):
        with pytest.raises(Rejected):
            read_property(content)
        with pytest.raises(spec.SpecificationError):
            spec.normal_form(spec.read_vnnlib(content))


@pytest.mark.parametrize("literal", ["1.", ".5", "-.5", "1.e2", "007", "1e-400", "1e3900", "1" * 3900])
def test_both_readers_take_a_literal(literal: str) -> None:
    spec = pytest.importorskip("hybrid_ai.spec", reason="the prover's reader is not there")
    compare((DECLARED + BOX + f"(assert (<= Y_0 {literal}))").encode(), spec)


def compare(content: bytes, spec: object) -> None:
    """Both readers give the same polytopes, rows and order."""
    mine = read_property(content)
    other = spec.read_vnnlib(content)  # type: ignore[attr-defined]
    form = spec.normal_form(other)  # type: ignore[attr-defined]
    assert (mine.n_inputs, mine.n_outputs) == (other.n_inputs, other.n_outputs)
    kept = [polytope for polytope in mine.polytopes if not polytope.empty]
    assert len(kept) == len(form.polytopes) and len(mine.polytopes) - len(kept) == len(form.empty)

    def plain(items: object) -> list[tuple[object, ...]]:
        return [(a.inputs, a.outputs, a.constant, a.strict) for a in items]  # type: ignore[attr-defined]

    for left, right in zip(kept, form.polytopes, strict=True):
        assert (left.lower, left.upper) == (tuple(right.lower), tuple(right.upper))
        assert plain(left.constraints) == plain(right.constraints)
        assert [plain(d) for d in left.disjuncts] == [plain(d) for d in right.disjuncts]
