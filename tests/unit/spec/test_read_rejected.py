"""Texts that the VNN-LIB reader refuses, each with the exact place and the phrase of the message."""

from __future__ import annotations

import gzip
import pickle
import time
from pathlib import Path

import pytest

from hybrid_ai.spec import SpecError, SpecificationError, UnsupportedSpec, read_vnnlib, vnnlib

HEAD = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"  # the text under test starts in line 3

# (name, text after HEAD, line, column, phrase)
MALFORMED_AFTER_HEAD = [
    ("unclosed assert", "(assert (<= X_0 1)\n", 3, 1, "'(' is never closed"),
    ("unclosed in the middle", "(assert (<= X_0 1)\n(assert true)", 3, 1, "'(' is never closed"),
    ("extra parenthesis", "(assert (<= X_0 1)))", 3, 20, "')' without '('"),
    ("bare token", "assert (<= X_0 1)", 3, 1, "'assert' outside parentheses"),
    ("empty list", "()", 3, 1, "not followed by a command"),
    ("list as command", "((assert true))", 3, 1, "not followed by a command"),
    ("unknown command", "(asert (<= X_0 1))", 3, 1, "'asert' is no command"),
    ("wrong case", "(Assert (<= X_0 1))", 3, 1, "'Assert' is no command"),
    ("assert of nothing", "(assert)", 3, 1, "'assert' of 0 formulas"),
    ("assert of two", "(assert true true)", 3, 1, "'assert' of 2 formulas"),
    ("assert of tokens", "(assert <= X_0 1)", 3, 1, "'assert' of 3 formulas"),
    ("assert of a variable", "(assert X_0)", 3, 9, "'X_0' where a formula is expected"),
    ("assert of a number", "(assert 1)", 3, 9, "'1' where a formula is expected"),
    ("assert of a sum", "(assert (+ X_0 1))", 3, 9, "'+' is a number, a formula is expected"),
    ("empty formula", "(assert ())", 3, 9, "not followed by an operator"),
    ("doubled parentheses", "(assert ((<= X_0 1)))", 3, 9, "not followed by an operator"),
    ("unknown operator", "(assert (=< X_0 1))", 3, 9, "'=<' is no operator"),
    ("unknown arithmetic", "(assert (<= (** X_0 2) 1))", 3, 13, "'**' is no operator"),
    ("and of nothing", "(assert (and))", 3, 9, "'and' of nothing"),
    ("or of nothing", "(assert (or))", 3, 9, "'or' of nothing"),
    ("not of two", "(assert (not true true))", 3, 9, "'not' of 2 formulas"),
    ("not of nothing", "(assert (not))", 3, 9, "'not' of 0 formulas"),
    ("and of a number", "(assert (and (<= X_0 1) 2))", 3, 25, "'2' where a formula is expected"),
    ("comparison of one", "(assert (<= X_0))", 3, 9, "'<=' compares 1 terms"),
    ("comparison of nothing", "(assert (<))", 3, 9, "'<' compares 0 terms"),
    ("comparison of a formula", "(assert (<= X_0 (and true)))", 3, 17, "'and' is a formula, a number"),
    ("comparison of a comparison", "(assert (<= 0 (<= X_0 1)))", 3, 15, "'<=' is a formula, a number"),
    ("comparison of a truth value", "(assert (<= X_0 true))", 3, 17, "'true' is a truth value"),
    ("empty term", "(assert (<= X_0 ()))", 3, 17, "not followed by an operator"),
    ("sum of nothing", "(assert (<= X_0 (+)))", 3, 17, "'+' of 0 numbers: give at least 1"),
    ("quotient of one", "(assert (<= X_0 (/ 2)))", 3, 17, "'/' of 1 numbers: give at least 2"),
    ("division by zero", "(assert (<= X_0 (/ 1 0)))", 3, 22, "division by zero"),
    ("variable by zero", "(assert (<= (/ X_0 (- 1 1)) 2))", 3, 20, "division by zero"),
    ("undeclared input", "(assert (<= X_1 1))", 3, 13, "'X_1' is not declared"),
    ("undeclared output", "(assert (<= Y_7 1))", 3, 13, "'Y_7' is not declared"),
    ("declared later", "(assert (<= X_1 1))\n(declare-const X_1 Real)", 3, 13, "'X_1' is not declared"),
    ("unknown symbol", "(assert (<= foo 1))", 3, 13, "'foo' is neither a number nor a variable"),
    ("not a number", "(assert (<= X_0 NaN))", 3, 17, "'NaN' is no real number"),
    ("infinity", "(assert (<= X_0 inf))", 3, 17, "'inf' is no real number"),
    ("minus infinity", "(assert (>= X_0 -Infinity))", 3, 17, "'-Infinity' is no real number"),
    ("slash literal", "(assert (<= X_0 1/3))", 3, 17, "'1/3' is neither a number"),
    ("two points", "(assert (<= X_0 1.2.3))", 3, 17, "'1.2.3' is neither a number"),
    ("only a point", "(assert (<= X_0 .))", 3, 17, "'.' is neither a number"),
    ("exponent missing", "(assert (<= X_0 1e))", 3, 17, "'1e' is neither a number"),
    ("two signs", "(assert (<= X_0 --1))", 3, 17, "'--1' is neither a number"),
    ("plus sign", "(assert (<= X_0 +1))", 3, 17, "'+1' is neither a number"),
    ("underscore", "(assert (<= X_0 1_000))", 3, 17, "'1_000' is neither a number"),
    ("hexadecimal", "(assert (<= X_0 #x1F))", 3, 17, "'#x1F' is neither a number"),
    ("comma", "(assert (<= X_0 1,5))", 3, 18, "unexpected character ','"),
    ("other digits", "(assert (<= X_0 ١))", 3, 17, "unexpected character '\\u0661'"),
    ("no-break space", "(assert (<=\u00a0X_0 1))", 3, 12, "unexpected character '\\xa0'"),
    ("form feed", "(assert\f(<= X_0 1))", 3, 8, "unexpected character '\\x0c'"),
    ("open string", '(set-info :source "abc)', 3, 19, '" is never closed'),
    ("open quoted symbol", "(set-info :source |abc)", 3, 19, "| is never closed"),
    ("quoted symbol", "(assert (<= |X_0| 1))", 3, 13, "'|X_0|' is neither a number nor a variable"),
    ("NUL", "; a\n(assert \0 true)", 4, 9, "NUL byte"),
    ("carriage return", "; a\r(assert (<= X_0 1))\n", 3, 4, "carriage return without line feed"),
    ("declared twice", "(declare-const X_0 Real)", 3, 16, "X_0 is already declared in line 1"),
    ("input gap", "(declare-const X_2 Real)\n(assert true)", 3, 16, "X_2 is declared, X_1 is not"),
    ("output gap", "(declare-const Y_3 Real)\n(assert true)", 3, 16, "Y_3 is declared, Y_1 is not"),
    ("other name", "(declare-const Z_0 Real)", 3, 16, "'Z_0' is no VNN-LIB 1.0 variable"),
    ("leading zero", "(declare-const X_01 Real)", 3, 16, "'X_01' is no VNN-LIB 1.0 variable"),
    ("list as name", "(declare-const (X_1) Real)", 3, 16, "(X_1 ...) is no VNN-LIB 1.0 variable"),
    ("type missing", "(declare-const X_1)", 3, 1, "wrong declaration: write (declare-const X_0 Real)"),
    ("constant as function", "(declare-const X_1 () Real)", 3, 1, "wrong declaration"),
    ("function as constant", "(declare-fun X_1 Real)", 3, 1, "write (declare-fun X_0 () Real)"),
    ("no parameter list", "(declare-fun X_1 Real Real)", 3, 18, "the parameter list is missing"),
    ("nothing asserted", "; nothing\n", 4, 1, "nothing is asserted"),
]  # fmt: skip

UNSUPPORTED_AFTER_HEAD = [
    ("product of inputs", "(assert (<= (* X_0 X_0) 1))", 3, 13, "'*' of variables is not linear"),
    ("product of sums", "(assert (<= (* 2 (+ X_0 1) Y_0) 1))", 3, 13, "'*' of variables is not linear"),
    ("quotient by variable", "(assert (<= (/ 1 X_0) 1))", 3, 13, "'/' of variables is not linear"),
    ("quotient of variables", "(assert (<= (/ Y_0 X_0) 1))", 3, 13, "'/' of variables is not linear"),
    ("implication", "(assert (=> true (<= X_0 1)))", 3, 9, "operator '=>' is not supported"),
    ("xor", "(assert (xor true false))", 3, 9, "operator 'xor' is not supported"),
    ("distinct", "(assert (distinct X_0 Y_0))", 3, 9, "operator 'distinct' is not supported"),
    ("let", "(assert (let ((a X_0)) (<= a 1)))", 3, 9, "operator 'let' is not supported"),
    ("conditional term", "(assert (<= (ite true X_0 1) 1))", 3, 13, "operator 'ite' is not supported"),
    ("absolute value", "(assert (<= (abs X_0) 1))", 3, 13, "operator 'abs' is not supported"),
    ("equal formulas", "(assert (= true (<= X_0 1)))", 3, 9, "'=' of formulas is not supported"),
    ("Int", "(declare-const X_1 Int)", 3, 20, "element type 'Int' is not supported"),
    ("Bool", "(declare-const X_1 Bool)", 3, 20, "element type 'Bool' is not supported"),
    ("array", "(declare-const X_1 (Array Int Real))", 3, 20, "element type (Array ...) is not supported"),
    ("function", "(declare-fun X_1 (Real) Real)", 3, 18, "functions with parameters are not supported"),
    ("huge index", "(declare-const X_99999999999 Real)", 3, 16, "the index is too large"),
    ("push", "(push 1)", 3, 1, "command 'push' is not supported"),
    ("option", "(set-option :print-success true)", 3, 1, "command 'set-option' is not supported"),
    ("definition", "(define-fun a () Real 1)", 3, 1, "command 'define-fun' is not supported"),
    ("late assert", "(assert true)\n(check-sat)\n(assert true)", 5, 1, "'assert' after 'check-sat'"),
    ("assert after exit", "(exit)\n(assert true)", 4, 1, "'assert' after 'exit'"),
    ("version 2 command", "(declare-network N)", 3, 1, "'declare-network' belongs to VNN-LIB 2.0"),
    ("exponent", "(assert (<= X_0 1e999999999))", 3, 17, "exponent beyond 4000"),
    ("negative exponent", "(assert (<= X_0 1e-999999999))", 3, 17, "exponent beyond 4000"),
    ("long exponent", f"(assert (<= X_0 1e{'9' * 100_000}))", 3, 17, "more than 4000 characters"),
    ("exponent beyond", "(assert (<= X_0 1e4001))", 3, 17, "exponent beyond 4000"),
    ("many digits", f"(assert (<= X_0 {'0' * 4000}1))", 3, 17, "more than 4000 characters"),
    ("large product", f"(assert (<= X_0 (* {'1e3000 ' * 3})))", 3, 17, "more than 13000 bits"),
    ("large coefficient", f"(assert (<= {'(* 1e3000 ' * 3}X_0))) 1))", 3, 26, "more than 13000 bits"),
]  # fmt: skip

WHOLE_FILES = [
    ("empty", "", 1, 1, "the file is empty"),
    ("blank", "\n  \n", 3, 1, "the file is empty"),
    ("comment", "; only this", 1, 12, "the file is empty"),
    ("no input", "(declare-const Y_0 Real)(assert true)", 1, 38, "no X is declared"),
    ("no output", "(declare-const X_0 Real)(assert true)", 1, 38, "no Y is declared"),
    ("first input missing", "(declare-const X_1 Real)(declare-const Y_0 Real)", 1, 16, "X_0 is not"),
    ("byte order mark", "\ufeff(assert true)", 1, 1, "byte order mark"),
]


def check(error_type: type[SpecificationError], text: str, line: int, column: int, phrase: str) -> None:
    with pytest.raises(SpecificationError) as caught:
        read_vnnlib(text.encode())
    assert type(caught.value) is error_type
    assert phrase in str(caught.value)
    assert str(caught.value).startswith(f"<bytes>:{line}:{column}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, line, column, phrase", [pytest.param(*row[1:], id=row[0]) for row in MALFORMED_AFTER_HEAD]
)
def test_malformed_text_is_a_spec_error(text: str, line: int, column: int, phrase: str) -> None:
    check(SpecError, HEAD + text, line, column, phrase)


@pytest.mark.parametrize(
    "text, line, column, phrase", [pytest.param(*row[1:], id=row[0]) for row in UNSUPPORTED_AFTER_HEAD]
)
def test_text_beyond_the_supported_is_named(text: str, line: int, column: int, phrase: str) -> None:
    check(UnsupportedSpec, HEAD + text, line, column, phrase)


@pytest.mark.parametrize(
    "text, line, column, phrase", [pytest.param(*row[1:], id=row[0]) for row in WHOLE_FILES]
)
def test_whole_file_is_malformed(text: str, line: int, column: int, phrase: str) -> None:
    check(SpecError, text, line, column, phrase)


def test_a_version_that_does_not_stand_first_is_refused_by_name() -> None:
    text = "(declare-const X_0 Real)\n(vnnlib-version <2.0>)\n(declare-network N (declare-input X real [5]))"
    check(UnsupportedSpec, text, 2, 1, "begin the file with (vnnlib-version <2.0>)")


def test_bytes_that_are_not_utf8_are_located() -> None:
    with pytest.raises(SpecError, match=r"^<bytes>:2:4: the bytes are not UTF-8"):
        read_vnnlib("; ü\n; é".encode() + b"\xff\n")


@pytest.mark.clock
def test_absurd_exponents_are_refused_fast() -> None:
    start = time.perf_counter()
    for exponent in ("999999999", "-999999999", "9" * 1_000_000):
        with pytest.raises(UnsupportedSpec):
            read_vnnlib(f"{HEAD}(assert (<= X_0 1e{exponent}))".encode())
    assert time.perf_counter() - start < 1


def test_errors_name_the_file_and_carry_the_exit_status(tmp_path: Path) -> None:
    path = tmp_path / "bad.vnnlib"
    path.write_text(HEAD + "(assert (<= X_0 nan))")
    with pytest.raises(SpecError) as caught:
        read_vnnlib(path)
    assert str(caught.value).startswith(f"{path}:3:17: ")
    assert (caught.value.file, caught.value.line, caught.value.column) == (str(path), 3, 17)
    assert SpecError.exit_status == 2
    assert UnsupportedSpec.exit_status == 20
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("name", ["missing.vnnlib", "folder", "nul\0name"])
def test_unreadable_files_are_spec_errors(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SpecError, match=":1:1: cannot read the file: "):
        read_vnnlib(str(tmp_path / name))


@pytest.mark.parametrize("damage", ["truncated", "bit", "garbage", "second member", "magic only"])
def test_damaged_gzip_is_a_spec_error(damage: str) -> None:
    packed = gzip.compress((HEAD + "(assert true)").encode())
    broken = {
        "truncated": packed[:-6],
        "bit": packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:],
        "garbage": packed + b"garbage",
        "second member": packed + packed,
        "magic only": packed[:2],
    }[damage]
    with pytest.raises(SpecError, match=r"^<bytes>:1:1: the gzip data is damaged"):
        read_vnnlib(broken)


def test_size_is_limited_after_unpacking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vnnlib, "MAX_BYTES", 3 * 2**20)
    bomb = gzip.compress(b" " * (4 * 2**20))
    assert len(bomb) < 10_000
    path = tmp_path / "large"
    path.write_bytes(b" " * (4 * 2**20))
    for source in (bomb, path):
        with pytest.raises(SpecError, match="longer than 3145728 bytes"):
            read_vnnlib(source)


def test_deep_alternation_is_refused_without_recursion_error() -> None:
    text = HEAD + "(assert " + "(or (<= X_0 1) (and (<= Y_0 1) " * 5_000 + "true" + "))" * 5_000 + ")"
    with pytest.raises(UnsupportedSpec, match="alternate over more than 100 levels"):
        read_vnnlib(text.encode())


@pytest.mark.parametrize("text", ["(" * 10_000, "(" * 10_000 + ")" * 10_000, "(assert " + "(" * 10_000])
def test_ten_thousand_bare_parentheses_are_a_spec_error(text: str) -> None:
    with pytest.raises(SpecError, match=r"^<bytes>:3:"):
        read_vnnlib((HEAD + text).encode())
