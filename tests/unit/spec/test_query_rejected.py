"""VNN-LIB 2.0 queries that the reader refuses, each with the exact place and the phrase of the message."""

from __future__ import annotations

import time

import pytest

from hybrid_ai.spec import SpecError, SpecificationError, UnsupportedSpec, read_vnnlib

VERSION = "(vnnlib-version <2.0>)\n"
NET = "(declare-network f (declare-input X real [1,2]) (declare-output Y real []))\n"
HEAD = VERSION + NET  # asserts under test start in line 3
SINGLE = VERSION + "(declare-network f (declare-input X float32 [2]) (declare-output Y float32 []))\n"
OTHER = "(declare-input A real [1,2]) (declare-output B real []))"
ABBREVIATIONS = {
    "NET": NET,
    "OTHER": OTHER,
    "IN": "(declare-input X real [2])",
    "OUT": "(declare-output Y real [1])",
    "F:": "(declare-network f ",
    "G:": "(declare-network g (equal-to f) ",
    "D:": "(declare-network g ",
    "I:": "(declare-input ",
    "O:": "(declare-output ",
}

MALFORMED_ASSERTS = [
    ("unclosed", "(assert (<= Y 1)\n", 3, 1, "'(' is never closed"),
    ("extra parenthesis", "(assert (<= Y 1)))", 3, 18, "')' without '('"),
    ("text after the end", "(assert (<= Y 1)) end", 3, 19, "'end' outside parentheses"),
    ("bracket after the end", "(assert (<= Y 1)) [1]", 3, 19, "'[' does not follow a name"),
    ("empty list", "()", 3, 1, "not followed by a command"),
    ("unknown command", "(check-sat)", 3, 1, "'check-sat' is no command of VNN-LIB 2.0"),
    ("command of 1.0", "(declare-const X_0 Real)", 3, 1, "'declare-const' is no command"),
    ("command with brackets", "(assert[0] (<= Y 1))", 3, 1, "'assert[0]' is no command"),
    ("second version", "(vnnlib-version <2.0>)", 3, 1, "a second 'vnnlib-version'"),
    ("late network", f"(assert (<= Y 1))\n{NET}", 4, 1, "'declare-network' after an assert"),
    ("nothing asserted", "; nothing", 3, 10, "nothing is asserted"),
    ("assert of nothing", "(assert)", 3, 1, "'assert' of 0 formulas"),
    ("assert of two", "(assert (<= Y 1) (<= Y 2))", 3, 1, "'assert' of 2 formulas"),
    ("assert of an element", "(assert X[0,0])", 3, 9, "'X[0,0]' where a formula is expected"),
    ("truth value", "(assert true)", 3, 9, "'true' where a formula is expected"),
    ("assert of a sum", "(assert (+ Y 1))", 3, 9, "'+' is a number, a formula is expected"),
    ("empty formula", "(assert ())", 3, 9, "not followed by an operator"),
    ("negation", "(assert (not (<= Y 1)))", 3, 9, "'not' is no operator of VNN-LIB 2.0: turn the"),
    ("implication", "(assert (=> (<= Y 1) (<= Y 2)))", 3, 9, "'=>' is no operator"),
    ("single equals", "(assert (= Y 1))", 3, 9, "'=' is no operator of VNN-LIB 2.0: write =="),
    ("quotient", "(assert (<= (/ Y 2) 1))", 3, 13, "'/' is no operator of VNN-LIB 2.0: multiply"),
    ("operator with brackets", "(assert (and[0] (<= Y 1)))", 3, 9, "'and[0]' is no operator"),
    ("no space", "(assert (<=Y 1))", 3, 9, "'<=Y' is no operator of VNN-LIB 2.0: use and, or, <=, <,"),
    ("and of nothing", "(assert (and))", 3, 9, "'and' of nothing"),
    ("or of nothing", "(assert (or (<= Y 1) (or)))", 3, 22, "'or' of nothing"),
    ("and of a number", "(assert (and (<= Y 1) 2))", 3, 23, "'2' where a formula is expected"),
    ("comparison of one", "(assert (<= Y))", 3, 9, "'<=' compares 1 terms"),
    ("comparison of three", "(assert (<= 0 Y 1))", 3, 9, "'<=' compares 3 terms"),
    ("comparison of a formula", "(assert (<= Y (and (<= Y 1))))", 3, 15, "'and' is a formula, a number"),
    ("empty term", "(assert (<= Y ()))", 3, 15, "not followed by an operator"),
    ("sum of nothing", "(assert (<= Y (+)))", 3, 15, "'+' of 0 numbers"),
    ("undeclared", "(assert (<= Z 1))", 3, 13, "'Z' is neither a number nor a declared input or output"),
    ("undeclared element", "(assert (<= Z[0] 1))", 3, 13, "'Z' is neither a number nor a declared"),
    ("a network", "(assert (<= f 1))", 3, 13, "'f' is neither a number nor a declared"),
    ("wrong case", "(assert (<= y 1))", 3, 13, "'y' is neither a number nor a declared"),
    ("number with brackets", "(assert (<= Y 1[0]))", 3, 15, "'1' is neither a number nor a declared"),
    ("whole tensor", "(assert (<= X 1))", 3, 13, "'X' has shape [1,2]: name one element, as in X[0,0]"),
    ("scalar with index", "(assert (<= Y[0] 1))", 3, 13, "1 indices for 'Y', which has shape []: write it"),
    ("scalar with brackets", "(assert (<= Y[] 1))", 3, 13, "0 indices for 'Y', which has shape []"),
    ("no index", "(assert (<= X[] 1))", 3, 13, "0 indices for 'X', which has shape [1,2]: give one index"),
    ("too few indices", "(assert (<= X[0] 1))", 3, 13, "1 indices for 'X', which has shape [1,2]"),
    ("too many indices", "(assert (<= X[0,0,0] 1))", 3, 13, "3 indices for 'X', which has shape [1,2]"),
    ("index out of range", "(assert (<= X[0,2] 1))", 3, 17, "out of range: use 0 to 1 in this dimension"),
    ("first index", "(assert (<= X[1,0] 1))", 3, 15, "out of range: use 0 to 0"),
    ("huge index", f"(assert (<= X[0,\n{'9' * 5000}] 1))", 4, 1, "out of range: use 0 to 1"),
    ("negative index", "(assert (<= X[0,-1] 1))", 3, 17, "'-1' where a number is expected"),
    ("decimal index", "(assert (<= X[0,1.0] 1))", 3, 17, "'1.0' where a number is expected"),
    ("no comma", "(assert (<= X[0 1] 1))", 3, 17, "a comma is missing"),
    ("two commas", "(assert (<= X[0,,1] 1))", 3, 17, "',' where a number is expected"),
    ("trailing comma", "(assert (<= X[0,1,] 1))", 3, 19, "']' where a number is expected"),
    ("other digits", "(assert (<= X[0,١] 1))", 3, 17, "where a number is expected"),
    ("open bracket", "(assert (<= X[0,1 1))", 3, 14, "[ is never closed"),
    ("nested brackets", "(assert (<= X[0,[1]] 1))", 3, 14, "[ is never closed"),
    ("two brackets", "(assert (<= X[0,0][0] 1))", 3, 19, "'[' does not follow a name"),
    ("bracket after a list", "(assert (<= (- X)[0] 1))", 3, 18, "'[' does not follow a name"),
    ("bracket first", "(assert (<= ([0]) 1))", 3, 14, "'[' does not follow a name"),
    ("closing bracket", "(assert (<= X] 1))", 3, 14, "unexpected character ']'"),
    ("comma", "(assert (<= Y 1,5))", 3, 16, "unexpected character ','"),
    ("quoted symbol", "(assert (<= |Y| 1))", 3, 13, "unexpected character '|'"),
    ("open string", '(assert (<= Y "a\\"))', 3, 15, '" is never closed'),
    ("string", '(assert (<= Y "1"))', 3, 15, "is neither a number nor a declared"),
    ("not a number", "(assert (<= Y NaN))", 3, 15, "'NaN' is neither a number"),
    ("two signs", "(assert (<= Y +-1))", 3, 15, "'+-1' is neither a number"),
    ("two plus", "(assert (<= Y ++1))", 3, 15, "'++1' is neither a number"),
    ("only a plus", "(assert (<= Y +))", 3, 15, "'+' is neither a number"),
    ("glued minus", "(assert (<= (-Y) 1))", 3, 13, "'-Y' is no operator"),
]  # fmt: skip

UNSUPPORTED_ASSERTS = [
    ("product of inputs", "(assert (<= (* X[0,0] X[0,0]) 1))", 3, 13, "not linear but polynomial"),
    ("product within", "(assert (<= (+ 1 (* 2 Y (- Y))) 1))", 3, 18, "not linear but polynomial"),
    ("exponent", "(assert (<= Y 1e999999999))", 3, 15, "exponent beyond 4000"),
    ("many digits", f"(assert (<= Y +{'1' * 4001}))", 3, 15, "more than 4000 characters"),
    ("large coefficient", f"(assert (<= {'(* 1e3000 ' * 3}Y))) 1))", 3, 26, "more than 13000 bits"),
    ("isomorphic", f"(declare-network g (isomorphic-to f) {OTHER}", 3, 20, "'isomorphic-to' is not"),
    ("second network", f"(declare-network g {OTHER}", 3, 1, "two different networks: only (equal-to f)"),
]  # fmt: skip

# (name, text after VERSION, which is line 1, with the abbreviations above)
MALFORMED_NETWORKS = [
    ("none", "(assert (<= 0 1))", 2, 1, "no network is declared"),
    ("empty", "; nothing", 2, 10, "no network is declared"),
    ("no name", "(declare-network)", 2, 1, "the network has no name"),
    ("list as name", "(declare-network IN OUT)", 2, 18, "(declare-input ...) is no name"),
    ("name with hyphen", "(declare-network f-copy IN OUT)", 2, 18, "'f-copy' is no name"),
    ("name with digit first", "(declare-network 1f IN OUT)", 2, 18, "'1f' is no name"),
    ("name with brackets", "(declare-network f[1] IN OUT)", 2, 18, "'f[1]' is no name"),
    ("other letters", "(declare-network \u00e9 IN OUT)", 2, 18, "unexpected character"),
    ("reserved and", "(declare-network and IN OUT)", 2, 18, "'and' is a reserved word"),
    ("reserved or", "F:I:or real [1]) OUT)", 2, 35, "'or' is a reserved word"),
    ("reserved assert", "(declare-network assert IN OUT)", 2, 18, "'assert' is a reserved word"),
    ("reserved initialized", "(declare-network initialized IN OUT)", 2, 18, "is a reserved word"),
    ("no input", "F:OUT)", 2, 1, "the network has no declare-input"),
    ("no output", "F:IN)", 2, 1, "the network has no declare-output"),
    ("nothing", "(declare-network f)", 2, 1, "the network has no declare-input"),
    ("token as part", "F:g IN OUT)", 2, 20, "'g' is no part of a network"),
    ("assert as part", "F:IN OUT\n(assert (<= Y[0] 1)))", 3, 1, "(assert ...) is no part"),
    ("part with brackets", "F:(declare-input[1] X real [1]))", 2, 20, "is no part of a network"),
    ("output first", "F:OUT IN)", 2, 48, "'declare-input' too late"),
    ("late equal-to", "F:IN (equal-to f) OUT)", 2, 47, "'equal-to' too late"),
    ("no element type", "F:I:X [3]) OUT)", 2, 20, "wrong declaration: write (declare-input"),
    ("no shape", "F:I:X real) OUT)", 2, 20, "wrong declaration"),
    ("parenthesised shape", "F:I:X real (3)) OUT)", 2, 20, "wrong declaration"),
    ("only a name", "F:IN O:Y))", 2, 47, "write (declare-output NAME real [1,5])"),
    ("initialized output", "F:IN O:Y real [1] initialized))", 2, 47, "wrong declaration"),
    ("other option", "F:I:X real [1] zero) OUT)", 2, 20, "wrong declaration"),
    ("list as tensor", "F:I:(X) real [1]) OUT)", 2, 35, "is no name"),
    ("unknown type", "F:I:X float [1]) OUT)", 2, 37, "'float' is no element type"),
    ("mixed with float32", "F:I:X float32 [1]) OUT)", 2, 68, "float32 and real are mixed"),
    ("mixed with real", "F:IN O:Y float32 [1]))", 2, 65, "real and float32 are mixed"),
    ("mixed with other", "F:IN O:Y int8 [1]))", 2, 65, "real and int8 are mixed"),
    ("zero dimension", "F:I:X real [1,0]) OUT)", 2, 45, "a dimension of zero"),
    ("negative dimension", "F:I:X real [-1]) OUT)", 2, 43, "'-1' where a number is expected"),
    ("named dimension", "F:I:X real [batch,3]) OUT)", 2, 43, "'batch' where a number"),
    ("no comma", "F:I:X real [1 4]) OUT)", 2, 45, "a comma is missing"),
    ("same tensor names", "F:IN O:X real [1]))", 2, 63, "'X' is already declared"),
    ("tensor and network", "(declare-network X\nIN OUT)", 3, 16, "'X' is already declared"),
    ("same network names", "NETF:(equal-to f) OTHER", 3, 18, "'f' is already declared"),
    ("equal to itself", "NETD:(equal-to g) OTHER", 3, 30, "'g' is no network declared before"),
    ("first is equal", "G:OTHER\nNET", 2, 30, "'f' is no network declared before"),
    ("equal to a tensor", "NETD:(equal-to X) OTHER", 3, 30, "'X' is no network declared before"),
    ("equal to an equal one", "NETG:OTHER\n(declare-network h (equal-to g) IN OUT)", 4, 30, "'g' itself"),
    ("equal to nothing", "NETD:(equal-to) OTHER", 3, 20, "write (equal-to NAME)"),
    ("equal to two", "NETD:(equal-to f f) OTHER", 3, 20, "write (equal-to NAME)"),
    ("equal to a list", "NETD:(equal-to (f)) OTHER", 3, 20, "write (equal-to NAME)"),
    ("equal to brackets", "NETD:(equal-to f[0]) OTHER", 3, 30, "'f[0]' is no network"),
    ("equal twice", "NETG:(equal-to f) OTHER", 3, 33, "a second 'equal-to'"),
    ("other input shape", "NETG:I:A real [2]) O:B real []))", 3, 55, "shape [2] differs from [1,2] of "),
    ("other output shape", "NETG:I:A real [1,2]) O:B real [1]))", 3, 85, "shape [1] differs from [] of "),
    ("other element type", "NETG:I:A float32 [1,2]))", 3, 50, "real and float32 are mixed"),
]  # fmt: skip

UNSUPPORTED_NETWORKS = [
    ("hidden", 'F:IN (declare-hidden H real [1,2] "a\\")[") OUT)', 2, 47, "'declare-hidden' is not"),
    ("two inputs", "F:IN I:Z real [1]) OUT)", 2, 47, "a second 'declare-input' in a network"),
    ("two outputs", "F:IN OUT O:Z real [1]))", 2, 75, "a second 'declare-output'"),
    ("initialized", "F:I:X real [1] initialized) OUT)", 2, 46, "'initialized' is not supported"),
    *[
        (name, f"F:I:X {name} [1]) OUT)", 2, 37, f"element type '{name}' is not supported")
        for name in ("float64", "float16", "bfloat16", "int32", "uint8", "bool", "Real")
    ],
    ("with float32", "F:I:X float32 [1]) O:Y int64 [1]))", 2, 68, "element type 'int64'"),
    ("huge tensor", "F:I:X real [1000,1000,1000]) OUT)", 2, 53, "1000000000 elements or more"),
    ("huge dimension", f"F:I:X real [{'9' * 5000}]) OUT)", 2, 43, "1000000000 elements or more"),
    ("huge sum", "F:I:X real [999999999]) OUT)\nG:I:A real [999999999]) O:B real [1]))", 3, 1, "in all"),
]  # fmt: skip

ARITHMETIC = "arithmetic on float32 values rounds: write the query over real"
UNSUPPORTED_FLOAT32 = [
    ("sum", "(assert (<= (+ X[0] X[1]) 1))", 3, 13, ARITHMETIC),
    ("difference", "(assert (<= 1 (- X[0] Y)))", 3, 15, ARITHMETIC),
    ("scaled", "(assert (<= (* 2 Y) 1))", 3, 13, ARITHMETIC),
    ("sum of one", "(assert (<= (+ Y) 1))", 3, 13, ARITHMETIC),
    ("negated twice", "(assert (<= (- (- Y)) 1))", 3, 13, ARITHMETIC),
    ("sum of literals", "(assert (<= Y (+ 1 2)))", 3, 15, ARITHMETIC),
    ("product", "(assert (<= (* Y Y) 1))", 3, 13, ARITHMETIC),
    ("literals alone", "(assert (<= 1 2))", 3, 9, "a float32 comparison of literals alone"),
]  # fmt: skip

MALFORMED_FLOAT32 = [
    ("beyond the range", "(assert (<= Y 340282356779733661637539395458142568448))", 3, 15, "the range"),
    ("far beyond", "(assert (<= (- -1e39) Y))", 3, 16, "'-1e39' is beyond the range of float32"),
    ("undeclared", "(assert (<= (- Z) 1))", 3, 16, "'Z' is neither a number nor a declared"),
    ("empty minus", "(assert (<= (-) Y))", 3, 13, "'-' of 0 numbers"),
    ("formula", "(assert (<= Y (or (<= Y 1))))", 3, 15, "'or' is a formula, a number is expected"),
]  # fmt: skip

VERSIONS = [
    (SpecError, "(vnnlib-version)", 1, 1, "write (vnnlib-version <2.0>)"),
    (SpecError, "(vnnlib-version 2.0)", 1, 1, "write (vnnlib-version <2.0>)"),
    (SpecError, "(vnnlib-version <2>)", 1, 1, "write (vnnlib-version <2.0>)"),
    (SpecError, "(vnnlib-version <2.0.1>)", 1, 1, "write (vnnlib-version <2.0>)"),
    (SpecError, "(vnnlib-version < 2.0 >)", 1, 1, "write (vnnlib-version <2.0>)"),
    (SpecError, "(vnnlib-version <2.0> <2.0>)", 1, 1, "write (vnnlib-version <2.0>)"),
    (SpecError, "(vnnlib-version[2] <2.0>)", 1, 1, "write (vnnlib-version <2.0>)"),
    (SpecError, "\n(vnnlib-version <2.0>", 2, 1, "'(' is never closed"),
    (SpecError, "(vnnlib-version <2.0>)", 1, 23, "no network is declared"),
    (UnsupportedSpec, "; a\n(vnnlib-version <1.0>)", 2, 17, "version '<1.0>' is not supported"),
    (UnsupportedSpec, "(vnnlib-version <3.0>)", 1, 17, "version '<3.0>' is not supported"),
    (UnsupportedSpec, "(vnnlib-version <20.0>)", 1, 17, "version '<20.0>' is not supported"),
]  # fmt: skip


def check(error_type: type[SpecificationError], text: str, line: int, column: int, phrase: str) -> None:
    with pytest.raises(SpecificationError) as caught:
        read_vnnlib(text.encode())
    assert phrase in str(caught.value)
    assert str(caught.value).startswith(f"<bytes>:{line}:{column}: ")
    assert type(caught.value) is error_type
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def expanded(table: list[tuple[str, str, int, int, str]]) -> list[tuple[str, str, int, int, str]]:
    result = []
    for name, text, *rest in table:
        for short, long in ABBREVIATIONS.items():
            text = text.replace(short, long)
        result.append((name, text, *rest))
    return result


def rows(table: list[tuple[str, str, int, int, str]], before: str) -> list[object]:
    return [pytest.param(before + text, *rest, id=name) for name, text, *rest in table]


@pytest.mark.parametrize(
    "text, line, column, phrase",
    [
        *rows(MALFORMED_ASSERTS, HEAD),
        *rows(expanded(MALFORMED_NETWORKS), VERSION),
        *rows(MALFORMED_FLOAT32, SINGLE),
    ],
)
def test_malformed_queries_are_spec_errors(text: str, line: int, column: int, phrase: str) -> None:
    check(SpecError, text, line, column, phrase)


@pytest.mark.parametrize(
    "text, line, column, phrase",
    [
        *rows(UNSUPPORTED_ASSERTS, HEAD),
        *rows(expanded(UNSUPPORTED_NETWORKS), VERSION),
        *rows(UNSUPPORTED_FLOAT32, SINGLE),
    ],
)
def test_queries_beyond_the_supported_are_named(text: str, line: int, column: int, phrase: str) -> None:
    check(UnsupportedSpec, text, line, column, phrase)


@pytest.mark.parametrize("error_type, text, line, column, phrase", VERSIONS)
def test_versions(
    error_type: type[SpecificationError], text: str, line: int, column: int, phrase: str
) -> None:
    check(error_type, text, line, column, phrase)


SAMPLE = (
    "; sample\n(vnnlib-version <2.0>)\n(declare-network f (declare-input A float32 [1,2])\n"
    " (declare-output B float32 []))\n(declare-network g (equal-to f) (declare-input C float32 [1,2])"
    " (declare-output D float32 []))\n(assert (and (>= A[0,0] -0.1) (!= C[0, 1] (- 1e-3))))\n"
    "(assert (or (== (- B) D) (< +0.5 D)))"
)


def test_truncation_at_every_byte_is_refused_and_nothing_else() -> None:
    assert read_vnnlib(SAMPLE.encode()).instances == 2
    first_assert = SAMPLE.index("\n(assert (or")
    for end in range(len(SAMPLE)):
        if end in (first_assert, first_assert + 1):  # a whole query without its last assert
            assert read_vnnlib(SAMPLE[:end].encode()).instances == 2
            continue
        with pytest.raises(SpecificationError):
            read_vnnlib(SAMPLE[:end].encode())


@pytest.mark.parametrize("inserted", ["(", ")", "[", "]", ",", "-", "0", "x", " ", '"', ";", "\n", "é"])
def test_any_character_anywhere_is_read_or_refused(inserted: str) -> None:
    read = 0
    for place in range(len(SAMPLE) + 1):
        try:
            read_vnnlib((SAMPLE[:place] + inserted + SAMPLE[place:]).encode())
            read += 1
        except SpecificationError as error:
            assert error.line is not None and error.column is not None
    assert read < len(SAMPLE)


def test_deep_alternation_is_refused_without_recursion_error() -> None:
    text = HEAD + "(assert " + "(or (<= Y 1) (and (<= Y 2) " * 5_000 + "(<= Y 3)" + "))" * 5_000 + ")"
    with pytest.raises(UnsupportedSpec, match="alternate over more than 100 levels"):
        read_vnnlib(text.encode())


@pytest.mark.clock
@pytest.mark.parametrize(
    "text",
    [
        "(" * 200_000,
        "(" * 200_000 + ")" * 200_000,
        "(assert " + "(" * 200_000,
        "(assert X[" + "0," * 200_000,
        "(assert X[" + "; [" * 200_000,
        '(assert "' + "\\a" * 200_000,
        " " * 200_000 + "[",
        "[" * 200_000,
    ],
)
def test_text_that_never_closes_is_refused_fast(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(SpecError, match=r"^<bytes>:3:"):
        read_vnnlib((HEAD + text).encode())
    assert time.perf_counter() - start < 3


@pytest.mark.clock
@pytest.mark.parametrize("text", [" " * 1_000_000 + "x", ";\n" * 500_000 + "x", "(" + " " * 1_000_000 + "x"])
def test_the_version_is_sought_in_linear_time(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(SpecError):
        read_vnnlib(text.encode())
    assert time.perf_counter() - start < 3
