"""What the checker's VNN-LIB 2.0 reader refuses, and the line it names."""

from __future__ import annotations

import random

import pytest

from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.checker.vnnlib_reader import read_property
from tests.checker.queries import FLOAT32, REAL, SAMPLE, VERSION, network, read

M, U = Malformed, Unsupported
# the text stands alone; error, line, part of the reason
BAD_FILES = {
    "version 1.0": ("\n(vnnlib-version <1.0>)", U, 2, "version <1.0>"),
    "version 3": ("(vnnlib-version <3.0>)" + network(), U, 1, "version <3.0>"),
    "version without brackets": ("(vnnlib-version 2.0)", M, 1, "'2.0' is no version"),
    "version without minor": ("(vnnlib-version <2>)", M, 1, "'<2>' is no version"),
    "version of two": ("(vnnlib-version <2.0>\n<2.0>)", M, 2, "')' is expected"),
    "version unclosed": ("\n(vnnlib-version\n", M, 2, "never closed"),
    "nothing": (VERSION, M, 1, "no network is declared"),
    "no assertion": (VERSION + network(), M, 4, "no assertion"),
    "assertion first": (VERSION + "(assert (<= 0 1))", M, 2, "before any network"),
    "network after assertion": (REAL + network("g"), M, 6, "after an assertion"),
    "unbounded": (VERSION + network() + "(assert (<= Y[0] 0))", U, None, "finite bound"),
    "huge and unbounded": (
        VERSION + network().replace("[2]", "[2147483647]") + "(assert (<= Y[0] 0))",
        U,
        3,
        "with 'X', 1000000000 elements or more",
    ),
    "large and unbounded": (
        VERSION + network().replace("[2]", "[999999999]") + "(assert (<= Y[0] 0))",
        U,
        None,
        "finite bound",
    ),
    "other command": (REAL + "(check-sat)", M, 6, "'check-sat' is no command"),
    "declare-const": (VERSION + "(declare-const X_0 Real)", M, 2, "'declare-const' is no command"),
    "empty command": (REAL + "\n()", M, 7, "')' is no command"),
    "text after the end": (REAL + "\nend", M, 7, "'end' outside of a command"),
    "closed too often": (REAL + ")", M, 6, "')' outside of a command"),
    "bracket after the end": (REAL + "]", M, 6, "']' outside of a command"),
    "string": (REAL + '\n"text"', M, 7, "unexpected or unclosed '\"'"),
    "bar": (REAL + "|", M, 6, "unexpected or unclosed '|'"),
    "carriage return": (VERSION + "; hidden\r" + network(), M, None, "carriage return"),
    "unclosed network": (VERSION + "\n" + network()[:-3], M, 3, "never closed"),
    "unclosed assertion": (REAL + "\n(assert (and\n(<= Y[0] 1)", M, 7, "never closed"),
}
N, I, O = "(declare-network f", "(declare-input X real [2])", "(declare-output Y real [2])"  # noqa: E741
# the text follows the version, one line
BAD_NETWORKS = {
    "nameless": (f"(declare-network {I}{O})", M, 2, "'(' is no name"),
    "name with a hyphen": (f"(declare-network f-g {I}{O})", M, 2, "'f-g' is no name"),
    "name with a digit first": (f"(declare-network 2f {I}{O})", M, 2, "'2f' is no name"),
    "name is reserved": (f"{N}\n(declare-input and real [2]){O})", M, 3, "'and' is no name"),
    "foreign letter": (f"(declare-network é {I}{O})", M, 2, "is no name"),
    "no input": (f"\n{N}\n{O})", M, 3, "lacks an input or an output"),
    "no output": (f"{N} {I})", M, 2, "lacks an input or an output"),
    "neither": (f"{N})", M, 2, "lacks an input or an output"),
    "two inputs": (f"{N} {I}\n(declare-input Z real [2]){O})", U, 3, "several inputs"),
    "two outputs": (f"{N} {I}{O}\n(declare-output Z real [2]))", U, 3, "several inputs or outputs"),
    "only outputs": (f"{N} {O}(declare-output Z real [2]))", M, 2, "lacks an input"),
    "output first": (f"{N} {O}\n{I})", M, 3, "after an output"),
    "hidden": (f'{N} {I}\n(declare-hidden H real [2] "node"){O})', U, 3, "'declare-hidden'"),
    "isomorphic": (f"{N} {I}{O})(declare-network g\n(isomorphic-to f)", U, 3, "'isomorphic-to'"),
    "initialized": (f"{N}\n(declare-input X real [2] initialized){O})", U, 3, "'initialized'"),
    "initialized output": (f"{N} {I}(declare-output Y real [2] initialized))", M, 2, "')' is expected"),
    "other clause": (f"{N}\n(declare-state S real [2]))", M, 3, "'declare-state' within"),
    "word": (f"{N}\nword {I}{O})", M, 3, "'word' within"),
    "two networks": (f"{N} {I}{O})\n{network('g', 'A', 'B')}", U, 3, "neither is equal-to"),
    "equal to itself": (
        f"(declare-network f\n(equal-to f){I}{O})",
        M,
        3,
        "'f' is no network declared before",
    ),
    "equal to none": (f"(declare-network f (equal-to g){I}{O})", M, 2, "'g' is no network"),
    "equal to a later one": (f"(declare-network f (equal-to g){I}{O}){network('g')}", M, 2, "'g' is no"),
    "equal to an input": (f"{N} {I}{O})(declare-network g (equal-to X)", M, 2, "'X' is no network"),
    "equal to a copy": (
        network()
        + network("g", "A", "B", equal="(equal-to f)")
        + network("h", "C", "D", equal="(equal-to g)"),
        M,
        8,
        "'g' says itself",
    ),
    "equal twice": (f"{N} {I}{O})\n(declare-network g (equal-to f)(equal-to f)", M, 3, "stands once"),
    "equal last": (f"{N} {I}{O})\n(declare-network g (declare-input A real [2])(equal-to f)", M, 3, "before"),
    "equal to two": (f"{N} {I}{O})(declare-network g (equal-to f f)", M, 2, "')' is expected"),
    "equal with another input": (
        f"{N} {I}{O})\n(declare-network g (equal-to f)(declare-input A real [2,1]){O})",
        M,
        3,
        "'A' has another shape",
    ),
    "equal with another output": (
        f"{N} {I}{O})(declare-network g (equal-to f)(declare-input A real [2])\n(declare-output B real [3]))",
        M,
        3,
        "'B' has another shape",
    ),
    "equal of another type": (
        network() + network("g", "A", "B", element="float32", equal="(equal-to f)"),
        M,
        6,
        "'float32' and 'real' are mixed",
    ),
    "float32 and real": (f"{N} (declare-input X float32 [2])\n{O})", M, 3, "'real' and 'float32' are mixed"),
    "real and others": (f"{N} {I}\n(declare-output Y int8 [2]))", M, 3, "'int8' and 'real' are mixed"),
    "float32 and float16": (
        f"{N} (declare-input X float32 [2])(declare-output Y float16 [2]))",
        U,
        2,
        "element type 'float16'",
    ),
    "float64": (f"{N}\n(declare-input X float64 [2])", U, 3, "element type 'float64'"),
    "capital Real": (f"{N}\n(declare-input X Real [2])", U, 3, "element type 'Real'"),
    "no type": (f"{N} (declare-input X [2])", M, 2, "'[' is no element type"),
    "no shape": (f"{N} (declare-input X real)", M, 2, "'[' is expected instead of ')'"),
    "shape without commas": (f"{N} (declare-input X real [1 2])", M, 2, "',' or ']' is expected"),
    "shape with comma last": (f"{N} (declare-input X real [1,])", M, 2, "']' is no dimension"),
    "shape with comma first": (f"{N} (declare-input X real [,1])", M, 2, "',' is no dimension"),
    "negative dimension": (f"{N} (declare-input X real [-1])", M, 2, "'-1' is no dimension"),
    "named dimension": (f"{N} (declare-input X real [n])", M, 2, "'n' is no dimension"),
    "real dimension": (f"{N} (declare-input X real [2.0])", M, 2, "'2.0' is no dimension"),
    "foreign digits": (f"{N} (declare-input X real [٣])", M, 2, "is no dimension"),
    "no elements": (f"{N} (declare-input X real [3,0])", M, 2, "'X' has a dimension of 0"),
    "too many elements": (f"{N} (declare-input X real [99999,99999])", U, 2, "1000000000 elements or more"),
    "absurdly many": (f"{N} (declare-input X real [{'999999999,' * 20000}1])", U, 2, "elements or more"),
    "shape unclosed": (f"\n{N}\n (declare-input X real [2", M, 3, "never closed"),
    "network named twice": (f"{network()}(declare-network f (equal-to f)", M, 5, "'f' is declared twice"),
    "input named as network": (f"{N} (declare-input f real [2])", M, 2, "'f' is declared twice"),
    "output named as input": (f"{N} {I}\n(declare-output X real [2])", M, 3, "'X' is declared twice"),
    "named as in another": (f"{network()}(declare-network g (equal-to f){I}", M, 5, "'X' is declared twice"),
}
# the text is asserted in line 6
BAD_ASSERTS = {
    "no formula": ("", M, "'assert' takes one formula"),
    "two formulas": ("(<= Y[0] 0)(<= Y[0] 0)", M, "'assert' takes one formula"),
    "term asserted": ("(+ Y[0] 1)", M, "'assert' takes one formula"),
    "number asserted": ("1", M, "'assert' takes one formula"),
    "truth value": ("true", M, "'true' is neither"),
    "empty expression": ("()", M, "')' is no operator"),
    "operator in parentheses": ("((<=) Y[0] 0)", M, "'(' is no operator"),
    "not": ("(not (<= Y[0] 0))", M, "'not' is no operator"),
    "single equals": ("(= Y[0] 0)", M, "'=' is no operator"),
    "quotient": ("(<= (/ Y[0] 2) 0)", M, "'/' is no operator"),
    "nested assert": ("(assert (<= Y[0] 0))", M, "'assert' is no operator"),
    "empty and": ("(and)", M, "'and' takes formulas"),
    "empty or": ("(or)", M, "'or' takes formulas"),
    "term in and": ("(and (<= Y[0] 0) Y[0])", M, "'and' takes formulas"),
    "comparison of one": ("(<= Y[0])", M, "'<=' takes two terms"),
    "comparison of three": ("(<= 0 Y[0] 1)", M, "'<=' takes two terms"),
    "formula compared": ("(== (<= Y[0] 0) 1)", M, "'==' takes two terms"),
    "formula compared beside two terms": ("(== (<= Y[0] 0) 1 2)", M, "'==' takes two terms"),
    "formula in sum": ("(<= (+ 1 (<= Y[0] 0)) 0)", M, "'+' takes terms"),
    "empty sum": ("(<= (+) 0)", M, "'+' takes terms"),
    "empty product": ("(<= (*) 0)", M, "'*' takes terms"),
    "empty difference": ("(<= (-) 0)", M, "'-' takes terms"),
    "quadratic": ("(<= (* Y[0] X[0]) 0)", U, "'*' of two terms with variables"),
    "square": ("(<= (* (+ 1 Y[0]) (+ Y[0] 1)) 0)", U, "'*' of two terms with variables"),
    "undeclared": ("(<= Z[0] 0)", M, "'Z' is neither"),
    "other case": ("(<= y[0] 0)", M, "'y' is neither"),
    "network as variable": ("(<= f 0)", M, "'f' is neither"),
    "name of version 1": ("(<= Y_0 0)", M, "'Y_0' is neither"),
    "index out of range": ("(<= Y[2] 0)", M, "'Y' takes 1 indices, below"),
    "negative index": ("(<= Y[-1] 0)", M, "'-1' is no dimension or index"),
    "index missing": ("(<= Y 0)", M, "'[' is expected instead of '0'"),
    "no index": ("(<= Y[] 0)", M, "'Y' takes 1 indices"),
    "two indices": ("(<= Y[0,0] 0)", M, "'Y' takes 1 indices"),
    "indexed number": ("(<= 1[0] 0)", M, "'[' is neither"),
    "bracket alone": ("(<= Y[0]] 0)", M, "']' is neither"),
    "comma": ("(<= Y[0], 0)", M, "',' is neither"),
    "number and name": ("(<= 1.0X 0)", M, "'1.0X' is neither"),
    "nan": ("(<= Y[0] nan)", M, "'nan' is neither"),
    "quotient as literal": ("(<= Y[0] 1/3)", M, "'1/3' is neither"),
    "exponent": ("(<= Y[0] 1e4001)", U, "an exponent is beyond 4000"),
    "long literal": (f"(<= Y[0] {'1' * 5000})", U, "more than 4000 characters"),
    "long number": ("(<= " + "(* 1e-999 " * 30 + "Y[0]" + ")" * 30 + " 0)", U, "13000 bits"),
    "long product": ("(<= (* 1e3000 1e3000 Y[1]) 0)", U, "13000 bits"),
}
# the text is asserted in line 6 of a float32 query
BAD_FLOAT32 = {
    "sum": ("(<= (+ Y[0] 1) 0)", U, "in a float32 query"),
    "sum of one": ("(<= (+ Y[0]) 0)", U, "in a float32 query"),
    "product": ("(<= (* -1 Y[0]) 0)", U, "in a float32 query"),
    "difference": ("(<= (- Y[0] Y[1]) 0)", U, "in a float32 query"),
    "double negation": ("(<= (- (- Y[0])) 0)", U, "in a float32 query"),
    "literals": ("(<= 0 1)", U, "in a float32 query"),
    "negated literals": ("(!= (- 0) (- 0.1))", U, "in a float32 query"),
    "largest": (f"(<= Y[0] {2**128 - 2**103})", M, "is beyond the largest float32"),
    "negative largest": (f"(<= Y[0] {-(2**128) + 2**103})", M, "is beyond the largest float32"),
    "negated largest": ("(<= Y[0] (- 1e39))", M, "'1e39' is beyond the largest float32"),
    "comparison of three": ("(<= 0 Y[0] 1)", M, "'<=' takes two terms"),
    "undeclared": ("(<= Z[0] 0)", M, "'Z' is neither"),
}

CASES = {
    **{f"file: {name}": case for name, case in BAD_FILES.items()},
    **{f"network: {k}": (VERSION + text, *rest) for k, (text, *rest) in BAD_NETWORKS.items()},
    **{
        f"assert: {k}": (f"{REAL}(assert {t})", error, 6, phrase)
        for k, (t, error, phrase) in BAD_ASSERTS.items()
    },
    **{
        f"float32: {k}": (f"{FLOAT32}(assert {t})", e, 6, phrase) for k, (t, e, phrase) in BAD_FLOAT32.items()
    },
}


@pytest.mark.parametrize("name", CASES)
def test_bad_query_is_refused(name: str) -> None:
    text, error, line, phrase = CASES[name]
    with pytest.raises(Rejected) as caught:
        read(text)
    assert type(caught.value) is error and caught.value.rule == "property"
    assert phrase in str(caught.value)
    assert line is None or caught.value.where == f"line {line}"


def test_the_line_of_an_expression_is_where_it_opens() -> None:
    with pytest.raises(Malformed, match="line 8: '<=' takes two terms"):
        read(f"{REAL}(assert\n(and\n(<=\n0\n)))")


@pytest.mark.parametrize("element", ["real", "float32"])
def test_truncated_text_is_refused(element: str) -> None:
    data = SAMPLE.format(*[element] * 4).encode()
    assert read_property(data).element == element
    for length in range(len(data)):
        with pytest.raises((Malformed, Unsupported)):
            read_property(data[:length])


def test_damaged_bytes_raise_nothing_but_malformed_or_unsupported() -> None:
    source, refused = random.Random(11), 0
    for trial in range(1500):
        damaged = bytearray(SAMPLE.format(*[("real", "float32")[trial % 2]] * 4).encode())
        for _ in range(source.randrange(1, 4)):
            damaged[source.randrange(len(damaged))] = source.choice(b'()[],;<>=0-+.eX Y\n"|\xff')
        try:
            read_property(bytes(damaged))
        except Rejected as error:
            refused += type(error) in (Malformed, Unsupported)
    assert refused > 1000
