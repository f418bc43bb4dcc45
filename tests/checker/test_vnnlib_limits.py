"""The edges of docs/formats/vnnlib.md: prover's and checker's reader accept and refuse the same texts."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.checker.vnnlib_reader import read_property
from hybrid_ai.spec import SpecError, UnsupportedSpec, read_vnnlib
from hybrid_ai.spec.errors import SpecificationError
from tests.checker.queries import BOX, FLOAT32, REAL, VERSION, network

VERSION_1 = (
    "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (and (>= X_0 0) (<= X_0 1)))(assert (<= Y_0 {}))"
)
LONGEST, LARGEST = 4_000, 2**13_000 - 1


def judged(text: str) -> tuple[str, str]:
    """What the prover's reader and the checker's say of a text."""
    kinds: dict[type[Exception], str] = {
        SpecError: "malformed",
        UnsupportedSpec: "unsupported",
        Malformed: "malformed",
        Unsupported: "unsupported",
    }
    found = []
    for read in (read_vnnlib, read_property):
        try:
            read(text.encode())
            found.append("read")
        except (SpecificationError, Rejected) as error:
            found.append(kinds[type(error)])
    return found[0], found[1]


def declared(inputs: str, outputs: str, instances: int = 1) -> str:
    """A query over copies of one network whose inputs, of one element each, are bounded."""
    text, bounds = VERSION, ""
    for i in range(instances):
        equal = "(equal-to f0)" if i else ""
        text += f"(declare-network f{i} {equal}(declare-input X{i} real {inputs})"
        text += f"(declare-output Y{i} real {outputs}))\n"
        bounds += f"(assert (and (>= X{i}[0] 0) (<= X{i}[0] 1)))"
    return f"{text}{bounds}(assert (<= Y0[0] 0))"


NUMBERS = {
    "most bits": (str(LARGEST), "read"),
    "one bit more": (str(LARGEST + 1), "unsupported"),
    "most bits of a denominator": (f"{5**3913}e-3913", "read"),
    "largest power of ten": ("1e3913", "read"),
    "a power more": ("1e3914", "unsupported"),
    "smallest power of ten": ("1e-3913", "read"),
    "a power less": ("1e-3914", "unsupported"),
    "largest exponent": ("0.0e4000", "read"),
    "an exponent more": ("0.0e4001", "unsupported"),
    "smallest exponent": ("0.0e-04000", "read"),
    "an exponent less": ("0.0e-4001", "unsupported"),
    "longest": ("0" * LONGEST, "read"),
    "a character more": ("0" * (LONGEST + 1), "unsupported"),
    "longest with a sign": ("-" + "0" * (LONGEST - 1), "read"),
    "a character more with a sign": ("-" + "0" * LONGEST, "unsupported"),
    "long and no number": ("0" * LONGEST + "x", "malformed"),
}
SIZES = {
    "most elements": (declared("[1]", "[999999999]"), "read"),
    "an element more": (declared("[1]", "[1000000000]"), "unsupported"),
    "in two dimensions": (declared("[1]", "[33333,30000]").replace("Y0[0]", "Y0[0,0]"), "read"),
    "more in two dimensions": (declared("[1]", "[31250,32000]").replace("Y0[0]", "Y0[0,0]"), "unsupported"),
    "in three instances": (declared("[1]", "[333333333]", 3), "read"),
    "more in two instances": (declared("[1]", "[500000000]", 2), "unsupported"),
    "as many inputs": (declared("[1000000000]", "[1]"), "unsupported"),
    "many digits": (declared("[1]", "[" + "9" * 5000 + "]"), "unsupported"),
    "leading zeros": (declared("[1]", "[" + "0" * 5000 + "2]"), "read"),
    "none": (declared("[1]", "[0]"), "malformed"),
    "none of many": (declared("[1]", "[0,1000000000]"), "malformed"),
    "last index": (declared("[1]", "[999999999]").replace("Y0[0]", "Y0[999999998]"), "read"),
    "index behind": (declared("[1]", "[999999999]").replace("Y0[0]", "Y0[999999999]"), "malformed"),
    "index of many digits": (declared("[1]", "[2]").replace("Y0[0]", f"Y0[{'1' * 5000}]"), "malformed"),
}
TYPES = {
    "real": (VERSION + network() + BOX, "read"),
    "capital": (VERSION + network(element="Real") + BOX, "unsupported"),
    "capital beside small": (declared("[1]", "[1]").replace("Y0 real", "Y0 Real"), "malformed"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_literals_at_the_limits(name: str) -> None:
    literal, expected = NUMBERS[name]
    assert judged(VERSION_1.format(literal)) == (expected, expected)
    assert judged(f"{REAL}(assert (<= Y[0] {literal}))") == (expected, expected)
    if not literal.startswith("-"):
        assert judged(f"{REAL}(assert (<= Y[0] +{literal}))") == (expected, expected)


@pytest.mark.parametrize(("power", "expected"), [(3913, "read"), (3914, "unsupported")])
def test_computed_numbers_at_the_limit(power: int, expected: str) -> None:
    rest = power - 3000
    for term in (f"(* 1e3000 1e{rest} Y[0])", f"(* 1e-3000 1e-{rest} Y[0])", f"(+ Y[0] (* 1e3000 1e{rest}))"):
        assert judged(f"{REAL}(assert (<= {term} 0))") == (expected, expected)


def test_long_literals_that_cancel_are_refused() -> None:
    for term in ("(+ Y[0] 1e3914 (- 1e3914))", "(+ Y[0] (* 0 1e3914))"):
        assert judged(f"{REAL}(assert (<= {term} 0))") == ("unsupported", "unsupported")


def test_sums_at_the_limit() -> None:
    half = 2**12_999
    for addend, expected in ((half - 1, "read"), (half, "unsupported")):
        assert judged(f"{REAL}(assert (<= (+ {half} {addend} Y[0]) 0))") == (expected, expected)


def test_tiny_literals_of_a_float32_query() -> None:
    assert judged(f"{FLOAT32}(assert (<= Y[0] 1e-3913))") == ("read", "read")
    assert judged(f"{FLOAT32}(assert (<= Y[0] 1e-3914))") == ("unsupported", "unsupported")


@pytest.mark.parametrize("name", SIZES)
def test_numbers_of_elements_at_the_limit(name: str) -> None:
    text, expected = SIZES[name]
    assert judged(text) == (expected, expected)


@pytest.mark.parametrize("name", TYPES)
def test_the_element_type_real_is_written_small(name: str) -> None:
    text, expected = TYPES[name]
    assert judged(text) == (expected, expected)


@pytest.mark.clock
def test_a_long_token_that_is_no_number_takes_no_time() -> None:
    started = time.process_time()
    assert judged(f"{REAL}(assert (<= Y[0] {'1' * 300_000}x))") == ("malformed", "malformed")
    assert time.process_time() - started < 5


def test_both_readers_mean_the_same_number_at_the_limit() -> None:
    text = f"{REAL}(assert (<= Y[0] {LARGEST}))".encode()
    (polytope,) = read_property(text).polytopes
    assert polytope.disjuncts[0][0].constant == Fraction(-LARGEST)
    row = read_vnnlib(text).unsafe.children[-1]  # type: ignore[union-attr]
    assert row.constant == Fraction(-LARGEST)  # type: ignore[union-attr]
