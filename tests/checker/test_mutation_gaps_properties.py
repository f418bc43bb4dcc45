"""Properties and packed files to the last bit: bounds, limits, commands, pieces of gzip streams."""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from fractions import Fraction
from typing import Any

import pytest

from hybrid_ai.checker import unpacking, vnnlib_reader, vnnlib_terms
from hybrid_ai.checker.property_form import Atom, Connective, Property, normal_form
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.checker.unpacking import unpacked
from hybrid_ai.checker.vnnlib_reader import read_property
from hybrid_ai.checker.vnnlib_terms import Linear, TermReader, shown
from tests.checker import queries

HEAD = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"
BOX = "(assert (>= X_0 -1))\n(assert (<= X_0 1))\n"


def read(text: str, start: str = HEAD + BOX) -> Property:
    return read_property((start + text).encode())


# ---- bounds


@pytest.mark.parametrize("size", ["1/1000", "1/2", "1", "3/2", "7"])
def test_the_sign_of_a_coefficient_makes_it_a_lower_or_an_upper_bound(size: str) -> None:
    c = Fraction(size)
    below = Atom(((0, -c),), (), 2 * c, False)  # -c x + 2 c <= 0
    above = Atom(((0, c),), (), -5 * c, False)
    for formula in ((below, above), (above, below)):
        (polytope,) = normal_form(1, 1, (*formula, Connective(True, 2))).polytopes
        assert (polytope.lower, polytope.upper, polytope.empty) == ((2,), (5,), False)


def test_bounds_of_scaled_variables() -> None:
    text = "(assert (>= (* 0.25 X_0) 0.5)) (assert (<= (* 0.25 X_0) 0.75)) (assert (<= Y_0 1))"
    (polytope,) = read(text, HEAD).polytopes
    assert (polytope.lower, polytope.upper, polytope.empty) == ((2,), (3,), False)


def test_a_pinned_axis_is_not_empty() -> None:
    for low, high, empty in ((2, 2, False), (2, 3, False), (3, 2, True)):
        text = f"(assert (>= X_0 {low})) (assert (<= X_0 {high})) (assert (<= Y_0 1))"
        (polytope,) = read(text, HEAD).polytopes
        assert polytope.empty is empty


# ---- long numbers and tokens


def test_tokens_are_shown_up_to_forty_characters() -> None:
    letters = "".join(chr(ord("a") + i % 26) for i in range(60))
    assert shown(letters[:39]) == letters[:39]
    assert shown(letters[:40]) == letters[:40]
    assert shown(letters[:41]) == shown(letters[:37] + "????") == letters[:37] + "..."


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_on_the_way_may_be_twice_as_long(sign: int) -> None:
    assert vnnlib_terms._LONGEST_NUMBER == 13_000
    longest = sign * Fraction(2**26_000 - 1)
    for value, fits in (
        (longest, True),
        (longest + sign, False),
        (1 / longest, True),
        (1 / (longest + sign), False),
    ):
        zero = Linear({("X", 0): Fraction(1)}, Fraction(0))
        constant = Linear({}, value)
        variable = Linear({("X", 1): value}, Fraction(0))
        if fits:
            assert TermReader()._sum([zero, constant]).constant == value
            assert TermReader()._sum([zero, variable]).terms["X", 1] == value
            continue
        for term in (constant, variable):
            with pytest.raises(Unsupported, match="needs more than 13000 bits"):
                TermReader()._sum([Linear({("X", 0): Fraction(1)}, Fraction(0)), term])


@pytest.mark.parametrize("sign", [1, -1])
def test_the_longest_factor(sign: int) -> None:
    longest = sign * Fraction(2**13_000 - 1)
    one = Linear({("X", 0): Fraction(1)}, Fraction(0))
    assert TermReader()._scaled(one, longest).scale == longest
    for factor in (longest + sign, 1 / (longest + sign)):
        with pytest.raises(Unsupported, match="needs more than 13000 bits"):
            TermReader()._scaled(Linear({("X", 0): Fraction(1)}, Fraction(0)), factor)


# ---- commands


@pytest.mark.parametrize(
    "command",
    ["(check-sat)", "(exit)", "(get-model)", "(set-logic QF_LRA)", "(set-info :status unsat)", "(set-logic)"],
)
def test_commands_that_mean_nothing(command: str) -> None:
    assert read(f"(assert (<= Y_0 1)) {command}") == read("(assert (<= Y_0 1))")


@pytest.mark.parametrize(
    "command",
    [
        "(check-sat now)",
        "(check-sat (now))",
        "(exit 1)",
        "(get-model m)",
        "(get-model m n)",
        "(set-info (a))",
        "(set-info :status (a))",
        "(set-logic (a) b)",
    ],
)
def test_operands_of_commands_that_mean_nothing(command: str) -> None:
    with pytest.raises(Unsupported, match=f"operands of '{command[1:].split()[0]}'"):
        read(f"(assert (<= Y_0 1)) {command}")


@pytest.mark.parametrize("ending", ["(check-sat)", "(exit)"])
@pytest.mark.parametrize("between", ["", "(get-model)", "(set-info :a b) (get-model)"])
def test_nothing_is_asserted_after_the_end(ending: str, between: str) -> None:
    for command in ("(assert (<= X_0 0))", "(declare-const X_1 Real)"):
        with pytest.raises(Malformed, match="after check-sat or exit"):
            read(f"(assert (<= Y_0 1)) {ending} {between} {command}")


@pytest.mark.parametrize(
    "command", ["(declare-const)", "(declare-fun)", "(declare-const X_1)", "(declare-const (X_1) Real)"]
)
def test_declarations_that_lack_something(command: str) -> None:
    with pytest.raises(Unsupported, match="line 5: declaration other than"):
        read(command)


def test_the_first_defect_is_named() -> None:
    with pytest.raises(Unsupported, match="command 'push'"):
        read("(push ((a)))")
    with pytest.raises(Unsupported, match="'foo'; and, or, not"):
        read("(assert (<= X_0 1) (foo X_0))")
    with pytest.raises(Malformed, match="assert takes one formula"):
        read("(assert (<= X_0 1) (<= X_0 1))")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("(assert\n(and\n(<= X_0 1)\n\n", 6),
        ("(assert\n\n", 5),
        ("(assert\n(and\n(or\n", 7),
        ("(set-info\n(a\n\n", 6),
    ],
)
def test_the_innermost_open_parenthesis_is_named(text: str, line: int) -> None:
    with pytest.raises(Malformed, match=f"line {line}: '\\(' is never closed"):
        read(text)


# ---- VNN-LIB 2.0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_assertions_are_counted(count: int) -> None:
    for start in (queries.REAL, queries.FLOAT32):
        prop = queries.read(start + "(assert (<= Y[0] 1))" * (count - 1))
        assert prop.formula[-1] == Connective(True, count)
        assert sum(isinstance(step, Atom) for step in prop.formula) == 4 + count - 1


def test_a_formula_is_no_term_in_a_float32_query_either() -> None:
    for start in (queries.REAL, queries.FLOAT32):
        with pytest.raises(Malformed, match="'-' takes terms"):
            queries.read(start + "(assert (<= (- (<= X[0] 1)) 1))")


# ---- gzip


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


class Counted:
    """Counts the pieces given to a decompressor."""

    def __init__(self, bits: int) -> None:
        self.inner, self.pieces = zlib.decompressobj(bits), list[int]()

    def decompress(self, data: bytes) -> bytes:
        self.pieces.append(len(data))
        return self.inner.decompress(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def watched(monkeypatch: pytest.MonkeyPatch) -> list[Counted]:
    made: list[Counted] = []

    class Module:
        error, decompress = zlib.error, staticmethod(zlib.decompress)

        @staticmethod
        def decompressobj(bits: int) -> Counted:
            made.append(Counted(bits))
            return made[-1]

    monkeypatch.setattr(unpacking, "zlib", Module)
    return made


def of_length(content: bytes, length: int) -> bytes:
    """A gzip stream of that many bytes, filled up with a file name."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(content) + packer.flush()
    body += struct.pack("<II", zlib.crc32(content), len(content))
    head = b"\x1f\x8b\x08\x08" + b"\0" * 6
    return head + b"a" * (length - len(head) - 1 - len(body)) + b"\0" + body


def test_streams_are_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unpacking._PIECE == 2**13
    content = noise(50_000)
    packed = gzip.compress(content)
    made = watched(monkeypatch)
    assert unpacked(packed, "model", 2**30) == content
    whole, rest = divmod(len(packed), 2**13)
    assert made[0].pieces == [2**13] * whole + [rest]


@pytest.mark.parametrize("length", [2**13 - 1, 2**13, 2**13 + 1, 2**14])
def test_streams_that_end_where_a_piece_does(length: int) -> None:
    packed = of_length(b"content", length)
    assert len(packed) == length
    assert unpacked(packed, "model", 2**30) == b"content"
    for extra in (b"x", b"x" * 2**13, packed):
        with pytest.raises(Malformed, match="truncated, or bytes after its end"):
            unpacked(packed + extra, "model", 2**30)
    with pytest.raises(Malformed, match="truncated, or bytes after its end"):
        unpacked(packed[:-1], "model", 2**30)


def test_nothing_is_taken_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    made = watched(monkeypatch)
    with pytest.raises(Malformed, match="bytes after its end"):
        unpacked(gzip.compress(b"a") + b"\0" * 2**16, "model", 2**30)
    assert made[0].pieces == [2**13]


def test_matches_from_far_back() -> None:
    content = noise(30_000) * 2
    packed = gzip.compress(content, 9)
    assert len(packed) < 40_000
    assert unpacked(packed, "model", 2**30) == content


def test_how_much_a_stream_may_shrink() -> None:
    blocks = b"".join(noise(20_000, seed) * 50 for seed in range(5))
    for content, least in ((b"\0" * 100_000, 200), (noise(1_500_000), 0), (blocks, 10)):
        packed = gzip.compress(content, 9)
        assert len(content) > least * len(packed)
        assert unpacked(packed, "model", 2**30) == content
    for content in (b"\0" * 3 * 2**20, b"\0" * (2**20 + 200_000)):
        with pytest.raises(Unsupported, match="100 times its size and 1048576 more"):
            unpacked(gzip.compress(content, 9), "model", 2**30)


def test_the_largest_property(monkeypatch: pytest.MonkeyPatch) -> None:
    content = (HEAD + BOX + "(assert (<= Y_0 1))").encode()
    assert vnnlib_reader.LARGEST_PROPERTY == 2**28
    monkeypatch.setattr(vnnlib_reader, "LARGEST_PROPERTY", len(content) + 1)
    assert read_property(gzip.compress(content)) == read_property(content)
    monkeypatch.setattr(vnnlib_reader, "LARGEST_PROPERTY", len(content))
    with pytest.raises(Unsupported, match=f"unpacks to {len(content)} bytes or more"):
        read_property(gzip.compress(content))


# ---- messages


def test_messages_are_one_line_of_bounded_length() -> None:
    for text in ("plain", "\\ \"quoted\" 'é' ≤", "a" * 400):
        assert Rejected("rule", text, text).where == Rejected("rule", text, text).reason == text
    assert Rejected("rule", "a\nb\x1b\u202e", "").where == "a\\nb\\x1b\\u202e"
    long = "b" * 150 + "c" * 101 + "d" * 150
    assert Rejected("rule", long, "").where == "b" * 150 + "... (401 characters) ..." + "d" * 150
