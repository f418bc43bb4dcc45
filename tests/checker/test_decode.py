"""Reading certificate bytes: every defect is refused by name."""

import random
from fractions import Fraction

import pytest

from hybrid_ai.checker.decode import (
    TIGHTEN_ALL,
    Close,
    Closing,
    Cut,
    Leaf,
    Reader,
    Scope,
    Split,
    SplitForm,
    Step,
    Tighten,
    read_header,
    read_tree,
)
from hybrid_ai.checker.rejected import Rejected
from tests.checker import build as b

SCOPE = Scope(axes=3, neurons=5, rows=(2, 0), constraints=2)
ONE = Fraction(1)
HEADER = b.certificate(b"model", b"claim")


def read(data: bytes, open_disjuncts: tuple[int, ...] = (0,), assumptions: int = 2) -> tuple[Step, int]:
    reader = Reader(data, 0, len(data), "tree 0, node 0")
    return reader.step(open_disjuncts, assumptions, SCOPE), reader.position


GENERAL = b.closing(
    2, b.terms((0, "1/3"), (1, 5)), b.terms((1, 2)), b.terms((0, "7/2")), b.slopes((0, 128), (4, 0))
)
GENERAL_READ = Closing(
    ((0, Fraction(1, 3)), (1, Fraction(5))), ((1, Fraction(2)),), ((0, Fraction(7, 2)),), ((0, 128), (4, 0))
)
ROW_0, ROW_1 = (Closing(((row, ONE),), (), (), ()) for row in (0, 1))

ACCEPTED = [
    ("split", b"\x02", Split(2, None)),
    ("split at", b.split_at(2, -5), Split(2, -5)),
    ("split at the largest axis", b.split_at(0, 300), Split(0, 300)),
    ("split neuron", b.split_neuron(4, b.dyadic(-3, 2)), SplitForm(4, None, Fraction(-3, 4))),
    ("largest exponent", b.split_neuron(0, b.dyadic(1, 1000)), SplitForm(0, None, Fraction(1, 2**1000))),
    ("split difference", b.split_difference(4, 0, b.dyadic(3, 0)), SplitForm(4, 0, Fraction(3))),
    ("leaf", b.leaf(b"\x01"), Leaf((ROW_1,))),
    ("general closing", b.leaf(GENERAL), Leaf((GENERAL_READ,))),
    ("close", b.close(0, b"\0"), Close(0, ROW_0)),
    ("first q", b.cut(2, 1, 1, b"\0"), Cut(2, 1, 1, (ROW_0,))),
    ("last q", b.cut(0, 0, 63, b"\0"), Cut(0, 0, 63, (ROW_0,))),
    ("tighten", b.TIGHTEN, TIGHTEN_ALL),
    ("tighten named", b.tighten([0, 4], b.slopes((1, 64))), Tighten(frozenset({0, 4}), ((1, 64),))),
    ("tighten every neuron", b.tighten([0, 1, 2, 3, 4]), Tighten(frozenset(range(5)), ())),
    (
        "4096 bits",
        b.leaf(b.closing(2, b.terms((0, 2**4096 - 1)))),
        Leaf((Closing(((0, Fraction(2**4096 - 1)),), (), (), ()),)),
    ),
]

REJECTED = [
    ("empty", b"", "truncated", "inside a step"),
    ("axis", b"\x03", "index", "axis 3 does not exist"),
    ("axis 62", b"\x3e", "index", "axis 62 does not exist"),
    ("split at axis", b.split_at(3, 0), "index", "axis 3"),
    ("no coordinate", b"\x3f\x00", "truncated", "inside a step"),
    ("neuron", b.split_neuron(5, b.dyadic(0, 0)), "index", "neuron 5"),
    ("difference first", b.split_difference(5, 0, b.dyadic(0, 0)), "index", "neuron 5"),
    ("difference second", b.split_difference(0, 5, b.dyadic(0, 0)), "index", "neuron 5"),
    ("exponent", b.split_neuron(0, b.dyadic(1, 1001)), "dyadic", "exponent 1001"),
    ("row", b.leaf(b"\x03"), "index", "row 3"),
    ("disjunct", b.close(2, b"\0"), "index", "disjunct 2"),
    ("disjunct of 2^63", b"\x51" + b.u(2**63) + b"\0", "varint", "exceeds 2^63"),
    ("padded integer", b"\x51\x80\x00\x00", "varint", "minimal"),
    ("q 0", b.cut(0, 0, 0, b"\0"), "cut", "q is 0"),
    ("q 64", b.cut(0, 0, 64, b"\0"), "cut", "q is 64"),
    ("cut axis", b.cut(3, 0, 1, b"\0"), "index", "axis and side 6"),
    ("no multiplier", b.leaf(b.closing(2)), "multipliers", "without any multiplier"),
    ("zero numerator", b.leaf(b.closing(2, b.u(1) + b.u(0) + b.u(0) + b.u(1))), "rational", "positive"),
    ("zero denominator", b.leaf(b.closing(2, b.u(1) + b.u(0) + b.u(1) + b.u(0))), "rational", "positive"),
    ("4097 bits", b.leaf(b.closing(2, b.terms((0, 2**4096)))), "varint", "4096 bits"),
    ("endless integer", b.leaf(b.u(2) + b.u(1) + b.u(0) + b"\xff" * 1000), "varint", "4096 bits"),
    ("rows repeated", b.leaf(b.closing(2, b.terms((0, 1), (0, 1)))), "order", "rows are not strictly"),
    ("rows falling", b.leaf(b.closing(2, b.terms((1, 1), (0, 1)))), "order", "rows are not strictly"),
    ("row index", b.leaf(b.closing(2, b.terms((2, 1)))), "index", "row 2"),
    ("too many rows", b.leaf(b.closing(2, b.u(3))), "index", "3 rows are listed"),
    ("constraint index", b.leaf(b.closing(2, constraints=b.terms((2, 1)))), "index", "input constraint 2"),
    ("assumption index", b.leaf(b.closing(2, assumptions=b.terms((2, 1)))), "index", "assumption 2"),
    ("slope above 1", b.leaf(b.closing(2, b.terms((0, 1)), listed=b.slopes((0, 129)))), "slopes", "129/128"),
    ("slope neuron", b.leaf(b.closing(2, b.terms((0, 1)), listed=b.slopes((5, 1)))), "index", "neuron 5"),
    (
        "slope gap",
        b.leaf(b.closing(2, b.terms((0, 1)), listed=b.slopes((1, 1), (1, 1)))),
        "order",
        "neurons are not",
    ),
    ("tighten nothing", b"\x54\x00\x00", "tighten", "no neuron"),
    ("tighten gap", b.tighten([2, 2]), "order", "neurons are not"),
    ("tighten neuron", b.tighten([1, 5]), "index", "neuron 5"),
    ("tighten too many", b"\x54" + b.u(6), "index", "6 neurons are listed"),
    ("tighten slope", b.tighten([1], b.slopes((0, 255))), "slopes", "255/128"),
    *(
        (f"reserved {code:#x}", bytes([code, 0, 0, 0]), "step", "reserved")
        for code in (0x42, 0x4F, 0x55, 0x7F, 0x80, 0xFF)
    ),
]


@pytest.mark.parametrize(
    ("data", "expected"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED]
)
def test_step_is_read_to_its_last_byte(data: bytes, expected: Step) -> None:
    assert read(data) == (expected, len(data))


@pytest.mark.parametrize(
    ("data", "rule", "reason"), [row[1:] for row in REJECTED], ids=[row[0] for row in REJECTED]
)
def test_step_is_refused(data: bytes, rule: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        read(data)
    assert (caught.value.rule, caught.value.where) == (rule, "tree 0, node 0, byte 0x0")
    assert reason in caught.value.reason


@pytest.mark.parametrize("data", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_every_shortened_step_is_refused(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(Rejected, match="inside a step"):
            read(data[:length])


def test_signed_integers() -> None:
    for number in (0, 1, -1, 63, -64, 64, -65, 2**80, -(2**80)):
        data = b.s(number)
        assert Reader(data, 0, len(data), "").signed() == number


def test_closings_follow_the_open_disjuncts() -> None:
    row_free = b.closing(0, constraints=b.terms((0, 1)))
    step, _ = read(b.leaf(b"\x01", row_free), open_disjuncts=(0, 1))
    assert step == Leaf((ROW_1, Closing((), ((0, ONE),), (), ())))
    with pytest.raises(Rejected, match="row 1 does not exist"):
        read(b.leaf(b"\x01"), open_disjuncts=(1,))


def test_header() -> None:
    header, reader = read_header(b.certificate(b"model", b"claim", b"abc", flags=0))
    assert (header.tighten_first, header.trees) == (False, 1)
    tree = read_tree(reader, 0)
    assert (tree.data[tree.position : tree.end], reader.position) == (b"abc", reader.end)


@pytest.mark.parametrize(
    ("data", "rule", "where"),
    [
        (b"", "header", "byte 0x0"),
        (b"HYBRAICF" + HEADER[8:], "header", "byte 0x0"),
        (HEADER[:74], "truncated", "byte 0x4a"),
        (HEADER[:75], "truncated", "header, byte 0x4b"),
        (b.certificate(b"", b"", version=2), "version", "byte 0x8"),
        (b.certificate(b"", b"", arithmetic=0), "arithmetic", "byte 0x9"),
        (b.certificate(b"", b"", arithmetic=4), "arithmetic", "byte 0x9"),
        (b.certificate(b"", b"", arithmetic=255), "arithmetic", "byte 0x9"),
        (b.certificate(b"", b"", flags=2), "flags", "byte 0xa"),
        (HEADER[:75] + b"\x80\x00", "varint", "header, byte 0x4b"),
    ],
)
def test_header_is_refused(data: bytes, rule: str, where: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_header(data)
    assert (caught.value.rule, caught.value.where) == (rule, where)


@pytest.mark.parametrize(
    ("tree", "rule"),
    [
        (b.u(2**28 + 1), "tree-length"),
        (b.u(2**28), "truncated"),
        (b.u(2) + b"x", "truncated"),
        (b"", "truncated"),
    ],
)
def test_tree_length_is_refused(tree: bytes, rule: str) -> None:
    _, reader = read_header(HEADER[:75] + b"\x01" + tree)
    with pytest.raises(Rejected) as caught:
        read_tree(reader, 0)
    assert (caught.value.rule, caught.value.where) == (rule, "tree 0, byte 0x4c")


def test_random_bytes_never_surprise() -> None:
    source = random.Random(1)
    refused = 0
    for _ in range(3000):
        data = bytes([source.choice(b"\x00\x3f\x40\x41\x50\x51\x52\x53\x54")]) + source.randbytes(12)
        try:
            _, position = read(data, open_disjuncts=(0, 1))
        except Rejected:
            refused += 1
        else:
            assert 0 < position <= len(data)
    assert refused > 1000
